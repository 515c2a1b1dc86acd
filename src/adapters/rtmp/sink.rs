//! Publishes a stream to another server.
//!
//! The connection reads the stream at its own place: a server that is slow makes the reader skip, and one
//! that takes nothing is given up; neither is felt elsewhere. Access units that are there together leave in
//! one write, and sound waits a moment for the picture that follows it.

use super::address::Address;
use super::link::{Goal, Link};
use super::player::{OPUS, carrier, knows};
use crate::adapters::{Feed, FlvMedia};
use crate::bridge::{Reader, Sound};
use crate::hub::{Item, TrackSet};
use bytes::Bytes;
use media::{AccessUnit, Kind};
use rtmp::chunk::MessageType;
use rtmp::client::{Event, Session};
use rtmp::enhanced::MULTITRACK;
use rtmp::message::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Sound waits so long for the next picture.
const SOUND_WAITS: Duration = Duration::from_millis(20);

/// What is gathered for one write ends at so many bytes.
const MAX_BATCH: usize = 256 << 10;

/// Publishes until the stream ends.
pub(super) async fn push(url: &str, feed: &Feed) -> Result<(), String> {
    let address = Address::parse(url).map_err(|error| error.to_string())?;
    let pushed = publish(address.clone(), feed).await;
    pushed.map_err(|words| address.scrub(&words))
}

async fn publish(mut address: Address, feed: &Feed) -> Result<(), String> {
    let mut link = Link::open(&address, Goal::Publish, &feed.context).await?;
    feed.progress.set_connection(link.ends());
    feed.progress.set_live();
    let mut reader = reader(&link, feed);
    let mut batch = Batch::new(&address, &link);
    let mut due = None;
    loop {
        let flush_at = due.unwrap_or_else(Instant::now);
        let mut next = tokio::select! {
            item = reader.next() => Some(item),
            () = sleep_until(flush_at), if due.is_some() => None,
            input = link.readable() => {
                input?;
                link.read_answers().await?;
                while let Some(event) = link.early.pop_front() {
                    if let Event::Reconnect { tc_url, .. } = event {
                        let (to, context) = (tc_url.as_deref(), &feed.context);
                        link.reopen(&mut address, to, Goal::Publish, context).await?;
                        feed.progress.set_connection(link.ends());
                        // It begins anew, at a random access point.
                        reader = self::reader(&link, feed);
                        batch = Batch::new(&address, &link);
                        due = None;
                    }
                }
                continue;
            }
        };
        let mut ended = false;
        while let Some(item) = next {
            match item {
                Item::Tracks(tracks) => batch.set_tracks(&link.session, tracks)?,
                Item::Unit(unit) => batch.push(&link.session, &unit),
                Item::Skipped(skip) => {
                    feed.progress.skipped(skip.entries);
                    let server = address.tc_url.split('?').next().unwrap_or_default();
                    feed.stream.note_skip("rtmp_target", &server, &skip);
                }
                Item::Ended(_) => ended = true,
            }
            if ended || batch.bytes >= MAX_BATCH {
                break;
            }
            next = reader.try_next();
        }
        let full = ended || batch.bytes >= MAX_BATCH;
        if batch.awaits_picture() && !full && due.is_none_or(|due| Instant::now() < due) {
            due.get_or_insert_with(|| Instant::now() + SOUND_WAITS);
            continue;
        }
        due = None;
        let (units, bytes) = (batch.units, batch.bytes);
        link.write(batch.take()).await?;
        feed.progress.sent(units, bytes as u64);
        if ended {
            return link.finish().await;
        }
    }
}

/// Reads the stream with AAC for sound, unless the server says that it takes Opus.
fn reader(link: &Link, feed: &Feed) -> Reader {
    match knows(link.session.server_four_ccs(), OPUS) {
        true => Reader::plain(&feed.stream),
        false => feed.context.bridges.reader(&feed.stream, Sound::Aac),
    }
}

/// What is to be written together.
#[derive(Default)]
struct Batch {
    slices: Vec<Bytes>,
    bytes: usize,
    units: u64,
    has_picture: bool,
    tracks: Option<Arc<TrackSet>>,
    /// RTMP time that is sent as 0: that of the first unit, unless times are sent as they are.
    origin: Option<u32>,
    /// Times are sent as they are.
    absolute: bool,
    /// The server reads further tracks of a kind.
    all: bool,
    /// Time of the newest unit, for what announces a change of tracks.
    newest: u32,
}

impl Batch {
    fn new(address: &Address, link: &Link) -> Self {
        Self {
            origin: address.options.absolute_times.then_some(0),
            absolute: address.options.absolute_times,
            all: link.session.server_caps_ex() & MULTITRACK != 0,
            ..Self::default()
        }
    }

    /// Announces the tracks of what follows. Without its pictures a stream is not pushed.
    fn set_tracks(&mut self, session: &Session, tracks: Arc<TrackSet>) -> Result<(), String> {
        let has_pictures = FlvMedia(&tracks).has(Kind::Video);
        if let Some(pictures) = tracks.first(Kind::Video).filter(|_| !has_pictures) {
            let codec = pictures.codec.name();
            return Err(format!(
                "the stream's pictures are {codec}, which is not pushed by RTMP"
            ));
        }
        let before = self.tracks.as_ref();
        if let Some(reason) = before.and_then(|before| FlvMedia(before).breaks(&tracks)) {
            return Err(format!("the stream goes on, but {reason}: connecting anew"));
        }
        let values = vec![
            "@setDataFrame".into(),
            "onMetaData".into(),
            FlvMedia(&tracks).metadata(),
        ];
        let (kind, body) = Message::Data(values).write();
        self.append(session, kind, self.newest, &[], &body);
        for (track, body) in FlvMedia(&tracks).announcements(self.all) {
            let (_, kind) = carrier(track);
            self.append(session, kind, self.newest, &[], &body);
        }
        self.tracks = Some(tracks);
        Ok(())
    }

    /// Adds an access unit. What lies before the first one in time, which is sound of a picture that is not
    /// sent, is left out.
    fn push(&mut self, session: &Session, unit: &AccessUnit) {
        let Some(tracks) = self.tracks.clone() else {
            return;
        };
        let Some((track, prefix)) = FlvMedia(&tracks).prefix(unit, self.all) else {
            return;
        };
        let time = flv::muxer::timestamp(track, unit);
        let time = time.wrapping_sub(*self.origin.get_or_insert(time));
        if !self.absolute && time > u32::MAX / 2 && self.newest < u32::MAX / 4 {
            return;
        }
        self.newest = time;
        let (_, kind) = carrier(track);
        self.append(session, kind, time, &prefix, &unit.payload);
        self.units += 1;
        self.has_picture |= track.kind() == Kind::Video;
    }

    fn append(
        &mut self,
        session: &Session,
        kind: MessageType,
        time: u32,
        prefix: &[u8],
        body: &Bytes,
    ) {
        // An access unit of 16 MiB or more, which RTMP cannot carry, is left out.
        if let Ok(packet) = session.packet(kind, time, prefix, body) {
            self.bytes += packet.len();
            self.slices.extend(packet.slices().iter().cloned());
        }
    }

    /// There is sound only, and pictures will come.
    fn awaits_picture(&self) -> bool {
        let has_video = |tracks: &Arc<TrackSet>| tracks.first(Kind::Video).is_some();
        !self.has_picture && self.tracks.as_ref().is_some_and(has_video)
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        self.units = 0;
        self.has_picture = false;
        std::mem::take(&mut self.slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::rtmp::address::Address;
    use media::codec::{aac, vp8};
    use media::{Codec, Timebase, Track, TrackId};

    fn tracks() -> Arc<TrackSet> {
        let audio = aac::Config::low_complexity(48_000, 2).unwrap();
        let track = |id| Track {
            id: TrackId(id),
            timebase: Timebase::MILLIS,
            codec: Codec::Aac(audio.clone()),
        };
        let pictures = Codec::Vp8(vp8::Config {
            width: 640,
            height: 360,
        });
        let pictures = Track {
            codec: pictures,
            ..track(0)
        };
        let tracks = vec![pictures, track(1)];
        Arc::new(TrackSet {
            generation: 1,
            tracks,
        })
    }

    fn unit(track: u16, dts: i64) -> AccessUnit {
        AccessUnit {
            track: TrackId(track),
            dts,
            pts: dts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(b"unit"),
        }
    }

    #[test]
    fn a_stream_whose_pictures_are_not_carried_is_not_pushed() {
        let address = Address::parse("rtmp://a/b/c").unwrap();
        let session = super::super::link::session(&address, "");
        let mut batch = Batch::default();
        assert_eq!(batch.set_tracks(&session, tracks()), Ok(()));
        let mut changed = TrackSet::clone(&tracks());
        changed.tracks[0].codec = Codec::Jpeg(media::codec::jpeg::Config {
            width: 640,
            height: 360,
        });
        let changed = Arc::new(changed);
        let refused = Batch::default().set_tracks(&session, changed.clone());
        assert_eq!(
            refused.unwrap_err(),
            "the stream's pictures are MJPEG, which is not pushed by RTMP"
        );
        let refused = batch.set_tracks(&session, changed).unwrap_err();
        assert!(refused.contains("MJPEG"), "{refused}");
    }

    #[test]
    fn times_begin_at_zero_and_what_lies_before_is_left_out() {
        let address = Address::parse("rtmp://a/b/c").unwrap();
        let session = super::super::link::session(&address, "");
        let mut batch = Batch::default();
        batch.push(&session, &unit(0, 5_000));
        assert_eq!(batch.units, 0, "no tracks yet");
        batch.set_tracks(&session, tracks()).unwrap();
        for (track, dts, units, newest) in [
            (0, 5_000, 1, 0),
            (1, 4_990, 1, 0),
            (1, 5_010, 2, 10),
            (0, 5_040, 3, 40),
            // Back within what was sent: another track's times need not grow with this one's.
            (1, 5_031, 4, 31),
        ] {
            batch.push(&session, &unit(track, dts));
            assert_eq!((batch.units, batch.newest), (units, newest), "{dts}");
        }
        assert!(!batch.awaits_picture());
        assert!(!batch.take().is_empty() && batch.take().is_empty());
        assert_eq!((batch.units, batch.bytes), (0, 0));
    }
}
