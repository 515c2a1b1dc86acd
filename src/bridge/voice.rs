//! What somebody says, for a camera that takes AAC: Opus, decoded, brought to the rate and the channels of the camera, and
//! encoded.
//!
//! A stage as [`Transcoder`](super::Transcoder) is one, for sound that is heard at once and by one: what is missing becomes
//! a hole in the times, and nothing is stretched.

use super::Unsupported;
use super::decoder::Decoder;
use super::encoder::{Encoder, Sound};
use super::resampler::Resampler;
use media::{AccessUnit, Codec, Timebase, Track};

/// A hole, or an overlap, of less than this part of a second is none.
const TOLERANCE: i64 = 10;

/// Makes AAC of what somebody says.
pub struct Voice {
    source: Track,
    decoder: Decoder,
    resampler: Resampler,
    encoder: Encoder,
    rate: Timebase,
    /// Channels that come out, 1 or 2.
    channels: usize,
    /// The samples of the last access unit, in the channels that come out.
    mixed: Vec<f32>,
    /// Samples that wait to be a whole access unit, and the time of the first of them.
    pending: Vec<f32>,
    time: Option<i64>,
    made: Vec<AccessUnit>,
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice")
            .field("rate", &self.rate)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl Voice {
    /// For what comes as this track, and a camera that `takes` AAC-LC of one channel or two.
    ///
    /// # Errors
    /// Which of the two cannot be.
    pub fn new(source: &Track, takes: &Codec) -> Result<Self, Unsupported> {
        let Codec::Aac(config) = takes else {
            return Err(Unsupported::Codec(takes.name()));
        };
        let decoder = Decoder::new(&source.codec)?;
        let channels = usize::from(config.channels);
        if !matches!(channels, 1 | 2) {
            return Err(Unsupported::Channels(config.channels));
        }
        let rate = config.sample_rate.ticks_per_second();
        Ok(Self {
            resampler: Resampler::between(decoder.rate(), rate, channels),
            encoder: Encoder::aac(channels, rate)?,
            source: source.clone(),
            decoder,
            rate: config.sample_rate,
            channels,
            mixed: Vec::new(),
            pending: Vec::new(),
            time: None,
            made: Vec::new(),
        })
    }

    /// Takes what was said next, and gives what is complete with it. Times are on the clock of the camera's samples.
    pub fn push(&mut self, unit: &AccessUnit) -> impl Iterator<Item = AccessUnit> + '_ {
        let start = self.source.timebase.rescale(unit.pts, self.rate);
        let waiting = (self.pending.len() / self.channels) as i64 + self.resampler.lead();
        let expected = self.time.map(|time| time.saturating_add(waiting));
        let tolerance = i64::from(self.rate.ticks_per_second()) / TOLERANCE;
        if expected.is_none_or(|expected| start.saturating_sub(expected).abs() > tolerance) {
            self.resampler.restart();
            self.pending.clear();
            self.time = Some(start);
        }
        let from = self.decoder.channels();
        // What cannot be decoded is a hole.
        let samples = self.decoder.decode(&unit.payload).unwrap_or_default();
        self.mixed.clear();
        for sample in samples.chunks_exact(from) {
            let sum: f32 = sample.iter().sum();
            let mean = sum / from as f32;
            self.mixed.extend(std::iter::repeat_n(mean, self.channels));
        }
        self.resampler.process(&self.mixed, &mut self.pending);
        self.encode(unit);
        self.made.drain(..)
    }

    fn encode(&mut self, unit: &AccessUnit) {
        let Some(mut time) = self.time else {
            return;
        };
        let size = Sound::Aac.frame() * self.channels;
        let frames = self.pending.chunks_exact(size);
        let spent = self.pending.len() - frames.remainder().len();
        for frame in frames {
            if let Some(payload) = self.encoder.encode(frame) {
                self.made.push(AccessUnit {
                    track: unit.track,
                    dts: time,
                    pts: time,
                    random_access: true,
                    disposable: false,
                    discontinuity: false,
                    capture: None,
                    payload,
                });
            }
            time = time.saturating_add(Sound::Aac.frame() as i64);
        }
        self.pending.drain(..spent);
        self.time = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::TrackId;
    use media::codec::{aac, opus};

    #[test]
    fn what_is_said_in_opus_is_heard_in_aac_of_any_rate() {
        for (rate, channels) in [(8_000u32, 1u8), (16_000, 1), (22_050, 1), (44_100, 2)] {
            let takes = Codec::Aac(aac::Config::low_complexity(rate, channels).unwrap());
            let source = Track {
                id: TrackId(0),
                codec: Codec::Opus(opus::Config::new(2, 0, 48_000).unwrap()),
                timebase: Timebase::new(48_000).unwrap(),
            };
            let mut voice = Voice::new(&source, &takes).unwrap();
            let mut says = Encoder::new(Sound::Opus, 2, 48_000).ok().unwrap();
            let mut heard: Vec<AccessUnit> = Vec::new();
            for number in 0..100i64 {
                let tone = |sample: i64| {
                    let angle = sample as f64 * 440.0 * std::f64::consts::TAU / 48_000.0;
                    (0.5 * angle.sin()) as f32
                };
                let samples: Vec<f32> = (0..960)
                    .flat_map(|sample| [tone(number * 960 + sample); 2])
                    .collect();
                // A second of silence, in which nothing comes.
                let pause = if number >= 50 { 48_000 } else { 0 };
                let unit = AccessUnit {
                    track: TrackId(0),
                    dts: number * 960 + pause,
                    pts: number * 960 + pause,
                    random_access: true,
                    disposable: false,
                    discontinuity: false,
                    capture: None,
                    payload: says.encode(&samples).unwrap(),
                };
                heard.extend(voice.push(&unit));
            }
            let steps: Vec<i64> = heard
                .windows(2)
                .map(|pair| pair[1].pts - pair[0].pts)
                .collect();
            let long = steps.iter().filter(|step| **step != 1_024).count();
            assert_eq!(long, 1, "{rate}: {steps:?}");
            let expected = 2 * rate as usize / 1_024;
            assert!(
                expected - heard.len() <= 2,
                "{rate}: {} of {expected}",
                heard.len()
            );
            let mut decoder = Decoder::new(&takes).ok().unwrap();
            let mut samples: Vec<f32> = Vec::new();
            for unit in &heard {
                samples.extend(decoder.decode(&unit.payload).unwrap());
            }
            let squares: f32 = samples.iter().map(|sample| sample * sample).sum();
            let level = (squares / samples.len() as f32).sqrt();
            assert!((0.3..0.4).contains(&level), "{rate}: {level}");
            // Before it begins there is nothing but noise, which is no period of it.
            let first: Vec<f32> = samples.iter().step_by(channels.into()).copied().collect();
            let is_loud = |sample: &f32| sample.abs() > 0.1;
            let begin = first.iter().position(is_loud).unwrap();
            let end = first.iter().rposition(is_loud).unwrap();
            let tone = &first[begin..end];
            let sides: Vec<bool> = tone
                .iter()
                .filter(|sample| is_loud(sample))
                .map(|sample| *sample > 0.0)
                .collect();
            let rises = sides.windows(2).filter(|pair| !pair[0] && pair[1]);
            let hertz = rises.count() as f64 * f64::from(rate) / tone.len() as f64;
            assert!((430.0..450.0).contains(&hertz), "{rate}: {hertz}");
        }
    }

    #[test]
    fn what_a_camera_does_not_take_is_told() {
        let source = Track {
            id: TrackId(0),
            codec: Codec::Opus(opus::Config::new(1, 0, 48_000).unwrap()),
            timebase: Timebase::new(48_000).unwrap(),
        };
        let six = Codec::Aac(aac::Config::low_complexity(48_000, 6).unwrap());
        assert_eq!(
            Voice::new(&source, &six).err(),
            Some(Unsupported::Channels(6))
        );
        let other = Codec::G722 { channels: 1 };
        assert!(matches!(
            Voice::new(&source, &other).err(),
            Some(Unsupported::Codec(_))
        ));
    }
}
