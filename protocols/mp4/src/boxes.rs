//! Boxes as such: a size, a kind, and what is in them (ISO/IEC 14496-12 clause 4.2).

use bytes::{BufMut, Bytes, BytesMut};

/// A box that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a box of {size} bytes does not fit the {left} that are there")]
pub struct BoxError {
    /// What its header says; 0 without a whole header.
    pub size: u64,
    /// Bytes that are there.
    pub left: u64,
}

/// What the header of a box says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its kind.
    pub kind: [u8; 4],
    /// Bytes of the header itself, 8 or 16.
    pub length: u64,
    /// Bytes of the whole box, at least `length`; `None` for one that goes on to the end of the file.
    pub size: Option<u64>,
}

impl Header {
    /// Reads the header at the beginning of `bytes`, of which 16 are always enough. `None` when it is not
    /// whole or contradicts itself.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let (length, size) = match u32::from_be_bytes(*size) {
            0 => (8, None),
            1 => (16, Some(u64::from_be_bytes(*rest.first_chunk()?))),
            size => (8, Some(u64::from(size))),
        };
        let whole = size.is_none_or(|size| size >= length);
        whole.then_some(Self {
            kind: *kind,
            length,
            size,
        })
    }
}

/// Kind and body of each box in `bytes`; ends after the first error.
pub(crate) fn children(
    bytes: &Bytes,
) -> impl Iterator<Item = Result<([u8; 4], Bytes), BoxError>> + use<> {
    let mut rest = bytes.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let left = rest.len() as u64;
        let header = Header::read(&rest);
        let size = header.map_or(0, |header| header.size.unwrap_or(left));
        let Some(header) = header.filter(|_| size <= left) else {
            rest.clear();
            return Some(Err(BoxError { size, left }));
        };
        // Both are at most `left`, which is a `usize`.
        let mut whole = rest.split_to(size as usize);
        let body = whole.split_off((header.length as usize).min(whole.len()));
        Some(Ok((header.kind, body)))
    })
}

/// The body of the first box of that kind in `bytes`.
pub(crate) fn child(bytes: &Bytes, kind: &[u8; 4]) -> Result<Option<Bytes>, BoxError> {
    for found in children(bytes) {
        let (found, body) = found?;
        if found == *kind {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

/// Writes a box.
pub(crate) fn put(out: &mut BytesMut, kind: &[u8; 4], body: &[u8]) {
    out.put_u32(u32::try_from(body.len().saturating_add(8)).unwrap_or(u32::MAX));
    out.put_slice(kind);
    out.put_slice(body);
}

/// Writes a box around what `body` writes, which is less than 4 GiB.
pub(crate) fn within<E>(
    out: &mut BytesMut,
    kind: &[u8; 4],
    body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    put(out, kind, &[]);
    body(out)?;
    let size = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = size.to_be_bytes();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_form() {
        type Expected = Option<(u64, Option<u64>)>;
        let cases: [(&[u8], Expected); 6] = [
            (b"\0\0\0\x08free", Some((8, Some(8)))),
            (b"\0\0\0\0mdat", Some((8, None))),
            (
                b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0",
                Some((16, Some(1 << 32))),
            ),
            (b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f", None),
            (b"\0\0\0\x07free", None),
            (b"\0\0\0\x08fre", None),
        ];
        for (bytes, expected) in cases {
            let found = Header::read(bytes).map(|header| (header.length, header.size));
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn boxes_within_boxes() {
        let mut out = BytesMut::new();
        within(&mut out, b"moov", |out| {
            put(out, b"free", b"abc");
            within(out, b"trak", |_| Ok::<(), ()>(()))
        })
        .unwrap();
        let moov = child(&out.freeze(), b"moov").unwrap().unwrap();
        assert_eq!(child(&moov, b"free").unwrap().unwrap(), "abc");
        assert_eq!(child(&moov, b"mdia"), Ok(None));
        let cut = moov.slice(..5);
        assert!(child(&cut, b"free").is_err());
    }
}
