//! Where what a peer sends goes: to a stream, or to who listens to it alone.

use crate::hub::{Packets, Publisher, Replaced, StreamName};
use crate::transport::rtp::Event;
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::Session;

/// Where it goes.
pub(super) enum Sink {
    /// To a stream.
    Stream(Publisher),
    /// To a camera that is talked to.
    Voice(StreamName, mpsc::Sender<Event>),
}

impl Sink {
    /// The stream, or that of the camera.
    pub(super) fn name(&self) -> &StreamName {
        match self {
            Self::Stream(publisher) => publisher.stream().name(),
            Self::Voice(name, _) => name,
        }
    }

    /// What the peer does, for people.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Stream(_) => "publisher",
            Self::Voice(..) => "voice",
        }
    }

    /// Why nothing more is wanted, for people.
    pub(super) const fn why_not(&self) -> &'static str {
        match self {
            Self::Stream(_) => {
                "the stream was stopped, taken over by another publisher, or may be published no more"
            }
            Self::Voice(..) => "nobody listens any more",
        }
    }

    /// How long a lost packet is waited for: what is said is heard now or not at all.
    pub(super) const fn patience(&self) -> Duration {
        match self {
            Self::Stream(_) => Session::HOPE,
            Self::Voice(..) => Duration::from_millis(60),
        }
    }

    /// Passes on what came. What is said faster than it is listened to is dropped.
    pub(super) fn take(&self, event: Event) -> Result<(), Replaced> {
        match (self, event) {
            (Self::Stream(publisher), Event::Track(track)) => publisher.set_track(track),
            (Self::Stream(publisher), Event::Unit(unit)) => publisher.push(unit),
            // Without it, what comes could not be read.
            (Self::Voice(_, to), event @ Event::Track(_)) => {
                to.try_send(event).map_err(|_| Replaced)
            }
            (Self::Voice(_, to), event) => {
                let _ = to.try_send(event);
                Ok(())
            }
        }
    }

    /// Completes when nothing more is wanted.
    pub(super) async fn kicked(&self) {
        match self {
            Self::Stream(publisher) => publisher.kicked().await,
            Self::Voice(_, to) => to.closed().await,
        }
    }

    /// Completes when a random access point is wanted.
    pub(super) async fn random_access_wanted(&self) {
        match self {
            Self::Stream(publisher) => publisher.random_access_wanted().await,
            Self::Voice(..) => std::future::pending().await,
        }
    }

    /// Tells of packets.
    pub(super) fn count_packets(&self, packets: Packets) {
        if let Self::Stream(publisher) = self {
            publisher.count_packets(packets);
        }
    }

    /// The peer has said goodbye.
    pub(super) fn finish(self) {
        if let Self::Stream(publisher) = self {
            publisher.finish();
        }
    }
}
