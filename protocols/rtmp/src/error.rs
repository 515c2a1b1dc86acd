//! Why a session ended: what the peer did that is not RTMP, or not in this order.

use crate::aggregate::AggregateError;
use crate::chunk::ChunkError;
use crate::handshake::HandshakeError;
use crate::message::MessageError;

/// The peer's fault. The session is over after it; the connection should be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first byte was not RTMP's.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The chunk stream cannot be read.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A control message or command cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// An aggregate message cannot be taken apart.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// A command that has no place in the session's state.
    #[error("{command} {state}")]
    OutOfOrder {
        /// The command.
        command: &'static str,
        /// When it came, such as "before connect".
        state: &'static str,
    },
    /// A command without an argument that it needs, or with one of another type.
    #[error("{command} without {argument}")]
    MissingArgument {
        /// The command.
        command: &'static str,
        /// What it lacks.
        argument: &'static str,
    },
    /// A name of an application or stream that is too long to be one.
    #[error("{name} of {length} bytes is longer than the {limit} accepted")]
    NameTooLong {
        /// Which name.
        name: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer sent on although its request had not been answered.
    #[error("more than {limit} bytes sent while a request was unanswered")]
    TooEager {
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer took too long.
    #[error("timed out waiting for {what}")]
    Timeout {
        /// What did not come.
        what: &'static str,
    },
}
