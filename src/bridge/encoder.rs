//! Samples to Opus packets of 20 ms (RFC 6716), or to access units of AAC-LC of 1,024 samples (ISO/IEC 14496-3).
//!
//! The Opus encoder runs in its restricted low delay application, which is CELT alone: at these bitrates the other
//! modes would hardly be chosen, it looks 2.5 ms ahead instead of 6.5, and its cost is the same for speech and
//! music. The AAC encoder looks no further ahead than its windows overlap, which is 21 ms.

use super::Unsupported;
use bytes::Bytes;
use media::Codec;
use media::codec::{aac, opus};
use opus_rs::{Application, OpusEncoder};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Samples per second and channel of what is encoded.
pub(super) const RATE: u32 = 48_000;

/// Longest packet of one frame of Opus (RFC 6716 section 3.2.1), with its first byte.
const MAX_PACKET: usize = 1_276;

/// Bits per second and channel, by what the source can hold: sound of up to 16 kHz sample rate has nothing
/// above 8 kHz.
const BITRATE_NARROW: i32 = 32_000;
const BITRATE_WIDE: i32 = 64_000;

/// Effort of Opus from 0 to 10; more costs time for no audible gain at these bitrates.
const COMPLEXITY: i32 = 5;

/// The codec that readers want for sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Opus, whatever the stream has.
    Opus,
    /// AAC in place of Opus and G.711; other codecs stay as they are.
    Aac,
}

impl Sound {
    /// Whether a track of this codec has to be transcoded for it.
    pub(super) const fn bridges(self, codec: &Codec) -> bool {
        match (self, codec) {
            (Self::Opus, Codec::Opus(_)) => false,
            (Self::Opus, codec) => matches!(codec.kind(), media::Kind::Audio),
            (Self::Aac, codec) => matches!(codec, Codec::Opus(_) | Codec::G711 { .. }),
        }
    }

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opus => "Opus",
            Self::Aac => "AAC",
        }
    }

    /// Samples of a channel in a packet.
    pub(super) const fn frame(self) -> usize {
        match self {
            Self::Opus => 960,
            Self::Aac => 1_024,
        }
    }

    /// Samples by which the decoded sound lags behind what was encoded: the overlap of CELT, 2.5 ms, or of the windows of
    /// AAC.
    pub(super) const fn lookahead(self) -> usize {
        match self {
            Self::Opus => 120,
            Self::Aac => 1_024,
        }
    }
}

/// An encoder that survives the failures of the one it wraps.
pub(super) struct Encoder {
    form: Form,
    channels: usize,
    rate: u32,
    bitrate: i32,
}

enum Form {
    Opus(Box<OpusEncoder>, Box<[u8; MAX_PACKET]>),
    /// With the samples of each channel.
    Aac(Box<syom::Encoder>, Vec<Vec<f32>>),
}

impl Encoder {
    /// For sound whose source has `source_rate` samples per second.
    pub(super) fn new(
        sound: Sound,
        channels: usize,
        source_rate: u32,
    ) -> Result<Self, Unsupported> {
        let per_channel = match source_rate {
            ..=16_000 => BITRATE_NARROW,
            _ => BITRATE_WIDE,
        };
        let bitrate = if channels == 2 {
            2 * per_channel
        } else {
            per_channel
        };
        let form = match sound {
            Sound::Opus => {
                let inner = start(channels, bitrate).ok_or(Unsupported::Setup("Opus encoder"))?;
                Form::Opus(Box::new(inner), Box::new([0; MAX_PACKET]))
            }
            Sound::Aac => return Self::aac_of(channels, RATE, bitrate),
        };
        Ok(Self {
            form,
            channels,
            rate: RATE,
            bitrate,
        })
    }

    /// Of AAC of this rate, 8 kHz or more.
    pub(super) fn aac(channels: usize, rate: u32) -> Result<Self, Unsupported> {
        let per_channel = match rate {
            // It holds no more (ISO/IEC 14496-3 clause 4.5.3: 6,144 bits in a frame), and needs less.
            ..=12_000 => BITRATE_NARROW / 2,
            12_001..=16_000 => BITRATE_NARROW,
            _ => BITRATE_WIDE,
        };
        Self::aac_of(channels, rate, per_channel * channels as i32)
    }

    fn aac_of(channels: usize, rate: u32, bitrate: i32) -> Result<Self, Unsupported> {
        let inner = start_aac(rate, channels, bitrate);
        let inner = inner.ok_or(Unsupported::Setup("AAC encoder"))?;
        Ok(Self {
            form: Form::Aac(Box::new(inner), vec![Vec::new(); channels]),
            channels,
            rate,
            bitrate,
        })
    }

    /// What comes out, of a source of `source_rate` samples per second.
    pub(super) fn codec(&self, source_rate: u32) -> Option<Codec> {
        match &self.form {
            Form::Opus(..) => {
                let lookahead = Sound::Opus.lookahead() as u16;
                let config = opus::Config::new(self.channels as u8, lookahead, source_rate);
                config.ok().map(Codec::Opus)
            }
            Form::Aac(inner, _) => {
                let config = aac::Config::parse(&Bytes::copy_from_slice(inner.asc()));
                config.ok().map(Codec::Aac)
            }
        }
    }

    /// Encodes one frame of interleaved samples within ±1. `None` when that failed; the next packet starts anew.
    pub(super) fn encode(&mut self, samples: &[f32]) -> Option<Bytes> {
        match &mut self.form {
            Form::Opus(inner, packet) => {
                let frame = Sound::Opus.frame();
                let encode =
                    AssertUnwindSafe(|| inner.encode(samples, frame, packet.as_mut_slice()));
                let length = catch_unwind(encode).ok().and_then(Result::ok);
                let coded = length
                    .and_then(|length| packet.get(..length))
                    .filter(|packet| !packet.is_empty())
                    .map(Bytes::copy_from_slice);
                if coded.is_none()
                    && let Some(fresh) = start(self.channels, self.bitrate)
                {
                    **inner = fresh;
                }
                coded
            }
            Form::Aac(inner, planes) => {
                for (channel, plane) in planes.iter_mut().enumerate() {
                    plane.clear();
                    let own = samples.iter().skip(channel).step_by(self.channels);
                    // The encoder refuses what is beyond.
                    plane.extend(own.map(|sample| match sample.is_finite() {
                        true => sample.clamp(-1.0, 1.0),
                        false => 0.0,
                    }));
                }
                let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
                let mut units = Vec::with_capacity(1);
                let encode = AssertUnwindSafe(|| {
                    inner.feed(&planes, |frame| {
                        units.push(Bytes::copy_from_slice(frame.au));
                        Ok(())
                    })
                });
                let fed = catch_unwind(encode).ok().and_then(Result::ok);
                let coded = fed.and_then(|_| units.pop()).filter(|_| units.is_empty());
                if coded.is_none()
                    && let Some(fresh) = start_aac(self.rate, self.channels, self.bitrate)
                {
                    **inner = fresh;
                }
                coded
            }
        }
    }
}

fn start(channels: usize, bitrate: i32) -> Option<OpusEncoder> {
    let new = || OpusEncoder::new(RATE as i32, channels, Application::RestrictedLowDelay);
    let mut encoder = catch_unwind(new).ok()?.ok()?;
    encoder.bitrate_bps = bitrate;
    encoder.complexity = COMPLEXITY;
    Some(encoder)
}

fn start_aac(rate: u32, channels: usize, bitrate: i32) -> Option<syom::Encoder> {
    let options = syom::EncodeOptions::raw().with_bitrate_bps(bitrate.unsigned_abs());
    let new = AssertUnwindSafe(|| syom::Encoder::new(rate, channels, &options));
    catch_unwind(new).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_samples_become_packets() {
        let mut random = 1u32;
        for (sound, channels) in [
            (Sound::Opus, 1),
            (Sound::Opus, 2),
            (Sound::Aac, 1),
            (Sound::Aac, 2),
        ] {
            let mut encoder = Encoder::new(sound, channels, 48_000).ok().unwrap();
            for round in 0..200 {
                let mut sample = || {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let noise = random as f32 / u32::MAX as f32 * 2.0 - 1.0;
                    match round % 5 {
                        0 => noise,
                        1 => noise.signum(),
                        2 => 0.0,
                        3 => 1.0,
                        _ => noise * f32::MIN_POSITIVE,
                    }
                };
                let samples: Vec<f32> = (0..sound.frame() * channels).map(|_| sample()).collect();
                let packet = encoder.encode(&samples).unwrap();
                match sound {
                    Sound::Opus => {
                        assert_eq!(opus::duration(&packet), Some(960));
                        // Configurations 16 to 31 are CELT.
                        assert!(packet[0] >> 3 >= 16);
                    }
                    // A single channel element, or a pair.
                    Sound::Aac => assert_eq!(usize::from(packet[0] >> 5), channels - 1),
                }
            }
        }
    }

    #[test]
    fn a_failure_is_no_end() {
        for sound in [Sound::Opus, Sound::Aac] {
            let mut encoder = Encoder::new(sound, 1, 48_000).ok().unwrap();
            let silence = vec![0.0; sound.frame()];
            assert!(encoder.encode(&[0.0; 7]).is_none());
            assert!(encoder.encode(&silence).is_some());
            let _ = encoder.encode(&vec![f32::NAN; sound.frame()]);
            assert!(encoder.encode(&silence).is_some());
        }
    }
}
