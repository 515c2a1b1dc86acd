//! The one place where time is repaired: between whatever a source says and what every reader sees.
//!
//! Readers are promised, per track, decoding times that only grow and presentation times not before them,
//! on one axis for all tracks that runs on through restarts of the source. Nothing is ever held back for
//! this, and nothing is dropped: a unit's time is moved, and the repair is counted. See
//! `docs/design/time.md`.

mod drift;

use drift::{Drift, Seen};
use media::{AccessUnit, Timebase, TrackId};
use std::fmt;
use std::time::SystemTime;

/// Media time of the first access unit of a stream. Not zero, so that the first unit of another track may
/// lie a little before it and outputs with unsigned times need no special case.
const ORIGIN_MICROS: i64 = 1_000_000;

/// A step forwards by more than this is a jump of the clock rather than a gap.
const MAX_FORWARD_MICROS: i64 = 10_000_000;

/// The same where times are kept: recordings have gaps. A day.
const MAX_GAP_MICROS: i64 = 86_400_000_000;

/// A step backwards by up to this is jitter, mended unit by unit; more is a jump of the clock.
const MAX_BACKWARD_MICROS: i64 = 1_000_000;

/// The first unit of a track may lie by this much before the newest of the others: a source may send one
/// track's past before the other's.
const MAX_LATE_START_MICROS: i64 = 10_000_000;

/// Distance of the first unit after a jump from the newest before it.
const SEAM_MICROS: i64 = 40_000;

/// For so long after a jump, in media time, other tracks may send units from before it.
const SETTLING_MICROS: i64 = 2_000_000;

/// A presentation time further behind the decoding time than this is a fault.
const MAX_COMPOSITION_MICROS: i64 = 10_000_000;

/// How often time had to be repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Decoding times that did not grow, moved up to one tick behind their predecessor.
    pub not_growing: u64,
    /// Presentation times before the decoding time, moved up to it.
    pub presented_before_decoded: u64,
    /// Presentation times more than 10 s behind the decoding time, moved down to it.
    pub presented_too_late: u64,
    /// Jumps of the source's clock, joined without a gap.
    pub jumps: u64,
    /// Times at which a track had drifted away from the leading one, and began to be moved back.
    pub drifts: u64,
}

impl Repairs {
    /// Each kind by its name in APIs.
    pub const fn by_kind(&self) -> [(&'static str, u64); 5] {
        [
            ("notGrowing", self.not_growing),
            ("presentedBeforeDecoded", self.presented_before_decoded),
            ("presentedTooLate", self.presented_too_late),
            ("jumps", self.jumps),
            ("drifts", self.drifts),
        ]
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.by_kind().iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Repairs {
    /// Those that there were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.by_kind().into_iter().filter(|(_, count)| *count > 0);
        for (place, (kind, count)) in kinds.enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{kind} {count}")?;
        }
        Ok(())
    }
}

/// A unit's track, and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The track's clock.
    pub timebase: Timebase,
    /// The other tracks are kept at its speed.
    pub leads: bool,
    /// Time of arrival, in microseconds since some moment.
    pub micros: i64,
}

/// Maps a source's times to the stream's.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Added to the source's microseconds; none before the first unit, and none again after a new source
    /// has been announced.
    shift: Option<i64>,
    /// Media time of the last jump.
    joined: i64,
    tracks: Vec<TrackTime>,
    drift: Drift,
    repairs: Repairs,
    /// Gaps are kept, and tracks are not kept at one speed by when they arrive.
    keeps: bool,
}

#[derive(Debug)]
struct TrackTime {
    track: TrackId,
    timebase: Timebase,
    /// The newest decoding time given out, in ticks.
    last_dts: i64,
    /// The shift of its last unit, which is not the stream's while units from before a jump are on their
    /// way, or where the clock of one track alone has jumped; none before the first of this source.
    shift: Option<i64>,
    /// A unit of it has come since the last jump.
    heard: bool,
    /// The next unit of this track is the first after a jump or a new source.
    seam: bool,
}

/// What is added to a source's times, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Shift {
    micros: i64,
    /// What the track has drifted by is added too.
    drifts: bool,
}

impl Shift {
    const fn new(micros: i64, drifts: bool) -> Self {
        Self { micros, drifts }
    }
}

impl Timeline {
    /// For sources that are read as fast as may be, whose times are right: only what no output could carry is
    /// repaired.
    pub fn keeping() -> Self {
        Self {
            keeps: true,
            ..Self::default()
        }
    }

    /// Counts so far.
    pub const fn repairs(&self) -> Repairs {
        self.repairs
    }

    /// Another source continues the stream: its clock has nothing to do with the one before.
    pub fn new_source(&mut self) {
        self.shift = None;
        self.drift = Drift::default();
        for track in &mut self.tracks {
            track.shift = None;
            track.seam = true;
        }
    }

    /// Puts a unit on the stream's axis. Returns its decoding time there in microseconds.
    pub fn place(&mut self, unit: &mut AccessUnit, arrival: Arrival) -> i64 {
        let timebase = arrival.timebase;
        let source = timebase.rescale(unit.dts, Timebase::MICROS);
        let fitting = self.fitting_shift(source, unit.track);
        let Shift {
            micros: shift,
            drifts,
        } = match fitting {
            Some(shift) => shift,
            None => self.join(source),
        };
        if !drifts {
            self.drift.forget(unit.track);
        }
        let moved = self.follow(unit, arrival, source.saturating_add(shift));
        let shifted = Timebase::MICROS.rescale(shift.saturating_add(moved), timebase);
        let placed = unit.dts.saturating_add(shifted);
        let composition = unit.pts.saturating_sub(unit.dts);
        unit.dts = self.grow(unit, timebase, placed, shift);
        unit.pts = if composition < 0 {
            self.repairs.presented_before_decoded += 1;
            unit.dts
        } else if timebase.rescale(composition, Timebase::MICROS) > MAX_COMPOSITION_MICROS {
            self.repairs.presented_too_late += 1;
            unit.dts
        } else {
            // Keep the presentation time where the source wanted it if only the decoding time had to move.
            placed.saturating_add(composition).max(unit.dts)
        };
        timebase.rescale(unit.dts, Timebase::MICROS)
    }

    /// The shift by which a unit follows its track's last one: the stream's, or the track's own.
    fn fitting_shift(&self, source: i64, id: TrackId) -> Option<Shift> {
        let newest = self.newest_micros().unwrap_or(ORIGIN_MICROS);
        let track = self.tracks.iter().find(|track| track.track == id);
        let followed = track.and_then(|track| Some((track, track.shift?)));
        let Some((track, own)) = followed else {
            let from = newest.saturating_sub(MAX_LATE_START_MICROS).max(0);
            let range = from..=newest.saturating_add(self.max_forward());
            let placed = |shift: &Shift| source.saturating_add(shift.micros);
            let shift = self.shift.map(|shift| Shift::new(shift, false));
            return shift.filter(|shift| range.contains(&placed(shift)));
        };
        let drift = self.drift.moved(id);
        // A track that stood still comes back where the others are.
        let last = track.micros();
        let from = last.saturating_sub(MAX_BACKWARD_MICROS);
        let range = from..=last.max(newest).saturating_add(self.max_forward());
        let fitting = |shift: Shift| {
            let moved = if shift.drifts { drift } else { 0 };
            let placed = source.saturating_add(shift.micros).saturating_add(moved);
            let step = placed.saturating_sub(last).saturating_abs();
            range.contains(&placed).then_some((step, shift))
        };
        let nearest = |one: Option<(i64, Shift)>, other: Option<(i64, Shift)>| match (one, other) {
            (Some(one), Some(other)) => Some(if one.0 <= other.0 { one } else { other }),
            (one, other) => one.or(other),
        };
        let own = fitting(Shift::new(own, true));
        // A jump may set the tracks to one clock again, or not.
        let stream = self.shift.and_then(|shift| {
            let [kept, set] = [true, false].map(|drifts| fitting(Shift::new(shift, drifts)));
            nearest(kept, set)
        });
        let settling = newest.saturating_sub(self.joined) <= SETTLING_MICROS;
        let chosen = match (own, stream) {
            (own, stream) if settling => nearest(own, stream),
            (own, stream) if track.heard => own.or(stream),
            (own, stream) => stream.or(own),
        };
        chosen.map(|(_, shift)| shift)
    }

    /// A shift that continues the stream at this unit.
    fn join(&mut self, source: i64) -> Shift {
        let target = match self.newest_micros() {
            Some(newest) => newest.saturating_add(SEAM_MICROS),
            None => ORIGIN_MICROS,
        };
        let shift = target.saturating_sub(source);
        if self.shift.replace(shift).is_some() {
            self.repairs.jumps += 1;
            self.drift.jumped();
            self.tracks.iter_mut().for_each(|track| track.seam = true);
        }
        self.tracks.iter_mut().for_each(|track| track.heard = false);
        self.joined = target;
        Shift::new(shift, false)
    }

    /// What to add to a unit's time so that its track keeps the speed of the others.
    fn follow(&mut self, unit: &AccessUnit, arrival: Arrival, dts: i64) -> i64 {
        if self.keeps {
            return 0;
        }
        let timebase = arrival.timebase;
        let composition = timebase.rescale(unit.pts.saturating_sub(unit.dts), Timebase::MICROS);
        let presented = dts.saturating_add(composition);
        let since_epoch = |capture: SystemTime| capture.duration_since(SystemTime::UNIX_EPOCH).ok();
        let captured = unit.capture.and_then(since_epoch);
        let captured = captured.and_then(|since| i64::try_from(since.as_micros()).ok());
        let seen = Seen {
            arrived: arrival.micros,
            dts,
            captured: captured.map(|captured| captured.saturating_sub(presented)),
        };
        let (moved, news) = self.drift.of(unit.track, arrival.leads, seen);
        self.repairs.drifts += u64::from(news);
        moved
    }

    /// Lets the track's decoding time grow by at least one tick, and marks a seam.
    fn grow(&mut self, unit: &mut AccessUnit, timebase: Timebase, dts: i64, shift: i64) -> i64 {
        let Some(track) = self
            .tracks
            .iter_mut()
            .find(|track| track.track == unit.track)
        else {
            self.tracks.push(TrackTime {
                track: unit.track,
                timebase,
                last_dts: dts,
                shift: Some(shift),
                heard: true,
                seam: false,
            });
            return dts;
        };
        if track.timebase != timebase {
            track.last_dts = track.timebase.rescale(track.last_dts, timebase);
            track.timebase = timebase;
        }
        track.shift = Some(shift);
        track.heard = true;
        unit.discontinuity |= std::mem::take(&mut track.seam);
        let grown = dts.max(track.last_dts.saturating_add(1));
        if grown > dts {
            self.repairs.not_growing += 1;
        }
        track.last_dts = grown;
        grown
    }

    const fn max_forward(&self) -> i64 {
        if self.keeps {
            MAX_GAP_MICROS
        } else {
            MAX_FORWARD_MICROS
        }
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
mod tests;
