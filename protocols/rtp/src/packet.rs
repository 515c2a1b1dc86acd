//! The RTP packet: a fixed header, contributing sources, an extension, the payload and its padding
//! (RFC 3550 section 5.1).

use crate::extension::{Extension, ExtensionError};
use bytes::BufMut;

/// Size of a header without contributing sources and extension, in bytes.
pub const HEADER_LEN: usize = 12;

/// What the fixed header says; version, padding, extension and CSRC count follow from the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The last packet of a picture, or the first after silence.
    pub marker: bool,
    /// Which payload format, from 0 to 127.
    pub payload_type: u8,
    /// Counts packets, wrapping.
    pub sequence: u16,
    /// Sampling instant on the clock of the payload format, wrapping.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
}

/// A received packet, borrowed from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed part.
    pub header: Header,
    /// Contributing sources, 4 bytes each; at most 15.
    pub contributors: &'a [u8],
    /// The header extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It ends inside of its header.
    #[error("RTP packet of {0} bytes ends in its header")]
    Truncated(usize),
    /// Its version is not 2.
    #[error("RTP version {0}, not 2")]
    Version(u8),
    /// The padding is empty or longer than what is left.
    #[error("RTP padding of {padding} bytes in {room}")]
    Padding {
        /// What the last byte says.
        padding: u8,
        /// What is there.
        room: usize,
    },
}

impl Header {
    /// The 12 bytes of a packet without contributing sources, extension and padding.
    pub const fn bytes(&self) -> [u8; HEADER_LEN] {
        let sequence = self.sequence.to_be_bytes();
        let timestamp = self.timestamp.to_be_bytes();
        let ssrc = self.ssrc.to_be_bytes();
        [
            0x80,
            (self.marker as u8) << 7 | self.payload_type & 0x7f,
            sequence[0],
            sequence[1],
            timestamp[0],
            timestamp[1],
            timestamp[2],
            timestamp[3],
            ssrc[0],
            ssrc[1],
            ssrc[2],
            ssrc[3],
        ]
    }

    /// Appends the header with an extension of these elements (RFC 8285); without any, there is none.
    ///
    /// # Errors
    /// When an element cannot be written; nothing is appended then.
    pub fn write(&self, elements: &[(u8, &[u8])], out: &mut Vec<u8>) -> Result<(), ExtensionError> {
        let at = out.len();
        out.put_slice(&self.bytes());
        if elements.is_empty() {
            return Ok(());
        }
        if let Some(first) = out.get_mut(at) {
            *first |= 0x10;
        }
        Extension::write(elements, out).inspect_err(|_| out.truncate(at))
    }
}

impl<'a> Packet<'a> {
    /// Reads a whole datagram.
    ///
    /// # Errors
    /// A [`PacketError`] that says what is wrong with it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let truncated = PacketError::Truncated(datagram.len());
        let (fixed, rest) = datagram
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(truncated)?;
        let [bits, kind, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
        if bits >> 6 != 2 {
            return Err(PacketError::Version(bits >> 6));
        }
        let header = Header {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
        };
        let contributors = usize::from(bits & 0x0f) * 4;
        let (contributors, mut rest) = rest.split_at_checked(contributors).ok_or(truncated)?;
        let mut extension = None;
        if bits & 0x10 != 0 {
            let (read, after) = Extension::parse(rest).ok_or(truncated)?;
            extension = Some(read);
            rest = after;
        }
        if bits & 0x20 != 0 {
            let room = rest.len();
            let padding = rest.last().copied().unwrap_or(0);
            rest = room
                .checked_sub(usize::from(padding))
                .filter(|_| padding > 0)
                .and_then(|end| rest.get(..end))
                .ok_or(PacketError::Padding { padding, room })?;
        }
        Ok(Self {
            header,
            contributors,
            extension,
            payload: rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 96,
        sequence: 0x1234,
        timestamp: 0x5678_9abc,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_plain_header_there_and_back() {
        let bytes = HEADER.bytes();
        assert_eq!(bytes[..4], [0x80, 0xe0, 0x12, 0x34]);
        let packet = [&bytes[..], &[1, 2, 3]].concat();
        let read = Packet::parse(&packet).unwrap();
        assert_eq!(read.header, HEADER);
        assert_eq!((read.payload, read.extension), (&[1, 2, 3][..], None));
    }

    #[test]
    fn extensions_there_and_back() {
        let elements: [(u8, &[u8]); 2] = [(1, &[7]), (5, &[1, 2, 3])];
        let mut packet = Vec::new();
        HEADER.write(&elements, &mut packet).unwrap();
        packet.push(9);
        let read = Packet::parse(&packet).unwrap();
        let found: Vec<_> = read.extension.unwrap().elements().collect();
        assert_eq!(found, elements);
        assert_eq!(read.payload, [9]);
    }

    #[test]
    fn contributors_and_padding() {
        let mut packet = HEADER.bytes().to_vec();
        packet[0] = 0xa1;
        packet.extend([0, 0, 0, 7, 42, 0, 0, 3]);
        let read = Packet::parse(&packet).unwrap();
        assert_eq!(
            (read.contributors, read.payload),
            (&[0, 0, 0, 7][..], &[42][..])
        );
    }

    #[test]
    fn bad_packets() {
        let with = |first: u8, rest: &[u8]| {
            let mut packet = HEADER.bytes().to_vec();
            packet[0] = first;
            packet.extend_from_slice(rest);
            packet
        };
        let cases = [
            (vec![0x80; 11], PacketError::Truncated(11)),
            (with(0x40, &[]), PacketError::Version(1)),
            (with(0x81, &[0; 3]), PacketError::Truncated(15)),
            (with(0x90, &[0xbe, 0xde, 0, 1]), PacketError::Truncated(16)),
            (
                with(0xa0, &[0]),
                PacketError::Padding {
                    padding: 0,
                    room: 1,
                },
            ),
            (
                with(0xa0, &[2]),
                PacketError::Padding {
                    padding: 2,
                    room: 1,
                },
            ),
            (
                with(0xa0, &[]),
                PacketError::Padding {
                    padding: 0,
                    room: 0,
                },
            ),
        ];
        for (packet, error) in cases {
            assert_eq!(Packet::parse(&packet), Err(error), "{packet:?}");
        }
    }
}
