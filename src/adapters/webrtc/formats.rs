//! What of a stream can be sent by WebRTC.

use crate::bridge::Transcoder;
use crate::hub::{Item, Reader, Stream, TrackSet};
use media::{Codec, Kind};
use std::sync::Arc;
use webrtc::{AudioFormat, VideoFormat};

/// Pictures that are looked at for whether they come in the order in which they are shown.
const LOOKED_AT: usize = 120;

/// What a stream has for WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    /// Its pictures.
    pub(super) video: Option<VideoFormat>,
    /// Its sound, the bridge passed.
    pub(super) audio: Option<AudioFormat>,
}

/// Why a stream is not sent by WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsuitable {
    #[error("browsers play no {0} by WebRTC")]
    Video(&'static str),
    #[error("the stream has B-frames, which browsers do not put in order in WebRTC")]
    Reordered,
    #[error("the stream has neither pictures nor sound for WebRTC")]
    Nothing,
}

/// What these tracks have for WebRTC.
///
/// # Errors
/// When there is a better way to play the stream: without its pictures it is not the stream.
pub(super) fn of(tracks: &TrackSet) -> Result<Formats, Unsuitable> {
    let video = match tracks.first(Kind::Video).map(|track| &track.codec) {
        None => None,
        Some(Codec::H264(config)) => {
            let sps = &config.video;
            let profile_level_id = [sps.profile_idc, sps.constraints, sps.level_idc];
            Some(VideoFormat::H264 { profile_level_id })
        }
        Some(codec) => return Err(Unsuitable::Video(codec.name())),
    };
    let audio = tracks.first(Kind::Audio).and_then(|track| {
        let channels = match &track.codec {
            Codec::Opus(config) => config.channels,
            _ => match Transcoder::new(track).ok()?.track().codec {
                Codec::Opus(ref config) => config.channels,
                _ => return None,
            },
        };
        let stereo = channels == 2;
        (channels <= 2).then_some(AudioFormat::Opus { stereo })
    });
    if video.is_none() && audio.is_none() {
        return Err(Unsuitable::Nothing);
    }
    Ok(Formats { video, audio })
}

/// Whether the stream's pictures come in another order than they are shown in.
pub(super) fn is_reordered(stream: &Arc<Stream>, tracks: &TrackSet) -> bool {
    let Some(video) = tracks.first(Kind::Video) else {
        return false;
    };
    let mut reader = Reader::new(stream.clone());
    let mut shown = i64::MIN;
    let mut seen = 0;
    while let Some(item) = reader.try_next() {
        let Item::Unit(unit) = item else { continue };
        if unit.track != video.id {
            continue;
        }
        if unit.pts < shown {
            return true;
        }
        shown = unit.pts;
        seen += 1;
        if seen == LOOKED_AT {
            break;
        }
    }
    false
}
