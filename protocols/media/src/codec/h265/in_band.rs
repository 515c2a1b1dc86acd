//! What NAL units of H.265 are to a stream that brings them one after the other (ITU-T H.265 clause 7.4.2.4.4).

use super::{Config, ConfigError, MAX_PARAMETER_SET, NalHeader, Sps, nal_type};
use crate::Codec;
use crate::bits::{BitReader, BitsError};
use crate::codec::in_band::{self, ParameterSets, Role, SetError};

/// Size of a NAL unit header in bytes.
const HEADER: usize = 2;

/// The first type that the standard leaves to others: RTP uses it for its own payloads.
const UNSPECIFIED: u8 = 48;

/// The parameter sets that have come so far.
#[derive(Clone, Debug, Default)]
pub struct InBand {
    vps: ParameterSets,
    sps: ParameterSets,
    pps: ParameterSets,
}

impl in_band::InBand for InBand {
    fn role(nal: &[u8]) -> Role {
        let Some(header) = NalHeader::parse(nal) else {
            return Role::LeftOut;
        };
        match header.kind {
            nal_type::VPS | nal_type::SPS | nal_type::PPS if header.layer == 0 => {
                Role::ParameterSet
            }
            kind if kind < nal_type::SLICES_END && header.layer == 0 => Role::Slice {
                // first_slice_segment_in_pic_flag
                first: nal.get(HEADER).is_some_and(|byte| byte & 0x80 != 0),
            },
            nal_type::AUD | nal_type::FILLER | UNSPECIFIED.. => Role::LeftOut,
            _ => Role::Other,
        }
    }

    fn begins_unit(nal: &[u8]) -> bool {
        let header = NalHeader::parse(nal).filter(|header| header.layer == 0);
        match header.map(|header| header.kind) {
            Some(kind) if kind < nal_type::SLICES_END => {
                Self::role(nal) == Role::Slice { first: true }
            }
            Some(nal_type::VPS..=nal_type::AUD | nal_type::PREFIX_SEI | 41..=44 | 48..=55) => true,
            _ => false,
        }
    }

    fn keep(&mut self, nal: &[u8]) -> Result<bool, SetError> {
        let Some(header) = NalHeader::parse(nal).filter(|header| header.layer == 0) else {
            return Ok(false);
        };
        if nal.len() > MAX_PARAMETER_SET {
            return Err(ConfigError::ParameterSet(nal.len()).into());
        }
        match header.kind {
            nal_type::VPS => {
                let number = nal.get(HEADER).map_or(0, |byte| byte >> 4);
                Ok(self.vps.put(u32::from(number), nal))
            }
            nal_type::SPS => {
                Sps::parse(nal)?;
                Ok(self.sps.put(sps_number(nal)?, nal))
            }
            nal_type::PPS => {
                let mut bits = BitReader::new(nal.get(HEADER..).unwrap_or_default());
                Ok(self.pps.put(bits.ue_at_most(63)?, nal))
            }
            _ => Ok(false),
        }
    }

    fn codec(&self) -> Option<Codec> {
        let config = Config::new(self.vps.all(), self.sps.all(), self.pps.all());
        config.ok().map(Codec::H265)
    }
}

/// The number of a sequence parameter set, which stands behind the profiles and levels of all sub-layers
/// (ITU-T H.265 clauses 7.3.2.2.1 and 7.3.3).
fn sps_number(nal: &[u8]) -> Result<u32, BitsError> {
    // Emulation prevention bytes are frequent here: the constraint flags are zeros. Enough for 6 sub-layers.
    let mut rbsp = Vec::with_capacity(128);
    let mut zeros = 0;
    for byte in nal.iter().skip(HEADER).take(128) {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(*byte);
    }
    let mut bits = BitReader::new(&rbsp);
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    // Nesting flag; profile (88 bits) and level (8) of all.
    bits.skip(1 + 96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.ue_at_most(15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use in_band::InBand as _;

    #[test]
    fn an_access_unit_begins_where_the_standard_says() {
        // NAL unit, begins an access unit.
        let cases: [(&[u8], bool); 11] = [
            (&[0x26, 1, 0xaf], true),
            (&[0x02, 1, 0x80], true),
            (&[0x02, 1, 0x40], false),
            // Of another layer.
            (&[0x02, 9, 0x80], false),
            (&[0x40, 1, 0x0c], true),
            (&[0x46, 1, 0x50], true),
            (&[0x48, 1], false),
            (&[0x4e, 1, 5], true),
            (&[0x50, 1, 0x84], false),
            (&[0x60, 1, 0], true),
            (&[0x40], false),
        ];
        for (nal, begins) in cases {
            assert_eq!(InBand::begins_unit(nal), begins, "{nal:x?}");
        }
    }

    #[test]
    fn numbers_of_sequence_parameter_sets() {
        let sps = [
            0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
            0x00, 0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c,
        ];
        assert_eq!(sps_number(&sps), Ok(0));
        assert!(sps_number(&sps[..12]).is_err());
    }
}
