//! Putting access units into a stream.

use super::pass::Presence;
use super::registry::Register;
use super::{Packets, Pass, Stream, StreamName};
use media::{AccessUnit, Track};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The name has a publisher that sends, and the rule is not to replace it; or the server is full.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// Someone publishes under that name.
    #[error("{0} is being published already")]
    Publishing(StreamName),
    /// As many streams exist as the configuration allows.
    #[error("the server holds {0} streams, as many as it may")]
    Full(usize),
}

/// The one publisher of a stream.
///
/// Dropped without [`Publisher::finish`], it leaves the stream waiting for a successor for the grace time.
#[derive(Debug)]
pub struct Publisher {
    stream: Arc<Stream>,
    register: Arc<Register>,
    number: u64,
    kicked: CancellationToken,
    presence: Presence,
}

/// The publisher's right to the stream is gone: it was stopped, or another one has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream has been stopped or taken over by another publisher")]
pub struct Replaced;

impl Publisher {
    pub(super) fn new(stream: Arc<Stream>, register: Arc<Register>, number: u64) -> Self {
        let kicked = stream.kicked();
        Self::kicked_by(stream, register, number, kicked)
    }

    /// One that has to leave when that is cancelled.
    pub(super) fn kicked_by(
        stream: Arc<Stream>,
        register: Arc<Register>,
        number: u64,
        kicked: CancellationToken,
    ) -> Self {
        Self {
            stream,
            register,
            number,
            kicked,
            presence: Presence::default(),
        }
    }

    /// By this right.
    #[must_use]
    pub fn by(mut self, pass: Pass) -> Self {
        self.presence = pass.enter();
        self
    }

    /// Declares a track, or changes its configuration. Tracks beyond the sixteenth are left out. Its number is this
    /// publisher's own: in the stream it may be another.
    ///
    /// # Errors
    /// [`Replaced`] when the stream is no longer this publisher's.
    pub fn set_track(&self, track: Track) -> Result<(), Replaced> {
        if self.stream.set_track(self.number, track) {
            Ok(())
        } else {
            Err(Replaced)
        }
    }

    /// Adds an access unit, in decoding order within its track. Units of undeclared tracks are dropped.
    ///
    /// # Errors
    /// [`Replaced`] when the stream is no longer this publisher's.
    pub fn push(&self, unit: AccessUnit) -> Result<(), Replaced> {
        if self.stream.push(self.number, unit) {
            Ok(())
        } else {
            Err(Replaced)
        }
    }

    /// Completes when there is room for more: at once, unless the hub is one for work offline, and readers are behind
    /// or what was pushed is ahead of its time. A source that can wait does so; a live one need not.
    pub async fn room(&self) {
        self.stream.room().await;
    }

    /// Tells of packets that came and that were lost on the way, since this was called last. A source that hears
    /// of losses says so; others need not.
    pub fn count_packets(&self, packets: Packets) {
        self.stream.count_packets(self.number, packets);
    }

    /// Completes when readers want a random access point: at most once a second, and not while one has come since.
    /// A source that can make one does so; others need not ask. Safe to cancel.
    pub async fn random_access_wanted(&self) {
        self.stream.random_access_wanted().await;
    }

    /// Completes when the publisher should leave, or may publish no more. Safe to cancel.
    pub async fn kicked(&self) {
        tokio::select! {
            () = self.kicked.cancelled() => {}
            () = self.presence.withdrawn() => {}
        }
    }

    /// Its number, which no other publisher has or will have.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The stream that is published.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Ends the stream at once, unless it is held ([`Hub::hold`](super::Hub::hold)): the source said that it is over.
    pub fn finish(self) {
        self.register.leave(&self.stream, self.number);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.register.interrupt(&self.stream, self.number);
    }
}
