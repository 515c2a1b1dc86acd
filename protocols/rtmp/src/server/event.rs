//! What a server's session tells its caller, and what the caller may answer.

use super::connect::Connect;
use crate::PublishKind;
use crate::amf0::Value;
use bytes::Bytes;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the stream as sent, without slashes at its ends: with its query, possibly empty.
    pub key: String,
    /// The message stream the client uses.
    pub message_stream: u32,
    /// The application and more about the client.
    pub connect: Connect,
}

/// What happened on the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The client wants to publish. Answer with [`Session::accept`](super::Session::accept) or [`Session::refuse`](super::Session::refuse).
    Publish(Request, PublishKind),
    /// The client wants to play. Answer with [`Session::accept`](super::Session::accept) or [`Session::refuse`](super::Session::refuse).
    Play(Request),
    /// The publisher sent the body of an FLV audio tag; never empty.
    Audio {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// In an allocation of its own, unless it came in an aggregate message: its parts share one.
        payload: Bytes,
    },
    /// The publisher sent the body of an FLV video tag; never empty.
    Video {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// In an allocation of its own, unless it came in an aggregate message: its parts share one.
        payload: Bytes,
    },
    /// The publisher sent metadata: usually `onMetaData` and an object. A leading `@setDataFrame` has been
    /// removed.
    Data {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// Name and contents.
        values: Vec<Value>,
    },
    /// The player wants media held back (true) or sent again.
    Pause(bool),
    /// The player buffers so many milliseconds.
    BufferLength(u32),
    /// The client ended its stream in order. It may ask for another.
    Stop,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name cannot be published or played, or is taken.
    BadName,
    /// This client may not.
    Denied,
    /// There is no such stream.
    NotFound,
}
