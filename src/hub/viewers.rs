//! Who watches a stream, counted by protocol.

use super::pass::Presence;
use super::{Pass, Stream, StreamName, Tally};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// A viewer has come or gone.
#[derive(Clone, Debug)]
pub struct Viewing {
    /// What is watched.
    pub stream: StreamName,
    /// By which protocol.
    pub protocol: &'static str,
    /// It has come.
    pub has_come: bool,
}

/// Viewers of one stream by protocol.
#[derive(Debug)]
pub struct Viewers {
    counts: Mutex<BTreeMap<&'static str, usize>>,
    /// Where it is told who comes and goes, while anybody wants to know.
    told: broadcast::Sender<Viewing>,
}

impl Viewers {
    pub(super) fn new(told: broadcast::Sender<Viewing>) -> Self {
        Self {
            counts: Mutex::default(),
            told,
        }
    }

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

    fn tell(&self, stream: &StreamName, protocol: &'static str, has_come: bool) {
        if self.told.receiver_count() > 0 {
            let stream = stream.clone();
            // That nobody hears any more is no fault.
            let _ = self.told.send(Viewing {
                stream,
                protocol,
                has_come,
            });
        }
    }
}

/// One viewer, counted as long as this value lives.
#[derive(Debug)]
pub struct Viewer {
    stream: Arc<Stream>,
    protocol: &'static str,
    tally: Arc<Tally>,
    presence: Presence,
}

impl Viewer {
    /// Counts a viewer of `stream` by `protocol`.
    pub fn new(stream: Arc<Stream>, protocol: &'static str) -> Self {
        stream.viewers().change(protocol, |count| count + 1);
        stream.viewers().tell(stream.name(), protocol, true);
        let tally = Arc::new(stream.tally(protocol));
        Self {
            stream,
            protocol,
            tally,
            presence: Presence::default(),
        }
    }

    /// By this right.
    pub fn by(mut self, pass: Pass) -> Self {
        self.presence = pass.enter();
        self
    }

    /// Completes when the viewer may watch no more. Safe to cancel.
    pub async fn withdrawn(&self) {
        self.presence.withdrawn().await;
    }

    /// Whether the viewer may watch no more, and has to go.
    pub fn is_withdrawn(&self) -> bool {
        self.presence.is_withdrawn()
    }

    /// Counts what is sent.
    pub const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The stream that is watched.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.tally.is_up_to_date();
        let viewers = self.stream.viewers();
        viewers.change(self.protocol, |count| count.saturating_sub(1));
        viewers.tell(self.stream.name(), self.protocol, false);
    }
}
