//! The headers inside a tag body: AudioTagHeader and VideoTagHeader (clauses E.4.2.1 and E.4.3.1), and their
//! Enhanced RTMP successors ExAudioTagHeader and ExVideoTagHeader (Enhanced RTMP v2). Nothing here looks at
//! media: a body becomes [`Part`]s, one for each track in it, which is one but for multitrack bodies.

use crate::Error;
use crate::foreign::ForeignCodec;
use bytes::{Buf, Bytes};
use media::codec::g711::Law;
use media::{Kind, compact};
use smallvec::SmallVec;

/// First byte of every AAC body: format 10, and the 44.1 kHz, 16 bits, stereo that it always says.
pub(crate) const AAC_FLAGS: u8 = 0xaf;
/// `CodecID` of AVC.
pub(crate) const AVC: u8 = 7;
/// `FrameType` of a picture at which decoding can start.
pub(crate) const KEY_FRAME: u8 = 1;
/// `FrameType` of any other picture.
pub(crate) const INTER_FRAME: u8 = 2;
/// `SoundFormat` of MP3.
pub(crate) const MP3: u8 = 2;
/// `SoundFormat` of G.711 A-law.
pub(crate) const A_LAW: u8 = 7;
/// `SoundFormat` of G.711 mu-law.
pub(crate) const MU_LAW: u8 = 8;
/// Set in the first byte of an enhanced video header.
pub(crate) const ENHANCED_VIDEO: u8 = 0x80;
/// `SoundFormat` that announces an enhanced audio header, in its place.
pub(crate) const ENHANCED_AUDIO: u8 = 9 << 4;

/// Packet types that both enhanced headers have, and those of video alone.
pub(crate) mod packet_type {
    pub(crate) const SEQUENCE_START: u8 = 0;
    pub(crate) const CODED_FRAMES: u8 = 1;
    pub(crate) const CODED_FRAMES_X: u8 = 3;
    pub(super) const SEQUENCE_END: u8 = 2;
    /// Of video: colour information and the like. Of audio: where channels are.
    pub(super) const ABOUT: u8 = 4;
    pub(super) const MOD_EX: u8 = 7;
    pub(crate) const AUDIO_MULTITRACK: u8 = 5;
    pub(crate) const VIDEO_MULTITRACK: u8 = 6;
}

/// `SoundFormat` of AAC.
const AAC: u8 = 10;
/// `SoundFormat` of MP3 at 8 kHz.
const MP3_8K: u8 = 14;
/// The private number under which H.265 was sent before there were FourCCs, with headers like those of AVC.
const CLASSIC_H265: u8 = 12;
/// `FrameType` of messages to the player without any picture.
const COMMAND_FRAME: u8 = 5;
/// `ModEx` type of nanoseconds to be added to the presentation time.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// Most tracks of one body that are looked at.
const MAX_PARTS: usize = 16;

/// A codec of pictures that is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoCodec {
    H264,
    H265,
    Av1,
    Vp8,
    Vp9,
}

/// A codec of sound that is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AudioCodec {
    Aac,
    Opus,
    Flac,
    /// AC-3 and E-AC-3.
    Ac3,
    Mp3,
    /// At 8 kHz, with one or two channels.
    G711(Law, u8),
}

/// One track's share of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part<C> {
    /// Number among the tracks of its kind; 0 but for multitrack bodies.
    pub(crate) track: u8,
    pub(crate) codec: C,
    pub(crate) content: Content,
    /// What follows the header.
    pub(crate) bytes: Bytes,
    /// It came behind an enhanced header.
    pub(crate) enhanced: bool,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The configuration of the track.
    Configuration,
    /// A picture, or a frame of sound.
    Media {
        /// The sender says that decoding can start here.
        key_frame: bool,
        /// PTS - DTS in milliseconds, 24 bits signed.
        composition_time: i32,
        /// Nanoseconds to be added to the PTS, less than a million.
        nanos: u32,
    },
}

/// What is in a body; nothing where it is empty, a command, or the end of a sequence.
pub(crate) type Parts<C> = SmallVec<[Part<C>; 1]>;

/// Reads a video body.
pub(crate) fn video(body: Bytes) -> Result<Parts<VideoCodec>, Error> {
    let mut input = Input::new(Kind::Video, body);
    let Some(flags) = input.first() else {
        return Ok(Parts::new());
    };
    let frame_type = flags >> 4 & 7;
    let key_frame = frame_type == KEY_FRAME;
    if flags & ENHANCED_VIDEO != 0 {
        let (packet_type, nanos) = input.mod_ex(flags & 0x0f)?;
        if frame_type == COMMAND_FRAME && packet_type != packet_type::ABOUT {
            return Ok(Parts::new());
        }
        return input.shares(packet_type, packet_type::VIDEO_MULTITRACK, |share| {
            let codec = match &share.four_cc {
                b"avc1" => VideoCodec::H264,
                b"hvc1" => VideoCodec::H265,
                b"av01" => VideoCodec::Av1,
                b"vp08" => VideoCodec::Vp8,
                b"vp09" => VideoCodec::Vp9,
                other => return Err(Error::Codec(ForeignCodec::FourCc(*other))),
            };
            let has_composition_time = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
            let mut body = Input::new(Kind::Video, share.body);
            let content = match share.packet_type {
                packet_type::SEQUENCE_START => Content::Configuration,
                packet_type::CODED_FRAMES | packet_type::CODED_FRAMES_X => Content::Media {
                    key_frame,
                    composition_time: match share.packet_type {
                        packet_type::CODED_FRAMES if has_composition_time => body.i24()?,
                        _ => 0,
                    },
                    nanos,
                },
                packet_type::SEQUENCE_END | packet_type::ABOUT => return Ok(None),
                other => return Err(body.undefined(other)),
            };
            Ok(Some(Part {
                track: share.track,
                codec,
                content,
                bytes: body.rest,
                enhanced: true,
            }))
        });
    }
    if frame_type == COMMAND_FRAME {
        return Ok(Parts::new());
    }
    let codec = match flags & 0x0f {
        AVC => VideoCodec::H264,
        CLASSIC_H265 => VideoCodec::H265,
        other => return Err(Error::Codec(ForeignCodec::Video(other))),
    };
    let content = match input.u8()? {
        // The end of a sequence is often sent without its (zero) composition time.
        2 => return Ok(Parts::new()),
        0 => {
            input.i24()?;
            Content::Configuration
        }
        1 => Content::Media {
            key_frame,
            composition_time: input.i24()?,
            nanos: 0,
        },
        other => return Err(input.undefined(other)),
    };
    Ok(one(codec, content, input.rest))
}

/// Reads an audio body.
pub(crate) fn audio(body: Bytes) -> Result<Parts<AudioCodec>, Error> {
    let mut input = Input::new(Kind::Audio, body);
    let Some(flags) = input.first() else {
        return Ok(Parts::new());
    };
    let frame = |nanos| Content::Media {
        key_frame: true,
        composition_time: 0,
        nanos,
    };
    if flags & 0xf0 == ENHANCED_AUDIO {
        let (packet_type, nanos) = input.mod_ex(flags & 0x0f)?;
        return input.shares(packet_type, packet_type::AUDIO_MULTITRACK, |share| {
            let codec = match &share.four_cc {
                b"mp4a" => AudioCodec::Aac,
                b"Opus" => AudioCodec::Opus,
                b"fLaC" => AudioCodec::Flac,
                b"ac-3" | b"ec-3" => AudioCodec::Ac3,
                b".mp3" => AudioCodec::Mp3,
                other => return Err(Error::Codec(ForeignCodec::FourCc(*other))),
            };
            let content = match share.packet_type {
                packet_type::SEQUENCE_START => Content::Configuration,
                packet_type::CODED_FRAMES => frame(nanos),
                // What it says of channels, the configurations of these codecs say too.
                packet_type::SEQUENCE_END | packet_type::ABOUT => return Ok(None),
                other => return Err(Input::new(Kind::Audio, share.body).undefined(other)),
            };
            Ok(Some(Part {
                track: share.track,
                codec,
                content,
                bytes: share.body,
                enhanced: true,
            }))
        });
    }
    let channels = 1 + (flags & 1);
    let codec = match flags >> 4 {
        AAC => {
            let content = match input.u8()? {
                0 => Content::Configuration,
                1 => frame(0),
                other => return Err(input.undefined(other)),
            };
            return Ok(one(AudioCodec::Aac, content, input.rest));
        }
        MP3 | MP3_8K => AudioCodec::Mp3,
        A_LAW => AudioCodec::G711(Law::A, channels),
        MU_LAW => AudioCodec::G711(Law::Mu, channels),
        other => return Err(Error::Codec(ForeignCodec::Audio(other))),
    };
    Ok(one(codec, frame(0), input.rest))
}

fn one<C>(codec: C, content: Content, bytes: Bytes) -> Parts<C> {
    let part = Part {
        track: 0,
        codec,
        content,
        bytes,
        enhanced: false,
    };
    std::iter::once(part).collect()
}

/// A track of an enhanced body before its codec is known.
struct Share {
    four_cc: [u8; 4],
    track: u8,
    packet_type: u8,
    body: Bytes,
}

/// A body from which headers are taken.
struct Input {
    kind: Kind,
    /// Of the body, for errors.
    length: usize,
    rest: Bytes,
}

impl Input {
    fn new(kind: Kind, rest: Bytes) -> Self {
        Self {
            kind,
            length: rest.len(),
            rest,
        }
    }

    fn first(&mut self) -> Option<u8> {
        self.rest.try_get_u8().ok()
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let array = *self.rest.first_chunk().ok_or_else(|| self.truncated())?;
        self.rest.advance(N);
        Ok(array)
    }

    fn u24(&mut self) -> Result<u32, Error> {
        let [high, middle, low] = self.array()?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    fn i24(&mut self) -> Result<i32, Error> {
        let [high, middle, low] = self.array()?;
        Ok(i32::from_be_bytes([high, middle, low, 0]) >> 8)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Error> {
        if length > self.rest.len() {
            return Err(self.truncated());
        }
        Ok(self.rest.split_to(length))
    }

    const fn truncated(&self) -> Error {
        Error::Truncated {
            kind: self.kind,
            length: self.length,
        }
    }

    const fn undefined(&self, value: u8) -> Error {
        Error::PacketType {
            kind: self.kind,
            value,
        }
    }

    /// Reads modifiers as long as they are announced. The packet type behind them, and the nanoseconds that
    /// the time is later.
    fn mod_ex(&mut self, mut packet_type: u8) -> Result<(u8, u32), Error> {
        let mut nanos = 0;
        // Every round takes at least 3 bytes, so the body's length bounds the rounds.
        while packet_type == packet_type::MOD_EX {
            let mut size = usize::from(self.u8()?) + 1;
            if size == 256 {
                size = usize::from(u16::from_be_bytes(self.array()?)) + 1;
            }
            let data = self.take(size)?;
            let types = self.u8()?;
            packet_type = types & 0x0f;
            if let (TIMESTAMP_OFFSET_NANO, &[high, middle, low, ..]) = (types >> 4, &data[..]) {
                // More than a millisecond would be in the timestamp.
                nanos = u32::from_be_bytes([0, high, middle, low]).min(999_999);
            }
        }
        Ok((packet_type, nanos))
    }

    /// Reads each track of the body. Where some can be used, those that cannot are left out.
    fn shares<C>(
        mut self,
        packet_type: u8,
        multitrack: u8,
        mut read: impl FnMut(Share) -> Result<Option<Part<C>>, Error>,
    ) -> Result<Parts<C>, Error> {
        if packet_type != multitrack {
            let four_cc = self.array()?;
            let share = Share {
                four_cc,
                track: 0,
                packet_type,
                body: compact(self.rest, self.length),
            };
            return Ok(read(share)?.into_iter().collect());
        }
        let types = self.u8()?;
        let packet_type = types & 0x0f;
        let (one_codec, one_track) = match types >> 4 {
            0 => (true, true),
            1 => (true, false),
            2 => (false, false),
            other => return Err(Error::Multitrack(other)),
        };
        let mut four_cc = [0; 4];
        if one_codec {
            four_cc = self.array()?;
        }
        let mut parts = Parts::new();
        let mut failed = None;
        for _ in 0..MAX_PARTS {
            if !one_codec {
                four_cc = self.array()?;
            }
            let track = self.u8()?;
            let body = if one_track {
                std::mem::take(&mut self.rest)
            } else {
                let length = self.u24()?;
                self.take(length as usize)?
            };
            let share = Share {
                four_cc,
                track,
                packet_type,
                // Its picture may be kept long after those of other tracks.
                body: compact(body, self.length),
            };
            match read(share) {
                Ok(part) => parts.extend(part),
                Err(error) => failed = failed.or(Some(error)),
            }
            if self.rest.is_empty() {
                break;
            }
        }
        match failed {
            Some(error) if parts.is_empty() => Err(error),
            _ => Ok(parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (track, codec, content, bytes) of each part.
    type Seen<C> = Vec<(u8, C, Content, Vec<u8>)>;

    fn seen<C: Copy>(parts: Result<Parts<C>, Error>) -> Result<Seen<C>, Error> {
        let part = |part: &Part<C>| (part.track, part.codec, part.content, part.bytes.to_vec());
        parts.map(|parts| parts.iter().map(part).collect())
    }

    const fn media(key_frame: bool, composition_time: i32, nanos: u32) -> Content {
        Content::Media {
            key_frame,
            composition_time,
            nanos,
        }
    }

    #[test]
    fn video_headers() {
        use VideoCodec::{Av1, H264, H265, Vp8, Vp9};
        const CONFIGURATION: Content = Content::Configuration;
        let cases: [(&[u8], Seen<VideoCodec>); 20] = [
            (&[], vec![]),
            (
                &[0x17, 0, 0, 0, 0, 1],
                vec![(0, H264, CONFIGURATION, vec![1])],
            ),
            (
                &[0x17, 1, 0, 0, 40, 0],
                vec![(0, H264, media(true, 40, 0), vec![0])],
            ),
            (
                &[0x27, 1, 0xff, 0xff, 0xfe, 0],
                vec![(0, H264, media(false, -2, 0), vec![0])],
            ),
            (
                &[0x1c, 1, 0, 0, 40, 7],
                vec![(0, H265, media(true, 40, 0), vec![7])],
            ),
            (&[0x17, 2], vec![]),
            (&[0x57, 0], vec![]),
            (b"\x90hvc1\x01", vec![(0, H265, CONFIGURATION, vec![1])]),
            (
                b"\x91hvc1\0\0\x28x",
                vec![(0, H265, media(true, 40, 0), vec![b'x'])],
            ),
            (
                b"\xa3hvc1x",
                vec![(0, H265, media(false, 0, 0), vec![b'x'])],
            ),
            (
                b"\x91avc1\xff\xff\xffx",
                vec![(0, H264, media(true, -1, 0), vec![b'x'])],
            ),
            // Only these two have composition times.
            (b"\x91av01x", vec![(0, Av1, media(true, 0, 0), vec![b'x'])]),
            (b"\xa1vp08x", vec![(0, Vp8, media(false, 0, 0), vec![b'x'])]),
            (b"\x92hvc1", vec![]),
            (b"\xd4hvc1\x02\0", vec![]),
            // A command behind an enhanced header.
            (&[0xd0, 0], vec![]),
            // ModEx (7) of 3 bytes: 9 ns later; then coded frames (1).
            (
                b"\xa7\x02\0\0\x09\x01vp09x",
                vec![(0, Vp9, media(false, 0, 9), vec![b'x'])],
            ),
            // Multitrack (6), one track (0), coded frames (1), track 5.
            (
                b"\x96\x01av01\x05xy",
                vec![(5, Av1, media(true, 0, 0), b"xy".to_vec())],
            ),
            // Many tracks of one codec.
            (
                b"\x96\x11av01\0\0\0\x01x\x01\0\0\x02yz",
                vec![
                    (0, Av1, media(true, 0, 0), b"x".to_vec()),
                    (1, Av1, media(true, 0, 0), b"yz".to_vec()),
                ],
            ),
            // Many codecs, one of them unknown.
            (
                b"\x96\x20vvc1\0\0\0\x01xhvc1\x01\0\0\x01y",
                vec![(1, H265, CONFIGURATION, b"y".to_vec())],
            ),
        ];
        for (body, expected) in cases {
            let found = seen(video(Bytes::from_static(body)));
            assert_eq!(found, Ok(expected), "{body:02x?}");
        }
    }

    /// A picture of some bytes in a body of megabytes does not keep that.
    #[test]
    fn what_is_small_is_not_kept_with_what_is_large() {
        // Two tracks, of which the second is large; and a picture behind a large modifier.
        let mut tracks = b"\x96\x11av01\0\0\0\x01x\x09\x00\x40\x00".to_vec();
        tracks.resize(tracks.len() + 0x4000, 0);
        let mut modifier = b"\xa7\xff\x3f\xff".to_vec();
        modifier.resize(modifier.len() + 0x4000, 0);
        modifier.extend_from_slice(b"\x01av01x");
        for body in [tracks, modifier] {
            let body = Bytes::from(body);
            let parts = video(body.clone()).unwrap();
            assert_eq!(parts[0].bytes, "x");
            assert!(!body.as_ptr_range().contains(&parts[0].bytes.as_ptr()));
        }
    }

    #[test]
    fn video_headers_that_are_refused() {
        let truncated = |length| Error::Truncated {
            kind: Kind::Video,
            length,
        };
        let undefined = |value| Error::PacketType {
            kind: Kind::Video,
            value,
        };
        let foreign = |code: &[u8; 4]| Error::Codec(ForeignCodec::FourCc(*code));
        let cases: [(&[u8], Error); 12] = [
            (&[0x17], truncated(1)),
            (&[0x17, 1, 0, 0], truncated(4)),
            (&[0x17, 3, 0, 0, 0], undefined(3)),
            (&[0x12, 0], Error::Codec(ForeignCodec::Video(2))),
            (b"\x90vvc1", foreign(b"vvc1")),
            (b"\x90hvc", truncated(4)),
            (b"\x91hvc1\0\0", truncated(2)),
            (b"\x95av01", undefined(5)),
            // ModEx with the long size, that ends early.
            (b"\xa7\xff\xff\xff\0", truncated(5)),
            (b"\x96\x31av01\0", Error::Multitrack(3)),
            // A multitrack body within another.
            (b"\x96\x06av01\0", undefined(6)),
            // A track that is longer than the body.
            (b"\x96\x11av01\0\0\0\x09x", truncated(11)),
        ];
        for (body, expected) in cases {
            let found = seen(video(Bytes::from_static(body)));
            assert_eq!(found, Err(expected), "{body:02x?}");
        }
    }

    #[test]
    fn audio_headers() {
        use AudioCodec::{Aac, Ac3, Flac, G711, Mp3, Opus};
        let frame = media(true, 0, 0);
        let cases: [(&[u8], Seen<AudioCodec>); 12] = [
            (&[], vec![]),
            (
                &[0xaf, 0, 0x12, 0x10],
                vec![(0, Aac, Content::Configuration, vec![0x12, 0x10])],
            ),
            (&[0xae, 1, 0x21], vec![(0, Aac, frame, vec![0x21])]),
            (&[0x2f, 0xff], vec![(0, Mp3, frame, vec![0xff])]),
            (&[0x72, 1], vec![(0, G711(Law::A, 1), frame, vec![1])]),
            (&[0x83, 1], vec![(0, G711(Law::Mu, 2), frame, vec![1])]),
            (
                b"\x90OpusO",
                vec![(0, Opus, Content::Configuration, vec![b'O'])],
            ),
            (b"\x91Opusx", vec![(0, Opus, frame, vec![b'x'])]),
            (b"\x91ec-3x", vec![(0, Ac3, frame, vec![b'x'])]),
            // Two channels in the native order, left and right.
            (b"\x94Opus\x01\x02\0\0\0\x03", vec![]),
            (b"\x95\x01fLaC\x03x", vec![(3, Flac, frame, vec![b'x'])]),
            (
                b"\x97\x02\x0f\x42\x3f\x01.mp3x",
                vec![(0, Mp3, media(true, 0, 999_999), vec![b'x'])],
            ),
        ];
        for (body, expected) in cases {
            let found = seen(audio(Bytes::from_static(body)));
            assert_eq!(found, Ok(expected), "{body:02x?}");
        }
        let truncated = |length| Error::Truncated {
            kind: Kind::Audio,
            length,
        };
        let undefined = |value| Error::PacketType {
            kind: Kind::Audio,
            value,
        };
        let cases: [(&[u8], Error); 4] = [
            (&[0xaf], truncated(1)),
            (&[0xaf, 7], undefined(7)),
            (&[0x5f], Error::Codec(ForeignCodec::Audio(5))),
            (b"\x96Opus", undefined(6)),
        ];
        for (body, expected) in cases {
            let found = seen(audio(Bytes::from_static(body)));
            assert_eq!(found, Err(expected), "{body:02x?}");
        }
    }
}
