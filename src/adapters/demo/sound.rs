//! The demo sound: a quiet fifth, one tone to each ear, and a soft beep at each full second, higher and
//! lower in turn.
//!
//! 48,000 samples per second come to whole frames of 1,024 only after 8 seconds, 375 frames. All tones have
//! whole periods in 8 seconds, so the frames repeat then too; each is encoded when first wanted and kept.

use super::aac::{Encoder, FRAME};
use bytes::Bytes;
use media::Timebase;
use media::codec::aac::Config;
use std::f32::consts::TAU;

/// Samples per second and channel.
pub(super) const RATE: u32 = 48_000;
const FRAMES: usize = 375;
const PERIOD: usize = FRAMES * FRAME;
/// Frequencies in Hz of the steady tones, left and right, and of the beeps at even and odd seconds.
const STEADY: [f32; 2] = [220.0, 330.0];
const BEEP: [f32; 2] = [880.0, 660.0];
/// Peaks on the scale of 16 bits: about -40 dB and -20 dB of full scale.
const STEADY_PEAK: f32 = 330.0;
const BEEP_PEAK: f32 = 3_300.0;
/// In seconds: how long a beep takes to its peak, and to sink to a third.
const ATTACK: f32 = 0.005;
const DECAY: f32 = 0.06;

/// Makes one frame after the other.
pub(super) struct Sound {
    encoder: Encoder,
    frames: Vec<Option<Bytes>>,
}

impl Sound {
    pub(super) fn new() -> Self {
        Self {
            encoder: Encoder::new(),
            frames: vec![None; FRAMES],
        }
    }

    /// The access unit whose first sample is `number * 1024` samples from the start.
    pub(super) fn frame(&mut self, number: u64) -> Bytes {
        let number = (number % FRAMES as u64) as usize;
        let Self { encoder, frames } = self;
        frames[number]
            .get_or_insert_with(|| encoder.encode(|at| sample(number * FRAME + at)).into())
            .clone()
    }
}

/// The configuration of AAC-LC, 48 kHz, stereo (clause 1.6.2.1 of ISO/IEC 14496-3).
pub(super) fn config() -> Config {
    Config {
        object_type: 2,
        sample_rate: RATE_TIMEBASE,
        channels: 2,
        frame_length: FRAME as u16,
        specific_config: Bytes::from_static(&[0x11, 0x90]),
    }
}

/// The clock of the track.
pub(super) const RATE_TIMEBASE: Timebase = match Timebase::new(RATE) {
    Some(timebase) => timebase,
    None => Timebase::MILLIS,
};

/// Left and right of a sample, counted from the start of the stream.
pub(super) fn sample(number: usize) -> [f32; 2] {
    let number = number % PERIOD;
    let second = number / RATE as usize;
    // Phases are taken within the second: all frequencies are whole.
    let time = (number % RATE as usize) as f32 / RATE as f32;
    let envelope = (time / ATTACK).min(1.0) * (-time / DECAY).exp();
    let beep = BEEP_PEAK * envelope * (TAU * BEEP[second % 2] * time).sin();
    STEADY.map(|frequency| STEADY_PEAK * (TAU * frequency * time).sin() + beep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_what_its_bytes_say() {
        assert_eq!(Config::parse(&config().specific_config), Ok(config()));
        assert_eq!(Config::low_complexity(RATE, 2), Ok(config()));
    }

    #[test]
    fn beeps_begin_at_full_seconds_and_silence_never() {
        let peak = |from: usize, count: usize| {
            let samples = (from..from + count).flat_map(sample);
            samples.fold(0.0, |peak: f32, value| peak.max(value.abs()))
        };
        for second in 0..8 {
            let start = second * RATE as usize;
            assert!(peak(start, 480) > 2_000.0, "second {second}");
            assert!(peak(start + 40_000, 8_000) < 400.0, "second {second}");
        }
        for start in (0..PERIOD).step_by(4_800) {
            assert!(peak(start, 4_800) > 200.0);
        }
    }

    #[test]
    fn frames_repeat_after_eight_seconds() {
        let mut sound = Sound::new();
        let first = sound.frame(7);
        assert_eq!(sound.frame(7 + FRAMES as u64).as_ptr(), first.as_ptr());
        assert_ne!(sound.frame(8), first);
        assert!(first.len() < 1_000);
    }
}
