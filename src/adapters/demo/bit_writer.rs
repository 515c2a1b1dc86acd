//! Bit-wise writing, most significant bit first: what the H.264 and the AAC writer share. It knows the
//! Exp-Golomb codes of H.264 and nothing else of either syntax.

/// Bytes that grow bit by bit.
#[derive(Clone, Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The bits that do not fill a byte yet, in the low end.
    pending: u64,
    /// How many they are; less than 8 between calls.
    count: u32,
}

impl BitWriter {
    /// The `count` (at most 32) low bits of `value`.
    pub(super) fn bits(&mut self, value: u32, count: u32) {
        let mask = (1u64 << count) - 1;
        self.pending = self.pending << count | (u64::from(value) & mask);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
    }

    /// One bit.
    pub(super) fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// A code of a table of variable length codes: its bits behind a leading 1 that is not written.
    pub(super) fn code(&mut self, code: u32) {
        self.bits(code, code.ilog2());
    }

    /// `ue(v)`, ITU-T H.264 clause 9.1.
    pub(super) fn ue(&mut self, value: u32) {
        let length = (value + 1).ilog2();
        self.bits(0, length);
        self.bits(value + 1, length + 1);
    }

    /// `se(v)`, ITU-T H.264 clause 9.1.1.
    pub(super) fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs() * 2;
        self.ue(if value > 0 { magnitude - 1 } else { magnitude });
    }

    /// The bytes, with zeros behind the last bit up to the end of its byte.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bits(0, 8 - self.count);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::bits::BitReader;

    #[test]
    fn what_is_written_can_be_read() {
        let mut writer = BitWriter::default();
        for value in 0..300 {
            writer.ue(value);
            writer.se(150 - value as i32);
            writer.bits(value, 9);
        }
        writer.code(0b1_0010);
        writer.bits(0xdead_beef, 32);
        let bytes = writer.finish();
        let mut reader = BitReader::new(&bytes);
        for value in 0..300 {
            assert_eq!(reader.ue(), Ok(value));
            assert_eq!(reader.se(), Ok(150 - value as i32));
            assert_eq!(reader.bits(9), Ok(value));
        }
        assert_eq!(reader.bits(4), Ok(0b0010));
        assert_eq!(reader.bits(32), Ok(0xdead_beef));
        assert!(reader.remaining() < 8);
    }
}
