//! What NAL units of H.264 are to a stream that brings them one after the other (ITU-T H.264 clause 7.4.1.2).

use super::{Config, ConfigError, Sps, nal_type};
use crate::Codec;
use crate::bits::{BitReader, BitsError};
use crate::codec::in_band::{self, ParameterSets, Role, SetError};

/// The parameter sets that have come so far.
#[derive(Clone, Debug, Default)]
pub struct InBand {
    sps: ParameterSets,
    pps: ParameterSets,
}

impl in_band::InBand for InBand {
    fn role(nal: &[u8]) -> Role {
        let Some((header, body)) = nal.split_first() else {
            return Role::LeftOut;
        };
        match header & 0x1f {
            nal_type::SLICE..=nal_type::IDR => Role::Slice {
                // first_mb_in_slice is 0, which is a single bit of 1.
                first: body.first().is_some_and(|byte| byte & 0x80 != 0),
            },
            nal_type::SPS | nal_type::PPS => Role::ParameterSet,
            nal_type::AUD | nal_type::FILLER | 0 | 24.. => Role::LeftOut,
            _ => Role::Other,
        }
    }

    /// Clause 7.4.1.2.3. Prefix NAL units (type 14) may stand before any slice, and do not tell; of slices, the
    /// first of a picture does.
    fn begins_unit(nal: &[u8]) -> bool {
        let kind = nal.first().map_or(0, |header| header & 0x1f);
        match kind {
            nal_type::SLICE | nal_type::PARTITION_A | nal_type::IDR => {
                Self::role(nal) == Role::Slice { first: true }
            }
            nal_type::SEI..=nal_type::AUD | 15..=18 => true,
            _ => false,
        }
    }

    fn keep(&mut self, nal: &[u8]) -> Result<bool, SetError> {
        if nal.len() > super::MAX_PARAMETER_SET {
            return Err(ConfigError::ParameterSet(nal.len()).into());
        }
        match nal.first().map_or(0, |header| header & 0x1f) {
            nal_type::SPS => {
                Sps::parse(nal)?;
                // Behind the header, profile, constraints and level.
                Ok(self.sps.put(number(nal, 4)?, nal))
            }
            nal_type::PPS => Ok(self.pps.put(number(nal, 1)?, nal)),
            _ => Ok(false),
        }
    }

    fn codec(&self) -> Option<Codec> {
        let config = Config::new(self.sps.all(), self.pps.all());
        config.ok().map(Codec::H264)
    }
}

/// The number of a parameter set, behind `skip` bytes.
fn number(nal: &[u8], skip: usize) -> Result<u32, BitsError> {
    let mut bits = BitReader::new(nal);
    bits.skip(skip * 8)?;
    bits.ue_at_most(255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use in_band::InBand as _;

    #[test]
    fn an_access_unit_begins_where_the_standard_says() {
        // NAL unit, begins an access unit.
        let cases: [(&[u8], bool); 12] = [
            (&[0x65, 0x88], true),
            (&[0x41, 0x9a], true),
            (&[0x41, 0x40], false),
            (&[0x42, 0x80], true),
            (&[0x43, 0x80], false),
            (&[0x06, 5], true),
            (&[0x67, 0x42], true),
            (&[0x68, 0xeb], true),
            (&[0x09, 0xf0], true),
            (&[0x0a], false),
            (&[0x6e, 0x80], false),
            (&[], false),
        ];
        for (nal, begins) in cases {
            assert_eq!(InBand::begins_unit(nal), begins, "{nal:x?}");
        }
    }
}
