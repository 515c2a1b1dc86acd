//! Open bitstream units (sections 5.3 and 5.4), and the form in which a temporal unit is carried.

use super::{leb128, obu_type};
use crate::compact;
use bytes::{BufMut, Bytes, BytesMut};

/// `obu_has_size_field` in the first byte.
const HAS_SIZE: u8 = 0x02;
/// `obu_extension_flag` in the first byte.
const HAS_EXTENSION: u8 = 0x04;

/// One OBU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// `obu_type`, see [`obu_type`].
    pub kind: u8,
    /// Temporal layer, 0 to 7; 0 where it is not told.
    pub temporal_id: u8,
    /// Spatial layer, 0 to 3; 0 where it is not told.
    pub spatial_id: u8,
    /// It says its size itself.
    pub has_size: bool,
    /// What is behind header and size.
    pub payload: &'a [u8],
    /// All of it, header and size included.
    pub whole: &'a [u8],
}

/// Why OBUs cannot be read. Positions are bytes from the beginning of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObuError {
    /// `obu_forbidden_bit` is set, so that this is no OBU.
    #[error("byte {0} is no OBU header: its forbidden bit is set")]
    Forbidden(usize),
    /// It ends in its header.
    #[error("OBU at byte {0} ends in its header")]
    Truncated(usize),
    /// Its size is cut off, or no number of 32 bits.
    #[error("OBU at byte {0} has a size that is cut off or too large")]
    Size(usize),
    /// Its size reaches past the end.
    #[error("OBU at byte {at} has {size} bytes, {left} are left")]
    PastEnd {
        /// Where it begins.
        at: usize,
        /// What it says.
        size: u32,
        /// Bytes that are there.
        left: usize,
    },
}

impl<'a> Obu<'a> {
    /// Reads the OBU at the beginning of `bytes`, which are at `at` of what is read. One that does not say its
    /// size reaches to the end.
    fn parse(bytes: &'a [u8], at: usize) -> Result<Self, ObuError> {
        let first = *bytes.first().ok_or(ObuError::Truncated(at))?;
        if first & 0x80 != 0 {
            return Err(ObuError::Forbidden(at));
        }
        let mut header = 1;
        let (mut temporal_id, mut spatial_id) = (0, 0);
        if first & HAS_EXTENSION != 0 {
            let extension = *bytes.get(1).ok_or(ObuError::Truncated(at))?;
            temporal_id = extension >> 5;
            spatial_id = extension >> 3 & 3;
            header = 2;
        }
        let rest = bytes.get(header..).unwrap_or_default();
        let has_size = first & HAS_SIZE != 0;
        let (payload, end) = if has_size {
            let (size, length) = leb128::read(rest).ok_or(ObuError::Size(at))?;
            let rest = rest.get(length..).unwrap_or_default();
            let past_end = ObuError::PastEnd {
                at,
                size,
                left: rest.len(),
            };
            let size = usize::try_from(size).map_err(|_| past_end)?;
            (rest.get(..size).ok_or(past_end)?, header + length + size)
        } else {
            (rest, bytes.len())
        };
        Ok(Self {
            kind: first >> 3 & 0x0f,
            temporal_id,
            spatial_id,
            has_size,
            payload,
            whole: bytes.get(..end).unwrap_or(bytes),
        })
    }

    /// Its header as it came, without the size: one or two bytes.
    fn header(&self) -> &'a [u8] {
        let extended = self.whole.first().is_some_and(|f| f & HAS_EXTENSION != 0);
        self.whole
            .get(..1 + usize::from(extended))
            .unwrap_or_default()
    }

    /// It with its size in as few bytes as it needs.
    pub(super) fn with_size(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.length_with_size());
        self.put_with_size(&mut out);
        out.freeze()
    }

    /// How long that is.
    pub(super) fn length_with_size(&self) -> usize {
        let size = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        self.header().len() + leb128::length(size) + self.payload.len()
    }

    fn put_with_size(&self, out: &mut BytesMut) {
        if let Some((first, extension)) = self.header().split_first() {
            out.put_u8(first | HAS_SIZE);
            out.put_slice(extension);
            // Longer ones than this do not exist: the size of what they came in is bounded far below.
            leb128::write(out, u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
            out.put_slice(self.payload);
        }
    }

    /// It belongs to what is carried: not a temporal delimiter, a tile list or padding (RTP payload format
    /// section 5, ISO Media File Format Binding section 2.4).
    const fn is_carried(&self) -> bool {
        !matches!(
            self.kind,
            obu_type::TEMPORAL_DELIMITER | obu_type::TILE_LIST | obu_type::PADDING
        )
    }
}

/// The OBUs of a temporal unit in the low-overhead format, one behind the other. Only the last may leave out its
/// size. After an error there is nothing more.
pub const fn obus(bytes: &[u8]) -> Obus<'_> {
    Obus { bytes, at: 0 }
}

/// Iterator over OBUs, see [`obus`].
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    bytes: &'a [u8],
    /// Where the next one begins.
    at: usize,
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, ObuError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let obu = Obu::parse(rest, self.at);
        self.at = match &obu {
            Ok(obu) => self.at + obu.whole.len(),
            Err(_) => self.bytes.len(),
        };
        Some(obu)
    }
}

/// Brings a temporal unit in the low-overhead format, as FLV and MP4 have it, into the form in which it is
/// carried: every OBU with its size, without temporal delimiters, tile lists and padding. What is in that form
/// already, but for what is at its beginning and end, is not copied.
///
/// # Errors
/// When an OBU cannot be read.
pub fn normalise(unit: &Bytes) -> Result<Bytes, ObuError> {
    // What is kept if it is one piece.
    let mut kept = None;
    let mut one_piece = true;
    let mut at = 0;
    for obu in obus(unit) {
        let obu = obu?;
        let end = at + obu.whole.len();
        if obu.is_carried() {
            let (from, to) = kept.unwrap_or((at, at));
            one_piece &= obu.has_size && to == at;
            kept = Some((from, end));
        }
        at = end;
    }
    match kept {
        None => Ok(Bytes::new()),
        Some((from, to)) if one_piece => Ok(compact(unit.slice(from..to), unit.len())),
        Some(_) => normalise_elements([&unit[..]]),
    }
}

/// Likewise for a temporal unit in several pieces, such as the OBU elements of RTP packets, which mostly leave out
/// their sizes. Each piece holds one OBU or several, of which the last may leave out its size.
///
/// # Errors
/// When an OBU cannot be read; positions are those in its piece.
pub fn normalise_elements<'a>(
    elements: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>,
) -> Result<Bytes, ObuError> {
    let elements = elements.into_iter();
    // A size is longer than what it replaces by 5 bytes at most; most elements are one OBU.
    let room = elements.clone().map(|element| element.len() + 5).sum();
    let mut out = BytesMut::with_capacity(room);
    for element in elements {
        for obu in obus(element) {
            let obu = obu?;
            if obu.is_carried() {
                obu.put_with_size(&mut out);
            }
        }
    }
    Ok(out.freeze())
}
