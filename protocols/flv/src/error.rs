//! Why a tag body was refused.

use crate::foreign::ForeignCodec;
use media::Kind;
use media::codec::{aac, h264, nal};

/// Why a tag body was refused. None of these is fatal: the tag that caused it is left out, the demuxer's
/// tracks are what they were before, and the caller may go on with the next tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body ends inside its own header.
    #[error("{} tag of {length} bytes ends inside its header", kind_name(*.kind))]
    Truncated {
        /// Which kind of tag.
        kind: Kind,
        /// Bytes in the body.
        length: usize,
    },
    /// A codec that is not carried. Its text says which.
    #[error("{0} is not carried; H.264 and AAC are")]
    Codec(ForeignCodec),
    /// An AVC or AAC packet type that the specification does not define.
    #[error("{} tag has the undefined packet type {value}", kind_name(*.kind))]
    PacketType {
        /// Which kind of tag.
        kind: Kind,
        /// The value found.
        value: u8,
    },
    /// The AVC sequence header cannot be used.
    #[error("AVC sequence header: {0}")]
    Avc(#[from] h264::ConfigError),
    /// The AAC sequence header cannot be used.
    #[error("AAC sequence header: {0}")]
    Aac(#[from] aac::ConfigError),
    /// The NAL units of a video tag do not fill it.
    #[error("AVC video tag: {0}")]
    Nal(#[from] nal::NalError),
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}
