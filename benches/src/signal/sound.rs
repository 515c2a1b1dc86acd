//! The sound: real AAC, so that a server that bridges it to another codec has the work it would have.

use super::Stamp;

/// 47 frames of pink noise and tones in stereo, AAC-LC at 48 kHz, behind ADTS headers.
static SOUND: &[u8] = include_bytes!("sound.aac");

/// Length of an ADTS header without a checksum.
const HEADER: usize = 7;

/// The frame of this number, which begins again after the last, with a stamp before it.
pub(super) fn frame(number: u64, stamp: &Stamp) -> Vec<u8> {
    let mut text = Vec::new();
    stamp.write(&mut text);
    // A data stream element, which decoders pass over: id 4, tag 0, aligned, and its length.
    let mut frame = vec![0x81, text.len() as u8];
    frame.extend_from_slice(&text);
    let count = frames().count().max(1);
    let nth = number as usize % count;
    frame.extend_from_slice(frames().nth(nth).unwrap_or_default());
    frame
}

/// The raw data blocks, one after the other.
fn frames() -> impl Iterator<Item = &'static [u8]> {
    let mut rest = SOUND;
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<HEADER>()?;
        let [.., l0, l1, l2, _] = *header;
        let length = usize::from(l0 & 3) << 11 | usize::from(l1) << 3 | usize::from(l2 >> 5);
        let (frame, after) = rest.split_at_checked(length)?;
        rest = after;
        frame.get(HEADER..)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Unit;

    #[test]
    fn the_sound_is_a_second_long_and_its_stamps_are_found() {
        assert_eq!(frames().count(), 47);
        assert_eq!(
            frames().map(<[u8]>::len).sum::<usize>(),
            SOUND.len() - 47 * HEADER
        );
        for number in [0, 46, 47, 100_000] {
            let stamp = Stamp {
                unit: Unit::Audio,
                number,
                sent: 5,
            };
            let frame = frame(number, &stamp);
            let (found, end) = Stamp::find(&frame).unwrap();
            assert_eq!(found, stamp);
            assert_eq!(frame[1] as usize, end - 2);
            // A channel pair element follows: id 1.
            assert_eq!(frame[end] >> 5, 1);
        }
    }
}
