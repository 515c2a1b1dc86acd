//! How the media's time and the wall clock go together, which sender reports tell so that a player can play
//! all tracks in step (RFC 3550 section 6.4.1).

use rtp::rtcp::NtpTime;
use std::time::{Duration, Instant};

/// A step of the media's time that is taken at once; smaller differences are followed slowly.
const STEP: i64 = 500_000;

/// The part of a difference that is followed with each access unit.
const FOLLOW: i64 = 64;

/// What time it was at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// The instant.
    pub at: Instant,
    /// The time since 1970 then.
    pub since_1970: Duration,
}

impl WallClock {
    /// The time since 1970 at another instant.
    fn at(&self, now: Instant) -> Duration {
        let later = now.saturating_duration_since(self.at);
        let earlier = self.at.saturating_duration_since(now);
        (self.since_1970 + later).saturating_sub(earlier)
    }
}

/// The media's time as it runs against the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    wall_clock: WallClock,
    /// How long ago what is sent was captured, as far as that is known.
    pub(super) delay: Duration,
    /// An instant, and the media's time then in microseconds.
    anchor: Option<(Instant, i64)>,
}

impl Timeline {
    pub(super) const fn new(wall_clock: WallClock) -> Self {
        Self {
            wall_clock,
            delay: Duration::ZERO,
            anchor: None,
        }
    }

    /// What the wall clock said when that was captured which is sent at an instant.
    pub(super) fn captured(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.wall_clock.at(now).saturating_sub(self.delay))
    }

    /// An access unit of this time was sent.
    pub(super) fn sent(&mut self, now: Instant, ticks: i64, ticks_per_second: u32) {
        let time = micros(ticks, ticks_per_second);
        let expected = self.at(now);
        let difference = time.saturating_sub(expected.unwrap_or(time));
        // What is sent late tells nothing about the clocks, but a steady drift must be followed.
        let time = match expected {
            Some(expected) if difference.unsigned_abs() < STEP.unsigned_abs() => {
                expected.saturating_add(difference / FOLLOW)
            }
            _ => time,
        };
        self.anchor = Some((now, time));
    }

    /// The media's time at an instant, in microseconds.
    pub(super) fn at(&self, now: Instant) -> Option<i64> {
        let (at, time) = self.anchor?;
        let since = now.saturating_duration_since(at).as_micros();
        Some(time.saturating_add(i64::try_from(since).unwrap_or(i64::MAX)))
    }
}

fn micros(ticks: i64, ticks_per_second: u32) -> i64 {
    let micros = i128::from(ticks) * 1_000_000 / i128::from(ticks_per_second.max(1));
    micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(start: Instant) -> Timeline {
        Timeline::new(WallClock {
            at: start,
            since_1970: Duration::from_secs(1_000),
        })
    }

    #[test]
    fn the_first_group_is_sent_at_once_and_then_time_runs() {
        let start = Instant::now();
        let mut timeline = timeline(start);
        assert_eq!(timeline.at(start), None);
        for frame in 0..60 {
            timeline.sent(start, frame * 3_000, 90_000);
        }
        // Two seconds of pictures at one instant: the last of them, nearly, is what is shown now.
        let time = timeline.at(start).unwrap();
        assert!((1_500_000..=2_000_000).contains(&time), "{time}");
        let later = timeline.at(start + Duration::from_secs(1)).unwrap();
        assert_eq!(later - time, 1_000_000);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let start = Instant::now();
        let mut timeline = timeline(start);
        // An hour of pictures whose clock is 0.1 % fast, each up to 20 ms late.
        for frame in 0..108_000u64 {
            let late = Duration::from_micros(frame * 7_919 % 20_000);
            let sent = start + Duration::from_micros(frame * 33_300) + late;
            timeline.sent(sent, frame as i64 * 3_000, 90_000);
        }
        let now = start + Duration::from_micros(108_000 * 33_300);
        let error = timeline.at(now).unwrap() - 3_600_000_000;
        assert!(error.abs() < 20_000, "{error}");
    }

    #[test]
    fn times_that_cannot_be_are_taken_as_they_are() {
        let start = Instant::now();
        let mut timeline = timeline(start);
        for (ticks, expected) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (1, 1_000_000)] {
            timeline.sent(start, ticks, 1);
            assert_eq!(timeline.at(start), Some(expected));
        }
    }

    #[test]
    fn the_wall_clock_runs_both_ways_and_tells_the_time_of_capture() {
        let start = Instant::now() + Duration::from_secs(5);
        let mut timeline = timeline(start);
        let second = Duration::from_secs(1);
        let of = |seconds| NtpTime::from_unix(Duration::from_secs(seconds));
        assert_eq!(timeline.captured(start + second), of(1_001));
        assert_eq!(timeline.captured(start - second), of(999));
        timeline.delay = second * 3;
        assert_eq!(timeline.captured(start + second), of(998));
        timeline.delay = second * 2_000;
        assert_eq!(timeline.captured(start), of(0));
    }
}
