//! What a client's session is told at its start, and what it tells its caller.

use crate::amf0::Value;
use crate::chunk::Limits;
use bytes::Bytes;
use std::time::Duration;

/// What the client says of itself when it connects (section 7.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Application.
    pub app: String,
    /// URL of the server: scheme, host, port and application.
    pub tc_url: String,
    /// Name and version of the client; some servers admit only known ones.
    pub flash_ver: String,
    /// URL of the page that the player is in.
    pub page_url: Option<String>,
    /// URL of the player.
    pub swf_url: Option<String>,
}

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the server may make the session hold.
    pub limits: Limits,
    /// Time for the handshake and connecting together, and for a request to publish or play. Default 10 s.
    pub timeout: Duration,
    /// Chunk size of what is sent, in bytes, at least 128 and at most 65,536, which is the default. Few
    /// servers want a smaller one. 128 is not announced.
    pub chunk_size: u32,
    /// Makes the handshake's random bytes; should differ between connections, need not be secret.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timeout: Duration::from_secs(10),
            chunk_size: 65_536,
            seed: 0,
        }
    }
}

/// What happened on the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server accepted the connection.
    Connected,
    /// The server takes media from here on.
    Publishing,
    /// The server sends media from here on.
    Playing,
    /// The server refused to connect, publish or play. The session is over.
    Rejected {
        /// The server's code, such as `NetStream.Publish.BadName`.
        code: String,
        /// The server's reason in words; may be empty.
        description: String,
    },
    /// The body of an FLV audio tag; never empty.
    Audio {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// In an allocation of its own, unless it came in an aggregate message: its parts share one.
        payload: Bytes,
    },
    /// The body of an FLV video tag; never empty.
    Video {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// In an allocation of its own, unless it came in an aggregate message: its parts share one.
        payload: Bytes,
    },
    /// Metadata: usually `onMetaData` and an object.
    Data {
        /// Milliseconds, wrapping at 2³².
        timestamp: u32,
        /// Name and contents.
        values: Vec<Value>,
    },
    /// The server asks to be connected to once more (Enhanced RTMP, "Reconnect Request"): a new connection takes
    /// over while this one still works.
    Reconnect {
        /// Where to, if not to the same place.
        tc_url: Option<String>,
        /// The server's reason in words; may be empty.
        description: String,
    },
    /// The server ended the stream. The session is over.
    Closed {
        /// The server's reason in words; may be empty.
        description: String,
    },
}
