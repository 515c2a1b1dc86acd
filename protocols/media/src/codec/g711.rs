//! G.711: telephone sound of one byte per sample (ITU-T G.711). There is no configuration to read, only a
//! law that says how a byte becomes a level.

/// How samples are companded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law, as in Europe.
    A,
    /// µ-law, as in North America and Japan.
    Mu,
}

impl Law {
    /// The encoding name of RFC 3551 section 4.5.14.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "PCMA",
            Self::Mu => "PCMU",
        }
    }
}

/// Samples per channel in a payload: the duration of an access unit on a timebase of the sample rate. A
/// last sample that not every channel has is not counted.
pub const fn duration(payload: &[u8], channels: u8) -> usize {
    match payload.len().checked_div(channels as usize) {
        Some(samples) => samples,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_sample() {
        for (bytes, channels, samples) in [(160, 1, 160), (160, 2, 80), (3, 2, 1), (1, 0, 0)] {
            assert_eq!(duration(&[0; 160][..bytes], channels), samples);
        }
    }

    #[test]
    fn names_are_those_of_rtp() {
        assert_eq!([Law::A.name(), Law::Mu.name()], ["PCMA", "PCMU"]);
    }
}
