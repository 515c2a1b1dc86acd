//! AV1 ("RTP Payload Format For AV1" version 1.0): OBUs without their sizes, several in a payload, and cut anywhere.

mod depacketizer;
mod packetizer;

pub use depacketizer::{Depacketizer, TemporalUnits};
pub use packetizer::packetize;

/// Bits of the aggregation header (section 4.4).
mod flag {
    /// The first element goes on from the payload before.
    pub(super) const CONTINUES: u8 = 0x80;
    /// The last element goes on in the next payload.
    pub(super) const TO_BE_CONTINUED: u8 = 0x40;
    /// A coded video sequence begins.
    pub(super) const NEW_SEQUENCE: u8 = 0x08;
}
