//! AAC: the AudioSpecificConfig (ISO/IEC 14496-3 clause 1.6.2.1).

use crate::Timebase;
use crate::bits::{BitReader, BitsError};
use bytes::Bytes;

/// Longest AudioSpecificConfig that is kept, in bytes. Real ones have 2 to 7; a program config element
/// makes them longer.
pub const MAX_CONFIG: usize = 128;

/// What a decoder needs to know, read from an AudioSpecificConfig and kept with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Audio object type of the core (2 is AAC-LC), table 1.17.
    pub object_type: u8,
    /// Samples per second and channel of the core, and so the track's natural timebase.
    pub sample_rate: Timebase,
    /// Number of channels; 0 where only a program config element knows.
    pub channels: u8,
    /// Samples per channel in one access unit: 1,024 or 960.
    pub frame_length: u16,
    /// The AudioSpecificConfig as it came.
    pub specific_config: Bytes,
}

/// Why an AudioSpecificConfig was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ended early.
    #[error("AudioSpecificConfig: {0}")]
    Bits(#[from] BitsError),
    /// Longer than [`MAX_CONFIG`].
    #[error("AudioSpecificConfig of {0} bytes is longer than 128")]
    TooLong(usize),
    /// Sampling frequency index 13 or 14, or a rate of 0.
    #[error("AudioSpecificConfig has the reserved sampling frequency index {0}")]
    SampleRate(u8),
    /// Not an object type with AAC frames.
    #[error("audio object type {0} is not AAC")]
    ObjectType(u8),
    /// A channel configuration that is reserved.
    #[error("channel configuration {0} is reserved")]
    Channels(u8),
}

/// Table 1.18, sampling frequency by index.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

impl Config {
    /// Reads an AudioSpecificConfig. Object types 1 to 4 (Main, LC, SSR, LTP), 5 (SBR) and 29 (PS) are
    /// taken; what follows the general audio part is left to decoders.
    ///
    /// # Errors
    /// A [`ConfigError`] that says which element is wrong.
    pub fn parse(specific_config: &Bytes) -> Result<Self, ConfigError> {
        if specific_config.len() > MAX_CONFIG {
            return Err(ConfigError::TooLong(specific_config.len()));
        }
        let mut bits = BitReader::new(specific_config);
        let mut object_type = object_type(&mut bits)?;
        let sample_rate = sample_rate(&mut bits)?;
        let channel_configuration = bits.bits(4)? as u8;
        // Explicit SBR or PS signalling wraps the core's object type (clause 1.6.6.1).
        if object_type == 5 || object_type == 29 {
            self::sample_rate(&mut bits)?;
            object_type = self::object_type(&mut bits)?;
        }
        if !(1..=4).contains(&object_type) {
            return Err(ConfigError::ObjectType(object_type));
        }
        let channels = match channel_configuration {
            0..=6 => channel_configuration,
            7 | 12 | 14 => 8,
            11 => 7,
            13 => 24,
            reserved => return Err(ConfigError::Channels(reserved)),
        };
        let frame_length = if bits.flag()? { 960 } else { 1_024 };
        Ok(Self {
            object_type,
            sample_rate,
            channels,
            frame_length,
            specific_config: specific_config.clone(),
        })
    }

    /// The configuration of plain AAC-LC with 1,024 samples per frame.
    ///
    /// # Errors
    /// [`ConfigError::SampleRate`] when the rate has no index in table 1.18, [`ConfigError::Channels`] when
    /// there are none or more than six.
    pub fn low_complexity(sample_rate: u32, channels: u8) -> Result<Self, ConfigError> {
        let index = Timebase::new(sample_rate).and_then(sampling_index);
        let index = index.ok_or(ConfigError::SampleRate(15))?;
        if !(1..=6).contains(&channels) {
            return Err(ConfigError::Channels(channels));
        }
        Self::parse(&Bytes::copy_from_slice(&[
            2 << 3 | index >> 1,
            index << 7 | channels << 3,
        ]))
    }

    /// The `codecs` parameter of RFC 6381: `mp4a.40.` and the object type.
    pub fn rfc6381(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

/// The index of a sample rate in table 1.18, if it has one.
pub(super) fn sampling_index(rate: Timebase) -> Option<u8> {
    let mut rates = SAMPLE_RATES.iter();
    let index = rates.position(|known| *known == rate.ticks_per_second())?;
    u8::try_from(index).ok()
}

fn object_type(bits: &mut BitReader<'_>) -> Result<u8, BitsError> {
    Ok(match bits.bits(5)? as u8 {
        31 => 32 + bits.bits(6)? as u8,
        short => short,
    })
}

fn sample_rate(bits: &mut BitReader<'_>) -> Result<Timebase, ConfigError> {
    let index = bits.bits(4)? as u8;
    let rate = match index {
        15 => bits.bits(24)?,
        index => SAMPLE_RATES.get(usize::from(index)).copied().unwrap_or(0),
    };
    Timebase::new(rate).ok_or(ConfigError::SampleRate(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &'static [u8]) -> Result<Config, ConfigError> {
        Config::parse(&Bytes::from_static(bytes))
    }

    #[test]
    fn configurations_of_real_encoders() {
        // bytes, object type, rate, channels
        let cases: [(&'static [u8], u8, u32, u8); 5] = [
            (&[0x12, 0x10], 2, 44_100, 2),
            (&[0x11, 0x90, 0x56, 0xe5, 0x00], 2, 48_000, 2), // x264/ffmpeg with a backward compatible SBR tail
            (&[0x14, 0x08], 2, 16_000, 1),
            (&[0x2b, 0x11, 0x88, 0x00], 2, 24_000, 2), // HE-AAC, explicit
            (&[0x17, 0x80, 0xbb, 0x80, 0x10], 2, 96_000, 2), // escape 15 with a 24-bit rate
        ];
        for (bytes, object_type, rate, channels) in cases {
            let config = parse(bytes).unwrap();
            let found = (
                config.object_type,
                config.sample_rate.ticks_per_second(),
                config.channels,
            );
            assert_eq!(found, (object_type, rate, channels), "{bytes:02x?}");
            assert_eq!(config.rfc6381(), "mp4a.40.2");
            assert_eq!(config.frame_length, 1_024);
        }
    }

    #[test]
    fn low_complexity_is_what_encoders_write() {
        assert_eq!(
            &Config::low_complexity(44_100, 2).unwrap().specific_config[..],
            [0x12, 0x10]
        );
        assert_eq!(
            Config::low_complexity(44_101, 2),
            Err(ConfigError::SampleRate(15))
        );
        assert_eq!(
            Config::low_complexity(44_100, 0),
            Err(ConfigError::Channels(0))
        );
    }

    #[test]
    fn bad_configurations_are_refused() {
        assert!(matches!(parse(&[]), Err(ConfigError::Bits(_))));
        assert!(matches!(parse(&[0x12]), Err(ConfigError::Bits(_))));
        assert_eq!(parse(&[0x16, 0x90]), Err(ConfigError::SampleRate(13)));
        assert_eq!(parse(&[0x12, 0x48]), Err(ConfigError::Channels(9)));
        assert_eq!(parse(&[0xf8, 0x04, 0x00]), Err(ConfigError::ObjectType(32)));
        assert_eq!(parse(&[0x12; 129]), Err(ConfigError::TooLong(129)));
    }
}
