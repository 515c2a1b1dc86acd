//! Pauses between attempts: they double, with jitter.

use std::time::Duration;

/// The first retry comes within this time.
const FIRST_RETRY: Duration = Duration::from_millis(900);

/// Retries are at most this far apart.
const LAST_RETRY: Duration = Duration::from_secs(15);

/// A source that ran for so long was well: its next retry is a first one again.
pub(super) const WELL_AFTER: Duration = Duration::from_secs(10);

/// Pauses that double, with jitter so that many sources of one host do not knock together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after a run of length `ran`; `random` is any number.
    pub(super) fn next(&mut self, ran: Duration, random: u32) -> Duration {
        if ran >= WELL_AFTER {
            self.failures = 0;
        }
        let full = FIRST_RETRY
            .saturating_mul(1 << self.failures.min(8))
            .min(LAST_RETRY);
        self.failures = self.failures.saturating_add(1);
        // Between half and all of it.
        full / 2 + full.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_soon_and_the_later_ones_are_bounded() {
        for random in [0, u32::MAX / 3, u32::MAX] {
            let mut backoff = Backoff::default();
            let pauses: Vec<Duration> = (0..50)
                .map(|_| backoff.next(Duration::ZERO, random))
                .collect();
            assert!(pauses[0] <= Duration::from_secs(1));
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause <= LAST_RETRY && *pause >= FIRST_RETRY / 2)
            );
            assert!(pauses[49] >= LAST_RETRY / 2);
            assert!(backoff.next(WELL_AFTER, random) <= Duration::from_secs(1));
        }
    }
}
