//! Bit-wise reading of codec headers, most significant bit first.

/// A reader over a byte slice, bit by bit. Reading past the end is an error, never a panic.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position in bits from the start of `bytes`.
    position: usize,
}

/// The bits ended before the syntax element did, or the element was out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bitstream ended or was invalid at bit {position}")]
pub struct BitsError {
    /// Where, in bits from the start of what was read.
    pub position: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bits that have not been read.
    pub const fn remaining(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// The error for this position.
    pub const fn invalid(&self) -> BitsError {
        BitsError {
            position: self.position,
        }
    }

    /// One bit.
    pub fn flag(&mut self) -> Result<bool, BitsError> {
        let byte = self
            .bytes
            .get(self.position / 8)
            .ok_or_else(|| self.invalid())?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// An unsigned number of `count` bits (at most 32).
    pub fn bits(&mut self, count: u32) -> Result<u32, BitsError> {
        if count > 32 || self.remaining() < count as usize {
            return Err(self.invalid());
        }
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Moves on by `count` bits.
    pub fn skip(&mut self, count: usize) -> Result<(), BitsError> {
        if self.remaining() < count {
            return Err(self.invalid());
        }
        self.position += count;
        Ok(())
    }

    /// An unsigned Exp-Golomb number, `ue(v)` (ITU-T H.264 clause 9.1).
    pub fn ue(&mut self) -> Result<u32, BitsError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(self.invalid());
            }
        }
        let suffix = self.bits(zeros)?;
        Ok((1u32 << zeros) - 1 + suffix)
    }

    /// An unsigned Exp-Golomb number that is at most `max`.
    pub fn ue_at_most(&mut self, max: u32) -> Result<u32, BitsError> {
        let value = self.ue()?;
        if value > max {
            Err(self.invalid())
        } else {
            Ok(value)
        }
    }

    /// A signed Exp-Golomb number, `se(v)` (ITU-T H.264 clause 9.1.1).
    pub fn se(&mut self) -> Result<i32, BitsError> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        let value = if code % 2 == 1 { magnitude } else { -magnitude };
        i32::try_from(value).map_err(|_| self.invalid())
    }
}

/// Writes bits, for headers that encoders at hand do not make.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct BitWriter(Vec<bool>);

#[cfg(test)]
impl BitWriter {
    /// The lower bits of a value.
    pub(crate) fn bits(mut self, count: u32, value: u32) -> Self {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Unsigned Exp-Golomb numbers.
    pub(crate) fn ue(self, values: &[u32]) -> Self {
        values.iter().fold(self, |writer, value| {
            let length = (value + 1).ilog2();
            writer.bits(length, 0).bits(length + 1, value + 1)
        })
    }

    /// A signed Exp-Golomb number.
    pub(crate) fn se(self, value: i32) -> Self {
        let code = value.unsigned_abs() * 2 - u32::from(value > 0);
        self.ue(&[code])
    }

    /// What was written, filled up with zeros to a whole byte.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let bytes = self.0.chunks(8).map(|bits| {
            let byte = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            byte << (8 - bits.len())
        });
        bytes.collect()
    }

    /// A NAL unit with that header, stop bit and emulation prevention.
    pub(crate) fn nal_unit(self, header: &[u8]) -> Vec<u8> {
        let mut nal = header.to_vec();
        for byte in self.bits(1, 1).bytes() {
            if nal.ends_with(&[0, 0]) && byte <= 3 {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_follows_the_table_of_the_standard() {
        // Codes 1, 010, 011, 00100 of clause 9.1, table 9-2.
        let mut reader = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let values: Vec<u32> = (0..4).map(|_| reader.ue().unwrap()).collect();
        assert_eq!(values, [0, 1, 2, 3]);
        let mut reader = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        let values: Vec<i32> = (0..4).map(|_| reader.se().unwrap()).collect();
        assert_eq!(values, [0, 1, -1, 2]);
    }

    #[test]
    fn the_end_is_an_error_and_stays_one() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.bits(9), Err(BitsError { position: 0 }));
        assert_eq!(reader.bits(8), Ok(0xff));
        assert_eq!(reader.flag(), Err(BitsError { position: 8 }));
        assert_eq!(reader.skip(1), Err(BitsError { position: 8 }));
    }

    #[test]
    fn overlong_exp_golomb_is_refused() {
        assert!(BitReader::new(&[0; 8]).ue().is_err());
    }

    #[test]
    fn a_number_above_its_range_is_an_error() {
        let code_2 = &[0b0110_0000];
        assert_eq!(BitReader::new(code_2).ue_at_most(2), Ok(2));
        let refused = BitReader::new(code_2).ue_at_most(1);
        assert_eq!(refused, Err(BitsError { position: 3 }));
    }
}
