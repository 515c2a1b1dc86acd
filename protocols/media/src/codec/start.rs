//! Where a decoder can start, alike for all codecs. Sources ask here what an access unit is, outputs what kind of
//! beginning a random access point makes.

use super::{h264, h265, nal};
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

impl Codec {
    /// What the NAL units of an access unit say of it; `None` for what holds no picture, and of sound.
    ///
    /// # Errors
    /// When a NAL unit's length reaches past the end.
    pub fn look_at(&self, payload: &[u8]) -> Result<Option<Seen>, nal::NalError> {
        let (has_slice, seen) = match self {
            Self::H264(_) => {
                let picture = h264::Picture::inspect(payload)?;
                let (start, disposable) = (picture.start(), picture.disposable);
                (picture.has_slice, Seen { start, disposable })
            }
            Self::H265(config) => {
                let picture = h265::Picture::inspect(payload)?;
                let (start, disposable) = (picture.start(), picture.disposable(&config.video));
                (picture.has_slice, Seen { start, disposable })
            }
            Self::Aac(_) | Self::Opus(_) | Self::G711 { .. } => return Ok(None),
        };
        Ok(has_slice.then_some(seen))
    }

    /// Whether what begins with this random access point is whole from its first picture on. That it is one has
    /// been found, or said by its source, before.
    pub fn begins_whole(&self, payload: &[u8]) -> bool {
        let seen = self.look_at(payload).ok().flatten();
        seen.and_then(|seen| seen.start) != Some(Start::Gradual)
    }
}
