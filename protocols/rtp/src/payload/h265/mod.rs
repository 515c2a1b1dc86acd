//! H.265 (RFC 7798): single NAL units, aggregates (AP) and fragments (FU), in one stream of packets (SRST).

mod depacketizer;
mod packetizer;

pub use depacketizer::Depacketizer;
pub use packetizer::packetize;

/// The type of an aggregation packet: several NAL units in one payload (section 4.4.2).
pub const AGGREGATE: u8 = 48;

/// The type of a fragmentation unit: a part of one NAL unit (section 4.4.3).
pub const FRAGMENT: u8 = 49;

/// The type of a packet with information about its payload (PACI, section 4.4.4).
pub const PACI: u8 = 50;
