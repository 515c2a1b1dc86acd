//! A fragment: `moof`, which says what the samples are, and `mdat`, which holds them (ISO/IEC 14496-12
//! clause 8.8). A CMAF chunk, which is what HLS calls a part, is one of these.
//!
//! The boxes are written straight into one allocation of the exact size, in which each payload is copied
//! once. Read [`Sample`], [`Run`] and [`write()`].

use crate::track_number;
use bytes::{BufMut, Bytes, BytesMut};
use media::{AccessUnit, Track};
use std::time::Duration;

/// A segment type box to put in front of the first fragment of a segment, for those who want one
/// (DASH; HLS players do not).
pub const STYP: [u8; 24] = *b"\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs";

/// One access unit as a fragment holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From its DTS to the next one's, in ticks of the track's timebase.
    pub duration: u32,
    /// PTS - DTS, in ticks of the track's timebase.
    pub composition_offset: i32,
    /// A decoder can start here.
    pub random_access: bool,
    /// No other sample refers to this one.
    pub disposable: bool,
    /// The coded bytes in the codec's one form (see [`media::Codec`]).
    pub payload: Bytes,
}

impl Sample {
    /// The sample of an access unit that lasts `duration` ticks. The payload is shared, not copied.
    /// Composition offsets that do not fit 32 bits are held at their ends.
    pub fn new(unit: &AccessUnit, duration: u32) -> Self {
        let ends = (i64::from(i32::MIN), i64::from(i32::MAX));
        let offset = unit.pts.saturating_sub(unit.dts).clamp(ends.0, ends.1);
        Self {
            duration,
            composition_offset: i32::try_from(offset).unwrap_or(0),
            random_access: unit.random_access,
            disposable: unit.disposable,
            payload: unit.payload.clone(),
        }
    }

    /// The flags of clause 8.8.3.1: what it depends on, what depends on it, whether it is a sync sample.
    const fn flags(&self) -> u32 {
        const DEPENDS_ON_OTHERS: u32 = 1 << 24;
        const DEPENDS_ON_NONE: u32 = 2 << 24;
        const NOTHING_DEPENDS_ON_IT: u32 = 2 << 22;
        const NON_SYNC: u32 = 1 << 16;
        let disposable = if self.disposable {
            NOTHING_DEPENDS_ON_IT
        } else {
            0
        };
        let sync = if self.random_access {
            DEPENDS_ON_NONE
        } else {
            DEPENDS_ON_OTHERS | NON_SYNC
        };
        disposable | sync
    }
}

/// Samples of one track that follow each other without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The track they belong to.
    pub track: &'a Track,
    /// DTS of the first, in ticks of the track's timebase.
    pub base_decode_time: u64,
    /// The samples in decoding order.
    pub samples: &'a [Sample],
}

/// When a sample was captured: a `prft` box in front of the fragment (ISO/IEC 14496-12 clause 8.16.5).
#[derive(Clone, Copy, Debug)]
pub struct Capture<'a> {
    /// The track that it is of.
    pub track: &'a Track,
    /// PTS of the sample, in ticks of the track's timebase.
    pub media_time: u64,
    /// When it was captured, since 1970.
    pub since_1970: Duration,
}

impl Capture<'_> {
    fn put(&self, out: &mut BytesMut) {
        // Version 1 has 64 bits of media time; flags 0 say that the time is that of the encoder's input.
        put_full_box(out, PRFT, b"prft", 1, 0);
        out.put_u32(track_number(self.track.id));
        // NTP counts from 1900, in seconds that wrap in 2036.
        let seconds = self.since_1970.as_secs().wrapping_add(2_208_988_800);
        let fraction = (u64::from(self.since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        out.put_u64(seconds << 32 | fraction);
        out.put_u64(self.media_time);
    }
}

/// What happens at a time of a track: an `emsg` box in front of the fragment (ISO/IEC 23009-1 clause 5.10.3.3). Its length
/// is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the message is, as a URI without zeros.
    pub scheme: &'static str,
    /// Another than that of all other events of the scheme.
    pub id: u32,
    /// When it happens, in ticks of the track's timebase.
    pub time: u64,
    /// The message.
    pub message: Bytes,
}

impl Event {
    /// Bytes of the whole box, version 1, with an empty `value`.
    const fn size(&self) -> usize {
        FULL_BOX + 4 + 8 + 4 + 4 + self.scheme.len() + 2 + self.message.len()
    }

    fn put(&self, out: &mut BytesMut, track: &Track) {
        const UNKNOWN: u32 = u32::MAX;
        put_full_box(out, self.size(), b"emsg", 1, 0);
        out.put_u32(track.timebase.ticks_per_second());
        out.put_u64(self.time);
        out.put_u32(UNKNOWN);
        out.put_u32(self.id);
        out.put_slice(self.scheme.as_bytes());
        out.put_slice(&[0, 0]);
        out.put_slice(&self.message);
    }
}

/// What stands in front of a fragment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Front<'a> {
    /// When one of the samples was captured, if that is known.
    pub capture: Option<Capture<'a>>,
    /// What happens at times of the first run's track.
    pub events: &'a [Event],
}

/// Writes one fragment with a `traf` for each run; runs without samples are left out. `sequence` counts
/// fragments and should grow, though no known player looks at it.
///
/// The payloads are in memory, so that they are taken to be less than 2 GiB together: the boxes have
/// 32-bit sizes and offsets, and a fragment of more would be unreadable.
pub fn write(sequence: u32, runs: &[Run<'_>]) -> Bytes {
    write_behind(Front::default(), sequence, runs)
}

/// The same with what stands in front of it.
pub fn write_behind(front: Front<'_>, sequence: u32, runs: &[Run<'_>]) -> Bytes {
    let track = runs.first().map(|run| run.track);
    let events = || {
        track
            .into_iter()
            .flat_map(|track| front.events.iter().map(move |event| (event, track)))
    };
    let plans: Vec<Plan<'_>> = runs
        .iter()
        .filter(|run| !run.samples.is_empty())
        .map(Plan::new)
        .collect();
    let moof = BOX + MFHD + plans.iter().map(Plan::size).sum::<usize>();
    let payloads: usize = plans.iter().map(|plan| plan.payloads).sum();
    let prft = if front.capture.is_some() { PRFT } else { 0 };
    let emsg: usize = events().map(|(event, _)| event.size()).sum();
    let total = prft + emsg + moof + BOX + payloads;
    debug_assert!(i32::try_from(total).is_ok(), "a fragment of {total} bytes");

    let mut out = BytesMut::with_capacity(total);
    if let Some(capture) = front.capture {
        capture.put(&mut out);
    }
    for (event, track) in events() {
        event.put(&mut out, track);
    }
    put_box(&mut out, moof, b"moof");
    put_full_box(&mut out, MFHD, b"mfhd", 0, 0);
    out.put_u32(sequence);
    let mut offset = moof + BOX;
    for plan in &plans {
        plan.put(&mut out, offset);
        offset += plan.payloads;
    }
    put_box(&mut out, BOX + payloads, b"mdat");
    for sample in plans.iter().flat_map(|plan| plan.run.samples) {
        out.put_slice(&sample.payload);
    }
    debug_assert_eq!(out.len(), total);
    out.freeze()
}

/// Bytes of a box header.
const BOX: usize = 8;
/// Bytes of a header with version and flags.
const FULL_BOX: usize = 12;
/// Bytes of the whole `mfhd`.
const MFHD: usize = FULL_BOX + 4;
/// Bytes of the whole `prft`, version 1.
const PRFT: usize = FULL_BOX + 4 + 8 + 8;
/// Bytes of the whole `tfdt`, version 1.
const TFDT: usize = FULL_BOX + 8;

/// Which of a run's values stand once in `tfhd` because all samples share them, and which are listed.
struct Plan<'a> {
    run: &'a Run<'a>,
    payloads: usize,
    duration: Option<u32>,
    size: Option<u32>,
    flags: Flags,
    offsets: bool,
}

/// How a run says its sample flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    /// All the same.
    Shared(u32),
    /// All the same but the first, as in a GOP.
    ButFirst { first: u32, rest: u32 },
    /// Listed.
    Each,
}

impl<'a> Plan<'a> {
    fn new(run: &'a Run<'a>) -> Self {
        let samples = run.samples;
        let (first, rest) = (samples.first(), samples.get(1..).unwrap_or_default());
        let first_flags = first.map_or(0, Sample::flags);
        let flags = match rest.first().map(Sample::flags) {
            None => Flags::Shared(first_flags),
            Some(flags) if rest.iter().any(|sample| sample.flags() != flags) => Flags::Each,
            Some(flags) if flags == first_flags => Flags::Shared(flags),
            Some(rest) => Flags::ButFirst {
                first: first_flags,
                rest,
            },
        };
        Self {
            run,
            payloads: samples.iter().map(|sample| sample.payload.len()).sum(),
            duration: shared(samples, |sample| sample.duration),
            // What is empty is listed: readers take no more samples than a fragment has bytes.
            size: shared(samples, size).filter(|size| *size > 0),
            flags,
            offsets: samples.iter().any(|sample| sample.composition_offset != 0),
        }
    }

    const fn tfhd(&self) -> usize {
        let defaults = self.duration.is_some() as usize
            + self.size.is_some() as usize
            + !matches!(self.flags, Flags::Each) as usize;
        FULL_BOX + 4 + 4 * defaults
    }

    const fn trun(&self) -> usize {
        let fields = self.duration.is_none() as usize
            + self.size.is_none() as usize
            + matches!(self.flags, Flags::Each) as usize
            + self.offsets as usize;
        let first_flags = matches!(self.flags, Flags::ButFirst { .. }) as usize;
        FULL_BOX + 8 + 4 * first_flags + 4 * fields * self.run.samples.len()
    }

    const fn size(&self) -> usize {
        BOX + self.tfhd() + TFDT + self.trun()
    }

    /// Writes the `traf`, whose payloads begin `offset` bytes from the start of the `moof`.
    fn put(&self, out: &mut BytesMut, offset: usize) {
        put_box(out, self.size(), b"traf");
        let default_flags = match self.flags {
            Flags::Shared(flags) | Flags::ButFirst { rest: flags, .. } => Some(flags),
            Flags::Each => None,
        };
        let tfhd_flags = 0x02_0000 // default-base-is-moof
            | flag(self.duration.is_some(), 0x08)
            | flag(self.size.is_some(), 0x10)
            | flag(default_flags.is_some(), 0x20);
        put_full_box(out, self.tfhd(), b"tfhd", 0, tfhd_flags);
        out.put_u32(track_number(self.run.track.id));
        for value in [self.duration, self.size, default_flags]
            .into_iter()
            .flatten()
        {
            out.put_u32(value);
        }

        put_full_box(out, TFDT, b"tfdt", 1, 0);
        out.put_u64(self.run.base_decode_time);

        let first_flags = match self.flags {
            Flags::ButFirst { first, .. } => Some(first),
            _ => None,
        };
        let trun_flags = 0x01 // data-offset-present
            | flag(first_flags.is_some(), 0x04)
            | flag(self.duration.is_none(), 0x100)
            | flag(self.size.is_none(), 0x200)
            | flag(self.flags == Flags::Each, 0x400)
            | flag(self.offsets, 0x800);
        put_full_box(out, self.trun(), b"trun", 1, trun_flags);
        out.put_u32(narrow(self.run.samples.len()));
        out.put_u32(narrow(offset));
        if let Some(flags) = first_flags {
            out.put_u32(flags);
        }
        for sample in self.run.samples {
            if self.duration.is_none() {
                out.put_u32(sample.duration);
            }
            if self.size.is_none() {
                out.put_u32(size(sample));
            }
            if self.flags == Flags::Each {
                out.put_u32(sample.flags());
            }
            if self.offsets {
                out.put_i32(sample.composition_offset);
            }
        }
    }
}

/// The value that all samples have, if they do.
fn shared(samples: &[Sample], value: impl Fn(&Sample) -> u32) -> Option<u32> {
    let first = value(samples.first()?);
    samples
        .iter()
        .all(|sample| value(sample) == first)
        .then_some(first)
}

fn size(sample: &Sample) -> u32 {
    narrow(sample.payload.len())
}

const fn flag(set: bool, value: u32) -> u32 {
    if set { value } else { 0 }
}

/// A size or count that fits 32 bits by the bound of [`write`].
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn put_box(out: &mut BytesMut, size: usize, kind: &[u8; 4]) {
    out.put_u32(narrow(size));
    out.put_slice(kind);
}

fn put_full_box(out: &mut BytesMut, size: usize, kind: &[u8; 4], version: u8, flags: u32) {
    put_box(out, size, kind);
    out.put_u32(u32::from(version) << 24 | flags);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{audio_track, check, video_track};
    use media::TrackId;

    fn sample(duration: u32, offset: i32, sync: bool, payload: &'static [u8]) -> Sample {
        Sample {
            duration,
            composition_offset: offset,
            random_access: sync,
            disposable: false,
            payload: Bytes::from_static(payload),
        }
    }

    #[test]
    fn what_is_shared_is_said_once() {
        let track = audio_track();
        let frames = [
            sample(1_024, 0, true, b"one"),
            sample(1_024, 0, true, b"two"),
        ];
        let run = Run {
            track: &track,
            base_decode_time: u64::MAX,
            samples: &frames,
        };
        let bytes = write(1, &[run]);
        // No list at all: header, count and offset are the whole trun.
        assert_eq!(bytes.len(), 8 + 16 + 8 + 28 + 20 + 20 + 8 + 6);
        assert!(bytes.ends_with(b"mdatonetwo"));
        check(1, &[run], &bytes);
    }

    #[test]
    fn samples_without_bytes_take_room_all_the_same() {
        let track = audio_track();
        let frames = vec![sample(1_024, 0, true, b""); 1_000];
        let run = Run {
            track: &track,
            base_decode_time: 0,
            samples: &frames,
        };
        let bytes = write(1, &[run]);
        assert!(bytes.len() > 4 * frames.len(), "{}", bytes.len());
        check(1, &[run], &bytes);
    }

    #[test]
    fn a_time_of_capture_stands_in_front_and_changes_nothing_behind_it() {
        let track = video_track();
        let samples = [sample(40, 80, true, b"idr")];
        let run = Run {
            track: &track,
            base_decode_time: 7,
            samples: &samples,
        };
        let capture = Capture {
            track: &track,
            media_time: 87,
            since_1970: Duration::from_millis(1_500),
        };
        let front = Front {
            capture: Some(capture),
            events: &[],
        };
        let bytes = write_behind(front, 1, &[run]);
        let (front, rest) = bytes.split_at(32);
        assert_eq!(rest, &write(1, &[run])[..]);
        let head = [0, 0, 0, 32, b'p', b'r', b'f', b't', 1, 0, 0, 0];
        assert_eq!(front[..12], head);
        assert_eq!(front[12..16], track_number(track.id).to_be_bytes());
        assert_eq!(front[16..20], 2_208_988_801u32.to_be_bytes());
        assert_eq!(front[20..24], (1u32 << 31).to_be_bytes());
        assert_eq!(front[24..], 87u64.to_be_bytes());
    }

    #[test]
    fn what_happens_stands_in_front_too() {
        let track = video_track();
        let samples = [sample(40, 80, true, b"idr")];
        let run = Run {
            track: &track,
            base_decode_time: 7,
            samples: &samples,
        };
        let event = |id, message| Event {
            scheme: "urn:x",
            id,
            time: 5,
            message: Bytes::from_static(message),
        };
        let events = [event(1, b"one"), event(2, b"")];
        let front = Front {
            capture: None,
            events: &events,
        };
        let bytes = write_behind(front, 1, &[run]);
        let (front, rest) = bytes.split_at(42 + 39);
        assert_eq!(rest, &write(1, &[run])[..]);
        assert_eq!(
            front[..12],
            [0, 0, 0, 42, b'e', b'm', b's', b'g', 1, 0, 0, 0]
        );
        assert_eq!(
            front[12..16],
            track.timebase.ticks_per_second().to_be_bytes()
        );
        assert_eq!(front[16..24], 5u64.to_be_bytes());
        assert_eq!(front[24..32], [255, 255, 255, 255, 0, 0, 0, 1]);
        assert_eq!(front[32..42], *b"urn:x\0\0one");
        assert_eq!(front[42..46], [0, 0, 0, 39]);
    }

    #[test]
    fn every_way_to_say_flags_is_read_back() {
        let track = video_track();
        let disposable = Sample {
            disposable: true,
            ..sample(40, 0, false, b"b")
        };
        let gop = [
            sample(40, 80, true, b"idr"),
            sample(40, 0, false, b"p"),
            sample(40, 0, false, b"p"),
        ];
        let mixed = [
            sample(40, 80, true, b"idr"),
            sample(41, -40, false, b"pp"),
            disposable,
        ];
        for samples in [&gop[..], &gop[1..], &gop[..1], &mixed] {
            let run = Run {
                track: &track,
                base_decode_time: 7,
                samples,
            };
            check(9, &[run], &write(9, &[run]));
        }
    }

    #[test]
    fn several_tracks_share_a_fragment() {
        let (video, audio) = (video_track(), audio_track());
        let pictures = [sample(40, 0, true, b"idr"), sample(40, 0, false, b"p")];
        let frames = [sample(1_024, 0, true, b"a"), sample(1_024, 0, true, b"bc")];
        let run = |track, samples| Run {
            track,
            base_decode_time: 0,
            samples,
        };
        let runs = [run(&video, &pictures[..]), run(&audio, &frames)];
        check(2, &runs, &write(2, &runs));
        // A run without samples is as if it were not there.
        let padded = [runs[0], run(&audio, &[]), runs[1]];
        assert_eq!(write(2, &padded), write(2, &runs));
    }

    #[test]
    fn flags_are_those_of_the_standard() {
        let cases = [
            (true, false, 0x0200_0000),
            (true, true, 0x0280_0000),
            (false, false, 0x0101_0000),
            (false, true, 0x0181_0000),
        ];
        for (random_access, disposable, flags) in cases {
            let sample = Sample {
                disposable,
                ..sample(1, 0, random_access, b"")
            };
            assert_eq!(sample.flags(), flags, "{random_access} {disposable}");
        }
    }

    #[test]
    fn a_unit_becomes_a_sample_without_a_copy() {
        let unit = AccessUnit {
            track: TrackId(0),
            dts: i64::MIN,
            pts: i64::MAX,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(b"unit"),
        };
        let sample = Sample::new(&unit, 40);
        assert_eq!(sample.composition_offset, i32::MAX);
        assert_eq!(sample.payload.as_ptr(), unit.payload.as_ptr());
    }
}
