//! A small AAC-LC encoder for sound that is made of a few low tones (ISO/IEC 14496-3 subpart 4).
//!
//! It writes channel pairs of long sine windows with one scale factor for all lines, and of the spectral
//! codebooks only the escape one (11), of which four codewords are enough: a line is either 0 or at least
//! 16, where the escape begins. At the step chosen below 16 is far below what can be heard, so nothing is
//! lost by it; for music this encoder would be wasteful. That is about all of the standard that the demo
//! needs, and less than a general encoder as a dependency.
//!
//! A frame's window reaches one frame ahead of its first sample. As the demo's sound is known in advance,
//! frame n covers the samples from n * 1024 on and a decoder plays them at its time stamp: no priming.

use super::bit_writer::BitWriter;
use std::f32::consts::PI;

/// Samples of a channel per frame.
pub(super) const FRAME: usize = 1_024;
const WINDOW: usize = 2 * FRAME;
/// Scale factor bands that are coded, and the line where they end: 2.8 kHz at 48 kHz (table 4.129).
const BANDS: u32 = 19;
const LINES: usize = 120;
/// Scale factor: lines are coded in steps of 2^((124 - 100) / 4) of the spectrum of 16-bit samples.
const SCALE_FACTOR: u32 = 124;

/// The tables that every frame needs.
pub(super) struct Encoder {
    /// A full turn of the cosine.
    cosines: Vec<f32>,
    /// The sine window.
    window: Vec<f32>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        let cosine = |at: usize| (at as f32 / (2 * WINDOW) as f32 * PI).cos();
        let window = |at: usize| ((at as f32 + 0.5) / WINDOW as f32 * PI).sin();
        Self {
            cosines: (0..4 * WINDOW).map(cosine).collect(),
            window: (0..WINDOW).map(window).collect(),
        }
    }

    /// The raw data block of the frame that begins with the first of `WINDOW` samples, which `sample` gives
    /// for left and right on the scale of 16 bits.
    pub(super) fn encode(&self, sample: impl Fn(usize) -> [f32; 2]) -> Vec<u8> {
        let samples: Vec<[f32; 2]> = (0..WINDOW).map(sample).collect();
        let mut bits = BitWriter::default();
        bits.bits(1, 3); // ID_CPE
        bits.bits(0, 4); // element_instance_tag
        bits.flag(true); // common_window
        bits.flag(false); // ics_reserved_bit
        bits.bits(0, 2); // window_sequence: ONLY_LONG_SEQUENCE
        bits.flag(false); // window_shape: sine
        bits.bits(BANDS, 6); // max_sfb
        bits.flag(false); // predictor_data_present
        bits.bits(0, 2); // ms_mask_present
        for channel in [0, 1] {
            let levels = self.spectrum(samples.iter().map(|sample| sample[channel]));
            individual_channel_stream(&mut bits, &levels);
        }
        bits.bits(7, 3); // ID_END
        bits.finish()
    }

    /// The quantised lines (clause 4.6.11.3.1, and 4.6.1.3 backwards).
    fn spectrum(&self, samples: impl Iterator<Item = f32>) -> Vec<i32> {
        let step = ((SCALE_FACTOR as f32 - 100.0) / 4.0).exp2();
        let windowed: Vec<f32> = samples
            .zip(&self.window)
            .map(|(sample, window)| sample * window)
            .collect();
        let mask = self.cosines.len() - 1;
        (0..LINES)
            .map(|line| {
                // cos(2 PI / WINDOW * (n + n0) * (line + 1/2)) with n0 = (FRAME + 1) / 2, so the angle moves
                // on by as much from sample to sample.
                let mut angle = (FRAME + 1) * (2 * line + 1);
                let mut sum = 0.0;
                for value in &windowed {
                    sum += value * self.cosines[angle & mask];
                    angle += 2 * (2 * line + 1);
                }
                let magnitude = (2.0 * sum.abs() / step).powf(0.75).round() as i32;
                let level = match magnitude {
                    0..8 => 0,
                    8..16 => 16,
                    large => large.min(8_191),
                };
                if sum < 0.0 { -level } else { level }
            })
            .collect()
    }
}

/// Tables 4.50 to 4.56, with the window's part common to both channels.
fn individual_channel_stream(bits: &mut BitWriter, levels: &[i32]) {
    bits.bits(SCALE_FACTOR, 8); // global_gain, the scale factor of the first band
    bits.bits(11, 4); // sect_cb
    bits.bits(BANDS, 5); // sect_len_incr
    // Every band keeps the scale factor of the one before: the difference 0 is the codeword 0.
    bits.bits(0, BANDS);
    bits.flag(false); // pulse_data_present
    bits.flag(false); // tns_data_present
    bits.flag(false); // gain_control_data_present
    for pair in levels.chunks_exact(2) {
        // The codewords for 0 and 16, where 16 stands for an escape (table 4.A.12),
        // each behind a leading 1.
        match (pair[0], pair[1]) {
            (0, 0) => bits.code(0b1_0000),
            (_, 0) => bits.code(0b11_1100_0010),
            (0, _) => bits.code(0b111_1000_1110),
            _ => bits.code(0b10_0100),
        }
        for level in pair.iter().filter(|level| **level != 0) {
            bits.flag(*level < 0);
        }
        for level in pair.iter().filter(|level| **level != 0) {
            escape(bits, level.unsigned_abs());
        }
    }
}

/// `hcod_esc`, clause 4.6.3.3: as many ones as the magnitude has bits beyond five, a zero, and the bits
/// behind its leading one.
fn escape(bits: &mut BitWriter, magnitude: u32) {
    let length = magnitude.ilog2();
    bits.bits(u32::MAX, length - 4);
    bits.flag(false);
    bits.bits(magnitude, length);
}
