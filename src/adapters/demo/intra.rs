//! Intra prediction of whole macroblocks (ITU-T H.264 clauses 8.3.3 and 8.3.4): the square that a decoder
//! starts from, and the choice of the one that leaves the least. The plane mode is left out: nothing in the
//! demo's picture slopes.

use super::canvas::Plane;

/// From where a macroblock is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    Vertical,
    Horizontal,
    Dc,
}

impl Prediction {
    const ALL: [Self; 3] = [Self::Dc, Self::Vertical, Self::Horizontal];

    fn available(self, column: usize, row: usize) -> bool {
        match self {
            Self::Dc => true,
            Self::Vertical => row > 0,
            Self::Horizontal => column > 0,
        }
    }
}

/// The available prediction of the least cost, with what else `attempt` returns for it.
pub(super) fn best<T>(
    column: usize,
    row: usize,
    attempt: impl Fn(Prediction) -> (u32, T),
) -> (Prediction, T) {
    let (mut found, (mut least, mut with)) = (Prediction::Dc, attempt(Prediction::Dc));
    for prediction in Prediction::ALL {
        if least > 0 && prediction != Prediction::Dc && prediction.available(column, row) {
            let (cost, other) = attempt(prediction);
            if cost < least {
                (found, least, with) = (prediction, cost, other);
            }
        }
    }
    (found, with)
}

/// The prediction of a square of `side` samples, line by line: 16 in luma (clause 8.3.3), 8 in chroma
/// (clause 8.3.4), where only the first 64 are meant.
pub(super) fn predict(
    plane: &Plane,
    side: usize,
    column: usize,
    row: usize,
    prediction: Prediction,
) -> [u8; 256] {
    let (x, y) = (column * side, row * side);
    let above = (row > 0).then(|| plane.line(x, y - 1, side));
    let mut edge = [0; 16];
    if column > 0 {
        for (line, sample) in edge[..side].iter_mut().enumerate() {
            *sample = plane.line(x - 1, y + line, 1)[0];
        }
    }
    let left = (column > 0).then_some(&edge[..side]);
    let mut out = [128; 256];
    let lines = out.chunks_exact_mut(side).take(side);
    match (prediction, above, left) {
        (Prediction::Vertical, Some(above), _) => {
            lines.for_each(|line| line.copy_from_slice(above));
        }
        (Prediction::Horizontal, _, Some(left)) => {
            lines
                .zip(left)
                .for_each(|(line, sample)| line.fill(*sample));
        }
        _ if side == 16 => out.fill(mean(above, left)),
        _ => {
            // Each 4x4 block of chroma has its own mean; off the diagonal it keeps to one side.
            let part = |edge: Option<&'_ [u8]>, at: usize| {
                edge.map(|edge| [edge[at], edge[at + 1], edge[at + 2], edge[at + 3]])
            };
            let value = |x: usize, y: usize| {
                let (above, left) = (part(above, x), part(left, y));
                let (above, left) = match (x, y) {
                    (4, 0) => (above.or(left), None),
                    (0, 4) => (None, left.or(above)),
                    _ => (above, left),
                };
                mean(
                    above.as_ref().map(|edge| &edge[..]),
                    left.as_ref().map(|edge| &edge[..]),
                )
            };
            let values = [[value(0, 0), value(4, 0)], [value(0, 4), value(4, 4)]];
            for (at, line) in lines.enumerate() {
                line[..4].fill(values[at / 4][0]);
                line[4..].fill(values[at / 4][1]);
            }
        }
    }
    out
}

/// The rounded mean of what there is; 128 of nothing.
fn mean(one: Option<&[u8]>, other: Option<&[u8]>) -> u8 {
    let (mut count, mut sum) = (0, 0);
    for edge in [one, other].into_iter().flatten() {
        count += edge.len() as u32;
        sum += edge.iter().map(|sample| u32::from(*sample)).sum::<u32>();
    }
    (sum + count / 2).checked_div(count).unwrap_or(128) as u8
}

/// The sum of the absolute differences of a square and its prediction.
pub(super) fn difference(
    plane: &Plane,
    predicted: &[u8],
    side: usize,
    column: usize,
    row: usize,
) -> u32 {
    let mut sum = 0;
    for (y, predicted) in predicted.chunks_exact(side).take(side).enumerate() {
        let line = plane.line(column * side, row * side + y, side);
        for (sample, predicted) in line.iter().zip(predicted) {
            sum += u32::from(sample.abs_diff(*predicted));
        }
    }
    sum
}
