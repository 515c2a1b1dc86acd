//! The clock that all processes of a run share, and percentiles of what is measured with it.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the machine's monotonic clock: the same in every process, and never stepped.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}

/// The value below or at which `percent` of `values` lie (nearest rank); `None` without values. Sorts them.
pub fn percentile(values: &mut [u32], percent: u32) -> Option<u32> {
    values.sort_unstable();
    let rank = (values.len() * percent as usize).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let cases: [(&[u32], u32, Option<u32>); 7] = [
            (&[], 50, None),
            (&[7], 50, Some(7)),
            (&[7], 99, Some(7)),
            (&[4, 1, 3, 2], 50, Some(2)),
            (&[4, 1, 3, 2], 99, Some(4)),
            (&[4, 1, 3, 2], 0, Some(1)),
            (&[5, 1, 2, 3, 4], 50, Some(3)),
        ];
        for (values, percent, expected) in cases {
            assert_eq!(
                percentile(&mut values.to_vec(), percent),
                expected,
                "{values:?} {percent}"
            );
        }
    }

    #[test]
    fn the_clock_does_not_go_back() {
        let first = now();
        assert!(now() >= first);
    }
}
