//! One macroblock as Intra_16x16: predicted from the edge of its neighbours ([`intra`](super::intra)), the
//! rest transformed, quantised, written, and reconstructed as every decoder will (ITU-T H.264 clauses 7.3.5
//! and 8.5.2 to 8.5.4).
//!
//! [`Coded`] holds the levels between the two halves of the work: [`code`] makes them and the
//! reconstruction, [`Coded::write`] turns them into bits. There is no choice of macroblock type here.

use super::bit_writer::BitWriter;
use super::canvas::{Canvas, Plane};
use super::cavlc::{Context, write_block};
use super::intra::{Prediction, best, difference, predict};
use super::transform::{
    Kind, ZIGZAG, forward, hadamard2, hadamard4, inverse, quantise_ac, quantise_chroma_dc,
    quantise_luma_dc, rescale_ac, rescale_chroma_dc, rescale_luma_dc,
};

/// The levels of a component, 16 blocks in luma and 4 in chroma; what is beyond stays 0.
struct Component {
    blocks: usize,
    /// The DC coefficients, in scan order.
    dc: [i32; 16],
    /// The others in scan order, by block in raster order.
    ac: [[i32; 15]; 16],
}

impl Component {
    fn has_ac(&self) -> bool {
        self.ac.iter().flatten().any(|level| *level != 0)
    }

    fn has_dc(&self) -> bool {
        self.dc.iter().any(|level| *level != 0)
    }
}

/// A macroblock ready to be written.
pub(super) struct Coded {
    luma_prediction: Prediction,
    chroma_prediction: Prediction,
    luma: Component,
    chroma: [Component; 2],
}

/// How many AC levels each 4x4 block of the picture has, which chooses the codes of its neighbours.
pub(super) struct Counts {
    /// For each component: blocks per line, and the counts line by line.
    components: [(usize, Vec<u8>); 3],
}

impl Counts {
    /// For a picture of `columns` by `rows` macroblocks.
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let of = |side: usize| (columns * side, vec![0; columns * rows * side * side]);
        Self {
            components: [of(4), of(2), of(2)],
        }
    }

    /// A macroblock without levels.
    pub(super) fn clear(&mut self, column: usize, row: usize) {
        for (component, side) in [(0, 4), (1, 2), (2, 2)] {
            let (stride, counts) = &mut self.components[component];
            for y in row * side..(row + 1) * side {
                counts[y * *stride + column * side..][..side].fill(0);
            }
        }
    }

    /// nC of the block at (`x`, `y`) (clause 9.2.1); the picture is one slice.
    fn context(&self, component: usize, x: usize, y: usize) -> u8 {
        let (stride, counts) = &self.components[component];
        let left = (x > 0).then(|| counts[y * stride + x - 1]);
        let above = (y > 0).then(|| counts[(y - 1) * stride + x]);
        match (left, above) {
            (Some(left), Some(above)) => (left + above).div_ceil(2),
            (one, other) => one.or(other).unwrap_or(0),
        }
    }

    fn set(&mut self, component: usize, x: usize, y: usize, count: u8) {
        let (stride, counts) = &mut self.components[component];
        counts[y * *stride + x] = count;
    }
}

/// Codes the macroblock at (`column`, `row`) of `source`, and puts what a decoder makes of it into
/// `reconstruction`, from whose earlier macroblocks it is predicted.
pub(super) fn code(
    source: &Canvas,
    reconstruction: &mut Canvas,
    column: usize,
    row: usize,
) -> Coded {
    let (luma_prediction, predicted) = best(column, row, |prediction| {
        let predicted = predict(&reconstruction.planes[0], 16, column, row, prediction);
        let cost = difference(&source.planes[0], &predicted, 16, column, row);
        (cost, predicted)
    });
    let luma = component(
        &source.planes[0],
        &mut reconstruction.planes[0],
        &predicted,
        (16, column, row),
    );
    let (chroma_prediction, predicted) = best(column, row, |prediction| {
        let predicted =
            [1, 2].map(|plane| predict(&reconstruction.planes[plane], 8, column, row, prediction));
        let cost = (0..2)
            .map(|at| difference(&source.planes[at + 1], &predicted[at], 8, column, row))
            .sum();
        (cost, predicted)
    });
    let chroma = [0, 1].map(|at| {
        component(
            &source.planes[at + 1],
            &mut reconstruction.planes[at + 1],
            &predicted[at],
            (8, column, row),
        )
    });
    Coded {
        luma_prediction,
        chroma_prediction,
        luma,
        chroma,
    }
}

impl Coded {
    /// Writes the macroblock layer (clause 7.3.5). `type_offset` is what the slice type adds to the
    /// number of an intra macroblock type: 0 in I, 5 in P slices (tables 7-11, 7-13).
    pub(super) fn write(
        &self,
        bits: &mut BitWriter,
        counts: &mut Counts,
        (column, row): (usize, usize),
        type_offset: u32,
    ) {
        let luma_ac = self.luma.has_ac();
        let chroma_ac = self.chroma.iter().any(Component::has_ac);
        let chroma_dc = chroma_ac || self.chroma.iter().any(Component::has_dc);
        let chroma_pattern = u32::from(chroma_dc) + u32::from(chroma_ac);
        let luma_mode = match self.luma_prediction {
            Prediction::Vertical => 0,
            Prediction::Horizontal => 1,
            Prediction::Dc => 2,
        };
        bits.ue(type_offset + 1 + luma_mode + 4 * chroma_pattern + 12 * u32::from(luma_ac));
        bits.ue(match self.chroma_prediction {
            Prediction::Dc => 0,
            Prediction::Horizontal => 1,
            Prediction::Vertical => 2,
        });
        bits.se(0); // mb_qp_delta

        counts.clear(column, row);
        let context = Context::Neighbours(counts.context(0, column * 4, row * 4));
        write_block(bits, &self.luma.dc, context);
        if luma_ac {
            for block in 0..16 {
                // Blocks go by quarters of the macroblock, figure 6-10.
                let x = (block & 1) + (block >> 2 & 1) * 2;
                let y = (block >> 1 & 1) + (block >> 3) * 2;
                let levels = &self.luma.ac[y * 4 + x];
                write_counted(bits, counts, levels, (0, column * 4 + x, row * 4 + y));
            }
        }
        if chroma_dc {
            for component in &self.chroma {
                write_block(bits, &component.dc[..component.blocks], Context::ChromaDc);
            }
        }
        if chroma_ac {
            for (at, component) in self.chroma.iter().enumerate() {
                for (block, levels) in component.ac[..component.blocks].iter().enumerate() {
                    let place = (at + 1, column * 2 + block % 2, row * 2 + block / 2);
                    write_counted(bits, counts, levels, place);
                }
            }
        }
    }
}

fn write_counted(
    bits: &mut BitWriter,
    counts: &mut Counts,
    levels: &[i32; 15],
    (component, x, y): (usize, usize, usize),
) {
    let context = Context::Neighbours(counts.context(component, x, y));
    let count = write_block(bits, levels, context);
    counts.set(component, x, y, count);
}

/// Transforms and quantises one component, and reconstructs it.
fn component(
    source: &Plane,
    reconstruction: &mut Plane,
    predicted: &[u8; 256],
    (side, column, row): (usize, usize, usize),
) -> Component {
    let kind = if side == 16 { Kind::Luma } else { Kind::Chroma };
    let (left, top) = (column * side, row * side);
    let corner = |block: usize| (block % (side / 4) * 4, block / (side / 4) * 4);
    let blocks = side * side / 16;
    let mut coded = Component {
        blocks,
        dc: [0; 16],
        ac: [[0; 15]; 16],
    };
    let mut dc = [0; 16];
    for (block, dc) in dc.iter_mut().enumerate().take(blocks) {
        let (x, y) = corner(block);
        let mut residual = [0; 16];
        for (line, residual) in residual.chunks_exact_mut(4).enumerate() {
            let samples = source.line(left + x, top + y + line, 4);
            let predicted = &predicted[(y + line) * side + x..][..4];
            for ((out, sample), predicted) in residual.iter_mut().zip(samples).zip(predicted) {
                *out = i32::from(*sample) - i32::from(*predicted);
            }
        }
        if residual != [0; 16] {
            let coefficients = forward(&residual);
            *dc = coefficients[0];
            for (level, position) in coded.ac[block].iter_mut().zip(&ZIGZAG[1..]) {
                *level = quantise_ac(coefficients[*position], kind, *position);
            }
        }
    }
    if kind == Kind::Luma {
        let levels = hadamard4(&dc).map(quantise_luma_dc);
        coded.dc = ZIGZAG.map(|at| levels[at]);
        dc = hadamard4(&levels).map(rescale_luma_dc);
    } else {
        let levels = hadamard2([dc[0], dc[1], dc[2], dc[3]]).map(quantise_chroma_dc);
        coded.dc[..4].copy_from_slice(&levels);
        dc[..4].copy_from_slice(&hadamard2(levels).map(rescale_chroma_dc));
    }
    for (block, dc) in dc.into_iter().enumerate().take(blocks) {
        let residual = residual(&coded.ac[block], dc, kind);
        let (x, y) = corner(block);
        for (line, residual) in residual.chunks_exact(4).enumerate() {
            let predicted = &predicted[(y + line) * side + x..][..4];
            let out = reconstruction.line_mut(left + x, top + y + line, 4);
            for ((out, predicted), residual) in out.iter_mut().zip(predicted).zip(residual) {
                *out = (i32::from(*predicted) + residual).clamp(0, 255) as u8;
            }
        }
    }
    coded
}

/// What a decoder adds to the prediction of a block for its levels and its scaled DC coefficient.
fn residual(levels: &[i32; 15], dc: i32, kind: Kind) -> [i32; 16] {
    if *levels == [0; 15] {
        // The transform of DC alone is flat.
        return [(dc + 32) >> 6; 16];
    }
    let mut scaled = [0; 16];
    scaled[0] = dc;
    for (level, position) in levels.iter().zip(&ZIGZAG[1..]) {
        scaled[*position] = rescale_ac(*level, kind, *position);
    }
    inverse(&scaled)
}
