//! Why a session ended: what the peer did that is not RTSP, or did not do in time.

use crate::reader::ReadError;
use crate::tunnel::TunnelError;
use sdp::DescriptionError;

/// The peer's fault. The session is over after it; the connection should be closed once what `poll_output`
/// still gives is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The connection cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What goes through HTTP is not encoded as it has to be.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// What the server describes is not a description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The server carries a track in a way that was not asked for.
    #[error("the server answers SETUP with a transport that was not asked for: {0}")]
    Transport(String),
    /// The client sent on although its request had not been answered.
    #[error("more than {limit} bytes sent while a request was unanswered")]
    TooEager {
        /// The limit in bytes.
        limit: usize,
    },
    /// The peer took too long.
    #[error("timed out waiting for {what}")]
    Timeout {
        /// What did not come.
        what: String,
    },
}
