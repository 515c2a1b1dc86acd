//! What sources whose tracks come one by one have in common: the stream is published with the first access unit, and
//! has the tracks that came before it.

use super::Target;
use crate::hub::{Origin, Packets, Publisher};
use media::{AccessUnit, Track};

/// Publishes what comes out of a demuxer.
#[derive(Debug)]
pub(crate) struct Receiver<'a> {
    target: &'a Target,
    origin: Origin,
    /// Tracks that came before the first access unit.
    pending: Vec<Track>,
    publisher: Option<Publisher>,
}

impl<'a> Receiver<'a> {
    /// For a source that is described so.
    pub(crate) const fn new(target: &'a Target, origin: Origin) -> Self {
        Self {
            target,
            origin,
            pending: Vec::new(),
            publisher: None,
        }
    }

    /// Declares a track, or changes it.
    ///
    /// # Errors
    /// When the stream is no longer this source's.
    pub(crate) fn track(&mut self, track: Track) -> Result<(), String> {
        match &self.publisher {
            Some(publisher) => publisher
                .set_track(track)
                .map_err(|error| error.to_string()),
            None => {
                self.pending.retain(|other| other.id != track.id);
                self.pending.push(track);
                Ok(())
            }
        }
    }

    /// Adds an access unit. Waits before it only where readers are waited for.
    ///
    /// # Errors
    /// When the name is taken, or the stream is no longer this source's.
    pub(crate) async fn unit(&mut self, unit: AccessUnit) -> Result<(), String> {
        let publisher = match &self.publisher {
            Some(publisher) => publisher,
            None => {
                let new = self.target.publish(&self.origin);
                let new = new.map_err(|taken| taken.to_string())?;
                for track in self.pending.drain(..) {
                    new.set_track(track).map_err(|error| error.to_string())?;
                }
                self.publisher.insert(new)
            }
        };
        publisher.room().await;
        publisher.push(unit).map_err(|error| error.to_string())
    }

    /// Whether anything has been published.
    pub(crate) const fn is_publishing(&self) -> bool {
        self.publisher.is_some()
    }

    /// Completes when the source should make a random access point.
    pub(crate) async fn random_access_wanted(&self) {
        match &self.publisher {
            Some(publisher) => publisher.random_access_wanted().await,
            None => std::future::pending().await,
        }
    }

    /// So many packets have come, or been lost. False when there is no stream yet to tell.
    pub(crate) fn count_packets(&self, packets: Packets) -> bool {
        let publisher = self.publisher.as_ref();
        publisher
            .map(|publisher| publisher.count_packets(packets))
            .is_some()
    }

    /// The source is over, and the stream ends. False when nothing has been published.
    pub(crate) fn finish(self) -> bool {
        self.publisher.map(Publisher::finish).is_some()
    }
}
