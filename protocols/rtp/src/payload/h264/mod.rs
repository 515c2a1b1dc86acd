//! H.264 (RFC 6184): single NAL units, aggregates (STAP-A) and fragments (FU-A), which is packetization mode
//! 1; their counterparts with a decoding order number (STAP-B, FU-B) are read.

mod depacketizer;
mod packetizer;

pub use depacketizer::Depacketizer;
pub use packetizer::packetize;

/// The type of a STAP-A: several NAL units in one payload (section 5.7.1).
pub const STAP_A: u8 = 24;

/// The type of a STAP-B: a STAP-A with a decoding order number (section 5.7.1).
pub const STAP_B: u8 = 25;

/// The types of MTAPs: NAL units of several times in one payload (section 5.7.2).
const MTAPS: [u8; 2] = [26, 27];

/// The type of an FU-A: a part of one NAL unit (section 5.8).
pub const FU_A: u8 = 28;

/// The type of an FU-B: the first part of one NAL unit, with a decoding order number (section 5.8).
pub const FU_B: u8 = 29;
