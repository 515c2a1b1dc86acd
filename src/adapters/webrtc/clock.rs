//! Keeps the times that are sent running through the pauses of a source.
//!
//! A source that comes back goes on right behind where it was in the stream's time, however long it was away.
//! Receivers of packets compare times with their own clock, and would take all that follows for late by the
//! length of the pause.

use std::time::Instant;

/// A pause that is made up for, in microseconds. Shorter ones disappear in a receiver's buffer.
const PAUSE: i64 = 200_000;

/// The part of a lateness that is followed with each access unit.
const FOLLOW: i64 = 64;

/// What is added to the times of one stream.
#[derive(Debug, Default)]
pub(super) struct Clock {
    begun: Option<Instant>,
    /// How far times are ahead of the clock, in microseconds: of late the most, as nothing comes too early.
    ahead: Option<i64>,
    shift: i64,
}

impl Clock {
    /// Takes the time of an access unit in microseconds, and whether it is the first behind a seam. What is to
    /// be added to its time.
    pub(super) fn shift(&mut self, now: Instant, micros: i64, seam: bool) -> i64 {
        let begun = *self.begun.get_or_insert(now);
        let passed = now.saturating_duration_since(begun).as_micros();
        let ahead = micros.saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX));
        let usual = self.ahead.unwrap_or(ahead);
        let late = usual.saturating_sub(ahead);
        let made_up = seam && late >= PAUSE;
        if made_up {
            self.shift = self.shift.saturating_add(late);
        }
        self.ahead = Some(if made_up || late < 0 {
            ahead
        } else {
            usual.saturating_sub(late / FOLLOW)
        });
        self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The clock's answers in milliseconds to what came when, with which time, and whether behind a seam.
    fn shifts(came: &[(u64, i64, bool)]) -> Vec<i64> {
        let start = Instant::now();
        let mut clock = Clock::default();
        let shifts = came.iter().map(|(millis, time, seam)| {
            let now = start + Duration::from_millis(*millis);
            clock.shift(now, time * 1_000, *seam) / 1_000
        });
        shifts.collect()
    }

    #[test]
    fn a_pause_is_added_once_and_stays() {
        let came = [
            (0, 1_000, true),
            (40, 1_040, false),
            // Three seconds away; each track has its own first unit behind the seam.
            (3_080, 1_080, true),
            (3_081, 1_081, true),
            (3_120, 1_120, false),
            // A clock that jumped while the source was there.
            (3_160, 1_160, true),
            // Away for another second.
            (4_200, 1_200, true),
        ];
        assert_eq!(shifts(&came), [0, 0, 3_000, 3_000, 3_000, 3_000, 4_000]);
    }

    #[test]
    fn what_is_late_is_no_pause() {
        // A whole GOP at once, and later a second that nothing came for.
        let came = [
            (0, 1_000, false),
            (0, 1_900, false),
            (40, 1_940, false),
            (1_040, 1_980, false),
            (1_040, 2_940, false),
        ];
        assert_eq!(shifts(&came), [0; 5]);
    }

    #[test]
    fn what_was_left_from_before_the_pause_hides_nothing() {
        let came = [
            (0, 1_000, false),
            (40, 1_040, false),
            (3_080, 1_060, false),
            (3_080, 1_080, true),
        ];
        let shift = shifts(&came).last().copied().unwrap();
        assert!((2_900..=3_000).contains(&shift), "{shift}");
    }
}
