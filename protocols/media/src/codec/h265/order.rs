//! The order in which pictures are put out: picture order count (ITU-T H.265 clause 8.3.1), and what it needs
//! of slice headers (clause 7.3.6.1) and picture parameter sets (clause 7.3.2.3.1).

use super::sps::SliceSyntax;
use super::{Config, NalHeader, Sps, nal_type};
use crate::bits::{BitReader, BitsError};
use crate::codec::nal;
use crate::codec::order::Place;

/// A slice header is read within this many bytes.
const MAX_HEADER: usize = 64;

/// Finds the place of each picture in output order, from its slice headers. Pictures come in decoding order.
#[derive(Clone, Debug)]
pub struct PictureOrder {
    sets: Vec<PictureSet>,
    sequence: u64,
    /// The next random access point begins anew: there was no picture yet, or an end of sequence.
    begins: bool,
    /// Of the last picture of the lowest sub-layer that others refer to (prevTid0Pic).
    last_msb: i64,
    last_lsb: i64,
}

/// What is used of a picture parameter set, with the sequence parameter set that it belongs to.
#[derive(Clone, Copy, Debug)]
struct PictureSet {
    id: u32,
    sequence: SliceSyntax,
    /// `output_flag_present_flag`
    has_output_flag: bool,
    /// `num_extra_slice_header_bits`
    extra_bits: usize,
}

impl PictureOrder {
    /// For pictures of that configuration.
    pub fn new(config: &Config) -> Self {
        let sequences = config.sps.iter().filter_map(|set| {
            let (_, syntax) = Sps::with_slice_syntax(set).ok()?;
            Some(syntax)
        });
        let sequences: Vec<SliceSyntax> = sequences.collect();
        let read = |set: &bytes::Bytes| PictureSet::read(&nal::unescape(set), &sequences).ok();
        Self {
            sets: config.pps.iter().filter_map(read).flatten().collect(),
            sequence: 0,
            begins: true,
            last_msb: 0,
            last_lsb: 0,
        }
    }

    /// The place of the picture of an access unit with 4-byte lengths; `None` where its first slice cannot
    /// be read.
    pub fn place(&mut self, payload: &[u8]) -> Option<Place> {
        let mut place = None;
        let mut sliced = false;
        for unit in nal::units(payload).map_while(Result::ok) {
            let Some(header) = NalHeader::parse(unit).filter(|header| header.layer == 0) else {
                continue;
            };
            if header.kind == nal_type::END_OF_SEQUENCE {
                self.begins = true;
            } else if header.kind < nal_type::SLICES_END && !sliced {
                sliced = true;
                place = self.picture(header, unit);
            }
        }
        place
    }

    fn picture(&mut self, header: NalHeader, slice: &[u8]) -> Option<Place> {
        let rbsp = nal::unescape(slice.get(..MAX_HEADER).unwrap_or(slice));
        let (lsb, bits) = self.read_lsb(header, &rbsp).ok().flatten()?;
        let random_access = (nal_type::BLA_W_LP..=nal_type::CRA).contains(&header.kind);
        // NoRaslOutputFlag
        let begins = random_access && (self.begins || header.kind < nal_type::CRA);
        let msb = if begins {
            self.sequence = self.sequence.saturating_add(1);
            self.begins = false;
            0
        } else {
            let range = 1i64 << bits;
            let step = lsb - self.last_lsb;
            self.last_msb.saturating_add(if -step >= range / 2 {
                range
            } else if step > range / 2 {
                -range
            } else {
                0
            })
        };
        // Sub-layer non-reference pictures are even, leading pictures stand among the others.
        let leading = (nal_type::RADL_N..=nal_type::RASL_R).contains(&header.kind);
        let referred_to = header.kind >= nal_type::BLA_W_LP || header.kind % 2 == 1;
        if header.temporal_id == 0 && referred_to && !leading {
            (self.last_msb, self.last_lsb) = (msb, lsb);
        }
        Some(Place {
            sequence: self.sequence,
            count: msb.saturating_add(lsb),
            spacing: 1,
            // Those of an IDR picture could be decoded, but are hardly ever made.
            leading: !is_idr(header.kind),
        })
    }

    /// `slice_pic_order_cnt_lsb` and its length in bits; `None` for a slice that is not the first, or whose
    /// sets are not known.
    fn read_lsb(&self, header: NalHeader, rbsp: &[u8]) -> Result<Option<(i64, u32)>, BitsError> {
        let mut bits = BitReader::new(rbsp);
        bits.skip(16)?;
        if !bits.flag()? {
            return Ok(None);
        }
        if (nal_type::BLA_W_LP..nal_type::IRAP_END).contains(&header.kind) {
            bits.flag()?; // no_output_of_prior_pics_flag
        }
        let id = bits.ue()?;
        let Some(set) = self.sets.iter().find(|set| set.id == id) else {
            return Ok(None);
        };
        bits.skip(set.extra_bits)?;
        bits.ue()?; // slice_type
        if set.has_output_flag {
            bits.flag()?; // pic_output_flag
        }
        if set.sequence.separate_planes {
            bits.skip(2)?; // colour_plane_id
        }
        let count = set.sequence.lsb_bits;
        let lsb = if is_idr(header.kind) {
            0
        } else {
            bits.bits(count)?.into()
        };
        Ok(Some((lsb, count)))
    }
}

impl PictureSet {
    /// `None` for one of a sequence parameter set that is not there.
    fn read(rbsp: &[u8], sequences: &[SliceSyntax]) -> Result<Option<Self>, BitsError> {
        let mut bits = BitReader::new(rbsp);
        bits.skip(16)?;
        let (id, sequence) = (bits.ue()?, bits.ue()?);
        let Some(sequence) = sequences.iter().find(|known| known.id == sequence) else {
            return Ok(None);
        };
        bits.flag()?; // dependent_slice_segments_enabled_flag
        Ok(Some(Self {
            id,
            sequence: *sequence,
            has_output_flag: bits.flag()?,
            extra_bits: bits.bits(3)? as usize,
        }))
    }
}

const fn is_idr(kind: u8) -> bool {
    matches!(kind, nal_type::IDR_W_RADL | nal_type::IDR_N_LP)
}

#[cfg(test)]
mod tests;
