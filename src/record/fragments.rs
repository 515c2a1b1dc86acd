//! Gathers access units into fragments of at most a second, whatever the GOP.

use super::rules::{Beginning, is_enough};
use super::spans::Spans;
use crate::hub::TrackSet;
use bytes::Bytes;
use media::{AccessUnit, Kind, Timebase, Track};
use mp4::fragment::{Capture, Front, Run, Sample, write_behind};
use std::sync::Arc;
use std::time::Duration;

/// What an access unit lasts that has neither successor nor predecessor.
const UNKNOWN_DURATION: i64 = 40_000;

/// Fragments of one set of tracks, from the beginning of a file. Times are microseconds unless they are
/// said to be ticks.
#[derive(Debug)]
pub struct Fragments {
    tracks: Vec<Pending>,
    /// Of the file, where its time is zero.
    beginning: Beginning,
    /// When the stream's time 0 was, since 1970.
    epoch: Option<Duration>,
    /// Size of the samples that are in no fragment.
    bytes: usize,
    /// Access units that were taken.
    units: usize,
    sequence: u32,
    /// Of what is in fragments: its access units, where it ends in the file, and when it was.
    written: usize,
    end: Duration,
    spans: Spans,
}

#[derive(Debug)]
struct Pending {
    track: Track,
    /// Decoding time in the file of the first of `samples`, in ticks.
    base: u64,
    samples: Vec<Sample>,
    /// The newest unit, whose duration its successor will tell.
    held: Option<Arc<AccessUnit>>,
    /// Duration of the last sample, in ticks.
    last_duration: Option<u32>,
}

impl Fragments {
    /// For a file of these tracks.
    pub fn new(tracks: &TrackSet) -> Self {
        let pending = |track: &Track| Pending {
            track: track.clone(),
            base: 0,
            samples: Vec::new(),
            held: None,
            last_duration: None,
        };
        Self {
            tracks: tracks.tracks.iter().map(pending).collect(),
            beginning: Beginning::new(tracks),
            epoch: None,
            bytes: 0,
            units: 0,
            sequence: 0,
            written: 0,
            end: Duration::ZERO,
            spans: Spans::default(),
        }
    }

    /// The same, but for files that begin at `origin`, in microseconds, whatever comes then: nothing is left out.
    pub fn whole(tracks: &TrackSet, origin: i64) -> Self {
        let mut fragments = Self::new(tracks);
        fragments.beginning.set(origin);
        fragments
    }

    /// Each fragment says from now on when it was: time 0 of the stream was so long after 1970.
    pub const fn set_epoch(&mut self, epoch: Option<Duration>) {
        self.epoch = epoch;
    }

    /// How long the file is from its beginning to a time of the stream; both in microseconds.
    pub fn length(&self, time: i64) -> i64 {
        self.beginning.length(time)
    }

    /// Bytes of media that are in no fragment yet.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Access units of all tracks that have been added.
    pub const fn units(&self) -> usize {
        self.units
    }

    /// Whether a file of these tracks can begin with a unit.
    pub fn can_begin_with(&self, unit: &AccessUnit) -> bool {
        let mut tracks = self.tracks.iter().map(|pending| &pending.track);
        let track = tracks.find(|track| track.id == unit.track);
        track.is_some_and(|track| self.beginning.can_be(unit, track))
    }

    /// Adds the next access unit. Gives the fragment that ends before it, if one does.
    pub fn push(&mut self, unit: &Arc<AccessUnit>) -> Option<Bytes> {
        let mut tracks = self.tracks.iter_mut();
        let pending = tracks.find(|pending| pending.track.id == unit.track)?;
        let timebase = pending.track.timebase;
        let time = timebase.rescale(unit.dts, Timebase::MICROS);
        let origin = self.beginning.admit(unit, &pending.track, time)?;
        let is_start = unit.random_access && pending.track.kind() == Kind::Video;
        let in_file = Timebase::MICROS.rescale(origin, timebase);
        self.units = self.units.saturating_add(1);
        self.bytes += pending.complete_held(in_file, Some(unit.dts));
        pending.held = Some(unit.clone());
        // The held unit of a track that stands still does not count: it may stay where it is for ever.
        let begins = self.tracks.iter().filter_map(Pending::begins).min()?;
        let length = time.saturating_sub(origin).saturating_sub(begins);
        match is_enough(length, self.bytes, is_start) {
            true => self.flush(),
            false => None,
        }
    }

    /// Nothing could be written but for the newest unit of each track.
    pub fn is_empty(&self) -> bool {
        self.tracks.iter().all(|pending| pending.samples.is_empty())
    }

    /// The fragment of all that is there, but for the newest unit of each track.
    pub fn flush(&mut self) -> Option<Bytes> {
        let runs: Vec<Run<'_>> = self
            .tracks
            .iter()
            .filter(|pending| !pending.samples.is_empty())
            .map(|pending| Run {
                track: &pending.track,
                base_decode_time: pending.base,
                samples: &pending.samples,
            })
            .collect();
        let mut fragment = None;
        if let Some(first) = runs.first() {
            self.sequence = self.sequence.wrapping_add(1);
            let captured = capture(first, self.beginning.origin(), self.epoch);
            let since_1970 = captured.as_ref().map(|captured| captured.since_1970);
            let begins = first
                .track
                .timebase
                .duration(signed(first.base_decode_time));
            let ends = self.tracks.iter().filter_map(Pending::ends).max();
            self.end = self.end.max(ends.unwrap_or_default());
            self.spans.push(begins, self.end, since_1970);
            self.written += runs.iter().map(|run| run.samples.len()).sum::<usize>();
            let front = Front {
                capture: captured,
                ..Front::default()
            };
            fragment = Some(write_behind(front, self.sequence, &runs));
        }
        self.bytes = 0;
        for pending in &mut self.tracks {
            pending.samples.clear();
        }
        fragment
    }

    /// The last fragment, with the newest units as well.
    pub fn finish(&mut self) -> Option<Bytes> {
        let origin = self.beginning.origin()?;
        for pending in &mut self.tracks {
            let origin = Timebase::MICROS.rescale(origin, pending.track.timebase);
            pending.complete_held(origin, None);
        }
        self.flush()
    }

    /// What the fragments so far hold: access units, from the first to the last, and when that was. To the microsecond it is
    /// what is found in the file by reading it.
    pub(super) fn known(&self) -> (usize, Duration, Spans) {
        (self.written, self.end, self.spans.clone())
    }
}

impl Pending {
    /// Time in the file, in microseconds, of the first of its samples.
    fn begins(&self) -> Option<i64> {
        let timebase = self.track.timebase;
        (!self.samples.is_empty()).then(|| timebase.rescale(signed(self.base), Timebase::MICROS))
    }

    /// Time in the file of the end of its last sample.
    fn ends(&self) -> Option<Duration> {
        let durations = self.samples.iter().map(|sample| u64::from(sample.duration));
        let end = self.base.saturating_add(durations.sum());
        (!self.samples.is_empty()).then(|| self.track.timebase.duration(signed(end)))
    }

    /// Makes a sample of the newest unit, which lasts until `next` (in ticks of the stream). Returns its size.
    fn complete_held(&mut self, origin: i64, next: Option<i64>) -> usize {
        let Some(held) = self.held.take() else {
            return 0;
        };
        let timebase = self.track.timebase;
        let duration = match (next, self.last_duration) {
            (Some(next), _) => u32::try_from(next.saturating_sub(held.dts)).unwrap_or(u32::MAX),
            (None, Some(last)) => last,
            (None, None) => {
                let unknown = Timebase::MICROS.rescale(UNKNOWN_DURATION, timebase);
                u32::try_from(unknown).unwrap_or(1)
            }
        };
        if self.samples.is_empty() {
            self.base = u64::try_from(held.dts.saturating_sub(origin)).unwrap_or(0);
        }
        self.last_duration = Some(duration);
        self.samples.push(Sample::new(&held, duration));
        held.payload.len()
    }
}

fn signed(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// When the first sample of a run was.
fn capture<'a>(run: &Run<'a>, origin: Option<i64>, epoch: Option<Duration>) -> Option<Capture<'a>> {
    let in_file = run.track.timebase.duration(signed(run.base_decode_time));
    let origin = Duration::from_micros(u64::try_from(origin?).ok()?);
    Some(Capture {
        track: run.track,
        media_time: run.base_decode_time,
        since_1970: epoch?.saturating_add(origin).saturating_add(in_file),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use media::codec::{aac, h264};
    use media::{Codec, TrackId};

    pub(crate) fn tracks() -> TrackSet {
        const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
        let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
        let video = h264::Config::new(sets(SPS), sets(&[0x68, 0xeb])).unwrap();
        let audio = aac::Config::low_complexity(48_000, 2).unwrap();
        let tracks = vec![
            Track {
                id: TrackId(0),
                timebase: Timebase::MILLIS,
                codec: Codec::H264(video),
            },
            Track {
                id: TrackId(1),
                timebase: audio.sample_rate,
                codec: Codec::Aac(audio),
            },
        ];
        TrackSet {
            generation: 1,
            tracks,
        }
    }

    pub(crate) fn unit(track: u16, dts: i64, random_access: bool) -> Arc<AccessUnit> {
        Arc::new(AccessUnit {
            track: TrackId(track),
            dts,
            pts: dts,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(b"payload"),
        })
    }

    /// 25 pictures a second with a random access point every `gop`, sound beside it.
    pub(crate) fn stream(seconds: i64, gop: i64) -> Vec<Arc<AccessUnit>> {
        let mut units = Vec::new();
        let mut sounds = 0;
        for picture in 0..seconds * 25 {
            let millis = 1_000 + picture * 40;
            while 48_000 + sounds * 1_024 <= millis * 48 {
                units.push(unit(1, 48_000 + sounds * 1_024, true));
                sounds += 1;
            }
            units.push(unit(0, millis, picture % gop == 0));
        }
        units
    }

    #[test]
    fn fragments_are_short_and_begin_at_random_access_points_where_they_can() {
        for (gop, expected) in [(25, 12), (250, 11), (10, 25)] {
            let mut fragments = Fragments::new(&tracks());
            let mut count = 0;
            for unit in stream(10, gop) {
                count += usize::from(fragments.push(&unit).is_some());
            }
            count += usize::from(fragments.finish().is_some());
            assert!(count.abs_diff(expected) <= 2, "{gop}: {count}");
            assert!(fragments.finish().is_none());
        }
    }

    /// How many fragments come of ten seconds in which one track stands still from the third on.
    fn fragments_beside(stalled: u16, until: i64) -> usize {
        let mut fragments = Fragments::new(&tracks());
        let mut count = 0;
        for unit in stream(10, 25) {
            let timebase = fragments.tracks[usize::from(unit.track.0)].track.timebase;
            let millis = timebase.rescale(unit.dts, Timebase::MILLIS);
            if unit.track != TrackId(stalled) || !(3_000..until).contains(&millis) {
                count += usize::from(fragments.push(&unit).is_some());
            }
        }
        count + usize::from(fragments.finish().is_some())
    }

    #[test]
    fn a_track_that_stands_still_makes_no_fragment_shorter() {
        for stalled in [0, 1] {
            for until in [8_000, i64::MAX] {
                let count = fragments_beside(stalled, until);
                assert!((10..=14).contains(&count), "{stalled} {until}: {count}");
            }
        }
    }

    #[test]
    fn pictures_that_come_seldom_are_written_when_the_next_one_comes() {
        let mut fragments = Fragments::new(&tracks());
        assert!(fragments.push(&unit(0, 1_000, true)).is_none());
        for picture in 1..5 {
            let next = unit(0, 1_000 + picture * 2_000, false);
            assert!(fragments.push(&next).is_some() && fragments.is_empty());
        }
    }

    #[test]
    fn a_file_begins_with_a_picture_that_can_be_decoded() {
        let mut fragments = Fragments::new(&tracks());
        for unit in [
            unit(1, 48_000, true),
            unit(0, 1_000, false),
            unit(0, 1_040, true),
        ] {
            assert!(fragments.push(&unit).is_none());
        }
        // Sound from before the picture.
        assert!(fragments.push(&unit(1, 48_500, true)).is_none());
        assert_eq!(fragments.beginning.origin(), Some(1_040_000));
        assert!(fragments.tracks[1].held.is_none());
        // Without any random access point it begins all the same, later.
        let mut fragments = Fragments::new(&tracks());
        for picture in 0..300 {
            fragments.push(&unit(0, picture * 40, false));
        }
        assert_eq!(fragments.beginning.origin(), Some(10_000_000));
    }
}
