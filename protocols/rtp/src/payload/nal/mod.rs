//! What H.264 and H.265 over RTP have in common: pictures of NAL units, which are aggregated, fragmented and
//! put together in the same ways.

mod cutter;
mod pictures;

pub(super) use cutter::{Cutter, Framing};
pub(super) use pictures::Pictures;

use super::PayloadError;

/// The NAL units of an aggregate, each behind a length of 2 bytes. Empty ones are left out, and a last byte
/// that is no length.
pub(super) fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], PayloadError>> {
    std::iter::from_fn(move || {
        loop {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((nal, after)) = after.split_at_checked(length) else {
                let room = after.len();
                rest = &[];
                return Some(Err(PayloadError::Length { length, room }));
            };
            rest = after;
            if !nal.is_empty() {
                return Some(Ok(nal));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_end_at_what_is_wrong() {
        let found: Vec<_> = aggregated(&[0, 1, 7, 0, 0, 0, 2, 8, 9, 0]).collect();
        assert_eq!(found, [Ok(&[7][..]), Ok(&[8, 9])]);
        let error = PayloadError::Length { length: 3, room: 1 };
        let found: Vec<_> = aggregated(&[0, 1, 7, 0, 3, 8]).collect();
        assert_eq!(found, [Ok(&[7][..]), Err(error)]);
    }
}
