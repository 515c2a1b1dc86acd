//! Slice headers up to the order of output, and whether they put the picture order count back to 0 (ITU-T
//! H.264 clause 7.3.3), and what that needs of picture parameter sets (clause 7.3.2.2).

use super::sps::{OrderSyntax, SliceSyntax};
use super::{Config, Sps, nal_type};
use crate::bits::{BitReader, BitsError};
use crate::codec::nal;

/// A slice header is read within this many bytes; beyond, only weighting tables would follow.
const MAX_HEADER: usize = 512;

/// Most commands of one kind that a slice header may have, more than any decoder has frames.
const MAX_COMMANDS: usize = 66;

/// The parameter sets that slices are read by.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pictures: Vec<PictureSet>,
}

/// What is used of a picture parameter set, with the sequence parameter set that it belongs to.
#[derive(Clone, Debug)]
struct PictureSet {
    id: u32,
    sequence: SliceSyntax,
    /// `bottom_field_pic_order_in_frame_present_flag`
    has_bottom_delta: bool,
    /// `num_ref_idx_l0_default_active_minus1` and that of list 1, plus 1.
    references: [u32; 2],
    /// `weighted_pred_flag`
    weighted: bool,
    /// `weighted_bipred_idc` is 1.
    weighted_between: bool,
    /// `redundant_pic_cnt_present_flag`
    has_redundant: bool,
}

impl Sets {
    /// Those of a configuration that can be read.
    pub(super) fn of(config: &Config) -> Self {
        let sequences = config.sps.iter().filter_map(|set| {
            let (_, syntax) = Sps::with_slice_syntax(set).ok()?;
            Some(syntax)
        });
        let sequences: Vec<SliceSyntax> = sequences.collect();
        let read = |set: &bytes::Bytes| PictureSet::read(&nal::unescape(set), &sequences).ok();
        Self {
            pictures: config.pps.iter().filter_map(read).flatten().collect(),
        }
    }
}

impl PictureSet {
    /// `None` for one of a sequence parameter set that is not there, or that groups slices (only the
    /// Extended profile does).
    fn read(rbsp: &[u8], sequences: &[SliceSyntax]) -> Result<Option<Self>, BitsError> {
        let mut bits = BitReader::new(rbsp);
        bits.skip(8)?;
        let (id, sequence) = (bits.ue()?, bits.ue()?);
        let Some(sequence) = sequences.iter().find(|known| known.id == sequence) else {
            return Ok(None);
        };
        bits.flag()?; // entropy_coding_mode_flag
        let has_bottom_delta = bits.flag()?;
        if bits.ue()? > 0 {
            return Ok(None);
        }
        let references = [bits.ue_at_most(31)? + 1, bits.ue_at_most(31)? + 1];
        let weighted = bits.flag()?;
        let weighted_between = bits.bits(2)? == 1;
        for _ in 0..3 {
            bits.se()?; // quantizers
        }
        bits.skip(2)?; // deblocking_filter_control_present_flag, constrained_intra_pred_flag
        Ok(Some(Self {
            id,
            sequence: sequence.clone(),
            has_bottom_delta,
            references,
            weighted,
            weighted_between,
            has_redundant: bits.flag()?,
        }))
    }
}

/// What a slice header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice<'a> {
    pub(super) sequence: &'a SliceSyntax,
    pub(super) idr: bool,
    /// Others may refer to the picture: `nal_ref_idc` is not 0.
    pub(super) reference: bool,
    pub(super) frame_num: i64,
    /// It belongs to a field.
    pub(super) field: bool,
    /// The field is a bottom field.
    pub(super) bottom: bool,
    /// `pic_order_cnt_lsb`, 0 where the type is another.
    pub(super) lsb: i64,
    /// `delta_pic_order_cnt_bottom`
    pub(super) bottom_delta: i64,
    /// `delta_pic_order_cnt`
    pub(super) delta: [i64; 2],
    /// `memory_management_control_operation` 5: picture order begins anew behind this picture.
    pub(super) resets: bool,
}

impl<'a> Slice<'a> {
    /// Reads the header of a NAL unit; `None` if it is no slice, its sets are not known, or it is damaged.
    pub(super) fn parse(nal_unit: &[u8], sets: &'a Sets) -> Option<Self> {
        let header = nal_unit.first()?;
        if !matches!(
            header & 0x1f,
            nal_type::SLICE | nal_type::PARTITION_A | nal_type::IDR
        ) {
            return None;
        }
        let rbsp = nal::unescape(nal_unit.get(..MAX_HEADER).unwrap_or(nal_unit));
        Self::read(*header, &rbsp, sets).ok().flatten()
    }

    fn read(header: u8, rbsp: &[u8], sets: &'a Sets) -> Result<Option<Self>, BitsError> {
        let mut bits = BitReader::new(rbsp);
        bits.skip(8)?;
        bits.ue()?; // first_mb_in_slice
        let kind = Kind::of(bits.ue_at_most(9)?);
        let id = bits.ue()?;
        let Some(set) = sets.pictures.iter().find(|set| set.id == id) else {
            return Ok(None);
        };
        let sequence = &set.sequence;
        if sequence.separate_planes {
            bits.skip(2)?; // colour_plane_id
        }
        let mut slice = Self {
            sequence,
            idr: header & 0x1f == nal_type::IDR,
            reference: header & 0x60 != 0,
            frame_num: bits.bits(sequence.frame_num_bits)?.into(),
            field: false,
            bottom: false,
            lsb: 0,
            bottom_delta: 0,
            delta: [0; 2],
            resets: false,
        };
        if !sequence.frame_mbs_only {
            slice.field = bits.flag()?;
            slice.bottom = slice.field && bits.flag()?;
        }
        if slice.idr {
            bits.ue()?; // idr_pic_id
        }
        let frame_delta = set.has_bottom_delta && !slice.field;
        match &sequence.order {
            OrderSyntax::Lsb(count) => {
                slice.lsb = bits.bits(*count)?.into();
                if frame_delta {
                    slice.bottom_delta = bits.se()?.into();
                }
            }
            OrderSyntax::Cycle(cycle) if !cycle.always_zero => {
                let first = bits.se()?.into();
                let second = if frame_delta { bits.se()?.into() } else { 0 };
                slice.delta = [first, second];
            }
            OrderSyntax::Cycle(_) | OrderSyntax::Decoding => {}
        }
        // Where the rest cannot be read, nearly all pictures do not reset.
        slice.resets =
            slice.reference && !slice.idr && resets(&mut bits, kind, set).unwrap_or(false);
        Ok(Some(slice))
    }
}

/// What pictures a slice is predicted from (table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// P, SP: list 0.
    Forward,
    /// B: lists 0 and 1.
    Between,
    /// I, SI: none.
    Intra,
}

impl Kind {
    const fn of(slice_type: u32) -> Self {
        match slice_type % 5 {
            0 | 3 => Self::Forward,
            1 => Self::Between,
            _ => Self::Intra,
        }
    }

    const fn lists(self) -> usize {
        match self {
            Self::Intra => 0,
            Self::Forward => 1,
            Self::Between => 2,
        }
    }
}

/// From `redundant_pic_cnt` to `dec_ref_pic_marking()` of a reference picture that is no IDR picture:
/// whether it holds operation 5.
fn resets(bits: &mut BitReader<'_>, kind: Kind, set: &PictureSet) -> Result<bool, BitsError> {
    if set.has_redundant {
        bits.ue()?;
    }
    if kind == Kind::Between {
        bits.flag()?; // direct_spatial_mv_pred_flag
    }
    let mut references = set.references;
    if kind != Kind::Intra && bits.flag()? {
        for count in references.iter_mut().take(kind.lists()) {
            *count = bits.ue_at_most(31)? + 1;
        }
    }
    // ref_pic_list_modification(), clause 7.3.3.1
    for _ in 0..kind.lists() {
        if bits.flag()? {
            commands(bits, 3, |bits, _| bits.ue().map(drop))?;
        }
    }
    let weighted = match kind {
        Kind::Intra => false,
        Kind::Forward => set.weighted,
        Kind::Between => set.weighted_between,
    };
    if weighted {
        let counts = references.iter().take(kind.lists());
        skip_weights(bits, set.sequence.has_chroma, counts.copied())?;
    }
    // dec_ref_pic_marking(), clause 7.3.3.3
    let mut resets = false;
    if bits.flag()? {
        commands(bits, 0, |bits, operation| {
            resets |= operation == 5;
            match operation {
                3 => {
                    bits.ue()?;
                    bits.ue().map(drop)
                }
                1 | 2 | 4 | 6 => bits.ue().map(drop),
                _ => Ok(()),
            }
        })?;
    }
    Ok(resets)
}

/// Commands with their operands, up to the one that is `last`.
fn commands<'a>(
    bits: &mut BitReader<'a>,
    last: u32,
    mut operands: impl FnMut(&mut BitReader<'a>, u32) -> Result<(), BitsError>,
) -> Result<(), BitsError> {
    for _ in 0..MAX_COMMANDS {
        let command = bits.ue_at_most(6)?;
        if command == last {
            return Ok(());
        }
        operands(bits, command)?;
    }
    Err(bits.invalid())
}

/// `pred_weight_table()`, clause 7.3.3.2.
fn skip_weights(
    bits: &mut BitReader<'_>,
    has_chroma: bool,
    counts: impl Iterator<Item = u32>,
) -> Result<(), BitsError> {
    bits.ue()?; // luma_log2_weight_denom
    if has_chroma {
        bits.ue()?; // chroma_log2_weight_denom
    }
    for count in counts {
        for _ in 0..count {
            for values in [2, 4].into_iter().take(1 + usize::from(has_chroma)) {
                if bits.flag()? {
                    for _ in 0..values {
                        bits.se()?;
                    }
                }
            }
        }
    }
    Ok(())
}
