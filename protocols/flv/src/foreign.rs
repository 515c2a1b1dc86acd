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

/// `CodecID` and name; 12 is a widespread private number.
const VIDEO: [(u8, &str); 6] = [
    (2, "Sorenson H.263"),
    (3, "Screen video"),
    (4, "On2 VP6"),
    (5, "On2 VP6 with alpha"),
    (6, "Screen video 2"),
    (12, "H.265"),
];

/// `SoundFormat` and name.
const AUDIO: [(u8, &str); 12] = [
    (0, "linear PCM"),
    (1, "ADPCM"),
    (2, "MP3"),
    (3, "linear PCM"),
    (4, "Nellymoser"),
    (5, "Nellymoser"),
    (6, "Nellymoser"),
    (7, "G.711 A-law"),
    (8, "G.711 mu-law"),
    (11, "Speex"),
    (14, "MP3"),
    (15, "device-specific sound"),
];

/// FourCC and name, Enhanced RTMP v2.
const FOUR_CC: [([u8; 4], &str); 11] = [
    (*b"avc1", "H.264 behind an enhanced header"),
    (*b"hvc1", "H.265"),
    (*b"vvc1", "H.266"),
    (*b"av01", "AV1"),
    (*b"vp08", "VP8"),
    (*b"vp09", "VP9"),
    (*b"mp4a", "AAC behind an enhanced header"),
    (*b"Opus", "Opus"),
    (*b"fLaC", "FLAC"),
    (*b"ac-3", "AC-3"),
    (*b"ec-3", "E-AC-3"),
];

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
            (ForeignCodec::FourCc(*b"hvc1"), "H.265 (FourCC hvc1)"),
            (
                ForeignCodec::FourCc([0, b'x', 255, b'\n']),
                r"an unknown codec (FourCC \x00x\xff\n)",
            ),
            (ForeignCodec::Video(12), "H.265 (FLV CodecID 12)"),
            (
                ForeignCodec::Video(9),
                "an unknown video codec (FLV CodecID 9)",
            ),
            (ForeignCodec::Audio(2), "MP3 (FLV SoundFormat 2)"),
        ];
        for (codec, text) in cases {
            assert_eq!(codec.to_string(), text);
        }
    }
}
