//! Codecs that FLV can announce and that are not carried, so that a refusal can say which one came.

use std::fmt;

/// A codec that is not carried, as the tag announced it. Its `Display` is the usual name with the number
/// or FourCC that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignCodec {
    /// `CodecID` of a video tag (clause E.4.3.1).
    Video(u8),
    /// `SoundFormat` of an audio tag (clause E.4.2.1).
    Audio(u8),
    /// FourCC of an Enhanced RTMP (v1 or v2) video or audio header.
    FourCc([u8; 4]),
}

/// `CodecID` and name.
const VIDEO: [(u8, &str); 5] = [
    (2, "Sorenson H.263"),
    (3, "Screen video"),
    (4, "On2 VP6"),
    (5, "On2 VP6 with alpha"),
    (6, "Screen video 2"),
];

/// `SoundFormat` and name.
const AUDIO: [(u8, &str); 8] = [
    (0, "linear PCM"),
    (1, "ADPCM"),
    (3, "linear PCM"),
    (4, "Nellymoser"),
    (5, "Nellymoser"),
    (6, "Nellymoser"),
    (11, "Speex"),
    (15, "device-specific sound"),
];

/// FourCC and name, Enhanced RTMP v2.
const FOUR_CC: [([u8; 4], &str); 1] = [(*b"vvc1", "H.266")];

impl ForeignCodec {
    /// The codec's usual name; `None` for numbers and FourCCs that no specification gives.
    pub fn name(&self) -> Option<&'static str> {
        fn find<K: PartialEq>(table: &[(K, &'static str)], key: &K) -> Option<&'static str> {
            let (_, name) = table.iter().find(|(known, _)| known == key)?;
            Some(name)
        }
        match self {
            Self::Video(id) => find(&VIDEO, id),
            Self::Audio(id) => find(&AUDIO, id),
            Self::FourCc(code) => find(&FOUR_CC, code),
        }
    }
}

impl fmt::Display for ForeignCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = match self {
            Self::Video(_) => "an unknown video codec",
            Self::Audio(_) => "an unknown audio codec",
            Self::FourCc(_) => "an unknown codec",
        };
        f.write_str(self.name().unwrap_or(unknown))?;
        match self {
            Self::Video(id) => write!(f, " (FLV CodecID {id})"),
            Self::Audio(id) => write!(f, " (FLV SoundFormat {id})"),
            Self::FourCc(code) => write!(f, " (FourCC {})", code.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_came() {
        let cases = [
            (ForeignCodec::FourCc(*b"vvc1"), "H.266 (FourCC vvc1)"),
            (
                ForeignCodec::FourCc([0, b'x', 255, b'\n']),
                r"an unknown codec (FourCC \x00x\xff\n)",
            ),
            (ForeignCodec::Video(4), "On2 VP6 (FLV CodecID 4)"),
            (
                ForeignCodec::Video(9),
                "an unknown video codec (FLV CodecID 9)",
            ),
            (ForeignCodec::Audio(11), "Speex (FLV SoundFormat 11)"),
        ];
        for (codec, text) in cases {
            assert_eq!(codec.to_string(), text);
        }
    }
}
