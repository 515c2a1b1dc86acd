//! AAC as `mpeg4-generic` (RFC 3640): access units behind a section of headers, several in a payload or one in
//! several.

mod depacketizer;
mod headers;
mod packetizer;

pub(super) use depacketizer::step;

pub use depacketizer::Depacketizer;
pub use headers::Layout;
pub use packetizer::packetize;

/// Longest access unit that [`packetize`] can describe, in bytes: sizes have 13 bits in mode AAC-hbr.
pub const MAX_UNIT: usize = 8_191;
