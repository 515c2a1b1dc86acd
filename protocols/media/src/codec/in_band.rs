//! What NAL units are to the access unit and to the configuration, where a stream brings them one after the
//! other: alike for RTP and MPEG-TS. [`InBand`] is what differs between the codecs.

use super::annex_b::without_zeros;
use super::{h264, h265};
use crate::Codec;
use crate::bits::BitsError;
use bytes::Bytes;

/// What differs between the codecs, with the parameter sets that have come so far.
pub trait InBand {
    /// What a NAL unit is to its access unit.
    fn role(nal: &[u8]) -> Role;

    /// Whether an access unit begins with this NAL unit, if the one before has a slice already. The header and
    /// the byte behind it are enough to tell.
    fn begins_unit(nal: &[u8]) -> bool;

    /// Keeps a parameter set; says whether it is another than before.
    ///
    /// # Errors
    /// When it cannot be used; the one before stays.
    fn keep(&mut self, nal: &[u8]) -> Result<bool, SetError>;

    /// The codec with its configuration, when all that belongs to it is known.
    fn codec(&self) -> Option<Codec>;
}

/// What a NAL unit is to its access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A part of the picture.
    Slice {
        /// The part where the picture begins.
        first: bool,
    },
    /// Goes into the configuration.
    ParameterSet,
    /// Delimiters and filler, and what has no meaning.
    LeftOut,
    /// Anything else.
    Other,
}

/// Why a parameter set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// One of H.264.
    #[error(transparent)]
    H264(#[from] h264::ConfigError),
    /// One of H.265.
    #[error(transparent)]
    H265(#[from] h265::ConfigError),
    /// Its number cannot be read.
    #[error("number of a parameter set: {0}")]
    Number(#[from] BitsError),
}

/// Most sets of one kind that are kept: the picture parameter sets of H.265 have 64 numbers.
const MAX_SETS: usize = 64;

/// The parameter sets of one kind. One that is new stands in front, since the first describes the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct ParameterSets(Vec<(u32, Bytes)>);

impl ParameterSets {
    /// Keeps a set in place of the one with its number. Says whether it is another.
    pub(super) fn put(&mut self, number: u32, nal: &[u8]) -> bool {
        let nal = without_zeros(nal);
        let place = self.0.iter().position(|(known, _)| *known == number);
        if let Some(place) = place {
            if self.0.get(place).is_some_and(|(_, known)| known == nal) {
                return false;
            }
            self.0.remove(place);
        }
        self.0.truncate(MAX_SETS - 1);
        self.0.insert(0, (number, Bytes::copy_from_slice(nal)));
        true
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Bytes> {
        self.0.iter().map(|(_, nal)| nal.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_replaces_the_one_with_its_number() {
        let mut sets = ParameterSets::default();
        assert!(sets.put(0, &[1, 2, 0]));
        assert!(!sets.put(0, &[1, 2]));
        assert!(sets.put(1, &[3]));
        assert!(sets.put(0, &[4]));
        assert_eq!(sets.all(), [&[4][..], &[3]]);
        for number in 0..200 {
            sets.put(number, &[5]);
        }
        assert_eq!(sets.all().len(), MAX_SETS);
    }
}
