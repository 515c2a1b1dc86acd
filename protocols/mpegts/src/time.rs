//! Presentation and decoding times: 33 bits of a clock of 90 kHz (clause 2.4.3.7).

use media::clock::Unwrapper;

/// Bits of a time.
const BITS: u32 = 33;

/// The highest time, as a mask.
const MASK: u64 = (1 << BITS) - 1;

/// When an access unit is presented and decoded, in ticks of 90 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
}

/// The clock of one program. One for all its streams, so that a wrap between two of them keeps them on one axis.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    unwrapper: Unwrapper,
    now: Option<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            unwrapper: Unwrapper::new(BITS),
            now: None,
        }
    }
}

impl Clock {
    /// The newest decoding time of the program.
    pub(crate) const fn now(&self) -> Option<i64> {
        self.now
    }

    /// Times on the endless scale from those of a PES packet.
    pub(crate) fn unwrap(&mut self, pts: u64, dts: Option<u64>) -> Times {
        let dts = dts.unwrap_or(pts);
        // How much later it is presented, which is less than half of the range either way.
        let offset = (pts.wrapping_sub(dts) & MASK) as i64;
        let offset = if offset >= 1 << (BITS - 1) {
            offset - (1 << BITS)
        } else {
            offset
        };
        let dts = self.unwrapper.unwrap(dts);
        self.now = Some(dts);
        Times {
            dts,
            pts: dts.saturating_add(offset),
        }
    }
}

/// Reads the five bytes of a time behind its prefix; `None` where marker bits are missing.
pub(crate) fn read(bytes: &[u8; 5]) -> Option<u64> {
    let [a, b, c, d, e] = bytes.map(u64::from);
    (a & c & e & 1 == 1).then_some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// The five bytes of a time behind a prefix of four bits; times wrap.
pub(crate) fn write(prefix: u8, ticks: i64) -> [u8; 5] {
    let ticks = ticks as u64 & MASK;
    [
        prefix << 4 | ((ticks >> 30) as u8) << 1 | 1,
        (ticks >> 22) as u8,
        ((ticks >> 15) as u8) << 1 | 1,
        (ticks >> 7) as u8,
        (ticks as u8) << 1 | 1,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_there_and_back() {
        for ticks in [0, 1, 90_000, 0x1_2345_6789, (1 << 33) - 1] {
            let bytes = write(2, ticks);
            assert_eq!(bytes[0] >> 4, 2);
            assert_eq!(read(&bytes), Some(ticks as u64));
        }
        assert_eq!(write(3, -1), write(3, (1 << 33) - 1));
        assert_eq!(read(&[0x20, 0, 1, 0, 1]), None);
    }

    #[test]
    fn a_wrap_between_two_streams_keeps_them_together() {
        let mut clock = Clock::default();
        let end = (1u64 << 33) - 10;
        let first = clock.unwrap(5, Some(end));
        assert_eq!((first.dts, first.pts), (end as i64, end as i64 + 15));
        assert_eq!(clock.unwrap(20, None).dts, (1 << 33) + 20);
        let before = clock.unwrap(end - 4, Some(end));
        assert_eq!((before.dts, before.pts), (end as i64, end as i64 - 4));
    }
}
