//! Coded sound to samples: AAC-LC by symphonia (of more than two channels by syom, mixed down), Opus by opus-rs, G.711 by
//! table.
//!
//! HE-AAC is an AAC-LC core of half the sample rate with a description of what lies above; the core is
//! decoded and the rest left out, which sounds duller but is complete in time. The same holds for parametric
//! stereo: its core is mono.

use super::encoder::RATE;
use super::g711;
use super::surround::Surround;
use media::codec::{aac, opus};
use media::{Codec, Timebase};
use opus_rs::OpusDecoder;
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// Samples of a channel in an AAC access unit.
pub(super) const AAC_FRAME: usize = 1_024;

/// Sample rates that are taken; no codec in use goes beyond.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=96_000;

/// Access units of nothing but zeros, mono and stereo (ISO/IEC 14496-3 clause 4.4.2.1): a single channel
/// element or a channel pair element without scale factor bands, and the end.
const SILENT_MONO: &[u8] = &[0, 0, 0, 0x07];
const SILENT_STEREO: &[u8] = &[0x21, 0, 0, 0, 0, 0x1c];

/// Why the sound of a track cannot be transcoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Not AAC, not G.711 and not Opus.
    #[error("{0} is not transcoded")]
    Codec(&'static str),
    /// Another AAC than Low Complexity.
    #[error("AAC object type {0} is not transcoded, only 2 (LC)")]
    ObjectType(u8),
    /// A frame length other than 1,024.
    #[error("AAC with {0} samples per frame is not transcoded, only with 1,024")]
    FrameLength(u16),
    /// More than the codec has places for, or none.
    #[error("{0} channels are not transcoded")]
    Channels(u8),
    /// A sample rate that no codec in use has.
    #[error("sound of {0} samples per second is not transcoded")]
    SampleRate(u32),
    /// A codec could not be set up.
    #[error("the {0} cannot be started")]
    Setup(&'static str),
}

/// An access unit that cannot be decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damaged;

/// A decoder of one track.
pub(super) struct Decoder {
    form: Form,
    rate: u32,
    channels: usize,
    /// Interleaved samples of the last access unit.
    samples: Vec<f32>,
}

enum Form {
    Aac {
        decoder: Box<AacDecoder>,
        config: aac::Config,
    },
    G711(&'static [f32; 256]),
    Opus(Box<OpusDecoder>),
    Surround(Surround),
}

impl Decoder {
    pub(super) fn new(codec: &Codec) -> Result<Self, Unsupported> {
        let (rate, channels) = match codec {
            Codec::Aac(config) => (config.sample_rate, config.channels),
            Codec::G711 {
                sample_rate,
                channels,
                ..
            } => (*sample_rate, *channels),
            Codec::Opus(config) => (opus::TIMEBASE, config.channels),
            other => return Err(Unsupported::Codec(other.name())),
        };
        let is_surround = matches!(codec, Codec::Aac(_)) && matches!(channels, 3..=8);
        if !is_surround && !matches!(channels, 1 | 2) {
            return Err(Unsupported::Channels(channels));
        }
        let rate = Timebase::ticks_per_second(rate);
        if !RATES.contains(&rate) {
            return Err(Unsupported::SampleRate(rate));
        }
        let form = match codec {
            Codec::Aac(config) if is_surround => {
                let config = core(config)?.specific_config;
                let decoder = Surround::new(&config);
                Form::Surround(decoder.ok_or(Unsupported::Setup("AAC decoder"))?)
            }
            Codec::Aac(config) => aac(config)?,
            Codec::G711 { law, .. } => Form::G711(g711::table(*law)),
            Codec::Opus(_) => Form::Opus(opus_decoder(channels.into())?),
            other => return Err(Unsupported::Codec(other.name())),
        };
        Ok(Self {
            form,
            rate,
            channels: if is_surround { 2 } else { channels.into() },
            samples: Vec::new(),
        })
    }

    /// Samples per second and channel.
    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    /// 1 or 2.
    pub(super) const fn channels(&self) -> usize {
        self.channels
    }

    /// Samples per channel that `payload` stands for, whether or not it can be decoded.
    pub(super) fn duration(&self, payload: &[u8]) -> usize {
        match self.form {
            Form::Aac { .. } | Form::Surround(_) => AAC_FRAME,
            Form::G711(_) => payload.len() / self.channels,
            Form::Opus(_) => opus::duration(payload).map_or(0, |samples| samples as usize),
        }
    }

    /// The interleaved samples of an access unit.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<&[f32], Damaged> {
        self.samples.clear();
        match &mut self.form {
            Form::Aac { decoder, config } => match run(decoder, payload, &mut self.samples) {
                Ok(()) if self.samples.len() == AAC_FRAME * self.channels => {}
                Ok(()) => return Err(Damaged),
                Err(Broken::Frame) => return Err(Damaged),
                Err(Broken::Decoder) => {
                    if let Ok(Form::Aac { decoder: fresh, .. }) = aac(config) {
                        *decoder = fresh;
                    }
                    return Err(Damaged);
                }
            },
            Form::Surround(decoder) => {
                if !decoder.decode(payload, &mut self.samples)
                    || self.samples.len() != AAC_FRAME * self.channels
                {
                    return Err(Damaged);
                }
            }
            Form::G711(levels) => {
                let whole = payload.len() - payload.len() % self.channels;
                let bytes = payload.iter().take(whole);
                self.samples
                    .extend(bytes.map(|byte| levels[usize::from(*byte)]));
            }
            Form::Opus(decoder) => {
                let length = opus::duration(payload).ok_or(Damaged)? as usize;
                self.samples.resize(length * self.channels, 0.0);
                let decode =
                    AssertUnwindSafe(|| decoder.decode(payload, length, &mut self.samples));
                let decoded = catch_unwind(decode);
                if decoded.is_err()
                    && let Ok(fresh) = opus_decoder(self.channels)
                {
                    *decoder = fresh;
                }
                match decoded {
                    Ok(Ok(samples)) if samples == length => {}
                    _ => return Err(Damaged),
                }
            }
        }
        for sample in &mut self.samples {
            *sample = if sample.is_finite() {
                sample.clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
        Ok(&self.samples)
    }

    /// What to play in place of a lost or damaged access unit: AAC fades out, and in again with the next
    /// unit, as its windows overlap. Empty where there is nothing better than zeros.
    pub(super) fn conceal(&mut self) -> &[f32] {
        self.samples.clear();
        if let Form::Aac { decoder, config } = &mut self.form {
            let silent = match self.channels {
                1 => SILENT_MONO,
                _ => SILENT_STEREO,
            };
            let done = run(decoder, silent, &mut self.samples);
            let usable = self.samples.len() == AAC_FRAME * self.channels
                && self
                    .samples
                    .iter()
                    .all(|sample| (-1.0..=1.0).contains(sample));
            if done.is_err() || !usable {
                self.samples.clear();
                // Damage that looked like other channels stays in a decoder for good.
                if let Ok(Form::Aac { decoder: fresh, .. }) = aac(config) {
                    *decoder = fresh;
                }
            }
        }
        &self.samples
    }
}

enum Broken {
    Frame,
    Decoder,
}

/// Decodes one access unit. A panic ends here; the decoder is then to be replaced.
fn run(decoder: &mut AacDecoder, payload: &[u8], samples: &mut Vec<f32>) -> Result<(), Broken> {
    let decode = AssertUnwindSafe(|| {
        let packet = PacketRef::new(
            0,
            Timestamp::from(0),
            Duration::from(AAC_FRAME as u64),
            payload,
        );
        match decoder.decode_ref(&packet) {
            Ok(decoded) => {
                decoded.copy_to_vec_interleaved(samples);
                Ok(())
            }
            Err(_) => Err(Broken::Frame),
        }
    });
    catch_unwind(decode).unwrap_or(Err(Broken::Decoder))
}

fn opus_decoder(channels: usize) -> Result<Box<OpusDecoder>, Unsupported> {
    let new = || OpusDecoder::new(RATE as i32, channels);
    let decoder = catch_unwind(new).ok().and_then(Result::ok);
    let decoder = decoder.ok_or(Unsupported::Setup("Opus decoder"))?;
    Ok(Box::new(decoder))
}

/// The core alone: an AudioSpecificConfig that tells of more would be refused.
fn core(config: &aac::Config) -> Result<aac::Config, Unsupported> {
    if config.object_type != 2 {
        return Err(Unsupported::ObjectType(config.object_type));
    }
    if usize::from(config.frame_length) != AAC_FRAME {
        return Err(Unsupported::FrameLength(config.frame_length));
    }
    let rate = config.sample_rate.ticks_per_second();
    aac::Config::low_complexity(rate, config.channels).map_err(|_| Unsupported::SampleRate(rate))
}

fn aac(config: &aac::Config) -> Result<Form, Unsupported> {
    let core = core(config)?;
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(CODEC_ID_AAC)
        .with_extra_data(core.specific_config.as_ref().into());
    let start = || AacDecoder::try_new(&parameters, &AudioDecoderOptions::default());
    let decoder = catch_unwind(AssertUnwindSafe(start))
        .ok()
        .and_then(Result::ok)
        .ok_or(Unsupported::Setup("AAC decoder"))?;
    Ok(Form::Aac {
        decoder: Box::new(decoder),
        config: config.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::codec::g711::Law;

    fn g711(channels: u8, rate: u32) -> Codec {
        Codec::G711 {
            law: Law::A,
            sample_rate: Timebase::new(rate).unwrap(),
            channels,
        }
    }

    fn refusal(codec: &Codec) -> Option<Unsupported> {
        Decoder::new(codec).err()
    }

    #[test]
    fn what_cannot_be_transcoded_is_told() {
        let lc = aac::Config::low_complexity(48_000, 2).unwrap();
        let with = |change: fn(&mut aac::Config)| {
            let mut config = lc.clone();
            change(&mut config);
            refusal(&Codec::Aac(config))
        };
        assert_eq!(with(|_| ()), None);
        assert_eq!(
            with(|config| config.object_type = 1),
            Some(Unsupported::ObjectType(1))
        );
        assert_eq!(
            with(|config| config.frame_length = 960),
            Some(Unsupported::FrameLength(960))
        );
        assert_eq!(
            with(|config| config.channels = 9),
            Some(Unsupported::Channels(9))
        );
        assert_eq!(
            with(|config| config.channels = 0),
            Some(Unsupported::Channels(0))
        );
        assert_eq!(refusal(&g711(3, 8_000)), Some(Unsupported::Channels(3)));
        assert_eq!(
            refusal(&g711(1, 192_000)),
            Some(Unsupported::SampleRate(192_000))
        );
        let g722 = Codec::G722 { channels: 1 };
        assert_eq!(refusal(&g722), Some(Unsupported::Codec(g722.name())));
    }

    #[test]
    fn of_he_aac_the_core_is_taken() {
        // Explicit SBR: a core of 24 kHz, stereo.
        let config = aac::Config::parse(&Bytes::from_static(&[0x2b, 0x11, 0x88, 0x00])).unwrap();
        let decoder = Decoder::new(&Codec::Aac(config)).ok().unwrap();
        assert_eq!((decoder.rate(), decoder.channels()), (24_000, 2));
    }

    #[test]
    fn more_channels_become_two() {
        let config = aac::Config::low_complexity(48_000, 6).unwrap();
        let mut decoder = Decoder::new(&Codec::Aac(config)).ok().unwrap();
        assert_eq!((decoder.rate(), decoder.channels()), (48_000, 2));
        assert!(decoder.decode(&[0xff; 100]).is_err());
        assert!(decoder.decode(&[]).is_err());
    }

    #[test]
    fn silent_access_units_are_silent() {
        for channels in [1u8, 2] {
            let config = aac::Config::low_complexity(44_100, channels).unwrap();
            let mut decoder = Decoder::new(&Codec::Aac(config)).ok().unwrap();
            let samples = decoder.conceal();
            assert_eq!(samples.len(), AAC_FRAME * usize::from(channels));
            assert!(samples.iter().all(|sample| *sample == 0.0));
        }
    }

    #[test]
    fn a_sample_that_not_every_channel_has_is_left_out() {
        let mut decoder = Decoder::new(&g711(2, 8_000)).ok().unwrap();
        assert_eq!(decoder.decode(&[0xd5; 5]).unwrap().len(), 4);
        assert_eq!(decoder.decode(&[]).unwrap().len(), 0);
        assert!(decoder.conceal().is_empty());
    }
}
