//! Numbers that wrap: packet sequence numbers, and timestamps made long.

/// A packet sequence number, of 31 bits (section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(u32);

impl Sequence {
    const MASK: u32 = 0x7fff_ffff;

    /// The low 31 bits.
    pub const fn new(value: u32) -> Self {
        Self(value & Self::MASK)
    }

    /// Its value, below 2³¹.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number that comes `count` later.
    #[must_use]
    pub const fn add(self, count: u32) -> Self {
        Self::new(self.0.wrapping_add(count))
    }

    /// How far this is behind `from`: from -2³⁰ to 2³⁰ - 1, negative when it is in front of it.
    pub const fn since(self, from: Self) -> i32 {
        let distance = self.0.wrapping_sub(from.0) & Self::MASK;
        // The sign is the 31st bit.
        (distance << 1).cast_signed() >> 1
    }

    /// How far this is behind `from`, if it is not in front of it.
    pub fn offset(self, from: Self) -> Option<usize> {
        usize::try_from(self.since(from)).ok()
    }
}

/// Makes timestamps of 32 bits long: each is the one closest to the latest, so that they may wrap (every
/// 71.6 minutes) and come out of order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwrapper {
    latest: i64,
}

impl Unwrapper {
    /// Begins with this timestamp.
    pub(crate) fn new(first: u32) -> Self {
        Self {
            latest: i64::from(first),
        }
    }

    /// The long form, in microseconds.
    pub(crate) fn unwrap(&mut self, timestamp: u32) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are meant")]
        let distance = timestamp.wrapping_sub(self.latest as u32).cast_signed();
        let long = self.latest.saturating_add(i64::from(distance));
        self.latest = self.latest.max(long);
        long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distances_survive_the_wrap(start in any::<u32>(), count in 0..(1_u32 << 30)) {
            let start = Sequence::new(start);
            let end = start.add(count);
            prop_assert_eq!(end.since(start), count.cast_signed());
            prop_assert_eq!(start.since(end), -count.cast_signed());
            prop_assert_eq!(end.offset(start), Some(count as usize));
        }

        #[test]
        fn timestamps_go_on_over_the_wrap(start in any::<u32>(), steps in proptest::collection::vec(-1_000_000..60_000_000_i32, 1..50)) {
            let mut unwrapper = Unwrapper::new(start);
            let mut long = i64::from(start);
            for step in steps {
                let next = long + i64::from(step);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let short = next as u32;
                prop_assert_eq!(unwrapper.unwrap(short), next);
                long = long.max(next);
            }
        }
    }
}
