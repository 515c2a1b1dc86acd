//! Writing packets: PES packets cut into them, sections, and clocks.

use crate::packet::{HEADER, MAX_PAYLOAD, SIZE, SYNC, clock_reference};

/// Flags of an adaptation field.
const DISCONTINUITY: u8 = 0x80;
const RANDOM_ACCESS: u8 = 0x40;
const CLOCK: u8 = 0x10;

/// Where packets of a PID stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pid {
    pub(super) number: u16,
    /// The counter of the next packet with a payload.
    continuity: u8,
}

impl Pid {
    pub(super) const fn new(number: u16) -> Self {
        Self {
            number,
            continuity: 0,
        }
    }

    /// The header of a packet without or with an adaptation field and a payload.
    fn header(&mut self, unit_start: bool, adaptation: bool, payload: bool) -> [u8; HEADER] {
        let [high, low] = (self.number & 0x1fff).to_be_bytes();
        let counter = if payload {
            let counter = self.continuity;
            self.continuity = (counter + 1) & 0x0f;
            counter
        } else {
            // That of the packet before.
            self.continuity.wrapping_sub(1) & 0x0f
        };
        let start = if unit_start { 0x40 } else { 0 };
        let control = if adaptation { 0x20 } else { 0 } | if payload { 0x10 } else { 0 };
        [SYNC, start | high, low, control | counter]
    }
}

/// What the adaptation field of a packet is to say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Field {
    pub(super) discontinuity: bool,
    pub(super) random_access: bool,
    /// Ticks of 90 kHz.
    pub(super) clock: Option<i64>,
}

impl Field {
    /// Bytes that it takes at least, its length included.
    const fn size(&self) -> usize {
        match self {
            Self { clock: Some(_), .. } => 8,
            Self {
                random_access: false,
                discontinuity: false,
                ..
            } => 0,
            _ => 2,
        }
    }

    /// Writes it with `size` bytes, which are at least as many as it takes.
    fn put(&self, out: &mut Vec<u8>, size: usize) {
        let Some(length) = size.checked_sub(1) else {
            return;
        };
        let end = out.len().saturating_add(size);
        out.push(length as u8);
        if length > 0 {
            let flag = |set: bool, flag: u8| if set { flag } else { 0 };
            out.push(
                flag(self.discontinuity, DISCONTINUITY)
                    | flag(self.random_access, RANDOM_ACCESS)
                    | flag(self.clock.is_some(), CLOCK),
            );
        }
        if let Some(ticks) = self.clock {
            let base = ticks.rem_euclid(1 << 33) as u64;
            out.extend_from_slice(&clock_reference(base * 300));
        }
        out.resize(end, 0xff);
    }
}

/// A PES packet in the making: its header with what stands in front of the payload, and the payload.
#[derive(Debug)]
pub(super) struct Pes<'a> {
    head: &'a [u8],
    body: &'a [u8],
    /// Bytes of the body that have been written.
    written: usize,
    /// Where the next length of a NAL unit stands in the body, which becomes a start code of as many bytes.
    length_at: Option<usize>,
    field: Field,
    begun: bool,
}

impl<'a> Pes<'a> {
    /// With NAL units behind 4-byte lengths, or without, as payload. The adaptation field is that of the first
    /// packet.
    pub(super) const fn new(
        head: &'a [u8],
        body: &'a [u8],
        has_lengths: bool,
        field: Field,
    ) -> Self {
        Self {
            head,
            body,
            written: 0,
            length_at: if has_lengths { Some(0) } else { None },
            field,
            begun: false,
        }
    }

    /// Packets that are to be written.
    pub(super) fn packets(&self) -> usize {
        let left = self.head.len() + self.body.len().saturating_sub(self.written);
        (left + self.field.size()).div_ceil(MAX_PAYLOAD)
    }

    /// Writes the next packet; says whether there was one.
    pub(super) fn next(&mut self, pid: &mut Pid, out: &mut Vec<u8>) -> bool {
        let rest = self.body.get(self.written..).unwrap_or_default();
        let left = self.head.len() + rest.len();
        if left == 0 {
            return false;
        }
        let field = std::mem::take(&mut self.field);
        let size = field.size().max(MAX_PAYLOAD.saturating_sub(left));
        let start = !std::mem::replace(&mut self.begun, true);
        out.extend_from_slice(&pid.header(start, size > 0, true));
        field.put(out, size);
        let room = MAX_PAYLOAD.saturating_sub(size);
        let (head, behind) = self.head.split_at_checked(room).unwrap_or((self.head, &[]));
        self.head = behind;
        out.extend_from_slice(head);
        let room = room.saturating_sub(head.len());
        let piece = rest.get(..room).unwrap_or(rest);
        out.extend_from_slice(piece);
        self.put_start_codes(piece.len(), out);
        self.written += piece.len();
        true
    }

    /// Writes start codes over the lengths in the piece of the body that stands at the end.
    fn put_start_codes(&mut self, piece: usize, out: &mut [u8]) {
        let begin = out.len().saturating_sub(piece);
        let end = self.written + piece;
        while let Some(at) = self.length_at.filter(|at| *at < end) {
            for (number, byte) in [0, 0, 0, 1].into_iter().enumerate() {
                let place = (at + number).checked_sub(self.written);
                let place = place.and_then(|place| out.get_mut(begin + place));
                if let Some(place) = place {
                    *place = byte;
                }
            }
            if at + 4 > end {
                return;
            }
            let length = self.body.get(at..).and_then(|rest| rest.first_chunk::<4>());
            self.length_at = length.map(|length| {
                let length = u32::from_be_bytes(*length) as usize;
                (at + 4).saturating_add(length)
            });
        }
    }
}

/// Writes a packet with a clock alone.
pub(super) fn put_clock(pid: &mut Pid, field: Field, out: &mut Vec<u8>) {
    out.extend_from_slice(&pid.header(false, true, false));
    field.put(out, MAX_PAYLOAD);
}

/// Writes a section in packets of its own.
pub(super) fn put_section(pid: &mut Pid, section: &[u8], out: &mut Vec<u8>) {
    let mut rest = section;
    let mut start = true;
    while start || !rest.is_empty() {
        let end = out.len().saturating_add(SIZE);
        out.extend_from_slice(&pid.header(start, false, true));
        if start {
            // The section begins right behind its pointer.
            out.push(0);
        }
        let room = MAX_PAYLOAD - usize::from(start);
        let (piece, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        out.extend_from_slice(piece);
        out.resize(end, 0xff);
        rest = behind;
        start = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn pes_packets_of_every_length_fill_their_packets() {
        let field = Field {
            discontinuity: true,
            random_access: true,
            clock: Some(-1),
        };
        for field in [Field::default(), field] {
            for length in 0..600 {
                let (head, body) = ([1; 14], vec![2; length]);
                let mut pid = Pid::new(0x100);
                let mut pes = Pes::new(&head, &body, false, field);
                let count = pes.packets();
                let mut out = Vec::new();
                while pes.next(&mut pid, &mut out) {}
                assert_eq!(out.len(), count * SIZE, "{length}");
                let mut payload = Vec::new();
                for (number, packet) in out.as_chunks::<SIZE>().0.iter().enumerate() {
                    let packet = Packet::parse(packet).unwrap();
                    assert_eq!(packet.unit_start, number == 0);
                    assert_eq!(usize::from(packet.continuity), number);
                    let first = number == 0 && field.random_access;
                    assert_eq!(packet.adaptation.random_access, first);
                    let clock = first.then_some(((1 << 33) - 1) * 300);
                    assert_eq!(packet.adaptation.clock, clock);
                    payload.extend_from_slice(packet.payload.unwrap());
                }
                assert_eq!(payload, [&head[..], &body].concat(), "{length}");
            }
        }
    }

    #[test]
    fn lengths_become_start_codes_wherever_packets_are_cut() {
        for first in 0..400usize {
            let mut body = (first as u32).to_be_bytes().to_vec();
            body.extend(vec![9; first]);
            body.extend([0, 0, 0, 1, 8]);
            let mut pes = Pes::new(&[7; 20], &body, true, Field::default());
            let mut out = Vec::new();
            while pes.next(&mut Pid::new(5), &mut out) {}
            let packets = out.as_chunks::<SIZE>().0.iter();
            let payload: Vec<u8> = packets
                .flat_map(|packet| Packet::parse(packet).unwrap().payload.unwrap().to_vec())
                .collect();
            let mut expected = [&[7; 20][..], &[0, 0, 0, 1]].concat();
            expected.extend(vec![9; first]);
            expected.extend([0, 0, 0, 1, 8]);
            assert_eq!(payload, expected, "{first}");
        }
    }

    #[test]
    fn long_sections_and_clocks() {
        let mut pid = Pid::new(0);
        let mut out = Vec::new();
        put_section(&mut pid, &[3; 183], &mut out);
        put_section(&mut pid, &[3; 184], &mut out);
        put_clock(
            &mut pid,
            Field {
                clock: Some(7),
                ..Field::default()
            },
            &mut out,
        );
        put_section(&mut pid, &[3; 1], &mut out);
        let packets = out.as_chunks::<SIZE>().0;
        let read: Vec<_> = packets
            .iter()
            .map(|packet| Packet::parse(packet).unwrap())
            .collect();
        let counters: Vec<_> = read.iter().map(|packet| packet.continuity).collect();
        assert_eq!(counters, [0, 1, 2, 2, 3]);
        assert_eq!(read[3].payload, None);
        assert_eq!(read[3].adaptation.clock, Some(2_100));
    }
}
