//! What of a stream can be sent by WebRTC.

use crate::bridge::{Sound, Transcoder, Unsupported};
use crate::hub::{Item, Reader, Stream, TrackSet};
use media::{Codec, Kind, Track};
use std::sync::Arc;
use webrtc::{AudioFormat, VideoFormat};

/// Pictures that are looked at for whether they come in the order in which they are shown.
const LOOKED_AT: usize = 120;

/// Steps back in time among those that make it another order. One may be the clock of the source.
const STEPS_BACK: usize = 2;

/// What a stream has for WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    /// Its pictures.
    pub(super) video: Option<VideoFormat>,
    /// Its sound, the bridge passed.
    pub(super) audio: Option<AudioFormat>,
}

impl Formats {
    /// Whether a session that was made for these goes on with others.
    pub(super) fn goes_on_with(self, other: Self) -> bool {
        self.video.map(VideoFormat::name) == other.video.map(VideoFormat::name)
            && self.audio.is_some() == other.audio.is_some()
    }
}

/// Why a stream is not sent by WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsuitable {
    #[error("browsers play no {0} by WebRTC")]
    Video(&'static str),
    #[error("the stream has B-frames, which browsers do not put in order in WebRTC")]
    Reordered,
    /// Silence would not be the stream either.
    #[error("{0}")]
    Sound(Unsupported),
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
        Some(Codec::H265(_)) => Some(VideoFormat::H265),
        Some(Codec::Av1(_)) => Some(VideoFormat::Av1),
        Some(Codec::Vp9(config)) => Some(VideoFormat::Vp9 {
            profile: config.profile,
        }),
        Some(Codec::Vp8(_)) => Some(VideoFormat::Vp8),
        Some(codec) => return Err(Unsuitable::Video(codec.name())),
    };
    let audio = tracks.first(Kind::Audio).map(sound_of).transpose();
    let audio = audio.map_err(Unsuitable::Sound)?;
    if video.is_none() && audio.is_none() {
        return Err(Unsuitable::Nothing);
    }
    Ok(Formats { video, audio })
}

/// Whether a track reaches browsers, in a stream whose pictures are in another order than they are shown in or not.
///
/// # Errors
/// Why not.
pub(super) fn carries(track: &Track, reordered: bool) -> Result<(), Unsuitable> {
    let tracks = TrackSet {
        generation: 0,
        tracks: vec![track.clone()],
    };
    let formats = of(&tracks)?;
    match formats.video {
        Some(_) if reordered => Err(Unsuitable::Reordered),
        _ => Ok(()),
    }
}

fn sound_of(track: &Track) -> Result<AudioFormat, Unsupported> {
    let bridged;
    let track = match track.codec {
        Codec::Opus(_) => track,
        _ => {
            bridged = Transcoder::new(track, Sound::Opus)?;
            bridged.track()
        }
    };
    match &track.codec {
        Codec::Opus(config) if config.channels > 2 => Err(Unsupported::Channels(config.channels)),
        Codec::Opus(config) => Ok(AudioFormat::Opus {
            stereo: config.channels == 2,
        }),
        codec => Err(Unsupported::Codec(codec.name())),
    }
}

/// Whether the pictures that the stream begins with now come in another order than they are shown in.
pub(super) fn is_reordered(stream: &Arc<Stream>, tracks: &TrackSet) -> bool {
    let Some(video) = tracks.first(Kind::Video) else {
        return false;
    };
    let mut reader = Reader::new(stream.clone());
    let units = std::iter::from_fn(|| reader.try_next()).filter_map(|item| match item {
        Item::Unit(unit) => Some(unit),
        _ => None,
    });
    let mut pictures = units.filter(|unit| unit.track == video.id).take(LOOKED_AT);
    let mut order = Order::default();
    pictures.any(|picture| order.is_reordered(picture.pts))
}

/// Watches the order of pictures.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<i64>,
    seen: usize,
    steps_back: usize,
}

impl Order {
    /// Takes the time at which the next picture is shown. True when pictures come in another order.
    pub(super) fn is_reordered(&mut self, pts: i64) -> bool {
        if self.seen == LOOKED_AT {
            *self = Self {
                last: self.last,
                ..Self::default()
            };
        }
        self.seen += 1;
        let before = self.last.replace(pts);
        self.steps_back += usize::from(before.is_some_and(|before| pts < before));
        self.steps_back >= STEPS_BACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::webrtc::tests::{
        g722, picture, pictures, publisher, sound, surround, track_set,
    };
    use media::Timebase;
    use media::codec::g711::Law;

    const RATE: Timebase = Timebase::new(8_000).unwrap();

    #[test]
    fn what_a_browser_plays_is_found_and_the_rest_has_a_reason() {
        let video = Some(VideoFormat::H264 {
            profile_level_id: [0x42, 0xc0, 0x1e],
        });
        let audio = |stereo| Some(AudioFormat::Opus { stereo });
        let g711 = Track {
            codec: Codec::G711 {
                law: Law::A,
                sample_rate: RATE,
                channels: 1,
            },
            timebase: RATE,
            ..sound(1)
        };
        for (tracks, expected) in [
            (vec![pictures(), sound(2)], Ok((video, audio(true)))),
            (vec![pictures(), sound(1)], Ok((video, audio(false)))),
            (vec![pictures(), g711], Ok((video, audio(false)))),
            (vec![pictures()], Ok((video, None))),
            (vec![sound(2)], Ok((None, audio(true)))),
            (vec![pictures(), surround()], Ok((video, audio(true)))),
            (
                vec![pictures(), g722()],
                Err(Unsuitable::Sound(Unsupported::Codec("G722"))),
            ),
            (vec![], Err(Unsuitable::Nothing)),
        ] {
            let formats = of(&track_set(&tracks));
            let formats = formats.map(|formats| (formats.video, formats.audio));
            assert_eq!(formats, expected, "{tracks:?}");
        }
    }

    #[test]
    fn pictures_out_of_order_are_noticed() {
        let reordered = |times: &[i64]| {
            let mut order = Order::default();
            times.iter().any(|time| order.is_reordered(*time))
        };
        assert!(!reordered(&[0, 1, 2, 3, 3, 4]));
        assert!(reordered(&[0, 3, 1, 2, 6, 4, 5]));
        // A clock that was set back, and then another time much later.
        assert!(!reordered(&[50, 51, 52, 10, 11, 12]));
        let mut order = Order::default();
        let mut late = (0..50).chain(0..200);
        assert!(!late.any(|time| order.is_reordered(time)));
        assert!(!order.is_reordered(0));
    }

    #[tokio::test]
    async fn the_current_pictures_of_a_stream_are_looked_at() {
        for (times, expected) in [
            ([0, 33, 66, 99, 132, 165], false),
            ([0, 66, 33, 132, 99, 165], true),
        ] {
            let (_hub, publisher) = publisher(&[pictures(), sound(2)]);
            for (dts, pts) in (0..).zip(times) {
                let picture = picture(dts * 33, pts + 66, dts == 0);
                publisher.push(picture).unwrap();
            }
            let tracks = publisher.stream().snapshot().tracks;
            assert_eq!(is_reordered(publisher.stream(), &tracks), expected);
        }
    }
}
