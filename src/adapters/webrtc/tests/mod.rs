//! The adapter without a network: streams to read, sessions that nobody has connected to.

mod group;
mod whep;
mod worker;

use super::formats;
use super::router::{Home, Router};
use super::worker::{Shared, Start};
use crate::bridge::Bridges;
use crate::hub::{Hub, Origin, Publisher, Settings, Stream, StreamName, TrackSet, Viewer};
use crate::net::udp::Socket;
use bytes::Bytes;
use media::codec::{aac, h264, opus};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use webrtc::{Certificate, Config, Session, WallClock};

/// As Chromium writes it.
pub(super) const OFFER: &str =
    include_str!("../../../../protocols/webrtc/tests/offers/chromium.sdp");

pub(super) fn pictures() -> Track {
    let sps = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
    let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
    let config = h264::Config::new(sets(sps), sets(&[0x68, 1])).unwrap();
    Track {
        id: TrackId(0),
        codec: Codec::H264(config),
        timebase: Timebase::MILLIS,
    }
}

pub(super) fn sound(channels: u8) -> Track {
    Track {
        id: TrackId(1),
        codec: Codec::Opus(opus::Config::new(channels, 312, 48_000).unwrap()),
        timebase: opus::TIMEBASE,
    }
}

/// Sound that no bridge takes.
pub(super) fn surround() -> Track {
    let config = aac::Config::low_complexity(48_000, 6).unwrap();
    Track {
        id: TrackId(1),
        timebase: config.sample_rate,
        codec: Codec::Aac(config),
    }
}

/// Sound that no browser is sent, and that is not transcoded either.
pub(super) fn g722() -> Track {
    Track {
        id: TrackId(1),
        timebase: Timebase::new(8_000).unwrap(),
        codec: Codec::G722 { channels: 1 },
    }
}

pub(super) fn track_set(tracks: &[Track]) -> TrackSet {
    TrackSet {
        generation: 1,
        tracks: tracks.to_vec(),
    }
}

/// A picture of one small NAL unit.
pub(super) fn picture(dts: i64, pts: i64, random_access: bool) -> AccessUnit {
    let header = if random_access { 0x65 } else { 0x41 };
    AccessUnit {
        track: TrackId(0),
        dts,
        pts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::copy_from_slice(&[0, 0, 0, 2, header, 7]),
    }
}

pub(super) fn name() -> StreamName {
    StreamName::new("LiveApp", "cam").unwrap()
}

/// Who publishes these tracks in a hub of its own.
pub(super) fn publisher(tracks: &[Track]) -> (Hub, Publisher) {
    let hub = Hub::new(Settings::default());
    let origin = Origin {
        protocol: "test",
        address: "here".to_owned(),
        agent: None,
    };
    let publisher = hub.publish(&name(), &origin).unwrap();
    for track in tracks {
        publisher.set_track(track.clone()).unwrap();
    }
    (hub, publisher)
}

/// What a shard of its own works with.
pub(super) fn shared() -> Shared {
    let hub = Hub::new(Settings::default());
    Shared {
        socket: Arc::new(Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap()),
        router: Arc::new(Router::new(100)),
        bridges: Bridges::new(Handle::current(), hub.clone()),
        hub,
    }
}

/// A session on its way to its shard, and known to the router.
pub(super) fn start(shared: &Shared, stream: &Arc<Stream>) -> (Home, Box<Start>) {
    let formats = formats::of(&stream.snapshot().tracks).unwrap();
    let now = Instant::now();
    let config = Config {
        certificate: Certificate::generate().unwrap(),
        candidates: Vec::new(),
        video: formats.video,
        audio: formats.audio,
        wall_clock: WallClock {
            at: now,
            since_1970: Duration::from_secs(1),
        },
    };
    let (session, _) = Session::answer(OFFER, &config, now).unwrap();
    let home = Home {
        ufrag: session.ufrag().into(),
        inbox: mpsc::channel(1).0,
    };
    let resource = home.ufrag.to_string();
    assert!(shared.router.add(&resource, stream.name(), &home));
    let start = Start {
        session,
        home: home.clone(),
        resource,
        viewer: Viewer::new(stream.clone(), "webrtc"),
        formats,
        told: None,
    };
    (home, Box::new(start))
}
