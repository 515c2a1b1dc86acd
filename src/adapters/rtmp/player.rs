//! A player on its shard: the packets all players share, and what one of them still says.

use crate::hub::{Ended, TrackSet};
use crate::net::fanout::{self, Format, Packet, Peer};
use bytes::Bytes;
use media::{AccessUnit, Codec, Kind, Track};
use rtmp::Output;
use rtmp::amf0::Value;
use rtmp::chunk::{ChunkStreamId, Header, MessageType};
use rtmp::message::Message;
use rtmp::server::{Event, MESSAGE_STREAM, PLAY_CHUNK_SIZE, Session};
use std::time::Instant;

/// A stream as RTMP messages, cut into chunks once for all players.
#[derive(Debug)]
pub(super) struct Form;

impl Format for Form {
    const NAME: &'static str = "rtmp";

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        let mut prelude = Packet::default();
        let (kind, body) = Message::Data(vec!["onMetaData".into(), metadata(tracks)]).write();
        append(
            &mut prelude,
            header(ChunkStreamId::DATA, kind, 0),
            &[],
            &body,
        );
        for track in &tracks.tracks {
            // Tracks of other codecs are left out; players get the rest.
            let Some(body) = flv::muxer::sequence_header(track) else {
                continue;
            };
            let (stream, kind) = carrier(track);
            append(&mut prelude, header(stream, kind, 0), &[], &body);
        }
        prelude
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        let carried = |tracks: &TrackSet, kind| tracks.first(kind).map(is_carried);
        let breaks =
            |kind| carried(before, kind) == Some(true) && carried(after, kind) == Some(false);
        if breaks(Kind::Video) {
            Some("its pictures are now of a codec that RTMP does not carry")
        } else if breaks(Kind::Audio) {
            Some("its sound is now of a codec that RTMP does not carry")
        } else {
            None
        }
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        let mut packet = Packet::default();
        if let Some(track) = tracks.get(unit.track)
            && let Some(prefix) = flv::muxer::prefix(unit, track)
        {
            let (stream, kind) = carrier(track);
            let header = header(stream, kind, flv::muxer::timestamp(track, unit));
            append(&mut packet, header, &prefix, &unit.payload);
        }
        packet
    }
}

const fn header(chunk_stream: ChunkStreamId, message_type: MessageType, timestamp: u32) -> Header {
    Header {
        chunk_stream,
        timestamp,
        message_type,
        message_stream: MESSAGE_STREAM,
    }
}

/// Whether FLV, and so RTMP, has a form for the track.
pub(super) fn is_carried(track: &Track) -> bool {
    flv::muxer::sequence_header(track).is_some()
}

pub(super) const fn carrier(track: &Track) -> (ChunkStreamId, MessageType) {
    match track.kind() {
        Kind::Video => (ChunkStreamId::VIDEO, MessageType::VIDEO),
        Kind::Audio => (ChunkStreamId::AUDIO, MessageType::AUDIO),
        Kind::Data => (ChunkStreamId::DATA, MessageType::DATA),
    }
}

fn append(packet: &mut Packet, header: Header, prefix: &[u8], payload: &Bytes) {
    // An access unit of 16 MiB or more, which RTMP cannot carry, is left out.
    if let Ok(message) = rtmp::chunk::packet(&header, prefix, payload, PLAY_CHUNK_SIZE as usize) {
        packet.slices.extend(message.slices().iter().cloned());
    }
}

/// The properties of `onMetaData` that players look at.
pub(super) fn metadata(tracks: &TrackSet) -> Value {
    let mut properties: Vec<(String, Value)> = vec![("server".into(), "Millstream".into())];
    let mut add = |name: &str, value: f64| properties.push((name.into(), Value::Number(value)));
    for track in &tracks.tracks {
        match &track.codec {
            Codec::H264(config) => {
                add("videocodecid", 7.0);
                add("width", f64::from(config.video.width));
                add("height", f64::from(config.video.height));
                if let Some((pictures, seconds)) = config.video.frame_rate {
                    add("framerate", f64::from(pictures) / f64::from(seconds));
                }
            }
            Codec::Aac(config) => {
                add("audiocodecid", 10.0);
                add(
                    "audiosamplerate",
                    f64::from(config.sample_rate.ticks_per_second()),
                );
                add("audiochannels", f64::from(config.channels));
            }
            // Left out, as in the prelude.
            _ => {}
        }
    }
    Value::EcmaArray(properties)
}

/// What a player still says: acknowledgements, pings, pause, and that it stops.
#[derive(Debug)]
pub(super) struct Player {
    session: Session,
    paused: bool,
}

impl Player {
    pub(super) const fn new(session: Session) -> Self {
        Self {
            session,
            paused: false,
        }
    }
}

impl Peer for Player {
    fn handle_input(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.session
            .handle_input(Instant::now(), bytes)
            .map_err(|error| error.to_string())
    }

    fn handle_timeout(&mut self) -> Result<(), String> {
        self.session
            .handle_timeout(Instant::now())
            .map_err(|error| error.to_string())
    }

    fn poll_output(&mut self) -> fanout::Output {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => return fanout::Output::Send(bytes),
                Output::Event(Event::Pause(paused)) => self.paused = paused,
                Output::Event(Event::Stop) => return fanout::Output::Leave,
                Output::Event(_) => {}
                Output::Timeout(at) => return fanout::Output::Timeout(at),
            }
        }
    }

    fn paused(&self) -> bool {
        self.paused
    }

    fn end(&mut self, _: Ended) {
        self.session.end(Instant::now());
    }
}
