//! The 4x4 transforms of H.264 and their quantisation (ITU-T H.264 clauses 8.5.6 to 8.5.12), at the two
//! fixed quantisation parameters of the demo. The inverse is exact by the standard; the forward direction
//! is the usual integer counterpart.

/// Quantisation parameter of luma, 6 to 29 so that chroma follows linearly (table 8-15).
pub(super) const LUMA_QP: u32 = 29;
/// Quantisation parameter of chroma: finer, because saturated edges show errors first.
pub(super) const CHROMA_QP: u32 = 27;

/// Which of the two quantisation parameters a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Luma,
    Chroma,
}

impl Kind {
    const fn qp(self) -> u32 {
        match self {
            Self::Luma => LUMA_QP,
            Self::Chroma => CHROMA_QP,
        }
    }
}

/// Scan order of a 4x4 block, as raster positions (clause 8.5.6, frame macroblocks).
pub(super) const ZIGZAG: [usize; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];

/// `normAdjust4x4`, equation 8-315: by QP % 6, for positions of class (even, even), (odd, odd), others.
const SCALE: [[i32; 3]; 6] = [
    [10, 16, 13],
    [11, 18, 14],
    [13, 20, 16],
    [14, 23, 18],
    [16, 25, 20],
    [18, 29, 23],
];

const fn class(position: usize) -> usize {
    match (position / 4 % 2, position % 2) {
        (0, 0) => 0,
        (1, 1) => 1,
        _ => 2,
    }
}

const fn scale(qp: u32, position: usize) -> i32 {
    SCALE[(qp % 6) as usize][class(position)]
}

/// What quantisation multiplies with, in units of 2^-15: what `SCALE` and the squared norms of the basis
/// functions of both directions leave to be divided by.
const fn inverse_scale(qp: u32, position: usize) -> i32 {
    let norm = [16, 25, 20][class(position)];
    let divisor = norm * scale(qp, position);
    ((1 << 21) + divisor / 2) / divisor
}

/// The core transform of a 4x4 residual in raster order.
pub(super) fn forward(residual: &[i32; 16]) -> [i32; 16] {
    let pass = |a: i32, b: i32, c: i32, d: i32| {
        let (s0, s1, d0, d1) = (a + d, b + c, a - d, b - c);
        [s0 + s1, 2 * d0 + d1, s0 - s1, d0 - 2 * d1]
    };
    rows_then_columns(residual, pass)
}

/// The inverse of scaled coefficients, rounded to samples (clause 8.5.12.2).
pub(super) fn inverse(scaled: &[i32; 16]) -> [i32; 16] {
    let pass = |a: i32, b: i32, c: i32, d: i32| {
        let (e, f) = (a + c, a - c);
        let (g, h) = ((b >> 1) - d, b + (d >> 1));
        [e + h, f + g, f - g, e - h]
    };
    rows_then_columns(scaled, pass).map(|sample| (sample + 32) >> 6)
}

/// The Hadamard transform of the sixteen DC coefficients of Intra_16x16; its own inverse up to a factor.
pub(super) fn hadamard4(dc: &[i32; 16]) -> [i32; 16] {
    let pass = |a: i32, b: i32, c: i32, d: i32| {
        let (e, f, g, h) = (a + b, a - b, c + d, c - d);
        [e + g, e - g, f - h, f + h]
    };
    rows_then_columns(dc, pass)
}

/// The same of the four DC coefficients of a chroma component.
pub(super) fn hadamard2([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
}

fn rows_then_columns(
    block: &[i32; 16],
    pass: impl Fn(i32, i32, i32, i32) -> [i32; 4],
) -> [i32; 16] {
    let mut rows = [0; 16];
    for y in 0..4 {
        let row = &block[y * 4..y * 4 + 4];
        rows[y * 4..y * 4 + 4].copy_from_slice(&pass(row[0], row[1], row[2], row[3]));
    }
    let mut out = [0; 16];
    for x in 0..4 {
        let column = pass(rows[x], rows[x + 4], rows[x + 8], rows[x + 12]);
        for (y, value) in column.into_iter().enumerate() {
            out[y * 4 + x] = value;
        }
    }
    out
}

/// `inverse_scale` of luma and of chroma by position.
const INVERSE_SCALES: [[i32; 16]; 2] = {
    let mut scales = [[0; 16]; 2];
    let mut position = 0;
    while position < 16 {
        scales[0][position] = inverse_scale(LUMA_QP, position);
        scales[1][position] = inverse_scale(CHROMA_QP, position);
        position += 1;
    }
    scales
};

/// `coefficient` as a level, rounded with a dead zone of a third; `extra` halvings make up for a Hadamard
/// transform before.
fn quantise(coefficient: i32, kind: Kind, position: usize, extra: u32) -> i32 {
    let qp = kind.qp();
    let shift = 15 + qp / 6 + extra;
    let scaled = coefficient.abs() * INVERSE_SCALES[kind as usize][position];
    let level = (scaled + (1 << shift) / 3) >> shift;
    if coefficient < 0 { -level } else { level }
}

/// The level of the coefficient at `position` of a block.
pub(super) fn quantise_ac(coefficient: i32, kind: Kind, position: usize) -> i32 {
    quantise(coefficient, kind, position, 0)
}

/// The level of a coefficient of [`hadamard4`].
pub(super) fn quantise_luma_dc(coefficient: i32) -> i32 {
    quantise(coefficient, Kind::Luma, 0, 2)
}

/// The level of a coefficient of [`hadamard2`].
pub(super) fn quantise_chroma_dc(coefficient: i32) -> i32 {
    quantise(coefficient, Kind::Chroma, 0, 1)
}

/// A level of a block back as a scaled coefficient (clause 8.5.12.1; the default scaling lists are flat, so
/// their factor of 16 cancels).
pub(super) fn rescale_ac(level: i32, kind: Kind, position: usize) -> i32 {
    (level * scale(kind.qp(), position)) << (kind.qp() / 6)
}

/// A transformed luma DC level as the scaled coefficient of its block (equations 8-321, 8-322).
pub(super) fn rescale_luma_dc(transformed: i32) -> i32 {
    (transformed * 16 * scale(LUMA_QP, 0) + (1 << (5 - LUMA_QP / 6))) >> (6 - LUMA_QP / 6)
}

/// Likewise of chroma (equation 8-330).
pub(super) fn rescale_chroma_dc(transformed: i32) -> i32 {
    ((transformed * 16 * scale(CHROMA_QP, 0)) << (CHROMA_QP / 6)) >> 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_survives_within_the_quantiser_step() {
        let residual: [i32; 16] = std::array::from_fn(|at| (at as i32 * 37) % 101 - 50);
        let coefficients = forward(&residual);
        for kind in [Kind::Luma, Kind::Chroma] {
            let scaled = std::array::from_fn(|at| {
                rescale_ac(quantise_ac(coefficients[at], kind, at), kind, at)
            });
            // 2^((QP - 4) / 6) is the step, of which half and a little may be lost.
            let step = 2f32.powf((kind.qp() as f32 - 4.0) / 6.0);
            for (found, wanted) in inverse(&scaled).into_iter().zip(residual) {
                assert!(
                    (found - wanted).abs() as f32 <= step,
                    "{found} for {wanted}"
                );
            }
        }
    }

    #[test]
    fn flat_blocks_survive_the_second_transform() {
        for value in [-200, -31, -7, 8, 60, 219] {
            let dc = forward(&[value; 16])[0];
            let level = quantise_luma_dc(hadamard4(&[dc; 16])[0]);
            let mut dcs = [0; 16];
            dcs[0] = level;
            let scaled = rescale_luma_dc(hadamard4(&dcs)[5]);
            let mut block = [0; 16];
            block[0] = scaled;
            assert!((inverse(&block)[9] - value).abs() <= 2, "luma {value}");

            let level = quantise_chroma_dc(hadamard2([dc; 4])[0]);
            block[0] = rescale_chroma_dc(hadamard2([level, 0, 0, 0])[3]);
            assert!((inverse(&block)[9] - value).abs() <= 2, "chroma {value}");
        }
    }
}
