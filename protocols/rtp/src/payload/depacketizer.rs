//! Any depacketizer, chosen by what a session description says of a format.

use super::samples::payload_type;
use super::{
    Damaged, DepacketizerCounts, Event, Input, PayloadError, aac, av1, data, framed, h264, h265,
    jpeg, latm, opus, samples, vp8, vp9,
};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use media::codec::{aac::Config, annex_b, g711::Law, g726, opus as opus_codec};
use media::{Codec, Data, Timebase};

/// Base64 as cameras write it, with and without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What Opus encoders skip at the start where nothing is known of them.
const OPUS_PRE_SKIP: u16 = 312;

/// A format as a session description gives it (RFC 8866 sections 6.6 and 6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format<'a> {
    /// Encoding name of `rtpmap`, in any case.
    pub encoding: &'a str,
    /// Clock rate of `rtpmap`.
    pub clock_rate: u32,
    /// Number of channels of `rtpmap`, 1 where it tells none.
    pub channels: u8,
    /// What `fmtp` says behind the payload type: `NAME=VALUE; NAME=VALUE`.
    pub parameters: &'a str,
}

/// Why a format cannot be received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A codec that is not carried, with its encoding name.
    #[error("{0} is not carried")]
    Codec(String),
    /// A clock that stands still.
    #[error("clock rate 0")]
    ClockRate,
    /// A parameter without which nothing can be read.
    #[error("the format parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter that cannot be used.
    #[error("the format parameter {name}: {problem}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl<'a> Format<'a> {
    /// The format of a static payload type (RFC 3551 section 6), of those that are carried.
    pub const fn of_static(payload_type: u8) -> Option<Format<'static>> {
        let (encoding, clock_rate, channels) = match payload_type {
            payload_type::PCMU => ("PCMU", 8_000, 1),
            payload_type::G726_32 => ("G726-32", 8_000, 1),
            payload_type::PCMA => ("PCMA", 8_000, 1),
            payload_type::G722 => ("G722", 8_000, 1),
            payload_type::L16_STEREO => ("L16", 44_100, 2),
            payload_type::L16_MONO => ("L16", 44_100, 1),
            framed::MPA => ("MPA", 90_000, 1),
            jpeg::JPEG => ("JPEG", 90_000, 1),
            super::mp2t::MP2T => ("MP2T", 90_000, 1),
            _ => return None,
        };
        Some(Format {
            encoding,
            clock_rate,
            channels,
            parameters: "",
        })
    }

    /// The value of a parameter; names are compared without case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let parameters = self.parameters.split(';');
        let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
        let (_, value) = pairs.find(|(found, _)| found.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches('"'))
    }

    fn number(&self, name: &'static str) -> Result<Option<u32>, FormatError> {
        let Some(value) = self.parameter(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let number = value.parse::<u32>();
        number.map(Some).map_err(|_| FormatError::Parameter {
            name,
            problem: format!("{value:?} is no number"),
        })
    }

    /// A number of bits.
    fn bits(&self, name: &'static str) -> Result<Option<u32>, FormatError> {
        match self.number(name)? {
            Some(bits) if bits > 32 => Err(FormatError::Parameter {
                name,
                problem: format!("{bits} bits are too many"),
            }),
            bits => Ok(bits),
        }
    }

    /// Parameter sets, of which those that are not base64 are left out: they may come in the stream.
    fn sets(&self, names: &[&str]) -> Vec<Vec<u8>> {
        let values = names.iter().filter_map(|name| self.parameter(name));
        let sets = values.flat_map(|value| value.split(','));
        sets.filter_map(|set| BASE64.decode(set.trim()).ok())
            .collect()
    }

    fn hex(&self, name: &'static str) -> Result<Option<Vec<u8>>, FormatError> {
        let Some(value) = self.parameter(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let digits: Option<Vec<u8>> = value
            .chars()
            .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
            .collect();
        let digits = digits.ok_or_else(|| FormatError::Parameter {
            name,
            problem: "not hexadecimal".to_owned(),
        })?;
        // Half a byte at the end is filled with zeros.
        let bytes = digits.chunks(2).map(|pair| match pair {
            [high, low] => high << 4 | low,
            rest => rest.first().map_or(0, |high| high << 4),
        });
        Ok(Some(bytes.collect()))
    }
}

/// A depacketizer of any codec. Push a packet, then pull until there is nothing more.
#[derive(Debug)]
#[non_exhaustive]
pub enum Depacketizer {
    /// H.264.
    H264(h264::Depacketizer),
    /// H.265.
    H265(h265::Depacketizer),
    /// AAC as `mpeg4-generic`.
    Aac(aac::Depacketizer),
    /// AAC as `MP4A-LATM`.
    Latm(latm::Depacketizer),
    /// Opus.
    Opus(opus::Depacketizer),
    /// Sound whose samples are of one size: G.711, G.722, G.726, linear PCM.
    Samples(samples::Depacketizer),
    /// MPEG audio, AC-3 and E-AC-3.
    Framed(framed::Depacketizer),
    /// AV1.
    Av1(av1::Depacketizer),
    /// VP8.
    Vp8(vp8::Depacketizer),
    /// VP9.
    Vp9(vp9::Depacketizer),
    /// Motion JPEG.
    Jpeg(jpeg::Depacketizer),
    /// Data.
    Data(data::Depacketizer),
}

impl Depacketizer {
    /// For packets of this format. `MP2T` has no codec of its own: see [`mp2t`](super::mp2t).
    ///
    /// # Errors
    /// A [`FormatError`] when the codec is not carried, or the description does not suffice.
    pub fn new(format: &Format<'_>, policy: Damaged) -> Result<Self, FormatError> {
        let clock = Timebase::new(format.clock_rate).ok_or(FormatError::ClockRate)?;
        let rate = format.clock_rate;
        let channels = format.channels.max(1);
        match format.encoding.to_ascii_uppercase().as_str() {
            "H264" => {
                if format.number("packetization-mode")? == Some(2) {
                    return Err(FormatError::Parameter {
                        name: "packetization-mode",
                        problem: "interleaved H.264 is not read".to_owned(),
                    });
                }
                let sets = format.sets(&["sprop-parameter-sets"]);
                let sets = sets.iter().flat_map(|set| annex_b::units(set));
                Ok(Self::H264(h264::Depacketizer::new(sets, policy)))
            }
            "H265" | "HEVC" => {
                let sets = format.sets(&["sprop-vps", "sprop-sps", "sprop-pps"]);
                let sets = sets.iter().flat_map(|set| annex_b::units(set));
                let order = format.number("sprop-max-don-diff")?;
                let order = order.is_some_and(|difference| difference > 0);
                Ok(Self::H265(h265::Depacketizer::new(sets, order, policy)))
            }
            "MPEG4-GENERIC" => {
                let config = format.hex("config")?.map(Bytes::from);
                let config = config.ok_or(FormatError::Missing("config"))?;
                let config = Config::parse(&config).map_err(|error| refused(&error))?;
                let layout = layout(format)?;
                Ok(Self::Aac(aac::Depacketizer::new(config, rate, layout)))
            }
            "MP4A-LATM" => {
                let config = format.hex("config")?;
                let config = config.map(|config| latm::Multiplex::parse(&config));
                let config = config.transpose().map_err(|error| refused(&error))?;
                // Elements bring it where nothing is said (RFC 6416 section 7.1).
                let in_band = format.number("cpresent")?.unwrap_or(1) != 0;
                if config.is_none() && !in_band {
                    return Err(FormatError::Missing("config"));
                }
                Ok(Self::Latm(latm::Depacketizer::new(config, in_band, rate)))
            }
            "OPUS" => {
                let config = opus_codec::Config::new(2, OPUS_PRE_SKIP, 0);
                let config = config.map_err(|error| refused(&error))?;
                Ok(Self::Opus(opus::Depacketizer::new(config)))
            }
            name @ ("PCMU" | "PCMA") => Ok(Self::samples(Codec::G711 {
                law: if name == "PCMA" { Law::A } else { Law::Mu },
                sample_rate: clock,
                channels,
            })),
            "G722" => Ok(Self::samples(Codec::G722 { channels })),
            "L16" => Ok(Self::samples(Codec::L16 {
                sample_rate: clock,
                channels,
            })),
            name if name.starts_with("G726-") && (rate, channels) == (8_000, 1) => {
                let bits = g726_bits(name).ok_or_else(|| FormatError::Codec(name.to_owned()))?;
                Ok(Self::samples(Codec::G726(bits)))
            }
            name if name.starts_with("AAL2-G726-") && (rate, channels) == (8_000, 1) => {
                let bits = g726_bits(name).ok_or_else(|| FormatError::Codec(name.to_owned()))?;
                Ok(Self::Samples(samples::Depacketizer::aal2(bits)))
            }
            "MPA" => Ok(Self::framed(framed::Kind::MpegAudio, rate)),
            "AC3" => Ok(Self::framed(framed::Kind::Ac3, rate)),
            "EAC3" => Ok(Self::framed(framed::Kind::EnhancedAc3, rate)),
            "AV1" => Ok(Self::Av1(av1::Depacketizer::default())),
            "VP8" => Ok(Self::Vp8(vp8::Depacketizer::default())),
            "VP9" => Ok(Self::Vp9(vp9::Depacketizer::default())),
            "JPEG" => Ok(Self::Jpeg(jpeg::Depacketizer::default())),
            "SMPTE336M" => Ok(Self::Data(data::Depacketizer::new(Data::Klv))),
            "VND.ONVIF.METADATA" => Ok(Self::Data(data::Depacketizer::new(Data::OnvifMetadata))),
            _ => Err(FormatError::Codec(format.encoding.to_owned())),
        }
    }

    fn samples(codec: Codec) -> Self {
        Self::Samples(samples::Depacketizer::new(codec))
    }

    fn framed(kind: framed::Kind, clock_rate: u32) -> Self {
        Self::Framed(framed::Depacketizer::new(kind, clock_rate))
    }

    /// Takes a packet in its order.
    ///
    /// # Errors
    /// When the payload cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        match self {
            Self::H264(codec) => codec.push(input),
            Self::H265(codec) => codec.push(input),
            Self::Aac(codec) => codec.push(input),
            Self::Latm(codec) => codec.push(input),
            Self::Opus(codec) => codec.push(input),
            Self::Samples(codec) => {
                codec.push(input);
                Ok(())
            }
            Self::Framed(codec) => codec.push(input),
            Self::Av1(codec) => codec.push(input),
            Self::Vp8(codec) => codec.push(input),
            Self::Vp9(codec) => codec.push(input),
            Self::Jpeg(codec) => codec.push(input),
            Self::Data(codec) => codec.push(input),
        }
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        match self {
            Self::H264(codec) => codec.pull(),
            Self::H265(codec) => codec.pull(),
            Self::Aac(codec) => codec.pull(),
            Self::Latm(codec) => codec.pull(),
            Self::Opus(codec) => codec.pull(),
            Self::Samples(codec) => codec.pull(),
            Self::Framed(codec) => codec.pull(),
            Self::Av1(codec) => codec.pull(),
            Self::Vp8(codec) => codec.pull(),
            Self::Vp9(codec) => codec.pull(),
            Self::Jpeg(codec) => codec.pull(),
            Self::Data(codec) => codec.pull(),
        }
    }

    /// Ends the access unit in the making: nothing more will come.
    pub fn flush(&mut self) {
        match self {
            Self::H264(codec) => codec.flush(),
            Self::H265(codec) => codec.flush(),
            Self::Aac(codec) => codec.flush(),
            Self::Latm(codec) => codec.flush(),
            Self::Framed(codec) => codec.flush(),
            Self::Av1(codec) => codec.flush(),
            Self::Vp8(codec) => codec.flush(),
            Self::Vp9(codec) => codec.flush(),
            Self::Jpeg(codec) => codec.flush(),
            Self::Data(codec) => codec.flush(),
            Self::Opus(_) | Self::Samples(_) => {}
        }
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        match self {
            Self::H264(codec) => codec.counts(),
            Self::H265(codec) => codec.counts(),
            Self::Aac(codec) => codec.counts(),
            Self::Latm(codec) => codec.counts(),
            Self::Opus(codec) => codec.counts(),
            Self::Samples(codec) => codec.counts(),
            Self::Framed(codec) => codec.counts(),
            Self::Av1(codec) => codec.counts(),
            Self::Vp8(codec) => codec.counts(),
            Self::Vp9(codec) => codec.counts(),
            Self::Jpeg(codec) => codec.counts(),
            Self::Data(codec) => codec.counts(),
        }
    }
}

fn refused(error: &dyn std::error::Error) -> FormatError {
    FormatError::Parameter {
        name: "config",
        problem: error.to_string(),
    }
}

/// The bits of a sample in `G726-32` and the like, which tell kbit/s of 8,000 samples.
fn g726_bits(name: &str) -> Option<g726::Bits> {
    let (_, rate) = name.rsplit_once('-')?;
    let rate: u8 = rate.parse().ok().filter(|rate| rate % 8 == 0)?;
    g726::Bits::new(rate / 8)
}

/// The layout of AU headers. Cameras that leave the lengths out mean what the mode prescribes, and those that
/// leave the mode out too mean AAC-hbr.
fn layout(format: &Format<'_>) -> Result<aac::Layout, FormatError> {
    let mode = match format.parameter("mode") {
        Some(mode) if mode.eq_ignore_ascii_case("AAC-lbr") => aac::Layout::LOW_BIT_RATE,
        _ => aac::Layout::HIGH_BIT_RATE,
    };
    let constant_size = format.number("constantSize")?.unwrap_or(0);
    let size = format.bits("sizeLength")?;
    // One of the lengths tells that all were meant to be told.
    let told = size.is_some() || constant_size > 0;
    let or_mode = |bits: Option<u32>, of_mode| bits.unwrap_or(if told { 0 } else { of_mode });
    Ok(aac::Layout {
        size: or_mode(size, mode.size),
        index: or_mode(format.bits("indexLength")?, mode.index),
        index_delta: or_mode(format.bits("indexDeltaLength")?, mode.index_delta),
        cts_delta: format.bits("CTSDeltaLength")?.unwrap_or(0),
        dts_delta: format.bits("DTSDeltaLength")?.unwrap_or(0),
        random_access: format.number("randomAccessIndication")?.unwrap_or(0) != 0,
        stream_state: format.bits("streamStateIndication")?.unwrap_or(0),
        auxiliary_size: format.bits("auxiliaryDataSizeLength")?.unwrap_or(0),
        constant_size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format<'a>(encoding: &'a str, clock_rate: u32, parameters: &'a str) -> Format<'a> {
        Format {
            encoding,
            clock_rate,
            channels: 1,
            parameters,
        }
    }

    fn first(format: &Format<'_>) -> Option<Codec> {
        let mut depacketizer = Depacketizer::new(format, Damaged::Drop).unwrap();
        match depacketizer.pull() {
            Some(Event::Codec(codec)) => Some(codec),
            _ => None,
        }
    }

    #[test]
    fn descriptions_of_real_senders() {
        // A camera, with and without padding and with start codes; GStreamer; ffmpeg.
        let h264 = [
            "packetization-mode=1; profile-level-id=42C00A; sprop-parameter-sets=Z0LACtp5,aM48gA==",
            "sprop-parameter-sets=Z0LACtp5,aM48gA;packetization-mode=1",
            "packetization-mode=1;sprop-parameter-sets=AAAAAWdCwAraeQ==,AAAAAWjOPIA=",
        ];
        for parameters in h264 {
            let codec = first(&format("H264", 90_000, parameters));
            assert_eq!(
                codec.and_then(|codec| codec.size()),
                Some((16, 16)),
                "{parameters}"
            );
        }
        let hbr = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
                   indexdeltalength=3;config=1190";
        for parameters in [hbr, "config=1190", "mode=AAC-hbr; config=\"1190\""] {
            let format = format("mpeg4-generic", 48_000, parameters);
            assert_eq!(layout(&format), Ok(aac::Layout::HIGH_BIT_RATE));
            let codec = first(&format);
            assert_eq!(codec.and_then(|codec| codec.channels()), Some(2));
        }
        let latm = format(
            "MP4A-LATM",
            48_000,
            "cpresent=0; object=2; config=40002320 3fc0",
        );
        assert!(Depacketizer::new(&latm, Damaged::Drop).is_err());
        let latm = format(
            "MP4A-LATM",
            48_000,
            "cpresent=0;object=2;config=400023203fc0",
        );
        assert_eq!(first(&latm).map(|codec| codec.name()), Some("AAC"));
        assert_eq!(first(&format("mp4a-latm", 48_000, "")), None);
        assert_eq!(
            first(&format("opus", 48_000, "")).map(|codec| codec.name()),
            Some("Opus")
        );
        let pcmu = Format::of_static(0).unwrap();
        assert_eq!(first(&pcmu).map(|codec| codec.name()), Some("PCMU"));
        // Without parameter sets, or with nonsense, they are waited for in the stream.
        assert_eq!(first(&format("H264", 90_000, "")), None);
        assert_eq!(
            first(&format("H265", 90_000, "sprop-vps=%;sprop-sps")),
            None
        );
    }

    #[test]
    fn what_cannot_be_received() {
        let cases = [
            (format("THEORA", 90_000, ""), "THEORA is not carried"),
            (format("G726-48", 8_000, ""), "G726-48 is not carried"),
            (format("G726-32", 16_000, ""), "G726-32 is not carried"),
            (format("PCMU", 0, ""), "clock rate 0"),
            (
                format("mpeg4-generic", 48_000, "mode=AAC-hbr"),
                "the format parameter config is missing",
            ),
            (
                format("mpeg4-generic", 48_000, "config=119g"),
                "the format parameter config: not hexadecimal",
            ),
            (
                format("mpeg4-generic", 48_000, "config=1190;sizelength=40"),
                "the format parameter sizeLength: 40 bits are too many",
            ),
            (
                format("mpeg4-generic", 48_000, "config=1190;constantsize=x"),
                "the format parameter constantSize: \"x\" is no number",
            ),
            (
                format("MP4A-LATM", 48_000, "cpresent=0"),
                "the format parameter config is missing",
            ),
            (
                format("MP4A-LATM", 48_000, "config=00"),
                "the format parameter config: StreamMuxConfig with streams of different times is not read",
            ),
            (
                format("H264", 90_000, "packetization-mode=2"),
                "the format parameter packetization-mode: interleaved H.264 is not read",
            ),
        ];
        for (format, words) in cases {
            let error = Depacketizer::new(&format, Damaged::Drop).err();
            assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(words));
        }
    }
}
