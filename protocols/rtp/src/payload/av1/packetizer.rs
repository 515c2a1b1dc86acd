//! From temporal units to payloads.

use super::flag;
use crate::Payloads;
use crate::payload::Writer;
use bytes::BufMut;
use media::codec::av1::{Obu, ObuError, leb128, obu_type, obus};

/// Smallest limit of a payload that is kept to; smaller ones count as this.
const MIN_PAYLOAD: usize = 64;

/// Most elements whose number fits into the aggregation header, so that the last needs no length.
const MAX_ELEMENTS: usize = 3;

/// Cuts a temporal unit into payloads of at most `max_payload` bytes. They are filled, so that all but the last are
/// mostly of one size; OBUs of different layers do not share one.
///
/// # Errors
/// When an OBU cannot be read.
pub fn packetize(unit: &[u8], max_payload: usize) -> Result<Payloads, ObuError> {
    let max_payload = max_payload.max(MIN_PAYLOAD);
    let mut filler = Filler {
        writer: Writer::with_capacity(unit.len() + 64, unit.len() / max_payload + 4),
        max_payload,
        elements: Vec::new(),
        filled: 1,
        flags: 0,
    };
    let mut layer = None;
    for obu in obus(unit) {
        let obu = obu?;
        let is_left_out = matches!(
            obu.kind,
            obu_type::TEMPORAL_DELIMITER | obu_type::TILE_LIST | obu_type::PADDING
        );
        if is_left_out {
            continue;
        }
        let header = obu.whole.first().copied().unwrap_or_default();
        if header & HAS_EXTENSION != 0 {
            let this = (obu.temporal_id, obu.spatial_id);
            if layer.is_some_and(|layer| layer != this) {
                filler.flush(false);
            }
            layer = Some(this);
        }
        filler.put(&obu, header);
    }
    filler.flush(false);
    Ok(filler.writer.finish())
}

/// `obu_extension_flag` and `obu_has_size_field` of an OBU header.
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

/// Fills payloads with elements.
struct Filler<'a> {
    writer: Writer,
    max_payload: usize,
    /// What is in the payload, each a header, of which there is none in a later fragment, and what follows it.
    elements: Vec<(Head, &'a [u8])>,
    /// Bytes in it, with lengths before all elements but the last.
    filled: usize,
    flags: u8,
}

/// The header of an OBU: up to two bytes.
#[derive(Clone, Copy)]
struct Head {
    bytes: [u8; 2],
    length: usize,
}

impl Head {
    const NONE: Self = Self {
        bytes: [0; 2],
        length: 0,
    };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<'a> Filler<'a> {
    fn put(&mut self, obu: &Obu<'a>, header: u8) {
        if obu.kind == obu_type::SEQUENCE_HEADER && self.writer.is_empty() {
            self.flags |= flag::NEW_SEQUENCE;
        }
        let extension = obu.temporal_id << 5 | obu.spatial_id << 3;
        let mut head = Head {
            bytes: [header & !HAS_SIZE, extension],
            length: if header & HAS_EXTENSION != 0 { 2 } else { 1 },
        };
        let mut rest = obu.payload;
        loop {
            // The element before needs a length now.
            let last = self.elements.last();
            let before = last.map_or(0, |(head, part)| {
                leb128::length(len(head.length + part.len()))
            });
            let room = self.max_payload.saturating_sub(self.filled + before);
            // No element is begun for less than its header and a byte.
            if self.elements.len() == MAX_ELEMENTS || room < head.length + 1 {
                self.flush(false);
                continue;
            }
            let (part, after) = rest.split_at(rest.len().min(room - head.length));
            self.elements.push((head, part));
            self.filled += before + head.length + part.len();
            if after.is_empty() {
                return;
            }
            self.flush(true);
            (head, rest) = (Head::NONE, after);
        }
    }

    /// Ends the payload; its last element goes on in the next one if `to_be_continued`.
    fn flush(&mut self, to_be_continued: bool) {
        if self.elements.is_empty() {
            return;
        }
        // Between 1 and 3.
        let count = self.elements.len() as u8;
        let going_on = if to_be_continued {
            flag::TO_BE_CONTINUED
        } else {
            0
        };
        let mut payload = Vec::with_capacity(self.filled);
        payload.push(self.flags | going_on | count << 4);
        let mut elements = self.elements.drain(..).peekable();
        while let Some((head, part)) = elements.next() {
            if elements.peek().is_some() {
                leb128::write(&mut payload, len(head.length + part.len()));
            }
            payload.put_slice(head.bytes());
            payload.put_slice(part);
        }
        drop(elements);
        self.writer.put(&[&payload]);
        self.filled = 1;
        self.flags = if to_be_continued { flag::CONTINUES } else { 0 };
    }
}

/// A length within a payload, which has far fewer than 2^32 bytes.
fn len(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_left_out_and_payloads_filled() {
        // Temporal delimiter, sequence header, frame.
        let mut unit = vec![0x12, 0, 0x0a, 2, 1, 2, 0x32, 100];
        unit.extend([7; 100]);
        let payloads = packetize(&unit, 64).unwrap();
        let sizes: Vec<_> = payloads.iter().map(<[u8]>::len).collect();
        assert_eq!(sizes, [64, 43]);
        let first = payloads.get(0).unwrap();
        assert_eq!(first[..6], [0x68, 3, 0x08, 1, 2, 0x30]);
        assert_eq!(payloads.get(1).unwrap()[..2], [0x90, 7]);
        let whole = packetize(&unit, 1_200).unwrap();
        assert_eq!(whole.len(), 1);
        assert_eq!(whole.get(0).unwrap()[..5], [0x28, 3, 0x08, 1, 2]);
        assert!(packetize(&[0x32, 9, 1], 1_200).is_err());
    }

    #[test]
    fn layers_do_not_share_a_payload() {
        let unit = [0x36, 0x00, 1, 1, 0x36, 0x08, 1, 2, 0x36, 0x08, 1, 3];
        let payloads = packetize(&unit, 1_200).unwrap();
        let payloads: Vec<_> = payloads.iter().collect();
        let second = &[0x20, 3, 0x34, 0x08, 2, 0x34, 0x08, 3][..];
        assert_eq!(payloads, [&[0x10, 0x34, 0x00, 1][..], second]);
    }
}
