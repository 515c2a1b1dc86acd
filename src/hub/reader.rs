//! Taking access units from a stream.

use super::patience::Place;
use super::ring::{Cursor, Skip};
use super::stream::Read;
use super::{Ended, Stream, TrackSet};
use media::AccessUnit;
use std::sync::Arc;
use tokio::time::Instant;

/// One reader of a stream, at its own place. It starts at the newest random access point.
#[derive(Debug)]
pub struct Reader {
    stream: Arc<Stream>,
    cursor: Option<Cursor>,
    generation: Option<u64>,
    /// A unit whose tracks have been announced and which comes next.
    held: Option<Arc<AccessUnit>>,
    arrived: Option<Instant>,
    /// Where it is, for a publisher that waits for it.
    place: Option<Place>,
}

/// What a reader gets, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// The tracks of what follows: once at the beginning, and at every change.
    Tracks(Arc<TrackSet>),
    /// The next access unit.
    Unit(Arc<AccessUnit>),
    /// The reader was too slow and continues at a later random access point.
    Skipped(Skip),
    /// Nothing more will come.
    Ended(Ended),
}

impl Reader {
    /// A reader of `stream`, which may not be ready yet.
    pub fn new(stream: Arc<Stream>) -> Self {
        Self {
            place: stream.enter(),
            stream,
            cursor: None,
            generation: None,
            held: None,
            arrived: None,
        }
    }

    /// What comes next, waiting for it. Safe to cancel.
    pub async fn next(&mut self) -> Item {
        loop {
            let stream = self.stream.clone();
            let mut changed = std::pin::pin!(stream.changed().notified());
            changed.as_mut().enable();
            if let Some(item) = self.try_next() {
                return item;
            }
            changed.await;
        }
    }

    /// What comes next, if it is there.
    pub fn try_next(&mut self) -> Option<Item> {
        if let Some(unit) = self.held.take() {
            return Some(Item::Unit(unit));
        }
        // A stream that is not ready yet decides where it starts when it is.
        let mut cursor = self.cursor.take().unwrap_or_else(|| self.stream.cursor());
        let read = self.stream.read(&mut cursor);
        if !matches!(read, Read::NotReady) {
            if let Some(place) = &self.place {
                place.set(cursor.bytes_before());
            }
            self.cursor = Some(cursor);
        }
        match read {
            Read::Unit(unit, tracks, arrived) if self.generation == Some(tracks.generation) => {
                self.arrived = Some(arrived);
                Some(Item::Unit(unit))
            }
            Read::Unit(unit, tracks, arrived) => {
                self.arrived = Some(arrived);
                self.generation = Some(tracks.generation);
                self.held = Some(unit);
                Some(Item::Tracks(tracks))
            }
            Read::Skipped(skip) => Some(Item::Skipped(skip)),
            Read::Ended(ended) => Some(Item::Ended(ended)),
            Read::Wait | Read::NotReady => None,
        }
    }

    /// When the newest access unit of those that were given arrived.
    pub const fn arrived(&self) -> Option<Instant> {
        self.arrived
    }

    /// The stream that is read.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
}
