//! FLAC: the STREAMINFO metadata block in its three wrappings, and how long a frame lasts (RFC 9639;
//! "Encapsulation of FLAC in ISO Base Media File Format" section 3.3.2).

use crate::Timebase;
use crate::bits::{BitReader, BitsError};
use bytes::{BufMut, Bytes, BytesMut};

/// Length of STREAMINFO in bytes (section 8.2).
pub const STREAM_INFO: usize = 34;

/// Longest frame in samples per channel that STREAMINFO can say.
pub const MAX_BLOCK_SIZE: u16 = 65_535;

/// What a decoder needs to know, read from STREAMINFO and kept with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Samples per second and channel, and so the track's natural timebase.
    pub sample_rate: Timebase,
    /// 1 to 8.
    pub channels: u8,
    /// 4 to 32.
    pub bits_per_sample: u8,
    /// Samples per channel in the longest frame, 16 at least.
    pub max_block_size: u16,
    /// STREAMINFO as it came, [`STREAM_INFO`] bytes.
    pub stream_info: Bytes,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ended early.
    #[error("FLAC configuration ends at byte {0}")]
    Truncated(usize),
    /// It does not begin with `fLaC`.
    #[error("no FLAC header: it does not begin with fLaC")]
    Magic,
    /// A version of `dfLa` with another layout.
    #[error("dfLa box has the unknown version {0}")]
    Version(u8),
    /// The first metadata block is another than STREAMINFO.
    #[error("FLAC metadata begins with a block of type {0}, not with STREAMINFO")]
    FirstBlock(u8),
    /// STREAMINFO is not [`STREAM_INFO`] bytes long.
    #[error("FLAC STREAMINFO has {0} bytes, not 34")]
    Length(usize),
    /// A block size below 16, or the least above the greatest.
    #[error("FLAC STREAMINFO has the impossible block sizes {min} to {max}")]
    BlockSize {
        /// Samples per channel in the shortest frame but the last.
        min: u16,
        /// Samples per channel in the longest frame.
        max: u16,
    },
    /// A sampling rate of 0, which is for what is no sound.
    #[error("FLAC STREAMINFO has no sampling rate")]
    SampleRate,
    /// Fewer than 4 bits.
    #[error("FLAC STREAMINFO has {0} bits per sample")]
    BitsPerSample(u8),
}

const MAGIC: &[u8] = b"fLaC";

/// Header of a last metadata block that is STREAMINFO (section 8.1).
const LAST_STREAM_INFO: [u8; 4] = [0x80, 0, 0, STREAM_INFO as u8];

impl Config {
    /// Reads STREAMINFO (section 8.2).
    ///
    /// # Errors
    /// A [`ConfigError`] that says which field is wrong.
    pub fn parse(stream_info: &[u8]) -> Result<Self, ConfigError> {
        let length = ConfigError::Length(stream_info.len());
        if stream_info.len() != STREAM_INFO {
            return Err(length);
        }
        let (fields, bits) = read_stream_info(stream_info).map_err(|_| length)?;
        let [min, max] = fields;
        if min < 16 || min > max {
            return Err(ConfigError::BlockSize { min, max });
        }
        let sample_rate = Timebase::new(bits >> 12).ok_or(ConfigError::SampleRate)?;
        let bits_per_sample = (bits >> 4 & 31) as u8 + 1;
        if bits_per_sample < 4 {
            return Err(ConfigError::BitsPerSample(bits_per_sample));
        }
        Ok(Self {
            sample_rate,
            channels: (bits >> 9 & 7) as u8 + 1,
            bits_per_sample,
            max_block_size: max,
            stream_info: Bytes::copy_from_slice(stream_info),
        })
    }

    /// Reads the content of a `dfLa` box. Metadata blocks behind STREAMINFO are ignored.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_dfla(content: &[u8]) -> Result<Self, ConfigError> {
        let ([version, _flags @ ..], blocks) = content
            .split_first_chunk::<4>()
            .ok_or(ConfigError::Truncated(content.len()))?;
        match version {
            0 => Self::parse_blocks(blocks, content.len()),
            version => Err(ConfigError::Version(*version)),
        }
    }

    /// Reads the header of a FLAC stream, as in files and Enhanced RTMP: `fLaC` and metadata blocks (section
    /// 6). Those behind STREAMINFO are ignored.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_header(header: &[u8]) -> Result<Self, ConfigError> {
        match header.strip_prefix(MAGIC) {
            Some(blocks) => Self::parse_blocks(blocks, header.len()),
            None if MAGIC.starts_with(header) => Err(ConfigError::Truncated(header.len())),
            None => Err(ConfigError::Magic),
        }
    }

    /// Writes the content of a `dfLa` box.
    pub fn dfla(&self) -> Bytes {
        self.behind(&[0; 4])
    }

    /// Writes the header of a stream.
    pub fn header(&self) -> Bytes {
        self.behind(MAGIC)
    }

    /// The `codecs` parameter of RFC 6381.
    pub fn rfc6381(&self) -> String {
        "flac".to_owned()
    }

    /// Reads metadata blocks. `length` is where they end, for the error.
    fn parse_blocks(blocks: &[u8], length: usize) -> Result<Self, ConfigError> {
        let truncated = ConfigError::Truncated(length);
        let ([kind, size @ ..], rest) = blocks.split_first_chunk::<4>().ok_or(truncated)?;
        let kind = kind & 0x7f;
        if kind != 0 {
            return Err(ConfigError::FirstBlock(kind));
        }
        let size = size
            .iter()
            .fold(0, |size, byte| size << 8 | usize::from(*byte));
        if size != STREAM_INFO {
            return Err(ConfigError::Length(size));
        }
        Self::parse(rest.get(..size).ok_or(truncated)?)
    }

    /// STREAMINFO as the only metadata block behind that prefix.
    fn behind(&self, prefix: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(prefix.len() + 4 + self.stream_info.len());
        out.put_slice(prefix);
        out.put_slice(&LAST_STREAM_INFO);
        out.put_slice(&self.stream_info);
        out.freeze()
    }
}

/// The block sizes, and in 32 bits the sampling rate (20), channels (3), bits per sample (5), and 4 more.
fn read_stream_info(stream_info: &[u8]) -> Result<([u16; 2], u32), BitsError> {
    let mut bits = BitReader::new(stream_info);
    let sizes = [bits.bits(16)? as u16, bits.bits(16)? as u16];
    // The frame sizes in bytes.
    bits.skip(48)?;
    Ok((sizes, bits.bits(32)?))
}

/// Samples per channel that a frame lasts, from its header (section 9.1), at most [`MAX_BLOCK_SIZE`]. `None`
/// for what is no frame: without a sync code, with reserved values, or with a header that its checksum does
/// not fit.
pub fn duration(frame: &[u8]) -> Option<u32> {
    let [0xff, second, third, fourth, ..] = *frame else {
        return None;
    };
    let reserved_channels = fourth >> 4 > 10;
    let reserved_depth = fourth >> 1 & 7 == 3;
    if second & 0xfe != 0xf8 || fourth & 1 != 0 || reserved_channels || reserved_depth {
        return None;
    }
    // The number of the frame, or of its first sample where sizes vary, is coded like a character of UTF-8 that
    // may have up to 36 bits (section 9.1.5).
    let number = frame.get(4)?;
    let number_length = match number.leading_ones() as usize {
        0 => 1,
        length @ 2..=6 => length,
        7 if second & 1 == 1 => 7,
        _ => return None,
    };
    let continued = frame.get(5..4 + number_length)?;
    if continued.iter().any(|byte| byte & 0xc0 != 0x80) {
        return None;
    }
    let mut at = 4 + number_length;
    // Sections 9.1.1 and 9.1.6.
    let samples = match third >> 4 {
        0 => return None,
        1 => 192,
        code @ 2..=5 => 144 << code,
        6 => {
            at += 1;
            u32::from(*frame.get(at - 1)?) + 1
        }
        7 => {
            at += 2;
            let size = frame.get(at - 2..at)?.first_chunk::<2>()?;
            u32::from(u16::from_be_bytes(*size)) + 1
        }
        code => 1 << code,
    };
    // Sections 9.1.2 and 9.1.7.
    at += match third & 15 {
        15 => return None,
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let checksum_fits = *frame.get(at)? == crc8(frame.get(..at)?);
    Some(samples).filter(|samples| checksum_fits && *samples <= u32::from(MAX_BLOCK_SIZE))
}

/// The checksum of frame headers: polynomial x^8 + x^2 + x + 1 (section 9.1.8).
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| match crc & 0x80 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x07,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ffmpeg writes into `dfLa` for stereo at 48 kHz.
    const DFLA: &[u8] = &[
        0, 0, 0, 0, 0x80, 0, 0, 0x22, 0x12, 0x00, 0x12, 0x00, 0x00, 0x01, 0x50, 0x00, 0x05, 0x17,
        0x0b, 0xb8, 0x02, 0xf0, 0x00, 0x00, 0x5d, 0xc0, 0xa2, 0xfc, 0x36, 0x17, 0xbc, 0x0e, 0x6c,
        0x99, 0xe0, 0x35, 0xcb, 0xe0, 0x6f, 0xb4, 0xe5, 0x2a,
    ];
    /// Headers of its first and last frame, and their samples.
    const FRAMES: &[(&[u8], u32)] = &[
        (&[0xff, 0xf8, 0x5a, 0x88, 0x00, 0x37], 4_608),
        (&[0xff, 0xf8, 0x7a, 0x88, 0x05, 0x03, 0xbf, 0x3d], 960),
    ];

    #[test]
    fn all_wrappings_say_the_same() {
        let config = Config::parse_dfla(DFLA).unwrap();
        assert_eq!(config.sample_rate.ticks_per_second(), 48_000);
        assert_eq!((config.channels, config.bits_per_sample), (2, 16));
        assert_eq!(config.max_block_size, 4_608);
        assert_eq!(config.stream_info, &DFLA[8..]);
        assert_eq!(config.dfla(), DFLA);
        assert_eq!(config.header(), [b"fLaC", &DFLA[4..]].concat());
        assert_eq!(config.rfc6381(), "flac");
        assert_eq!(Config::parse(&DFLA[8..]).as_ref(), Ok(&config));
        // Files have a comment behind it, which is left out.
        let file = [&config.header()[..], &[0x84, 0, 0, 1, 0]].concat();
        assert_eq!(Config::parse_header(&file), Ok(config));
    }

    #[test]
    fn every_truncation_is_refused() {
        let header = Config::parse_dfla(DFLA).unwrap().header();
        for length in 0..DFLA.len() {
            let truncated = Err(ConfigError::Truncated(length));
            assert_eq!(Config::parse_dfla(&DFLA[..length]), truncated);
            assert_eq!(Config::parse_header(&header[..length]), truncated);
        }
        for length in 0..STREAM_INFO {
            let refused = Config::parse(&DFLA[8..8 + length]);
            assert_eq!(refused, Err(ConfigError::Length(length)));
        }
    }

    #[test]
    fn bad_configurations_are_named() {
        let patched = |at: usize, bytes: &[u8]| {
            let mut dfla = DFLA.to_vec();
            dfla[at..at + bytes.len()].copy_from_slice(bytes);
            Config::parse_dfla(&dfla).unwrap_err()
        };
        let sizes = |min, max| ConfigError::BlockSize { min, max };
        assert_eq!(patched(0, &[1]), ConfigError::Version(1));
        assert_eq!(patched(4, &[0x84]), ConfigError::FirstBlock(4));
        assert_eq!(patched(5, &[1]), ConfigError::Length(0x1_0022));
        assert_eq!(patched(8, &[0, 15]), sizes(15, 4_608));
        assert_eq!(patched(8, &[0x12, 1]), sizes(4_609, 4_608));
        assert_eq!(patched(18, &[0, 0, 0x02]), ConfigError::SampleRate);
        assert_eq!(patched(20, &[0x02, 0x20]), ConfigError::BitsPerSample(3));
        assert_eq!(Config::parse_header(DFLA), Err(ConfigError::Magic));
    }

    /// A header with these bytes and the checksum they need.
    fn header(bytes: &[u8]) -> Vec<u8> {
        [bytes, &[crc8(bytes)]].concat()
    }

    #[test]
    fn frames_last_what_their_header_says() {
        for (frame, samples) in FRAMES {
            assert_eq!(duration(frame), Some(*samples), "{frame:02x?}");
            for length in 0..frame.len() {
                assert_eq!(duration(&frame[..length]), None, "{length}");
            }
            for bit in 0..frame.len() * 8 {
                let mut frame = frame.to_vec();
                frame[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(duration(&frame), None, "bit {bit}");
            }
        }
        // Code of the block size, what follows the number, samples: table 14 of RFC 9639.
        let sizes: [(u8, &[u8], u32); 9] = [
            (1, &[], 192),
            (2, &[], 576),
            (5, &[], 4_608),
            (6, &[0], 1),
            (6, &[255], 256),
            (7, &[0xff, 0xfe], 65_535),
            (8, &[], 256),
            (12, &[], 4_096),
            (15, &[], 32_768),
        ];
        for (code, size, samples) in sizes {
            // The rate as the streaminfo has it, in kHz, in Hz.
            for (rate, more) in [(0, &[][..]), (12, &[48]), (13, &[0xbb, 0x80])] {
                let frame = [&[0xff, 0xf8, code << 4 | rate, 0x18, 0][..], size, more].concat();
                assert_eq!(duration(&header(&frame)), Some(samples), "{code} {rate}");
            }
        }
    }

    #[test]
    fn what_is_no_frame_has_no_duration() {
        let frame = |second, third, fourth, rest: &[u8]| {
            duration(&header(&[&[0xff, second, third, fourth], rest].concat()))
        };
        assert_eq!(frame(0xf8, 0xc0, 0x18, &[0]), Some(4_096));
        assert_eq!(frame(0xfa, 0xc0, 0x18, &[0]), None, "sync code");
        assert_eq!(frame(0xf8, 0x00, 0x18, &[0]), None, "block size");
        assert_eq!(frame(0xf8, 0x70, 0x18, &[0, 255, 255]), None, "block size");
        assert_eq!(frame(0xf8, 0xcf, 0x18, &[0]), None, "sampling rate");
        assert_eq!(frame(0xf8, 0xc0, 0xb8, &[0]), None, "channels");
        assert_eq!(frame(0xf8, 0xc0, 0x16, &[0]), None, "bits per sample");
        assert_eq!(frame(0xf8, 0xc0, 0x19, &[0]), None, "reserved bit");
        assert_eq!(frame(0xf8, 0xc0, 0x18, &[0x80]), None, "number");
        assert_eq!(frame(0xf8, 0xc0, 0x18, &[0xc2, 0x41]), None, "number");
        // Six bytes of frame number, seven of sample number, never eight.
        let six = [&[0xfd][..], &[0x80; 5]].concat();
        let seven = [&[0xfe][..], &[0x80; 6]].concat();
        let eight = [&[0xff][..], &[0x80; 7]].concat();
        assert_eq!(frame(0xf8, 0xc0, 0x18, &six), Some(4_096));
        assert_eq!(frame(0xf8, 0xc0, 0x18, &seven), None);
        assert_eq!(frame(0xf9, 0xc0, 0x18, &seven), Some(4_096));
        assert_eq!(frame(0xf9, 0xc0, 0x18, &eight), None);
    }
}
