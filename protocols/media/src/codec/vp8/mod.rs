//! VP8: what a decoder needs before the first picture, and what a frame is (RFC 6386 section 9).
//!
//! A stream has no configuration of its own: the size of its pictures is in each key frame.

mod header;

use super::Start;
use bytes::Bytes;

/// What a decoder needs to know. There is one format alone, 4:2:0 of 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Samples per line, 1 to 16,383.
    pub width: u16,
    /// Lines, 1 to 16,383.
    pub height: u16,
}

/// Why a key frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ends in its header.
    #[error("VP8 frame ends in its header, at byte {0}")]
    Truncated(usize),
    /// The frame refers to others.
    #[error("VP8 frame is not a key frame")]
    NotAKeyFrame,
    /// A key frame has its start code behind the frame tag.
    #[error("VP8 key frame has no start code at byte 3")]
    StartCode,
    /// Pictures of no size.
    #[error("VP8 picture of {width} x {height}")]
    Size {
        /// Samples per line.
        width: u16,
        /// Lines.
        height: u16,
    },
}

impl Config {
    /// From a key frame (section 9.1). How much the picture is to be scaled up is ignored, as by all players.
    ///
    /// # Errors
    /// When it is none, or its header cannot be read.
    pub fn from_key_frame(frame: &[u8]) -> Result<Self, ConfigError> {
        let truncated = ConfigError::Truncated(frame.len());
        let (tag, rest) = frame.split_first_chunk::<3>().ok_or(truncated)?;
        if !Tag::read(*tag).key {
            return Err(ConfigError::NotAKeyFrame);
        }
        let [code @ .., w0, w1, h0, h1] = *rest.first_chunk::<7>().ok_or(truncated)?;
        if code != START_CODE {
            return Err(ConfigError::StartCode);
        }
        // The upper two bits are the scaling.
        let [width, height] = [[w0, w1], [h0, h1]].map(|side| u16::from_le_bytes(side) & 0x3fff);
        if width == 0 || height == 0 {
            return Err(ConfigError::Size { width, height });
        }
        Ok(Self { width, height })
    }

    /// Writes the content of a `vpcC` box (VP Codec ISO Media File Format Binding): version, flags and
    /// VPCodecConfigurationRecord. VP8 has neither profiles that matter nor levels: profile 0, level 1.0, colours
    /// unspecified.
    pub fn vpcc(&self) -> Bytes {
        // 8 bits, 4:2:0 with chroma at luma samples.
        Bytes::from_static(&[1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0])
    }

    /// The `codecs` parameter of MP4 (VP Codec ISO Media File Format Binding), always `vp08.00.10.08`: what
    /// [`vpcc`](Self::vpcc) says. WebM calls the same `vp8`.
    pub fn rfc6381(&self) -> String {
        "vp08.00.10.08".to_owned()
    }
}

/// What a frame's header says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// It contains a frame.
    pub has_frame: bool,
    /// It is a key frame, so that a decoder can start here.
    pub key: bool,
    /// It is shown, not only referred to.
    pub shown: bool,
    /// No later frame needs it: it replaces no reference frame, and no probability or segmentation of it is kept.
    pub disposable: bool,
    /// Width and height in samples, of a key frame.
    pub size: Option<(u16, u16)>,
}

impl Picture {
    /// Looks at the headers. What cannot be read is no frame.
    pub fn inspect(payload: &[u8]) -> Self {
        let Some((tag, first_partition)) = payload.split_first_chunk::<3>() else {
            return Self::default();
        };
        let tag = Tag::read(*tag);
        let config = Config::from_key_frame(payload).ok();
        Self {
            has_frame: config.is_some() || !tag.key && !first_partition.is_empty(),
            key: config.is_some(),
            shown: tag.shown,
            disposable: !tag.key && tag.shown && header::leaves_no_trace(first_partition),
            size: config.map(|config| (config.width, config.height)),
        }
    }

    /// How a decoder can start here, if it can.
    pub fn start(&self) -> Option<Start> {
        self.key.then_some(Start::Clean)
    }
}

const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// The frame tag, without the size of the first partition.
struct Tag {
    key: bool,
    shown: bool,
}

impl Tag {
    const fn read([first, ..]: [u8; 3]) -> Self {
        Self {
            key: first & 1 == 0,
            shown: first & 0x10 != 0,
        }
    }
}

#[cfg(test)]
mod tests;
