//! The bridged stream between its one task and its readers: the hub's memory and rule for slow readers
//! ([`Ring`]) over again, with sound that has become Opus.

use crate::hub::ring::{Bounds, Cursor, Entry, Ring, Role, Roles, Step, Weights};
use crate::hub::{Ended, Item, TrackSet};
use media::{AccessUnit, Timebase};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Where a bridge's task puts what its readers take.
#[derive(Debug)]
pub(super) struct Output {
    state: Mutex<State>,
    /// Notified after every change.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    ring: Ring<Slot>,
    roles: Roles,
    weights: Weights,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Slot {
    unit: Arc<AccessUnit>,
    tracks: Arc<TrackSet>,
    micros: i64,
    role: Role,
    /// What the tracks take, where it is the first with them.
    tracks_bytes: usize,
}

impl Entry for Slot {
    fn bytes(&self) -> usize {
        self.unit.payload.len() + size_of::<AccessUnit>() + self.tracks_bytes
    }
    fn time(&self) -> i64 {
        self.micros
    }
    fn role(&self) -> Role {
        self.role
    }
}

impl Output {
    pub(super) fn new(bounds: Bounds) -> Self {
        let state = State {
            ring: Ring::new(bounds),
            roles: Roles::default(),
            weights: Weights::default(),
            ended: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Adds an access unit of one of `tracks`; of another it is left out.
    pub(super) fn push(&self, tracks: &Arc<TrackSet>, unit: Arc<AccessUnit>) {
        let Some(track) = tracks.get(unit.track) else {
            return;
        };
        let mut state = self.lock();
        let slot = Slot {
            micros: track.timebase.rescale(unit.dts, Timebase::MICROS),
            role: state.roles.of(&unit, tracks),
            tracks_bytes: state.weights.of(tracks),
            tracks: tracks.clone(),
            unit,
        };
        state.ring.push(slot);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Nothing more will come.
    pub(super) fn end(&self, reason: Ended) {
        self.lock().ended.get_or_insert(reason);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reader's place in an [`Output`], from the newest random access point on.
#[derive(Debug)]
pub(super) struct Place {
    cursor: Cursor,
    generation: Option<u64>,
    /// A unit whose tracks have been announced and which comes next.
    held: Option<Arc<AccessUnit>>,
}

impl Place {
    pub(super) fn new(output: &Output) -> Self {
        Self {
            cursor: output.lock().ring.start(),
            generation: None,
            held: None,
        }
    }

    /// What comes next, waiting for it. Safe to cancel.
    pub(super) async fn next(&mut self, output: &Output) -> Item {
        loop {
            let mut changed = std::pin::pin!(output.changed.notified());
            changed.as_mut().enable();
            if let Some(item) = self.try_next(output) {
                return item;
            }
            changed.await;
        }
    }

    /// What comes next, if it is there.
    pub(super) fn try_next(&mut self, output: &Output) -> Option<Item> {
        if let Some(unit) = self.held.take() {
            return Some(Item::Unit(unit));
        }
        let state = output.lock();
        match state.ring.next(&mut self.cursor) {
            Step::Entry(slot) if self.generation == Some(slot.tracks.generation) => {
                Some(Item::Unit(slot.unit.clone()))
            }
            Step::Entry(slot) => {
                self.generation = Some(slot.tracks.generation);
                self.held = Some(slot.unit.clone());
                Some(Item::Tracks(slot.tracks.clone()))
            }
            Step::Skipped(skip) => Some(Item::Skipped(skip)),
            Step::UpToDate => state.ended.map(Item::Ended),
        }
    }
}
