//! Why a tag body was refused.

use crate::demuxer::MAX_TRACKS;
use crate::foreign::ForeignCodec;
use media::Kind;
use media::codec::{aac, ac3, av1, flac, h264, h265, mpeg_audio, nal, opus, vp8, vp9};

/// Why a tag body was refused. None of these is fatal: the tag that caused it is left out, the demuxer's
/// tracks are what they were before, and the caller may go on with the next tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body ends inside its own header.
    #[error("{} tag of {length} bytes ends inside its header", kind_name(*.kind))]
    Truncated {
        /// Which kind of tag.
        kind: Kind,
        /// Bytes in the body, or in the track's part of it.
        length: usize,
    },
    /// A codec that is not carried. Its text says which.
    #[error("{0} is not carried")]
    Codec(ForeignCodec),
    /// A packet type that the specification does not define, or that is not used with FLV.
    #[error("{} tag has the undefined packet type {value}", kind_name(*.kind))]
    PacketType {
        /// Which kind of tag.
        kind: Kind,
        /// The value found.
        value: u8,
    },
    /// A layout of multitrack bodies that the specification does not define.
    #[error("multitrack tag has the undefined type {0}")]
    Multitrack(u8),
    /// A track beyond [`MAX_TRACKS`].
    #[error("{} track {track} is one too many: at most {MAX_TRACKS} are carried", kind_name(*.kind))]
    Track {
        /// Which kind of tag.
        kind: Kind,
        /// Its number, from 0.
        track: u8,
    },
    /// The AVC sequence header cannot be used.
    #[error("AVC sequence header: {0}")]
    Avc(#[from] h264::ConfigError),
    /// The HEVC sequence header cannot be used.
    #[error("HEVC sequence header: {0}")]
    Hevc(#[from] h265::ConfigError),
    /// The AV1 sequence header cannot be used.
    #[error("AV1 sequence header: {0}")]
    Av1(#[from] av1::ConfigError),
    /// A VP8 key frame cannot be used.
    #[error("VP8 tag: {0}")]
    Vp8(#[from] vp8::ConfigError),
    /// A VP9 key frame cannot be used.
    #[error("VP9 tag: {0}")]
    Vp9(#[from] vp9::ConfigError),
    /// The AAC sequence header cannot be used.
    #[error("AAC sequence header: {0}")]
    Aac(#[from] aac::ConfigError),
    /// The Opus sequence header cannot be used.
    #[error("Opus sequence header: {0}")]
    Opus(#[from] opus::ConfigError),
    /// An Opus packet that is none.
    #[error("Opus tag holds no packet")]
    OpusPacket,
    /// The FLAC sequence header cannot be used.
    #[error("FLAC sequence header: {0}")]
    Flac(#[from] flac::ConfigError),
    /// An AC-3 frame cannot be used.
    #[error("AC-3 tag: {0}")]
    Ac3(#[from] ac3::HeaderError),
    /// An MP3 frame cannot be used.
    #[error("MP3 tag: {0}")]
    Mp3(#[from] mpeg_audio::HeaderError),
    /// MPEG audio of another layer.
    #[error("MP3 tag holds MPEG audio of layer {0}, not III")]
    Layer(u8),
    /// The NAL units of a video tag do not fill it.
    #[error("video tag: {0}")]
    Nal(#[from] nal::NalError),
    /// The OBUs of a video tag do not fill it.
    #[error("AV1 tag: {0}")]
    Obu(#[from] av1::ObuError),
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}
