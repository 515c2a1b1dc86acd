//! H.264 (RFC 6184) in packetization mode 1: single NAL units, aggregates (STAP-A) and fragments (FU-A).

mod packetizer;

pub use packetizer::packetize;

/// The type of a STAP-A: several NAL units in one payload (section 5.7.1).
pub const STAP_A: u8 = 24;

/// The type of an FU-A: a part of one NAL unit (section 5.8).
pub const FU_A: u8 = 28;
