//! What an elementary stream carries, from its type and descriptors (table 2-34; ETSI EN 300 468; the mappings of
//! the codecs).

use crate::opus;
use crate::psi::descriptor::{self, is_registered};
use crate::psi::{Pmt, Stream};
use bytes::Bytes;
use media::{Data, Kind};

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
    /// Data.
    Data(DataFormat),
    /// Something that is known by name and not carried on.
    Known {
        /// What it is called.
        name: &'static str,
        /// What it is for; `None` where it is data, or not known.
        kind: Option<Kind>,
    },
    /// Nothing is known of it but its type.
    Unknown,
}

/// What data is, and how it is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// Key-length-value triplets, as private data.
    Klv,
    /// The same as metadata, in cells (MISB ST 1402).
    SynchronousKlv,
    /// ID3 tags as metadata, in cells or, as Apple wants them, without.
    Id3,
    /// Splice information, in sections.
    Scte35,
    /// Teletext (ETSI EN 300 472).
    Teletext,
    /// DVB subtitles (ETSI EN 300 743).
    DvbSubtitles,
}

impl DataFormat {
    /// What the payloads are, of a stream with these descriptors.
    pub fn data(self, descriptors: &[u8]) -> Data {
        let content = |tag| {
            let content = descriptor::find(descriptors, tag);
            Bytes::copy_from_slice(content.unwrap_or_default())
        };
        match self {
            Self::Klv | Self::SynchronousKlv => Data::Klv,
            Self::Id3 => Data::Id3,
            Self::Scte35 => Data::Scte35,
            Self::Teletext => Data::Teletext(content(descriptor::TELETEXT)),
            Self::DvbSubtitles => Data::DvbSubtitles(content(descriptor::SUBTITLING)),
        }
    }

    /// What a unit begins with where it may be in cells as well.
    pub(crate) const fn label(self) -> Option<&'static [u8]> {
        match self {
            Self::SynchronousKlv => Some(&[0x06, 0x0e, 0x2b, 0x34]),
            Self::Id3 => Some(b"ID3"),
            Self::Klv | Self::Scte35 | Self::Teletext | Self::DvbSubtitles => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Klv | Self::SynchronousKlv => "KLV",
            Self::Id3 => "ID3",
            Self::Scte35 => "SCTE-35",
            Self::Teletext => "teletext",
            Self::DvbSubtitles => "DVB subtitles",
        }
    }
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
            0x06 if is_registered(list, b"KLVA") => Self::Data(DataFormat::Klv),
            0x15 if is_metadata(list, b"KLVA") => Self::Data(DataFormat::SynchronousKlv),
            0x15 if is_metadata(list, b"ID3 ") => Self::Data(DataFormat::Id3),
            0x15 => known("metadata", None),
            0x20 => known("H.264 MVC", video),
            0x33 => known("H.266", video),
            0x42 => known("AVS", video),
            0x81 | 0x87 => Self::Ac3,
            0x82 if is_registered(&program.descriptors, b"HDMV") => known("DTS", audio),
            0x86 => Self::Data(DataFormat::Scte35),
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
        match [0x7b, 0x7c, descriptor::TELETEXT, descriptor::SUBTITLING].map(has) {
            [true, ..] => known("DTS", audio),
            [_, true, ..] => known("AAC", audio),
            [.., true, _] => Self::Data(DataFormat::Teletext),
            [.., true] => Self::Data(DataFormat::DvbSubtitles),
            _ => known("private data", None),
        }
    }

    /// What it is for; `None` where it is not carried on and is data, or not known.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::H264 | Self::H265 => Some(Kind::Video),
            Self::Adts | Self::Latm | Self::Opus { .. } | Self::MpegAudio | Self::Ac3 => {
                Some(Kind::Audio)
            }
            Self::Data(_) => Some(Kind::Data),
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
            Self::Data(data) => data.name(),
            Self::Known { name, .. } => name,
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a stream of metadata says that it is of that kind: by its registration, or in its `metadata_descriptor`
/// (clause 2.6.60).
fn is_metadata(list: &[u8], letters: &[u8; 4]) -> bool {
    let described = descriptor::find(list, descriptor::METADATA).unwrap_or_default();
    is_registered(list, letters) || described.windows(4).any(|window| window == letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_apart() {
        let registered = |letters: &[u8; 4]| [&[5, 4][..], letters].concat();
        // Type, descriptors, name, kind.
        let (video, audio, data) = (Some(Kind::Video), Some(Kind::Audio), Some(Kind::Data));
        let cases: [(u8, Vec<u8>, &str, Option<Kind>); 17] = [
            (0x1b, vec![], "H264", video),
            (0x24, vec![], "H265", video),
            (0x0f, vec![], "AAC", audio),
            (0x11, vec![], "AAC", audio),
            (0x06, registered(b"Opus"), "Opus", audio),
            (0x06, registered(b"AV01"), "AV1", video),
            (0x06, registered(b"KLVA"), "KLV", data),
            (0x15, registered(b"KLVA"), "KLV", data),
            (
                0x15,
                [&[0x26, 6, 0xff, 0xff][..], b"ID3 "].concat(),
                "ID3",
                data,
            ),
            (0x15, vec![0x26, 0], "metadata", None),
            (0x06, vec![0x6a, 1, 0], "AC-3", audio),
            (0x06, vec![0x56, 0], "teletext", data),
            (0x06, vec![0x59, 0], "DVB subtitles", data),
            (0x06, vec![], "private data", None),
            (0x86, vec![], "SCTE-35", data),
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
