//! The StreamMuxConfig of AAC's low-overhead transport multiplex, which says how its elements are laid out
//! (ISO/IEC 14496-3 clause 1.7.3).

use super::aac::{Config, ConfigError, MAX_CONFIG};
use crate::bits::{BitReader, BitsError};
use bytes::Bytes;

/// A StreamMuxConfig of one program with one layer, which is what senders of one stream have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiplex {
    /// The configuration of the codec.
    pub config: Config,
    /// Access units in an element.
    pub units: u8,
    /// Bits of other data behind them.
    pub other_bits: usize,
}

/// Shorter ones have no complete AudioSpecificConfig: that has at least 16 bits, behind 15.
const SHORTEST: usize = 4;

/// What an extension of an AudioSpecificConfig for older decoders begins with, for SBR and for PS (clause 1.6.2.1).
const SYNC_SBR: u32 = 0x2b7;
const SYNC_PS: u32 = 0x548;

/// Why a StreamMuxConfig was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultiplexError {
    /// It ends early.
    #[error("StreamMuxConfig: {0}")]
    Bits(#[from] BitsError),
    /// The AudioSpecificConfig in it cannot be used.
    #[error("StreamMuxConfig: {0}")]
    Config(#[from] ConfigError),
    /// Something that is not read.
    #[error("StreamMuxConfig with {0} is not read")]
    Unsupported(&'static str),
}

impl Multiplex {
    /// Reads it from the first bit, as the format parameter `config` has it. GStreamer ends it behind the
    /// AudioSpecificConfig; what is missing is taken for zeros.
    ///
    /// # Errors
    /// A [`MultiplexError`] that says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, MultiplexError> {
        let mut whole = bytes.to_vec();
        if bytes.len() >= SHORTEST {
            whole.extend([0; 2]);
        }
        Self::read(&mut BitReader::new(&whole))
    }

    /// Reads it where an element has it, and moves behind it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn read(bits: &mut BitReader<'_>) -> Result<Self, MultiplexError> {
        let unsupported = |what| Err(MultiplexError::Unsupported(what));
        let version = bits.flag()?;
        if version {
            if bits.flag()? {
                return unsupported("an unknown version");
            }
            value(bits)?; // taraBufferFullness
        }
        if !bits.flag()? {
            return unsupported("streams of different times");
        }
        let units = bits.bits(6)? as u8 + 1;
        if bits.bits(4)? > 0 {
            return unsupported("several programs");
        }
        if bits.bits(3)? > 0 {
            return unsupported("several layers");
        }
        let config = if version {
            let length = value(bits)? as usize;
            let config = copy(bits.clone(), length)?;
            bits.skip(length)?;
            config
        } else {
            let length = specific_config_length(bits.clone())?;
            let config = copy(bits.clone(), length)?;
            bits.skip(length)?;
            skip_extension(bits)?;
            config
        };
        let config = Config::parse(&config)?;
        if bits.bits(3)? != 0 {
            return unsupported("frames that are not of variable length");
        }
        bits.skip(8)?; // latmBufferFullness
        let mut other_bits = 0;
        if bits.flag()? {
            other_bits = if version {
                value(bits)? as usize
            } else {
                escaped(bits)?
            };
        }
        if bits.flag()? {
            bits.skip(8)?; // crcCheckSum
        }
        Ok(Self {
            config,
            units,
            other_bits,
        })
    }
}

/// LatmGetValue: a number of 1 to 4 bytes.
fn value(bits: &mut BitReader<'_>) -> Result<u32, BitsError> {
    let bytes = bits.bits(2)? + 1;
    bits.bits(bytes * 8)
}

/// The length of other data in version 0: bytes, each with a bit that says whether one more follows.
fn escaped(bits: &mut BitReader<'_>) -> Result<usize, BitsError> {
    let mut length = 0;
    for _ in 0..4 {
        let more = bits.flag()?;
        length = length << 8 | bits.bits(8)? as usize;
        if !more {
            return Ok(length);
        }
    }
    Err(bits.invalid())
}

/// The next bits as bytes, filled with zeros.
fn copy(mut bits: BitReader<'_>, length: usize) -> Result<Bytes, MultiplexError> {
    if length.div_ceil(8) > MAX_CONFIG {
        return Err(ConfigError::TooLong(length.div_ceil(8)).into());
    }
    let mut bytes = Vec::with_capacity(length.div_ceil(8));
    let mut left = length as u32;
    while left > 0 {
        let count = left.min(8);
        bytes.push((bits.bits(count)? << (8 - count)) as u8);
        left -= count;
    }
    Ok(bytes.into())
}

/// How many bits an AudioSpecificConfig has, which in version 0 nobody tells (clauses 1.6.2.1 and 4.4.1).
fn specific_config_length(mut bits: BitReader<'_>) -> Result<usize, MultiplexError> {
    let start = bits.remaining();
    let mut object_type = object_type(&mut bits)?;
    rate(&mut bits)?;
    if bits.bits(4)? == 0 {
        return Err(MultiplexError::Unsupported("a program config element"));
    }
    // Explicit SBR or PS: the rate of the extension and the object type of the core.
    if matches!(object_type, 5 | 29) {
        rate(&mut bits)?;
        object_type = self::object_type(&mut bits)?;
    }
    if !(1..=4).contains(&object_type) {
        return Err(ConfigError::ObjectType(object_type as u8).into());
    }
    bits.flag()?; // frameLengthFlag
    if bits.flag()? {
        bits.skip(14)?; // coreCoderDelay
    }
    if bits.flag()? {
        bits.flag()?; // extensionFlag3
    }
    Ok(start - bits.remaining())
}

/// Passes over an extension for older decoders. Version 0 has no place for it, and GStreamer puts it there; nothing else
/// can begin like it, since frames of AAC are of variable length.
fn skip_extension(bits: &mut BitReader<'_>) -> Result<(), BitsError> {
    let begins = |bits: &BitReader<'_>, sync| bits.clone().bits(11) == Ok(sync);
    if !begins(bits, SYNC_SBR) {
        return Ok(());
    }
    bits.skip(11)?;
    if object_type(bits)? == 5 && bits.flag()? {
        rate(bits)?;
        if begins(bits, SYNC_PS) {
            bits.skip(12)?;
        }
    }
    Ok(())
}

fn object_type(bits: &mut BitReader<'_>) -> Result<u32, BitsError> {
    Ok(match bits.bits(5)? {
        31 => 32 + bits.bits(6)?,
        short => short,
    })
}

fn rate(bits: &mut BitReader<'_>) -> Result<(), BitsError> {
    if bits.bits(4)? == 15 {
        bits.skip(24)?;
    }
    Ok(())
}

/// PayloadLengthInfo of a frame of variable length (clause 1.7.3.1): bytes that are added up, to the first that
/// is not 255.
///
/// # Errors
/// When the bits end before.
pub fn payload_length(bits: &mut BitReader<'_>) -> Result<usize, BitsError> {
    let mut length = 0usize;
    loop {
        let byte = bits.bits(8)?;
        length = length.saturating_add(byte as usize);
        if byte < 255 {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_of_the_standard() {
        // rate, channels, units
        let cases: [(&[u8], u32, u8, u8); 8] = [
            // RFC 6416 sections 7.4.1.3, 7.4.1.5 (SBR around a core of 24 kHz) and 7.4.1.6.
            (&[0x40, 0x00, 0x26, 0x20, 0x3f, 0xc0], 24_000, 2, 1),
            (&[0x40, 0x00, 0x56, 0x23, 0x10, 0x1f, 0xe0], 24_000, 2, 1),
            (&[0x40, 0x00, 0x26, 0x10, 0x3f, 0xc0], 24_000, 1, 1),
            // 44.1 kHz, as encoders have it; two units in an element.
            (&[0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0], 44_100, 2, 1),
            (&[0x41, 0x00, 0x23, 0x20, 0x3f, 0xc0], 48_000, 2, 2),
            // GStreamer's: nothing behind the AudioSpecificConfig, but that there is no SBR, or that there is, with PS.
            (&[0x40, 0x00, 0x23, 0x20], 48_000, 2, 1),
            (&[0x40, 0x00, 0x23, 0x20, 0xad, 0xca, 0x00], 48_000, 2, 1),
            (
                &[0x40, 0x00, 0x26, 0x20, 0xad, 0xcb, 0x3a, 0x91, 0x1f, 0xe0],
                24_000,
                2,
                1,
            ),
        ];
        for (bytes, rate, channels, units) in cases {
            let found = Multiplex::parse(bytes).unwrap();
            assert_eq!(found.config.sample_rate.ticks_per_second(), rate);
            assert_eq!((found.config.channels, found.units), (channels, units));
            assert_eq!(found.other_bits, 0);
        }
    }

    #[test]
    fn what_is_refused() {
        let unsupported = MultiplexError::Unsupported;
        let cases: [(&[u8], MultiplexError); 4] = [
            (&[0xc0], unsupported("an unknown version")),
            (&[0x00], unsupported("streams of different times")),
            (&[0x40, 0x20, 0], unsupported("several programs")),
            (
                &[0x40, 0x00, 0x23, 0x00, 0, 0],
                unsupported("a program config element"),
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(Multiplex::parse(bytes), Err(error), "{bytes:x?}");
        }
        let whole = [0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0];
        for end in 0..SHORTEST {
            let cut = Multiplex::parse(&whole[..end]);
            assert!(matches!(cut, Err(MultiplexError::Bits(_))), "{end}");
        }
    }
}
