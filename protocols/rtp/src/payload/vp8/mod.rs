//! VP8 (RFC 7741): a frame is cut anywhere, each part behind a descriptor.

mod depacketizer;
mod packetizer;

pub use depacketizer::{Depacketizer, Frames};
pub use packetizer::packetize;

/// In the first byte: no other frame refers to this one.
const NON_REFERENCE: u8 = 0x20;
/// In the first byte: a partition begins.
const START: u8 = 0x10;
