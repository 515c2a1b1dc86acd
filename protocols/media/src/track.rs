//! What a stream carries: one entry per elementary stream.

use crate::Timebase;
use crate::codec::{aac, h264};

/// Number of a track within its stream, given by whoever declares it; stable while the stream lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u16);

/// What a track is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// One elementary stream: its codec with the configuration a decoder needs, and its clock.
///
/// A change of configuration is a new `Track` value with the same [`TrackId`], not a new track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Number within the stream.
    pub id: TrackId,
    /// Codec and decoder configuration.
    pub codec: Codec,
    /// Clock of every [`AccessUnit`](crate::AccessUnit) of this track.
    pub timebase: Timebase,
}

impl Track {
    /// What the track is for, known from its codec.
    pub const fn kind(&self) -> Kind {
        self.codec.kind()
    }
}

/// A codec and its decoder configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 / AVC, ISO/IEC 14496-10. Payloads are NAL units, each behind a 4-byte length.
    H264(h264::Config),
    /// MPEG-4 AAC, ISO/IEC 14496-3. Payloads are raw access units, without ADTS or LATM framing.
    Aac(aac::Config),
}

impl Codec {
    /// What tracks of this codec are for.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::H264(_) => Kind::Video,
            Self::Aac(_) => Kind::Audio,
        }
    }

    /// The codec's usual name, as shown to people and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::H264(_) => "H264",
            Self::Aac(_) => "AAC",
        }
    }

    /// The `codecs` parameter of RFC 6381, such as `avc1.64001f` or `mp4a.40.2`.
    pub fn rfc6381(&self) -> String {
        match self {
            Self::H264(config) => config.rfc6381(),
            Self::Aac(config) => config.rfc6381(),
        }
    }
}
