//! The same segments as MPEG-TS (RFC 8216 section 3.2), for players that know no others: pictures and sound together. They
//! are made of what has been cut, once for all who ask, when somebody does, and one behind the other: packets are
//! counted on from segment to segment, as strict players want it.

use super::playlist::date_ranges;
use crate::net::text::Text;
use crate::segment::{Rendition, Segment, Snapshot};
use crate::transport::hls::segments::{Event, Segments};
use bytes::{Bytes, BytesMut};
use hls::media::{self as playlist, Playlist};
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use mpegts::muxer::Muxer;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Most segments in the playlist, however many there are as MP4.
const MOST_LISTED: usize = 20;

/// Segments that are kept behind those.
const KEPT: usize = 4;

/// Sound that ends so long before the pictures of a segment has all that belongs to it, in microseconds.
const NEAR_MICROS: i64 = 500_000;

/// Bytes of all of them, but for the newest.
const MAX_BYTES: usize = 64 << 20;

/// The segments of one stream.
#[derive(Debug)]
pub(super) struct TransportStream {
    /// No two of them give the same bytes the same tag.
    tag: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    muxer: Muxer,
    /// What reads pictures, and what reads sound.
    readers: [Segments; 2],
    tracks: Vec<Track>,
    /// Oldest first, without a gap.
    made: VecDeque<Made>,
    /// Discontinuities that have gone from `made`.
    discontinuities_before: u64,
    text: Option<(bool, Arc<Text>)>,
}

#[derive(Debug)]
struct Made {
    number: u64,
    duration: Duration,
    discontinuity: bool,
    program_date_time: SystemTime,
    bytes: Bytes,
}

/// What is made into one stream.
struct Source<'a> {
    lead: &'a Rendition,
    /// The sound beside the pictures.
    other: Option<&'a Rendition>,
}

impl Default for TransportStream {
    fn default() -> Self {
        Self {
            tag: rand::random(),
            state: Arc::default(),
        }
    }
}

impl TransportStream {
    /// The playlist of what there is.
    ///
    /// # Errors
    /// When the stream cannot be carried so, why.
    pub(super) async fn playlist(&self, now: Arc<Snapshot>) -> Result<Arc<Text>, String> {
        let state = self.state.clone();
        let text = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.catch_up(&now)?;
            Ok(state.text(&now))
        });
        text.await.map_err(|error| error.to_string())?
    }

    /// The segment of that number, with its tag.
    pub(super) async fn segment(&self, now: Arc<Snapshot>, number: u64) -> Option<(Bytes, String)> {
        let state = self.state.clone();
        let bytes = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.catch_up(&now).ok()?;
            let mut made = state.made.iter();
            let found = made.find(|made| made.number == number)?;
            Some(found.bytes.clone())
        });
        let bytes = bytes.await.ok()??;
        Some((bytes, format!("{number}.{:016x}", self.tag)))
    }
}

impl<'a> Source<'a> {
    /// Of what goes on, or of all once nothing does.
    fn of(snapshot: &'a Snapshot) -> Result<Self, String> {
        let renditions = match snapshot.present() {
            [] => &snapshot.renditions[..],
            present => present,
        };
        let of = |kind| {
            let mut renditions = renditions.iter();
            renditions.find(|rendition| rendition.track.kind() == kind)
        };
        let carried = |rendition: &&Rendition| Muxer::carries(&rendition.track.codec).is_ok();
        let (video, audio) = (of(Kind::Video), of(Kind::Audio));
        let lead = video
            .or(audio)
            .ok_or("there are neither pictures nor sound")?;
        Muxer::carries(&lead.track.codec).map_err(|error| error.to_string())?;
        Ok(Self {
            lead,
            other: audio.filter(|_| video.is_some()).filter(carried),
        })
    }

    /// Numbers of the first segment that is listed, and of the last of which all is there; at the end, that is the last.
    /// None where nothing is whole.
    fn range(&self, ended: bool) -> Option<(u64, u64)> {
        let first = self.lead.listed().0.next()?.number;
        let until = self.other.filter(|_| !ended).map(|other| {
            let last = other.segments.back();
            last.map_or(i64::MIN, |last| last.micros().1)
        });
        let is_whole = |segment: &&Arc<Segment>| {
            let end = segment.micros().1;
            until.is_none_or(|until| end.saturating_sub(until) < NEAR_MICROS)
        };
        let last = self.lead.segments.iter().rev().find(is_whole)?;
        Some((first, last.number))
    }

    /// The segments beside that of the leading track: by their times, since numbers part where one of them has a hole.
    fn beside(&self, lead: &Segment) -> Vec<&'a Arc<Segment>> {
        let (start, end) = lead.micros();
        let others = self.other.into_iter().flat_map(|other| &other.segments);
        let is_beside = |other: &&Arc<Segment>| {
            let (from, until) = other.micros();
            let middle = from.saturating_add(until.saturating_sub(from) / 2);
            (start..end).contains(&middle)
        };
        others.filter(is_beside).collect()
    }
}

impl State {
    /// Makes what has been cut and not been made.
    fn catch_up(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let source = Source::of(snapshot)?;
        let Some((first, last)) = source.range(snapshot.ended) else {
            return Ok(());
        };
        let newest = self.made.back().map(|made| made.number);
        let most = MOST_LISTED as u64;
        let from = first.max(last.saturating_add(1).saturating_sub(most));
        let next = newest.map_or(from, |newest| newest.saturating_add(1));
        if next < from {
            // Of segments that are gone the playlist has none.
            let gone = std::mem::take(&mut self.made);
            self.forget(gone);
        }
        for number in next.max(from)..=last {
            if let Some(made) = self.make(&source, number) {
                self.made.push_back(made);
                self.text = None;
            }
        }
        let mut bytes: usize = self.made.iter().map(|made| made.bytes.len()).sum();
        while self.made.len() > 1
            && (bytes > MAX_BYTES || self.made.len() > self.listed(first) + KEPT)
        {
            let Some(gone) = self.made.pop_front() else {
                break;
            };
            bytes = bytes.saturating_sub(gone.bytes.len());
            self.forget([gone]);
            self.text = None;
        }
        Ok(())
    }

    /// How many of those that are made are not older than what is listed.
    fn listed(&self, first: u64) -> usize {
        let listed = self.made.iter().filter(|made| made.number >= first).count();
        listed.min(MOST_LISTED)
    }

    fn forget(&mut self, gone: impl IntoIterator<Item = Made>) {
        let gone = gone.into_iter().filter(|made| made.discontinuity).count();
        self.discontinuities_before = self.discontinuities_before.saturating_add(gone as u64);
    }

    fn make(&mut self, source: &Source<'_>, number: u64) -> Option<Made> {
        let lead = source.lead.segment(number)?;
        let beside = source.beside(lead);
        let mut tracks = Vec::new();
        let mut units = Vec::new();
        let others = beside.iter().map(|other| (1, *other));
        for (place, segment) in std::iter::once((0, lead)).chain(others) {
            let Some(reader) = self.readers.get_mut(place) else {
                continue;
            };
            let id = TrackId(place as u16);
            read(reader, segment, &mut |event| match event {
                Event::Track(track) => tracks.push(Track { id, ..track }),
                Event::Unit(unit) => units.push(AccessUnit { track: id, ..unit }),
            });
        }
        self.declare(tracks, !beside.is_empty());
        let micros = |unit: &AccessUnit| {
            let mut tracks = self.tracks.iter();
            let track = tracks.find(|track| track.id == unit.track);
            let timebase = track.map_or(Timebase::VIDEO, |track| track.timebase);
            timebase.rescale(unit.dts, Timebase::MICROS)
        };
        units.sort_by_cached_key(micros);
        let mut bytes = BytesMut::with_capacity(lead.bytes + (lead.bytes >> 3));
        for unit in &units {
            // What cannot be carried is left out, as in every transport stream.
            let _ = self.muxer.push(unit);
        }
        self.muxer.flush();
        while let Some(chunk) = self.muxer.pull() {
            bytes.extend_from_slice(&chunk.data);
        }
        let discontinuity = |segment: &Arc<Segment>| segment.discontinuity;
        Some(Made {
            number,
            duration: lead.duration,
            discontinuity: discontinuity(lead) || beside.into_iter().any(discontinuity),
            program_date_time: lead.program_date_time,
            bytes: bytes.freeze(),
        })
    }

    /// The tracks of the next segment, which begins with tables that say so.
    fn declare(&mut self, new: Vec<Track>, with_other: bool) {
        for track in new {
            self.tracks.retain(|known| known.id != track.id);
            self.tracks.push(track);
        }
        self.tracks.sort_by_key(|track| track.id);
        let present = self
            .tracks
            .iter()
            .filter(|track| with_other || track.id.0 == 0);
        let present: Vec<Track> = present.cloned().collect();
        if let Err(error) = self.muxer.set_tracks(&present) {
            tracing::debug!(%error, "tracks of segments of MPEG-TS");
        }
    }

    /// Written once for all who ask while nothing changes.
    fn text(&mut self, snapshot: &Snapshot) -> Arc<Text> {
        if let Some((ended, text)) = &self.text
            && *ended == snapshot.ended
        {
            return text.clone();
        }
        let first = Source::of(snapshot)
            .ok()
            .and_then(|source| source.range(snapshot.ended));
        let listed = self.listed(first.map_or(0, |(first, _)| first));
        let unlisted = self.made.len().saturating_sub(listed);
        let gone = self.made.iter().take(unlisted);
        let gone = gone.filter(|made| made.discontinuity).count() as u64;
        let listed = || self.made.iter().skip(unlisted);
        let uris: Vec<String> = listed()
            .map(|made| format!("ts_{}.ts", made.number))
            .collect();
        let segments: Vec<playlist::Segment<'_>> = listed()
            .zip(&uris)
            .map(|(made, uri)| playlist::Segment {
                uri,
                duration: made.duration,
                discontinuity: made.discontinuity,
                program_date_time: Some(made.program_date_time),
                ..playlist::Segment::default()
            })
            .collect();
        let oldest = listed().next();
        let date_ranges = date_ranges(snapshot, oldest.map(|made| made.program_date_time));
        let playlist = Playlist {
            target_duration: snapshot.target.unwrap_or(1),
            media_sequence: oldest.map_or(0, |made| made.number),
            discontinuity_sequence: self.discontinuities_before.saturating_add(gone),
            date_ranges: &date_ranges,
            segments: &segments,
            ended: snapshot.ended,
            ..Playlist::default()
        };
        let text = Arc::new(Text::new(playlist.to_string()));
        self.text = Some((snapshot.ended, text.clone()));
        text
    }
}

/// What is in a segment.
fn read(reader: &mut Segments, segment: &Segment, give: &mut impl FnMut(Event)) {
    let mut push = |bytes: &Bytes| {
        // It is our own; of one that is damaged on the disk, the others are there.
        let _ = reader.push(Some(&segment.init.bytes), bytes, None, give);
    };
    match &segment.place {
        Some(place) if segment.parts.is_empty() => {
            let mut bytes = BytesMut::zeroed(segment.bytes);
            if place.read(0, &mut bytes).is_ok() {
                push(&bytes.freeze());
            }
        }
        _ => segment.parts.iter().for_each(|part| push(&part.bytes)),
    }
}
