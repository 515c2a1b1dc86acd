//! AV1: what a decoder needs before the first picture, and what a temporal unit is (AV1 Bitstream & Decoding
//! Process Specification; AV1 Codec ISO Media File Format Binding).
//!
//! Read [`Config`] first; its record (`av1C`) is read and written in `av1c`, [`SequenceHeader`] is what is used
//! of a sequence header, [`Picture`] what the frame headers of a temporal unit say. [`obus`] walks a temporal
//! unit, [`normalise`] brings one into the form in which it is carried: OBUs that each say their size, without
//! those that only a byte stream needs.

mod av1c;
pub mod leb128;
mod obu;
mod picture;
mod sequence;

pub use obu::{Obu, ObuError, Obus, normalise, normalise_elements, obus};
pub use picture::Picture;
pub use sequence::{Colour, SequenceHeader};

use crate::bits::BitsError;
use bytes::Bytes;

/// Longest sequence header that is kept, in bytes of the whole OBU. With all 32 operating points it has some 400.
pub const MAX_SEQUENCE_HEADER: usize = 1_024;

/// OBU types, section 6.2.2.
pub mod obu_type {
    /// Sequence header: what holds for all frames up to the next one.
    pub const SEQUENCE_HEADER: u8 = 1;
    /// Temporal delimiter, the first of a temporal unit in a byte stream.
    pub const TEMPORAL_DELIMITER: u8 = 2;
    /// Frame header, whose tiles follow.
    pub const FRAME_HEADER: u8 = 3;
    /// Tiles.
    pub const TILE_GROUP: u8 = 4;
    /// Metadata, such as of high dynamic range.
    pub const METADATA: u8 = 5;
    /// Frame header and tiles in one.
    pub const FRAME: u8 = 6;
    /// The frame header once more.
    pub const REDUNDANT_FRAME_HEADER: u8 = 7;
    /// Tiles of large scale decoding, which no live stream has.
    pub const TILE_LIST: u8 = 8;
    /// Padding.
    pub const PADDING: u8 = 15;
}

/// What a decoder needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The sequence header, the whole OBU with its size; at most [`MAX_SEQUENCE_HEADER`] bytes.
    pub sequence_header: Bytes,
    /// What it says of the pictures.
    pub video: SequenceHeader,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The record ends in the middle.
    #[error("AV1 configuration record ends at byte {0}")]
    Truncated(usize),
    /// Its first byte is not that of version 1.
    #[error("AV1 configuration record begins with {0:#04x}, not 0x81")]
    Version(u8),
    /// No sequence header, without which nothing is known.
    #[error("AV1 configuration has no sequence header")]
    Missing,
    /// An OBU of another type.
    #[error("OBU of type {0} in place of a sequence header")]
    NotASequenceHeader(u8),
    /// A sequence header longer than [`MAX_SEQUENCE_HEADER`].
    #[error("AV1 sequence header of {0} bytes")]
    TooLong(usize),
    /// An OBU that cannot be read.
    #[error(transparent)]
    Obu(#[from] ObuError),
    /// The sequence header cannot be read.
    #[error("AV1 sequence header: {0}")]
    SequenceHeader(#[from] BitsError),
}

impl Config {
    /// From a sequence header OBU, with or without its size. What follows it is ignored.
    ///
    /// # Errors
    /// When it is none, too long, or cannot be read.
    pub fn from_sequence_header(obu: &[u8]) -> Result<Self, ConfigError> {
        let obu = obus(obu).next().ok_or(ConfigError::Missing)??;
        if obu.kind != obu_type::SEQUENCE_HEADER {
            return Err(ConfigError::NotASequenceHeader(obu.kind));
        }
        // As it is kept: with its size, which some leave out.
        let length = obu.length_with_size();
        if length > MAX_SEQUENCE_HEADER {
            return Err(ConfigError::TooLong(length));
        }
        Ok(Self {
            video: SequenceHeader::parse(obu.payload)?,
            sequence_header: obu.with_size(),
        })
    }

    /// The `codecs` parameter (ISO Media File Format Binding section 5), such as `av01.0.04M.08`: profile, level
    /// and tier, bit depth; with chroma format and colours where these are not the usual ones.
    pub fn rfc6381(&self) -> String {
        let video = &self.video;
        let tier = if video.high_tier { 'H' } else { 'M' };
        let mut text = format!(
            "av01.{}.{:02}{tier}.{:02}",
            video.profile, video.level, video.bit_depth
        );
        // Colours that are not told count as those of BT.709.
        let colour = video.colour.unwrap_or(Colour {
            primaries: 1,
            transfer: 1,
            matrix: 1,
        });
        let [monochrome, x, y, range] = [
            video.monochrome,
            video.subsampling_x,
            video.subsampling_y,
            video.full_range,
        ]
        .map(u8::from);
        let rest = format!(
            ".{monochrome}.{x}{y}{}.{:02}.{:02}.{:02}.{range}",
            video.chroma_sample_position, colour.primaries, colour.transfer, colour.matrix
        );
        // In 4:2:0, an unknown place of the chroma samples is the default.
        if rest != ".0.110.01.01.01.0" {
            text.push_str(&rest);
        }
        text
    }
}

#[cfg(test)]
mod tests;
