//! Segments of fragmented MP4: each is read behind the initialisation section that the playlist names for it.

use bytes::Bytes;
use hls::samples::SampleKey;
use media::{AccessUnit, Track};
use mp4::reader::{Reader, Step};

/// What is in segments.
#[derive(Debug)]
pub enum Event {
    /// A track, or another configuration of it.
    Track(Track),
    /// The next access unit.
    Unit(AccessUnit),
}

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

/// Gives what a reader finds. If that is no unit, what is wrong.
fn read(reader: &mut Reader, bytes: &Bytes, give: &mut impl FnMut(Event)) -> Result<(), String> {
    let mut fault = None;
    let mut has_units = false;
    loop {
        match reader.poll() {
            Step::Read { at, length } => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(length).min(bytes.len());
                reader.supply(bytes.slice(start..end));
            }
            Step::Track(track) => give(Event::Track(track)),
            Step::Unit(unit) => {
                has_units = true;
                give(Event::Unit(unit));
            }
            Step::Fault(found) => fault = fault.or(Some(found)),
            Step::End => break,
        }
    }
    match fault {
        Some(fault) if !has_units => Err(fault.to_string()),
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
