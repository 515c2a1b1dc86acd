//! Ticks per second, and moving a time from one timebase to another.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// The number of ticks in a second of a track's clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timebase(NonZeroU32);

impl Timebase {
    /// Milliseconds, the clock of FLV and RTMP.
    pub const MILLIS: Self = Self(NonZeroU32::new(1_000).unwrap());
    /// 90 kHz, the clock of MPEG-TS and of video over RTP.
    pub const VIDEO: Self = Self(NonZeroU32::new(90_000).unwrap());
    /// Microseconds, for times that belong to no track.
    pub const MICROS: Self = Self(NonZeroU32::new(1_000_000).unwrap());

    /// A timebase of `ticks` per second; `None` for 0.
    pub const fn new(ticks: u32) -> Option<Self> {
        match NonZeroU32::new(ticks) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }

    /// Ticks per second.
    pub const fn ticks_per_second(self) -> u32 {
        self.0.get()
    }

    /// `ticks` of this timebase expressed in `to`, rounded towards negative infinity, saturating at the
    /// ends of `i64`.
    pub fn rescale(self, ticks: i64, to: Self) -> i64 {
        if self == to {
            return ticks;
        }
        let scaled = i128::from(ticks) * i128::from(to.0.get());
        let floor = scaled.div_euclid(i128::from(self.0.get()));
        i64::try_from(floor).unwrap_or(if floor < 0 { i64::MIN } else { i64::MAX })
    }

    /// As [`rescale`](Self::rescale), rounded to the nearest: there and back again gives the same where the other
    /// timebase is finer.
    pub fn rescale_nearest(self, ticks: i64, to: Self) -> i64 {
        if self == to {
            return ticks;
        }
        let (from, to) = (i128::from(self.0.get()), i128::from(to.0.get()));
        let nearest = (i128::from(ticks) * to * 2 + from).div_euclid(from * 2);
        i64::try_from(nearest).unwrap_or(if nearest < 0 { i64::MIN } else { i64::MAX })
    }

    /// A non-negative number of ticks as a duration; negative counts give zero.
    pub fn duration(self, ticks: i64) -> Duration {
        Duration::from_micros(u64::try_from(self.rescale(ticks, Self::MICROS)).unwrap_or(0))
    }

    /// A duration in ticks of this timebase, rounded down, saturating at `i64::MAX`.
    pub fn ticks(self, duration: Duration) -> i64 {
        let ticks = duration.as_nanos().saturating_mul(u128::from(self.0.get())) / 1_000_000_000;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Timebase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_rounds_down_on_both_sides_of_zero() {
        let cases = [(1_000, 90_000), (-1, -90), (0, 0), (1, 90)];
        for (millis, ticks) in cases {
            assert_eq!(Timebase::MILLIS.rescale(millis, Timebase::VIDEO), ticks);
        }
        assert_eq!(Timebase::VIDEO.rescale(89, Timebase::MILLIS), 0);
        assert_eq!(Timebase::VIDEO.rescale_nearest(45, Timebase::MILLIS), 1);
        assert_eq!(Timebase::VIDEO.rescale_nearest(44, Timebase::MILLIS), 0);
        assert_eq!(Timebase::VIDEO.rescale_nearest(-46, Timebase::MILLIS), -1);
        assert_eq!(Timebase::VIDEO.rescale(-1, Timebase::MILLIS), -1);
    }

    #[test]
    fn rescaling_saturates() {
        assert_eq!(
            Timebase::MILLIS.rescale(i64::MAX, Timebase::VIDEO),
            i64::MAX
        );
        assert_eq!(
            Timebase::MILLIS.rescale(i64::MIN, Timebase::VIDEO),
            i64::MIN
        );
    }

    #[test]
    fn durations_there_and_back() {
        assert_eq!(Timebase::VIDEO.duration(45_000), Duration::from_millis(500));
        assert_eq!(Timebase::VIDEO.duration(-1), Duration::ZERO);
        assert_eq!(Timebase::VIDEO.ticks(Duration::from_millis(500)), 45_000);
    }
}
