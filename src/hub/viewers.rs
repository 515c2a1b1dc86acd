//! Who watches a stream, counted by protocol.

use super::Stream;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Viewers of one stream by protocol.
#[derive(Debug, Default)]
pub struct Viewers {
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Viewers {
    /// Present viewers.
    pub fn by_protocol(&self) -> BTreeMap<&'static str, usize> {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Present viewers of all protocols.
    pub fn total(&self) -> usize {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }

    fn change(&self, protocol: &'static str, change: impl FnOnce(usize) -> usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(protocol).or_default();
        *count = change(*count);
    }
}

/// One viewer, counted as long as this value lives.
#[derive(Debug)]
pub struct Viewer {
    stream: Arc<Stream>,
    protocol: &'static str,
}

impl Viewer {
    /// Counts a viewer of `stream` by `protocol`.
    pub fn new(stream: Arc<Stream>, protocol: &'static str) -> Self {
        stream.viewers().change(protocol, |count| count + 1);
        Self { stream, protocol }
    }

    /// The stream that is watched.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.stream
            .viewers()
            .change(self.protocol, |count| count.saturating_sub(1));
    }
}
