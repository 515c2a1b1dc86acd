//! The one place where time is repaired: between whatever a source says and what every reader sees.
//!
//! Readers are promised, per track, decoding times that only grow and presentation times not before them,
//! on one axis for all tracks that runs on through restarts of the source. Nothing is ever held back for
//! this, and nothing is dropped: a unit's time is moved, and the repair is counted. See
//! `docs/design/time.md`.

use media::{AccessUnit, Timebase, TrackId};

/// Media time of the first access unit of a stream. Not zero, so that the first unit of another track may
/// lie a little before it and outputs with unsigned times need no special case.
const ORIGIN_MICROS: i64 = 1_000_000;

/// A step forwards by more than this, within a track, is a jump of the clock rather than a gap.
const MAX_FORWARD_MICROS: i64 = 10_000_000;

/// A step backwards by up to this is jitter, mended unit by unit; more is a jump of the clock.
const MAX_BACKWARD_MICROS: i64 = 1_000_000;

/// Distance of the first unit after a jump from the newest before it.
const SEAM_MICROS: i64 = 40_000;

/// How often time had to be repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Decoding times that did not grow, moved up to one tick behind their predecessor.
    pub not_growing: u64,
    /// Presentation times before the decoding time, moved up to it.
    pub presented_before_decoded: u64,
    /// Jumps of the source's clock, joined without a gap.
    pub jumps: u64,
}

impl Repairs {
    /// All kinds together.
    pub const fn total(&self) -> u64 {
        self.not_growing + self.presented_before_decoded + self.jumps
    }
}

/// Maps a source's times to the stream's.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Added to the source's microseconds; none before the first unit, and none again after a new source
    /// has been announced.
    shift: Option<i64>,
    /// The shift before the last jump: units of other tracks from before it may still be on their way.
    previous_shift: Option<i64>,
    /// By track, the newest decoding time given out, with its timebase.
    tracks: Vec<TrackTime>,
    repairs: Repairs,
}

#[derive(Debug)]
struct TrackTime {
    track: TrackId,
    timebase: Timebase,
    /// In ticks.
    last_dts: i64,
    /// The next unit of this track is the first after a jump or a new source.
    seam: bool,
}

impl Timeline {
    /// Counts so far.
    pub const fn repairs(&self) -> Repairs {
        self.repairs
    }

    /// Another source continues the stream: its clock has nothing to do with the one before.
    pub fn new_source(&mut self) {
        self.shift = None;
        self.previous_shift = None;
        self.tracks.iter_mut().for_each(|track| track.seam = true);
    }

    /// Puts a unit on the stream's axis. Returns its decoding time there in microseconds.
    pub fn place(&mut self, unit: &mut AccessUnit, timebase: Timebase) -> i64 {
        let source = timebase.rescale(unit.dts, Timebase::MICROS);
        let last = self.last_micros(unit.track);
        let shift = match self.fitting_shift(source, last) {
            Some(shift) => shift,
            None => self.join(source),
        };
        let composition = unit.pts.saturating_sub(unit.dts);
        let placed = unit
            .dts
            .saturating_add(Timebase::MICROS.rescale(shift, timebase));
        unit.dts = self.grow(unit, timebase, placed);
        unit.pts = if composition < 0 {
            self.repairs.presented_before_decoded += 1;
            unit.dts
        } else {
            // Keep the presentation time where the source wanted it if only the decoding time had to move.
            placed.saturating_add(composition).max(unit.dts)
        };
        timebase.rescale(unit.dts, Timebase::MICROS)
    }

    /// The present shift, or the one before the last jump, if the unit follows its track's last one with it.
    fn fitting_shift(&self, source: i64, last: Option<i64>) -> Option<i64> {
        let fits = |shift: &i64| {
            let reference = last
                .or_else(|| self.newest_micros())
                .unwrap_or(ORIGIN_MICROS);
            let step = source.saturating_add(*shift).saturating_sub(reference);
            (-MAX_BACKWARD_MICROS..=MAX_FORWARD_MICROS).contains(&step)
        };
        self.shift
            .filter(fits)
            .or_else(|| self.previous_shift.filter(fits))
    }

    /// A shift that continues the stream at this unit.
    fn join(&mut self, source: i64) -> i64 {
        let target = match self.newest_micros() {
            Some(newest) => newest.saturating_add(SEAM_MICROS),
            None => ORIGIN_MICROS,
        };
        if self.shift.is_some() {
            self.repairs.jumps += 1;
            self.tracks.iter_mut().for_each(|track| track.seam = true);
        }
        let shift = target.saturating_sub(source);
        self.previous_shift = self.shift.replace(shift);
        shift
    }

    /// Lets the track's decoding time grow by at least one tick, and marks a seam.
    fn grow(&mut self, unit: &mut AccessUnit, timebase: Timebase, dts: i64) -> i64 {
        let Some(track) = self
            .tracks
            .iter_mut()
            .find(|track| track.track == unit.track)
        else {
            self.tracks.push(TrackTime {
                track: unit.track,
                timebase,
                last_dts: dts,
                seam: false,
            });
            return dts;
        };
        if track.timebase != timebase {
            track.last_dts = track.timebase.rescale(track.last_dts, timebase);
            track.timebase = timebase;
        }
        unit.discontinuity |= std::mem::take(&mut track.seam);
        let grown = dts.max(track.last_dts.saturating_add(1));
        if grown > dts {
            self.repairs.not_growing += 1;
        }
        track.last_dts = grown;
        grown
    }

    fn last_micros(&self, id: TrackId) -> Option<i64> {
        self.tracks
            .iter()
            .find(|track| track.track == id)
            .map(TrackTime::micros)
    }

    fn newest_micros(&self) -> Option<i64> {
        self.tracks.iter().map(TrackTime::micros).max()
    }
}

impl TrackTime {
    fn micros(&self) -> i64 {
        self.timebase.rescale(self.last_dts, Timebase::MICROS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    const VIDEO: TrackId = TrackId(0);
    const AUDIO: TrackId = TrackId(1);

    fn unit(track: TrackId, dts: i64, pts: i64) -> AccessUnit {
        AccessUnit {
            track,
            dts,
            pts,
            random_access: false,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::new(),
        }
    }

    fn place(timeline: &mut Timeline, track: TrackId, millis: i64) -> AccessUnit {
        let mut unit = unit(track, millis, millis);
        timeline.place(&mut unit, Timebase::MILLIS);
        unit
    }

    #[test]
    fn a_stream_begins_at_the_origin_and_keeps_its_distances() {
        let mut timeline = Timeline::default();
        let times: Vec<i64> = [70_000, 70_033, 70_066]
            .iter()
            .map(|dts| place(&mut timeline, VIDEO, *dts).dts)
            .collect();
        assert_eq!(times, [1_000, 1_033, 1_066]);
        assert_eq!(place(&mut timeline, AUDIO, 69_990).dts, 990);
        assert_eq!(timeline.repairs().total(), 0);
    }

    #[test]
    fn a_repeated_or_slightly_backward_time_moves_up_one_tick() {
        let mut timeline = Timeline::default();
        let times: Vec<i64> = [0, 40, 40, 30, 80]
            .iter()
            .map(|dts| place(&mut timeline, VIDEO, *dts).dts)
            .collect();
        assert_eq!(times, [1_000, 1_040, 1_041, 1_042, 1_080]);
        assert_eq!(timeline.repairs().not_growing, 2);
    }

    #[test]
    fn jumps_both_ways_are_joined_for_all_tracks_with_one_repair() {
        for jump in [-3_600_000i64, -10_000, 10_001, 3_600_000] {
            let mut timeline = Timeline::default();
            place(&mut timeline, VIDEO, 5_000_000);
            place(&mut timeline, AUDIO, 5_000_010);
            let video = place(&mut timeline, VIDEO, 5_000_040 + jump);
            assert_eq!((video.dts, video.discontinuity), (1_050, true), "{jump}");
            // A late unit from before the jump, then the first of the other track from behind it.
            assert_eq!(place(&mut timeline, AUDIO, 5_000_030).dts, 1_030);
            assert_eq!(place(&mut timeline, AUDIO, 5_000_050 + jump).dts, 1_060);
            assert_eq!(timeline.repairs().jumps, 1, "{jump}");
        }
    }

    #[test]
    fn a_gap_is_not_a_jump() {
        let mut timeline = Timeline::default();
        place(&mut timeline, VIDEO, 0);
        assert_eq!(place(&mut timeline, VIDEO, 9_000).dts, 10_000);
        assert_eq!(timeline.repairs().total(), 0);
    }

    #[test]
    fn a_new_source_continues_where_the_last_one_stopped() {
        let mut timeline = Timeline::default();
        place(&mut timeline, VIDEO, 100_000);
        timeline.new_source();
        let unit = place(&mut timeline, VIDEO, 7);
        assert_eq!((unit.dts, unit.discontinuity), (1_040, true));
        assert!(!place(&mut timeline, VIDEO, 47).discontinuity);
        assert_eq!(timeline.repairs().total(), 0);
    }

    #[test]
    fn a_picture_is_never_presented_before_it_is_decoded() {
        let mut timeline = Timeline::default();
        let mut early = unit(VIDEO, 100, 60);
        timeline.place(&mut early, Timebase::MILLIS);
        assert_eq!(early.pts, early.dts);
        assert_eq!(timeline.repairs().presented_before_decoded, 1);
    }

    #[test]
    fn a_track_may_change_its_timebase() {
        let mut timeline = Timeline::default();
        place(&mut timeline, VIDEO, 0);
        let mut next = unit(VIDEO, 90 * 40, 90 * 40);
        timeline.place(&mut next, Timebase::VIDEO);
        assert_eq!(next.dts, 90 * 1_040);
    }

    proptest! {
        /// Whatever a source says, times grow, presentation follows decoding, and tracks stay together.
        #[test]
        fn any_times_come_out_in_order(faults in proptest::collection::vec((0u16..2, -(1i64 << 50)..1 << 50, -1_000_000i64..1_000_000, any::<bool>()), 1..300)) {
            let mut timeline = Timeline::default();
            let mut last = [None; 2];
            let mut clock = 0i64;
            for (track, wild, step, tame) in faults {
                clock = if tame { clock.wrapping_add(step / 1_000) } else { wild };
                let mut unit = unit(TrackId(track), clock, clock.wrapping_add(step));
                timeline.place(&mut unit, Timebase::MILLIS);
                prop_assert!(unit.pts >= unit.dts);
                if let Some(last) = last[usize::from(track)] {
                    prop_assert!(unit.dts > last);
                    prop_assert!(unit.dts - last <= 20_000 + MAX_FORWARD_MICROS);
                }
                last[usize::from(track)] = Some(unit.dts);
            }
        }
    }
}
