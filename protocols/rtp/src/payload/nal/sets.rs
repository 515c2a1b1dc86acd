//! Parameter sets by their numbers, as they come in the session description and in the stream.

use super::annex_b::without_zeros;
use bytes::Bytes;

/// Most sets of one kind that are kept: the picture parameter sets of H.265 have 64 numbers.
const MAX_SETS: usize = 64;

/// The parameter sets of one kind. One that is new stands in front, since the first describes the stream.
#[derive(Clone, Debug, Default)]
pub(in crate::payload) struct ParameterSets(Vec<(u32, Bytes)>);

impl ParameterSets {
    /// Keeps a set in place of the one with its number. Says whether it is another.
    pub(in crate::payload) fn put(&mut self, number: u32, nal: &[u8]) -> bool {
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
    pub(in crate::payload) fn all(&self) -> Vec<Bytes> {
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
