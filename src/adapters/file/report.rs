//! What reading or writing a file has to say: how far it is, and what was lost.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Most losses that are told one by one; the others are counted.
const MAX_TOLD: usize = 50;

/// Shared between who reads and writes, and who tells of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Bytes of the source, and bytes that have been read of it.
    length: AtomicU64,
    read: AtomicU64,
    container: OnceLock<&'static str>,
    duration: OnceLock<Duration>,
    losses: Mutex<(Vec<String>, u64)>,
}

impl Report {
    /// The source is a file of so many bytes.
    pub(super) fn opened(&self, length: u64, container: &'static str) {
        self.length.store(length, Ordering::Relaxed);
        let _ = self.container.set(container);
    }

    /// The source says how long it is.
    pub(super) fn lasts(&self, duration: Duration) {
        let _ = self.duration.set(duration);
    }

    /// So many more bytes have been read.
    pub(super) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Something of the source is lost, or does not come into the target.
    pub fn lost(&self, what: &dyn Display) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, more) = &mut *losses;
        if told.len() < MAX_TOLD {
            told.push(what.to_string());
        } else {
            *more = more.saturating_add(1);
        }
    }

    /// What is lost, in the order in which it was found, and how much there is beside.
    pub fn losses(&self) -> (Vec<String>, u64) {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.clone()
    }

    /// Bytes read, and bytes that there are, where the source is a file.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let length = self.length.load(Ordering::Relaxed);
        (length > 0).then(|| (self.read.load(Ordering::Relaxed), length))
    }

    /// What kind of file the source is, once that is known.
    pub fn container(&self) -> Option<&'static str> {
        self.container.get().copied()
    }

    /// How long the source says it is.
    pub fn duration(&self) -> Option<Duration> {
        self.duration.get().copied()
    }
}
