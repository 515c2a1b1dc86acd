//! What is used of a sequence parameter set (ITU-T H.265 clause 7.3.2.2).

use super::{ConfigError, check_set, nal_type};
use crate::bits::{BitReader, BitsError};
use crate::codec::{nal, vui};

/// Most reference pictures that one set may name, more than any decoder keeps.
const MAX_DELTA_POCS: usize = 32;

/// What is used of a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// The general profile, tier and level.
    pub profile: Profile,
    /// Number of temporal sub-layers, 1 to 7.
    pub sub_layers: u8,
    /// `sps_temporal_id_nesting_flag`: a decoder can go up a sub-layer at any picture.
    pub temporal_id_nested: bool,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub chroma_format_idc: u8,
    /// Bits per luma sample, 8 to 15, which is what a configuration record has room for.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample, 8 to 15.
    pub bit_depth_chroma: u8,
    /// Luma samples per line after cropping.
    pub width: u32,
    /// Lines after cropping.
    pub height: u32,
    /// Width to height of a sample, from the VUI.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Pictures per second as (numerator, denominator), from the VUI; encoders are often wrong about it.
    pub frame_rate: Option<(u32, u32)>,
    /// Most pictures that precede one in decoding order and follow it in output order, in all sub-layers
    /// together: `sps_max_num_reorder_pics`.
    pub reorder_depth: u8,
}

/// What is needed to read slice headers up to the order of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceSyntax {
    /// `sps_seq_parameter_set_id`
    pub(super) id: u32,
    /// `separate_colour_plane_flag`
    pub(super) separate_planes: bool,
    /// Bits of `slice_pic_order_cnt_lsb`.
    pub(super) lsb_bits: u32,
}

/// The general part of `profile_tier_level()` (clause 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `general_profile_space`, 0 in all streams of this standard.
    pub space: u8,
    /// High tier rather than Main.
    pub high_tier: bool,
    /// `general_profile_idc`: 1 is Main, 2 is Main 10.
    pub idc: u8,
    /// The compatibility flags, that of profile 0 first (in the highest bit).
    pub compatibility: u32,
    /// The six bytes of constraint flags between compatibility flags and level.
    pub constraints: [u8; 6],
    /// `general_level_idc`, thirty times the level.
    pub level_idc: u8,
}

impl Profile {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, BitsError> {
        Ok(Self {
            space: bits.bits(2)? as u8,
            high_tier: bits.flag()?,
            idc: bits.bits(5)? as u8,
            compatibility: bits.bits(32)?,
            constraints: {
                let mut constraints = [0; 6];
                for byte in &mut constraints {
                    *byte = bits.bits(8)? as u8;
                }
                constraints
            },
            level_idc: bits.bits(8)? as u8,
        })
    }

    /// The twelve bytes that parameter sets and configuration records have in common.
    pub const fn to_bytes(self) -> [u8; 12] {
        let first = self.space << 6 | (self.high_tier as u8) << 5 | self.idc;
        let [f0, f1, f2, f3] = self.compatibility.to_be_bytes();
        let [c0, c1, c2, c3, c4, c5] = self.constraints;
        [
            first,
            f0,
            f1,
            f2,
            f3,
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            self.level_idc,
        ]
    }
}

impl Sps {
    /// Reads a sequence parameter set NAL unit of the base layer (header included).
    ///
    /// # Errors
    /// [`ConfigError::Sps`] where it ends early or leaves a range, [`ConfigError::Size`] for pictures of no
    /// size or of more than 16,384 samples on a side, [`ConfigError::NotA`] and
    /// [`ConfigError::ParameterSet`] for what is no such NAL unit.
    pub fn parse(nal_unit: &[u8]) -> Result<Self, ConfigError> {
        Self::with_slice_syntax(nal_unit).map(|(sps, _)| sps)
    }

    /// The same, with what slices need.
    pub(super) fn with_slice_syntax(nal_unit: &[u8]) -> Result<(Self, SliceSyntax), ConfigError> {
        check_set(nal_unit, "SPS", nal_type::SPS)?;
        let rbsp = nal::unescape(nal_unit);
        let mut bits = BitReader::new(&rbsp);
        bits.skip(16 + 4)?; // NAL unit header, sps_video_parameter_set_id
        let sub_layers = bits.bits(3)? as u8 + 1;
        if sub_layers > 7 {
            return Err(bits.invalid().into());
        }
        let temporal_id_nested = bits.flag()?;
        let profile = Profile::read(&mut bits)?;
        skip_sub_layer_levels(&mut bits, sub_layers)?;
        let id = bits.ue_at_most(15)?;
        let chroma_format_idc = bits.ue_at_most(3)? as u8;
        let separate_planes = chroma_format_idc == 3 && bits.flag()?;
        let (mut width, mut height) = (bits.ue()?, bits.ue()?);
        if bits.flag()? {
            // SubWidthC and SubHeightC, table 6-1.
            let (unit_x, unit_y) = match chroma_format_idc {
                1 => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
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
        let bit_depth_luma = 8 + bits.ue_at_most(7)? as u8;
        let bit_depth_chroma = 8 + bits.ue_at_most(7)? as u8;
        let lsb_bits = bits.ue_at_most(12)? + 4;
        let reorder_depth = reorder_depth(&mut bits, sub_layers)?;
        skip_coding_tools(&mut bits, lsb_bits as usize)?;
        // A VUI that cannot be read costs what it would have told, not the stream.
        let (mut sample_aspect_ratio, mut frame_rate) = (None, None);
        if bits.flag()?
            && let Ok(aspect) = vui::until_chroma_locations(&mut bits)
        {
            sample_aspect_ratio = aspect;
            frame_rate = timing(&mut bits).unwrap_or_default();
        }
        let video = Self {
            profile,
            sub_layers,
            temporal_id_nested,
            chroma_format_idc,
            bit_depth_luma,
            bit_depth_chroma,
            width,
            height,
            sample_aspect_ratio,
            frame_rate,
            reorder_depth,
        };
        let syntax = SliceSyntax {
            id,
            separate_planes,
            lsb_bits,
        };
        Ok((video, syntax))
    }
}

/// The rest of `profile_tier_level()`: profiles and levels of the sub-layers below the highest.
fn skip_sub_layer_levels(bits: &mut BitReader<'_>, sub_layers: u8) -> Result<(), BitsError> {
    if sub_layers == 1 {
        return Ok(());
    }
    let mut length = 0;
    for layer in 1..=8 {
        let (profile, level) = (bits.flag()?, bits.flag()?);
        // Behind the last sub-layer there are two bits each to fill two bytes.
        if layer < sub_layers {
            length += if profile { 88 } else { 0 } + if level { 8 } else { 0 };
        }
    }
    bits.skip(length)
}

/// The ordering information of the sub-layers: that of the highest, which is the last.
fn reorder_depth(bits: &mut BitReader<'_>, sub_layers: u8) -> Result<u8, BitsError> {
    let layers = if bits.flag()? { sub_layers } else { 1 };
    let mut depth = 0;
    for _ in 0..layers {
        bits.ue()?; // sps_max_dec_pic_buffering_minus1
        depth = bits.ue()?; // sps_max_num_reorder_pics
        bits.ue()?; // sps_max_latency_increase_plus1
    }
    // No decoder has room for more than 16 pictures.
    Ok(depth.min(16) as u8)
}

/// What stands between the ordering information and the VUI, none of which is used.
fn skip_coding_tools(bits: &mut BitReader<'_>, poc_lsb_bits: usize) -> Result<(), BitsError> {
    for _ in 0..6 {
        bits.ue()?; // sizes of coding and transform blocks, depths of their hierarchies
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // bit depths of PCM samples
        bits.ue()?;
        bits.ue()?;
        bits.flag()?; // pcm_loop_filter_disabled_flag
    }
    let mut delta_pocs = 0;
    for index in 0..bits.ue_at_most(64)? {
        delta_pocs = skip_short_term_set(bits, index, delta_pocs)?;
    }
    if bits.flag()? {
        for _ in 0..bits.ue_at_most(32)? {
            bits.skip(poc_lsb_bits + 1)?;
        }
    }
    bits.skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
}

/// `scaling_list_data()`, clause 7.3.4.
fn skip_scaling_lists(bits: &mut BitReader<'_>) -> Result<(), BitsError> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                bits.se()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..if size == 0 { 16 } else { 64 } {
                bits.se()?; // scaling_list_delta_coef
            }
        }
    }
    Ok(())
}

/// `st_ref_pic_set()`, clause 7.3.7, behind one that has `previous` reference pictures. Returns how many
/// this one has (NumDeltaPocs).
fn skip_short_term_set(
    bits: &mut BitReader<'_>,
    index: u32,
    previous: usize,
) -> Result<usize, BitsError> {
    let mut count = 0;
    if index > 0 && bits.flag()? {
        bits.flag()?; // delta_rps_sign
        bits.ue()?; // abs_delta_rps_minus1
        for _ in 0..=previous {
            let used_by_current = bits.flag()?;
            if used_by_current || bits.flag()? {
                count += 1;
            }
        }
    } else {
        let negative = bits.ue_at_most(16)?;
        let positive = bits.ue_at_most(16)?;
        for _ in 0..negative + positive {
            bits.ue()?; // delta_poc_minus1
            bits.flag()?; // used_by_curr_pic_flag
            count += 1;
        }
    }
    if count > MAX_DELTA_POCS {
        return Err(bits.invalid());
    }
    Ok(count)
}

/// `vui_parameters()` behind the chroma sample locations, up to the timing information (clause E.2.1): the
/// frame rate.
fn timing(bits: &mut BitReader<'_>) -> Result<Option<(u32, u32)>, BitsError> {
    bits.skip(3)?; // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.flag()? {
        for _ in 0..4 {
            bits.ue()?; // default display window
        }
    }
    if !bits.flag()? {
        return Ok(None);
    }
    let (units_in_tick, time_scale) = (bits.bits(32)?, bits.bits(32)?);
    Ok((units_in_tick > 0 && time_scale > 0).then_some((time_scale, units_in_tick)))
}
