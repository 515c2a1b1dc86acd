//! One axis of time for the tracks of a sender.
//!
//! A track's RTP clock counts from a random value, so that the times of two tracks are comparable only roughly,
//! by when their packets came. RTCP sender reports tell a track's RTP time together with a wall clock that all
//! tracks of a sender share (RFC 3550 section 6.4.1): from the moment there is one of the leading track and one
//! of another, they say how far that one has to be moved. A small disagreement is left alone once something has
//! been placed, for each correction is a step that can be heard; a huge one is a sender whose reports make no
//! sense. One that appears later is believed when both tracks have told it: the wall clock of a sender that is set shows
//! in the report of one track before it does in that of another.

use media::Timebase;
use rtp::rtcp::NtpTime;
use std::time::{Duration, Instant, SystemTime};

/// Disagreements up to this are neither seen nor heard.
const TOLERATED_MICROS: u64 = 40_000;

/// Above this, the reports of two tracks do not share a clock.
const MAX_SHIFT_MICROS: u64 = 5_000_000;

/// A sender's clock that is further from ours is not set, and no time of capture is taken from it.
const MAX_CLOCK_ERROR: Duration = Duration::from_secs(24 * 60 * 60);

/// Clocks drift, by some 50 ms in an hour, and are set: what a report says holds for so long.
const MAX_REPORT_AGE: Duration = Duration::from_secs(60);

/// What the sender reports of each track say, by the track's place.
#[derive(Debug)]
pub(super) struct Axis {
    places: Vec<Place>,
    /// The track that is never moved.
    lead: usize,
}

/// One track.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// When its time 0 was, in microseconds since 1970.
    zero: Option<i64>,
    /// When the report came that says so.
    reported: Option<Instant>,
    /// What is added to its times, in microseconds.
    shift: i64,
    /// A time of it has been placed.
    used: bool,
    /// Both it and the leading track have reported before.
    told: bool,
    /// They disagree with that since a report of the leading track, or of this one.
    doubt: Option<By>,
}

/// Whose report it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Lead,
    Own,
}

impl Axis {
    /// For so many tracks, of which one leads.
    pub(super) fn new(tracks: usize, lead: usize) -> Self {
        Self {
            places: vec![Place::default(); tracks],
            lead,
        }
    }

    /// Takes a sender report: its wall clock time, its RTP time since the track's start in ticks of `timebase`, and when
    /// it came.
    pub(super) fn report(
        &mut self,
        track: usize,
        ntp: NtpTime,
        elapsed: i64,
        timebase: Timebase,
        came: Option<Instant>,
    ) {
        let micros = i64::try_from(ntp.to_unix().as_micros()).unwrap_or(i64::MAX);
        let elapsed = timebase.rescale(elapsed, Timebase::MICROS);
        if let Some(place) = self.places.get_mut(track) {
            place.zero = Some(micros.saturating_sub(elapsed));
            place.reported = came;
        }
        let Some(lead) = self.places.get(self.lead).and_then(|place| place.zero) else {
            return;
        };
        let of_lead = track == self.lead;
        for (number, place) in self.places.iter_mut().enumerate() {
            if number != self.lead && of_lead {
                place.follow(lead, By::Lead);
            } else if number == track && !of_lead {
                place.follow(lead, By::Own);
            }
        }
    }

    /// The clock of a track has nothing more to do with what was reported.
    pub(super) fn forget(&mut self, track: usize) {
        for (number, place) in self.places.iter_mut().enumerate() {
            if number == track {
                place.zero = None;
            }
            if number == track || track == self.lead {
                (place.told, place.doubt) = (false, None);
            }
        }
    }

    /// A time of a track on the common axis, both in ticks of `timebase`.
    pub(super) fn place(&mut self, track: usize, elapsed: i64, timebase: Timebase) -> i64 {
        match self.places.get_mut(track) {
            Some(place) => {
                place.used = true;
                elapsed.saturating_add(Timebase::MICROS.rescale(place.shift, timebase))
            }
            None => elapsed,
        }
    }

    /// When what lies at `elapsed` was captured, where the sender has told within the last minute and its clock is set.
    pub(super) fn capture(
        &self,
        track: usize,
        elapsed: i64,
        timebase: Timebase,
        (came, now): (Instant, SystemTime),
    ) -> Option<SystemTime> {
        let place = self.places.get(track)?;
        let (zero, reported) = (place.zero?, place.reported?);
        if came.saturating_duration_since(reported) > MAX_REPORT_AGE {
            return None;
        }
        let micros = zero.saturating_add(timebase.rescale(elapsed, Timebase::MICROS));
        let since_epoch = Duration::from_micros(u64::try_from(micros).ok()?);
        let capture = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
        let error = match capture.duration_since(now) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        (error <= MAX_CLOCK_ERROR).then_some(capture)
    }
}

impl Place {
    /// Moves the track against the leading one, whose zero is `lead`, if that is called for by the report that has come.
    fn follow(&mut self, lead: i64, by: By) {
        let Some(zero) = self.zero else {
            return;
        };
        let shift = zero.saturating_sub(lead);
        let tolerated = if self.used { TOLERATED_MICROS } else { 0 };
        let change = shift.saturating_sub(self.shift).unsigned_abs();
        let is_new = !std::mem::replace(&mut self.told, true);
        if shift.unsigned_abs() > MAX_SHIFT_MICROS || change <= tolerated {
            self.doubt = None;
            return;
        }
        let doubt = *self.doubt.get_or_insert(by);
        if self.used && !is_new && doubt == by {
            return;
        }
        tracing::debug!(
            from = self.shift,
            to = shift,
            "a track moved, in microseconds"
        );
        (self.shift, self.doubt) = (shift, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Timebase = Timebase::new(8_000).unwrap();
    const START: u64 = 1_700_000_000_000_000;

    fn ntp(micros_since_1970: u64) -> NtpTime {
        NtpTime::from_unix(Duration::from_micros(micros_since_1970))
    }

    /// By how many samples sound moves whose zero lies so many microseconds behind the pictures'.
    fn moved(late: i64, used: bool) -> i64 {
        let mut axis = Axis::new(2, 0);
        axis.report(0, ntp(START + 2_000_000), 180_000, Timebase::VIDEO, None);
        if used {
            assert_eq!(axis.place(1, 800, SOUND), 800);
        }
        let zero = START.saturating_add_signed(late);
        axis.report(1, ntp(zero + 1_000_000), 8_000, SOUND, None);
        assert_eq!(axis.place(0, 800, Timebase::VIDEO), 800);
        axis.place(1, 800, SOUND) - 800
    }

    #[test]
    fn sound_moves_by_what_the_reports_say() {
        let cases = [
            (0, 0, 0),
            (30_000, 0, 240),
            (250_000, 2_000, 2_000),
            (-500_000, -4_000, -4_000),
            (9_000_000, 0, 0),
        ];
        for (late, when_heard, when_new) in cases {
            let found = [moved(late, true), moved(late, false)];
            for (found, expected) in found.into_iter().zip([when_heard, when_new]) {
                assert!((found - expected).abs() <= 1, "{late}: {found}");
            }
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_nothing() {
        let mut axis = Axis::new(2, 0);
        let report = |axis: &mut Axis, track: usize, second: u64, zero: u64| {
            let clock = [Timebase::VIDEO, SOUND][track];
            let elapsed = Timebase::MICROS.rescale(second.cast_signed() * 1_000_000, clock);
            axis.report(track, ntp(zero + second * 1_000_000), elapsed, clock, None);
        };
        for track in [0, 1] {
            report(&mut axis, track, 1, START);
        }
        for second in [2, 3] {
            let set = START + 2_000_000 * (second - 1);
            for track in [0, 1, 1] {
                assert_eq!(axis.place(1, 800, SOUND), 800);
                report(&mut axis, track, second, set);
            }
        }
        assert_eq!(axis.place(1, 800, SOUND), 800);
        // What both have told is so: sound is late by 300 ms from here on.
        let set = START + 4_000_000;
        report(&mut axis, 1, 4, set + 300_000);
        assert_eq!(axis.place(1, 800, SOUND), 800);
        report(&mut axis, 0, 4, set);
        assert!((2_399..=2_400).contains(&(axis.place(1, 800, SOUND) - 800)));
    }

    #[test]
    fn times_of_capture_come_from_clocks_that_are_set() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(START);
        let came = Instant::now();
        let mut axis = Axis::new(1, 0);
        let capture = |axis: &Axis| axis.capture(0, 90_000, Timebase::VIDEO, (came, now));
        let report = |axis: &mut Axis, ntp| axis.report(0, ntp, 0, Timebase::VIDEO, Some(came));
        assert_eq!(capture(&axis), None);
        report(&mut axis, ntp(START));
        // The reports have stopped.
        let late = came + MAX_REPORT_AGE + Duration::from_millis(1);
        let stale = axis.capture(0, 90_000, Timebase::VIDEO, (late, now));
        assert_eq!(stale, None);
        let found = capture(&axis).unwrap();
        let ahead = found.duration_since(now).unwrap();
        assert!(ahead.abs_diff(Duration::from_secs(1)) < Duration::from_micros(10));
        // A camera that counts from when it was switched on.
        report(&mut axis, NtpTime(77 << 32));
        assert_eq!(capture(&axis), None);
        report(&mut axis, ntp(START));
        axis.forget(0);
        assert_eq!(capture(&axis), None);
    }
}
