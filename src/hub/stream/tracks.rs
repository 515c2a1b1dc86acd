//! The tracks of a stream, and how they change.

use super::{READY_AFTER_MICROS, State, Stream};
use media::{Kind, Track, TrackId};
use std::sync::Arc;

/// Most tracks a stream may have.
pub(super) const MAX_TRACKS: usize = 16;

/// The tracks of a stream at one time. A change makes a new set with the next generation number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSet {
    /// Grows by one with every change, also across publishers.
    pub generation: u64,
    /// In the order of their IDs.
    pub tracks: Vec<Track>,
}

impl TrackSet {
    /// The track of that number.
    pub fn get(&self, id: TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// The first track of that kind.
    pub fn first(&self, kind: Kind) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind() == kind)
    }

    /// The track that the others go along with: pictures, else sound, else data.
    pub fn lead(&self) -> Option<&Track> {
        let kinds = [Kind::Video, Kind::Audio, Kind::Data];
        kinds.into_iter().find_map(|kind| self.first(kind))
    }
}

impl Stream {
    /// Declares a track, or changes its configuration; left out beyond [`MAX_TRACKS`]. False when this
    /// publisher has been replaced or the stream is over.
    pub(in crate::hub) fn set_track(&self, publisher: u64, track: Track) -> bool {
        let mut state = self.lock();
        let is_publisher = state.publisher == Some(publisher);
        match &mut state.stand_in {
            Some(stand_in) if stand_in.number == publisher => {}
            Some(stand_in) if is_publisher => {
                stand_in.declare(track);
                return true;
            }
            None if is_publisher => {}
            _ => return false,
        }
        let has_changed = state.declare(track);
        drop(state);
        if has_changed {
            self.changed.notify_waiters();
        }
        true
    }
}

impl State {
    /// The present source has this track. False when that was known.
    pub(super) fn declare(&mut self, track: Track) -> bool {
        let id = match self.number(track.id) {
            Some(known) => known,
            None if self.declared.len() >= MAX_TRACKS => return false,
            None => {
                let id = self.number_for(&track);
                self.declared.push((track.id, id));
                id
            }
        };
        let track = Track { id, ..track };
        let mut tracks = self.tracks.tracks.clone();
        match tracks.iter().position(|known| known.id == track.id) {
            Some(at) if tracks.get(at) == Some(&track) => return false,
            Some(at) => tracks.splice(at..=at, [track]).for_each(drop),
            None if tracks.len() >= MAX_TRACKS => return false,
            None => tracks.push(track),
        }
        tracks.sort_by_key(|track| track.id);
        self.set_tracks(tracks);
        true
    }

    /// What that track of the present source is called in the stream, once it is declared.
    pub(super) fn number(&self, of_source: TrackId) -> Option<TrackId> {
        let mut declared = self.declared.iter();
        let found = declared.find(|(known, _)| *known == of_source);
        found.map(|(_, id)| *id)
    }

    /// A source counts its tracks as its protocol does. Where it goes on with what another has begun, its sound is to be the
    /// same track, which players have: it gets the number of a track of its kind that the present source has not declared.
    fn number_for(&self, track: &Track) -> TrackId {
        let is_taken = |id: TrackId| self.declared.iter().any(|(_, taken)| *taken == id);
        let tracks = self.tracks.tracks.iter();
        let free = tracks.filter(|known| known.kind() == track.kind() && !is_taken(known.id));
        // A source that comes back keeps its own.
        if let Some(known) = free.min_by_key(|known| (known.id != track.id, known.id)) {
            return known.id;
        }
        let is_free = |id: &TrackId| !is_taken(*id) && self.tracks.get(*id).is_none();
        let mut others = (0..=u16::MAX).map(TrackId);
        let own = Some(track.id).filter(is_free);
        own.or_else(|| others.find(is_free)).unwrap_or(track.id)
    }

    fn set_tracks(&mut self, tracks: Vec<Track>) {
        let generation = self.tracks.generation + 1;
        self.tracks = Arc::new(TrackSet { generation, tracks });
    }

    /// Tracks of a publisher before, which this one has had time to declare and has not, are gone.
    pub(super) fn forget_undeclared(&mut self, now: i64) {
        let since = *self.source_since.get_or_insert(now);
        let is_declared = |track: &Track| self.declared.iter().any(|(_, id)| *id == track.id);
        if now.saturating_sub(since) < READY_AFTER_MICROS
            || self.tracks.tracks.iter().all(is_declared)
        {
            return;
        }
        let tracks = self.tracks.tracks.iter();
        let declared = tracks.filter(|track| is_declared(track)).cloned().collect();
        self.set_tracks(declared);
    }
}
