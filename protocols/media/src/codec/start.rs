//! Where a decoder can start, alike for all codecs. Sources ask here what an access unit is, outputs what kind of
//! beginning a random access point makes.

use super::{av1, h264, h265, nal, vp8, vp9};
use crate::Codec;

/// How a decoder can start at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything from here on can be decoded: an IDR picture.
    Clean,
    /// The picture itself can be decoded, and all that is shown after it; pictures that are decoded after it and
    /// shown before it (leading pictures) may need what came before: H.265's CRA and BLA, H.264's recovery point
    /// of no frames.
    Open,
    /// The picture is completed by those that follow: intra refresh, announced by a recovery point.
    Gradual,
}

/// What an access unit of pictures is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How a decoder can start here, if it can.
    pub start: Option<Start>,
    /// No other picture refers to this one.
    pub disposable: bool,
}

/// Why an access unit cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// A NAL unit of H.264 or H.265.
    #[error(transparent)]
    Nal(#[from] nal::NalError),
    /// An OBU of AV1.
    #[error(transparent)]
    Obu(#[from] av1::ObuError),
}

impl Codec {
    /// What the headers in an access unit say of it; `None` for what holds no picture, and of sound and data.
    ///
    /// # Errors
    /// When a length in it reaches past the end.
    pub fn look_at(&self, payload: &[u8]) -> Result<Option<Seen>, LookError> {
        let (has_picture, start, disposable) = match self {
            Self::H264(_) => {
                let picture = h264::Picture::inspect(payload)?;
                (picture.has_slice, picture.start(), picture.disposable)
            }
            Self::H265(config) => {
                let picture = h265::Picture::inspect(payload)?;
                let disposable = picture.disposable(&config.video);
                (picture.has_slice, picture.start(), disposable)
            }
            Self::Av1(config) => {
                let picture = av1::Picture::inspect_with(payload, &config.video)?;
                (picture.has_frame, picture.start(), picture.disposable)
            }
            Self::Vp9(_) => {
                let picture = vp9::Picture::inspect(payload);
                (picture.has_frame, picture.start(), picture.disposable)
            }
            Self::Vp8(_) => {
                let picture = vp8::Picture::inspect(payload);
                (picture.has_frame, picture.start(), picture.disposable)
            }
            // Each is a picture of its own.
            Self::Jpeg(_) => (!payload.is_empty(), Some(Start::Clean), true),
            _ => return Ok(None),
        };
        Ok(has_picture.then_some(Seen { start, disposable }))
    }

    /// Whether what begins with this random access point is whole from its first picture on. That it is one has
    /// been found, or said by its source, before.
    pub fn begins_whole(&self, payload: &[u8]) -> bool {
        let seen = self.look_at(payload).ok().flatten();
        seen.and_then(|seen| seen.start) != Some(Start::Gradual)
    }
}
