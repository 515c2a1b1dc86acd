//! Little-endian numbers in base 128, `leb128()` (section 4.10.5): seven bits a byte, lowest first, the highest
//! bit of a byte says that another follows.

use bytes::BufMut;

/// Most bytes of one number.
const MAX_LENGTH: usize = 8;

/// The number at the beginning of `bytes` and how many bytes it takes; `None` when it is cut off, has more than 8
/// bytes or needs more than 32 bits.
pub fn read(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(MAX_LENGTH).enumerate() {
        value |= u64::from(byte & 0x7f) << (index * 7);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, index + 1));
        }
    }
    None
}

/// Writes a number in as few bytes as it needs.
pub fn write(out: &mut impl BufMut, mut value: u32) {
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// How many bytes [`write()`] takes, 1 to 5.
pub const fn length(value: u32) -> usize {
    match value.checked_ilog2() {
        Some(highest) => highest as usize / 7 + 1,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short_and_read_back() {
        let cases: [(u32, &[u8]); 7] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            write(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(length(value), bytes.len());
            assert_eq!(read(bytes), Some((value, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn long_forms_are_read_up_to_8_bytes_and_32_bits() {
        assert_eq!(
            read(&[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 9]),
            Some((5, 8))
        );
        assert_eq!(read(&[0x80; 9]), None);
        assert_eq!(
            read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
            None
        );
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x10]), None);
    }
}
