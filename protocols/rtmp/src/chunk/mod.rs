//! The chunk stream of RTMP 1.0, section 5: messages cut into chunks, and the chunks of several messages
//! interleaved on one connection.
//!
//! [`Reader`] joins received chunks to [`RawMessage`]s. [`packet()`] cuts a message into chunks once, for any
//! number of receivers, without copying its payload; [`write()`] does it by copying, for small messages. Neither
//! knows what a message means; that is [`message`](crate::message).

mod limits;
mod packet;
mod reader;
mod stream;
mod writer;

pub use limits::{ChunkError, Limits};
pub use packet::{Packet, packet};
pub use reader::Reader;
pub use writer::{TooLong, write};

use bytes::Bytes;

/// The chunk size of both directions until a Set Chunk Size message changes it (section 5.4.1), in bytes.
pub const DEFAULT_CHUNK_SIZE: usize = 128;
/// The longest message that the 24-bit length field can express, in bytes.
pub const MAX_MESSAGE_LENGTH: usize = 0xff_ffff;
/// Timestamps and deltas from here on stand in the extended timestamp field (section 5.3.1.3).
const EXTENDED: u32 = 0xff_ffff;

/// The number of a chunk stream, from 2 to 65,599 (section 5.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkStreamId(u32);

impl ChunkStreamId {
    /// Protocol control messages, as section 5.4 demands.
    pub const CONTROL: Self = Self(2);
    /// Commands.
    pub const COMMAND: Self = Self(3);
    /// Audio messages.
    pub const AUDIO: Self = Self(4);
    /// Metadata.
    pub const DATA: Self = Self(5);
    /// Video messages.
    pub const VIDEO: Self = Self(6);

    /// The chunk stream `id`; `None` outside of 2 to 65,599.
    pub const fn new(id: u32) -> Option<Self> {
        match id {
            2..=65_599 => Some(Self(id)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a message is: the type id of its header (sections 5.4 and 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Set Chunk Size (5.4.1).
    pub const SET_CHUNK_SIZE: Self = Self(1);
    /// Abort Message (5.4.2).
    pub const ABORT: Self = Self(2);
    /// Acknowledgement (5.4.3).
    pub const ACKNOWLEDGEMENT: Self = Self(3);
    /// User Control (6.2).
    pub const USER_CONTROL: Self = Self(4);
    /// Window Acknowledgement Size (5.4.4).
    pub const WINDOW_ACK_SIZE: Self = Self(5);
    /// Set Peer Bandwidth (5.4.5).
    pub const SET_PEER_BANDWIDTH: Self = Self(6);
    /// Audio (7.1.4): the body of an FLV audio tag.
    pub const AUDIO: Self = Self(8);
    /// Video (7.1.5): the body of an FLV video tag.
    pub const VIDEO: Self = Self(9);
    /// Data in AMF3 (7.1.2).
    pub const DATA_AMF3: Self = Self(15);
    /// Command in AMF3 (7.1.1).
    pub const COMMAND_AMF3: Self = Self(17);
    /// Data in AMF0 (7.1.2).
    pub const DATA: Self = Self(18);
    /// Command in AMF0 (7.1.1).
    pub const COMMAND: Self = Self(20);
    /// Aggregate (7.1.6).
    pub const AGGREGATE: Self = Self(22);
}

/// What stands before a message's payload, whatever form it took on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chunk stream that carries the message.
    pub chunk_stream: ChunkStreamId,
    /// Milliseconds, absolute, wrapping at 2³².
    pub timestamp: u32,
    /// What the message is.
    pub message_type: MessageType,
    /// Message stream that it belongs to; 0 is the connection itself.
    pub message_stream: u32,
}

/// A complete message, its payload in an allocation of exactly its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// Where and when.
    pub header: Header,
    /// What.
    pub payload: Bytes,
}
