//! VP9: what a decoder needs before the first picture, and what a frame is ("VP9 Bitstream & Decoding Process
//! Specification" sections 6.2 and 7.2; "VP Codec ISO Media File Format Binding" version 1.0).
//!
//! A stream has no configuration of its own: it is in the uncompressed header of each key frame. What a payload is
//! is told by its first frame, also in a superframe (annex B), where frames that are not shown come with one
//! that is.

mod header;

use super::Start;
use crate::bits::{BitReader, BitsError};
use bytes::{BufMut, Bytes, BytesMut};
use header::{Format, Header};

/// What a decoder needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Profile, 0 to 3: 4:2:0 of 8 bits, other chroma formats of 8 bits, and both of more bits.
    pub profile: u8,
    /// Ten times the level. The stream does not tell: where its source does not either, it is the lowest with
    /// pictures of this size.
    pub level: u8,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `chromaSubsampling`: 0 is 4:2:0 with chroma between lines, 1 4:2:0 with chroma at luma samples, 2 4:2:2,
    /// 3 4:4:4, 4 4:4:0.
    pub chroma_subsampling: u8,
    /// Samples use the full range.
    pub full_range: bool,
    /// Code point of ITU-T H.273; 2 is unspecified.
    pub colour_primaries: u8,
    /// Code point of ITU-T H.273; 2 is unspecified.
    pub transfer: u8,
    /// Code point of ITU-T H.273; 2 is unspecified.
    pub matrix: u8,
    /// Samples per line.
    pub width: u16,
    /// Lines.
    pub height: u16,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The record ends in the middle.
    #[error("VP9 configuration record ends at byte {0}")]
    Truncated(usize),
    /// The record has another layout.
    #[error("VP9 configuration record has version {0}, not 1")]
    Version(u8),
    /// The record has a value that does not exist.
    #[error("VP9 configuration record has the {what} {value}")]
    Value {
        /// Which one.
        what: &'static str,
        /// What it is.
        value: u8,
    },
    /// The frame is not a key frame.
    #[error("VP9 frame is not a key frame")]
    NotAKeyFrame,
    /// The header of the frame cannot be read.
    #[error("VP9 frame header: {0}")]
    Header(#[from] BitsError),
    /// Pictures of no size, or wider or higher than 65,535.
    #[error("VP9 picture of {width} x {height}")]
    Size {
        /// Samples per line.
        width: u32,
        /// Lines.
        height: u32,
    },
}

impl Config {
    /// From a key frame. Of colours, the stream tells the matrix alone.
    ///
    /// # Errors
    /// When it is none, or its header cannot be read.
    pub fn from_key_frame(frame: &[u8]) -> Result<Self, ConfigError> {
        let bits = &mut BitReader::new(frame);
        let Header::Frame {
            key: true, profile, ..
        } = Header::read(bits)?
        else {
            return Err(ConfigError::NotAKeyFrame);
        };
        let format = Format::read(bits, profile)?;
        let (width, height) = header::size(bits)?;
        let (Ok(narrow_width), Ok(narrow_height)) = (u16::try_from(width), u16::try_from(height))
        else {
            return Err(ConfigError::Size { width, height });
        };
        Ok(Self {
            profile,
            level: level(narrow_width, narrow_height),
            bit_depth: format.bit_depth,
            chroma_subsampling: format.chroma_subsampling,
            full_range: format.full_range,
            colour_primaries: UNSPECIFIED,
            transfer: UNSPECIFIED,
            matrix: format.matrix,
            width: narrow_width,
            height: narrow_height,
        })
    }

    /// Reads the content of a `vpcC` box, or the VPCodecConfigurationRecord in it alone, without the box's
    /// version and flags. The size of the pictures is not in it.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_vpcc(content: &[u8], width: u16, height: u16) -> Result<Self, ConfigError> {
        let truncated = ConfigError::Truncated(content.len());
        // Flags are 0; the third byte of a record, with the bit depth, is not.
        let record = match content {
            [1, 0, 0, 0, record @ ..] => record,
            [version, _, 0, _, ..] => return Err(ConfigError::Version(*version)),
            record => record,
        };
        let record = record.first_chunk::<6>().ok_or(truncated)?;
        let [
            profile,
            told_level,
            format,
            colour_primaries,
            transfer,
            matrix,
        ] = *record;
        let (bit_depth, chroma_subsampling) = (format >> 4, format >> 1 & 7);
        let checks = [
            ("profile", profile, profile <= 3),
            ("bit depth", bit_depth, matches!(bit_depth, 8 | 10 | 12)),
            ("chroma format", chroma_subsampling, chroma_subsampling <= 4),
        ];
        for (what, value, exists) in checks {
            if !exists {
                return Err(ConfigError::Value { what, value });
            }
        }
        if width == 0 || height == 0 {
            let (width, height) = (width.into(), height.into());
            return Err(ConfigError::Size { width, height });
        }
        Ok(Self {
            profile,
            level: match told_level {
                0 => level(width, height),
                told => told,
            },
            bit_depth,
            chroma_subsampling,
            full_range: format & 1 == 1,
            colour_primaries,
            transfer,
            matrix,
            width,
            height,
        })
    }

    /// Writes the content of a `vpcC` box: version, flags and VPCodecConfigurationRecord.
    pub fn vpcc(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(12);
        let format = self.bit_depth << 4 | self.chroma_subsampling << 1 | u8::from(self.full_range);
        out.put_slice(&[1, 0, 0, 0, self.profile, self.level, format]);
        out.put_slice(&[self.colour_primaries, self.transfer, self.matrix]);
        out.put_u16(0); // codecInitializationDataSize
        out.freeze()
    }

    /// The `codecs` parameter (VP Codec ISO Media File Format Binding), such as `vp09.00.31.08`: profile, level and
    /// bit depth; with chroma format and colours where these are known not to be the usual ones.
    pub fn rfc6381(&self) -> String {
        let mut text = format!(
            "vp09.{:02}.{:02}.{:02}",
            self.profile, self.level, self.bit_depth
        );
        let colours = [self.colour_primaries, self.transfer, self.matrix];
        let usual = self.chroma_subsampling <= 1
            && !self.full_range
            && colours
                .iter()
                .all(|code| matches!(*code, BT_709 | UNSPECIFIED));
        if !usual {
            let [primaries, transfer, matrix] = colours;
            text.push_str(&format!(
                ".{:02}.{primaries:02}.{transfer:02}.{matrix:02}.{:02}",
                self.chroma_subsampling,
                u8::from(self.full_range)
            ));
        }
        text
    }
}

/// What the first frame of a payload says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// It contains a frame, or shows one that was decoded before.
    pub has_frame: bool,
    /// It is a key frame, so that a decoder can start here.
    pub key: bool,
    /// No other picture refers to it: a single frame that replaces no reference frame. False where that is not
    /// known.
    pub disposable: bool,
    /// It only shows a frame that was decoded before.
    pub shows_existing: bool,
    /// Width and height in samples, of a key frame.
    pub size: Option<(u32, u32)>,
}

impl Picture {
    /// Looks at the uncompressed header. What cannot be read is no frame.
    pub fn inspect(payload: &[u8]) -> Self {
        Self::look(payload).unwrap_or_default()
    }

    fn look(payload: &[u8]) -> Result<Self, BitsError> {
        let bits = &mut BitReader::new(payload);
        let mut picture = Self {
            has_frame: true,
            ..Self::default()
        };
        match Header::read(bits)? {
            Header::Existing => picture.shows_existing = true,
            Header::Frame {
                key: true, profile, ..
            } => {
                Format::read(bits, profile)?;
                picture.key = true;
                picture.size = Some(header::size(bits)?);
            }
            Header::Frame {
                shown,
                error_resilient,
                profile,
                ..
            } => {
                // One that is cut off says nothing of itself. Frames behind it in a superframe may refer to it
                // or be referred to.
                let refreshed = header::refreshed(bits, shown, error_resilient, profile);
                picture.disposable = shown && refreshed == Ok(0) && !is_superframe(payload);
            }
        }
        Ok(picture)
    }

    /// How a decoder can start here, if it can.
    pub fn start(&self) -> Option<Start> {
        self.key.then_some(Start::Clean)
    }
}

/// Code points of ITU-T H.273.
const BT_709: u8 = 1;
const UNSPECIFIED: u8 = 2;

/// It ends with the marker of a superframe index (annex B), with which no frame ends.
fn is_superframe(payload: &[u8]) -> bool {
    payload.last().is_some_and(|last| last & 0xe0 == 0xc0)
}

/// The lowest level with pictures of this size, at its lowest rate of them (annex A).
fn level(width: u16, height: u16) -> u8 {
    let samples = u32::from(width) * u32::from(height);
    let side = width.max(height);
    let fits =
        |(_, most_samples, longest): &&(u8, u32, u16)| samples <= *most_samples && side <= *longest;
    LEVELS.iter().find(fits).map_or(62, |(level, ..)| *level)
}

/// Ten times the level, samples of a picture, samples on a side.
const LEVELS: [(u8, u32, u16); 9] = [
    (10, 36_864, 512),
    (11, 73_728, 768),
    (20, 122_880, 960),
    (21, 245_760, 1_344),
    (30, 552_960, 2_048),
    (31, 983_040, 2_752),
    (40, 2_228_224, 4_160),
    (50, 8_912_896, 8_384),
    (60, 35_651_584, 16_832),
];

#[cfg(test)]
mod tests;
