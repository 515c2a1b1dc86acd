//! RTCP: reports, descriptions and feedback (RFC 3550 section 6, RFC 4585, RFC 5104, transport-wide arrivals).
//!
//! A datagram carries several packets, one after the other: [`packets`] reads them, [`Packet::write`]
//! appends one. Read [`Packet`] first. [`Reception`] makes the reports of a receiver, [`SourceClock`] reads
//! the times in those of a sender.

mod arrivals;
mod clock;
mod description;
mod feedback;
mod reception;
mod report;

pub use arrivals::{Arrivals, MAX_ARRIVALS};
pub use clock::SourceClock;
pub use description::{Bye, Description};
pub use feedback::{FullIntraRequest, Nack, NackPair, PictureLoss, ReceiverEstimate};
pub use reception::{REPORT_INTERVAL, Reception};
pub use report::{NtpTime, ReceiverReport, ReportBlock, SenderInfo, SenderReport};

use bytes::BufMut;

/// Packet types (RFC 3550 section 12.1, RFC 4585 section 6.1).
mod kind {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const DESCRIPTION: u8 = 202;
    pub(super) const BYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
}

/// Feedback message types.
mod format {
    pub(super) const NACK: u8 = 1;
    pub(super) const PICTURE_LOSS: u8 = 1;
    pub(super) const FULL_INTRA: u8 = 4;
    pub(super) const APPLICATION: u8 = 15;
    pub(super) const ARRIVALS: u8 = 15;
}

/// One packet of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// What somebody sent, and what it received.
    SenderReport(SenderReport),
    /// What somebody received.
    ReceiverReport(ReceiverReport),
    /// Who a source is.
    Description(Description),
    /// Sources that end.
    Bye(Bye),
    /// Packets that are missing.
    Nack(Nack),
    /// A decoder that lost its pictures.
    PictureLoss(PictureLoss),
    /// The wish for a picture to start at.
    FullIntraRequest(FullIntraRequest),
    /// What the receiver thinks that its network carries.
    ReceiverEstimate(ReceiverEstimate),
    /// When the packets of all sources arrived.
    Arrivals(Arrivals),
    /// A packet of another type or format, left unread.
    Other {
        /// The packet type.
        kind: u8,
        /// The 5 bits that count or tell formats apart.
        format: u8,
    },
}

/// Why a datagram is not RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// A packet is longer than what is left.
    #[error("RTCP packet of type {kind} ends in the middle")]
    Truncated {
        /// The packet type; 0 when not even that is there.
        kind: u8,
    },
    /// A version other than 2.
    #[error("RTCP version {0}, not 2")]
    Version(u8),
    /// Padding that is longer than its packet.
    #[error("RTCP padding of {0} bytes")]
    Padding(u8),
}

/// The packets of a datagram in order. One whose content is wrong leaves those behind it readable, one whose
/// frame is wrong ends the reading.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = Result<Packet, RtcpError>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (result, after) = split(rest).map_or_else(
            |error| (Err(error), &[][..]),
            |(head, body, after)| (Packet::parse(head, body), after),
        );
        rest = after;
        Some(result)
    })
}

/// Whether a datagram that shares its port with RTP is RTCP (RFC 5761 section 4).
pub const fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, kind, ..] if *first >> 6 == 2 && *kind >= 192 && *kind <= 223)
}

/// The first 4 bytes of a packet, its body without padding, and what follows it.
type Split<'a> = ([u8; 4], &'a [u8], &'a [u8]);

fn split(bytes: &[u8]) -> Result<Split<'_>, RtcpError> {
    let kind = bytes.get(1).copied().unwrap_or(0);
    let truncated = RtcpError::Truncated { kind };
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(truncated)?;
    let [bits, _, l0, l1] = *head;
    if bits >> 6 != 2 {
        return Err(RtcpError::Version(bits >> 6));
    }
    let words = usize::from(u16::from_be_bytes([l0, l1]));
    let (mut body, rest) = rest.split_at_checked(words * 4).ok_or(truncated)?;
    if bits & 0x20 != 0 {
        let padding = body.last().copied().unwrap_or(0);
        body = body
            .len()
            .checked_sub(usize::from(padding))
            .filter(|_| padding > 0)
            .and_then(|end| body.get(..end))
            .ok_or(RtcpError::Padding(padding))?;
    }
    Ok((*head, body, rest))
}

impl Packet {
    fn parse([bits, kind, ..]: [u8; 4], body: &[u8]) -> Result<Self, RtcpError> {
        let format = bits & 0x1f;
        let mut input = Input(body);
        let read = match (kind, format) {
            (kind::SENDER_REPORT, count) => {
                SenderReport::read(&mut input, count).map(Self::SenderReport)
            }
            (kind::RECEIVER_REPORT, count) => {
                ReceiverReport::read(&mut input, count).map(Self::ReceiverReport)
            }
            (kind::DESCRIPTION, count) => {
                Description::read(&mut input, count).map(Self::Description)
            }
            (kind::BYE, count) => Bye::read(&mut input, count).map(Self::Bye),
            (kind::TRANSPORT_FEEDBACK, format::NACK) => Nack::read(&mut input).map(Self::Nack),
            (kind::TRANSPORT_FEEDBACK, format::ARRIVALS) => {
                Arrivals::read(&mut input).map(Self::Arrivals)
            }
            (kind::PAYLOAD_FEEDBACK, format::PICTURE_LOSS) => {
                PictureLoss::read(&mut input).map(Self::PictureLoss)
            }
            (kind::PAYLOAD_FEEDBACK, format::FULL_INTRA) => {
                FullIntraRequest::read(&mut input).map(Self::FullIntraRequest)
            }
            (kind::PAYLOAD_FEEDBACK, format::APPLICATION) => ReceiverEstimate::read(&mut input)
                .map(|estimate| {
                    estimate.map_or(Self::Other { kind, format }, Self::ReceiverEstimate)
                }),
            _ => Some(Self::Other { kind, format }),
        };
        read.ok_or(RtcpError::Truncated { kind })
    }

    /// Appends the packet. What its counts cannot hold (more than 31 blocks, chunks or sources) is left
    /// out; [`Self::Other`] writes nothing.
    pub fn write(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.put_slice(&[0; 4]);
        let (kind, format) = match self {
            Self::SenderReport(packet) => (kind::SENDER_REPORT, packet.write(out)),
            Self::ReceiverReport(packet) => (kind::RECEIVER_REPORT, packet.write(out)),
            Self::Description(packet) => (kind::DESCRIPTION, packet.write(out)),
            Self::Bye(packet) => (kind::BYE, packet.write(out)),
            Self::Nack(packet) => {
                packet.write(out);
                (kind::TRANSPORT_FEEDBACK, format::NACK)
            }
            Self::PictureLoss(packet) => {
                packet.write(out);
                (kind::PAYLOAD_FEEDBACK, format::PICTURE_LOSS)
            }
            Self::FullIntraRequest(packet) => {
                packet.write(out);
                (kind::PAYLOAD_FEEDBACK, format::FULL_INTRA)
            }
            Self::ReceiverEstimate(packet) => {
                packet.write(out);
                (kind::PAYLOAD_FEEDBACK, format::APPLICATION)
            }
            Self::Arrivals(packet) => {
                packet.write(out);
                (kind::TRANSPORT_FEEDBACK, format::ARRIVALS)
            }
            Self::Other { .. } => {
                out.truncate(at);
                return;
            }
        };
        // Every packet is a multiple of 4 bytes and far below 256 KiB.
        let [l0, l1] = (((out.len() - at) / 4 - 1) as u16).to_be_bytes();
        if let Some(head) = out.get_mut(at..at + 4) {
            head.copy_from_slice(&[0x80 | format & 0x1f, kind, l0, l1]);
        }
    }
}

/// What is left of a packet's body.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(datagram: &[u8]) -> Vec<Result<Packet, RtcpError>> {
        packets(datagram).collect()
    }

    #[test]
    fn compounds_are_read_up_to_the_first_frame_that_is_wrong() {
        let pli = Packet::PictureLoss(PictureLoss {
            sender: 1,
            media: 2,
        });
        let mut datagram = Vec::new();
        pli.write(&mut datagram);
        datagram.extend([0x80, 207, 0, 0]);
        // A description that ends in its text.
        datagram.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 9, 9]);
        pli.write(&mut datagram);
        datagram.extend([0x40, 0, 0, 0]);
        let other = Packet::Other {
            kind: 207,
            format: 0,
        };
        let truncated = Err(RtcpError::Truncated { kind: 202 });
        let error = Err(RtcpError::Version(1));
        assert_eq!(
            read(&datagram),
            [Ok(pli.clone()), Ok(other), truncated, Ok(pli), error]
        );
    }

    #[test]
    fn bad_packets() {
        let cases: [(&[u8], RtcpError); 5] = [
            (&[0x80], RtcpError::Truncated { kind: 0 }),
            (&[0x80, 200, 0, 1], RtcpError::Truncated { kind: 200 }),
            (&[0x80, 200, 0, 0], RtcpError::Truncated { kind: 200 }),
            (&[0xa0, 203, 0, 0], RtcpError::Padding(0)),
            (&[0xa0, 203, 0, 1, 0, 0, 0, 5], RtcpError::Padding(5)),
        ];
        for (datagram, error) in cases {
            assert_eq!(read(datagram), [Err(error)], "{datagram:?}");
        }
    }

    #[test]
    fn padding_is_not_read() {
        let datagram = [0xa1, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
        let bye = Packet::Bye(Bye {
            sources: vec![7],
            reason: String::new(),
        });
        assert_eq!(read(&datagram), [Ok(bye)]);
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert!(is_rtcp(&[0x80, 200]));
        assert!(!is_rtcp(&[0x80, 96]));
        assert!(!is_rtcp(&[0x80, 0xe0]));
        assert!(!is_rtcp(&[0x16, 200]));
    }
}
