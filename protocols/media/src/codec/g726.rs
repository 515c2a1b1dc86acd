//! G.726: telephone sound of 2 to 5 bits per sample (ITU-T G.726), always mono at 8 kHz. There is no configuration
//! to read, only the number of bits, and one order of packing them: that of RFC 3551 section 4.5.4, the first
//! sample in the lowest bits of a byte. The other order (AAL2, ITU-T I.366.2 annex E) is turned into it where
//! it comes in.

use crate::Timebase;

/// Samples per second.
pub const TIMEBASE: Timebase = match Timebase::new(8_000) {
    Some(timebase) => timebase,
    None => Timebase::MILLIS,
};

/// Bits of a sample: 2, 3, 4 or 5, which are 16, 24, 32 and 40 kbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bits(u8);

impl Bits {
    /// `None` for numbers that G.726 does not have.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            2..=5 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The encoding name of RFC 3551 section 4.5.4.
    pub const fn name(self) -> &'static str {
        match self.0 {
            2 => "G726-16",
            3 => "G726-24",
            4 => "G726-32",
            _ => "G726-40",
        }
    }

    /// Whole samples in a payload: the duration of an access unit on [`TIMEBASE`].
    pub const fn duration(self, payload: &[u8]) -> usize {
        payload.len().saturating_mul(8) / self.0 as usize
    }
}

/// Between the two orders of packing, both ways: within each run of bytes that holds whole samples (as many bytes
/// as a sample has bits, eight samples), the first sample moves from the highest bits to the lowest. A last run
/// that is short is left out, for no sample count tells where it ends.
pub fn repack(payload: &[u8], bits: Bits, from: Packing) -> Vec<u8> {
    let width = u32::from(bits.0);
    let mut out = Vec::with_capacity(payload.len());
    for run in payload.chunks_exact(bits.0.into()) {
        // Eight samples of at most 5 bits fit into 40.
        let mut packed = 0u64;
        for (place, byte) in (0u32..).zip(run) {
            packed |= match from {
                Packing::HighFirst => u64::from(*byte) << (8 * (width - 1 - place)),
                Packing::LowFirst => u64::from(*byte) << (8 * place),
            };
        }
        let mask = (1 << width) - 1;
        let turned = (0..8).fold(0, |turned, sample| {
            turned | (packed >> (width * sample) & mask) << (width * (7 - sample))
        });
        for place in 0..width {
            let shift = match from {
                Packing::HighFirst => 8 * place,
                Packing::LowFirst => 8 * (width - 1 - place),
            };
            // The byte at that place.
            out.push((turned >> shift) as u8);
        }
    }
    out
}

/// In which bits of a byte the first sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// The highest: AAL2-G726 of RFC 3551.
    HighFirst,
    /// The lowest: G726 of RFC 3551, and the form of access units.
    LowFirst,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names_and_durations() {
        let cases = [
            (2, "G726-16", 640),
            (3, "G726-24", 426),
            (4, "G726-32", 320),
            (5, "G726-40", 256),
        ];
        for (bits, name, samples) in cases {
            let bits = Bits::new(bits).unwrap();
            assert_eq!((bits.name(), bits.duration(&[0; 160])), (name, samples));
        }
        assert_eq!([0, 1, 6].map(Bits::new), [None; 3]);
    }

    #[test]
    fn packing_is_turned_there_and_back() {
        // Four bits: the halves of each byte change places.
        let four = Bits::new(4).unwrap();
        let turned = repack(&[0x12, 0x34, 0x56, 0x78], four, Packing::HighFirst);
        assert_eq!(turned, [0x21, 0x43, 0x65, 0x87]);
        // Three bits: samples 0 to 7, packed from the top and from the bottom.
        let three = Bits::new(3).unwrap();
        let high = [0b0000_0101, 0b0011_1001, 0b0111_0111];
        let low = [0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(repack(&high, three, Packing::HighFirst), low);
        assert_eq!(repack(&low, three, Packing::LowFirst), high);
        let mut input = [0u8; 60];
        input
            .iter_mut()
            .zip(0u8..)
            .for_each(|(byte, n)| *byte = n.wrapping_mul(37));
        for bits in 2..=5 {
            let bits = Bits::new(bits).unwrap();
            let there = repack(&input, bits, Packing::HighFirst);
            assert_eq!(repack(&there, bits, Packing::LowFirst), input);
        }
        assert_eq!(repack(&[1, 2], three, Packing::HighFirst), [0u8; 0]);
    }
}
