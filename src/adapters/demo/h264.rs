//! A small H.264 encoder for pictures that mostly stand still: Constrained Baseline, CAVLC, one slice to a
//! picture. A macroblock whose source is what it was is P_Skip, every other one is intra
//! ([`macroblock`]); there is no motion search, no rate control and no deblocking, so a
//! decoder's pictures equal [`Encoder::reconstruction`] sample by sample.
//!
//! Clauses and tables are those of ITU-T H.264.

use super::bit_writer::BitWriter;
use super::canvas::{CODED_HEIGHT, Canvas, HEIGHT, WIDTH};
use super::macroblock::{self, Counts};
use super::transform::{CHROMA_QP, LUMA_QP};
use media::codec::h264::{Config, Sps, nal_type};

/// Pictures per second.
pub(super) const FRAME_RATE: u32 = 30;
const COLUMNS: usize = WIDTH / 16;
const ROWS: usize = CODED_HEIGHT / 16;
/// Constrained Baseline: `profile_idc`, the constraint flags, and level 3.0.
const PROFILE: [u8; 3] = [66, 0xc0, 30];
const FRAME_NUM_BITS: u32 = 8;

/// Codes one picture after the other.
pub(super) struct Encoder {
    /// What was given last.
    source: Canvas,
    /// What a decoder shows for it.
    reconstruction: Canvas,
    counts: Counts,
    frame_num: u32,
    idr_pic_id: u32,
}

impl Encoder {
    /// The first picture has to be an IDR picture. `blank` only gives the planes their size.
    pub(super) fn new(blank: Canvas) -> Self {
        Self {
            source: blank.clone(),
            reconstruction: blank,
            counts: Counts::new(COLUMNS, ROWS),
            frame_num: 0,
            idr_pic_id: 0,
        }
    }

    /// The last picture as decoders have it.
    #[cfg(test)]
    pub(super) fn reconstruction(&self) -> &Canvas {
        &self.reconstruction
    }

    /// The NAL unit of the next picture.
    pub(super) fn encode(&mut self, picture: &Canvas, idr: bool) -> Vec<u8> {
        let mut bits = BitWriter::default();
        self.slice_header(&mut bits, idr);
        let mut skipped = 0;
        for row in 0..ROWS {
            let row_same = !idr && same_row(picture, &self.source, row);
            for column in 0..COLUMNS {
                if row_same || !idr && same(picture, &self.source, column, row) {
                    self.counts.clear(column, row);
                    skipped += 1;
                    continue;
                }
                if !idr {
                    bits.ue(skipped);
                    skipped = 0;
                }
                let coded = macroblock::code(picture, &mut self.reconstruction, column, row);
                let type_offset = if idr { 0 } else { 5 };
                coded.write(&mut bits, &mut self.counts, (column, row), type_offset);
            }
        }
        if skipped > 0 {
            bits.ue(skipped);
        }
        for (kept, plane) in self.source.planes.iter_mut().zip(&picture.planes) {
            kept.samples.copy_from_slice(&plane.samples);
        }
        self.frame_num = (self.frame_num + 1) % (1 << FRAME_NUM_BITS);
        nal_unit(3, if idr { nal_type::IDR } else { nal_type::SLICE }, bits)
    }

    /// Clause 7.3.3.
    fn slice_header(&mut self, bits: &mut BitWriter, idr: bool) {
        if idr {
            self.frame_num = 0;
            self.idr_pic_id ^= 1;
        }
        bits.ue(0); // first_mb_in_slice
        bits.ue(if idr { 7 } else { 5 }); // slice_type: only I, only P
        bits.ue(0); // pic_parameter_set_id
        bits.bits(self.frame_num, FRAME_NUM_BITS);
        if idr {
            bits.ue(self.idr_pic_id);
            bits.flag(false); // no_output_of_prior_pics_flag
            bits.flag(false); // long_term_reference_flag
        } else {
            bits.flag(false); // num_ref_idx_active_override_flag
            bits.flag(false); // ref_pic_list_modification_flag_l0
            bits.flag(false); // adaptive_ref_pic_marking_mode_flag
        }
        bits.se(0); // slice_qp_delta
        bits.ue(1); // disable_deblocking_filter_idc
    }
}

/// Whether a row of macroblocks is the same in both pictures; asked first because it is quick.
fn same_row(one: &Canvas, other: &Canvas, row: usize) -> bool {
    one.planes.iter().zip(&other.planes).all(|(one, other)| {
        let side = one.width / COLUMNS;
        let count = side * one.width;
        one.line(0, row * side, count) == other.line(0, row * side, count)
    })
}

/// Whether a macroblock is the same in both pictures.
fn same(one: &Canvas, other: &Canvas, column: usize, row: usize) -> bool {
    one.planes.iter().zip(&other.planes).all(|(one, other)| {
        let side = one.width / COLUMNS;
        (row * side..(row + 1) * side)
            .all(|y| one.line(column * side, y, side) == other.line(column * side, y, side))
    })
}

/// The parameter sets, and what they say.
pub(super) fn config() -> Config {
    Config {
        sps: vec![sequence_parameter_set().into()],
        pps: vec![picture_parameter_set().into()],
        video: Sps {
            profile_idc: PROFILE[0],
            constraints: PROFILE[1],
            level_idc: PROFILE[2],
            chroma_format_idc: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            width: WIDTH as u32,
            height: HEIGHT as u32,
            sample_aspect_ratio: Some((1, 1)),
            frame_rate: Some((2 * FRAME_RATE, 2)),
            reorder_depth: Some(0),
        },
    }
}

/// Clauses 7.3.2.1.1 and E.1.1.
fn sequence_parameter_set() -> Vec<u8> {
    let mut bits = BitWriter::default();
    for byte in PROFILE {
        bits.bits(byte.into(), 8);
    }
    bits.ue(0); // seq_parameter_set_id
    bits.ue(FRAME_NUM_BITS - 4);
    bits.ue(2); // pic_order_cnt_type: pictures are shown in the order of decoding
    bits.ue(1); // max_num_ref_frames
    bits.flag(false); // gaps_in_frame_num_value_allowed_flag
    bits.ue(COLUMNS as u32 - 1);
    bits.ue(ROWS as u32 - 1);
    bits.flag(true); // frame_mbs_only_flag
    bits.flag(true); // direct_8x8_inference_flag
    bits.flag(true); // frame_cropping_flag, in pairs of lines
    for crop in [0, 0, 0, (CODED_HEIGHT - HEIGHT) as u32 / 2] {
        bits.ue(crop);
    }
    bits.flag(true); // vui_parameters_present_flag
    bits.flag(true); // aspect_ratio_info_present_flag
    bits.bits(1, 8); // square samples
    bits.flag(false); // overscan_info_present_flag
    bits.flag(true); // video_signal_type_present_flag
    bits.bits(5, 3); // video_format: unspecified
    bits.flag(false); // video_full_range_flag
    bits.flag(true); // colour_description_present_flag: BT.709, three times
    for _ in 0..3 {
        bits.bits(1, 8);
    }
    bits.flag(false); // chroma_loc_info_present_flag
    bits.flag(true); // timing_info_present_flag, in fields
    bits.bits(1, 32);
    bits.bits(2 * FRAME_RATE, 32);
    bits.flag(true); // fixed_frame_rate_flag
    bits.flag(false); // nal_hrd_parameters_present_flag
    bits.flag(false); // vcl_hrd_parameters_present_flag
    bits.flag(false); // pic_struct_present_flag
    bits.flag(true); // bitstream_restriction_flag: no picture waits for another
    bits.flag(true); // motion_vectors_over_pic_boundaries_flag
    // Sizes without a bound, motion vectors of at most one quarter sample, no reordering, one picture.
    for value in [0, 0, 0, 0, 0, 1] {
        bits.ue(value);
    }
    nal_unit(3, nal_type::SPS, bits)
}

/// Clause 7.3.2.2.
fn picture_parameter_set() -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.ue(0); // pic_parameter_set_id
    bits.ue(0); // seq_parameter_set_id
    bits.flag(false); // entropy_coding_mode_flag: CAVLC
    bits.flag(false); // bottom_field_pic_order_in_frame_present_flag
    bits.ue(0); // num_slice_groups_minus1
    bits.ue(0); // num_ref_idx_l0_default_active_minus1
    bits.ue(0); // num_ref_idx_l1_default_active_minus1
    bits.bits(0, 3); // weighted_pred_flag, weighted_bipred_idc
    bits.se(LUMA_QP as i32 - 26);
    bits.se(0); // pic_init_qs_minus26
    bits.se(CHROMA_QP as i32 - LUMA_QP as i32); // chroma_qp_index_offset
    bits.flag(true); // deblocking_filter_control_present_flag
    bits.flag(false); // constrained_intra_pred_flag
    bits.flag(false); // redundant_pic_cnt_present_flag
    nal_unit(3, nal_type::PPS, bits)
}

/// Ends the payload and makes a NAL unit of it, with emulation prevention (clause 7.4.1).
fn nal_unit(ref_idc: u8, nal_type: u8, mut payload: BitWriter) -> Vec<u8> {
    payload.flag(true); // rbsp_stop_one_bit
    let payload = payload.finish();
    let mut unit = Vec::with_capacity(payload.len() + payload.len() / 64 + 1);
    unit.push(ref_idc << 5 | nal_type);
    let mut zeros = 0;
    for byte in payload {
        if zeros == 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_say_what_the_configuration_says() {
        let config = config();
        let parsed = Config::new(config.sps.clone(), config.pps.clone()).unwrap();
        assert_eq!(parsed, config);
        assert_eq!(config.rfc6381(), "avc1.42c01e");
    }

    #[test]
    fn start_codes_do_not_occur_in_nal_units() {
        let mut bits = BitWriter::default();
        for value in [0, 0, 0, 1, 0x01_0000, 0, 0x0300] {
            bits.bits(value, 24);
        }
        let unit = nal_unit(0, 1, bits);
        for window in unit.windows(3) {
            assert!(
                window[0] != 0 || window[1] != 0 || window[2] > 2,
                "{unit:x?}"
            );
        }
    }
}
