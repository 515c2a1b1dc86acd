//! The checksum of sections: CRC-32 as MPEG-2 has it, highest bit first and not inverted (annex A).

const POLYNOMIAL: u32 = 0x04c1_1db7;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = value >> 31 == 1;
            value <<= 1;
            if carry {
                value ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// The checksum of these bytes; 0 of bytes that end with their own.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let index = (crc >> 24) as u8 ^ byte;
        // The table has a value for each byte.
        crc << 8 ^ TABLE.get(usize::from(index)).copied().unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
        let with = [b"123456789".as_slice(), &0x0376_e6e7u32.to_be_bytes()].concat();
        assert_eq!(crc32(&with), 0);
    }
}
