//! ADTS: AAC with a header in front of each frame, as in MPEG-TS and files of sound alone (ISO/IEC 14496-3 clause
//! 1.A.2.2).

use super::aac;
use bytes::Bytes;

/// Size of a header without a checksum, in bytes.
pub const HEADER: usize = 7;

/// Longest frame, header included: its length has 13 bits.
pub const MAX_FRAME: usize = 0x1fff;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Audio object type: 1 to 4.
    pub object_type: u8,
    /// Index of the sampling frequency.
    pub sampling_index: u8,
    /// Channel configuration; 0 where the frame itself tells.
    pub channels: u8,
    /// Bytes of the header, its checksum included.
    pub size: usize,
    /// Bytes of the whole frame.
    pub length: usize,
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdtsError {
    /// It does not begin with twelve bits of 1 and the layer 0.
    #[error("no ADTS header")]
    Sync,
    /// A sampling frequency index that is reserved.
    #[error("ADTS header has the reserved sampling frequency index {0}")]
    SampleRate(u8),
    /// A frame that is shorter than its header.
    #[error("ADTS frame of {0} bytes is shorter than its header")]
    Length(usize),
    /// Several access units in one frame.
    #[error("ADTS frames of {0} access units are not read")]
    Blocks(u8),
    /// AAC of a kind for which ADTS has no header.
    #[error("ADTS has no header for {0}")]
    Unsupported(&'static str),
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// An [`AdtsError`] that says what is wrong with it.
    pub fn parse(bytes: &[u8; HEADER]) -> Result<Self, AdtsError> {
        let [sync, b1, b2, b3, b4, b5, b6] = *bytes;
        if sync != 0xff || b1 & 0xf6 != 0xf0 {
            return Err(AdtsError::Sync);
        }
        let sampling_index = b2 >> 2 & 0x0f;
        if sampling_index > 12 {
            return Err(AdtsError::SampleRate(sampling_index));
        }
        let size = if b1 & 1 == 1 { HEADER } else { HEADER + 2 };
        let length = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
        if length < size {
            return Err(AdtsError::Length(length));
        }
        if b6 & 3 != 0 {
            return Err(AdtsError::Blocks((b6 & 3) + 1));
        }
        Ok(Self {
            object_type: (b2 >> 6) + 1,
            sampling_index,
            channels: (b2 & 1) << 2 | b3 >> 6,
            size,
            length,
        })
    }

    /// The configuration that it stands for.
    ///
    /// # Errors
    /// When it is none of AAC.
    pub fn config(&self) -> Result<aac::Config, aac::ConfigError> {
        aac::Config::parse(&Bytes::copy_from_slice(&[
            self.object_type << 3 | self.sampling_index >> 1,
            self.sampling_index << 7 | self.channels << 3,
        ]))
    }
}

/// Writes the headers of a track's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The two bytes that hold profile, rate and channels.
    fixed: [u8; 2],
}

impl Writer {
    /// For frames of that configuration. SBR and PS that are told explicitly are left to decoders to find.
    ///
    /// # Errors
    /// When the header has no place for it.
    pub fn new(config: &aac::Config) -> Result<Self, AdtsError> {
        let unsupported = |what| Err(AdtsError::Unsupported(what));
        if config.frame_length != 1_024 {
            return unsupported("frames of 960 samples");
        }
        let Some(index) = aac::sampling_index(config.sample_rate) else {
            return unsupported("this sample rate");
        };
        // Parsing lets 1 to 4 pass.
        let profile = config.object_type.wrapping_sub(1) & 3;
        let channels = match config.channels {
            0 => return unsupported("channels told by a program config element"),
            count @ 1..=6 => count,
            8 => 7,
            _ => return unsupported("this number of channels"),
        };
        Ok(Self {
            fixed: [profile << 6 | index << 2 | channels >> 2, channels << 6],
        })
    }

    /// The header for a frame of `length` bytes without it; `None` for one that is too long.
    pub fn header(self, length: usize) -> Option<[u8; HEADER]> {
        let length = length
            .checked_add(HEADER)
            .filter(|length| *length <= MAX_FRAME)?;
        let [second, third] = self.fixed;
        Some([
            0xff,
            0xf1,
            second,
            third | (length >> 11) as u8,
            (length >> 3) as u8,
            ((length & 7) as u8) << 5 | 0x1f,
            // The fullness of a buffer that is not told, and one access unit.
            0xfc,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_there_and_back() {
        for rate in [48_000, 44_100, 22_050, 7_350] {
            for channels in 1..=6 {
                let config = aac::Config::low_complexity(rate, channels).unwrap();
                let writer = Writer::new(&config).unwrap();
                for length in [0, 1, 300, MAX_FRAME - HEADER] {
                    let header = Header::parse(&writer.header(length).unwrap()).unwrap();
                    assert_eq!(header.config().unwrap(), config);
                    assert_eq!((header.size, header.length), (HEADER, HEADER + length));
                }
                assert_eq!(writer.header(MAX_FRAME - HEADER + 1), None);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let config = aac::Config::low_complexity(48_000, 2).unwrap();
        let good = Writer::new(&config).unwrap().header(100).unwrap();
        let patched = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            Header::parse(&bytes)
        };
        assert_eq!(patched(0, 0xfe), Err(AdtsError::Sync));
        assert_eq!(patched(1, 0xf3), Err(AdtsError::Sync));
        assert_eq!(patched(2, 0x74), Err(AdtsError::SampleRate(13)));
        assert_eq!(patched(4, 0), Err(AdtsError::Length(3)));
        assert_eq!(patched(6, 0xfd), Err(AdtsError::Blocks(2)));
        // With a checksum, as MPEG-2.
        assert_eq!(patched(1, 0xf8).map(|header| header.size), Ok(9));
        let short = aac::Config {
            frame_length: 960,
            ..config.clone()
        };
        assert!(matches!(
            Writer::new(&short),
            Err(AdtsError::Unsupported(_))
        ));
        let unknown = aac::Config {
            channels: 0,
            ..config
        };
        assert!(matches!(
            Writer::new(&unknown),
            Err(AdtsError::Unsupported(_))
        ));
    }
}
