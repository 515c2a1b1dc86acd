//! The stream that a source fills, and how far one attempt to fill it has come.

use super::Context;
use crate::hub::{Origin, Publisher, Replaced, Stream, StreamName, Taken};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What one attempt to pull a source is given.
#[derive(Debug)]
pub struct Target {
    /// Where it is published.
    pub context: Arc<Context>,
    /// Its name.
    pub name: StreamName,
    /// Number of the publisher that an attempt at this source was last; 0 for none. All of them share it.
    newest: Arc<AtomicU64>,
    /// It has the stream in place of another attempt at the same source.
    takes_over: bool,
    listening: CancellationToken,
    connected: CancellationToken,
    published: CancellationToken,
    /// The far side said that the stream is over.
    over: AtomicBool,
    /// It was a recording, and all of it has been played.
    finished: AtomicBool,
    /// An attempt before at the same URL found the stream over when it had played it.
    was_over: bool,
    /// The stream, and the number of its publisher, of the newest call of [`Target::publish`].
    place: OnceLock<(Arc<Stream>, u64)>,
}

impl Target {
    /// For the first attempt at a source.
    pub fn new(context: Arc<Context>, name: StreamName) -> Self {
        Self {
            context,
            name,
            newest: Arc::default(),
            takes_over: false,
            listening: CancellationToken::new(),
            connected: CancellationToken::new(),
            published: CancellationToken::new(),
            over: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            was_over: false,
            place: OnceLock::new(),
        }
    }

    /// For another attempt at the same source.
    pub fn again(&self) -> Self {
        Self {
            newest: self.newest.clone(),
            ..Self::new(self.context.clone(), self.name.clone())
        }
    }

    /// For another attempt at the same source: once it publishes, it has the stream in place of whichever of
    /// them has it then.
    pub fn successor(&self) -> Self {
        Self {
            takes_over: true,
            ..self.again()
        }
    }

    /// For an attempt at a URL whose stream was over the last time: what is over still is not to be played again.
    pub fn behind_its_end(self, was_over: bool) -> Self {
        Self { was_over, ..self }
    }

    /// Whether the stream of this URL was over the last time that it was played.
    pub const fn was_over(&self) -> bool {
        self.was_over
    }

    /// The far side is waited for: it may come at any time, and nothing is asked of its host meanwhile.
    pub fn listening(&self) {
        self.listening.cancel();
    }

    /// The far side has agreed to send. From now on, media is waited for.
    pub fn connected(&self) {
        self.connected.cancel();
    }

    /// The far side has said that the stream is over. For a source that is kept running this is a failure like any
    /// other; to who copies a stream once, it is the end.
    pub fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the far side has said that the stream is over.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// What the far side has is a recording, and all of it has been played: there is no more to come.
    pub fn finished(&self) {
        self.over();
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Whether a recording has been played to its end.
    pub fn has_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Becomes the publisher, once: as soon as the first access unit has come, and not before. A protocol
    /// that has not said so is connected with this.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn publish(&self, origin: &Origin) -> Result<Publisher, Taken> {
        let own = self.takes_over.then(|| self.newest.load(Ordering::Relaxed));
        let publisher = self.context.hub.publish_after(&self.name, origin, own)?;
        self.newest.store(publisher.number(), Ordering::Relaxed);
        let _ = self
            .place
            .set((publisher.stream().clone(), publisher.number()));
        self.connected();
        self.published.cancel();
        Ok(publisher)
    }

    /// Completes when the far side is waited for.
    pub async fn is_listening(&self) {
        self.listening.cancelled().await;
    }

    /// Completes when the attempt has come so far that media is waited for.
    pub async fn has_connected(&self) {
        self.connected.cancelled().await;
    }

    /// Completes when the attempt has got the stream: the number of the publisher that it is.
    pub async fn has_published(&self) -> u64 {
        self.published.cancelled().await;
        self.place.get().map_or(0, |(_, publisher)| *publisher)
    }

    /// The stream that the attempt has got, even if it is over already.
    pub fn stream(&self) -> Option<Arc<Stream>> {
        self.place.get().map(|(stream, _)| stream.clone())
    }

    /// How long nothing has come; none before anything is published.
    ///
    /// # Errors
    /// When the attempt has lost the stream.
    pub fn silence(&self) -> Result<Option<Duration>, Replaced> {
        match self.place.get() {
            Some((stream, publisher)) => {
                let silence = stream.silence_of(*publisher);
                silence.map(Some).ok_or(Replaced)
            }
            None => Ok(None),
        }
    }
}
