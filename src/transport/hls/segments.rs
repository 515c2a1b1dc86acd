//! Segments of fragmented MP4: each is read behind the initialisation section that the playlist names for it.

use bytes::Bytes;
use hls::samples::SampleKey;
use media::{AccessUnit, Track, compact};
use mp4::reader::{Reader, Step};

/// What is in segments.
#[derive(Debug)]
pub enum Event {
    /// A track, or another configuration of it.
    Track(Track),
    /// The next access unit.
    Unit(AccessUnit),
}

/// Most access units of a segment: half an hour of pictures and sound.
const MAX_UNITS: usize = 1 << 18;

/// Reads segments, one after the other.
#[derive(Debug, Default)]
pub struct Segments {
    /// The section that holds, and what is known by it.
    open: Option<(Bytes, Reader)>,
}

impl Segments {
    /// Reads a segment, or a part of one, behind the initialisation section `map`.
    ///
    /// # Errors
    /// When there is nothing in it that can be read.
    pub fn push(
        &mut self,
        map: Option<&Bytes>,
        bytes: &Bytes,
        key: Option<&SampleKey>,
        give: &mut impl FnMut(Event),
    ) -> Result<(), String> {
        let Some(map) = map else {
            // Whole in itself, or nothing.
            let mut reader = Reader::new(bytes.len() as u64);
            return read(&mut reader, bytes, give);
        };
        let same = self.open.take().filter(|(known, _)| known == map);
        let (_, reader) = match same {
            Some(open) => self.open.insert(open),
            None => {
                let mut reader = Reader::in_segments(map.len() as u64);
                if let Some(key) = key {
                    reader.set_key(key.secret);
                }
                // What is wrong with it shows in the segments.
                let _ = read(&mut reader, map, give);
                self.open.insert((map.clone(), reader))
            }
        };
        if let Some(key) = key {
            reader.set_key(key.secret);
        }
        reader.next_segment(bytes.len() as u64);
        read(reader, bytes, give)
    }
}

/// Gives what a reader finds. If that is no unit, or more than there can be, what is wrong: tables of a few bytes may call
/// the same bytes a thousand samples.
fn read(reader: &mut Reader, bytes: &Bytes, give: &mut impl FnMut(Event)) -> Result<(), String> {
    let mut fault = None;
    let (mut units, mut length_of_units) = (0usize, 0usize);
    loop {
        match reader.poll() {
            Step::Read { at, length } => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(length).min(bytes.len());
                // Its units may be kept for minutes, and are not to keep the segment.
                reader.supply(compact(bytes.slice(start..end), bytes.len()));
            }
            Step::Track(track) => give(Event::Track(track)),
            Step::Unit(unit) => {
                units += 1;
                length_of_units = length_of_units.saturating_add(unit.payload.len());
                if units > MAX_UNITS {
                    return Err(format!("it has more than {MAX_UNITS} access units"));
                }
                // Lengths and sizes that were left out may have been put in.
                if length_of_units > bytes.len().saturating_mul(2) {
                    return Err("its samples lie over each other".to_owned());
                }
                give(Event::Unit(unit));
            }
            Step::Fault(found) => fault = fault.or(Some(found)),
            Step::End => break,
        }
    }
    match fault {
        Some(fault) if units == 0 => Err(fault.to_string()),
        _ => Ok(()),
    }
}

/// Whether a box of ISO/IEC 14496-12 begins here that segments begin with.
pub(super) fn is_box(bytes: &[u8]) -> bool {
    const KINDS: [&[u8; 4]; 8] = [
        b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft", b"free",
    ];
    bytes
        .get(4..8)
        .is_some_and(|kind| KINDS.iter().any(|known| known[..] == *kind))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use media::codec::aac;
    use media::{Codec, Timebase, TrackId};
    use mp4::fragment::{Run, Sample, write};

    /// An initialisation section, and a segment of some kilobytes whose tables make a hundred samples of one.
    pub(crate) fn overlapping() -> [Bytes; 2] {
        let config = aac::Config::low_complexity(48_000, 2).unwrap();
        let track = Track {
            id: TrackId(1),
            codec: Codec::Aac(config),
            timebase: Timebase::new(48_000).unwrap(),
        };
        const LENGTH: usize = 4_000;
        let sample = Sample {
            duration: 1_024,
            composition_offset: 0,
            random_access: true,
            disposable: false,
            payload: Bytes::from_static(&[7; LENGTH]),
        };
        let mut segment = Vec::new();
        let mut data = Vec::new();
        let fragments = 100;
        for number in 0..fragments {
            let run = Run {
                track: &track,
                base_decode_time: number * 1_024,
                samples: std::slice::from_ref(&sample),
            };
            let fragment = write(1, &[run]).to_vec();
            let (tables, found) = fragment.split_at(fragment.len() - LENGTH - 8);
            data = found.to_vec();
            let at = segment.len();
            segment.extend_from_slice(tables);
            // Behind size, name, flags and count stands where the sample is, seen from the fragment.
            let place = at + tables.windows(4).position(|name| name == b"trun").unwrap() + 12;
            let left = fragments as usize * tables.len() - at + 8;
            segment[place..place + 4].copy_from_slice(&(left as u32).to_be_bytes());
        }
        segment.extend_from_slice(&data);
        [mp4::init::write(&[track]).unwrap(), segment.into()]
    }

    #[test]
    fn samples_that_lie_over_each_other_end_a_segment() {
        let [init, segment] = overlapping();
        let mut units = 0;
        let mut length = 0;
        let pushed = Segments::default().push(Some(&init), &segment, None, &mut |event| {
            if let Event::Unit(unit) = event {
                units += 1;
                length += unit.payload.len();
                assert_eq!(unit.payload.len(), 4_000);
                assert!(!segment.as_ptr_range().contains(&unit.payload.as_ptr()));
            }
        });
        assert_eq!(pushed, Err("its samples lie over each other".to_owned()));
        assert!(units > 1 && length <= 2 * segment.len());
    }
}
