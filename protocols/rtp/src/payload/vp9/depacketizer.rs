//! From payloads to frames.

use super::flag;
use crate::payload::units::{Format, Place, Units, Whole};
use crate::payload::{Input, PayloadError};
use bytes::Bytes;
use media::Codec;
use media::codec::vp9::{Config, Picture};

/// Gives the frames of payloads, those of all layers of a picture together. The codec is known with the first key
/// frame.
pub type Depacketizer = Units<Frames>;

/// How frames of VP9 are cut.
#[derive(Debug, Default)]
pub struct Frames;

impl Format for Frames {
    fn take(&mut self, input: &Input<'_>, unit: &mut Vec<u8>) -> Result<Place, PayloadError> {
        let (place, part) =
            read(input.payload).ok_or(PayloadError::Truncated(input.payload.len()))?;
        unit.extend_from_slice(part);
        Ok(place)
    }

    fn finish(&mut self, unit: &[u8]) -> Result<Option<Whole>, PayloadError> {
        let picture = Picture::inspect(unit);
        Ok(picture.has_frame.then(|| Whole {
            codec: Config::from_key_frame(unit).ok().map(Codec::Vp9),
            payload: Bytes::copy_from_slice(unit),
            random_access: picture.start().is_some(),
            disposable: picture.disposable,
        }))
    }
}

/// Takes the descriptor (section 4.2) off a payload.
fn read(payload: &[u8]) -> Option<(Place, &[u8])> {
    let (first, mut rest) = payload.split_first()?;
    let has = |flag| first & flag != 0;
    let mut spatial = 0;
    if has(flag::PICTURE_ID) {
        let length = if rest.first()? & 0x80 != 0 { 2 } else { 1 };
        rest = rest.get(length..)?;
    }
    if has(flag::LAYERS) {
        let (indices, after) = rest.split_first()?;
        spatial = indices >> 1 & 7;
        // TL0PICIDX, where layers are not flexible.
        rest = after.get(usize::from(!has(flag::FLEXIBLE))..)?;
    }
    if has(flag::FLEXIBLE) && has(flag::INTER_PREDICTED) {
        // Up to three differences, each of which says whether another follows.
        for _ in 0..3 {
            let (difference, after) = rest.split_first()?;
            rest = after;
            if difference & 1 == 0 {
                break;
            }
        }
    }
    if has(flag::SCALABILITY) {
        rest = without_structure(rest)?;
    }
    let begins = has(flag::BEGINS) && spatial == 0;
    let place = if begins { Place::First } else { Place::Later };
    Some((place, rest))
}

/// Passes over the scalability structure (section 4.2.1).
fn without_structure(structure: &[u8]) -> Option<&[u8]> {
    let (first, mut rest) = structure.split_first()?;
    let layers = usize::from(first >> 5) + 1;
    if first & 0x10 != 0 {
        // Width and height of each.
        rest = rest.get(layers * 4..)?;
    }
    if first & 0x08 != 0 {
        let (pictures, after) = rest.split_first()?;
        rest = after;
        for _ in 0..*pictures {
            let (picture, after) = rest.split_first()?;
            rest = after.get(usize::from(picture >> 2 & 3)..)?;
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_all_lengths() {
        let cases: [(&[u8], Place); 8] = [
            (&[0x08, 7], Place::First),
            (&[0x44, 7], Place::Later),
            (&[0x88, 0x12, 7], Place::First),
            (&[0x88, 0x92, 0x34, 7], Place::First),
            // The second layer, and the first of a flexible stream with two references.
            (&[0xa8, 1, 0x02, 9, 7], Place::Later),
            (&[0xf8, 1, 0x00, 3, 4, 7], Place::First),
            // Two layers with their sizes, a group of two pictures of which the second has two references.
            (
                &[0x0a, 0x38, 0, 1, 0, 2, 0, 3, 0, 4, 2, 0, 0x08, 1, 2, 7],
                Place::First,
            ),
            (&[0x0a, 0x00, 7], Place::First),
        ];
        for (payload, place) in cases {
            assert_eq!(read(payload), Some((place, &[7][..])), "{payload:x?}");
        }
        let long = [0x0a, 0x38, 0, 1, 0, 2, 0, 3, 0, 4, 2, 0, 0x08, 1, 2];
        for cut in 0..long.len() {
            assert_eq!(read(&long[..cut]), None);
        }
    }
}
