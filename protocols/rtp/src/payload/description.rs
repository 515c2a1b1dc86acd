//! How a codec is sent: what a session description says of it, and its payloads.

use super::{Format, Payloads, Writer, aac, g711, h264, h265, opus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use media::Codec;
use media::codec::g711::Law;
use media::codec::nal::NalError;
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
            } => Self {
                encoding: match law {
                    Law::A => "PCMA",
                    Law::Mu => "PCMU",
                },
                clock_rate: sample_rate.ticks_per_second(),
                channels: *channels,
                parameters: String::new(),
            },
            _ => return None,
        })
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

/// Cuts an access unit of any codec into payloads of at most `max_payload` bytes, as described by
/// [`Description`].
///
/// # Errors
/// When a length of NAL units reaches past the end of the access unit.
pub fn packetize(codec: &Codec, unit: &[u8], max_payload: usize) -> Result<Payloads, NalError> {
    match codec {
        Codec::H264(config) => h264::packetize(unit, Some(config), max_payload),
        Codec::H265(config) => h265::packetize(unit, Some(config), max_payload),
        Codec::Aac(_) => Ok(aac::packetize(unit, max_payload)),
        Codec::Opus(_) => Ok(opus::packetize(unit)),
        Codec::G711 { .. } => Ok(g711::packetize(unit, max_payload)),
        // Not described, and so never sent.
        _ => Ok(Writer::default().finish()),
    }
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
