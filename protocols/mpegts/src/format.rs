//! What an elementary stream carries, from its type and descriptors (table 2-34; ETSI EN 300 468; the mappings of
//! the codecs).

use crate::opus;
use crate::psi::descriptor::{self, is_registered};
use crate::psi::{Pmt, Stream};
use media::Kind;

/// What an elementary stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// H.264 between start codes.
    H264,
    /// H.265 between start codes.
    H265,
    /// AAC behind ADTS headers.
    Adts,
    /// AAC in LATM.
    Latm,
    /// Opus, with the code of its channels.
    Opus {
        /// `channel_config_code`.
        channels: u8,
    },
    /// MPEG audio of any layer.
    MpegAudio,
    /// AC-3 or E-AC-3.
    Ac3,
    /// Something that is known by name and not carried on.
    Known {
        /// What it is called.
        name: &'static str,
        /// What it is for; `None` for data.
        kind: Option<Kind>,
    },
    /// Nothing is known of it but its type.
    Unknown,
}

impl Format {
    /// Of a stream of that program.
    pub fn of(program: &Pmt, stream: &Stream) -> Self {
        let list = stream.descriptors.as_slice();
        let known = |name, kind| Self::Known { name, kind };
        let (video, audio) = (Some(Kind::Video), Some(Kind::Audio));
        let has = |tag| descriptor::find(list, tag).is_some();
        match stream.kind {
            0x1b => Self::H264,
            0x24 => Self::H265,
            0x0f => Self::Adts,
            0x11 => Self::Latm,
            0x01 | 0x02 => known("MPEG-2 video", video),
            0x03 | 0x04 => Self::MpegAudio,
            0x10 => known("MPEG-4 video", video),
            0x15 | 0x06 if is_registered(list, b"KLVA") => known("KLV", None),
            0x15 if is_registered(list, b"ID3 ") || has(0x26) => known("ID3", None),
            0x15 => known("metadata", None),
            0x20 => known("H.264 MVC", video),
            0x33 => known("H.266", video),
            0x42 => known("AVS", video),
            0x81 | 0x87 => Self::Ac3,
            0x82 if is_registered(&program.descriptors, b"HDMV") => known("DTS", audio),
            0x86 => known("SCTE-35", None),
            0xea if is_registered(list, b"VC-1") => known("VC-1", video),
            0x06 => Self::private(list, &has),
            _ => Self::Unknown,
        }
    }

    /// Of private data in PES packets, where only descriptors tell.
    fn private(list: &[u8], has: &impl Fn(u8) -> bool) -> Self {
        let known = |name, kind| Self::Known { name, kind };
        let audio = Some(Kind::Audio);
        if is_registered(list, b"Opus") {
            // Two channels where nothing is said.
            let channels = opus::channel_code(list).unwrap_or(2);
            return Self::Opus { channels };
        }
        if is_registered(list, b"AC-3") || is_registered(list, b"EAC3") || has(0x6a) || has(0x7a) {
            return Self::Ac3;
        }
        let registered = [
            (b"AV01", "AV1", Some(Kind::Video)),
            (b"VVC ", "H.266", Some(Kind::Video)),
            (b"BSSD", "SMPTE 302M", audio),
        ];
        let mut names = registered.into_iter();
        if let Some((_, name, kind)) = names.find(|(letters, ..)| is_registered(list, letters)) {
            return known(name, kind);
        }
        let described = [
            (0x7b, "DTS", audio),
            (0x7c, "AAC", audio),
            (0x56, "teletext", None),
            (0x59, "DVB subtitles", None),
        ];
        let mut names = described.into_iter();
        match names.find(|(tag, ..)| has(*tag)) {
            Some((_, name, kind)) => known(name, kind),
            None => known("private data", None),
        }
    }

    /// What it is for; `None` for data, and where it is not known.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::H264 | Self::H265 => Some(Kind::Video),
            Self::Adts | Self::Latm | Self::Opus { .. } | Self::MpegAudio | Self::Ac3 => {
                Some(Kind::Audio)
            }
            Self::Known { kind, .. } => *kind,
            Self::Unknown => None,
        }
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Adts | Self::Latm => "AAC",
            Self::Opus { .. } => "Opus",
            Self::MpegAudio => "MPEG audio",
            Self::Ac3 => "AC-3",
            Self::Known { name, .. } => name,
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_apart() {
        let registered = |letters: &[u8; 4]| [&[5, 4][..], letters].concat();
        // Type, descriptors, name, kind.
        let (video, audio) = (Some(Kind::Video), Some(Kind::Audio));
        let cases: [(u8, Vec<u8>, &str, Option<Kind>); 16] = [
            (0x1b, vec![], "H264", video),
            (0x24, vec![], "H265", video),
            (0x0f, vec![], "AAC", audio),
            (0x11, vec![], "AAC", audio),
            (0x06, registered(b"Opus"), "Opus", audio),
            (0x06, registered(b"AV01"), "AV1", video),
            (0x06, registered(b"KLVA"), "KLV", None),
            (0x15, registered(b"KLVA"), "KLV", None),
            (0x15, vec![0x26, 0], "ID3", None),
            (0x06, vec![0x6a, 1, 0], "AC-3", audio),
            (0x06, vec![0x56, 0], "teletext", None),
            (0x06, vec![0x59, 0], "DVB subtitles", None),
            (0x06, vec![], "private data", None),
            (0x86, vec![], "SCTE-35", None),
            (0x33, vec![], "H.266", video),
            (0x99, vec![], "unknown", None),
        ];
        let program = Pmt {
            program: 1,
            version: 0,
            current: true,
            clock_pid: 0x100,
            descriptors: Vec::new(),
            streams: Vec::new(),
        };
        for (kind, descriptors, name, for_what) in cases {
            let stream = Stream {
                kind,
                pid: 0x100,
                descriptors,
            };
            let format = Format::of(&program, &stream);
            assert_eq!(
                (format.name(), format.kind()),
                (name, for_what),
                "{stream:?}"
            );
        }
    }
}
