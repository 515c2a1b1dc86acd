//! NAL units behind 4-byte lengths, the form in which every access unit of H.264 and H.265 travels
//! (ISO/IEC 14496-15 clause 4.3 with `lengthSizeMinusOne` = 3).

use bytes::{BufMut, Bytes, BytesMut};

/// Why a payload is not a sequence of length-prefixed NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("NAL unit length at offset {offset} reaches past the end of the access unit")]
pub struct NalError {
    /// Where the length stands, in bytes from the start of the payload.
    pub offset: usize,
}

/// The NAL units of a payload in order, without their lengths. After an error the iteration ends.
pub fn units(payload: &[u8]) -> impl Iterator<Item = Result<&[u8], NalError>> {
    Units {
        payload,
        offset: 0,
        length_size: 4,
    }
}

/// The payload with `length_size`-byte lengths (1 to 4) as one with 4-byte lengths. Costs nothing when
/// they are 4 bytes already. Empty NAL units, which no decoder wants, are left out otherwise.
pub fn with_four_byte_lengths(payload: Bytes, length_size: u8) -> Result<Bytes, NalError> {
    if length_size == 4 {
        return Ok(payload);
    }
    let units = || Units {
        payload: &payload,
        offset: 0,
        length_size: usize::from(length_size),
    };
    let mut size = 0;
    for unit in units() {
        size += 4 + unit?.len();
    }
    let mut out = BytesMut::with_capacity(size);
    for unit in units() {
        let unit = unit?;
        if !unit.is_empty() {
            out.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
            out.put_slice(unit);
        }
    }
    Ok(out.freeze())
}

/// Takes the emulation prevention bytes out of a NAL unit (ITU-T H.264 clause 7.4.1.1, H.265 clause
/// 7.4.2.1).
pub fn unescape(nal_unit: &[u8]) -> Vec<u8> {
    let mut rbsp = Vec::with_capacity(nal_unit.len());
    let mut zeros = 0;
    for byte in nal_unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(*byte);
    }
    rbsp
}

struct Units<'a> {
    payload: &'a [u8],
    offset: usize,
    length_size: usize,
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<&'a [u8], NalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self
            .payload
            .get(self.offset..)
            .filter(|rest| !rest.is_empty())?;
        let unit = rest
            .split_at_checked(self.length_size)
            .and_then(|(length, rest)| {
                let length = length
                    .iter()
                    .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
                rest.get(..length)
            });
        match unit {
            Some(unit) => {
                self.offset += self.length_size + unit.len();
                Some(Ok(unit))
            }
            None => {
                let offset = self.offset;
                self.offset = self.payload.len();
                Some(Err(NalError { offset }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_and_a_bad_length_ends_the_walk() {
        let payload = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 9, 1];
        let found: Vec<_> = units(&payload).collect();
        assert_eq!(found, [Ok(&[0x65, 1][..]), Err(NalError { offset: 6 })]);
        assert_eq!(
            units(&[0, 0]).collect::<Vec<_>>(),
            [Err(NalError { offset: 0 })]
        );
        assert_eq!(units(&[]).count(), 0);
    }

    #[test]
    fn shorter_lengths_are_widened() {
        let narrow = Bytes::from_static(&[0, 1, 0x65, 0, 0, 0, 2, 0x41, 7]);
        let wide = with_four_byte_lengths(narrow, 2).unwrap();
        assert_eq!(&wide[..], [0, 0, 0, 1, 0x65, 0, 0, 0, 2, 0x41, 7]);
        assert!(with_four_byte_lengths(Bytes::from_static(&[5, 1]), 1).is_err());
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        let escaped = [0, 0, 3, 0, 0, 3, 1, 0, 3, 0, 0, 0, 3];
        assert_eq!(unescape(&escaped), [0, 0, 0, 0, 1, 0, 3, 0, 0, 0]);
    }

    #[test]
    fn four_byte_lengths_are_not_copied() {
        let payload = Bytes::from_static(&[0, 0, 0, 1, 0x65]);
        let same = with_four_byte_lengths(payload.clone(), 4).unwrap();
        assert_eq!(payload.as_ptr(), same.as_ptr());
    }
}
