//! SRT without sockets and clocks: datagrams and instants in, datagrams, messages and events out.
//!
//! Read [`Session`] first: one connection, from its handshake to its goodbye, whichever end began it. It is
//! driven by `handle_input`, `handle_timeout` and `send`, and drained with `poll_output` until that gives
//! [`Output::Timeout`]. A [`Listener`] is the shared port: it answers strangers without remembering them,
//! asks about callers that have shown where they are, and tells which session a datagram is for.
//!
//! Live mode only, as the draft describes it (draft-sharabayko-srt-01): timestamps decide when a message is
//! delivered, and what comes too late is dropped. File mode, packet filters and groups are refused in words.
//! What the messages carry is for the caller.

#[doc(hidden)]
pub mod fuzz;
pub mod handshake;
pub mod packet;
pub mod stream_id;

mod crypto;
mod listener;
mod options;
mod receive;
mod reject;
mod send;
mod sequence;
mod session;
mod stats;
mod timing;

pub use crypto::KeyLength;
pub use listener::{Asked, Judged, Limits, Listener, ListenerOutput, Request, RequestId, Route};
pub use options::{Options, OptionsError, Passphrase};
pub use receive::Message;
pub use reject::Reject;
pub use sequence::Sequence;
pub use session::{CloseReason, Event, MAX_MESSAGE, Output, SendError, Session};
pub use stats::Stats;
pub use stream_id::StreamId;
