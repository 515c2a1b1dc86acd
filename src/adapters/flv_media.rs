//! What the protocols that carry FLV tags have in common at the edge: which tracks of a stream they send, and what
//! they say of them first.
//!
//! Old and new players alike know one video and one audio track, so these are the first ones that FLV has a form
//! for; the rest of a stream is left out, but for those who say that they read it (Enhanced RTMP v2, "Multitrack").

use crate::hub::TrackSet;
use bytes::Bytes;
use flv::demuxer::MAX_TRACKS;
use flv::muxer::Prefix;
use flv::{multitrack, muxer};
use media::{AccessUnit, Kind, Track};
use rtmp::amf0::Value;

/// The media of a stream as far as FLV carries them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlvMedia<'a>(pub(crate) &'a TrackSet);

impl<'a> FlvMedia<'a> {
    /// The tracks that are sent to everyone.
    pub(crate) fn tracks(self) -> impl Iterator<Item = &'a Track> {
        [Kind::Video, Kind::Audio]
            .into_iter()
            .filter_map(move |kind| self.first(kind))
    }

    /// The tracks that are sent to those who read further ones.
    pub(crate) fn all(self) -> impl Iterator<Item = &'a Track> {
        let kinds = [Kind::Video, Kind::Audio].into_iter();
        kinds.flat_map(move |kind| self.numbered(kind).map(|(_, track)| track))
    }

    /// Whether there is one of that kind.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.first(kind).is_some()
    }

    /// Whether there are tracks that are sent only to those who read further ones.
    pub(crate) fn has_further(self) -> bool {
        let count = |kind| self.numbered(kind).count();
        count(Kind::Video) > 1 || count(Kind::Audio) > 1
    }

    /// The bodies that announce the configurations of the tracks: of the first of each kind, or of all.
    pub(crate) fn announcements(self, all: bool) -> impl Iterator<Item = (&'a Track, Bytes)> {
        let tracks = [Kind::Video, Kind::Audio].into_iter();
        let tracks = tracks.flat_map(move |kind| self.numbered(kind));
        tracks.filter_map(move |(number, track)| {
            let body = match number {
                0 => muxer::sequence_header(track),
                _ if all => multitrack::sequence_header(track, number),
                _ => None,
            };
            Some((track, body?))
        })
    }

    /// The track of an access unit and what stands in front of it, if the unit is sent: where it is of the first track
    /// of its kind, or of any.
    pub(crate) fn prefix(self, unit: &AccessUnit, all: bool) -> Option<(&'a Track, Prefix)> {
        let track = self.0.get(unit.track)?;
        let mut numbered = self.numbered(track.kind());
        let (number, _) = numbered.find(|(_, sent)| sent.id == track.id)?;
        let prefix = match number {
            0 => muxer::prefix(unit, track),
            _ if all => multitrack::prefix(unit, track, number),
            _ => None,
        };
        Some((track, prefix?))
    }

    /// Why those who were sent this cannot go on with `after`: what they decode is now of another codec. Who comes
    /// again is told from the beginning.
    pub(crate) fn breaks(self, after: &TrackSet) -> Option<&'static str> {
        let breaks = |kind| {
            let codec = |media: FlvMedia<'_>| media.first(kind).and_then(muxer::codec_id);
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
            let id = f64::from(muxer::codec_id(track).unwrap_or_default());
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
        self.numbered(kind).next().map(|(_, track)| track)
    }

    /// The tracks of a kind that FLV has a form for.
    fn numbered(self, kind: Kind) -> impl Iterator<Item = (u8, &'a Track)> {
        let tracks = self.0.tracks.iter();
        let carried = tracks.filter(move |track| track.kind() == kind && muxer::is_carried(track));
        (0..MAX_TRACKS).zip(carried)
    }
}
