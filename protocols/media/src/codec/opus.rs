//! Opus: the identification header in its two spellings, and how long a packet lasts (RFC 6716, RFC 7845;
//! "Encapsulation of Opus in ISO Base Media File Format" section 4.3.2).

use crate::Timebase;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The clock that Opus always counts in, whatever the input's sample rate was (RFC 7845 section 4).
pub const TIMEBASE: Timebase = match Timebase::new(48_000) {
    Some(timebase) => timebase,
    None => Timebase::MICROS,
};

/// Longest packet in samples: 120 ms (RFC 6716 section 3.2.5).
pub const MAX_DURATION: u32 = 5_760;

/// What a decoder needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Channels that come out of the decoder: 1 or 2, up to 8 with a `mapping`.
    pub channels: u8,
    /// Samples at 48 kHz to throw away at the start of the stream.
    pub pre_skip: u16,
    /// Samples per second of what was encoded, for people to know; 0 where it is not known.
    pub sample_rate: u32,
    /// Gain to apply when decoding, in dB times 256.
    pub output_gain: i16,
    /// The channel mapping table of family 1 as it came: the number of streams, how many of them are
    /// coupled, and a byte for each channel. None in family 0, which is mono and stereo.
    pub mapping: Option<Bytes>,
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ended early.
    #[error("Opus header ends at byte {0}")]
    Truncated(usize),
    /// It does not begin with `OpusHead`.
    #[error("no Opus header: it does not begin with OpusHead")]
    Magic,
    /// A version with another layout.
    #[error("Opus header has the unknown version {0}")]
    Version(u8),
    /// A number of channels that the mapping family does not have.
    #[error("Opus header has {channels} channels in mapping family {family}")]
    Channels {
        /// Number of channels.
        channels: u8,
        /// Channel mapping family.
        family: u8,
    },
    /// A family other than 0 and 1.
    #[error("Opus channel mapping family {0} is not carried")]
    Family(u8),
    /// A table that names streams or channels which do not exist.
    #[error("Opus channel mapping: {0}")]
    Mapping(&'static str),
}

impl Config {
    /// Mono or stereo (mapping family 0). Encoders in the field skip 312 samples at 48 kHz; where nothing
    /// is known of the encoder, as with RTP, that is the value to give.
    ///
    /// # Errors
    /// [`ConfigError::Channels`] for other numbers of channels.
    pub const fn new(channels: u8, pre_skip: u16, sample_rate: u32) -> Result<Self, ConfigError> {
        if matches!(channels, 1 | 2) {
            Ok(Self {
                channels,
                pre_skip,
                sample_rate,
                output_gain: 0,
                mapping: None,
            })
        } else {
            let family = 0;
            Err(ConfigError::Channels { channels, family })
        }
    }

    /// Reads the content of a `dOps` box (big-endian, version 0). What follows the table is ignored.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_dops(content: &[u8]) -> Result<Self, ConfigError> {
        let (version, rest) = content.split_first().ok_or(ConfigError::Truncated(0))?;
        if *version != 0 {
            return Err(ConfigError::Version(*version));
        }
        let (fields, table) = rest
            .split_first_chunk::<10>()
            .ok_or(ConfigError::Truncated(content.len()))?;
        let mut fields = &fields[..];
        let config = Self {
            channels: fields.get_u8(),
            pre_skip: fields.get_u16(),
            sample_rate: fields.get_u32(),
            output_gain: fields.get_i16(),
            mapping: None,
        };
        config.with_mapping(fields.get_u8(), table, content.len())
    }

    /// Reads an identification header as in Ogg, Matroska and Enhanced RTMP (little-endian, RFC 7845
    /// section 5.1). What follows the table is ignored, for minor versions to come.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_head(header: &[u8]) -> Result<Self, ConfigError> {
        let Some(rest) = header.strip_prefix(MAGIC) else {
            return Err(match MAGIC.starts_with(header) {
                true => ConfigError::Truncated(header.len()),
                false => ConfigError::Magic,
            });
        };
        let (version, rest) = rest
            .split_first()
            .ok_or(ConfigError::Truncated(header.len()))?;
        // The upper half is the major version.
        if version & 0xf0 != 0 {
            return Err(ConfigError::Version(*version));
        }
        let (fields, table) = rest
            .split_first_chunk::<10>()
            .ok_or(ConfigError::Truncated(header.len()))?;
        let mut fields = &fields[..];
        let config = Self {
            channels: fields.get_u8(),
            pre_skip: fields.get_u16_le(),
            sample_rate: fields.get_u32_le(),
            output_gain: fields.get_i16_le(),
            mapping: None,
        };
        config.with_mapping(fields.get_u8(), table, header.len())
    }

    /// Writes the content of a `dOps` box.
    pub fn dops(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(11 + self.table().len());
        out.put_slice(&[0, self.channels]);
        out.put_u16(self.pre_skip);
        out.put_u32(self.sample_rate);
        out.put_i16(self.output_gain);
        self.put_mapping(&mut out);
        out.freeze()
    }

    /// Writes an identification header of version 1.
    pub fn head(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(19 + self.table().len());
        out.put_slice(MAGIC);
        out.put_slice(&[1, self.channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.sample_rate);
        out.put_i16_le(self.output_gain);
        self.put_mapping(&mut out);
        out.freeze()
    }

    /// The `codecs` parameter of RFC 6381.
    pub fn rfc6381(&self) -> String {
        "opus".to_owned()
    }

    /// Adds the mapping of that family, whose table is at the beginning of `table` (RFC 7845 section
    /// 5.1.1). `length` is where the header ends, for the error.
    fn with_mapping(self, family: u8, table: &[u8], length: usize) -> Result<Self, ConfigError> {
        let channels = self.channels;
        match family {
            0 if (1..=2).contains(&channels) => return Ok(self),
            1 if (1..=8).contains(&channels) => {}
            0 | 1 => return Err(ConfigError::Channels { channels, family }),
            _ => return Err(ConfigError::Family(family)),
        }
        let table = table
            .get(..2 + usize::from(channels))
            .ok_or(ConfigError::Truncated(length))?;
        let [streams, coupled, places @ ..] = table else {
            return Err(ConfigError::Truncated(length));
        };
        let decoded = u16::from(*streams) + u16::from(*coupled);
        if *streams == 0 || coupled > streams || decoded > 255 {
            return Err(ConfigError::Mapping("impossible number of streams"));
        }
        // 255 is silence.
        if places
            .iter()
            .any(|place| *place != 255 && u16::from(*place) >= decoded)
        {
            return Err(ConfigError::Mapping("a channel that no stream has"));
        }
        let mapping = Some(Bytes::copy_from_slice(table));
        Ok(Self { mapping, ..self })
    }

    fn table(&self) -> &[u8] {
        self.mapping.as_deref().unwrap_or_default()
    }

    fn put_mapping(&self, out: &mut BytesMut) {
        out.put_u8(self.mapping.is_some().into());
        out.put_slice(self.table());
    }
}

const MAGIC: &[u8] = b"OpusHead";

/// Samples at 48 kHz that a packet lasts, from its first byte and, where it holds several frames, their
/// count (RFC 6716 sections 3.1 and 3.2). `None` for what is no packet: one without bytes, without frames,
/// or of more than [`MAX_DURATION`].
pub fn duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    // Table 2: SILK, hybrid, CELT.
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880].get(usize::from(config & 3)),
        config @ 12..=15 => [480, 960].get(usize::from(config & 1)),
        config => [120, 240, 480, 960].get(usize::from(config & 3)),
    }?;
    Some(frame * frames).filter(|samples| (1..=MAX_DURATION).contains(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ffmpeg with libopus writes for stereo, as `dOps` and as `OpusHead`.
    const DOPS: &[u8] = &[0, 2, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0];
    const HEAD: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    /// 5.1 in the order of Vorbis.
    const SURROUND: &[u8] = &[
        0, 6, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5,
    ];

    #[test]
    fn both_spellings_say_the_same() {
        let config = Config::new(2, 312, 48_000).unwrap();
        assert_eq!(Config::parse_dops(DOPS).as_ref(), Ok(&config));
        assert_eq!(Config::parse_head(HEAD).as_ref(), Ok(&config));
        assert_eq!(config.dops(), DOPS);
        assert_eq!(config.head(), HEAD);
        assert_eq!(config.rfc6381(), "opus");
        assert_eq!(TIMEBASE.ticks_per_second(), 48_000);
    }

    #[test]
    fn a_mapping_is_kept_as_it_came() {
        let config = Config::parse_dops(SURROUND).unwrap();
        assert_eq!(config.channels, 6);
        assert_eq!(config.mapping.as_deref(), Some(&SURROUND[11..]));
        assert_eq!(config.dops(), SURROUND);
        assert_eq!(Config::parse_head(&config.head()), Ok(config));
    }

    #[test]
    fn gains_are_signed() {
        let mut quiet = DOPS.to_vec();
        (quiet[8], quiet[9]) = (0xff, 0xfe);
        let config = Config::parse_dops(&quiet).unwrap();
        assert_eq!(config.output_gain, -2);
        assert_eq!(Config::parse_head(&config.head()), Ok(config));
    }

    #[test]
    fn every_truncation_is_refused() {
        for dops in [DOPS, SURROUND] {
            for length in 0..dops.len() {
                let refused = Config::parse_dops(&dops[..length]);
                assert!(matches!(refused, Err(ConfigError::Truncated(_))));
            }
            let head = Config::parse_dops(dops).unwrap().head();
            for length in 0..head.len() {
                let refused = Config::parse_head(&head[..length]);
                assert!(matches!(refused, Err(ConfigError::Truncated(_))));
            }
        }
    }

    #[test]
    fn bad_headers_are_named() {
        let patched = |bytes: &[u8], at: usize, value: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = value;
            match bytes.starts_with(b"O") {
                true => Config::parse_head(&bytes).unwrap_err(),
                false => Config::parse_dops(&bytes).unwrap_err(),
            }
        };
        let channels = |channels, family| ConfigError::Channels { channels, family };
        assert_eq!(patched(DOPS, 0, 1), ConfigError::Version(1));
        assert_eq!(patched(DOPS, 1, 0), channels(0, 0));
        assert_eq!(patched(DOPS, 1, 3), channels(3, 0));
        assert_eq!(patched(DOPS, 10, 255), ConfigError::Family(255));
        assert_eq!(patched(HEAD, 8, 0x10), ConfigError::Version(16));
        assert_eq!(patched(HEAD, 7, b'D'), ConfigError::Magic);
        assert_eq!(patched(SURROUND, 1, 9), channels(9, 1));
        for (at, value) in [(11, 0), (12, 5), (11, 254), (13, 6)] {
            let error = patched(SURROUND, at, value);
            assert!(matches!(error, ConfigError::Mapping(_)), "{at}: {error}");
        }
        // Silence is no stream.
        let mut silent = SURROUND.to_vec();
        silent[13] = 255;
        assert!(Config::parse_dops(&silent).is_ok());
        assert_eq!(Config::new(3, 0, 0), Err(channels(3, 0)));
    }

    #[test]
    fn packets_last_what_their_first_byte_says() {
        // Configuration, tenths of milliseconds of a frame: table 2 of RFC 6716.
        let frames: [(u8, u32); 9] = [
            (0, 100),
            (3, 600),
            (10, 400),
            (12, 100),
            (15, 200),
            (16, 25),
            (17, 50),
            (30, 100),
            (31, 200),
        ];
        for (config, tenths) in frames {
            let samples = tenths * 48 / 10;
            assert_eq!(duration(&[config << 3]), Some(samples), "{config}");
            assert_eq!(duration(&[config << 3 | 4 | 1, 0]), Some(samples * 2));
            assert_eq!(duration(&[config << 3 | 2, 0]), Some(samples * 2));
            let packet = [config << 3 | 3, 0x80 | 2];
            assert_eq!(duration(&packet), Some(samples * 2));
        }
    }

    #[test]
    fn what_is_no_packet_has_no_duration() {
        assert_eq!(duration(&[]), None);
        assert_eq!(duration(&[3]), None);
        assert_eq!(duration(&[3, 0]), None);
        // Seven frames of 20 ms are more than 120 ms, six are not.
        assert_eq!(duration(&[31 << 3 | 3, 7]), None);
        assert_eq!(duration(&[31 << 3 | 3, 6]), Some(MAX_DURATION));
        assert_eq!(duration(&[3 << 3 | 3, 63]), None);
    }
}
