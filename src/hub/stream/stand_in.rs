//! Who publishes a stream while no source does, so that its readers stay. It gives way to a source that has come at that
//! source's first random access point: until then both are there, and what readers get is the stand-in.

use super::tracks::MAX_TRACKS;
use media::{AccessUnit, Kind, Track};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A source without pictures has them announced within so long, if there are any.
const SOUND_ALONE: Duration = Duration::from_millis(500);

/// A source that gives no random access point for so long takes over all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stand-in, and the source that waits to take over from it.
#[derive(Debug)]
pub(super) struct StandIn {
    /// Its number as a publisher.
    pub(super) number: u64,
    /// Cancelled to make it leave.
    pub(super) kick: CancellationToken,
    /// What the source that has come has declared.
    pub(super) tracks: Vec<Track>,
    /// When its first access unit came.
    since: Option<Instant>,
    /// When it came, or its newest access unit.
    pub(super) heard: Instant,
}

impl StandIn {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            kick: CancellationToken::new(),
            tracks: Vec::new(),
            since: None,
            heard: Instant::now(),
        }
    }

    /// Another source has come, or is to come.
    pub(super) fn await_source(&mut self) {
        self.tracks.clear();
        self.since = None;
        self.heard = Instant::now();
    }

    /// The source declares a track, or changes it.
    pub(super) fn declare(&mut self, track: Track) {
        self.tracks.retain(|known| known.id != track.id);
        if self.tracks.len() < MAX_TRACKS {
            self.tracks.push(track);
        }
    }

    /// Whether the source takes over with this unit of its.
    pub(super) fn gives_way_to(&mut self, unit: &AccessUnit) -> bool {
        self.heard = Instant::now();
        let waited = self.heard - *self.since.get_or_insert(self.heard);
        let has_pictures = self.tracks.iter().any(|track| track.kind() == Kind::Video);
        let mut tracks = self.tracks.iter();
        match tracks.find(|track| track.id == unit.track).map(Track::kind) {
            Some(Kind::Video) => unit.random_access || waited >= PATIENCE,
            Some(Kind::Audio) if !has_pictures => waited >= SOUND_ALONE,
            _ => waited >= PATIENCE,
        }
    }
}
