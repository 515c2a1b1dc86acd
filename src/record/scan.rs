//! Walks through a recording, complete or not: the heads of all boxes and what the fragments say. Samples are passed over.

use super::RecordError;
use super::host::HostFile;
use bytes::Bytes;
use mp4::boxes::Header;
use mp4::index::Captured;
use std::io;

/// Longest `moov` or `moof` that is read, in bytes. Ours are some kilobytes.
const MAX_BOX: u64 = 4 << 20;

/// Longest index of a complete file that is read, in bytes: that of more than a day.
const MAX_INDEX: u64 = 128 << 20;

/// Longest `prft` that is read, in bytes.
const MAX_CAPTURED: u64 = 64;

/// A walk, from fragment to fragment.
#[derive(Debug)]
pub struct Scan<'a> {
    file: &'a dyn HostFile,
    moov: Bytes,
    placeholder: u64,
    at: u64,
    limit: u64,
    is_complete: bool,
}

/// A fragment that is whole.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it begins, with what stands in front of it.
    pub begins: u64,
    /// Where its `moof` begins.
    pub at: u64,
    /// Where it ends.
    pub end: u64,
    /// Its `moof`, header included.
    pub moof: Bytes,
    /// What it says of the clock on the wall.
    pub captured: Option<Captured>,
}

impl<'a> Scan<'a> {
    /// At the first fragment of a file.
    ///
    /// # Errors
    /// What the disk says, or that it is no file of ours.
    pub fn new(file: &'a dyn HostFile) -> Result<Self, RecordError> {
        let length = file.length()?;
        let foreign = |reason: &str| RecordError::Foreign(reason.to_owned());
        let short = || foreign("it is too short");
        let (ftyp, placeholder) = next_box(file, 0, length)?.ok_or_else(short)?;
        if &ftyp.kind != b"ftyp" {
            return Err(foreign("it does not begin as one"));
        }
        let (second, second_end) = next_box(file, placeholder, length)?.ok_or_else(short)?;
        let is_complete = &second.kind == b"mdat";
        // What was fragmented is inside of the one box of data then, behind its head.
        let (at, limit) = match &second.kind {
            b"free" => (second_end, length),
            b"mdat" => (placeholder.saturating_add(second.length), second_end),
            _ => return Err(foreign("its second box is another")),
        };
        let (moov, next) = next_box(file, at, limit)?.ok_or_else(short)?;
        if &moov.kind != b"moov" {
            return Err(foreign("it has no tracks"));
        }
        Ok(Self {
            moov: read(file, at, next)?,
            file,
            placeholder,
            at: next,
            limit,
            is_complete,
        })
    }

    /// The fragmented `moov`, header included.
    pub const fn moov(&self) -> &Bytes {
        &self.moov
    }

    /// Where the placeholder for the head of the media stands.
    pub const fn placeholder(&self) -> u64 {
        self.placeholder
    }

    /// Where the next fragment begins, if one does.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Whether the file has its index.
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The next fragment. None behind the last whole one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn next_fragment(&mut self) -> io::Result<Option<Found>> {
        let begins = self.at;
        let mut at = begins;
        let mut captured = None;
        loop {
            let Some((found, next)) = next_box(self.file, at, self.limit)? else {
                return Ok(None);
            };
            let length = next.saturating_sub(at);
            match &found.kind {
                b"prft" if captured.is_none() && length <= MAX_CAPTURED => {
                    captured = Captured::read(&read(self.file, at, next)?);
                    if captured.is_none() {
                        return Ok(None);
                    }
                    at = next;
                }
                b"moof" if length <= MAX_BOX => {
                    let Some((mdat, end)) = next_box(self.file, next, self.limit)? else {
                        return Ok(None);
                    };
                    if &mdat.kind != b"mdat" {
                        return Ok(None);
                    }
                    let moof = read(self.file, at, next)?;
                    self.at = end;
                    return Ok(Some(Found {
                        begins,
                        at,
                        end,
                        moof,
                        captured,
                    }));
                }
                _ => return Ok(None),
            }
        }
    }
}

/// The header of the box at `at` and where it ends, if all of it lies before `limit`.
fn next_box(file: &dyn HostFile, at: u64, limit: u64) -> io::Result<Option<(Header, u64)>> {
    let mut bytes = [0; 16];
    let left = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
    let count = bytes.len().min(left);
    let head = bytes.get_mut(..count).unwrap_or_default();
    match file.read_exact_at(head, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let header = Header::read(head);
    Ok(header.and_then(|header| {
        let end = at.checked_add(header.size?)?;
        (end <= limit).then_some((header, end))
    }))
}

/// The `moov` of a complete file, header included: it stands behind all of its media.
pub(super) fn read_index(file: &dyn HostFile, scan: &Scan<'_>) -> Result<Bytes, RecordError> {
    let found = next_box(file, scan.limit, file.length()?)?;
    let (_, end) = found
        .filter(|(header, _)| &header.kind == b"moov")
        .ok_or_else(|| RecordError::Foreign("its index is not whole".into()))?;
    Ok(read_at_most(file, scan.limit, end, MAX_INDEX)?)
}

fn read(file: &dyn HostFile, from: u64, to: u64) -> io::Result<Bytes> {
    read_at_most(file, from, to, MAX_BOX)
}

fn read_at_most(file: &dyn HostFile, from: u64, to: u64, most: u64) -> io::Result<Bytes> {
    let length = to.saturating_sub(from);
    if length > most {
        return Err(io::Error::other("a box is larger than any of ours"));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes.into())
}
