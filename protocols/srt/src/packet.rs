//! Packets on the wire (section 3): a data packet, or a control packet of one of ten kinds.

use crate::sequence::Sequence;

/// Bytes of the header of every packet.
pub const HEADER_LEN: usize = 16;

/// Most bytes of one packet that are looked at: a datagram of the usual Ethernet MTU, IPv4 and UDP headers
/// (28 bytes) taken off.
pub const MAX_PACKET: usize = 1_472;

/// Words of the loss list in one NAK: what fits beside the header.
pub const MAX_LOSS_WORDS: usize = (MAX_PACKET - HEADER_LEN) / 4;

/// Subtype of a control packet that asks for or answers with key material (section 3.2.2).
pub(crate) const KM_REQUEST: u16 = 3;
pub(crate) const KM_RESPONSE: u16 = 4;

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than what it says it is.
    #[error("{length} bytes are too short for {what}")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes there were.
        length: usize,
    },
}

/// Which key a payload is encrypted with: the KK field (section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Not encrypted.
    None,
    /// With the even key.
    Even,
    /// With the odd key.
    Odd,
    /// Of control packets only; a data packet with it cannot be decrypted.
    Both,
}

impl Key {
    const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Even,
            2 => Self::Odd,
            _ => Self::Both,
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Even => 1,
            Self::Odd => 2,
            Self::Both => 3,
        }
    }
}

/// A packet that was read. It borrows from the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Microseconds since the sender's beginning (for data, of their origin), modulo 2³².
    pub timestamp: u32,
    /// The socket it is for; zero asks for a connection.
    pub destination: u32,
    /// Everything else.
    pub body: Body<'a>,
}

/// What kinds of packets there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A piece of a message.
    Data(Data<'a>),
    /// See [`crate::handshake`].
    Handshake(&'a [u8]),
    /// Says nothing, but that the peer is there.
    KeepAlive,
    /// What has been received.
    Ack(Ack),
    /// What is missing: see [`losses`].
    Nak(&'a [u8]),
    /// The peer cannot keep up. No peer sends it.
    CongestionWarning,
    /// The peer says goodbye.
    Shutdown,
    /// The full acknowledgement of that number has arrived.
    AckAck(u32),
    /// Packets that will not be sent again.
    DropRequest {
        /// Message they are of; zero when it is not known any more.
        message: u32,
        /// First of them.
        first: Sequence,
        /// Last of them.
        last: Sequence,
    },
    /// An error at the peer. Of file mode.
    PeerError(u32),
    /// New keys, or the answer to them (section 3.2.2).
    KeyMaterial {
        /// Whether it is the answer.
        response: bool,
        /// The message.
        message: &'a [u8],
    },
    /// A kind that is not known, to be ignored.
    Other,
}

/// A data packet (section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// Its number.
    pub sequence: Sequence,
    /// It is the first of its message.
    pub first: bool,
    /// It is the last of its message.
    pub last: bool,
    /// Messages may not overtake each other.
    pub ordered: bool,
    /// What it is encrypted with.
    pub key: Key,
    /// It has been sent before.
    pub again: bool,
    /// Number of the message, of 26 bits.
    pub message: u32,
    /// What it carries.
    pub payload: &'a [u8],
}

/// An acknowledgement (section 3.2.4). A light one has the sequence number alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Number of a full acknowledgement, which is to be acknowledged; zero for the others.
    pub number: u32,
    /// The first packet that has not been received.
    pub next: Sequence,
    /// Round-trip time and its variance, microseconds.
    pub rtt: Option<(u32, u32)>,
    /// Packets that there is room for.
    pub room: Option<u32>,
    /// Packets a second that come in, packets a second that the link could carry, bytes a second.
    pub rates: Option<(u32, u32, u32)>,
}

/// Reads a 32-bit word.
pub(crate) fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let start = index.checked_mul(4)?;
    let bytes = bytes.get(start..start.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is shorter than the header, or than what its kind needs.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let short = |what| PacketError::Short {
            what,
            length: datagram.len(),
        };
        let (header, rest) = datagram
            .split_at_checked(HEADER_LEN)
            .ok_or_else(|| short("a header"))?;
        let field = |index| word(header, index).ok_or_else(|| short("a header"));
        let (w0, w1) = (field(0)?, field(1)?);
        let body = if w0 >> 31 == 0 {
            Body::Data(Data {
                sequence: Sequence::new(w0),
                first: w1 >> 31 == 1,
                last: (w1 >> 30) & 1 == 1,
                ordered: (w1 >> 29) & 1 == 1,
                key: Key::from_bits(w1 >> 27),
                again: (w1 >> 26) & 1 == 1,
                message: w1 & 0x03ff_ffff,
                payload: rest,
            })
        } else {
            control(w0, w1, rest).ok_or_else(|| short("this kind of control packet"))?
        };
        Ok(Self {
            timestamp: field(2)?,
            destination: field(3)?,
            body,
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (w0, w1) = match &self.body {
            Body::Data(data) => (data.sequence.value(), data.word()),
            Body::Handshake(_) => (kind(0), 0),
            Body::KeepAlive => (kind(1), 0),
            Body::Ack(ack) => (kind(2), ack.number),
            Body::Nak(_) => (kind(3), 0),
            Body::CongestionWarning => (kind(4), 0),
            Body::Shutdown => (kind(5), 0),
            Body::AckAck(number) => (kind(6), *number),
            Body::DropRequest { message, .. } => (kind(7), *message),
            Body::PeerError(code) => (kind(8), *code),
            Body::KeyMaterial { response, .. } => {
                let subtype = if *response { KM_RESPONSE } else { KM_REQUEST };
                (kind(0x7fff) | u32::from(subtype), 0)
            }
            Body::Other => (kind(0x7ffe), 0),
        };
        for word in [w0, w1, self.timestamp, self.destination] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        match &self.body {
            Body::Data(data) => out.extend_from_slice(data.payload),
            Body::Handshake(bytes) | Body::Nak(bytes) => out.extend_from_slice(bytes),
            Body::KeyMaterial { message, .. } => out.extend_from_slice(message),
            Body::Ack(ack) => ack.write(out),
            Body::DropRequest { first, last, .. } => {
                out.extend_from_slice(&first.value().to_be_bytes());
                out.extend_from_slice(&last.value().to_be_bytes());
            }
            // Peers expect at least one word, an old habit of UDT.
            Body::KeepAlive | Body::Shutdown | Body::AckAck(_) => out.extend_from_slice(&[0; 4]),
            Body::CongestionWarning | Body::PeerError(_) | Body::Other => {}
        }
    }
}

const fn kind(number: u32) -> u32 {
    0x8000_0000 | number << 16
}

fn control(w0: u32, w1: u32, rest: &[u8]) -> Option<Body<'_>> {
    Some(match (w0 >> 16) & 0x7fff {
        0 => Body::Handshake(rest),
        1 => Body::KeepAlive,
        2 => {
            let pair = |index| Some((word(rest, index)?, word(rest, index + 1)?));
            Body::Ack(Ack {
                number: w1,
                next: Sequence::new(word(rest, 0)?),
                rtt: pair(1),
                room: word(rest, 3),
                rates: pair(4).and_then(|(a, b)| Some((a, b, word(rest, 6)?))),
            })
        }
        3 => Body::Nak(rest),
        4 => Body::CongestionWarning,
        5 => Body::Shutdown,
        6 => Body::AckAck(w1),
        7 => Body::DropRequest {
            message: w1 & 0x03ff_ffff,
            first: Sequence::new(word(rest, 0)?),
            last: Sequence::new(word(rest, 1)?),
        },
        8 => Body::PeerError(w1),
        0x7fff if w0 & 0xffff == u32::from(KM_REQUEST) => Body::KeyMaterial {
            response: false,
            message: rest,
        },
        0x7fff if w0 & 0xffff == u32::from(KM_RESPONSE) => Body::KeyMaterial {
            response: true,
            message: rest,
        },
        _ => Body::Other,
    })
}

impl Data<'_> {
    /// The second word of the header.
    const fn word(&self) -> u32 {
        (self.first as u32) << 31
            | (self.last as u32) << 30
            | (self.ordered as u32) << 29
            | self.key.bits() << 27
            | (self.again as u32) << 26
            | self.message & 0x03ff_ffff
    }
}

impl Ack {
    fn write(&self, out: &mut Vec<u8>) {
        let mut put = |word: u32| out.extend_from_slice(&word.to_be_bytes());
        put(self.next.value());
        let Some((rtt, variance)) = self.rtt else {
            return;
        };
        put(rtt);
        put(variance);
        let Some(room) = self.room else { return };
        put(room);
        if let Some((packets, capacity, bytes)) = self.rates {
            for word in [packets, capacity, bytes] {
                put(word);
            }
        }
    }
}

/// The ranges of a loss list, first and last number each (appendix A). What makes no sense is left out:
/// ranges that go backwards, a beginning without an end.
pub fn losses(list: &[u8]) -> impl Iterator<Item = (Sequence, Sequence)> + '_ {
    let mut words = list
        .chunks_exact(4)
        .take(MAX_LOSS_WORDS)
        .filter_map(|bytes| word(bytes, 0));
    std::iter::from_fn(move || {
        loop {
            let start = words.next()?;
            let first = Sequence::new(start);
            let last = if start >> 31 == 1 {
                Sequence::new(words.next()?)
            } else {
                first
            };
            if last.since(first) >= 0 {
                return Some((first, last));
            }
        }
    })
}

/// Appends a range to a loss list, if there is room for it.
pub(crate) fn push_loss(list: &mut Vec<u8>, first: Sequence, last: Sequence) -> bool {
    let words = if first == last { 1 } else { 2 };
    if list.len() / 4 + words > MAX_LOSS_WORDS {
        return false;
    }
    if first == last {
        list.extend_from_slice(&first.value().to_be_bytes());
    } else {
        list.extend_from_slice(&(first.value() | 0x8000_0000).to_be_bytes());
        list.extend_from_slice(&last.value().to_be_bytes());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(body: Body<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let packet = Packet {
            timestamp: 7,
            destination: 9,
            body,
        };
        packet.write(&mut out);
        assert_eq!(Packet::parse(&out), Ok(packet));
        out
    }

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let data = Data {
            sequence: Sequence::new(u32::MAX),
            first: true,
            last: false,
            ordered: true,
            key: Key::Odd,
            again: true,
            message: 0x03ff_ffff,
            payload: b"ts",
        };
        let wire = bytes(Body::Data(data));
        assert_eq!(&wire[..8], [0x7f, 0xff, 0xff, 0xff, 0xb7, 0xff, 0xff, 0xff]);
        let light = Ack {
            next: Sequence::new(5),
            ..Ack::default()
        };
        let small = Ack {
            rtt: Some((1, 2)),
            room: Some(3),
            ..light
        };
        let full = Ack {
            number: 4,
            rates: Some((5, 6, 7)),
            ..small
        };
        for (ack, length) in [(light, 20), (small, 32), (full, 44)] {
            assert_eq!(bytes(Body::Ack(ack)).len(), length);
        }
        let (first, last) = (Sequence::new(1), Sequence::new(2));
        bytes(Body::DropRequest {
            message: 3,
            first,
            last,
        });
        for body in [
            Body::KeepAlive,
            Body::Shutdown,
            Body::AckAck(3),
            Body::PeerError(4_000),
            Body::CongestionWarning,
            Body::Other,
            Body::Nak(&[0, 0, 0, 1]),
            Body::Handshake(b"any"),
            Body::KeyMaterial {
                response: false,
                message: b"km",
            },
            Body::KeyMaterial {
                response: true,
                message: b"km",
            },
        ] {
            bytes(body);
        }
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let kinds = [(Body::KeepAlive, 16), (Body::Ack(Ack::default()), 20)];
        let drop = Body::DropRequest {
            message: 0,
            first: Sequence::new(0),
            last: Sequence::new(0),
        };
        for (body, least) in kinds.into_iter().chain([(drop, 24)]) {
            let wire = bytes(body);
            for length in 0..wire.len() {
                let read = Packet::parse(&wire[..length]);
                assert_eq!(read.is_err(), length < least, "{length}: {read:?}");
            }
        }
    }

    #[test]
    fn loss_lists() {
        let mut list = Vec::new();
        let sequence = Sequence::new;
        let ranges = [
            (sequence(3), sequence(3)),
            (sequence(0x7fff_fffe), sequence(1)),
        ];
        for (first, last) in ranges {
            assert!(push_loss(&mut list, first, last));
        }
        assert_eq!(list.len(), 12);
        assert_eq!(losses(&list).collect::<Vec<_>>(), ranges);
        // Backwards, and without an end.
        list.extend([0x80, 0, 0, 9, 0, 0, 0, 8, 0x80, 0, 0, 1]);
        assert_eq!(losses(&list).collect::<Vec<_>>(), ranges);
        while push_loss(&mut list, sequence(1), sequence(5)) {}
        assert!(list.len() <= MAX_LOSS_WORDS * 4);
    }
}
