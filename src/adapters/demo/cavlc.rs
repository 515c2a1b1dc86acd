//! Blocks of transform coefficient levels as CAVLC writes them (ITU-T H.264 clauses 7.3.5.3.2 and 9.2).

use super::bit_writer::BitWriter;
use super::cavlc_tables::{
    COEFF_TOKEN_0, COEFF_TOKEN_2, COEFF_TOKEN_4, COEFF_TOKEN_CHROMA_DC, RUN_BEFORE, TOTAL_ZEROS,
    TOTAL_ZEROS_CHROMA_DC,
};

/// What chooses the table of `coeff_token`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Context {
    /// nC, the mean number of levels in the neighbouring blocks.
    Neighbours(u8),
    /// The four DC coefficients of a chroma component.
    ChromaDc,
}

/// Writes the levels of a block, in scan order, and returns how many of them are not 0.
pub(super) fn write_block(bits: &mut BitWriter, levels: &[i32], context: Context) -> u8 {
    // Positions and levels from the highest frequency down, as the bits go.
    let (mut positions, mut coded, mut total) = ([0; 16], [0; 16], 0);
    for (at, level) in levels.iter().enumerate().rev() {
        if *level != 0 {
            (positions[total], coded[total]) = (at, *level);
            total += 1;
        }
    }
    let (positions, coded) = (&positions[..total], &coded[..total]);
    let ones = coded
        .iter()
        .take(3)
        .take_while(|level| level.abs() == 1)
        .count();

    write_token(bits, total, ones, context);
    let Some(last) = positions.first() else {
        return 0;
    };
    for level in &coded[..ones] {
        bits.flag(*level < 0);
    }
    write_levels(bits, &coded[ones..], total, ones);

    let mut zeros_left = last + 1 - total;
    if total < levels.len() {
        bits.code(match context {
            Context::ChromaDc => TOTAL_ZEROS_CHROMA_DC[total - 1][zeros_left],
            Context::Neighbours(_) => TOTAL_ZEROS[total - 1][zeros_left],
        });
    }
    for pair in positions.windows(2) {
        if zeros_left == 0 {
            break;
        }
        let run = pair[0] - pair[1] - 1;
        bits.code(RUN_BEFORE[zeros_left.min(7) - 1][run]);
        zeros_left -= run;
    }
    total as u8
}

fn write_token(bits: &mut BitWriter, total: usize, ones: usize, context: Context) {
    let table: &[&[u32]] = match context {
        Context::ChromaDc => &COEFF_TOKEN_CHROMA_DC,
        Context::Neighbours(0..=1) => &COEFF_TOKEN_0,
        Context::Neighbours(2..=3) => &COEFF_TOKEN_2,
        Context::Neighbours(4..=7) => &COEFF_TOKEN_4,
        Context::Neighbours(_) => {
            // The last column of table 9-5 is a plain number of six bits.
            let token = match total {
                0 => 3,
                total => (total - 1) << 2 | ones,
            };
            return bits.bits(token as u32, 6);
        }
    };
    bits.code(table[total][ones]);
}

/// The levels behind the trailing ones (clause 9.2.2.1).
fn write_levels(bits: &mut BitWriter, levels: &[i32], total: usize, ones: usize) {
    let mut suffix_length = u32::from(total > 10 && ones < 3);
    for (at, level) in levels.iter().enumerate() {
        let magnitude = level.unsigned_abs();
        let mut code = 2 * magnitude - 2 + u32::from(*level < 0);
        if at == 0 && ones < 3 {
            // It would have been another trailing one if it were 1.
            code -= 2;
        }
        if suffix_length == 0 && code < 14 {
            unary(bits, code);
        } else if suffix_length == 0 && code < 30 {
            unary(bits, 14);
            bits.bits(code - 14, 4);
        } else if suffix_length > 0 && code < 15 << suffix_length {
            unary(bits, code >> suffix_length);
            bits.bits(code, suffix_length);
        } else {
            // The escape has 12 bits, more than any level of 8-bit video at the demo's QP needs.
            unary(bits, 15);
            bits.bits(code - (15 << suffix_length).max(30), 12);
        }
        suffix_length = suffix_length.max(1);
        if magnitude > 3 << (suffix_length - 1) && suffix_length < 6 {
            suffix_length += 1;
        }
    }
}

/// `level_prefix`: as many zeros, then a one.
fn unary(bits: &mut BitWriter, zeros: u32) {
    bits.bits(1, zeros + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_worked_by_hand() {
        // levels in scan order, nC, bits
        let cases: [(&[i32], u8, &str); 4] = [
            (&[0; 16], 0, "1"),
            (&[0; 15], 16, "000011"),
            // One trailing one at frequency 0: token 01, sign 0, no zeros 1.
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, "0101"),
            // Five levels, three of them trailing ones, three zeros between (runs 1, 0, 0, 1 and 1).
            (
                &[0, 3, 0, 1, -1, -1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                0,
                "000010001110010111101101",
            ),
        ];
        for (levels, nc, expected) in cases {
            let mut bits = BitWriter::default();
            let total = write_block(&mut bits, levels, Context::Neighbours(nc));
            let bytes = bits.finish();
            let found: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
            assert_eq!(&found[..expected.len()], expected);
            assert!(found[expected.len()..].chars().all(|bit| bit == '0'));
            assert_eq!(
                usize::from(total),
                levels.iter().filter(|level| **level != 0).count()
            );
        }
    }
}
