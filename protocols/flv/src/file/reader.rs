//! Taking the tags out of a file that arrives in pieces of any size. Read [`Reader`].

use super::{TAG_HEADER, TagKind};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The longest tag body that a [`Reader`] takes unless told otherwise: 8 MiB.
pub const DEFAULT_MAX_TAG: usize = 8 << 20;

/// The file header up to `DataOffset`.
const FILE_HEADER: usize = 9;
/// The longest file header (`DataOffset`) that is skipped over.
const MAX_FILE_HEADER: usize = 64 << 10;
/// The size of the tag before and the header of the next one.
const BETWEEN: usize = 4 + TAG_HEADER;
/// Taken at once for a body; longer ones grow as their bytes arrive, so that a size that is only claimed
/// takes no memory.
const FIRST_ALLOCATION: usize = 1 << 20;

/// A tag as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it holds.
    pub kind: TagKind,
    /// Milliseconds modulo 2³².
    pub timestamp: u32,
    /// Its body, in an allocation of its own.
    pub body: Bytes,
}

/// Why the bytes are not an FLV file. All of these are final: where the next tag begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not begin with `FLV`.
    #[error("not FLV: begins with {}", .0.escape_ascii())]
    Signature([u8; 3]),
    /// Its header claims a length below 9 or above 65,536 bytes.
    #[error("FLV header claims a length of {0} bytes")]
    HeaderLength(u32),
    /// A tag is longer than the reader's bound.
    #[error("FLV tag at byte {offset} has {length} bytes; at most {max} are taken")]
    TooLong {
        /// Where the tag begins, in bytes from the start of the file.
        offset: u64,
        /// Bytes that it claims.
        length: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// A tag is encrypted (Annex F).
    #[error("FLV tag at byte {offset} is encrypted")]
    Encrypted {
        /// Where the tag begins, in bytes from the start of the file.
        offset: u64,
    },
}

/// Reads a file piece by piece: push bytes, then pull until there is no more. A tag comes out as soon as
/// its last byte is in. Tags of unknown types are passed over; the sizes between tags, which live sources
/// often get wrong, are not looked at.
#[derive(Debug)]
pub struct Reader {
    max_tag: usize,
    state: State,
    /// Bytes of the header that is being collected.
    small: [u8; BETWEEN],
    collected: usize,
    /// Bytes taken so far.
    offset: u64,
    tags: VecDeque<Tag>,
}

#[derive(Debug)]
enum State {
    FileHeader,
    /// Bytes of a longer file header still to be skipped.
    Skip(usize),
    Between,
    Body {
        kind: Option<TagKind>,
        timestamp: u32,
        length: usize,
        body: BytesMut,
        /// Counted apart from `body`, which stays empty for tags that are passed over.
        taken: usize,
    },
    Failed(ReadError),
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that takes bodies of at most [`DEFAULT_MAX_TAG`] bytes.
    pub const fn new() -> Self {
        Self::with_max_tag(DEFAULT_MAX_TAG)
    }

    /// A reader that takes bodies of at most `max_tag` bytes.
    pub const fn with_max_tag(max_tag: usize) -> Self {
        Self {
            max_tag,
            state: State::FileHeader,
            small: [0; BETWEEN],
            collected: 0,
            offset: 0,
            tags: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the file, all of them. Each body is copied once, into its own allocation.
    ///
    /// # Errors
    /// When this is no FLV file, or one out of bounds; the same error again for all that follows. Tags that
    /// were complete before can still be pulled.
    pub fn push(&mut self, mut input: &[u8]) -> Result<(), ReadError> {
        while !input.is_empty() {
            let before = input.len();
            if let Err(error) = self.step(&mut input) {
                self.state = State::Failed(error);
                return Err(error);
            }
            let taken = before.saturating_sub(input.len());
            self.offset = self.offset.saturating_add(taken as u64);
        }
        Ok(())
    }

    /// The next complete tag.
    pub fn pull(&mut self) -> Option<Tag> {
        self.tags.pop_front()
    }

    /// Whether the bytes so far end between two tags, so that a file that ends here is whole.
    pub const fn is_between_tags(&self) -> bool {
        match self.state {
            State::Between => self.collected <= 4,
            _ => false,
        }
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<(), ReadError> {
        match &mut self.state {
            State::Failed(error) => return Err(*error),
            State::FileHeader => {
                let Some(header) =
                    collect::<FILE_HEADER>(&mut self.small, &mut self.collected, input)
                else {
                    return Ok(());
                };
                let [f, l, v, _version, _flags, length @ ..] = header;
                if [f, l, v] != *b"FLV" {
                    return Err(ReadError::Signature([f, l, v]));
                }
                let length = u32::from_be_bytes(length);
                self.state = match (length as usize).checked_sub(FILE_HEADER) {
                    Some(0) => State::Between,
                    Some(more) if more <= MAX_FILE_HEADER - FILE_HEADER => State::Skip(more),
                    _ => return Err(ReadError::HeaderLength(length)),
                };
            }
            State::Skip(more) => {
                *more = more.saturating_sub(take(input, *more).len());
                if *more == 0 {
                    self.state = State::Between;
                }
            }
            State::Between => {
                let start = self
                    .offset
                    .saturating_sub(self.collected as u64)
                    .saturating_add(4);
                if let Some(header) =
                    collect::<BETWEEN>(&mut self.small, &mut self.collected, input)
                {
                    self.begin(&header, start)?;
                }
            }
            State::Body {
                kind,
                length,
                body,
                taken,
                ..
            } => {
                let bytes = take(input, length.saturating_sub(*taken));
                *taken = taken.saturating_add(bytes.len());
                if kind.is_some() {
                    body.extend_from_slice(bytes);
                }
                if *taken >= *length {
                    self.finish();
                }
            }
        }
        Ok(())
    }

    /// A tag header is complete; `start` is where it began.
    fn begin(&mut self, header: &[u8; BETWEEN], start: u64) -> Result<(), ReadError> {
        let [_, _, _, _, flags, l2, l1, l0, t2, t1, t0, t3, _, _, _] = *header;
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if length > self.max_tag {
            return Err(ReadError::TooLong {
                offset: start,
                length,
                max: self.max_tag,
            });
        }
        if flags & 0x20 != 0 {
            return Err(ReadError::Encrypted { offset: start });
        }
        let kind = TagKind::from_number(flags & 0x1f);
        let room = if kind.is_some() {
            length.min(FIRST_ALLOCATION)
        } else {
            0
        };
        self.state = State::Body {
            kind,
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
            length,
            body: BytesMut::with_capacity(room),
            taken: 0,
        };
        if length == 0 {
            self.finish();
        }
        Ok(())
    }

    /// The body is complete.
    fn finish(&mut self) {
        if let State::Body {
            kind: Some(kind),
            timestamp,
            body,
            ..
        } = std::mem::replace(&mut self.state, State::Between)
        {
            self.tags.push_back(Tag {
                kind,
                timestamp,
                body: body.freeze(),
            });
        }
    }
}

/// Takes up to `count` bytes from the front of `input`.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
    *input = rest;
    taken
}

/// Takes bytes from `input` until `N` are collected, and then gives them and starts anew.
fn collect<const N: usize>(
    small: &mut [u8; BETWEEN],
    collected: &mut usize,
    input: &mut &[u8],
) -> Option<[u8; N]> {
    let taken = take(input, N.saturating_sub(*collected));
    let room = small.iter_mut().skip(*collected);
    for (to, from) in room.zip(taken) {
        *to = *from;
    }
    *collected = collected.saturating_add(taken.len());
    if *collected < N {
        return None;
    }
    *collected = 0;
    small.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests {
    use super::super::{header, tag};
    use super::*;

    fn file() -> (Vec<u8>, Vec<Tag>) {
        let mut bytes = header(true, true).to_vec();
        let mut tags = Vec::new();
        for (kind, timestamp, length) in [
            (TagKind::Script, 0, 40),
            (TagKind::Video, 0x0100_0001, 0),
            (TagKind::Audio, u32::MAX, 300),
        ] {
            let body = Bytes::from(vec![0x5a; length]);
            let written = tag(kind, timestamp, &[], body.clone()).unwrap();
            bytes.extend(written.slices().concat());
            tags.push(Tag {
                kind,
                timestamp,
                body,
            });
        }
        (bytes, tags)
    }

    fn read(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> (Vec<Tag>, bool) {
        let mut reader = Reader::new();
        let mut tags = Vec::new();
        for piece in pieces {
            reader.push(piece.as_ref()).unwrap();
            tags.extend(std::iter::from_fn(|| reader.pull()));
        }
        (tags, reader.is_between_tags())
    }

    #[test]
    fn the_cut_does_not_matter() {
        let (bytes, tags) = file();
        for cut in 1..=bytes.len() {
            assert_eq!(read(bytes.chunks(cut)), (tags.clone(), true), "{cut}");
        }
    }

    #[test]
    fn a_file_cut_short_is_seen() {
        let (bytes, tags) = file();
        let whole = read([&bytes[..bytes.len() - 4]].iter());
        assert_eq!(whole, (tags, true));
        assert!(!read([&bytes[..bytes.len() - 5]].iter()).1);
    }

    #[test]
    fn unknown_tags_and_longer_headers_are_passed_over() {
        let (bytes, tags) = file();
        let mut other = bytes[..13].to_vec();
        other[8] = 11;
        other.splice(9..9, [1, 2]);
        other.extend([15, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 7, 0, 0, 0, 13]);
        other.extend(&bytes[13..]);
        assert_eq!(read(other.chunks(3)), (tags, true));
    }

    #[test]
    fn errors_say_what_and_where_and_stay() {
        let (bytes, _) = file();
        let patched = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let mut reader = Reader::with_max_tag(1 << 20);
            let error = reader.push(&bytes).unwrap_err();
            assert_eq!(reader.push(&[0]), Err(error));
            error
        };
        assert_eq!(patched(0, b'G'), ReadError::Signature(*b"GLV"));
        assert_eq!(patched(8, 8), ReadError::HeaderLength(8));
        assert_eq!(patched(5, 1), ReadError::HeaderLength(0x0100_0009));
        assert_eq!(patched(13, 0x32), ReadError::Encrypted { offset: 13 });
        assert_eq!(
            patched(14, 0x10),
            ReadError::TooLong {
                offset: 13,
                length: 0x10_0028,
                max: 1 << 20
            }
        );
    }
}
