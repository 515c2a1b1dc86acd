//! JPEG, as Motion JPEG carries it: the size of the picture (ITU-T T.81 annex B).

/// What is alike in all pictures of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Width in samples, not 0.
    pub width: u16,
    /// Height in lines, not 0.
    pub height: u16,
}

impl Config {
    /// That of the stream which this image belongs to; `None` where [`size`] finds none.
    pub fn of(image: &[u8]) -> Option<Self> {
        size(image).map(|(width, height)| Self { width, height })
    }
}

/// Marker segments that are looked through for the frame header. Real images have five to fifteen.
const MAX_SEGMENTS: usize = 256;

/// Markers, table B.1.
mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const SOF2: u8 = 0xc2;
    pub(super) const SOF3: u8 = 0xc3;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const JPG: u8 = 0xc8;
    pub(super) const DAC: u8 = 0xcc;
    pub(super) const SOF15: u8 = 0xcf;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
}

/// Width and height by the frame header (clause B.2.2) of a baseline, extended sequential or progressive image
/// of Huffman coding. `None` for what is no such image, or leaves its height to a later segment.
pub fn size(image: &[u8]) -> Option<(u16, u16)> {
    let mut rest = image.strip_prefix(&[0xff, marker::SOI])?;
    for _ in 0..MAX_SEGMENTS {
        rest = rest.strip_prefix(&[0xff])?;
        // Fill bytes may be in front of any marker (clause B.1.1.2).
        while let Some(after) = rest.strip_prefix(&[0xff]) {
            rest = after;
        }
        let (marker, after) = rest.split_first()?;
        let (length, _) = after.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let segment = after.get(2..length)?;
        match *marker {
            marker::SOF0..=marker::SOF2 => {
                let [_precision, y1, y2, x1, x2, ..] = *segment else {
                    return None;
                };
                let (width, height) = (u16::from_be_bytes([x1, x2]), u16::from_be_bytes([y1, y2]));
                return (width > 0 && height > 0).then_some((width, height));
            }
            marker::DHT | marker::JPG | marker::DAC => {}
            // Lossless, hierarchical and arithmetic coding; then what has no segment, and what comes behind
            // the frame header.
            marker::SOF3..=marker::SOF15 | 0xd0..=marker::SOS | 0x00 | 0x01 => return None,
            _ => {}
        }
        rest = after.get(length..)?;
    }
    None
}

/// Whether these bytes are an image from its first marker to its last (clause B.2.1). Zeros behind it, as some
/// cameras pad with, are allowed.
pub fn is_whole(image: &[u8]) -> bool {
    let end = image.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    image.starts_with(&[0xff, marker::SOI])
        && image
            .get(..=end)
            .is_some_and(|image| image.len() >= 4 && image.ends_with(&[0xff, marker::EOI]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of what ffmpeg writes for 64x48, its tables shortened to their first bytes, and the end.
    const IMAGE: &[u8] = &[
        0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, b'J', b'F', b'I', b'F', 0, 1, 2, 0, 0, 1, 0, 1, 0, 0,
        0xff, 0xfe, 0x00, 0x06, b'L', b'a', b'v', b'c', 0xff, 0xdb, 0x00, 0x05, 0, 8, 6, 0xff,
        0xc4, 0x00, 0x04, 0, 0, 0xff, 0xc0, 0x00, 0x11, 8, 0x00, 0x30, 0x00, 0x40, 3, 1, 0x22, 0,
        2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0x00, 0x0c, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 0x3f, 0,
        0x9a, 0xff, 0x00, 0xff, 0xd9,
    ];
    /// Where the frame header's marker is, and where its segment ends.
    const SOF: usize = 41;
    const SOF_END: usize = SOF + 19;

    fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut image = IMAGE.to_vec();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        image
    }

    #[test]
    fn the_frame_header_has_the_size() {
        assert_eq!(size(IMAGE), Some((64, 48)));
        let (width, height) = (64, 48);
        assert_eq!(Config::of(IMAGE), Some(Config { width, height }));
        for (marker, found) in [(0xc1, true), (0xc2, true), (0xc3, false), (0xc9, false)] {
            assert_eq!(size(&patched(SOF + 1, &[marker])).is_some(), found);
        }
        // Fill bytes.
        let filled = [&IMAGE[..SOF], &[0xff; 3], &IMAGE[SOF..]].concat();
        assert_eq!(size(&filled), Some((64, 48)));
    }

    #[test]
    fn images_without_a_size_are_refused() {
        for length in 0..SOF_END {
            assert_eq!(size(&IMAGE[..length]), None, "{length}");
        }
        assert_eq!(size(&IMAGE[..SOF_END]), Some((64, 48)));
        // No lines yet, no width, a frame header that is too short, a scan without one, no marker.
        for (at, bytes) in [
            (SOF + 5, &[0, 0][..]),
            (SOF + 7, &[0, 0]),
            (SOF + 2, &[0, 6]),
            (SOF + 2, &[0, 1]),
            (SOF + 1, &[0xda]),
            (SOF, &[0]),
            (1, &[0xd9]),
        ] {
            assert_eq!(size(&patched(at, bytes)), None, "{at}");
        }
    }

    #[test]
    fn the_walk_has_an_end() {
        let comments = |count| {
            let comments = [0xff, 0xfe, 0, 2].repeat(count);
            [&IMAGE[..2], &comments, &IMAGE[SOF..]].concat()
        };
        assert_eq!(size(&comments(MAX_SEGMENTS - 1)), Some((64, 48)));
        assert_eq!(size(&comments(MAX_SEGMENTS)), None);
    }

    #[test]
    fn whole_images_end_with_their_last_marker() {
        assert!(is_whole(IMAGE));
        assert!(is_whole(&[IMAGE, &[0; 7]].concat()));
        assert!(!is_whole(&[IMAGE, &[1]].concat()));
        assert!(!is_whole(&IMAGE[1..]));
        for length in 0..IMAGE.len() {
            assert!(!is_whole(&IMAGE[..length]), "{length}");
        }
        assert!(!is_whole(&[0xff, 0xd8, 0xd9]));
    }
}
