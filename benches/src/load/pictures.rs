//! Pictures out of RTP packets: one counts when all of its packets have come. So does a frame of sound, in a
//! packet of its own, where the server has not made another codec of it.

use super::viewer::Viewer;
use crate::signal::Stamp;
use rtp::Packet;

/// Payload type of pictures, where readers choose it.
pub(crate) const PICTURES: u8 = 97;
/// Payload type of sound, where readers choose it.
pub(crate) const SOUND: u8 = 111;

/// The packets of one reader.
pub(super) struct Pictures<'a> {
    viewer: Viewer<'a>,
    pictures: Source,
    sound: Source,
    /// Of the picture that has begun.
    stamp: Option<Stamp>,
    /// No packet of it is missing.
    whole: bool,
}

/// Sequence numbers that should come one after the other.
#[derive(Debug, Default)]
struct Source {
    next: Option<u16>,
}

impl Source {
    /// How many are missing before this one; `None` if it comes late.
    fn take(&mut self, sequence: u16) -> Option<u16> {
        let holes = sequence.wrapping_sub(self.next.unwrap_or(sequence));
        if holes > u16::MAX / 2 {
            return None;
        }
        self.next = Some(sequence.wrapping_add(1));
        Some(holes)
    }
}

impl<'a> Pictures<'a> {
    pub(super) fn new(viewer: Viewer<'a>) -> Self {
        Self {
            viewer,
            pictures: Source::default(),
            sound: Source::default(),
            stamp: None,
            whole: true,
        }
    }

    /// Takes a plain packet, and tells by its payload type what is in it.
    pub(super) fn packet(&mut self, datagram: &[u8]) {
        if let Ok(packet) = Packet::parse(datagram) {
            self.parsed(&packet, packet.header.payload_type == SOUND);
        }
    }

    /// Takes a plain packet of pictures or of sound.
    pub(super) fn packet_of(&mut self, sound: bool, datagram: &[u8]) {
        if let Ok(packet) = Packet::parse(datagram) {
            self.parsed(&packet, sound);
        }
    }

    fn parsed(&mut self, packet: &Packet<'_>, sound: bool) {
        let source = if sound {
            &mut self.sound
        } else {
            &mut self.pictures
        };
        let Some(holes) = source.take(packet.header.sequence) else {
            return;
        };
        self.viewer.tally.packet(holes.into(), sound);
        if sound {
            if let Some(stamp) = Viewer::stamp(packet.payload) {
                self.viewer.unit(&stamp);
            }
            return;
        }
        self.whole &= holes == 0;
        if self.stamp.is_none() {
            self.stamp = Viewer::stamp(packet.payload);
        }
        if packet.header.marker {
            let stamp = self.stamp.take();
            if let Some(stamp) = stamp.filter(|_| self.whole) {
                self.viewer.unit(&stamp);
            }
            self.whole = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tally;
    use super::*;
    use crate::signal::{self, Due, Unit};
    use rtp::Header;
    use std::time::Duration;

    fn packets(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for number in numbers {
            let due = Due {
                unit: Unit::RandomAccess,
                number,
                at: Duration::ZERO,
            };
            let unit = signal::payload(&due, signal::Sound::Aac, 1);
            let config = signal::video_config().unwrap();
            let payloads = rtp::payload::h264::packetize(&unit, Some(&config), 1_180).unwrap();
            for (index, payload) in payloads.iter().enumerate() {
                let header = Header {
                    marker: index + 1 == payloads.len(),
                    payload_type: PICTURES,
                    sequence: 65_500u16.wrapping_add(packets.len() as u16),
                    ..Header::default()
                };
                packets.push([&header.bytes()[..], payload].concat());
            }
        }
        packets
    }

    #[test]
    fn a_picture_with_a_hole_is_missing() {
        let packets = packets(0..4);
        let each = packets.len() / 4;
        for lost in each..2 * each {
            let tally = Tally::default();
            let mut pictures = Pictures::new(Viewer::new(&tally));
            for (index, packet) in packets.iter().enumerate() {
                if index != lost {
                    pictures.packet(packet);
                }
            }
            let report = tally.report(1);
            assert_eq!(report.packets, packets.len() as u64 - 1);
            assert_eq!(report.holes, 1);
            // A marker that is lost takes the next picture along.
            let missing = if lost + 1 == 2 * each { 2 } else { 1 };
            assert_eq!(report.missing, missing, "without packet {lost}");
            assert_eq!(report.first_pictures.len(), 1);
        }
    }
}
