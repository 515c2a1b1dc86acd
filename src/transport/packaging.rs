//! A stream as transport packets, made once for all that send them on.

use crate::hub::ring::{Bounds, Cursor, Entry, Ring, Role, Roles, Skip, Step};
use crate::hub::{Ended, Item, Patience, Place, Reader, Stream, TrackSet};
use media::Track;
use mpegts::muxer::{Chunk, Muxer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// How often a packaging looks whether anybody reads it, while nothing comes.
const LOOK: Duration = Duration::from_secs(5);

/// The packagings that are read, one for each stream.
#[derive(Debug, Default)]
pub struct Packagings(Mutex<Vec<Weak<Packaging>>>);

/// One stream's packets.
#[derive(Debug)]
struct Packaging {
    stream: Arc<Stream>,
    state: Mutex<State>,
    changed: Notify,
    /// Readers that are waited for, where those of the stream are.
    patience: Option<Patience>,
}

#[derive(Debug)]
struct State {
    ring: Ring<Slot>,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Slot {
    chunk: Chunk,
    role: Role,
}

impl Entry for Slot {
    fn bytes(&self) -> usize {
        self.chunk.data.len() + size_of::<Self>()
    }
    fn time(&self) -> i64 {
        media::Timebase::VIDEO.rescale(self.chunk.time, media::Timebase::MICROS)
    }
    fn role(&self) -> Role {
        self.role
    }
}

impl Packagings {
    /// Reads a stream as packets, from its newest random access point. The last reader that goes ends the packaging.
    pub fn reader(&self, stream: &Arc<Stream>, bounds: Bounds) -> PackagedReader {
        let mut packagings = lock(&self.0);
        packagings.retain(|packaging| packaging.strong_count() > 0);
        let known = packagings
            .iter()
            .filter_map(Weak::upgrade)
            .find(|known| Arc::ptr_eq(&known.stream, stream) && lock(&known.state).ended.is_none());
        let packaging = known.unwrap_or_else(|| {
            let packaging = Arc::new(Packaging {
                stream: stream.clone(),
                state: Mutex::new(State {
                    ring: Ring::new(bounds),
                    ended: None,
                }),
                changed: Notify::new(),
                patience: stream.is_offline().then(Patience::default),
            });
            let reader = Reader::new(stream.clone());
            tokio::spawn(package(reader, Arc::downgrade(&packaging)));
            packagings.push(Arc::downgrade(&packaging));
            packaging
        });
        let cursor = match packaging.patience {
            Some(_) => lock(&packaging.state).ring.oldest(),
            None => lock(&packaging.state).ring.start(),
        };
        PackagedReader {
            place: packaging.patience.as_ref().map(Patience::enter),
            packaging,
            cursor,
        }
    }

    /// Whether a track is carried.
    ///
    /// # Errors
    /// Why not.
    pub fn carries(track: &Track) -> Result<(), String> {
        Muxer::carries(&track.codec).map_err(|error| error.to_string())
    }

    /// The tracks of a set that are carried, and words about the others.
    pub fn carried(tracks: &TrackSet) -> (Vec<Track>, Vec<String>) {
        let mut refused = Vec::new();
        let carried = tracks.tracks.iter().filter(|track| {
            let carries = Muxer::carries(&track.codec);
            refused.extend(carries.as_ref().err().map(ToString::to_string));
            carries.is_ok()
        });
        let carried = carried.cloned().collect();
        (carried, refused)
    }
}

/// Makes the packets of a stream until it ends, or nobody reads them.
async fn package(mut reader: Reader, packaging: Weak<Packaging>) {
    let mut muxer = Muxer::default();
    let mut roles = Roles::default();
    let mut tracks = Arc::new(TrackSet {
        generation: 0,
        tracks: Vec::new(),
    });
    loop {
        let item = tokio::select! {
            item = reader.next() => Some(item),
            () = tokio::time::sleep(LOOK) => None,
        };
        let Some(packaging) = packaging.upgrade() else {
            return;
        };
        if let Some(patience) = &packaging.patience {
            patience.room(|| packaging.pushed_bytes()).await;
        }
        let mut ended = None;
        let mut role = Role::Aside;
        match item {
            None => continue,
            Some(Item::Tracks(set)) => {
                let (carried, refused) = Packagings::carried(&set);
                let set_up = muxer
                    .set_tracks(&carried)
                    .err()
                    .map(|error| error.to_string());
                for error in refused.into_iter().chain(set_up) {
                    let stream = packaging.stream.name();
                    tracing::warn!(%stream, %error, "a track is left out of MPEG-TS");
                }
                tracks = set;
            }
            Some(Item::Unit(unit)) => {
                role = roles.of(&unit, &tracks);
                // Units of tracks that are left out were told of with their track.
                let _ = muxer.push(&unit);
            }
            Some(Item::Skipped(skip)) => packaging.stream.note_skip("mpegts", &"packaging", &skip),
            Some(Item::Ended(reason)) => {
                muxer.flush();
                ended = Some(reason);
            }
        }
        let mut state = lock(&packaging.state);
        while let Some(chunk) = muxer.pull() {
            let role = match role {
                _ if chunk.random_access => Role::Start,
                // Without tables nobody begins with it.
                Role::Start => Role::Follower,
                role => role,
            };
            state.ring.push(Slot { chunk, role });
        }
        state.ended = ended;
        drop(state);
        packaging.changed.notify_waiters();
        if ended.is_some() {
            return;
        }
    }
}

impl Packaging {
    fn pushed_bytes(&self) -> u64 {
        lock(&self.state).ring.pushed_bytes()
    }
}

/// One reader of a stream's packets, at its own place.
#[derive(Debug)]
pub struct PackagedReader {
    packaging: Arc<Packaging>,
    cursor: Cursor,
    place: Option<Place>,
}

/// What a reader gets, in order.
#[derive(Debug)]
pub enum Packaged {
    /// The next packets.
    Chunk(Chunk),
    /// The reader was too slow and continues at a later random access point.
    Skipped(Skip),
    /// Nothing more will come.
    Ended(Ended),
}

impl PackagedReader {
    /// What comes next, waiting for it. Safe to cancel.
    pub async fn next(&mut self) -> Packaged {
        loop {
            let packaging = self.packaging.clone();
            let mut changed = std::pin::pin!(packaging.changed.notified());
            changed.as_mut().enable();
            if let Some(next) = self.try_next() {
                return next;
            }
            changed.await;
        }
    }

    /// What comes next, if it is there.
    pub fn try_next(&mut self) -> Option<Packaged> {
        let state = lock(&self.packaging.state);
        let next = match state.ring.next(&mut self.cursor) {
            Step::Entry(slot) => Some(Packaged::Chunk(slot.chunk.clone())),
            Step::Skipped(skip) => Some(Packaged::Skipped(skip)),
            Step::UpToDate => state.ended.map(Packaged::Ended),
        };
        if let Some(place) = &self.place {
            place.set(self.cursor.bytes_before());
        }
        next
    }

    /// The stream that is read.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.packaging.stream
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
