//! Packets on a connection: each behind its length in 2 bytes (RFC 4571 section 2), as ICE has it over TCP (RFC 6544
//! section 3).
//!
//! [`Frames`] takes bytes as they come and gives packets; [`write()`] makes a frame. What is in a packet tells what it is, as
//! with datagrams.

use bytes::{Buf, Bytes, BytesMut};

/// Longest packet that is taken. Peers send what would go over UDP too, which is a fifth of this.
pub const MAX_PACKET: usize = 8 << 10;

/// A packet is longer than any that is meant for a session; what follows it is not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {0} bytes on a connection, at most {MAX_PACKET} are taken")]
pub struct TooLong(pub usize);

/// The packets of a connection.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Takes what came. Whoever pushes pulls until there is nothing: then less than one packet is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet; none until more has come. Empty ones are passed over.
    ///
    /// # Errors
    /// When a packet is too long.
    pub fn pull(&mut self) -> Result<Option<Bytes>, TooLong> {
        while let Some(head) = self.buffer.first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*head));
            if length > MAX_PACKET {
                return Err(TooLong(length));
            }
            if self.buffer.len() < head.len() + length {
                break;
            }
            self.buffer.advance(2);
            if length > 0 {
                return Ok(Some(self.buffer.split_to(length).freeze()));
            }
        }
        Ok(None)
    }

    /// Bytes of a packet that has not come whole.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }
}

/// Appends a packet as a frame. One that no frame holds is left out.
pub fn write(packet: &[u8], out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(packet.len()) {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(packets: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for packet in packets {
            write(packet, &mut out);
        }
        out
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let packets: [&[u8]; 4] = [b"one", &[], &[7; MAX_PACKET], b"x"];
        let bytes = frames(&packets);
        assert_eq!(bytes[..5], [0, 3, b'o', b'n', b'e']);
        for step in [1, 2, 3, 1_000, bytes.len()] {
            let mut frames = Frames::default();
            let mut got = Vec::new();
            for part in bytes.chunks(step) {
                frames.push(part);
                while let Some(packet) = frames.pull().unwrap() {
                    got.push(packet);
                }
                assert!(frames.waiting() < 2 + MAX_PACKET);
            }
            assert_eq!(got, [packets[0], packets[2], packets[3]], "by {step}");
            assert_eq!(frames.waiting(), 0);
        }
    }

    #[test]
    fn every_cut_waits_for_the_rest() {
        let bytes = frames(&[b"packet"]);
        for end in 0..bytes.len() {
            let mut frames = Frames::default();
            frames.push(&bytes[..end]);
            assert_eq!(frames.pull(), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_written() {
        let mut frames = Frames::default();
        frames.push(&(MAX_PACKET as u16 + 1).to_be_bytes());
        let refused = TooLong(MAX_PACKET + 1);
        assert_eq!((frames.pull(), frames.pull()), (Err(refused), Err(refused)));
        let mut out = Vec::new();
        write(&vec![0; 1 << 16], &mut out);
        assert_eq!(out, []);
    }
}
