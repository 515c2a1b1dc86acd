//! VP9 (RFC 9628): a frame is cut anywhere, each part behind a descriptor; frames of several spatial layers follow
//! each other in one access unit.

mod depacketizer;
mod packetizer;

pub use depacketizer::{Depacketizer, Frames};
pub use packetizer::packetize;

/// Bits of the first byte (section 4.2).
mod flag {
    pub(super) const PICTURE_ID: u8 = 0x80;
    pub(super) const INTER_PREDICTED: u8 = 0x40;
    pub(super) const LAYERS: u8 = 0x20;
    pub(super) const FLEXIBLE: u8 = 0x10;
    pub(super) const BEGINS: u8 = 0x08;
    pub(super) const ENDS: u8 = 0x04;
    pub(super) const SCALABILITY: u8 = 0x02;
}
