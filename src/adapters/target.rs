//! The stream that a source fills, and how far one attempt to fill it has come.

use super::Context;
use crate::hub::{Origin, Publisher, Replaced, Stream, StreamName, Taken};
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
    /// The attempt of the same source that has the stream, and gives it up for this one.
    before: Option<Arc<Self>>,
    connected: CancellationToken,
    published: CancellationToken,
    /// The stream, and the number of its publisher, of the newest call of [`Target::publish`].
    place: OnceLock<(Arc<Stream>, u64)>,
}

impl Target {
    /// For an attempt at a source that has no other under way.
    pub fn new(context: Arc<Context>, name: StreamName) -> Self {
        Self {
            context,
            name,
            before: None,
            connected: CancellationToken::new(),
            published: CancellationToken::new(),
            place: OnceLock::new(),
        }
    }

    /// For another attempt at the same source: once it publishes, it has the stream in place of this one.
    pub fn successor(self: &Arc<Self>) -> Self {
        Self {
            before: Some(self.clone()),
            ..Self::new(self.context.clone(), self.name.clone())
        }
    }

    /// The far side has agreed to send. From now on, media is waited for.
    pub fn connected(&self) {
        self.connected.cancel();
    }

    /// Becomes the publisher, once: as soon as the first access unit has come, and not before. A protocol
    /// that has not said so is connected with this.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn publish(&self, origin: &Origin) -> Result<Publisher, Taken> {
        let before = self.before.as_ref().and_then(|before| before.place.get());
        let before = before.map(|(_, publisher)| *publisher);
        let publisher = self.context.hub.publish_after(&self.name, origin, before)?;
        let _ = self
            .place
            .set((publisher.stream().clone(), publisher.number()));
        self.connected();
        self.published.cancel();
        Ok(publisher)
    }

    /// Completes when the attempt has come so far that media is waited for.
    pub async fn has_connected(&self) {
        self.connected.cancelled().await;
    }

    /// Completes when the attempt has got the stream.
    pub async fn has_published(&self) {
        self.published.cancelled().await;
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
