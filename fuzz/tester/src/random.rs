//! Chance that can be had again: a generator of numbers from a seed (SplitMix64). Not for secrets.

/// The state of the generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below the bound; 0 when that is 0.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        let chance = self.next();
        if bound == 0 {
            return 0;
        }
        (chance % bound as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub(crate) const fn byte(&mut self) -> u8 {
        (self.next() >> 56) as u8
    }

    /// Letters and digits, as in tokens.
    pub(crate) fn word(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let letter = |random: &mut Self| char::from(LETTERS[random.below(LETTERS.len())]);
        (0..count).map(|_| letter(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same() {
        assert_eq!(Random::new(7).bytes(50), Random::new(7).bytes(50));
        assert_ne!(Random::new(7).bytes(50), Random::new(8).bytes(50));
        assert_eq!(Random::new(7).below(0), 0);
        assert!((0..100).all(|seed| Random::new(seed).below(3) < 3));
    }
}
