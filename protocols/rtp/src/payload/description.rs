//! How a codec is sent: what a session description says of it, and its payloads.

use super::{Format, Payloads, aac, av1, data, framed, h264, h265, jpeg, opus, samples, vp8, vp9};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use media::codec::av1::ObuError;
use media::codec::g711::Law;
use media::codec::nal::NalError;
use media::{Codec, Data};
use std::fmt::Write;

/// What a session description says of a codec: a [`Format`] that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Encoding name for `rtpmap`.
    pub encoding: &'static str,
    /// Clock rate for `rtpmap`, on which timestamps are to be.
    pub clock_rate: u32,
    /// Number of channels for `rtpmap`; 1, which is not written, for pictures.
    pub channels: u8,
    /// What stands behind the payload type in `fmtp`; may be empty.
    pub parameters: String,
}

impl Description {
    /// Of a codec in this configuration; none where there is no payload format for it.
    pub fn of(codec: &Codec) -> Option<Self> {
        let pictures = |encoding, parameters| Self {
            encoding,
            clock_rate: 90_000,
            channels: 1,
            parameters,
        };
        Some(match codec {
            Codec::H264(config) => {
                let video = &config.video;
                let sets = config.sps.iter().chain(&config.pps);
                let parameters = format!(
                    "packetization-mode=1;profile-level-id={:02X}{:02X}{:02X};sprop-parameter-sets={}",
                    video.profile_idc,
                    video.constraints,
                    video.level_idc,
                    base64(sets)
                );
                pictures("H264", parameters)
            }
            Codec::H265(config) => {
                let parameters = format!(
                    "sprop-vps={};sprop-sps={};sprop-pps={}",
                    base64(&config.vps),
                    base64(&config.sps),
                    base64(&config.pps)
                );
                pictures("H265", parameters)
            }
            Codec::Aac(config) => {
                let mut parameters = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;\
                                      indexlength=3;indexdeltalength=3;config="
                    .to_owned();
                for byte in &config.specific_config {
                    // Writing to a String cannot fail.
                    let _ = write!(parameters, "{byte:02X}");
                }
                Self {
                    encoding: "mpeg4-generic",
                    clock_rate: config.sample_rate.ticks_per_second(),
                    channels: config.channels.max(1),
                    parameters,
                }
            }
            Codec::Opus(config) if config.mapping.is_none() => Self {
                encoding: "opus",
                clock_rate: opus::CLOCK_RATE,
                // Always 2, whatever is in the packets (RFC 7587 section 7).
                channels: 2,
                parameters: match config.channels {
                    2 => "sprop-stereo=1".to_owned(),
                    _ => String::new(),
                },
            },
            Codec::G711 {
                law,
                sample_rate,
                channels,
            } => Self::sound(
                match law {
                    Law::A => "PCMA",
                    Law::Mu => "PCMU",
                },
                sample_rate.ticks_per_second(),
                *channels,
            ),
            // The clock that RFC 3551 section 4.5.2 gives by mistake, and keeps.
            Codec::G722 { channels } => Self::sound("G722", 8_000, *channels),
            Codec::G726(bits) => Self::sound(bits.name(), 8_000, 1),
            Codec::L16 {
                sample_rate,
                channels,
            } => Self::sound("L16", sample_rate.ticks_per_second(), *channels),
            Codec::MpegAudio(_) => Self::sound("MPA", 90_000, 1),
            Codec::Ac3(config) => Self::sound(
                if config.enhanced { "eac3" } else { "ac3" },
                config.sample_rate.ticks_per_second(),
                config.channels,
            ),
            Codec::Av1(config) => {
                let video = &config.video;
                let (profile, level, tier) =
                    (video.profile, video.level, u8::from(video.high_tier));
                pictures(
                    "AV1",
                    format!("profile={profile};level-idx={level};tier={tier}"),
                )
            }
            Codec::Vp8(_) => pictures("VP8", String::new()),
            Codec::Vp9(config) => pictures("VP9", format!("profile-id={}", config.profile)),
            Codec::Jpeg(_) => pictures("JPEG", String::new()),
            Codec::Data(Data::Klv) => pictures("smpte336m", String::new()),
            Codec::Data(Data::OnvifMetadata) => pictures("vnd.onvif.metadata", String::new()),
            // Opus of more than two channels, FLAC and other data have no payload format.
            Codec::Opus(_) | Codec::Flac(_) | Codec::Data(_) => return None,
        })
    }

    fn sound(encoding: &'static str, clock_rate: u32, channels: u8) -> Self {
        Self {
            encoding,
            clock_rate,
            channels: channels.max(1),
            parameters: String::new(),
        }
    }

    /// As it is read.
    pub fn format(&self) -> Format<'_> {
        Format {
            encoding: self.encoding,
            clock_rate: self.clock_rate,
            channels: self.channels,
            parameters: &self.parameters,
        }
    }
}

/// Why an access unit cannot be cut into payloads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketizeError {
    /// A NAL unit of H.264 or H.265.
    #[error(transparent)]
    Nal(#[from] NalError),
    /// An OBU of AV1.
    #[error(transparent)]
    Obu(#[from] ObuError),
    /// A JPEG image that the payload format has no words for.
    #[error(transparent)]
    Jpeg(#[from] jpeg::ImageError),
    /// A codec without a [`Description`].
    #[error("{0} has no payload format")]
    Codec(&'static str),
}

/// Cuts an access unit of any codec into payloads of at most `max_payload` bytes, as described by
/// [`Description`].
///
/// # Errors
/// When the access unit is not what its codec prescribes, or the payload format has no words for it.
pub fn packetize(
    codec: &Codec,
    unit: &[u8],
    max_payload: usize,
) -> Result<Payloads, PacketizeError> {
    Ok(match codec {
        Codec::H264(config) => h264::packetize(unit, Some(config), max_payload)?,
        Codec::H265(config) => h265::packetize(unit, Some(config), max_payload)?,
        Codec::Av1(_) => av1::packetize(unit, max_payload)?,
        Codec::Vp8(_) => vp8::packetize(unit, max_payload),
        Codec::Vp9(_) => vp9::packetize(unit, max_payload),
        Codec::Jpeg(_) => jpeg::packetize(unit, max_payload)?,
        Codec::Aac(_) => aac::packetize(unit, max_payload),
        Codec::Opus(_) => opus::packetize(unit),
        Codec::MpegAudio(_) => framed::packetize(framed::Kind::MpegAudio, unit, max_payload),
        Codec::Ac3(config) => {
            let kind = match config.enhanced {
                true => framed::Kind::EnhancedAc3,
                false => framed::Kind::Ac3,
            };
            framed::packetize(kind, unit, max_payload)
        }
        Codec::G711 { .. } | Codec::G722 { .. } | Codec::G726(_) | Codec::L16 { .. } => {
            samples::packetize(codec, unit, max_payload)
        }
        Codec::Data(Data::Klv | Data::OnvifMetadata) => data::packetize(unit, max_payload),
        Codec::Flac(_) | Codec::Data(_) => return Err(PacketizeError::Codec(codec.name())),
    })
}

fn base64<'a>(sets: impl IntoIterator<Item = &'a Bytes>) -> String {
    let sets: Vec<_> = sets.into_iter().map(|set| STANDARD.encode(set)).collect();
    sets.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{HEVC_PPS, HEVC_SPS, HEVC_VPS, PPS, SPS, input};
    use crate::payload::{Damaged, Depacketizer, Event};
    use media::Timebase;
    use media::codec::{aac as aac_codec, h264 as avc, h265 as hevc, opus as opus_codec};

    fn codecs() -> Vec<(Codec, Vec<u8>)> {
        let set = |set| vec![Bytes::from_static(set)];
        let hevc = hevc::Config::new(set(HEVC_VPS), set(HEVC_SPS), set(HEVC_PPS));
        vec![
            (
                Codec::H264(avc::Config::new(set(SPS), set(PPS)).unwrap()),
                vec![0, 0, 0, 2, 0x65, 0x88],
            ),
            (Codec::H265(hevc.unwrap()), vec![0, 0, 0, 3, 38, 1, 0x80]),
            (
                Codec::Aac(aac_codec::Config::low_complexity(44_100, 2).unwrap()),
                vec![1; 300],
            ),
            (
                Codec::Opus(opus_codec::Config::new(2, 312, 0).unwrap()),
                vec![0xfc, 1],
            ),
            (
                Codec::G711 {
                    law: Law::A,
                    sample_rate: Timebase::new(8_000).unwrap(),
                    channels: 1,
                },
                vec![7; 100],
            ),
        ]
    }

    #[test]
    fn what_is_described_and_sent_is_received() {
        for (codec, unit) in codecs() {
            let description = Description::of(&codec).unwrap();
            let mut depacketizer = Depacketizer::new(&description.format(), Damaged::Drop).unwrap();
            assert_eq!(depacketizer.pull(), Some(Event::Codec(codec.clone())));
            let payloads = packetize(&codec, &unit, 1_200).unwrap();
            for (index, payload) in payloads.iter().enumerate() {
                let marker = index + 1 == payloads.len();
                depacketizer
                    .push(&input(9, marker, false, payload))
                    .unwrap();
            }
            match depacketizer.pull() {
                Some(Event::Unit(found)) => {
                    assert_eq!((found.timestamp, &found.payload[..]), (9, &unit[..]));
                }
                other => panic!("{}: {other:?}", codec.name()),
            }
            assert_eq!(depacketizer.pull(), None);
        }
    }

    #[test]
    fn descriptions() {
        let parameters: Vec<_> = codecs()
            .iter()
            .filter_map(|(codec, _)| Description::of(codec))
            .map(|description| description.parameters)
            .collect();
        assert_eq!(
            parameters[0],
            "packetization-mode=1;profile-level-id=42C00A;sprop-parameter-sets=Z0LACtp5,aM48gA=="
        );
        assert!(parameters[1].starts_with("sprop-vps=QAEMAf//"));
        assert!(parameters[2].ends_with(";config=1210"));
        assert_eq!(parameters[3..], ["sprop-stereo=1", ""]);
    }
}
