//! What a file or the answer to a request is: its first bytes say it, whatever its name or its server say.

use mpegts::packet::{SIZE, SYNC};

/// Sizes of the packets of transport streams: plain, with a time code in front, with parity behind.
const PACKETS: [usize; 3] = [SIZE, 192, 204];

/// Packets in a row that are a transport stream.
const IN_A_ROW: usize = 5;

/// Kinds of boxes that an MP4 file begins with.
const BOXES: [&[u8; 4]; 12] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx", b"emsg",
    b"prft", b"pnot",
];

/// What begins so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// MPEG transport stream.
    Ts,
    /// MP4, plain or in fragments.
    Mp4,
    /// FLV.
    Flv,
    /// A playlist of HLS.
    Playlist,
}

impl Content {
    /// Bytes by which all that is known is told.
    pub(crate) const HEAD: usize = 4 << 10;

    /// By the first bytes, `is_all` of them or not; none when they are of nothing known, or too few to tell.
    pub(crate) fn of(head: &[u8], is_all: bool) -> Option<Self> {
        if head
            .get(4..8)
            .is_some_and(|kind| BOXES.iter().any(|known| known[..] == *kind))
        {
            return Some(Self::Mp4);
        }
        if head.starts_with(b"FLV") {
            return Some(Self::Flv);
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        if text.starts_with(b"#EXTM3U") {
            return Some(Self::Playlist);
        }
        let enough = is_all || head.len() >= Self::HEAD;
        (enough && is_transport_stream(head)).then_some(Self::Ts)
    }

    /// Its name, for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ts => "MPEG-TS",
            Self::Mp4 => "MP4",
            Self::Flv => "FLV",
            Self::Playlist => "HLS",
        }
    }
}

/// Whether sync bytes stand at the distance of packets, wherever the first is.
fn is_transport_stream(head: &[u8]) -> bool {
    let has = |at: usize| head.get(at).is_none_or(|byte| *byte == SYNC);
    PACKETS.iter().any(|size| {
        let starts = 0..head.len().min(2 * size);
        let found = |start: usize| {
            let is_whole = head.len() >= start + SIZE;
            is_whole && (0..IN_A_ROW).all(|number| has(start + number * size))
        };
        starts.into_iter().any(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell() {
        let packets = |size: usize, before: usize| {
            let mut bytes = vec![0x11; before];
            for _ in 0..22 {
                bytes.push(0x47);
                bytes.extend(vec![0; size - 1]);
            }
            bytes
        };
        for (size, before) in [(188, 0), (192, 4), (204, 0), (188, 77)] {
            let bytes = packets(size, before);
            assert_eq!(
                Content::of(&bytes, false),
                Some(Content::Ts),
                "{size} {before}"
            );
        }
        // One packet is a stream as well, if there is no more.
        let one = &packets(188, 0)[..188];
        assert_eq!(Content::of(one, true), Some(Content::Ts));
        assert_eq!(Content::of(one, false), None);
        let cases = [
            (&b"\0\0\0\x18ftypmp42"[..], Some(Content::Mp4)),
            (b"FLV\x01\x05", Some(Content::Flv)),
            (b"#EXTM3U\n", Some(Content::Playlist)),
            (b"\xef\xbb\xbf#EXTM3U\r\n", Some(Content::Playlist)),
            (b"", None),
            (b"RIFF....WAVE", None),
            (b"<html>Gone</html>", None),
        ];
        for (head, expected) in cases {
            assert_eq!(Content::of(head, true), expected, "{head:?}");
        }
    }
}
