//! RTSP 1.0 without sockets and clocks (RFC 2326, with RFC 7826 where it says what the first meant): bytes and
//! instants in, bytes and events out.
//!
//! Read [`client::Session`] and [`server::Session`] first: each is one connection, driven by `handle_input` and
//! `handle_timeout`, answered by commands, and drained with `poll_output` until it gives [`Output::Timeout`].
//! Below them, [`Reader`] takes a connection apart into [`message`]s and interleaved frames, [`auth`] is both
//! sides of Basic and Digest, and [`tunnel`] what is put around a connection that goes through HTTP.
//!
//! RTP and RTCP packets pass through as they are, and over UDP not at all: sockets, addresses and who may do
//! what are for the caller.

pub mod client;
#[doc(hidden)]
pub mod fuzz;
pub mod message;
pub mod server;
pub mod tunnel;

mod carriage;
mod error;
mod header;
mod reader;
#[cfg(test)]
mod reader_tests;

pub use carriage::Carriage;
pub use error::Error;
pub use header::RtpInfo;
pub use http_auth as auth;
pub use reader::{Frame, Incoming, MAX_BODY, MAX_GARBAGE, ReadError, Reader, frame_header};

use bytes::Bytes;
use std::time::Instant;

/// What a session wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E> {
    /// Send these bytes, before any packet made after them.
    Transmit(Bytes),
    /// Something happened.
    Event(E),
    /// Nothing until there is input, a command, or this instant, at which to call `handle_timeout`.
    Timeout(Option<Instant>),
}
