//! What is used of a sequence parameter set (ITU-T H.264 clause 7.3.2.1.1).

use super::ConfigError;
use crate::bits::{BitReader, BitsError};
use crate::codec::{nal, vui};

/// What is used of a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// The constraint flags byte between profile and level.
    pub constraints: u8,
    /// `level_idc`, ten times the level.
    pub level_idc: u8,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub chroma_format_idc: u8,
    /// Bits per luma sample, 8 to 14.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample, 8 to 14.
    pub bit_depth_chroma: u8,
    /// Luma samples per line after cropping.
    pub width: u32,
    /// Lines after cropping.
    pub height: u32,
    /// Width to height of a sample, from the VUI.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Pictures per second as (numerator, denominator), from the VUI; encoders are often wrong about it.
    pub frame_rate: Option<(u32, u32)>,
    /// Most frames that precede one in decoding order and follow it in output order: from the VUI, or none
    /// at all where the rest of the set says so; `None` where it could be any number.
    pub reorder_depth: Option<u8>,
}

/// What is needed to read slice headers up to the order of output (clause 7.3.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SliceSyntax {
    /// `seq_parameter_set_id`.
    pub(super) id: u32,
    /// `separate_colour_plane_flag`.
    pub(super) separate_planes: bool,
    /// ChromaArrayType is not 0.
    pub(super) has_chroma: bool,
    /// Bits of `frame_num`.
    pub(super) frame_num_bits: u32,
    /// `frame_mbs_only_flag`.
    pub(super) frame_mbs_only: bool,
    pub(super) order: OrderSyntax,
}

/// How a picture's place in output order is told: `pic_order_cnt_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OrderSyntax {
    /// Type 0: by its lower bits, as many as these.
    Lsb(u32),
    /// Type 1: by the difference from what a cycle of reference frames makes expect.
    Cycle(Cycle),
    /// Type 2: it is the order of decoding.
    Decoding,
}

/// The cycle of type 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    /// `delta_pic_order_always_zero_flag`.
    pub(super) always_zero: bool,
    /// `offset_for_non_ref_pic`.
    pub(super) non_reference: i64,
    /// `offset_for_top_to_bottom_field`.
    pub(super) top_to_bottom: i64,
    /// `offset_for_ref_frame`, 255 at most.
    pub(super) reference: Vec<i64>,
}

impl Sps {
    /// Reads a sequence parameter set NAL unit (header byte included).
    ///
    /// # Errors
    /// [`ConfigError::Sps`] where it ends early or leaves a range, [`ConfigError::Size`] for pictures of no
    /// size or of more than 16,384 samples on a side.
    pub fn parse(nal_unit: &[u8]) -> Result<Self, ConfigError> {
        Self::with_slice_syntax(nal_unit).map(|(sps, _)| sps)
    }

    /// The same, with what slices need.
    pub(super) fn with_slice_syntax(nal_unit: &[u8]) -> Result<(Self, SliceSyntax), ConfigError> {
        let rbsp = nal::unescape(nal_unit);
        let mut bits = BitReader::new(&rbsp);
        bits.skip(8)?;
        let profile_idc = bits.bits(8)? as u8;
        let constraints = bits.bits(8)? as u8;
        let level_idc = bits.bits(8)? as u8;
        let id = bits.ue()?;
        let (mut chroma_format_idc, mut bit_depth_luma, mut bit_depth_chroma) = (1, 8, 8);
        let mut separate_planes = false;
        if matches!(
            profile_idc,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        ) {
            chroma_format_idc = bits.ue_at_most(3)? as u8;
            if chroma_format_idc == 3 {
                separate_planes = bits.flag()?;
            }
            bit_depth_luma = 8 + bits.ue_at_most(6)? as u8;
            bit_depth_chroma = 8 + bits.ue_at_most(6)? as u8;
            bits.flag()?; // qpprime_y_zero_transform_bypass_flag
            if bits.flag()? {
                for list in 0..if chroma_format_idc == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        let frame_num_bits = bits.ue_at_most(12)? + 4;
        let order = OrderSyntax::read(&mut bits)?;
        let max_references = bits.ue()?;
        bits.flag()?; // gaps_in_frame_num_value_allowed_flag
        let width_in_mbs = bits.ue_at_most(1_023)? + 1;
        let height_in_map_units = bits.ue_at_most(1_023)? + 1;
        let frame_mbs_only = bits.flag()?;
        if !frame_mbs_only {
            bits.flag()?; // mb_adaptive_frame_field_flag
        }
        bits.flag()?; // direct_8x8_inference_flag
        let fields = if frame_mbs_only { 1 } else { 2 };
        let (mut width, mut height) = (width_in_mbs * 16, height_in_map_units * 16 * fields);
        if bits.flag()? {
            // Crop units, equations 7-19 to 7-22.
            let (unit_x, unit_y) = match chroma_format_idc {
                1 if !separate_planes => (2, 2 * fields),
                2 if !separate_planes => (2, fields),
                _ => (1, fields),
            };
            let mut crop = |unit: u32| -> Result<u32, BitsError> {
                Ok(bits.ue()?.saturating_add(bits.ue()?).saturating_mul(unit))
            };
            width = width.saturating_sub(crop(unit_x)?);
            height = height.saturating_sub(crop(unit_y)?);
        }
        if width == 0 || height == 0 || width > 16_384 || height > 16_384 {
            return Err(ConfigError::Size { width, height });
        }
        // A VUI that cannot be read costs what it would have told, not the stream.
        let vui = match bits.flag() {
            Ok(true) => Vui::read(&mut bits).unwrap_or_default(),
            _ => Vui::default(),
        };
        // Inferred to be 0 for intra profiles (clause E.2.1). With one reference frame there are no pictures
        // between two others, nor are there any in the Baseline profile.
        let intra =
            constraints & 0x10 != 0 && matches!(profile_idc, 44 | 86 | 100 | 110 | 122 | 244);
        let ordered = order == OrderSyntax::Decoding || max_references <= 1 || profile_idc == 66;
        let inferred = (intra || ordered).then_some(0);
        let video = Self {
            profile_idc,
            constraints,
            level_idc,
            chroma_format_idc,
            bit_depth_luma,
            bit_depth_chroma,
            width,
            height,
            sample_aspect_ratio: vui.sample_aspect_ratio,
            frame_rate: vui.frame_rate,
            reorder_depth: vui.reorder_depth.or(inferred),
        };
        let syntax = SliceSyntax {
            id,
            separate_planes,
            has_chroma: chroma_format_idc != 0 && !separate_planes,
            frame_num_bits,
            frame_mbs_only,
            order,
        };
        Ok((video, syntax))
    }
}

impl OrderSyntax {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        Ok(match bits.ue_at_most(2)? {
            0 => Self::Lsb(bits.ue_at_most(12)? + 4),
            1 => Self::Cycle(Cycle {
                always_zero: bits.flag()?,
                non_reference: bits.se()?.into(),
                top_to_bottom: bits.se()?.into(),
                reference: {
                    let mut offsets = Vec::new();
                    for _ in 0..bits.ue_at_most(255)? {
                        offsets.push(bits.se()?.into());
                    }
                    offsets
                },
            }),
            _ => Self::Decoding,
        })
    }
}

/// What is used of `vui_parameters()` (clause E.1.1).
#[derive(Clone, Copy, Debug, Default)]
struct Vui {
    sample_aspect_ratio: Option<(u16, u16)>,
    frame_rate: Option<(u32, u32)>,
    reorder_depth: Option<u8>,
}

impl Vui {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        let sample_aspect_ratio = vui::until_chroma_locations(bits)?;
        let mut frame_rate = None;
        let has_timing = bits.flag()?;
        if has_timing {
            let units_in_tick = bits.bits(32)?;
            let time_scale = bits.bits(32)?;
            // A tick is a field, two to a picture.
            frame_rate = units_in_tick
                .checked_mul(2)
                .filter(|units| *units > 0 && time_scale > 0)
                .map(|units| (time_scale, units));
        }
        // What comes next is of use alone: where it cannot be read, the rest is kept.
        let reorder_depth = reorder_depth(bits, has_timing).unwrap_or_default();
        Ok(Self {
            sample_aspect_ratio,
            frame_rate,
            reorder_depth,
        })
    }
}

/// The end of `vui_parameters()`: `max_num_reorder_frames`, where there are bitstream restrictions.
fn reorder_depth(bits: &mut BitReader<'_>, has_timing: bool) -> Result<Option<u8>, BitsError> {
    if has_timing {
        bits.flag()?; // fixed_frame_rate_flag
    }
    let mut has_hrd = false;
    for _ in ["nal_hrd_parameters", "vcl_hrd_parameters"] {
        if bits.flag()? {
            has_hrd = true;
            let count = bits.ue_at_most(31)? + 1;
            bits.skip(8)?; // bit_rate_scale, cpb_size_scale
            for _ in 0..count {
                bits.ue()?;
                bits.ue()?;
                bits.flag()?;
            }
            bits.skip(20)?; // lengths of delays and of time_offset
        }
    }
    if has_hrd {
        bits.flag()?; // low_delay_hrd_flag
    }
    bits.flag()?; // pic_struct_present_flag
    if !bits.flag()? {
        return Ok(None);
    }
    bits.flag()?; // motion_vectors_over_pic_boundaries_flag
    for _ in 0..4 {
        bits.ue()?; // sizes of pictures, macroblocks and motion vectors
    }
    // At most max_dec_frame_buffering, which is at most 16.
    Ok(Some(bits.ue_at_most(16)? as u8))
}

/// `scaling_list()`, clause 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: usize) -> Result<(), BitsError> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}
