//! Any sample rate to 48 kHz or another, by a windowed sinc of linear phase.
//!
//! The place of the next output sample within the input is an exact fraction whose denominator is the rate of the output, so
//! that nothing accumulates however long it runs. The filter is symmetric around that place: it delays
//! nothing, it only has to see [`Resampler::lead`] ahead. The place can be made to move a little faster or
//! slower ([`Resampler::set_slew`]), by which sound is stretched to follow a clock.

use super::encoder::RATE;
use std::f64::consts::PI;

/// Input samples on each side of an output sample, at rates up to 48 kHz.
const HALF: usize = 32;

/// Rows of filter coefficients for places between two input samples; between the rows it is interpolated,
/// with an error below -90 dB.
const PHASES: usize = 256;

/// Half amplitude is at this part of the lower one of the two sample rates.
const CUTOFF: f64 = 0.47;

/// Shape of the Kaiser window: the stop band is at about -77 dB.
const BETA: f64 = 7.5;

/// Sums in a dot product that do not wait for each other.
const LANES: usize = 8;

pub(super) struct Resampler {
    rate: i64,
    /// Samples per second of what comes out.
    output: u32,
    half: usize,
    /// `PHASES + 1` rows of `2 * half` coefficients.
    rows: Vec<f32>,
    /// Coefficients of the present output sample.
    taps: Vec<f32>,
    /// Input by channel, from the first that is still needed.
    history: Vec<Vec<f32>>,
    /// Place of the next output sample behind `history[half - 1]`, in parts of an input sample: as many as the output's rate.
    place: i64,
    slew: i64,
}

impl Resampler {
    /// To 48 kHz.
    pub(super) fn new(rate: u32, channels: usize) -> Self {
        Self::between(rate, RATE, channels)
    }

    /// To another rate, which is not 0.
    pub(super) fn between(rate: u32, output: u32, channels: usize) -> Self {
        // Of a higher rate more samples are needed to see as much of the lower one.
        let half = HALF * (rate.div_ceil(output).max(1) as usize);
        let mut resampler = Self {
            rate: i64::from(rate),
            output,
            half,
            rows: rows(rate, output, half),
            taps: vec![0.0; 2 * half],
            history: vec![Vec::new(); channels],
            place: 0,
            slew: 0,
        };
        resampler.restart();
        resampler
    }

    /// Forgets all input: the next output sample is at the next input sample, with silence before it.
    pub(super) fn restart(&mut self) {
        self.place = 0;
        self.slew = 0;
        for channel in &mut self.history {
            channel.clear();
            channel.resize(self.half - 1, 0.0);
        }
    }

    /// Consumes this much more or less input for an output sample, in such parts of an input sample. Less than
    /// the sample rate.
    pub(super) fn set_slew(&mut self, slew: i64) {
        self.slew = slew.clamp(-self.rate / 2, self.rate / 2);
    }

    /// Time from the next output sample to the next input sample, in samples of the output.
    pub(super) fn lead(&self) -> i64 {
        let received = self.history.first().map_or(0, Vec::len);
        let next_input = (received as i64 - (self.half as i64 - 1)) * i64::from(self.output);
        (next_input - self.place).div_euclid(self.rate)
    }

    /// Adds interleaved input and gives out all samples that it completes, interleaved.
    pub(super) fn process(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let channels = self.history.len();
        for (number, channel) in self.history.iter_mut().enumerate() {
            channel.extend(input.iter().skip(number).step_by(channels));
        }
        self.produce(output);
    }

    /// Adds `count` samples of silence per channel.
    pub(super) fn silence(&mut self, count: usize, output: &mut Vec<f32>) {
        for channel in &mut self.history {
            channel.resize(channel.len() + count, 0.0);
        }
        self.produce(output);
    }

    /// Gives out what still waits for later input, as if silence followed.
    pub(super) fn flush(&mut self, output: &mut Vec<f32>) {
        self.silence(self.half, output);
    }

    fn produce(&mut self, output: &mut Vec<f32>) {
        let received = self.history.first().map_or(0, Vec::len);
        let width = 2 * self.half;
        let unit = i64::from(self.output);
        loop {
            let first = (self.place / unit) as usize;
            if first + width > received {
                break;
            }
            self.blend(self.place % unit);
            for channel in &self.history {
                let window = channel.get(first..first + width).unwrap_or_default();
                output.push(dot(window, &self.taps).clamp(-1.0, 1.0));
            }
            self.place += self.rate + self.slew;
        }
        let spent = ((self.place / unit) as usize).min(received);
        for channel in &mut self.history {
            channel.drain(..spent);
        }
        self.place -= spent as i64 * unit;
    }

    /// Coefficients for a place between two input samples.
    fn blend(&mut self, fraction: i64) {
        let width = 2 * self.half;
        let scaled = fraction as usize * PHASES;
        let (row, rest) = (scaled / self.output as usize, scaled % self.output as usize);
        let part = rest as f32 / self.output as f32;
        let (lower, upper) = self.rows[row * width..(row + 2) * width].split_at(width);
        for ((tap, lower), upper) in self.taps.iter_mut().zip(lower).zip(upper) {
            *tap = lower + part * (upper - lower);
        }
    }
}

fn dot(window: &[f32], taps: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (window, taps) = (window.chunks_exact(LANES), taps.chunks_exact(LANES));
    for (samples, taps) in window.zip(taps) {
        for ((sum, sample), tap) in sums.iter_mut().zip(samples).zip(taps) {
            *sum += sample * tap;
        }
    }
    sums.iter().sum()
}

/// The filter at every phase, each row with a gain of 1 for a constant.
fn rows(rate: u32, output: u32, half: usize) -> Vec<f32> {
    let cutoff = CUTOFF * f64::from(output.min(rate)) / f64::from(rate);
    let mut rows = Vec::with_capacity((PHASES + 1) * 2 * half);
    for phase in 0..=PHASES {
        let fraction = phase as f64 / PHASES as f64;
        let row: Vec<f64> = (0..2 * half)
            .map(|tap| {
                let distance = tap as f64 - (half - 1) as f64 - fraction;
                sinc(2.0 * cutoff * distance) * kaiser(distance / half as f64)
            })
            .collect();
        let gain: f64 = row.iter().sum();
        rows.extend(row.iter().map(|tap| (tap / gain) as f32));
    }
    rows
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window on -1 to 1.
fn kaiser(x: f64) -> f64 {
    bessel(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel(BETA)
}

/// The modified Bessel function of the first kind, order zero, by its power series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        term *= quarter / f64::from(n * n);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 12] = [
        7_350, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200,
        96_000,
    ];

    fn sine(rate: u32, hertz: f64, count: usize) -> Vec<f32> {
        let angle = |n: usize| 2.0 * PI * hertz * n as f64 / f64::from(rate);
        (0..count).map(|n| (0.5 * angle(n).sin()) as f32).collect()
    }

    /// Largest difference from the same sine at 48 kHz, away from the ends.
    fn error(output: &[f32], hertz: f64) -> f32 {
        let expected = sine(RATE, hertz, output.len());
        let pairs = output.iter().zip(&expected);
        pairs
            .skip(600)
            .take(output.len() - 1_200)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_sine_stays_what_and_where_it_is_at_all_rates() {
        for rate in RATES {
            for part in [0.01, 0.1, 0.35] {
                let hertz = f64::from(rate.min(RATE)) * part;
                let input = sine(rate, hertz, rate as usize / 4);
                let mut resampler = Resampler::new(rate, 1);
                let mut output = Vec::new();
                for chunk in input.chunks(333) {
                    resampler.process(chunk, &mut output);
                }
                resampler.flush(&mut output);
                assert!(
                    error(&output, hertz) < 5e-4,
                    "{rate} Hz, sine of {hertz} Hz"
                );
                let expected = input.len() as f64 * f64::from(RATE) / f64::from(rate);
                assert!((output.len() as f64 - expected).abs() <= 2.0, "{rate} Hz");
            }
        }
    }

    #[test]
    fn what_48_khz_cannot_hold_is_taken_away() {
        let mut output = Vec::new();
        let mut resampler = Resampler::new(96_000, 1);
        resampler.process(&sine(96_000, 30_000.0, 48_000), &mut output);
        let loudest = output.iter().skip(600).map(|sample| sample.abs());
        assert!(loudest.fold(0.0, f32::max) < 5e-4);
    }

    #[test]
    fn a_sine_stays_what_it_is_on_the_way_to_other_rates() {
        for output in [8_000u32, 11_025, 16_000, 22_050, 44_100] {
            let hertz = f64::from(output) * 0.2;
            let mut made = Vec::new();
            let mut resampler = Resampler::between(RATE, output, 1);
            for chunk in sine(RATE, hertz, RATE as usize / 4).chunks(960) {
                resampler.process(chunk, &mut made);
            }
            resampler.flush(&mut made);
            let expected = sine(output, hertz, made.len());
            let pairs = made.iter().zip(&expected).skip(200).take(made.len() - 400);
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-3, "{output} Hz: {error}");
            assert!((made.len() as f64 - f64::from(output) / 4.0).abs() <= 2.0);
        }
        // What would be heard as something else is taken away.
        let mut made = Vec::new();
        let mut resampler = Resampler::between(RATE, 8_000, 1);
        resampler.process(&sine(RATE, 6_000.0, 24_000), &mut made);
        let loudest = made.iter().skip(200).map(|sample| sample.abs());
        assert!(loudest.fold(0.0, f32::max) < 1e-3);
    }

    #[test]
    fn channels_do_not_mix() {
        let input: Vec<f32> = sine(44_100, 440.0, 8_820)
            .into_iter()
            .flat_map(|left| [left, 0.25])
            .collect();
        let mut output = Vec::new();
        Resampler::new(44_100, 2).process(&input, &mut output);
        let left: Vec<f32> = output.iter().step_by(2).copied().collect();
        assert!(error(&left, 440.0) < 5e-4);
        let right = output.iter().skip(1_201).step_by(2);
        assert!(right.into_iter().all(|sample| (sample - 0.25).abs() < 1e-5));
    }

    #[test]
    fn nothing_accumulates() {
        for rate in [8_000u32, 22_050, 44_100] {
            // Whole seconds of input; the clock is the same whatever is heard.
            let mut resampler = Resampler::new(rate, 1);
            let (mut count, mut output) = (0, Vec::new());
            for second in 1..=5 {
                resampler.silence(rate as usize, &mut output);
                count += output.len() as i64;
                output.clear();
                assert_eq!(count + resampler.lead(), second * 48_000, "{rate}");
            }
        }
    }

    #[test]
    fn slewing_stretches_by_that_much() {
        let mut resampler = Resampler::new(44_100, 1);
        let mut output = Vec::new();
        resampler.set_slew(-441);
        resampler.silence(88_200, &mut output);
        let expected = 96_000.0 / 0.99;
        assert!((output.len() as f64 - expected).abs() < 50.0);
    }
}
