//! What is used of a sequence header OBU (section 5.5).

use crate::bits::{BitReader, BitsError};

/// What is used of a sequence header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// `seq_profile`: 0 is Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point: 0 is level 2.0, 31 no limit.
    pub level: u8,
    /// `seq_tier` of the first operating point.
    pub high_tier: bool,
    /// Samples per line of the largest frame, 1 to 65,536.
    pub width: u32,
    /// Lines of the largest frame, 1 to 65,536.
    pub height: u32,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// There is no chroma.
    pub monochrome: bool,
    /// Chroma has half the samples per line.
    pub subsampling_x: bool,
    /// Chroma has half the lines.
    pub subsampling_y: bool,
    /// `chroma_sample_position`: 0 where it is unknown or does not matter, 1 vertical, 2 co-located.
    pub chroma_sample_position: u8,
    /// The colour description, if there is one.
    pub colour: Option<Colour>,
    /// `color_range`: samples use the full range.
    pub full_range: bool,
    /// Frames per second as (numerator, denominator), if they have equal distances and it is told.
    pub frame_rate: Option<(u32, u32)>,
    /// `film_grain_params_present`.
    pub film_grain: bool,
    /// What is needed to read frame headers.
    pub(super) frames: FrameSyntax,
}

/// A colour description, by the code points of ITU-T H.273; 2 is unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `color_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
}

/// What is needed to read frame headers up to the frames that they refresh (section 5.9.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameSyntax {
    /// `reduced_still_picture_header`.
    pub(super) reduced: bool,
    /// `decoder_model_info_present_flag`.
    pub(super) decoder_model: bool,
    /// Bits of `current_frame_id`, 0 when there is none.
    pub(super) frame_id_bits: u32,
    /// `seq_force_screen_content_tools`, `None` when each frame says.
    pub(super) screen_content: Option<bool>,
    /// `seq_force_integer_mv` is SELECT_INTEGER_MV: each frame says.
    pub(super) choose_integer_mv: bool,
    /// `OrderHintBits`.
    pub(super) order_hint_bits: u32,
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU.
    ///
    /// # Errors
    /// When it ends early or has a reserved profile.
    pub fn parse(payload: &[u8]) -> Result<Self, BitsError> {
        let bits = &mut BitReader::new(payload);
        let profile = bits.bits(3)? as u8;
        if profile > 2 {
            return Err(bits.invalid());
        }
        bits.flag()?; // still_picture
        let mut frames = FrameSyntax {
            reduced: bits.flag()?,
            ..FrameSyntax::default()
        };
        let mut frame_rate = None;
        let (level, high_tier) = if frames.reduced {
            (bits.bits(5)? as u8, false)
        } else {
            let mut delay_bits = None;
            if bits.flag()? {
                frame_rate = timing_info(bits)?;
                if bits.flag()? {
                    // decoder_model_info()
                    delay_bits = Some(bits.bits(5)? + 1);
                    bits.skip(32 + 5 + 5)?;
                }
            }
            frames.decoder_model = delay_bits.is_some();
            operating_points(bits, delay_bits)?
        };
        let [width_bits, height_bits] = [bits.bits(4)? + 1, bits.bits(4)? + 1];
        let width = bits.bits(width_bits)? + 1;
        let height = bits.bits(height_bits)? + 1;
        frames.read(bits)?;
        bits.skip(3)?; // enable_superres, enable_cdef, enable_restoration
        let mut header = Self {
            profile,
            level,
            high_tier,
            width,
            height,
            bit_depth: 8,
            monochrome: false,
            subsampling_x: false,
            subsampling_y: false,
            chroma_sample_position: 0,
            colour: None,
            full_range: false,
            frame_rate,
            film_grain: false,
            frames,
        };
        header.color_config(bits)?;
        header.film_grain = bits.flag()?;
        Ok(header)
    }

    /// `color_config()` (section 5.5.2).
    fn color_config(&mut self, bits: &mut BitReader<'_>) -> Result<(), BitsError> {
        let high = bits.flag()?;
        self.bit_depth = match high {
            true if self.profile == 2 && bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        self.monochrome = self.profile != 1 && bits.flag()?;
        if bits.flag()? {
            self.colour = Some(Colour {
                primaries: bits.bits(8)? as u8,
                transfer: bits.bits(8)? as u8,
                matrix: bits.bits(8)? as u8,
            });
        }
        if self.monochrome {
            self.full_range = bits.flag()?;
            (self.subsampling_x, self.subsampling_y) = (true, true);
            return Ok(());
        }
        // sRGB: BT.709 primaries, its own transfer, no matrix.
        let srgb = Colour {
            primaries: 1,
            transfer: 13,
            matrix: 0,
        };
        if self.colour == Some(srgb) {
            self.full_range = true;
        } else {
            self.full_range = bits.flag()?;
            (self.subsampling_x, self.subsampling_y) = match self.profile {
                0 => (true, true),
                1 => (false, false),
                _ if self.bit_depth == 12 => {
                    let x = bits.flag()?;
                    (x, x && bits.flag()?)
                }
                _ => (true, false),
            };
            if self.subsampling_x && self.subsampling_y {
                self.chroma_sample_position = bits.bits(2)? as u8;
            }
        }
        bits.flag()?; // separate_uv_delta_q
        Ok(())
    }
}

/// `timing_info()` (section 5.5.3): the frame rate, if frames have equal distances.
fn timing_info(bits: &mut BitReader<'_>) -> Result<Option<(u32, u32)>, BitsError> {
    let units_in_tick = bits.bits(32)?;
    let time_scale = bits.bits(32)?;
    if !bits.flag()? {
        return Ok(None);
    }
    let ticks = bits.ue()?.checked_add(1);
    let duration = ticks.and_then(|ticks| ticks.checked_mul(units_in_tick));
    Ok(duration
        .map(|duration| (time_scale, duration))
        .filter(|(scale, duration)| *scale > 0 && *duration > 0))
}

/// Level and tier of the first operating point. `delay_bits` is how long the decoder model's delays are, if there
/// is one.
fn operating_points(
    bits: &mut BitReader<'_>,
    delay_bits: Option<u32>,
) -> Result<(u8, bool), BitsError> {
    let display_delay = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?; // operating_point_idc
        let level = bits.bits(5)? as u8;
        let high_tier = level > 7 && bits.flag()?;
        first = first.or(Some((level, high_tier)));
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            // Both delays and low_delay_mode_flag.
            bits.skip(2 * delay_bits as usize + 1)?;
        }
        if display_delay && bits.flag()? {
            bits.skip(4)?; // initial_display_delay_minus_1
        }
    }
    first.ok_or_else(|| bits.invalid())
}

impl FrameSyntax {
    /// From `frame_id_numbers_present_flag` on, up to `order_hint_bits_minus_1`.
    fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), BitsError> {
        if !self.reduced && bits.flag()? {
            // delta_frame_id_length_minus_2, additional_frame_id_length_minus_1
            self.frame_id_bits = bits.bits(4)? + bits.bits(3)? + 3;
        }
        bits.skip(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
        self.choose_integer_mv = true;
        if self.reduced {
            return Ok(());
        }
        bits.skip(4)?; // interintra and masked compound, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?; // enable_jnt_comp, enable_ref_frame_mvs
        }
        if !bits.flag()? {
            self.screen_content = Some(bits.flag()?);
        }
        if self.screen_content != Some(false) {
            self.choose_integer_mv = bits.flag()?;
            if !self.choose_integer_mv {
                bits.flag()?; // seq_force_integer_mv
            }
        }
        if order_hint {
            self.order_hint_bits = bits.bits(3)? + 1;
        }
        Ok(())
    }
}
