//! What the video usability information of H.264 and H.265 has in common: its first elements, up to the
//! chroma sample locations, are the same in both (ITU-T H.264 clause E.1.1, H.265 clause E.2.1).

use crate::bits::{BitReader, BitsError};

/// Reads them, and gives the sample aspect ratio (width, height) if it is told and makes sense.
pub(super) fn until_chroma_locations(
    bits: &mut BitReader<'_>,
) -> Result<Option<(u16, u16)>, BitsError> {
    let mut aspect = None;
    if bits.flag()? {
        let idc = bits.bits(8)? as usize;
        aspect = if idc == 255 {
            Some((bits.bits(16)? as u16, bits.bits(16)? as u16))
        } else {
            SAMPLE_ASPECT_RATIOS.get(idc).copied()
        };
        aspect = aspect.filter(|(width, height)| *width > 0 && *height > 0);
    }
    if bits.flag()? {
        bits.flag()?; // overscan_appropriate_flag
    }
    if bits.flag()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.flag()? {
            bits.skip(24)?; // colour primaries, transfer, matrix
        }
    }
    if bits.flag()? {
        bits.ue()?; // chroma sample locations
        bits.ue()?;
    }
    Ok(aspect)
}

/// Table E-1 of both standards, sample aspect ratio by `aspect_ratio_idc`.
const SAMPLE_ASPECT_RATIOS: [(u16, u16); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
