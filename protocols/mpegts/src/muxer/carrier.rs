//! What each codec needs around its access units (clause 2.14 for H.264, 2.17 for H.265; ISO/IEC 14496-3 for ADTS).

use super::MuxError;
use crate::opus;
use crate::psi::descriptor;
use media::codec::{ac3, adts, h264, h265, mpeg_audio, nal, opus as packets};
use media::{AccessUnit, Codec, Data, Timebase};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Longest frame of MPEG audio, and longest frames of one time of AC-3.
const MAX_FRAME: usize = 60_000;

/// What descriptors of ID3 begin with: its format and identifier, twice, and the number of the service.
const ID3: &[u8] = b"\xff\xffID3 \xffID3 \0";

/// A delimiter of H.264 behind its start code, for pictures of any kind of slices.
const AUD_H264: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

/// The same of H.265.
const AUD_H265: [u8; 7] = [0, 0, 0, 1, 0x46, 1, 0x50];

/// How access units of a track are carried.
#[derive(Clone, Debug)]
pub(super) enum Carrier {
    /// Pictures between start codes.
    Pictures {
        /// A delimiter, and behind it the parameter sets, each behind a start code.
        head: Vec<u8>,
        /// How much of it is the delimiter.
        delimiter: usize,
        h265: bool,
    },
    Adts {
        headers: adts::Writer,
        /// Ticks of 90 kHz that a frame lasts.
        duration: i64,
    },
    Opus {
        code: u8,
    },
    /// Frames that bring their headers: MPEG audio.
    MpegAudio {
        /// Of MPEG-1, not of the half sample rates of MPEG-2.
        full_rate: bool,
    },
    /// The same of AC-3.
    Ac3 {
        enhanced: bool,
    },
    Data(Data),
}

impl Carrier {
    pub(super) fn new(codec: &Codec) -> Result<Self, MuxError> {
        let pictures = |aud: &[u8], sets: Vec<&bytes::Bytes>, h265| {
            let mut head = aud.to_vec();
            for set in sets {
                head.extend_from_slice(&START_CODE);
                head.extend_from_slice(set);
            }
            Self::Pictures {
                head,
                delimiter: aud.len(),
                h265,
            }
        };
        Ok(match codec {
            Codec::H264(config) => {
                let sets = config.sps.iter().chain(&config.pps).collect();
                pictures(&AUD_H264, sets, false)
            }
            Codec::H265(config) => {
                let sets = config.vps.iter().chain(&config.sps).chain(&config.pps);
                pictures(&AUD_H265, sets.collect(), true)
            }
            Codec::Aac(config) => Self::Adts {
                headers: adts::Writer::new(config)?,
                duration: config
                    .sample_rate
                    .rescale(config.frame_length.into(), Timebase::VIDEO),
            },
            Codec::Opus(config) => Self::Opus {
                code: opus::code(config).ok_or(MuxError::Channels(config.channels))?,
            },
            Codec::MpegAudio(config) => Self::MpegAudio {
                full_rate: config.sample_rate.ticks_per_second() >= 32_000,
            },
            Codec::Ac3(config) => Self::Ac3 {
                enhanced: config.enhanced,
            },
            Codec::Data(data) if *data != Data::OnvifMetadata => Self::Data(data.clone()),
            _ => return Err(MuxError::Codec(codec.name())),
        })
    }

    /// `stream_type` and descriptors.
    pub(super) fn stream(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Pictures { h265: false, .. } => (0x1b, Vec::new()),
            Self::Pictures { h265: true, .. } => (0x24, Vec::new()),
            Self::Adts { .. } => (0x0f, Vec::new()),
            Self::Opus { code } => (0x06, opus::descriptors(*code)),
            Self::MpegAudio { full_rate: true } => (0x03, Vec::new()),
            Self::MpegAudio { full_rate: false } => (0x04, Vec::new()),
            Self::Ac3 { enhanced: false } => (0x81, descriptor::registration(b"AC-3")),
            Self::Ac3 { enhanced: true } => (0x87, descriptor::registration(b"EAC3")),
            Self::Data(data) => match data {
                Data::Scte35 => (0x86, Vec::new()),
                Data::Id3 => (
                    0x15,
                    descriptor::write(descriptor::METADATA, &[ID3, &[0x0f]].concat()),
                ),
                Data::Teletext(content) => (0x06, descriptor::write(descriptor::TELETEXT, content)),
                Data::DvbSubtitles(content) => {
                    (0x06, descriptor::write(descriptor::SUBTITLING, content))
                }
                Data::Klv | Data::OnvifMetadata => (0x06, descriptor::registration(b"KLVA")),
            },
        }
    }

    /// Descriptors of the program of that number, for such a stream in it.
    pub(super) fn program(&self, number: u16) -> Vec<u8> {
        match self {
            Self::Data(Data::Scte35) => descriptor::registration(b"CUEI"),
            Self::Data(Data::Id3) => {
                // In the same program.
                let content = [ID3, &[0x1f], &number.to_be_bytes()].concat();
                descriptor::write(descriptor::METADATA_POINTER, &content)
            }
            _ => Vec::new(),
        }
    }

    /// `stream_id` of the track that is the `number`th of its kind.
    pub(super) const fn stream_id(&self, number: u8) -> u8 {
        match self {
            Self::Pictures { .. } => 0xe0 | number & 0x0f,
            Self::Adts { .. } | Self::MpegAudio { .. } => 0xc0 | number & 0x1f,
            // Private data.
            Self::Opus { .. } | Self::Ac3 { .. } | Self::Data(_) => 0xbd,
        }
    }

    /// What stands in front of a picture, and how many bytes of it are left out, since they are there already:
    /// a delimiter. Parameter sets stand in front of random access points that do not bring their own.
    pub(super) fn picture(&self, unit: &AccessUnit) -> Result<(&[u8], usize), MuxError> {
        let Self::Pictures {
            head,
            delimiter,
            h265,
        } = self
        else {
            return Ok((&[], 0));
        };
        let mut has_sets = false;
        let mut skipped = 0;
        for (number, nal) in nal::units(&unit.payload).enumerate() {
            let nal = nal?;
            let first = nal.first().copied().unwrap_or(0);
            let (is_delimiter, is_set) = if *h265 {
                let kind = first >> 1 & 0x3f;
                (kind == h265::nal_type::AUD, kind == h265::nal_type::SPS)
            } else {
                let kind = first & 0x1f;
                (kind == h264::nal_type::AUD, kind == h264::nal_type::SPS)
            };
            has_sets |= is_set;
            if number == 0 && is_delimiter {
                skipped = nal.len().saturating_add(4);
            }
        }
        let length = if unit.random_access && !has_sets {
            head.len()
        } else {
            *delimiter
        };
        Ok((head.get(..length).unwrap_or_default(), skipped))
    }

    /// How long a frame of sound lasts, in ticks of 90 kHz.
    pub(super) fn duration(&self, frame: &[u8]) -> i64 {
        match self {
            Self::Pictures { .. } | Self::Data(_) => 0,
            Self::Adts { duration, .. } => *duration,
            Self::Opus { .. } => {
                let samples = packets::duration(frame).unwrap_or(0);
                packets::TIMEBASE.rescale(samples.into(), Timebase::VIDEO)
            }
            Self::MpegAudio { .. } => mpeg_audio::Header::parse(frame).map_or(0, |header| {
                header
                    .sample_rate
                    .rescale(header.samples().into(), Timebase::VIDEO)
            }),
            Self::Ac3 { .. } => ac3::Header::parse(frame).map_or(0, |header| {
                header
                    .sample_rate
                    .rescale(header.samples().into(), Timebase::VIDEO)
            }),
        }
    }

    /// Puts a frame of sound with its header behind those that are there.
    pub(super) fn put_frame(&self, out: &mut Vec<u8>, frame: &[u8]) -> Result<(), MuxError> {
        match self {
            Self::Adts { headers, .. } => {
                let header = headers.header(frame.len());
                out.extend_from_slice(&header.ok_or(MuxError::Frame(frame.len()))?);
                out.extend_from_slice(frame);
            }
            Self::Opus { .. } => {
                // 120 ms at 512 kbit/s; the length of a PES packet has 16 bits.
                if frame.len() > adts::MAX_FRAME {
                    return Err(MuxError::Frame(frame.len()));
                }
                opus::put(out, frame);
            }
            Self::MpegAudio { .. } | Self::Ac3 { .. } => {
                // The length of a PES packet has 16 bits.
                if frame.len() > MAX_FRAME {
                    return Err(MuxError::Frame(frame.len()));
                }
                out.extend_from_slice(frame);
            }
            Self::Pictures { .. } | Self::Data(_) => {}
        }
        Ok(())
    }
}
