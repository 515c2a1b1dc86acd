//! The formats of files that are written: access units to bytes.

use super::container::Container;
use super::output::Output;
use super::segments::Segments;
use crate::adapters::FlvMedia;
use crate::hub::TrackSet;
use crate::record::fragments::Fragments;
use bytes::Bytes;
use flv::file::TagKind;
use media::{AccessUnit, Kind, Timebase, Track};
use mp4::index::Plain;
use mpegts::muxer::Muxer;
use rtmp::amf0::Value;
use rtmp::message::Message;
use std::sync::Arc;

/// A file in the making, of one format.
pub(super) enum Form {
    Ts(Box<Muxer>),
    Flv {
        tracks: Arc<TrackSet>,
        /// Milliseconds that are zero in the file.
        origin: u32,
        /// The last timestamp.
        last: u32,
    },
    Mp4 {
        tracks: TrackSet,
        plain: Option<Box<Plain>>,
    },
    Fragmented {
        tracks: TrackSet,
        init: Bytes,
        fragments: Box<Fragments>,
    },
    Segments(Box<Segments>),
}

impl Form {
    /// For a file that begins with these tracks, at `origin` in microseconds.
    pub(super) fn new(
        container: Container,
        tracks: &Arc<TrackSet>,
        origin: i64,
    ) -> Result<Self, String> {
        let carried = || carried(container, tracks);
        Ok(match container {
            Container::Ts => Self::Ts(Box::default()),
            Container::Flv => Self::Flv {
                tracks: tracks.clone(),
                // Milliseconds of FLV are counted modulo 2^32.
                origin: origin.div_euclid(1_000) as u32,
                last: 0,
            },
            Container::Mp4 => {
                let tracks = carried();
                let zero = |track: &Track| Timebase::MICROS.rescale(origin, track.timebase);
                let plain = match tracks.tracks.is_empty() {
                    true => None,
                    false => {
                        let plain = Plain::new(&tracks.tracks, zero);
                        Some(Box::new(plain.map_err(|error| error.to_string())?))
                    }
                };
                Self::Mp4 { tracks, plain }
            }
            Container::Fragmented => {
                let tracks = carried();
                let init = match tracks.tracks.is_empty() {
                    true => Bytes::new(),
                    false => mp4::init::write(&tracks.tracks).map_err(|error| error.to_string())?,
                };
                let fragments = Box::new(Fragments::whole(&tracks, origin));
                Self::Fragmented {
                    tracks,
                    init,
                    fragments,
                }
            }
            Container::Hls => Self::Segments(Box::new(Segments::new(carried(), origin)?)),
        })
    }

    const fn container(&self) -> Container {
        match self {
            Self::Ts(_) => Container::Ts,
            Self::Flv { .. } => Container::Flv,
            Self::Mp4 { .. } => Container::Mp4,
            Self::Fragmented { .. } => Container::Fragmented,
            Self::Segments(_) => Container::Hls,
        }
    }

    /// Whether units of a track, which is one of `tracks`, come into the file.
    pub(super) fn has(&self, track: &Track, tracks: &TrackSet) -> Result<(), String> {
        self.container().carries(track)?;
        match self {
            Self::Ts(_) | Self::Segments(_) => Ok(()),
            Self::Flv { .. } => {
                let mut written = FlvMedia(tracks).tracks();
                let words = "a file of FLV has one track of pictures and one of sound";
                let is_written = written.any(|other| other.id == track.id);
                is_written.then_some(()).ok_or_else(|| words.to_owned())
            }
            Self::Mp4 { tracks, .. } | Self::Fragmented { tracks, .. } => {
                let known = tracks.get(track.id).is_some();
                let words = "it came after the file had begun";
                known.then_some(()).ok_or_else(|| words.to_owned())
            }
        }
    }

    /// Writes what stands in front of the first unit.
    pub(super) fn begin(&mut self, set: &TrackSet, out: &mut Output) {
        let bytes = &mut out.buffer;
        match self {
            Self::Ts(muxer) => {
                // Those that are left out have been told of.
                let _ = muxer.set_tracks(&carried(Container::Ts, set).tracks);
            }
            Self::Flv { tracks, last, .. } => {
                let media = FlvMedia(tracks);
                let (video, audio) = (media.has(Kind::Video), media.has(Kind::Audio));
                bytes.extend_from_slice(&flv::file::header(video, audio));
                put_flv_head(tracks, *last, bytes);
            }
            Self::Mp4 { .. } => {}
            Self::Fragmented { init, .. } => bytes.extend_from_slice(init),
            Self::Segments(segments) => segments.begin(out),
        }
    }

    /// The tracks of what follows. What of their change does not come into the file is returned in words.
    pub(super) fn change(&mut self, set: &Arc<TrackSet>, out: &mut Output) -> Vec<String> {
        match self {
            Self::Ts(muxer) => {
                let changed = muxer.set_tracks(&carried(Container::Ts, set).tracks);
                let words = changed.err().map(|error| error.to_string());
                words.into_iter().collect()
            }
            Self::Flv { tracks, last, .. } => {
                let broken = FlvMedia(tracks).breaks(set).map(str::to_owned);
                *tracks = set.clone();
                put_flv_head(tracks, *last, &mut out.buffer);
                broken.into_iter().collect()
            }
            Self::Mp4 { tracks, .. } | Self::Fragmented { tracks, .. } => {
                let mut words = Vec::new();
                for track in &mut tracks.tracks {
                    let now = set.get(track.id).filter(|now| now.codec != track.codec);
                    if let Some(now) = now {
                        track.codec = now.codec.clone();
                        words.push(format!(
                            "track {}: its configuration changes, of which the file has the first",
                            track.id.0
                        ));
                    }
                }
                words
            }
            Self::Segments(segments) => {
                let changed = segments.change(carried(Container::Hls, set), out);
                changed.err().into_iter().collect()
            }
        }
    }

    /// Adds a unit of a track that the file has.
    pub(super) fn push(&mut self, unit: &Arc<AccessUnit>, out: &mut Output) -> Result<(), String> {
        let bytes = &mut out.buffer;
        match self {
            Self::Ts(muxer) => {
                let pushed = muxer.push(unit);
                while let Some(chunk) = muxer.pull() {
                    bytes.extend_from_slice(&chunk.data);
                }
                pushed.map_err(|error| error.to_string())
            }
            Self::Flv {
                tracks,
                origin,
                last,
            } => {
                let Some((track, prefix)) = FlvMedia(tracks).prefix(unit, false) else {
                    return Err("its track is not in the file".to_owned());
                };
                let time = flv::muxer::timestamp(track, unit).wrapping_sub(*origin);
                *last = time;
                put_tag(kind(track), time, &prefix, unit.payload.clone(), bytes)
            }
            Self::Mp4 { plain, .. } => {
                if plain.as_mut().is_some_and(|plain| plain.push(unit)) {
                    bytes.extend_from_slice(&unit.payload);
                }
                Ok(())
            }
            Self::Fragmented { fragments, .. } => {
                let fragment = fragments.push(unit);
                bytes.extend_from_slice(&fragment.unwrap_or_default());
                Ok(())
            }
            Self::Segments(segments) => {
                segments.push(unit, out);
                Ok(())
            }
        }
    }
}

/// The tracks of a set that a format has a form for.
fn carried(container: Container, tracks: &TrackSet) -> TrackSet {
    let carries = |track: &&Track| container.carries(track).is_ok();
    TrackSet {
        generation: tracks.generation,
        tracks: tracks.tracks.iter().filter(carries).cloned().collect(),
    }
}

const fn kind(track: &Track) -> TagKind {
    match track.kind() {
        Kind::Video => TagKind::Video,
        Kind::Audio => TagKind::Audio,
        Kind::Data => TagKind::Script,
    }
}

/// `onMetaData` and the configurations.
fn put_flv_head(tracks: &TrackSet, time: u32, out: &mut Vec<u8>) {
    let media = FlvMedia(tracks);
    let mut metadata = media.metadata();
    if let Value::EcmaArray(properties) = &mut metadata {
        // Filled in when it is known.
        properties.insert(0, (DURATION.to_owned(), 0.0.into()));
    }
    let (_, body) = Message::Data(vec!["onMetaData".into(), metadata]).write();
    // Both are small enough for a tag.
    let _ = put_tag(TagKind::Script, time, &[], body, out);
    for track in media.tracks() {
        if let Some(body) = flv::muxer::sequence_header(track) {
            let _ = put_tag(kind(track), time, &[], body, out);
        }
    }
}

/// The property that says how long a file is, in seconds.
pub(super) const DURATION: &str = "duration";

fn put_tag(
    kind: TagKind,
    time: u32,
    prefix: &[u8],
    payload: Bytes,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let tag = flv::file::tag(kind, time, prefix, payload).map_err(|error| error.to_string())?;
    for slice in tag.slices() {
        out.extend_from_slice(slice);
    }
    Ok(())
}
