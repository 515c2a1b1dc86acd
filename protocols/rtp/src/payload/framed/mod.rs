//! Sound in frames that each begin with a sync word and say how long they are: MPEG audio (RFC 2250 section 3.5),
//! AC-3 (RFC 4184) and E-AC-3 (RFC 4598). A payload is a header and whole frames, or a part of one.

mod depacketizer;
mod packetizer;

pub use depacketizer::Depacketizer;
pub use packetizer::packetize;

/// The static payload type of MPEG audio, whose clock is 90 kHz whatever its sampling rate.
pub const MPA: u8 = 14;

/// Which header is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 16 bits that are zero, and where in its frame the payload begins.
    MpegAudio,
    /// Which part of a frame it is, and how many frames or parts there are.
    Ac3,
    /// Whether it is a part of a frame, and how many frames or parts there are.
    EnhancedAc3,
}
