//! What the protocols that carry FLV tags have in common at the edge: which tracks of a stream they send, and what
//! they say of them first.
//!
//! Old and new players alike know one video and one audio track, so these are the first ones that FLV has a form
//! for; the rest of a stream is left out.

use crate::hub::TrackSet;
use media::{Kind, Track};
use rtmp::amf0::Value;

/// The tracks that are sent.
pub(crate) fn carried(tracks: &TrackSet) -> impl Iterator<Item = &Track> {
    [Kind::Video, Kind::Audio]
        .into_iter()
        .filter_map(|kind| of_kind(tracks, kind))
}

/// Whether a track is one of those.
pub(crate) fn is_carried(tracks: &TrackSet, track: &Track) -> bool {
    of_kind(tracks, track.kind()).is_some_and(|sent| sent.id == track.id)
}

fn of_kind(tracks: &TrackSet, kind: Kind) -> Option<&Track> {
    let mut tracks = tracks.tracks.iter();
    tracks.find(|track| track.kind() == kind && flv::muxer::is_carried(track))
}

/// Why those who were sent `before` cannot go on with `after`: a kind of media that they had is now of a codec that
/// FLV has no form for.
pub(crate) fn breaks(before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
    let breaks = |kind| {
        let lost = of_kind(before, kind).is_some() && of_kind(after, kind).is_none();
        lost && after.first(kind).is_some()
    };
    if breaks(Kind::Video) {
        Some("its pictures are now of a codec that FLV does not carry")
    } else if breaks(Kind::Audio) {
        Some("its sound is now of a codec that FLV does not carry")
    } else {
        None
    }
}

/// The properties of `onMetaData` that players look at.
pub(crate) fn metadata(tracks: &TrackSet) -> Value {
    let mut properties: Vec<(String, Value)> = vec![("server".into(), "Millstream".into())];
    let mut add = |name: &str, value: f64| properties.push((name.into(), Value::Number(value)));
    for track in carried(tracks) {
        let id = flv::muxer::codec_id(track).unwrap_or_default();
        match track.kind() {
            Kind::Video => {
                add("videocodecid", f64::from(id));
                if let Some((width, height)) = track.codec.size() {
                    add("width", f64::from(width));
                    add("height", f64::from(height));
                }
                if let Some((pictures, seconds)) = track.codec.frame_rate() {
                    add("framerate", f64::from(pictures) / f64::from(seconds));
                }
            }
            _ => {
                add("audiocodecid", f64::from(id));
                add(
                    "audiosamplerate",
                    f64::from(track.timebase.ticks_per_second()),
                );
                if let Some(channels) = track.codec.channels() {
                    add("audiochannels", f64::from(channels));
                }
            }
        }
    }
    Value::EcmaArray(properties)
}
