//! What the protocols that carry FLV tags have in common at the edge: which tracks of a stream they send, and what
//! they say of them first.
//!
//! Old and new players alike know one video and one audio track, so these are the first ones that FLV has a form
//! for; the rest of a stream is left out.

use crate::hub::TrackSet;
use media::{Kind, Track, TrackId};
use rtmp::amf0::Value;

/// The media of a stream as far as FLV carries them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlvMedia<'a>(pub(crate) &'a TrackSet);

impl<'a> FlvMedia<'a> {
    /// The tracks that are sent.
    pub(crate) fn tracks(self) -> impl Iterator<Item = &'a Track> {
        [Kind::Video, Kind::Audio]
            .into_iter()
            .filter_map(move |kind| self.first(kind))
    }

    /// Whether there is one of that kind.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.first(kind).is_some()
    }

    /// The track of that number, if it is one of those that are sent.
    pub(crate) fn get(self, id: TrackId) -> Option<&'a Track> {
        let track = self.0.get(id)?;
        self.first(track.kind()).filter(|sent| sent.id == id)
    }

    /// Why those who were sent this cannot go on with `after`: what they decode is now of another codec. Who comes
    /// again is told from the beginning.
    pub(crate) fn breaks(self, after: &TrackSet) -> Option<&'static str> {
        let breaks = |kind| {
            let codec = |media: FlvMedia<'_>| media.first(kind).and_then(flv::muxer::codec_id);
            let is_there = after.first(kind).is_some();
            self.has(kind) && is_there && codec(self) != codec(FlvMedia(after))
        };
        if breaks(Kind::Video) {
            Some("its pictures are now of another codec")
        } else if breaks(Kind::Audio) {
            Some("its sound is now of another codec")
        } else {
            None
        }
    }

    /// The properties of `onMetaData` that players look at.
    pub(crate) fn metadata(self) -> Value {
        let mut properties: Vec<(String, Value)> = vec![("server".into(), "Millstream".into())];
        let mut add = |name: &str, value: f64| properties.push((name.into(), value.into()));
        for track in self.tracks() {
            let id = f64::from(flv::muxer::codec_id(track).unwrap_or_default());
            if track.kind() == Kind::Video {
                add("videocodecid", id);
                if let Some((width, height)) = track.codec.size() {
                    add("width", f64::from(width));
                    add("height", f64::from(height));
                }
                if let Some((pictures, seconds)) = track.codec.frame_rate() {
                    add("framerate", f64::from(pictures) / f64::from(seconds));
                }
            } else {
                let rate = track.timebase.ticks_per_second();
                add("audiocodecid", id);
                add("audiosamplerate", f64::from(rate));
                if let Some(channels) = track.codec.channels() {
                    add("audiochannels", f64::from(channels));
                }
            }
        }
        Value::EcmaArray(properties)
    }

    fn first(self, kind: Kind) -> Option<&'a Track> {
        let mut tracks = self.0.tracks.iter();
        tracks.find(|track| track.kind() == kind && flv::muxer::is_carried(track))
    }
}
