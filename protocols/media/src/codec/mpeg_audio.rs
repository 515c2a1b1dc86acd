//! MPEG-1 and MPEG-2 audio of layers I to III, MP3 among them: the frame header (ISO/IEC 11172-3 clause 2.4.1.3,
//! ISO/IEC 13818-3 clause 2.4.1.3), and the lower sampling frequencies of "MPEG-2.5", which no standard has.

use super::sync_frames::{FrameHeader, SyncFrames};
use crate::Timebase;

/// Longest frame in bytes: layer II at 160 kbit/s and 8 kHz, padded.
pub const MAX_FRAME: usize = 2_881;

/// Which of the standards a frame follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// ISO/IEC 11172-3: 32, 44.1 and 48 kHz.
    Mpeg1,
    /// ISO/IEC 13818-3: half of these.
    Mpeg2,
    /// A quarter of these.
    Mpeg25,
}

/// What the first four bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The standard it follows.
    pub version: Version,
    /// 1 to 3.
    pub layer: u8,
    /// Bits per second.
    pub bitrate: u32,
    /// Samples per second and channel.
    pub sample_rate: Timebase,
    /// 1 or 2.
    pub channels: u8,
    /// Whether the frame is a slot longer, as it has to be now and then to keep the bit rate.
    pub padding: bool,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They end within it.
    #[error("MPEG audio header ends at byte {0}")]
    Truncated(usize),
    /// The eleven bits of the sync word are not there.
    #[error("no MPEG audio header: it does not begin with the sync word")]
    Sync,
    /// Version 1 is reserved.
    #[error("MPEG audio header has the reserved version")]
    Version,
    /// Layer 0 is reserved, and what ADTS has there.
    #[error("MPEG audio header has the reserved layer")]
    Layer,
    /// Bit rate index 0: the length of a frame is only known once the next is found.
    #[error("MPEG audio of free format is not carried")]
    FreeFormat,
    /// Bit rate index 15.
    #[error("MPEG audio header has the forbidden bit rate index 15")]
    Bitrate,
    /// Sampling frequency index 3.
    #[error("MPEG audio header has the reserved sampling frequency")]
    SampleRate,
}

/// Bit rates in kbit/s by index from 1 on (clause 2.4.2.3): layers I to III of MPEG-1, then layer I of MPEG-2
/// and its layers II and III.
const BITRATES: [[u16; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl Header {
    /// Reads the header at the beginning of a frame.
    ///
    /// # Errors
    /// A [`HeaderError`] that says which field is wrong. It is [`HeaderError::Truncated`] only for bytes that
    /// can become a header.
    pub fn parse(frame: &[u8]) -> Result<Self, HeaderError> {
        let sync = match frame {
            [0xff, second, ..] => second & 0xe0 == 0xe0,
            [first, ..] => *first == 0xff,
            [] => true,
        };
        if !sync {
            return Err(HeaderError::Sync);
        }
        let [_, second, third, fourth, ..] = *frame else {
            return Err(HeaderError::Truncated(frame.len()));
        };
        let version = match second >> 3 & 3 {
            0 => Version::Mpeg25,
            2 => Version::Mpeg2,
            3 => Version::Mpeg1,
            _ => return Err(HeaderError::Version),
        };
        let layer = match second >> 1 & 3 {
            0 => return Err(HeaderError::Layer),
            code => 4 - code,
        };
        let table = match (version, layer) {
            (Version::Mpeg1, _) => layer - 1,
            (_, 1) => 3,
            _ => 4,
        };
        let bitrate = match third >> 4 {
            0 => return Err(HeaderError::FreeFormat),
            index => BITRATES
                .get(usize::from(table))
                .and_then(|rates| rates.get(usize::from(index - 1)))
                .ok_or(HeaderError::Bitrate)?,
        };
        let divisor = match version {
            Version::Mpeg1 => 1,
            Version::Mpeg2 => 2,
            Version::Mpeg25 => 4,
        };
        let sample_rate = [44_100, 48_000, 32_000]
            .get(usize::from(third >> 2 & 3))
            .and_then(|rate| Timebase::new(rate / divisor))
            .ok_or(HeaderError::SampleRate)?;
        Ok(Self {
            version,
            layer,
            bitrate: u32::from(*bitrate) * 1_000,
            sample_rate,
            channels: if fourth >> 6 == 3 { 1 } else { 2 },
            padding: third & 2 != 0,
        })
    }

    /// Bytes of the frame with its header (clause 2.4.3.1), at most [`MAX_FRAME`].
    pub const fn length(&self) -> usize {
        // Layer I counts in slots of four bytes, the others in bytes.
        let slot = if self.layer == 1 { 4 } else { 1 };
        let slots_per_second = self.bitrate / 8 / slot;
        let slots = self.samples() * slots_per_second / self.sample_rate.ticks_per_second();
        ((slots + self.padding as u32) * slot) as usize
    }

    /// Samples per channel in the frame: 384, 576 or 1,152.
    pub const fn samples(&self) -> u32 {
        match (self.layer, self.version) {
            (1, _) => 384,
            (2, _) | (_, Version::Mpeg1) => 1_152,
            _ => 576,
        }
    }
}

impl FrameHeader for Header {
    type Error = HeaderError;

    fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::parse(bytes)
    }

    fn is_truncated(error: &HeaderError) -> bool {
        matches!(error, HeaderError::Truncated(_))
    }

    fn length(&self) -> usize {
        self.length()
    }

    fn is_like(&self, next: &Self) -> bool {
        (self.version, self.layer, self.sample_rate) == (next.version, next.layer, next.sample_rate)
    }
}

/// Splits what has frames one after the other.
pub const fn frames(bytes: &[u8]) -> SyncFrames<'_, Header> {
    SyncFrames::new(bytes)
}

/// What is alike in all frames of a stream. Decoders need no more, since each frame says it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// 1 to 3.
    pub layer: u8,
    /// Samples per second and channel, and so the track's natural timebase.
    pub sample_rate: Timebase,
    /// 1 or 2.
    pub channels: u8,
}

impl Config {
    /// That of the stream which a frame with this header belongs to.
    pub const fn of(header: &Header) -> Self {
        Self {
            layer: header.layer,
            sample_rate: header.sample_rate,
            channels: header.channels,
        }
    }

    /// The usual name, as shown to people.
    pub const fn name(&self) -> &'static str {
        match self.layer {
            1 => "MP1",
            2 => "MP2",
            _ => "MP3",
        }
    }

    /// The `codecs` parameter of RFC 6381.
    ///
    /// For layer III the audio object type of ISO/IEC 14496-3, as Apple writes it in playlists: hls.js takes
    /// this spelling for the `audio/mpeg` that browsers play, and drops variants that have the object type
    /// indication, which Media Source Extensions refuse. In MP4 they refuse MP3 in every spelling; a
    /// whole file plays whatever is said of it. The other layers, which no browser plays, go by the
    /// [object type indication](Self::object_type_indication).
    pub fn rfc6381(&self) -> String {
        match self.layer {
            3 => "mp4a.40.34".to_owned(),
            _ => format!("mp4a.{:02X}", self.object_type_indication()),
        }
    }

    /// The object type indication of the MP4 registration authority: 0x6B for ISO/IEC 11172-3, 0x69 for
    /// ISO/IEC 13818-3. It is what an `esds` box names.
    pub const fn object_type_indication(&self) -> u8 {
        if self.is_mpeg1() { 0x6b } else { 0x69 }
    }

    /// Samples per channel in each frame.
    pub const fn frame_length(&self) -> u16 {
        match self.layer {
            1 => 384,
            3 if !self.is_mpeg1() => 576,
            _ => 1_152,
        }
    }

    const fn is_mpeg1(&self) -> bool {
        self.sample_rate.ticks_per_second() >= 32_000
    }
}

#[cfg(test)]
mod tests {
    use super::super::sync_frames::Lost;
    use super::*;

    /// Headers as LAME (layer III) and ffmpeg (layer II) write them, and one of layer I.
    const LAYER_3: &[u8] = &[0xff, 0xfb, 0x94, 0x64];
    const LAYER_2: &[u8] = &[0xff, 0xfd, 0xa4, 0x04];
    const LAYER_1: &[u8] = &[0xff, 0xff, 0xc4, 0xc4];

    fn frame(header: &[u8]) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(Header::parse(header).unwrap().length(), 0x55);
        frame
    }

    #[test]
    fn headers_of_real_encoders() {
        // bytes, (version, layer, kbit/s, rate, channels), length, samples, name, codecs
        use Version::{Mpeg1, Mpeg2, Mpeg25};
        let cases: [(&[u8], _, _, _, _, _); 6] = [
            (
                LAYER_3,
                (Mpeg1, 3, 128, 48_000, 2),
                384,
                1_152,
                "MP3",
                "mp4a.40.34",
            ),
            (
                &[0xff, 0xfb, 0x92, 0x64],
                (Mpeg1, 3, 128, 44_100, 2),
                418,
                1_152,
                "MP3",
                "mp4a.40.34",
            ),
            (
                &[0xff, 0xf3, 0x80, 0xc4],
                (Mpeg2, 3, 64, 22_050, 1),
                208,
                576,
                "MP3",
                "mp4a.40.34",
            ),
            (
                &[0xff, 0xe3, 0x40, 0xc4],
                (Mpeg25, 3, 32, 11_025, 1),
                208,
                576,
                "MP3",
                "mp4a.40.34",
            ),
            (
                LAYER_2,
                (Mpeg1, 2, 192, 48_000, 2),
                576,
                1_152,
                "MP2",
                "mp4a.6B",
            ),
            (
                LAYER_1,
                (Mpeg1, 1, 384, 48_000, 1),
                384,
                384,
                "MP1",
                "mp4a.6B",
            ),
        ];
        for (bytes, fields, length, samples, name, codecs) in cases {
            let header = Header::parse(bytes).unwrap();
            let found = (
                header.version,
                header.layer,
                header.bitrate / 1_000,
                header.sample_rate.ticks_per_second(),
                header.channels,
            );
            assert_eq!(found, fields, "{bytes:02x?}");
            assert_eq!((header.length(), header.samples()), (length, samples));
            let config = Config::of(&header);
            assert_eq!(u32::from(config.frame_length()), samples);
            assert_eq!((config.name(), config.rfc6381().as_str()), (name, codecs));
        }
    }

    #[test]
    fn no_header_says_more_than_the_longest_frame() {
        let mut longest = 0;
        for bits in 0..1u32 << 20 {
            if let Ok(header) = Header::parse(&(0xfff0_0000 | bits << 1).to_be_bytes()) {
                assert!(header.length() >= 24, "{header:?}");
                longest = longest.max(header.length());
            }
        }
        for bits in 0..1u32 << 20 {
            if let Ok(header) = Header::parse(&(0xffe0_0000 | bits).to_be_bytes()) {
                assert!(header.length() >= 24, "{header:?}");
                longest = longest.max(header.length());
            }
        }
        assert_eq!(longest, MAX_FRAME);
    }

    #[test]
    fn bad_headers_are_named() {
        let cases: [(&[u8], HeaderError); 12] = [
            (&[], HeaderError::Truncated(0)),
            (&[0xff], HeaderError::Truncated(1)),
            (&[0xff, 0xfb], HeaderError::Truncated(2)),
            (&[0xff, 0xfb, 0x94], HeaderError::Truncated(3)),
            (&[0x47], HeaderError::Sync),
            (&[0xff, 0xd8], HeaderError::Sync),
            (b"ID3\x04", HeaderError::Sync),
            (&[0xff, 0xeb, 0x94, 0x64], HeaderError::Version),
            // ADTS.
            (&[0xff, 0xf1, 0x50, 0x80], HeaderError::Layer),
            (&[0xff, 0xfb, 0x04, 0x64], HeaderError::FreeFormat),
            (&[0xff, 0xfb, 0xf4, 0x64], HeaderError::Bitrate),
            (&[0xff, 0xfb, 0x9c, 0x64], HeaderError::SampleRate),
        ];
        for (bytes, error) in cases {
            assert_eq!(Header::parse(bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn frames_are_split_and_the_unfinished_one_remains() {
        let bytes = [frame(LAYER_3), frame(LAYER_3), frame(LAYER_2)].concat();
        for length in 0..=bytes.len() {
            let mut frames = frames(&bytes[..length]);
            let lengths: Vec<_> = frames
                .by_ref()
                .map(|frame| frame.unwrap().1.len())
                .collect();
            let whole: Vec<usize> = match length {
                0..384 => vec![],
                384..768 => vec![384],
                768..1_344 => vec![384, 384],
                _ => vec![384, 384, 576],
            };
            assert_eq!(lengths, whole, "{length}");
            assert_eq!(
                frames.remainder().len(),
                length - whole.iter().sum::<usize>()
            );
        }
    }

    #[test]
    fn what_is_no_frame_is_passed_over_and_told() {
        // A tag in front, whose sync word is followed by no frame, and rubbish behind.
        let tag = [b"ID3\x04 ", LAYER_3, b" tag"].concat();
        let bytes = [&tag, &frame(LAYER_3)[..], &frame(LAYER_3), b"TAG"].concat();
        let found: Vec<_> = frames(&bytes)
            .map(|found| found.map(|(_, frame)| frame.len()))
            .collect();
        let lost = |at, length| {
            let reason = HeaderError::Sync;
            Lost { at, length, reason }
        };
        let (front, behind) = (lost(0, tag.len()), lost(768 + tag.len(), 3));
        assert_eq!(found, [Err(front), Ok(384), Ok(384), Err(behind)]);
        assert_eq!(
            front.to_string(),
            "13 bytes from byte 0 on are no audio frames: no MPEG audio header: it does not begin with the \
             sync word"
        );
    }
}
