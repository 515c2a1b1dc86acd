//! From the clocks of wire formats, which wrap and round, to ticks that do neither.

use crate::Timebase;

/// Follows a counter of 32 bits or fewer through its wraps, as 64-bit ticks.
///
/// Each value is taken as the nearest to the one before: a step of less than half the range, forwards or
/// backwards, is a step; anything else is a wrap.
#[derive(Clone, Debug)]
pub struct Unwrapper {
    bits: u32,
    last: Option<i64>,
}

impl Unwrapper {
    /// For a counter of `bits` bits, from 2 to 33.
    pub const fn new(bits: u32) -> Self {
        Self { bits, last: None }
    }

    /// The value on the endless scale. The first is itself.
    pub fn unwrap(&mut self, value: u64) -> i64 {
        let range = 1i64 << self.bits;
        let value = (value & (range as u64 - 1)) as i64;
        let unwrapped = match self.last {
            None => value,
            Some(last) => {
                let step = (value - last).rem_euclid(range);
                last.saturating_add(if step >= range / 2 {
                    step - range
                } else {
                    step
                })
            }
        };
        self.last = Some(unwrapped);
        unwrapped
    }
}

/// Gives audio frames of a known length their exact times back when the wire rounded them.
///
/// FLV and RTMP count milliseconds, but a frame of 1,024 samples at 44.1 kHz lasts 23.22 ms. As long as the
/// wire's time stays within the tolerance of the running sample count, the count is right.
#[derive(Clone, Debug)]
pub struct SampleClock {
    sample_rate: Timebase,
    tolerance: i64,
    next: Option<i64>,
}

impl SampleClock {
    /// For a track of `sample_rate` whose wire times are off by `tolerance` samples at most.
    pub const fn new(sample_rate: Timebase, tolerance: i64) -> Self {
        Self {
            sample_rate,
            tolerance,
            next: None,
        }
    }

    /// The time in samples of a frame of `samples` samples whose wire time is `ticks` of `timebase`.
    pub fn stamp(&mut self, ticks: i64, timebase: Timebase, samples: u32) -> i64 {
        let wire = timebase.rescale(ticks, self.sample_rate);
        let time = match self.next {
            Some(next) if (wire - next).abs() <= self.tolerance => next,
            _ => wire,
        };
        self.next = Some(time.saturating_add(i64::from(samples)));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_wraps_forwards_and_steps_backwards() {
        let mut clock = Unwrapper::new(32);
        assert_eq!(clock.unwrap(0xffff_fff0), 0xffff_fff0);
        assert_eq!(clock.unwrap(0x10), 0x1_0000_0010);
        assert_eq!(clock.unwrap(0xffff_ffff), 0xffff_ffff);
        assert_eq!(clock.unwrap(0x20), 0x1_0000_0020);
    }

    #[test]
    fn a_day_on_each_clock_of_a_wire_wraps_without_a_step() {
        // Bits and ticks per second: RTMP, RTP of pictures and of sound, MPEG-TS.
        for (bits, rate) in [(32, 1_000), (32, 90_000), (32, 48_000), (33, 90_000)] {
            let range = 1i64 << bits;
            let start = range - rate;
            let mut clock = Unwrapper::new(bits);
            for second in 0..=86_400 {
                let ticks = start + second * rate;
                assert_eq!(clock.unwrap((ticks % range) as u64), ticks);
                // Out of order by half a second.
                let late = ticks - rate / 2;
                assert_eq!(clock.unwrap((late % range) as u64), late);
            }
        }
    }

    #[test]
    fn bits_above_the_range_are_ignored() {
        assert_eq!(Unwrapper::new(8).unwrap(0x1ff), 0xff);
    }

    #[test]
    fn rounded_milliseconds_become_exact_samples() {
        let rate = Timebase::new(44_100).unwrap();
        let mut clock = SampleClock::new(rate, 88);
        for frame in 0..1_000i64 {
            let millis = frame * 1_024 * 1_000 / 44_100;
            assert_eq!(clock.stamp(millis, Timebase::MILLIS, 1_024), frame * 1_024);
        }
    }

    #[test]
    fn a_real_gap_is_kept() {
        let rate = Timebase::new(48_000).unwrap();
        let mut clock = SampleClock::new(rate, 96);
        assert_eq!(clock.stamp(0, Timebase::MILLIS, 1_024), 0);
        assert_eq!(clock.stamp(500, Timebase::MILLIS, 1_024), 24_000);
    }
}
