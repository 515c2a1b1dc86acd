//! What time it was on the clock on the wall at media time 0, by when access units arrived.

use media::{AccessUnit, Timebase};
use std::time::{Duration, SystemTime};

/// A clock that differs by so much from what is known was set.
const STEP: Duration = Duration::from_secs(30);

/// How fast a media clock that is slower than the wall's is followed: a part in so many.
const FOLLOW: u32 = 1_000;

/// Learns it from access units. The one that came with the least delay comes nearest, so that a disk or network that
/// stalls for a while moves nothing.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Since 1970.
    epoch: Option<Duration>,
    /// Media time of the newest unit.
    newest: Duration,
}

impl Clock {
    /// Takes a unit that was read at `now`. One behind a seam begins anew: media time runs on over an interruption.
    pub(super) fn learn(&mut self, unit: &AccessUnit, timebase: Timebase, now: SystemTime) {
        let decoded = timebase.duration(unit.dts);
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
        let found = since_1970.unwrap_or_default().saturating_sub(decoded);
        let passed = decoded.saturating_sub(self.newest);
        self.newest = self.newest.max(decoded);
        let known = self.epoch.filter(|known| known.abs_diff(found) < STEP);
        self.epoch = match known {
            Some(known) if !unit.discontinuity => Some(found.min(known + passed / FOLLOW)),
            _ => Some(found),
        };
    }

    /// Since 1970; none before the first unit.
    pub(super) const fn epoch(&self) -> Option<Duration> {
        self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fragments::tests;
    use std::sync::Arc;

    const NOON: u64 = 1_795_000_000_000;

    fn learn(clock: &mut Clock, dts: i64, now: u64, seam: bool) {
        let mut unit = AccessUnit::clone(&tests::unit(0, dts, true));
        unit.discontinuity = seam;
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(NOON + now);
        clock.learn(&Arc::new(unit), Timebase::MILLIS, now);
    }

    fn epoch(clock: &Clock) -> u64 {
        u64::try_from(clock.epoch().unwrap().as_millis()).unwrap() - NOON
    }

    #[test]
    fn the_least_delay_tells_and_a_slow_clock_is_followed() {
        let mut clock = Clock::default();
        learn(&mut clock, 1_000, 3_500, false);
        assert_eq!(epoch(&clock), 2_500);
        learn(&mut clock, 2_000, 3_500, false);
        assert_eq!(epoch(&clock), 1_500);
        // A disk that stalls for 5 s.
        for dts in 3..8 {
            learn(&mut clock, dts * 1_000, 10_000, false);
        }
        assert!(epoch(&clock) - 1_500 <= 10, "{}", epoch(&clock));
        // A camera whose second lasts 1.0002.
        for second in 8..10_000 {
            learn(
                &mut clock,
                second * 1_000,
                second as u64 * 10_002 / 10 + 1_500,
                false,
            );
        }
        assert!(
            epoch(&clock).abs_diff(1_500 + 2_000) < 20,
            "{}",
            epoch(&clock)
        );
    }

    #[test]
    fn a_seam_or_a_clock_that_is_set_begins_anew() {
        let mut clock = Clock::default();
        learn(&mut clock, 1_000, 1_500, false);
        learn(&mut clock, 1_040, 9_540, true);
        assert_eq!(epoch(&clock), 8_500);
        learn(&mut clock, 1_080, 3_600_000, false);
        assert_eq!(epoch(&clock), 3_600_000 - 1_080);
    }
}
