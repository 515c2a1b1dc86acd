//! G.711 companding (ITU-T G.711 clause 3, tables 1 and 2): a byte to a level. Encoding is not needed here.

use media::codec::g711::Law;

static A: [f32; 256] = levels(Law::A);
static MU: [f32; 256] = levels(Law::Mu);

/// The level of every byte on the scale of ±1.
pub(super) const fn table(law: Law) -> &'static [f32; 256] {
    match law {
        Law::A => &A,
        Law::Mu => &MU,
    }
}

const fn levels(law: Law) -> [f32; 256] {
    let mut levels = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        let level = match law {
            Law::A => a_law(byte as u8),
            Law::Mu => mu_law(byte as u8),
        };
        levels[byte] = level as f32 / 32_768.0;
        byte += 1;
    }
    levels
}

/// A 13-bit level, on the scale of 16 bits. Even bits are inverted on the line; the sign bit is set for
/// positive values.
const fn a_law(byte: u8) -> i32 {
    let byte = byte ^ 0x55;
    let (segment, step) = ((byte >> 4 & 7) as u32, (byte & 15) as i32);
    // The middle of a step; the two lowest segments are one straight line.
    let magnitude = match segment {
        0 => step << 4 | 8,
        _ => (step << 4 | 0x108) << (segment - 1),
    };
    if byte & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// A 14-bit level, on the scale of 16 bits. All bits are inverted on the line.
const fn mu_law(byte: u8) -> i32 {
    let byte = !byte;
    let (segment, step) = ((byte >> 4 & 7) as u32, (byte & 15) as i32);
    // Segments begin at 33 times a power of two, moved down so that the first begins at 0.
    let magnitude = ((step << 3 | 0x84) << segment) - 0x84;
    if byte & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_tables_of_the_standard() {
        // Byte on the line, decoder output value of the table times the scale (A-law 8, µ-law 4).
        let a = [
            (0xaa, 4_032 * 8),
            (0x2a, -4_032 * 8),
            (0xd5, 8),
            (0x55, -8),
            (0xd4, 24),
            (0xc5, 33 * 8),
        ];
        for (byte, level) in a {
            assert_eq!(a_law(byte), level, "{byte:02x}");
        }
        let mu = [
            (0x80, 8_031 * 4),
            (0x00, -8_031 * 4),
            (0xff, 0),
            (0x7f, 0),
            (0xfe, 2 * 4),
            (0xef, 33 * 4),
        ];
        for (byte, level) in mu {
            assert_eq!(mu_law(byte), level, "{byte:02x}");
        }
    }

    #[test]
    fn levels_grow_with_their_codes() {
        for law in [Law::A, Law::Mu] {
            let mut levels = table(law).to_vec();
            assert!(levels.iter().all(|level| level.abs() < 1.0));
            let sum: f32 = levels.iter().sum();
            assert!(sum.abs() < 1e-3, "{law:?} is as loud up as down");
            levels.sort_by(f32::total_cmp);
            levels.dedup();
            // µ-law has two codes for zero.
            assert_eq!(levels.len(), if law == Law::A { 256 } else { 255 });
        }
    }
}
