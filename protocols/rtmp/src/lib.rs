//! RTMP 1.0 without sockets and clocks: bytes and instants in, bytes and events out.
//!
//! Read [`server::Session`] first, then [`client::Session`]: each is one connection, driven by
//! `handle_input` and `handle_timeout`, answered by commands, and drained with `poll_output` until it gives
//! [`Output::Timeout`]. Below them, [`chunk`] joins and cuts messages (media for many players are cut once,
//! by [`chunk::packet()`]), [`message`] and [`amf0`] say what they mean.
//!
//! Media are passed through as they are on the wire: the bodies of FLV tags with 32-bit milliseconds. What
//! is in them, who may publish or play, and what a stream's name means, is for the caller.

pub mod aggregate;
pub mod amf0;
pub mod amf3;
pub mod chunk;
pub mod client;
#[doc(hidden)]
pub mod fuzz;
pub mod message;
pub mod server;

pub mod enhanced;
mod error;
mod handshake;
mod link;
mod wire;

pub use error::Error;
pub use handshake::HandshakeError;

use bytes::Bytes;
use std::time::Instant;

/// What a session wants next.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<E> {
    /// Send these bytes, before any packet made after them.
    Transmit(Bytes),
    /// Something happened.
    Event(E),
    /// Nothing until there is input, a command, or this instant, at which to call `handle_timeout`.
    Timeout(Option<Instant>),
}

/// How a publisher wants its stream kept (section 7.2.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishKind {
    /// Not at all.
    #[default]
    Live,
    /// In a new file.
    Record,
    /// At the end of an existing file.
    Append,
}

impl PublishKind {
    /// The argument of `publish`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
        }
    }

    /// From the argument of `publish`; anything unknown is live.
    fn from_argument(argument: Option<&str>) -> Self {
        match argument {
            Some("record") => Self::Record,
            Some("append") => Self::Append,
            _ => Self::Live,
        }
    }
}
