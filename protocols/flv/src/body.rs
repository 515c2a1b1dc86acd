//! The headers inside a tag body: AudioTagHeader and VideoTagHeader (clauses E.4.2.1 and E.4.3.1), and as
//! much of their Enhanced RTMP successors as it takes to name the codec. Nothing here looks at media.

use crate::Error;
use crate::foreign::ForeignCodec;
use media::Kind;

/// Bytes of a video header in front of AVC data.
pub(crate) const AVC_HEADER: usize = 5;
/// Bytes of an audio header in front of AAC data.
pub(crate) const AAC_HEADER: usize = 2;
/// First byte of every AAC body: format 10, and the 44.1 kHz, 16 bits, stereo that it always says.
pub(crate) const AAC_FLAGS: u8 = 0xaf;
/// `CodecID` of AVC.
pub(crate) const AVC: u8 = 7;
/// `FrameType` of a picture at which decoding can start.
pub(crate) const KEY_FRAME: u8 = 1;
/// `FrameType` of any other picture.
pub(crate) const INTER_FRAME: u8 = 2;

/// `SoundFormat` of AAC.
const AAC: u8 = 10;
/// `SoundFormat` that announces an enhanced audio header.
const ENHANCED_AUDIO: u8 = 9;
/// `FrameType` of messages to the player without any picture.
const COMMAND_FRAME: u8 = 5;

/// What a video body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Video {
    /// AVCDecoderConfigurationRecord from [`AVC_HEADER`] on.
    Configuration,
    /// NAL units from [`AVC_HEADER`] on.
    Picture {
        /// The sender says that decoding can start here.
        key_frame: bool,
        /// PTS - DTS in milliseconds, 24 bits signed.
        composition_time: i32,
    },
    /// Nothing that concerns media: empty, a command, the end of a sequence.
    Nothing,
}

/// What an audio body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audio {
    /// AudioSpecificConfig from [`AAC_HEADER`] on.
    Configuration,
    /// One raw frame from [`AAC_HEADER`] on.
    Frame,
    /// An empty body.
    Nothing,
}

/// Reads the header of a video body.
pub(crate) fn video(body: &[u8]) -> Result<Video, Error> {
    let truncated = Error::Truncated {
        kind: Kind::Video,
        length: body.len(),
    };
    let Some(flags) = body.first() else {
        return Ok(Video::Nothing);
    };
    let frame_type = flags >> 4 & 7;
    if flags & 0x80 != 0 {
        return enhanced(body, Kind::Video, frame_type == COMMAND_FRAME)
            .ok_or(truncated)?
            .map_or(Ok(Video::Nothing), |code| Err(Error::Codec(code)));
    }
    if frame_type == COMMAND_FRAME {
        return Ok(Video::Nothing);
    }
    if flags & 0x0f != AVC {
        return Err(Error::Codec(ForeignCodec::Video(flags & 0x0f)));
    }
    let packet_type = *body.get(1).ok_or(truncated)?;
    match (packet_type, body.get(2..AVC_HEADER)) {
        // The end of a sequence is often sent without its (zero) composition time.
        (2, _) => Ok(Video::Nothing),
        (0, Some(_)) => Ok(Video::Configuration),
        (1, Some(&[high, middle, low])) => Ok(Video::Picture {
            key_frame: frame_type == KEY_FRAME,
            composition_time: i32::from_be_bytes([high, middle, low, 0]) >> 8,
        }),
        (0 | 1, _) => Err(truncated),
        (value, _) => Err(Error::PacketType {
            kind: Kind::Video,
            value,
        }),
    }
}

/// Reads the header of an audio body.
pub(crate) fn audio(body: &[u8]) -> Result<Audio, Error> {
    let truncated = Error::Truncated {
        kind: Kind::Audio,
        length: body.len(),
    };
    let Some(flags) = body.first() else {
        return Ok(Audio::Nothing);
    };
    match flags >> 4 {
        AAC => {}
        ENHANCED_AUDIO => {
            return enhanced(body, Kind::Audio, false)
                .ok_or(truncated)?
                .map_or(Ok(Audio::Nothing), |code| Err(Error::Codec(code)));
        }
        format => return Err(Error::Codec(ForeignCodec::Audio(format))),
    }
    match body.get(1).ok_or(truncated)? {
        0 => Ok(Audio::Configuration),
        1 => Ok(Audio::Frame),
        value => Err(Error::PacketType {
            kind: Kind::Audio,
            value: *value,
        }),
    }
}

/// Finds the FourCC behind an enhanced header (Enhanced RTMP v2, ExAudioTagHeader and ExVideoTagHeader):
/// over any ModEx blocks and the multitrack byte. The outer `None` is a header that ends early, the inner
/// one a command without codec.
fn enhanced(body: &[u8], kind: Kind, command: bool) -> Option<Option<ForeignCodec>> {
    const METADATA: u8 = 4;
    const MOD_EX: u8 = 7;
    let multitrack = match kind {
        Kind::Video => 6,
        _ => 5,
    };
    let mut packet_type = body.first()? & 0x0f;
    let mut rest = body.get(1..)?;
    // Every round takes at least 3 bytes, so the body's length bounds the rounds.
    while packet_type == MOD_EX {
        let (size, after) = rest.split_first()?;
        let mut size = usize::from(*size) + 1;
        rest = after;
        if size == 256 {
            let (long, after) = rest.split_first_chunk()?;
            size = usize::from(u16::from_be_bytes(*long)) + 1;
            rest = after;
        }
        let (next, after) = rest.get(size..)?.split_first()?;
        packet_type = next & 0x0f;
        rest = after;
    }
    if command && packet_type != METADATA {
        return Some(None);
    }
    if packet_type == multitrack {
        rest = rest.get(1..)?;
    }
    Some(Some(ForeignCodec::FourCc(*rest.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_headers() {
        let truncated = |length| {
            Err(Error::Truncated {
                kind: Kind::Video,
                length,
            })
        };
        let picture = |key_frame, composition_time| {
            Ok(Video::Picture {
                key_frame,
                composition_time,
            })
        };
        let foreign = |code: &[u8; 4]| Err(Error::Codec(ForeignCodec::FourCc(*code)));
        let cases: [(&[u8], Result<Video, Error>); 16] = [
            (&[], Ok(Video::Nothing)),
            (&[0x17, 0, 0, 0, 0, 1], Ok(Video::Configuration)),
            (&[0x17, 1, 0, 0, 40, 0], picture(true, 40)),
            (&[0x27, 1, 0xff, 0xff, 0xfe, 0], picture(false, -2)),
            (&[0x17, 2], Ok(Video::Nothing)),
            (&[0x57, 0], Ok(Video::Nothing)),
            (&[0x17], truncated(1)),
            (&[0x17, 1, 0, 0], truncated(4)),
            (
                &[0x17, 3, 0, 0, 0],
                Err(Error::PacketType {
                    kind: Kind::Video,
                    value: 3,
                }),
            ),
            (&[0x12, 0], Err(Error::Codec(ForeignCodec::Video(2)))),
            (b"\x90hvc1", foreign(b"hvc1")),
            (b"\x90hvc", truncated(4)),
            // Multitrack (6), one track, coded frames.
            (b"\x96\x01av01\x00", foreign(b"av01")),
            // ModEx (7) of 3 bytes, then coded frames (1).
            (b"\xa7\x02\0\0\x09\x01vp09", foreign(b"vp09")),
            // ModEx with the long size, that ends early.
            (b"\xa7\xff\xff\xff\0", truncated(5)),
            // A command behind an enhanced header.
            (&[0xd0, 0], Ok(Video::Nothing)),
        ];
        for (body, expected) in cases {
            assert_eq!(video(body), expected, "{body:02x?}");
        }
    }

    #[test]
    fn audio_headers() {
        let cases: [(&[u8], Result<Audio, Error>); 8] = [
            (&[], Ok(Audio::Nothing)),
            (&[0xaf, 0, 0x12, 0x10], Ok(Audio::Configuration)),
            (&[0xae, 1, 0x21], Ok(Audio::Frame)),
            (
                &[0xaf],
                Err(Error::Truncated {
                    kind: Kind::Audio,
                    length: 1,
                }),
            ),
            (
                &[0xaf, 7],
                Err(Error::PacketType {
                    kind: Kind::Audio,
                    value: 7,
                }),
            ),
            (&[0x2f], Err(Error::Codec(ForeignCodec::Audio(2)))),
            (
                b"\x90Opus",
                Err(Error::Codec(ForeignCodec::FourCc(*b"Opus"))),
            ),
            (
                b"\x95\x00ac-3",
                Err(Error::Codec(ForeignCodec::FourCc(*b"ac-3"))),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(audio(body), expected, "{body:02x?}");
        }
    }
}
