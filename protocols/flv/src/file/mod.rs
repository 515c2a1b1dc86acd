//! The framing of an FLV file, or of an HTTP-FLV response, which is a file without an end (clauses E.2 to
//! E.4.1): a header, then tags with the size of each behind it.
//!
//! Nothing here looks into a tag's body. [`header`] and [`tag`] write, [`Reader`] reads whatever way the
//! bytes are cut.

mod reader;

pub use reader::{DEFAULT_MAX_TAG, ReadError, Reader, Tag};

use bytes::Bytes;

/// Bytes of a tag's header.
pub const TAG_HEADER: usize = 11;

/// The longest prefix that [`tag`] takes.
pub const MAX_PREFIX: usize = crate::muxer::MAX_PREFIX;

/// What a tag holds (`TagType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// A body for [`Demuxer::push_audio`](crate::demuxer::Demuxer::push_audio).
    Audio,
    /// A body for [`Demuxer::push_video`](crate::demuxer::Demuxer::push_video).
    Video,
    /// Script data in AMF, such as `onMetaData`.
    Script,
}

/// `TagType` numbers, in both directions.
const TAG_TYPES: [(u8, TagKind); 3] = [
    (8, TagKind::Audio),
    (9, TagKind::Video),
    (18, TagKind::Script),
];

impl TagKind {
    /// `TagType`, and the RTMP message type too.
    pub const fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        let (_, kind) = TAG_TYPES.iter().find(|(known, _)| *known == number)?;
        Some(*kind)
    }
}

/// Why a tag cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Prefix and payload do not fit the 24 bits of a tag's size.
    #[error("FLV tag body of {0} bytes is longer than 16777215")]
    TooLong(usize),
    /// More than [`MAX_PREFIX`] bytes of prefix.
    #[error("FLV tag prefix of {0} bytes is longer than {MAX_PREFIX}")]
    Prefix(usize),
}

/// The first 13 bytes of a file: the header and the size of the tag before the first, which is 0.
pub const fn header(has_video: bool, has_audio: bool) -> [u8; 13] {
    let flags = has_video as u8 | (has_audio as u8) << 2;
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// A tag ready to be written: a few bytes around a payload that was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenTag {
    head: [u8; TAG_HEADER + MAX_PREFIX],
    head_len: usize,
    payload: Bytes,
    trailer: [u8; 4],
}

impl WrittenTag {
    /// Tag header and prefix.
    pub fn head(&self) -> &[u8] {
        self.head.get(..self.head_len).unwrap_or(&self.head)
    }

    /// The payload as it was given.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The size of the tag, as it stands behind it.
    pub const fn trailer(&self) -> &[u8; 4] {
        &self.trailer
    }

    /// All of it in order, for a vectored write.
    pub fn slices(&self) -> [&[u8]; 3] {
        [self.head(), &self.payload, &self.trailer]
    }
}

/// Frames a body whose first bytes are `prefix` (see [`muxer`](crate::muxer)) and the rest `payload`.
/// `timestamp` is in milliseconds modulo 2³².
///
/// # Errors
/// When the body is longer than 16,777,215 bytes, or the prefix than [`MAX_PREFIX`].
pub fn tag(
    kind: TagKind,
    timestamp: u32,
    prefix: &[u8],
    payload: Bytes,
) -> Result<WrittenTag, WriteError> {
    let mut head = [0; TAG_HEADER + MAX_PREFIX];
    let head_len = TAG_HEADER + prefix.len();
    let (header, prefix_room) = head.split_at_mut(TAG_HEADER);
    prefix_room
        .get_mut(..prefix.len())
        .ok_or(WriteError::Prefix(prefix.len()))?
        .copy_from_slice(prefix);
    let size = prefix.len().saturating_add(payload.len());
    let size = u32::try_from(size)
        .ok()
        .filter(|size| *size < 1 << 24)
        .ok_or(WriteError::TooLong(size))?;
    let [_, size @ ..] = size.to_be_bytes();
    let [extended, timestamp @ ..] = timestamp.to_be_bytes();
    let fields = [
        &[kind.number()][..],
        &size,
        &timestamp,
        &[extended],
        &[0; 3],
    ];
    for (to, from) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    let total = u32::try_from(head_len.saturating_add(payload.len())).unwrap_or(u32::MAX);
    Ok(WrittenTag {
        head,
        head_len,
        payload,
        trailer: total.to_be_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_types_there_and_back() {
        for (number, kind) in TAG_TYPES {
            assert_eq!(kind.number(), number);
            assert_eq!(TagKind::from_number(number), Some(kind));
        }
        assert_eq!(TagKind::from_number(0), None);
    }

    #[test]
    fn a_tag_byte_by_byte() {
        let tag = tag(
            TagKind::Video,
            0x0102_0304,
            &[0x17, 1, 0, 0, 0],
            Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        )
        .unwrap();
        assert_eq!(
            tag.slices().concat(),
            [
                9, 0, 0, 10, 2, 3, 4, 1, 0, 0, 0, 0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65, 0, 0, 0, 21
            ]
        );
        assert_eq!(header(true, true)[4], 5);
        assert_eq!(header(true, false)[4], 1);
        assert_eq!(header(false, true)[4], 4);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = Bytes::from(vec![0; (1 << 24) - 5]);
        let prefix = [0; 5];
        assert_eq!(
            tag(TagKind::Video, 0, &prefix, long.clone()),
            Err(WriteError::TooLong(1 << 24))
        );
        assert!(tag(TagKind::Video, 0, &prefix, long.slice(1..)).is_ok());
        assert_eq!(
            tag(TagKind::Audio, 0, &[0; MAX_PREFIX + 1], Bytes::new()),
            Err(WriteError::Prefix(MAX_PREFIX + 1))
        );
    }
}
