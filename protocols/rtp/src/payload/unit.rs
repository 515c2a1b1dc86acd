//! What depacketizers give: codecs and access units on the clock of their packets.

use crate::Packet;
use bytes::Bytes;
use media::Codec;

/// Longest access unit that is put together, in bytes; more of it is dropped, and the unit with it.
pub const MAX_UNIT: usize = 8 * 1_024 * 1_024;

/// What comes out of a depacketizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The codec's configuration is known now, or is another from here on. Comes before the first unit.
    Codec(Codec),
    /// One access unit.
    Unit(Unit),
}

/// One access unit as its packets tell of it. RTP knows no decoding time: units come in decoding order, with
/// the time of their presentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Presentation time on the clock of the packets, wrapping.
    pub timestamp: u32,
    /// A decoder can start here.
    pub random_access: bool,
    /// No other picture refers to this one.
    pub disposable: bool,
    /// Something is missing between the unit before and this one: packets, or a damaged unit.
    pub after_loss: bool,
    /// Parts of this unit are missing. Only with [`Damaged::Deliver`].
    pub damaged: bool,
    /// The coded bytes as in [`media::AccessUnit`].
    pub payload: Bytes,
}

/// What becomes of access units of which packets are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damaged {
    /// They are dropped and counted; the next unit says so.
    #[default]
    Drop,
    /// Their whole parts are delivered where a decoder may make something of them, as with pictures of several
    /// slices. Never is a part of a NAL unit delivered, or a part of a frame of sound.
    Deliver,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepacketizerCounts {
    /// Access units that were given.
    pub units: u64,
    /// Access units that were dropped since parts were missing, or delivered nevertheless.
    pub damaged: u64,
    /// Access units that were dropped since the configuration was not known yet.
    pub before_config: u64,
    /// Payloads that were not what the format prescribes.
    pub malformed: u64,
}

/// Why a payload, or a part of it, was not used. The next one may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It ends before its headers do.
    #[error("payload of {0} bytes ends in its header")]
    Truncated(usize),
    /// A length in it reaches past its end.
    #[error("payload with a length of {length} where {room} bytes are left")]
    Length {
        /// What it says.
        length: usize,
        /// What is there.
        room: usize,
    },
    /// A structure of the format that is not read.
    #[error("{0} is not read")]
    Unsupported(&'static str),
    /// A NAL unit with `forbidden_zero_bit` set, by which senders mark what they received damaged.
    #[error("NAL unit that its sender calls damaged")]
    Forbidden,
    /// A fragment that belongs to nothing, or stops in the middle.
    #[error("fragment {0}")]
    Fragment(&'static str),
    /// More than [`MAX_UNIT`].
    #[error("access unit of more than {MAX_UNIT} bytes")]
    TooLong,
    /// The configuration in the packets cannot be used; the one before stays.
    #[error("configuration in the packets: {0}")]
    Config(String),
}

/// What a depacketizer takes: a packet in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// The packet's timestamp.
    pub timestamp: u32,
    /// The packet's marker.
    pub marker: bool,
    /// Packets are missing before this one, or their numbering began anew.
    pub lost: bool,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Input<'a> {
    /// Of a packet, and what [`Reorder`](crate::Reorder) says of what came before.
    pub const fn new(packet: &Packet<'a>, lost: bool) -> Self {
        Self {
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            lost,
            payload: packet.payload,
        }
    }
}
