//! The way of a stream behind its demuxer: through the hub to what is cut of it, with the texts that tell of that, and to
//! what is written of it elsewhere.

#![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

use crate::adapters::FlvMedia;
use crate::adapters::{dash, hls as texts};
use crate::hub::ring::Bounds;
use crate::hub::{Hub, Item, Origin, Publisher, Reader, Settings, StreamName, Takeover, TrackSet};
use crate::record::fragments::Fragments;
use crate::segment::{self, Segment, Segmenter, Snapshot};
use crate::transport::Packagings;
use crate::transport::hls::segments::{self, Segments};
use bytes::Bytes;
use flv::file::TagKind;
use hls::read::{self, Playlist, Variables};
use media::{AccessUnit, Timebase, Track, TrackId};
use mpegts::demuxer::ProgramSelection;
use mpegts::muxer::Muxer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Of little memory, so that what is kept beside it shows.
const BOUNDS: Bounds = Bounds {
    ring_bytes: 256 << 10,
    reader_bytes: 128 << 10,
    reader_time: Duration::from_secs(2),
};

/// As [`BOUNDS`], of each track that is cut.
const MAX_CUT: usize = 128 << 10;

/// Texts are looked at whenever so many parts have come.
const LOOK: u64 = 8;

/// Pictures of the seeds lie so many milliseconds apart.
const STEP: u32 = 40;

/// What comes of a source.
enum Come {
    Track(Track),
    Unit(AccessUnit),
}

/// Input: a byte that says what follows (bit 0: a transport stream, or else FLV), how many times more it comes (bits 1 to
/// 3), each time from another publisher, and how far readers are behind (bits 4 to 6, a power of 2); then a stream.
///
/// Readers get what the hub promises. What is cut of it holds the units that were put in, in segments as long as their
/// playlist says; and the memory is bounded, which is the caller's to check.
pub fn way(data: &[u8]) {
    let Some((&how, stream)) = data.split_first() else {
        return;
    };
    let hub = Hub::new(Settings {
        bounds: BOUNDS,
        takeover: Takeover::Always,
        ..Settings::default()
    });
    let name = StreamName::new("live", "way").expect("a name");
    let origin = Origin {
        protocol: "rtmp",
        address: String::new(),
        agent: None,
    };
    let behind = 1 << (how >> 4 & 7);
    let mut outputs: Option<Outputs> = None;
    for _ in 0..=(how >> 1 & 7) {
        let publisher = hub.publish(&name, &origin).expect("there is room");
        let outputs = outputs.get_or_insert_with(|| Outputs::of(&publisher));
        let mut pushed = 0;
        demuxed(how & 1 == 1, stream, &mut |come| {
            match come {
                Come::Track(track) => publisher.set_track(track),
                Come::Unit(unit) => publisher.push(unit),
            }
            .expect("nobody else publishes");
            pushed += 1;
            if pushed % behind == 0 {
                outputs.take();
            }
        });
        outputs.take();
    }
    if let Some(mut outputs) = outputs {
        hub.stop(&name);
        outputs.take();
        assert!(outputs.ended);
    }
}

fn demuxed(is_ts: bool, stream: &[u8], give: &mut impl FnMut(Come)) {
    if is_ts {
        use mpegts::demuxer::{Demuxer, Event};
        let mut demuxer = Demuxer::new(ProgramSelection::First);
        demuxer.push(stream);
        demuxer.flush();
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => give(Come::Track(track)),
                Event::Unit(unit) => give(Come::Unit(unit)),
                Event::Program(_) | Event::Fault(_) => {}
            }
        }
        return;
    }
    use flv::demuxer::{Demuxer, Event};
    let mut reader = flv::file::Reader::new();
    let mut demuxer = Demuxer::new();
    // What was whole in front of an error is taken.
    let _ = reader.push(stream);
    while let Some(tag) = reader.pull() {
        let _ = match tag.kind {
            TagKind::Video => demuxer.push_video(tag.timestamp, tag.body),
            TagKind::Audio => demuxer.push_audio(tag.timestamp, tag.body),
            TagKind::Script => continue,
        };
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => give(Come::Track(track)),
                Event::Unit(unit) => give(Come::Unit(unit)),
            }
        }
    }
}

/// All that reads a stream.
struct Outputs {
    reader: Reader,
    tracks: Arc<TrackSet>,
    /// The newest decoding time of each track, with its timebase.
    newest: Vec<(TrackId, Timebase, i64)>,
    settings: segment::Settings,
    segmenter: Segmenter,
    /// What was put in, and the newest segment that was looked at, of each track.
    cut: Vec<(TrackId, VecDeque<AccessUnit>, Option<u64>)>,
    changes: u64,
    muxer: Muxer,
    fragments: Option<Fragments>,
    now: SystemTime,
    ended: bool,
}

impl Outputs {
    fn of(publisher: &Publisher) -> Self {
        let settings = segment::Settings {
            segment: Duration::from_millis(500),
            max_segment: Duration::from_secs(2),
            part: Duration::from_millis(200),
            max_bytes: MAX_CUT,
            ..segment::Settings::default()
        };
        Self {
            reader: Reader::new(publisher.stream().clone()),
            tracks: Arc::new(TrackSet {
                generation: 0,
                tracks: Vec::new(),
            }),
            newest: Vec::new(),
            settings,
            segmenter: Segmenter::new(settings, 1),
            cut: Vec::new(),
            changes: 0,
            muxer: Muxer::default(),
            fragments: None,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            ended: false,
        }
    }

    /// Takes what is there.
    fn take(&mut self) {
        while !self.ended
            && let Some(item) = self.reader.try_next()
        {
            match item {
                Item::Tracks(tracks) => self.tracks(tracks),
                Item::Unit(unit) => self.unit(&unit),
                Item::Skipped(skip) => assert!(skip.entries > 0),
                Item::Ended(_) => {
                    self.ended = true;
                    self.segmenter.finish();
                    self.look();
                    let last = self.fragments.as_mut().and_then(Fragments::finish);
                    drop(last);
                    self.muxer.flush();
                    while self.muxer.pull().is_some() {}
                }
            }
        }
    }

    fn tracks(&mut self, tracks: Arc<TrackSet>) {
        assert!(tracks.tracks.len() <= 16);
        let refused = self.segmenter.set_tracks(&tracks);
        assert!(refused.len() <= tracks.tracks.len());
        let (carried, _) = Packagings::carried(&tracks);
        self.muxer.set_tracks(&carried).expect("they are carried");
        if let Some(mut fragments) = self.fragments.take() {
            fragments.finish();
        }
        let carried = tracks.tracks.iter();
        let carried = carried.filter(|track| mp4::init::carries(&track.codec));
        let carried = TrackSet {
            generation: tracks.generation,
            tracks: carried.cloned().collect(),
        };
        self.fragments = Some(Fragments::new(&carried));
        for (track, body) in FlvMedia(&tracks).announcements(true) {
            assert!(tracks.get(track.id).is_some() && !body.is_empty());
        }
        drop(FlvMedia(&tracks).metadata());
        self.tracks = tracks;
    }

    fn unit(&mut self, unit: &Arc<AccessUnit>) {
        let track = self.tracks.get(unit.track).expect("a track that was told");
        let timebase = track.timebase;
        self.newest
            .retain(|(known, of, _)| *known != unit.track || *of == timebase);
        match self
            .newest
            .iter_mut()
            .find(|(known, ..)| *known == unit.track)
        {
            Some((.., newest)) => {
                assert!(unit.dts > *newest, "decoding times grow");
                *newest = unit.dts;
            }
            None => self.newest.push((unit.track, timebase, unit.dts)),
        }
        let later = timebase.rescale(unit.pts - unit.dts, Timebase::MICROS);
        assert!((0..=10_000_000).contains(&later), "presented {later} later");

        self.now += Duration::from_millis(20);
        let changed = self.segmenter.push(unit, self.now);
        if self.segmenter.rendition(unit.track).is_some() {
            match self.cut.iter_mut().find(|(known, ..)| *known == unit.track) {
                Some((_, units, _)) => units.push_back(AccessUnit::clone(unit)),
                None => {
                    let units = VecDeque::from([AccessUnit::clone(unit)]);
                    self.cut.push((unit.track, units, None));
                }
            }
        }
        self.segmenter.wants_random_access();
        if changed {
            self.changes += 1;
            if self.changes.is_multiple_of(LOOK) {
                self.look();
            }
        }

        // A unit that cannot be written is passed over.
        let _ = self.muxer.push(unit);
        while let Some(chunk) = self.muxer.pull() {
            assert_eq!(chunk.data.len() % mpegts::packet::SIZE, 0);
        }
        self.fragments
            .as_mut()
            .and_then(|fragments| fragments.push(unit));
        FlvMedia(&self.tracks).prefix(unit, true);
    }

    /// Looks at what there is to serve.
    fn look(&mut self) {
        let snapshot = Snapshot::of(&self.segmenter, &self.settings, self.changes, self.ended);
        for rendition in self.segmenter.renditions() {
            let segments = &rendition.segments;
            let numbers = segments.iter().map(|segment| segment.number);
            let first = segments.front().map_or(0, |first| first.number);
            assert!(numbers.eq(first..first + segments.len() as u64));
            let bytes: usize = segments.iter().map(|segment| segment.bytes).sum();
            assert!(segments.len() <= 1 || bytes <= MAX_CUT);
            let of_track = self
                .cut
                .iter_mut()
                .find(|(known, ..)| *known == rendition.track.id);
            if let Some((_, units, newest)) = of_track {
                for segment in segments {
                    if newest.is_none_or(|newest| segment.number > newest) {
                        *newest = Some(segment.number);
                        is_cut_of(segment, units);
                    }
                }
            }
        }
        // Before the first segments are there, nothing is told.
        let Some(target) = snapshot.target else {
            return;
        };
        let playlists = texts::playlist::Playlists::of(&snapshot, "way");
        let kinds = [media::Kind::Video, media::Kind::Audio];
        for text in kinds
            .iter()
            .filter_map(|kind| playlists.media(&snapshot, *kind, false))
        {
            let text = std::str::from_utf8(text.plain()).expect("text");
            let parsed = read::parse(text, &Variables::default(), "");
            let Ok(Playlist::Media(media)) = parsed else {
                unreachable!("our own playlist: {text}");
            };
            assert_eq!(
                media.target_duration,
                Duration::from_secs(u64::from(target.max(1)))
            );
            let parts = numbers(text, "#EXT-X-PART:DURATION=");
            let longest = numbers(text, "PART-TARGET=").next();
            for part in parts {
                assert!(longest.is_some_and(|longest| part <= longest), "{text}");
            }
            for segment in &media.segments {
                let rounded = segment.duration.as_secs_f64().round() as u32;
                assert!(rounded <= target.max(1), "{text}");
            }
        }
        assert!(dash::description::of(&snapshot, "way").ends_with("</MPD>\n"));
    }
}

/// The numbers that stand behind a word.
fn numbers<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = f64> + 'a {
    let texts = text.split(word).skip(1);
    texts.filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        rest.get(..end.unwrap_or(rest.len()))?.parse().ok()
    })
}

/// What is in a segment was put in, and comes in the same order.
fn is_cut_of(segment: &Segment, units: &mut VecDeque<AccessUnit>) {
    let parts: Vec<&[u8]> = segment.parts.iter().map(|part| &part.bytes[..]).collect();
    let (init, bytes) = (segment.init.bytes.clone(), Bytes::from(parts.concat()));
    assert_eq!(bytes.len(), segment.bytes);
    let read = Segments::default().push(Some(&init), &bytes, None, &mut |event| {
        let segments::Event::Unit(cut) = event else {
            return;
        };
        let is_same = |unit: &AccessUnit| {
            (unit.dts, unit.pts, &unit.payload) == (cut.dts, cut.pts, &cut.payload)
        };
        let at = units.iter().position(is_same);
        let at = at.expect("what is cut was put in");
        units.drain(..=at);
    });
    assert_eq!(read, Ok(()));
}

/// Streams of some seconds, of pictures and sound, and of each alone.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const IDR: &[u8] = &[0x17, 1, 0, 0, 80, 0, 0, 0, 2, 0x65, 0x88];
    const PICTURE: &[u8] = &[0x27, 1, 0, 0, 40, 0, 0, 0, 2, 0x41, 0x9a];
    const AAC: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const FRAME: &[u8] = &[0xaf, 1, 0x21, 0x10, 0x04];
    let flv = |how: u8, pictures: bool, sound: bool| {
        let mut stream = vec![how];
        stream.extend(flv::file::header(pictures, sound));
        let mut put = |kind, time, body: &'static [u8]| {
            let tag = flv::file::tag(kind, time, &[], Bytes::from_static(body)).expect("short");
            stream.extend(tag.slices().concat());
        };
        if pictures {
            put(TagKind::Video, 0, flv::fuzz::AVC_SEQUENCE_HEADER);
        }
        if sound {
            put(TagKind::Audio, 0, AAC);
        }
        for number in 0..60 {
            let body = if number % 15 == 0 { IDR } else { PICTURE };
            if pictures {
                put(TagKind::Video, number * STEP, body);
            }
            if sound {
                put(TagKind::Audio, number * STEP, FRAME);
            }
        }
        stream
    };
    let mut seeds = vec![
        ("flv", flv(0, true, true)),
        ("flv_again", flv(0x24, true, true)),
        ("flv_pictures", flv(0x32, true, false)),
        ("flv_sound", flv(0x10, false, true)),
    ];
    let streams = mpegts::fuzz::seeds().into_iter();
    let stream = streams
        .filter(|(entry, ..)| *entry == "demuxer")
        .map(|(_, _, stream)| stream)
        .max_by_key(Vec::len);
    // In front of it is a byte of that target's own.
    seeds.extend(stream.map(|mut stream| {
        if let Some(how) = stream.first_mut() {
            *how = 0x23;
        }
        ("ts", stream)
    }));
    seeds
}
