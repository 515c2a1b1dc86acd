//! The uncompressed header of a frame (section 6.2), as far as it is used.

use super::{BT_709, UNSPECIFIED};
use crate::bits::{BitReader, BitsError};

/// The beginning of an uncompressed header.
pub(super) enum Header {
    /// `show_existing_frame`.
    Existing,
    Frame {
        profile: u8,
        key: bool,
        shown: bool,
        error_resilient: bool,
    },
}

impl Header {
    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        if bits.bits(2)? != 2 {
            return Err(bits.invalid()); // frame_marker
        }
        let profile = u8::from(bits.flag()?) | u8::from(bits.flag()?) << 1;
        if profile == 3 && bits.flag()? {
            return Err(bits.invalid()); // reserved_zero
        }
        if bits.flag()? {
            return Ok(Self::Existing);
        }
        Ok(Self::Frame {
            profile,
            key: !bits.flag()?,
            shown: bits.flag()?,
            error_resilient: bits.flag()?,
        })
    }
}

/// `frame_sync_code()` and `color_config()`.
pub(super) struct Format {
    pub(super) bit_depth: u8,
    pub(super) chroma_subsampling: u8,
    pub(super) full_range: bool,
    pub(super) matrix: u8,
}

impl Format {
    pub(super) fn read(bits: &mut BitReader<'_>, profile: u8) -> Result<Self, BitsError> {
        sync_code(bits)?;
        let bit_depth = match profile >= 2 {
            true if bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        // Profiles 1 and 3 tell the chroma format, and have a reserved bit.
        let odd = profile & 1 == 1;
        let color_space = bits.bits(3)?;
        // Table of color_space: BT.601, BT.709, SMPTE 170M and 240M, BT.2020; 7 is RGB.
        let matrix = match color_space {
            1 => 5,
            2 => BT_709,
            3 => 6,
            4 => 7,
            5 => 9,
            7 => 0,
            _ => UNSPECIFIED,
        };
        let rgb = color_space == 7;
        if rgb && !odd {
            return Err(bits.invalid());
        }
        let full_range = rgb || bits.flag()?;
        let chroma_subsampling = match odd && !rgb {
            true => match (bits.flag()?, bits.flag()?) {
                (false, false) => 3,
                (true, false) => 2,
                (false, true) => 4,
                (true, true) => return Err(bits.invalid()),
            },
            false if rgb => 3,
            false => 1,
        };
        if odd && bits.flag()? {
            return Err(bits.invalid()); // reserved_zero
        }
        Ok(Self {
            bit_depth,
            chroma_subsampling,
            full_range,
            matrix,
        })
    }
}

fn sync_code(bits: &mut BitReader<'_>) -> Result<(), BitsError> {
    if bits.bits(24)? != 0x49_83_42 {
        return Err(bits.invalid());
    }
    Ok(())
}

/// `frame_size()`, each side 1 to 65,536.
pub(super) fn size(bits: &mut BitReader<'_>) -> Result<(u32, u32), BitsError> {
    Ok((bits.bits(16)? + 1, bits.bits(16)? + 1))
}

/// `refresh_frame_flags` of a frame that is not a key frame.
pub(super) fn refreshed(
    bits: &mut BitReader<'_>,
    shown: bool,
    error_resilient: bool,
    profile: u8,
) -> Result<u32, BitsError> {
    let intra_only = !shown && bits.flag()?;
    if !error_resilient {
        bits.bits(2)?; // reset_frame_context
    }
    if intra_only {
        if profile == 0 {
            sync_code(bits)?;
        } else {
            Format::read(bits, profile)?;
        }
    }
    bits.bits(8)
}
