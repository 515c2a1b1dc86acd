//! RTP header extensions: small elements with an id that the sessions agree on (RFC 8285).

use bytes::BufMut;

/// The "defined by profile" field of the one-byte form.
const ONE_BYTE: u16 = 0xbede;

/// The same of the two-byte form, whose lowest 4 bits are free.
const TWO_BYTE: u16 = 0x1000;

/// A header extension, borrowed from its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Says how `data` is to be read.
    pub profile: u16,
    /// A multiple of 4 bytes.
    pub data: &'a [u8],
}

/// Why elements cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// Ids go from 1 to 255.
    #[error("an extension element has id 0, which is padding")]
    Id,
    /// More than 255 bytes in one element, or more than fits into one extension.
    #[error("an extension element of {0} bytes is too long")]
    TooLong(usize),
}

impl<'a> Extension<'a> {
    /// Reads an extension, and gives what follows it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let [p0, p1, l0, l1] = *head;
        let words = usize::from(u16::from_be_bytes([l0, l1]));
        let (data, rest) = rest.split_at_checked(words * 4)?;
        let profile = u16::from_be_bytes([p0, p1]);
        Some((Self { profile, data }, rest))
    }

    /// The elements in order, each with its id. An element that is cut off ends them; extensions of other
    /// profiles have none.
    pub fn elements(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let header = match self.profile {
            ONE_BYTE => 1,
            profile if profile & 0xfff0 == TWO_BYTE => 2,
            _ => 0,
        };
        let rest = if header == 0 { &[] } else { self.data };
        Elements { rest, header }
    }

    /// Appends an extension: the one-byte form where all elements fit into it, the two-byte form otherwise.
    pub(crate) fn write(elements: &[(u8, &[u8])], out: &mut Vec<u8>) -> Result<(), ExtensionError> {
        let mut one_byte = true;
        let mut size = 0usize;
        for (id, value) in elements {
            if *id == 0 {
                return Err(ExtensionError::Id);
            }
            if value.len() > 255 {
                return Err(ExtensionError::TooLong(value.len()));
            }
            one_byte &= *id < 15 && (1..=16).contains(&value.len());
            size += value.len();
        }
        size += elements.len() * if one_byte { 1 } else { 2 };
        let words = size.div_ceil(4);
        let words_field = u16::try_from(words).map_err(|_| ExtensionError::TooLong(size))?;
        out.put_u16(if one_byte { ONE_BYTE } else { TWO_BYTE });
        out.put_u16(words_field);
        for (id, value) in elements {
            // At most 255, checked above.
            let length = value.len() as u8;
            if one_byte {
                out.put_u8(id << 4 | length.wrapping_sub(1));
            } else {
                out.put_slice(&[*id, length]);
            }
            out.put_slice(value);
        }
        out.put_bytes(0, words * 4 - size);
        Ok(())
    }
}

struct Elements<'a> {
    rest: &'a [u8],
    header: u8,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                // Padding between elements.
                self.rest = rest;
                continue;
            }
            let (id, length, rest) = if self.header == 1 {
                // Id 15 stops the reading (section 4.2).
                if first >> 4 == 15 {
                    self.rest = &[];
                    return None;
                }
                (first >> 4, usize::from(first & 0x0f) + 1, rest)
            } else {
                let (&length, rest) = rest.split_first()?;
                (first, usize::from(length), rest)
            };
            let Some((value, rest)) = rest.split_at_checked(length) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            if id != 0 {
                return Some((id, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(profile: u16, data: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let extension = Extension { profile, data };
        let elements = extension.elements();
        elements.map(|(id, value)| (id, value.to_vec())).collect()
    }

    #[test]
    fn both_forms_there_and_back() {
        type Elements<'a> = &'a [(u8, &'a [u8])];
        let cases: [(Elements<'_>, &[u8]); 3] = [
            (&[(1, &[7])], &[0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]),
            (&[(15, &[7])], &[0x10, 0, 0, 1, 15, 1, 7, 0]),
            (&[(2, &[])], &[0x10, 0, 0, 1, 2, 0, 0, 0]),
        ];
        for (elements, bytes) in cases {
            let mut out = Vec::new();
            Extension::write(elements, &mut out).unwrap();
            assert_eq!(out, bytes);
            let (extension, rest) = Extension::parse(bytes).unwrap();
            assert_eq!(extension.elements().collect::<Vec<_>>(), elements);
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn padding_stop_and_cut() {
        assert_eq!(read(ONE_BYTE, &[0, 0x10, 1, 0]), [(1, vec![1])]);
        assert_eq!(read(ONE_BYTE, &[0xf0, 1, 0x10, 1]), []);
        assert_eq!(read(ONE_BYTE, &[0x1f, 1, 2, 3]), []);
        assert_eq!(
            read(TWO_BYTE | 5, &[9, 0, 3, 1, 4]),
            [(9, vec![]), (3, vec![4])]
        );
        assert_eq!(read(0x1234, &[1, 1, 1, 1]), []);
    }

    #[test]
    fn what_cannot_be_written() {
        let mut out = Vec::new();
        assert_eq!(
            Extension::write(&[(0, &[1])], &mut out),
            Err(ExtensionError::Id)
        );
        let long = Extension::write(&[(1, &[0; 256])], &mut out);
        assert_eq!(long, Err(ExtensionError::TooLong(256)));
    }
}
