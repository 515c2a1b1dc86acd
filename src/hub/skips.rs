//! Which readers were too slow for a stream, how often, and what they missed.

use super::ring::{Skip, SkipCause};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What readers of one protocol have missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// How often one was moved.
    pub skips: u64,
    /// Access units.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their media time.
    pub time: Duration,
}

/// Skips of one stream's readers, by protocol and why.
#[derive(Debug, Default)]
pub struct Skips {
    missed: Mutex<BTreeMap<(&'static str, SkipCause), Missed>>,
}

impl Skips {
    /// So far, by protocol and why.
    pub fn by_cause(&self) -> BTreeMap<(&'static str, SkipCause), Missed> {
        self.missed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn add(&self, protocol: &'static str, skip: &Skip) {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = missed.entry((protocol, skip.cause)).or_default();
        missed.skips += 1;
        missed.entries += skip.entries;
        missed.bytes += skip.bytes;
        missed.time += skip.time;
    }
}
