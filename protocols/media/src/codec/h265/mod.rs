//! H.265: what a decoder needs before the first picture, and what an access unit is (ITU-T H.265; ISO/IEC
//! 14496-15 clause 8).
//!
//! Read [`Config`] first; its record (`hvcC`) is read and written in `hvcc`, [`Sps`] is what is used of a
//! sequence parameter set, [`Picture`] what the NAL unit headers of an access unit say, [`PictureOrder`] what
//! its slice headers say of the order of output. Only the base layer is looked at: units of other layers
//! (scalability, several views) are as if they were not there.

mod hvcc;
mod in_band;
mod order;
mod picture;
mod sps;

pub use in_band::InBand;
pub use order::PictureOrder;
pub use picture::{Leading, Picture};
pub use sps::{Profile, Sps};

use crate::bits::BitsError;
use bytes::Bytes;

/// Longest parameter set that is kept, in bytes.
pub const MAX_PARAMETER_SET: usize = 4_096;

/// Most parameter sets of one kind that are kept: picture parameter sets have 64 numbers, the others 16.
pub const MAX_PARAMETER_SETS: usize = 64;

/// NAL unit types, table 7-1.
pub mod nal_type {
    /// Random access decodable leading picture, not referred to within its sub-layer.
    pub const RADL_N: u8 = 6;
    /// Random access decodable leading picture.
    pub const RADL_R: u8 = 7;
    /// Random access skipped leading picture, not referred to within its sub-layer.
    pub const RASL_N: u8 = 8;
    /// Random access skipped leading picture.
    pub const RASL_R: u8 = 9;
    /// Broken link access picture that may have leading pictures: the first of the random access points.
    pub const BLA_W_LP: u8 = 16;
    /// Instantaneous decoding refresh that may have decodable leading pictures.
    pub const IDR_W_RADL: u8 = 19;
    /// Instantaneous decoding refresh without leading pictures.
    pub const IDR_N_LP: u8 = 20;
    /// Clean random access: the last of the random access points.
    pub const CRA: u8 = 21;
    /// Above all random access points, the two reserved types included.
    pub const IRAP_END: u8 = 24;
    /// Above all coded slices, reserved ones included.
    pub const SLICES_END: u8 = 32;
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;
    /// End of sequence: the next picture is a random access point that begins anew.
    pub const END_OF_SEQUENCE: u8 = 36;
    /// Filler data.
    pub const FILLER: u8 = 38;
    /// Supplemental enhancement information before the slices.
    pub const PREFIX_SEI: u8 = 39;
    /// Supplemental enhancement information behind them.
    pub const SUFFIX_SEI: u8 = 40;
}

/// The two bytes at the start of every NAL unit (clause 7.3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalHeader {
    /// `nal_unit_type`, see [`nal_type`].
    pub kind: u8,
    /// `nuh_layer_id`: 0 is the base layer.
    pub layer: u8,
    /// TemporalId, 0 to 6.
    pub temporal_id: u8,
}

impl NalHeader {
    /// Reads it; `None` for a unit that is too short, and where the temporal ID is the forbidden one.
    pub const fn parse(nal_unit: &[u8]) -> Option<Self> {
        let Some([first, second]) = nal_unit.first_chunk() else {
            return None;
        };
        let Some(temporal_id) = (*second & 7).checked_sub(1) else {
            return None;
        };
        Some(Self {
            kind: *first >> 1 & 0x3f,
            layer: (*first & 1) << 5 | *second >> 3,
            temporal_id,
        })
    }
}

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Video parameter sets, as NAL units without start code or length; at least one.
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets, likewise; at least one.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, likewise; at least one.
    pub pps: Vec<Bytes>,
    /// What the first sequence parameter set says of the pictures.
    pub video: Sps,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The record ends in the middle.
    #[error("HEVC configuration record ends at byte {0}")]
    Truncated(usize),
    /// `configurationVersion` is not 1.
    #[error("HEVC configuration record has version {0}, not 1")]
    Version(u8),
    /// Lengths of 3 bytes do not exist.
    #[error("HEVC NAL unit lengths of {0} bytes do not exist")]
    LengthSize(u8),
    /// No video, sequence or picture parameter set.
    #[error("HEVC configuration has no {0}")]
    Missing(&'static str),
    /// More than [`MAX_PARAMETER_SETS`] of a kind.
    #[error("HEVC configuration has {count} {kind}")]
    TooMany {
        /// Which kind.
        kind: &'static str,
        /// How many.
        count: usize,
    },
    /// A parameter set longer than [`MAX_PARAMETER_SET`], or without a header.
    #[error("parameter set of {0} bytes")]
    ParameterSet(usize),
    /// A NAL unit that is none of the base layer's parameter sets of this kind.
    #[error("NAL unit of type {found} and layer {layer} in place of a {expected}")]
    NotA {
        /// Which kind it should be.
        expected: &'static str,
        /// Its `nal_unit_type`.
        found: u8,
        /// Its `nuh_layer_id`.
        layer: u8,
    },
    /// The sequence parameter set cannot be read.
    #[error("sequence parameter set: {0}")]
    Sps(#[from] BitsError),
    /// The sequence parameter set describes a picture of an impossible size.
    #[error("sequence parameter set gives a picture of {width} x {height}")]
    Size {
        /// Luma samples per line.
        width: u32,
        /// Lines.
        height: u32,
    },
}

impl Config {
    /// From parameter sets, in the order found.
    ///
    /// # Errors
    /// When a kind is missing, one is too long or no such set, or the first SPS cannot be read.
    pub fn new(vps: Vec<Bytes>, sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<Self, ConfigError> {
        let kinds = [
            (&vps, "VPS", nal_type::VPS),
            (&sps, "SPS", nal_type::SPS),
            (&pps, "PPS", nal_type::PPS),
        ];
        for (sets, kind, expected) in kinds {
            let count = sets.len();
            match count {
                0 => return Err(ConfigError::Missing(kind)),
                1..=MAX_PARAMETER_SETS => {}
                _ => return Err(ConfigError::TooMany { kind, count }),
            }
            for set in sets {
                check_set(set, kind, expected)?;
            }
        }
        let first = sps.first().ok_or(ConfigError::Missing("SPS"))?;
        let video = Sps::parse(first)?;
        Ok(Self {
            vps,
            sps,
            pps,
            video,
        })
    }

    /// The `codecs` parameter of ISO/IEC 14496-15 annex E.3, such as `hvc1.1.6.L93.B0`: profile,
    /// compatibility flags with their bits turned round, tier and level, and the constraint bytes up to the
    /// last that is not zero.
    pub fn rfc6381(&self) -> String {
        use std::fmt::Write;
        let profile = self.video.profile;
        let mut text = String::from("hvc1.");
        if let Some(space) = profile.space.checked_sub(1) {
            text.push(char::from(b'A'.saturating_add(space)));
        }
        let tier = if profile.high_tier { 'H' } else { 'L' };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}.{:X}.{tier}{}",
            profile.idc,
            profile.compatibility.reverse_bits(),
            profile.level_idc
        );
        let used = profile.constraints.iter().rposition(|byte| *byte != 0);
        let count = used.map_or(0, |last| last.saturating_add(1));
        for byte in profile.constraints.iter().take(count) {
            let _ = write!(text, ".{byte:X}");
        }
        text
    }
}

fn check_set(set: &[u8], kind: &'static str, expected: u8) -> Result<(), ConfigError> {
    if set.len() > MAX_PARAMETER_SET {
        return Err(ConfigError::ParameterSet(set.len()));
    }
    let header = NalHeader::parse(set).ok_or(ConfigError::ParameterSet(set.len()))?;
    if (header.kind, header.layer) == (expected, 0) {
        Ok(())
    } else {
        Err(ConfigError::NotA {
            expected: kind,
            found: header.kind,
            layer: header.layer,
        })
    }
}

#[cfg(test)]
mod tests;
