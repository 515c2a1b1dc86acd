//! What the camera's streams are in our terms: which of them are carried, and their configurations.

use media::codec::{aac, g711, h264, h265};
use media::{Codec, Timebase};
use retina::client::Stream;
use retina::codec::{ParametersRef, VideoParametersCodec};

/// Why a stream's parameters make no track.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TrackError {
    /// H.264 parameter sets that cannot be read.
    #[error("H.264: {0}")]
    H264(#[from] h264::ConfigError),
    /// H.265 parameter sets that cannot be read.
    #[error("H.265: {0}")]
    H265(#[from] h265::ConfigError),
    /// An AudioSpecificConfig that cannot be read.
    #[error("AAC: {0}")]
    Aac(#[from] aac::ConfigError),
    /// NAL unit lengths that are not of 4 bytes, though such were asked for.
    #[error("NAL unit lengths of {0} bytes")]
    LengthSize(u8),
    /// A codec that is not carried.
    #[error("{0} is not carried")]
    Codec(String),
}

/// The first streams of pictures and of sound that are carried, by their places in `streams`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Pictures.
    pub(super) video: Option<usize>,
    /// Sound.
    pub(super) audio: Option<usize>,
    /// The others, as `MEDIA/ENCODING`.
    pub(super) left_out: Vec<String>,
}

impl Choice {
    /// Chooses among streams described by (media, encoding name, parameters are known).
    pub(super) fn among<'a>(streams: impl Iterator<Item = (&'a str, &'a str, bool)>) -> Self {
        let mut choice = Self::default();
        for (place, (media, encoding, known)) in streams.enumerate() {
            match (media, encoding) {
                ("video", "h264" | "h265") if choice.video.is_none() => choice.video = Some(place),
                // AAC is not set up without its configuration, which has to be in the description.
                ("audio", "mpeg4-generic" | "pcma" | "pcmu") if choice.audio.is_none() && known => {
                    choice.audio = Some(place);
                }
                _ => choice.left_out.push(format!("{media}/{encoding}")),
            }
        }
        choice
    }

    /// Chooses among a session's streams.
    pub(super) fn of(streams: &[Stream]) -> Self {
        let described = streams.iter().map(|stream| {
            let known = stream.parameters().is_some();
            (stream.media(), stream.encoding_name(), known)
        });
        Self::among(described)
    }
}

/// The codec of a stream that has been set up for frames without parameter sets; none while its parameters
/// are not known.
///
/// # Errors
/// When they cannot be read.
pub(super) fn codec(stream: &Stream) -> Result<Option<Codec>, TrackError> {
    match stream.parameters() {
        None | Some(ParametersRef::Message(_)) => Ok(None),
        Some(ParametersRef::Video(video)) => {
            let record = video.extra_data();
            match video.codec_params() {
                VideoParametersCodec::H264 { .. } => avc(record).map(Some),
                VideoParametersCodec::H265 { .. } => hevc(record).map(Some),
                _ => Err(TrackError::Codec(stream.encoding_name().to_owned())),
            }
        }
        Some(ParametersRef::Audio(audio)) => {
            let channels = u8::try_from(audio.channels().get()).unwrap_or(u8::MAX);
            sound(
                stream.encoding_name(),
                audio.extra_data(),
                audio.clock_rate(),
                channels,
            )
            .map(Some)
        }
    }
}

fn avc(record: &[u8]) -> Result<Codec, TrackError> {
    match h264::Config::parse_avcc(&record.to_vec().into())? {
        (config, 4) => Ok(Codec::H264(config)),
        (_, size) => Err(TrackError::LengthSize(size)),
    }
}

fn hevc(record: &[u8]) -> Result<Codec, TrackError> {
    match h265::Config::parse_hvcc(&record.to_vec().into())? {
        (config, 4) => Ok(Codec::H265(config)),
        (_, size) => Err(TrackError::LengthSize(size)),
    }
}

fn sound(encoding: &str, extra: &[u8], rate: u32, channels: u8) -> Result<Codec, TrackError> {
    let law = match encoding {
        "mpeg4-generic" => return Ok(Codec::Aac(aac::Config::parse(&extra.to_vec().into())?)),
        "pcma" => g711::Law::A,
        "pcmu" => g711::Law::Mu,
        other => return Err(TrackError::Codec(other.to_owned())),
    };
    let sample_rate = Timebase::new(rate).ok_or_else(|| TrackError::Codec(encoding.to_owned()))?;
    Ok(Codec::G711 {
        law,
        sample_rate,
        channels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_that_can_be_carried_is_taken() {
        let streams = [
            ("video", "jpeg", true),
            ("audio", "opus", false),
            ("video", "h265", false),
            ("audio", "mpeg4-generic", false),
            ("video", "h264", true),
            ("audio", "pcmu", true),
            ("application", "vnd.onvif.metadata", true),
        ];
        let choice = Choice::among(streams.into_iter());
        assert_eq!((choice.video, choice.audio), (Some(2), Some(5)));
        let left_out = [
            "video/jpeg",
            "audio/opus",
            "audio/mpeg4-generic",
            "video/h264",
            "application/vnd.onvif.metadata",
        ];
        assert_eq!(choice.left_out, left_out);
    }

    #[test]
    fn sound_becomes_a_codec() {
        let rate = Timebase::new(8_000).unwrap();
        let g711 = |law| Codec::G711 {
            law,
            sample_rate: rate,
            channels: 2,
        };
        assert_eq!(sound("pcma", &[], 8_000, 2), Ok(g711(g711::Law::A)));
        assert_eq!(sound("pcmu", &[], 8_000, 2), Ok(g711(g711::Law::Mu)));
        let low_complexity = aac::Config::low_complexity(48_000, 2).unwrap();
        assert_eq!(
            sound("mpeg4-generic", &low_complexity.specific_config, 48_000, 2),
            Ok(Codec::Aac(low_complexity))
        );
        assert!(matches!(
            sound("mpeg4-generic", &[], 1, 1),
            Err(TrackError::Aac(_))
        ));
        assert!(matches!(sound("l16", &[], 1, 1), Err(TrackError::Codec(_))));
        assert!(matches!(
            sound("pcma", &[], 0, 1),
            Err(TrackError::Codec(_))
        ));
    }

    #[test]
    fn broken_records_are_refused() {
        assert!(matches!(avc(&[1, 2, 3]), Err(TrackError::H264(_))));
        assert!(matches!(hevc(&[]), Err(TrackError::H265(_))));
    }
}
