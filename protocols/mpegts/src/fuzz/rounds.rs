//! Media of every codec that is carried: what is muxed is demuxed as what it was, at a constant rate too.

use super::streams::{self, AC3, EAC3, LAYER_2, LAYER_3_22};
use super::{PPS, SPS, events};
use crate::constant_rate::{CLOCK_BITS, ConstantRate, IN_A_ROW, MAX_LATE, Run};
use crate::demuxer::Event;
use crate::muxer::{Chunk, Config, Muxer};
use crate::packet::{NULL_PID, Packet, SIZE};
use crate::{opus, splice};
use bytes::Bytes;
use media::codec::{aac, ac3, h264, h265, mpeg_audio, opus as packets};
use media::{AccessUnit, Codec, Data, Timebase, Track, TrackId};
use std::collections::HashMap;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const DATA: TrackId = TrackId(2);

/// The muxer's delay, in ticks.
const DELAY: i64 = 36_000;

/// Where a stream begins: the last is a second before times wrap. Only the first is far enough from all ends for other
/// clocks.
const STARTS: [i64; 3] = [90_000_000, 3, (1 << 33) - 126_000];

/// Other clocks in a stream at most, and how far they are away, in seconds.
const MAX_JUMPS: i64 = 8;
const JUMP: i64 = 30;

/// Packets in a row that are looked at: most are empty at a high rate.
const MAX_RUNS: usize = 800;

/// The lowest rate that the server may be told.
const MIN_RATE: u64 = 64_000;

/// Bytes in front of the records: pictures, sound, data, and where it begins.
const HEAD: usize = 4;

fn pictures(choice: u8) -> Option<Codec> {
    let set = |bytes| vec![Bytes::from_static(bytes)];
    match choice % 3 {
        0 => h264::Config::new(set(SPS), set(PPS)).ok().map(Codec::H264),
        1 => {
            let sets = [streams::VPS_H265, streams::SPS_H265, streams::PPS_H265];
            let [vps, sps, pps] = sets.map(set);
            h265::Config::new(vps, sps, pps).ok().map(Codec::H265)
        }
        _ => None,
    }
}

/// The codec, and what all its frames begin with and how long they are, where that is so.
fn sound(choice: u8) -> Option<(Codec, Timebase, Vec<u8>)> {
    let advanced = |rate, channels| {
        let config = aac::Config::low_complexity(rate, channels).ok()?;
        Some((config.sample_rate, Codec::Aac(config)))
    };
    let whole = |(head, length)| streams::frame(head, length);
    let layer = |of| {
        let frame = whole(of);
        let config = mpeg_audio::Config::of(&mpeg_audio::Header::parse(&frame).ok()?);
        Some((Codec::MpegAudio(config), config.sample_rate, frame))
    };
    let dolby = |frame: Vec<u8>| {
        let config = ac3::Config::of(&frame).ok()?;
        let rate = config.sample_rate;
        Some((Codec::Ac3(config), rate, frame))
    };
    match choice % 16 {
        0 => advanced(48_000, 2).map(|(rate, codec)| (codec, rate, Vec::new())),
        1 => advanced(44_100, 1).map(|(rate, codec)| (codec, rate, Vec::new())),
        2 => layer(LAYER_2),
        3 => layer(LAYER_3_22),
        4 => layer(streams::LAYER_3),
        5 => dolby(whole(AC3)),
        6 => dolby([whole(EAC3), streams::dependent()].concat()),
        code @ 7..15 => {
            let config = opus::config(code - 6).ok()?;
            Some((Codec::Opus(config), packets::TIMEBASE, Vec::new()))
        }
        _ => None,
    }
}

fn data(choice: u8) -> Option<Data> {
    let descriptor = Bytes::from_static(b"eng\x10\x00\x01\x00\x01");
    match choice % 6 {
        0 => Some(Data::Klv),
        1 => Some(Data::Id3),
        2 => Some(Data::Scte35),
        3 => Some(Data::Teletext(descriptor.slice(..5))),
        4 => Some(Data::DvbSubtitles(descriptor)),
        _ => None,
    }
}

/// Media as it is to be muxed: the tracks, and their units in the order in which they come.
struct Media {
    tracks: Vec<Track>,
    units: Vec<AccessUnit>,
    /// The clock begins anew so many times.
    jumps: i64,
}

impl Media {
    /// Of records: kind (the lowest bit: sound; then: key frame, in slices, presented later, data, another clock, an
    /// earlier one, a slow picture), step of time, length (2 bytes), and the bytes that make up the frame.
    fn read(input: &[u8]) -> Option<Self> {
        let ([video, audio, other, start], mut records) = input.split_first_chunk::<HEAD>()?;
        let start = STARTS
            .get(usize::from(*start) % STARTS.len())
            .copied()
            .unwrap_or(0);
        let (video, audio, other) = (pictures(*video), sound(*audio), data(*other));
        let mut tracks = Vec::new();
        let mut track = |id, codec: &Codec, timebase| {
            tracks.push(Track {
                id,
                timebase,
                codec: codec.clone(),
            });
        };
        if let Some(codec) = &video {
            track(VIDEO, codec, Timebase::VIDEO);
        }
        if let Some((codec, rate, _)) = &audio {
            track(AUDIO, codec, *rate);
        }
        if let Some(other) = &other {
            track(DATA, &Codec::Data(other.clone()), Timebase::VIDEO);
        }
        let mut units = Vec::new();
        let mut jumps = 0;
        // Of pictures in ticks of 90 kHz, of sound in samples.
        let mut shown = start;
        let mut heard = audio.as_ref().map_or(0, |(_, rate, _)| {
            Timebase::VIDEO.rescale_nearest(start, *rate)
        });
        while let Some(([kind, step, high, low], rest)) = records.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
            let (bytes, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            records = rest;
            let may_jump = start == STARTS[0] && !units.is_empty() && jumps < MAX_JUMPS;
            if kind & 32 != 0 && may_jump {
                jumps += 1;
                let seconds = if kind & 64 == 0 { JUMP } else { -JUMP };
                shown += seconds * 90_000;
                heard += seconds
                    * audio
                        .as_ref()
                        .map_or(0, |(_, rate, _)| i64::from(rate.ticks_per_second()));
            }
            match (kind & 1, kind & 16, &video, &audio, &other) {
                (0, 0, Some(codec), ..) => {
                    let slow = if kind & 128 != 0 { 8 } else { 1 };
                    shown += 1 + i64::from(*step) * 40 * slow;
                    let later = i64::from(*step) * i64::from(kind >> 3 & 1) * 90;
                    let payload = picture(codec, *kind, bytes);
                    let key = kind & 2 != 0;
                    units.push(unit(VIDEO, (shown, shown + later), key, payload));
                }
                (1, _, _, Some((codec, _, whole)), _) => {
                    let (payload, samples) = frame(codec, whole, bytes);
                    // Some are missing.
                    let missing = i64::from(step >> 6) * 1_024;
                    let dts = heard + missing;
                    heard = dts + samples;
                    units.push(unit(AUDIO, (dts, dts), true, payload));
                }
                (0, 16, .., Some(other)) => {
                    let dts = shown + i64::from(*step);
                    units.push(unit(DATA, (dts, dts), true, datum(other, bytes)));
                }
                _ => continue,
            }
            // Tracks are muxed as they come, roughly in the order of their times: one that is a tenth of a second
            // behind has a gap.
            let Some((_, rate, _)) = &audio else {
                continue;
            };
            let time = rate.rescale_nearest(heard, Timebase::VIDEO);
            if shown > time + 9_000 {
                heard = Timebase::VIDEO.rescale_nearest(shown, *rate);
            } else if time > shown + 9_000 || video.is_none() {
                shown = time;
            }
        }
        Some(Self {
            tracks,
            units,
            jumps,
        })
    }

    /// What they become, with the muxer's delay.
    fn expected(&self) -> HashMap<TrackId, Vec<AccessUnit>> {
        let mut expected: HashMap<TrackId, Vec<AccessUnit>> = HashMap::new();
        for unit in &self.units {
            let track = self.tracks.iter().find(|track| track.id == unit.track);
            let rate = track.map_or(Timebase::VIDEO, |track| track.timebase);
            let units = expected.entry(unit.track).or_default();
            // Nothing can be shown before the first parameter sets.
            if unit.track == VIDEO && units.is_empty() && !unit.random_access {
                continue;
            }
            let delay = Timebase::VIDEO.rescale_nearest(DELAY, rate);
            units.push(AccessUnit {
                dts: unit.dts + delay,
                pts: unit.pts + delay,
                ..unit.clone()
            });
        }
        expected
    }

    fn mux(&self, mut give: impl FnMut(Chunk)) {
        let mut muxer = Muxer::new(Config::default());
        muxer
            .set_tracks(&self.tracks)
            .expect("tracks that are carried");
        for unit in &self.units {
            muxer.push(unit).expect("a unit that is carried");
            std::iter::from_fn(|| muxer.pull()).for_each(&mut give);
        }
        muxer.flush();
        std::iter::from_fn(|| muxer.pull()).for_each(&mut give);
    }

    /// That a stream is demuxed as these tracks and units; all but the last ones of those that are there, where it may
    /// end in the middle of one.
    fn are_in(&self, stream: &[u8], may_end: bool) {
        let (events, demuxer) = events(stream, 1_316);
        assert_eq!(demuxer.aligner_counts().skipped_bytes, 0);
        let mut found: HashMap<TrackId, Vec<AccessUnit>> = HashMap::new();
        let mut numbers: HashMap<TrackId, TrackId> = HashMap::new();
        for event in events {
            match event {
                Event::Track(track) => {
                    let mut own = self.tracks.iter();
                    let own = own.find(|own| own.kind() == track.kind());
                    let own = own.expect("a track that was muxed");
                    let same = (&track.codec, track.timebase) == (&own.codec, own.timebase);
                    assert!(may_end || same, "{track:?}");
                    numbers.insert(track.id, own.id);
                }
                Event::Unit(unit) => {
                    let track = numbers.get(&unit.track).copied();
                    let track = track.expect("a unit before its track");
                    assert!(self.jumps > 0 || !unit.discontinuity);
                    let units = found.entry(track).or_default();
                    units.push(AccessUnit {
                        track,
                        discontinuity: false,
                        ..unit
                    });
                }
                Event::Program(_) => {}
                // What is cut off at the end may be no frame.
                Event::Fault(fault) => assert!(may_end, "{fault}"),
            }
        }
        let expected = self.expected();
        for track in &self.tracks {
            let mut found = found.remove(&track.id).unwrap_or_default();
            if may_end {
                found.pop();
            }
            let mut expected = expected.get(&track.id).map_or(&[][..], Vec::as_slice);
            if may_end {
                expected = expected.get(..found.len()).unwrap_or_default();
            }
            if track.codec == Codec::Data(Data::Scte35) {
                if may_end {
                    continue;
                }
                splices(&found, expected);
                continue;
            }
            let times = |units: &[AccessUnit]| -> Vec<(i64, i64)> {
                units.iter().map(|unit| (unit.dts, unit.pts)).collect()
            };
            assert_eq!(times(&found), times(expected), "{}", track.codec.name());
            assert!(found == expected, "{}", track.codec.name());
        }
    }
}

/// Splices have no times of their own: what they say is for the same time of the stream. Those before the first time
/// have none and are not there.
fn splices(found: &[AccessUnit], expected: &[AccessUnit]) {
    let absolute = |unit: &AccessUnit| splice::later(&unit.payload, unit.pts);
    let expected: Vec<_> = expected.iter().map(absolute).collect();
    let found: Vec<_> = found.iter().map(absolute).collect();
    assert!(expected.ends_with(&found));
    assert!(found.iter().all(Option::is_some));
}

fn unit(track: TrackId, (dts, pts): (i64, i64), random_access: bool, payload: Bytes) -> AccessUnit {
    super::unit(track, (dts, pts), random_access, payload)
}

/// A picture of slices that hold the bytes, without zeros.
fn picture(codec: &Codec, kind: u8, bytes: &[u8]) -> Bytes {
    let is_key = kind & 2 != 0;
    let head: &[u8] = match (codec, is_key) {
        (Codec::H265(_), true) => &[0x26, 1],
        (Codec::H265(_), false) => &[0x02, 1],
        (_, true) => &[0x65],
        (_, false) => &[0x41],
    };
    let slices = if kind & 4 != 0 { 3 } else { 1 };
    let pieces = bytes.chunks((bytes.len() / slices).max(1)).take(4);
    let pieces: Vec<&[u8]> = std::iter::once(&[][..])
        .filter(|_| bytes.is_empty())
        .chain(pieces)
        .collect();
    let mut payload = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        payload.extend(((piece.len() + head.len() + 1) as u32).to_be_bytes());
        payload.extend_from_slice(head);
        // The first slice of a picture, or a later one.
        payload.push(if number == 0 { 0x88 } else { 0x48 });
        payload.extend(piece.iter().map(|byte| (*byte).max(1)));
    }
    payload.into()
}

/// A frame of sound, and its samples.
fn frame(codec: &Codec, whole: &[u8], bytes: &[u8]) -> (Bytes, i64) {
    if let Codec::MpegAudio(config) = codec {
        return (
            Bytes::copy_from_slice(whole),
            i64::from(config.frame_length()),
        );
    }
    if matches!(codec, Codec::Ac3(_)) {
        return (Bytes::copy_from_slice(whole), 1_536);
    }
    let payload = match bytes {
        // ADTS and PES packets have their limits.
        [_, ..] => Bytes::copy_from_slice(bytes.get(..8_000).unwrap_or(bytes)),
        [] => Bytes::from_static(&[1]),
    };
    if !matches!(codec, Codec::Opus(_)) {
        return (payload, 1_024);
    }
    match packets::duration(&payload) {
        Some(samples) => (payload, i64::from(samples)),
        None => (Bytes::from_static(&[0xfc]), 960),
    }
}

fn datum(data: &Data, bytes: &[u8]) -> Bytes {
    match data {
        Data::Scte35 => {
            let number = bytes.first().copied().unwrap_or(0);
            let mut section = super::INSERT.to_vec();
            // The event.
            section.splice(17..18, [number]);
            let checksum = crate::psi::crc32(&section).to_be_bytes();
            [section, checksum.to_vec()].concat().into()
        }
        Data::Id3 => [b"ID3", bytes].concat().into(),
        _ if bytes.is_empty() => Bytes::from_static(&[7]),
        _ => Bytes::copy_from_slice(bytes.get(..65_000).unwrap_or(bytes)),
    }
}

/// The clock of a stream as its packets go by, with the times of what is in them.
#[derive(Default)]
struct Clocks {
    now: Option<u64>,
    /// When what comes on a PID is decoded.
    decoded: HashMap<u16, u64>,
}

/// Half the range of clocks, in ticks of 27 MHz.
const HALF: u64 = 300 << 32;

impl Clocks {
    /// Ticks from an earlier to a later clock; none where it is not later.
    fn later(from: u64, to: u64) -> Option<u64> {
        let ticks = to.wrapping_add(2 * HALF).wrapping_sub(from) % (2 * HALF);
        Some(ticks).filter(|ticks| *ticks < HALF)
    }

    /// Clocks grow.
    fn see(&mut self, packet: &Packet<'_>) {
        if let Some(clock) = packet.adaptation.clock {
            let step = self.now.map(|now| Self::later(now, clock));
            if packet.adaptation.discontinuity {
                self.decoded.clear();
            } else {
                assert!(
                    step.is_none_or(|step| step > Some(0)),
                    "a clock that stands"
                );
            }
            self.now = Some(clock);
        }
        self.due(packet);
    }

    /// All bytes of an access unit come before it is decoded (clause 2.4.2.6).
    fn due(&mut self, packet: &Packet<'_>) {
        let Some(payload) = packet.payload else {
            return;
        };
        if packet.unit_start
            && let Ok(Some((header, _))) = crate::pes::Header::parse(payload)
            && let Some(time) = header.dts.or(header.pts)
        {
            self.decoded.insert(packet.pid, time * 300);
        }
        if let (Some(now), Some(due)) = (self.now, self.decoded.get(&packet.pid)) {
            let left = Self::later(now, *due);
            assert!(left.is_some(), "{:#x} too late: {now} {due}", packet.pid);
        }
    }
}

/// Input: which tracks (3 bytes), where the stream begins (1 byte), and records (`Media::read`). What is muxed is
/// demuxed as what it was, and its clock is one.
pub fn muxer(input: &[u8]) {
    let Some(media) = Media::read(input).filter(|media| !media.tracks.is_empty()) else {
        return;
    };
    let mut stream = Vec::new();
    let mut time = i64::MIN;
    let (mut clocks, mut units) = (Clocks::default(), 0);
    media.mux(|chunk| {
        assert!((chunk.time >= time || media.jumps > 0) && !chunk.data.is_empty());
        (time, units) = (chunk.time, units + chunk.units);
        let (packets, rest) = chunk.data.as_chunks::<SIZE>();
        assert!(rest.is_empty());
        for (number, packet) in packets.iter().enumerate() {
            let packet = Packet::parse(packet).expect("our own packet");
            // Players begin with tables.
            assert!(number > 0 || !chunk.random_access || packet.pid == 0);
            clocks.see(&packet);
        }
        stream.extend_from_slice(&chunk.data);
    });
    assert_eq!(units, media.units.len());
    media.are_in(&stream, false);
}

/// Input: the rate above the lowest in units of 8 kbit/s (2 bytes), then as for the muxer. At a constant rate each packet
/// stands where the clock says, clocks are in time, nothing comes before it is due or too late to be decoded, and nothing
/// else is changed.
pub fn constant_rate(input: &[u8]) {
    let Some(([high, low], input)) = input.split_first_chunk() else {
        return;
    };
    let Some(media) = Media::read(input).filter(|media| !media.tracks.is_empty()) else {
        return;
    };
    let rate = MIN_RATE + u64::from(u16::from_be_bytes([*high, *low])) * 8_000;
    let mut constant = ConstantRate::new(rate);
    let mut muxed: Vec<[u8; SIZE]> = Vec::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut is_too_low = false;
    let mut push = |chunk: Chunk| {
        muxed.extend(chunk.data.as_chunks::<SIZE>().0);
        constant.push(&chunk);
        while !is_too_low && runs.len() < MAX_RUNS {
            match constant.pull() {
                Ok(Some(run)) => runs.push(run),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error.0, rate);
                    is_too_low = true;
                }
            }
        }
    };
    let mut end = 0;
    media.mux(|chunk| {
        end = chunk.time + 2 * 90_000;
        push(chunk);
    });
    // Nothing more, and what is due by then.
    push(Chunk {
        data: Bytes::new(),
        time: end,
        units: 0,
        random_access: false,
    });
    let is_cut = is_too_low || runs.len() == MAX_RUNS;
    // Clocks alone are made anew.
    muxed.retain(|packet| Packet::parse(packet).is_ok_and(|packet| packet.payload.is_some()));
    let mut muxed = muxed.iter();
    let mut clocks = Clocks::default();
    let (mut begin, mut sent, mut last) = (None, 0, None);
    let mut stream = Vec::new();
    for run in &runs {
        let exact =
            |begin: i64, sent: u128| begin + (CLOCK_BITS * sent / u128::from(rate) / 300) as i64;
        if begin.is_none_or(|begin| exact(begin, sent) != run.time) {
            assert!(begin.is_none() || media.jumps > 0, "not a constant rate");
            (begin, sent, last) = (Some(run.time), 0, None);
            clocks = Clocks::default();
        }
        let (packets, rest) = run.data.as_chunks::<SIZE>();
        assert!(packets.len() == IN_A_ROW && rest.is_empty());
        for bytes in packets {
            let ticks = begin.unwrap_or(0).rem_euclid(1 << 33) as u128 * 300
                + CLOCK_BITS * sent / u128::from(rate);
            let now = (ticks % u128::from(2 * HALF)) as u64;
            sent += 1;
            let packet = Packet::parse(bytes).expect("our own packet");
            assert!(
                packet.adaptation.clock.is_none_or(|clock| clock == now),
                "a clock elsewhere"
            );
            clocks.now = Some(now);
            if !media.jumps > 0 {
                clocks.due(&packet);
            }
            // Broadcasts want a clock each 40 ms (ETSI TS 101 154 clause 4.1.5): one comes with the packet behind 36.
            let longest = 27_000 * 36 + 300 + (CLOCK_BITS / u128::from(rate)) as u64 + 1;
            let since = last.and_then(|last| Clocks::later(last, now)).unwrap_or(0);
            assert!(since <= longest, "no clock for {since}");
            last = packet.adaptation.clock.or(last);
            if packet.pid == NULL_PID || packet.payload.is_none() {
                continue;
            }
            let mut own = *muxed.next().expect("a packet that was muxed");
            let clock = Packet::parse(&own)
                .expect("our own packet")
                .adaptation
                .clock;
            if let Some(clock) = clock {
                let late = Clocks::later(clock, now).map(|late| late / 300);
                assert!(media.jumps > 0 || late.is_some_and(|late| late <= MAX_LATE as u64));
                let (place, found) = (own.get_mut(6..12), bytes.get(6..12));
                if let (Some(place), Some(found)) = (place, found) {
                    place.copy_from_slice(found);
                }
            }
            assert_eq!(own, *bytes);
        }
        stream.extend_from_slice(&run.data);
    }
    media.are_in(&stream, is_cut);
    assert!(is_cut || muxed.next().is_none());
}

/// Media of each codec: bytes in front of records, and records.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let records = |of: &[(u8, u8, u16)]| -> Vec<u8> {
        let mut records = Vec::new();
        for (kind, step, length) in of {
            records.extend([*kind, *step]);
            records.extend(length.to_be_bytes());
            records.extend(vec![kind | 0xf8; usize::from(*length)]);
        }
        records
    };
    let usual = records(&[
        (2, 90, 300),
        (1, 0, 80),
        (16, 9, 30),
        (0, 90, 100),
        (12, 45, 900),
        (1, 70, 9),
        (1, 0, 300),
        (16, 0, 0),
        (6, 90, 0),
        (1, 0, 0),
        (2, 90, 20),
    ]);
    let slow = records(&[
        (2, 250, 2_000),
        (1, 0, 80),
        (0x80, 250, 9_000),
        (1, 0, 80),
        (1, 0, 80),
        (0x80, 250, 9_000),
        (1, 0, 80),
        (1, 0, 80),
        (1, 0, 80),
        (0, 90, 9_000),
        (0, 90, 9_000),
        (1, 0, 80),
    ]);
    let jumps = records(&[
        (2, 90, 300),
        (1, 0, 80),
        (16, 9, 30),
        (0x22, 90, 100),
        (1, 0, 80),
        (0x60, 90, 100),
        (0x21, 90, 100),
        (16, 9, 30),
    ]);
    let with = |head: [u8; HEAD], records: &[u8]| [&head[..], records].concat();
    let mut seeds = vec![
        ("h264-aac", with([0, 0, 5, 0], &usual)),
        ("h265-aac-klv-wrap", with([1, 1, 0, 2], &usual)),
        ("h264-mp2-id3", with([0, 2, 1, 1], &usual)),
        ("h264-mp3-splices-wrap", with([0, 3, 2, 2], &usual)),
        ("mp3-teletext", with([2, 4, 3, 0], &usual)),
        ("h265-ac3-subtitles", with([1, 5, 4, 0], &usual)),
        ("eac3", with([2, 6, 5, 2], &usual)),
        ("klv-alone", with([2, 15, 0, 0], &usual)),
        ("splices-alone", with([2, 15, 2, 0], &usual)),
        ("slow", with([0, 0, 5, 0], &slow)),
        ("slow-pictures", with([1, 15, 5, 2], &slow)),
        ("jumps", with([0, 0, 1, 0], &jumps)),
    ];
    for (name, code) in [("opus-mono", 1), ("opus", 2), ("opus-surround", 6)] {
        seeds.push((name, with([0, 6 + code, 5, 2], &usual)));
    }
    seeds
}
