//! A transport stream of one program with one track of H.264, written apart from the server's multiplexer.

use crate::media;

pub(crate) const PMT_PID: u16 = 0x1000;
pub(crate) const VIDEO_PID: u16 = 0x100;

/// Ticks of 90 kHz between pictures.
const TICKS: u64 = 3_600;

/// What is written next.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) time: u64,
    number: u8,
    counters: [u8; 3],
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            time: 900_000,
            number: 0,
            counters: [0; 3],
        }
    }
}

impl Stream {
    /// Tables and a picture.
    pub(crate) fn picture(&mut self) -> Vec<[u8; 188]> {
        let mut packets = self.tables();
        packets.extend(self.pes(&media::byte_stream(self.number % 16), true));
        self.number = self.number.wrapping_add(1);
        self.time += TICKS;
        packets
    }

    /// Program association and program map (clauses 2.4.4.3 and 2.4.4.8).
    pub(crate) fn tables(&mut self) -> Vec<[u8; 188]> {
        let association = section(
            0,
            &[
                0,
                1,
                0xc1,
                0,
                0,
                0,
                1,
                0xe0 | (PMT_PID >> 8) as u8,
                PMT_PID as u8,
            ],
        );
        let [high, low] = VIDEO_PID.to_be_bytes();
        let map = section(
            2,
            &[
                0,
                1,
                0xc1,
                0,
                0,
                0xe0 | high,
                low,
                0xf0,
                0,
                0x1b,
                0xe0 | high,
                low,
                0xf0,
                0,
            ],
        );
        vec![self.table(0, 0, &association), self.table(1, PMT_PID, &map)]
    }

    /// A packet with a section that fits into it.
    pub(crate) fn table(&mut self, counter: usize, pid: u16, section: &[u8]) -> [u8; 188] {
        let mut packet = [0xff; 188];
        packet[..4].copy_from_slice(&self.head(counter, pid, true, 1));
        packet[4] = 0;
        let end = (5 + section.len()).min(188);
        packet[5..end].copy_from_slice(&section[..end - 5]);
        packet
    }

    /// An access unit in a PES packet without a length (clause 2.4.3.7), with a clock in front when wanted.
    pub(crate) fn pes(&mut self, unit: &[u8], clock: bool) -> Vec<[u8; 188]> {
        let mut bytes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5];
        bytes.extend_from_slice(&timestamp(0x20, self.time + 36_000));
        bytes.extend_from_slice(unit);
        let mut packets = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let first = packets.is_empty();
            let mut field = if first && clock {
                self.clock()
            } else {
                Vec::new()
            };
            // What is left over is filled up in the adaptation field.
            let room = 184 - if field.is_empty() { 0 } else { field.len() + 1 };
            let (now, later) = rest.split_at(rest.len().min(room));
            let fill = room - now.len();
            let has_field = !field.is_empty() || fill > 0;
            if fill > 0 && field.is_empty() && fill > 1 {
                field.push(0);
                field.resize(fill - 1, 0xff);
            } else if !field.is_empty() {
                field.resize(field.len() + fill, 0xff);
            }
            let head = self.head(2, VIDEO_PID, first, if has_field { 3 } else { 1 });
            let mut packet = head.to_vec();
            if has_field {
                packet.push(field.len() as u8);
                packet.extend_from_slice(&field);
            }
            packet.extend_from_slice(now);
            packets.extend(<[u8; 188]>::try_from(packet));
            rest = later;
        }
        packets
    }

    /// Flags and the program clock reference (clause 2.4.3.4).
    fn clock(&self) -> Vec<u8> {
        let base = self.time & 0x1_ffff_ffff;
        let mut field = vec![0x50];
        field.extend_from_slice(&((base >> 1) as u32).to_be_bytes());
        field.extend_from_slice(&[((base & 1) << 7) as u8 | 0x7e, 0]);
        field
    }

    /// The header (clause 2.4.3.2).
    fn head(&mut self, counter: usize, pid: u16, start: bool, control: u8) -> [u8; 4] {
        let count = self.counters[counter];
        self.counters[counter] = (count + 1) & 15;
        let [high, low] = pid.to_be_bytes();
        [
            0x47,
            if start { 0x40 } else { 0 } | high,
            low,
            control << 4 | count,
        ]
    }
}

/// A section with its length and checksum (clause 2.4.4.11).
pub(crate) fn section(table: u8, body: &[u8]) -> Vec<u8> {
    let length = ((body.len() + 4) as u16).to_be_bytes();
    let mut section = vec![table, 0xb0 | length[0], length[1]];
    section.extend_from_slice(body);
    section.extend_from_slice(&crc(&section).to_be_bytes());
    section
}

fn timestamp(marker: u8, time: u64) -> [u8; 5] {
    let time = time & 0x1_ffff_ffff;
    [
        marker | ((time >> 29) as u8 & 0x0e) | 1,
        (time >> 22) as u8,
        (time >> 14) as u8 | 1,
        (time >> 7) as u8,
        ((time << 1) as u8) | 1,
    ]
}

/// CRC-32 of annex A.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            sum = if sum >> 31 == 1 {
                (sum << 1) ^ 0x04c1_1db7
            } else {
                sum << 1
            };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_check_themselves() {
        // Over a section with its checksum, the checksum is 0.
        assert_eq!(crc(&section(2, &[1, 2, 3])), 0);
    }

    #[test]
    fn pictures_are_whole_packets() {
        let mut stream = Stream::default();
        for length in (1..400).chain([20_000]) {
            let packets = stream.pes(&vec![7; length], length % 2 == 0);
            let mut payload = Vec::new();
            for packet in &packets {
                assert_eq!(packet[0], 0x47);
                let skip = if packet[3] & 0x20 == 0 {
                    4
                } else {
                    5 + usize::from(packet[4])
                };
                payload.extend_from_slice(&packet[skip..]);
            }
            assert_eq!(payload.len(), 14 + length);
            assert!(payload.ends_with(&[7]));
        }
    }
}
