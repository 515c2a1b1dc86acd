//! From payloads to frames.

use super::START;
use crate::payload::units::{Format, Place, Units, Whole};
use crate::payload::{Input, PayloadError};
use bytes::Bytes;
use media::Codec;
use media::codec::vp8::{Config, Picture};

/// Gives the frames of payloads. The codec is known with the first key frame.
pub type Depacketizer = Units<Frames>;

/// How frames of VP8 are cut.
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
            codec: Config::from_key_frame(unit).ok().map(Codec::Vp8),
            payload: Bytes::copy_from_slice(unit),
            random_access: picture.start().is_some(),
            disposable: picture.disposable,
        }))
    }
}

/// Takes the descriptor (section 4.2) off a payload.
fn read(payload: &[u8]) -> Option<(Place, &[u8])> {
    let (first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (extensions, after) = rest.split_first()?;
        rest = after;
        // PictureID of one or two bytes, TL0PICIDX, and a byte of TID and KEYIDX.
        if extensions & 0x80 != 0 {
            let length = if rest.first()? & 0x80 != 0 { 2 } else { 1 };
            rest = rest.get(length..)?;
        }
        let others = usize::from(extensions & 0x40 != 0) + usize::from(extensions & 0x30 != 0);
        rest = rest.get(others..)?;
    }
    let begins = first & START != 0 && first & 0x0f == 0;
    let place = if begins { Place::First } else { Place::Later };
    Some((place, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_all_lengths() {
        let cases: [(&[u8], Place); 6] = [
            (&[0x10, 7], Place::First),
            (&[0x00, 7], Place::Later),
            // The second partition.
            (&[0x11, 7], Place::Later),
            (&[0x90, 0x80, 0x12, 7], Place::First),
            (&[0x90, 0xe0, 0x92, 0x34, 1, 2, 7], Place::First),
            (&[0x80, 0x50, 1, 2, 7], Place::Later),
        ];
        for (payload, place) in cases {
            assert_eq!(read(payload), Some((place, &[7][..])), "{payload:x?}");
        }
        for cut in 0..6 {
            assert_eq!(read(&[0x90, 0xf0, 0x92, 0x34, 1, 2][..cut]), None);
        }
    }
}
