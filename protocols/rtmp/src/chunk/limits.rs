//! What a peer may make the chunk reader hold, and what is wrong with chunks that are refused.

/// What a peer may make the reader hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes. Default 8 MiB: several times the largest pictures that encoders send.
    pub max_message: usize,
    /// Most chunk streams on a connection. Default 64; peers use fewer than ten.
    pub max_chunk_streams: usize,
    /// Most bytes in unfinished messages of all chunk streams together. Default 16 MiB.
    pub max_held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 8 << 20,
            max_chunk_streams: 64,
            max_held: 16 << 20,
        }
    }
}

/// Why received bytes are not a chunk stream that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A message longer than [`Limits::max_message`].
    #[error(
        "message of {length} bytes on chunk stream {chunk_stream} is longer than the {limit} accepted"
    )]
    MessageTooLong {
        /// Chunk stream id.
        chunk_stream: u32,
        /// Announced length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More chunk streams than [`Limits::max_chunk_streams`].
    #[error("more than {limit} chunk streams on one connection")]
    TooManyChunkStreams {
        /// The limit.
        limit: usize,
    },
    /// Unfinished messages together exceed [`Limits::max_held`].
    #[error("unfinished messages hold more than {limit} bytes")]
    TooMuchHeld {
        /// The limit in bytes.
        limit: usize,
    },
    /// A Set Chunk Size outside of 1 to 2³¹-1 (section 5.4.1).
    #[error("chunk size {size} is not between 1 and 2147483647")]
    ChunkSize {
        /// What was asked for.
        size: u32,
    },
    /// A header that refers to an earlier one (type 2 or 3) on a chunk stream that had none.
    #[error("chunk stream {chunk_stream} begins with a type {format} header")]
    NoHeader {
        /// Chunk stream id.
        chunk_stream: u32,
        /// Header type.
        format: u8,
    },
    /// A new message header (type 0 to 2) before the message under way was complete.
    #[error(
        "type {format} header within a message on chunk stream {chunk_stream}, {missing} bytes before its end"
    )]
    HeaderWithinMessage {
        /// Chunk stream id.
        chunk_stream: u32,
        /// Header type.
        format: u8,
        /// Bytes that the message still lacks.
        missing: usize,
    },
    /// A Set Chunk Size or Abort message of fewer than 4 bytes.
    #[error("chunk control message of type {message_type} has {length} bytes instead of 4")]
    ControlLength {
        /// Message type id.
        message_type: u8,
        /// Its length in bytes.
        length: usize,
    },
}
