//! What a stream carries: one entry per elementary stream.

use crate::Timebase;
use crate::codec::{aac, ac3, av1, flac, g711, g726, h264, h265, jpeg, mpeg_audio, opus, vp8, vp9};
use bytes::Bytes;

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
    /// Data that goes with them: measurements, cues, subtitles. It comes when there is something to say.
    Data,
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

    /// Memory that it takes with its configuration, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>().saturating_add(self.codec.memory())
    }
}

/// A codec and its decoder configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 / AVC, ISO/IEC 14496-10. Payloads are NAL units, each behind a 4-byte length.
    H264(h264::Config),
    /// H.265 / HEVC, ISO/IEC 23008-2. Payloads are NAL units, each behind a 4-byte length.
    H265(h265::Config),
    /// AV1. Payloads are temporal units: OBUs that each say their size, without temporal delimiters.
    Av1(av1::Config),
    /// VP9. Payloads are frames, or superframes.
    Vp9(vp9::Config),
    /// VP8, RFC 6386. Payloads are frames.
    Vp8(vp8::Config),
    /// Motion JPEG, ITU-T T.81. Payloads are whole JPEG images.
    Jpeg(jpeg::Config),
    /// MPEG-4 AAC, ISO/IEC 14496-3. Payloads are raw access units, without ADTS or LATM framing.
    Aac(aac::Config),
    /// Opus, RFC 6716. Payloads are packets, without Ogg or self-delimiting framing. The natural timebase
    /// is [`opus::TIMEBASE`].
    Opus(opus::Config),
    /// MPEG-1 and MPEG-2 audio of layers I to III (MP3), ISO/IEC 11172-3 and 13818-3. Payloads are frames with
    /// their headers.
    MpegAudio(mpeg_audio::Config),
    /// AC-3 and E-AC-3, ETSI TS 102 366. Payloads are sync frames, those of one time together.
    Ac3(ac3::Config),
    /// FLAC, RFC 9639. Payloads are frames.
    Flac(flac::Config),
    /// G.711, ITU-T G.711. Payloads are samples of one byte, those of all channels together.
    G711 {
        /// How they are companded.
        law: g711::Law,
        /// Samples per second and channel, and so the track's natural timebase.
        sample_rate: Timebase,
        /// Number of channels.
        channels: u8,
    },
    /// G.722, ITU-T G.722 at 64 kbit/s: a byte is two samples at 16 kHz of a channel.
    G722 {
        /// Number of channels, whose bytes alternate.
        channels: u8,
    },
    /// G.726, ITU-T G.726, mono at 8 kHz.
    G726(g726::Bits),
    /// Linear PCM of 16 bits, big-endian, the samples of all channels together (L16, RFC 3551 section 4.5.11).
    L16 {
        /// Samples per second and channel, and so the track's natural timebase.
        sample_rate: Timebase,
        /// Number of channels.
        channels: u8,
    },
    /// Data in a form that is passed on, not understood.
    Data(Data),
}

/// What the payloads of a data track are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// Key-length-value triplets (SMPTE ST 336).
    Klv,
    /// XML documents of a camera's analytics (ONVIF Streaming Specification, section 5.1.2.1.1).
    OnvifMetadata,
    /// Splice information sections (ANSI/SCTE 35), whose times count from the presentation time of their unit.
    Scte35,
    /// ID3v2 tags (Timed Metadata for HTTP Live Streaming).
    Id3,
    /// Teletext data units behind their identifier (ETSI EN 300 472). With the content of the descriptor that says
    /// languages and pages (ETSI EN 300 468 clause 6.2.43); empty where there is none.
    Teletext(Bytes),
    /// DVB subtitling segments behind their identifier (ETSI EN 300 743). With the content of the descriptor that says
    /// languages and pages (ETSI EN 300 468 clause 6.2.41).
    DvbSubtitles(Bytes),
}

impl Data {
    /// The usual name, as shown to people and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Klv => "KLV",
            Self::OnvifMetadata => "ONVIF metadata",
            Self::Scte35 => "SCTE-35",
            Self::Id3 => "ID3",
            Self::Teletext(_) => "teletext",
            Self::DvbSubtitles(_) => "DVB subtitles",
        }
    }
}

impl Codec {
    /// What tracks of this codec are for.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::H264(_)
            | Self::H265(_)
            | Self::Av1(_)
            | Self::Vp9(_)
            | Self::Vp8(_)
            | Self::Jpeg(_) => Kind::Video,
            Self::Aac(_)
            | Self::Opus(_)
            | Self::MpegAudio(_)
            | Self::Ac3(_)
            | Self::Flac(_)
            | Self::G711 { .. }
            | Self::G722 { .. }
            | Self::G726(_)
            | Self::L16 { .. } => Kind::Audio,
            Self::Data(_) => Kind::Data,
        }
    }

    /// Memory that its configuration takes beside itself, in bytes. What others share is counted all the same.
    fn memory(&self) -> usize {
        let of = |sets: &[Bytes]| -> usize {
            let each = |set: &Bytes| size_of::<Bytes>().saturating_add(set.len());
            sets.iter().map(each).sum()
        };
        match self {
            Self::H264(config) => of(&config.sps) + of(&config.pps),
            Self::H265(config) => of(&config.vps) + of(&config.sps) + of(&config.pps),
            Self::Av1(config) => config.sequence_header.len(),
            Self::Aac(config) => config.specific_config.len(),
            Self::Opus(config) => config.mapping.as_ref().map_or(0, Bytes::len),
            Self::Flac(config) => config.stream_info.len(),
            Self::Data(Data::Teletext(descriptor) | Data::DvbSubtitles(descriptor)) => {
                descriptor.len()
            }
            // Numbers, or some ten bytes.
            _ => 0,
        }
    }

    /// The codec's usual name, as shown to people and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::H264(_) => "H264",
            Self::H265(_) => "H265",
            Self::Av1(_) => "AV1",
            Self::Vp9(_) => "VP9",
            Self::Vp8(_) => "VP8",
            Self::Jpeg(_) => "MJPEG",
            Self::Aac(_) => "AAC",
            Self::Opus(_) => "Opus",
            Self::MpegAudio(config) => config.name(),
            Self::Ac3(config) => config.name(),
            Self::Flac(_) => "FLAC",
            Self::G711 { law, .. } => law.name(),
            Self::G722 { .. } => "G722",
            Self::G726(bits) => bits.name(),
            Self::L16 { .. } => "L16",
            Self::Data(data) => data.name(),
        }
    }

    /// The `codecs` parameter of RFC 6381, such as `avc1.64001f`, `hvc1.1.6.L93.B0` or `mp4a.40.2`; `None`
    /// where none is registered.
    pub fn rfc6381(&self) -> Option<String> {
        match self {
            Self::H264(config) => Some(config.rfc6381()),
            Self::H265(config) => Some(config.rfc6381()),
            Self::Av1(config) => Some(config.rfc6381()),
            Self::Vp9(config) => Some(config.rfc6381()),
            Self::Vp8(config) => Some(config.rfc6381()),
            Self::Aac(config) => Some(config.rfc6381()),
            Self::Opus(config) => Some(config.rfc6381()),
            Self::MpegAudio(config) => Some(config.rfc6381()),
            Self::Ac3(config) => Some(config.rfc6381()),
            Self::Flac(config) => Some(config.rfc6381()),
            Self::Jpeg(_)
            | Self::G711 { .. }
            | Self::G722 { .. }
            | Self::G726(_)
            | Self::L16 { .. }
            | Self::Data(_) => None,
        }
    }

    /// Width and height of the pictures in samples, after cropping; `None` for sound and data.
    pub const fn size(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(config) => Some((config.video.width, config.video.height)),
            Self::H265(config) => Some((config.video.width, config.video.height)),
            Self::Av1(config) => Some((config.video.width, config.video.height)),
            Self::Vp9(config) => Some((config.width as u32, config.height as u32)),
            Self::Vp8(config) => Some((config.width as u32, config.height as u32)),
            Self::Jpeg(config) => Some((config.width as u32, config.height as u32)),
            _ => None,
        }
    }

    /// Width to height of a sample of the pictures, where the stream tells.
    pub const fn sample_aspect_ratio(&self) -> Option<(u16, u16)> {
        match self {
            Self::H264(config) => config.video.sample_aspect_ratio,
            Self::H265(config) => config.video.sample_aspect_ratio,
            _ => None,
        }
    }

    /// Pictures per second as (numerator, denominator), where the stream tells; encoders are often wrong
    /// about it.
    pub const fn frame_rate(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(config) => config.video.frame_rate,
            Self::H265(config) => config.video.frame_rate,
            Self::Av1(config) => config.video.frame_rate,
            _ => None,
        }
    }

    /// Number of channels of the sound, where it is known without decoding; `None` for pictures and data.
    pub const fn channels(&self) -> Option<u8> {
        let channels = match self {
            Self::Aac(config) => config.channels,
            Self::Opus(config) => config.channels,
            Self::MpegAudio(config) => config.channels,
            Self::Ac3(config) => config.channels,
            Self::Flac(config) => config.channels,
            Self::G711 { channels, .. } | Self::G722 { channels } | Self::L16 { channels, .. } => {
                *channels
            }
            Self::G726(_) => 1,
            _ => 0,
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
