//! AAC as `MP4A-LATM` (RFC 6416 section 6, and RFC 3016 before it): elements of the low-overhead transport
//! multiplex (ISO/IEC 14496-3 clause 1.7), one in a payload or in several.

mod depacketizer;

pub use depacketizer::Depacketizer;
pub use media::codec::latm::{Multiplex, MultiplexError};
