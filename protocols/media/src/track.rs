//! What a stream carries: one entry per elementary stream.

use crate::Timebase;
use crate::codec::{aac, g711, h264, h265, opus};

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
    /// H.265 / HEVC, ISO/IEC 23008-2. Payloads are NAL units, each behind a 4-byte length.
    H265(h265::Config),
    /// MPEG-4 AAC, ISO/IEC 14496-3. Payloads are raw access units, without ADTS or LATM framing.
    Aac(aac::Config),
    /// Opus, RFC 6716. Payloads are packets, without Ogg or self-delimiting framing. The natural timebase
    /// is [`opus::TIMEBASE`].
    Opus(opus::Config),
    /// G.711, ITU-T G.711. Payloads are samples of one byte, those of all channels together.
    G711 {
        /// How they are companded.
        law: g711::Law,
        /// Samples per second and channel, and so the track's natural timebase.
        sample_rate: Timebase,
        /// Number of channels.
        channels: u8,
    },
}

impl Codec {
    /// What tracks of this codec are for.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::H264(_) | Self::H265(_) => Kind::Video,
            Self::Aac(_) | Self::Opus(_) | Self::G711 { .. } => Kind::Audio,
        }
    }

    /// The codec's usual name, as shown to people and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::H264(_) => "H264",
            Self::H265(_) => "H265",
            Self::Aac(_) => "AAC",
            Self::Opus(_) => "Opus",
            Self::G711 { law, .. } => law.name(),
        }
    }

    /// The `codecs` parameter of RFC 6381, such as `avc1.64001f`, `hvc1.1.6.L93.B0` or `mp4a.40.2`; `None`
    /// where none is registered.
    pub fn rfc6381(&self) -> Option<String> {
        match self {
            Self::H264(config) => Some(config.rfc6381()),
            Self::H265(config) => Some(config.rfc6381()),
            Self::Aac(config) => Some(config.rfc6381()),
            Self::Opus(config) => Some(config.rfc6381()),
            Self::G711 { .. } => None,
        }
    }

    /// Width and height of the pictures in samples, after cropping; `None` for sound.
    pub const fn size(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(config) => Some((config.video.width, config.video.height)),
            Self::H265(config) => Some((config.video.width, config.video.height)),
            Self::Aac(_) | Self::Opus(_) | Self::G711 { .. } => None,
        }
    }

    /// Width to height of a sample of the pictures, where the stream tells.
    pub const fn sample_aspect_ratio(&self) -> Option<(u16, u16)> {
        match self {
            Self::H264(config) => config.video.sample_aspect_ratio,
            Self::H265(config) => config.video.sample_aspect_ratio,
            Self::Aac(_) | Self::Opus(_) | Self::G711 { .. } => None,
        }
    }

    /// Pictures per second as (numerator, denominator), where the stream tells; encoders are often wrong
    /// about it.
    pub const fn frame_rate(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(config) => config.video.frame_rate,
            Self::H265(config) => config.video.frame_rate,
            Self::Aac(_) | Self::Opus(_) | Self::G711 { .. } => None,
        }
    }

    /// Number of channels of the sound, where it is known without decoding; `None` for pictures.
    pub const fn channels(&self) -> Option<u8> {
        let channels = match self {
            Self::H264(_) | Self::H265(_) => 0,
            Self::Aac(config) => config.channels,
            Self::Opus(config) => config.channels,
            Self::G711 { channels, .. } => *channels,
        };
        if channels > 0 { Some(channels) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_described_alike_whatever_the_codec() {
        let g711 = |law| Codec::G711 {
            law,
            sample_rate: Timebase::MILLIS,
            channels: 1,
        };
        let cases = [
            (
                Codec::Aac(aac::Config::low_complexity(48_000, 2).unwrap()),
                ("AAC", Some("mp4a.40.2"), Some(2)),
            ),
            (
                Codec::Opus(opus::Config::new(2, 312, 48_000).unwrap()),
                ("Opus", Some("opus"), Some(2)),
            ),
            (g711(g711::Law::A), ("PCMA", None, Some(1))),
            (g711(g711::Law::Mu), ("PCMU", None, Some(1))),
        ];
        for (codec, (name, parameter, channels)) in cases {
            assert_eq!((codec.kind(), codec.name()), (Kind::Audio, name));
            assert_eq!(codec.rfc6381().as_deref(), parameter);
            assert_eq!(codec.channels(), channels);
            assert_eq!(codec.size(), None);
        }
    }
}
