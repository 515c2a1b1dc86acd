//! Talking to a camera: what a protocol that reaches a loudspeaker, and one that hears a microphone, have in common. Who
//! brings the two together is above them.

use super::BoxFuture;
use crate::hub::StreamName;
use crate::transport::rtp::Event;
use axum::http::{HeaderMap, StatusCode};
use media::{AccessUnit, Codec};
use std::fmt;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Access units that wait on their way to a loudspeaker: about a second. More are dropped.
pub(crate) const WAITING: usize = 50;

/// Why nobody can talk to a camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TalkError {
    /// It takes no sound, or none that can be made.
    #[error("{0}")]
    Deaf(String),
    /// It was asked, and failed or refused.
    #[error("{0}")]
    Failed(String),
    /// What the browser offers does not suit.
    #[error("{1}")]
    Offer(StatusCode, String),
    /// There is no room.
    #[error("{0}")]
    Busy(String),
}

/// What a camera plays.
pub struct Loudspeaker {
    /// The only sound that it takes: G.711 of 8,000 samples per second, or AAC-LC; one channel or two.
    pub takes: Codec,
    /// Where that goes, with times on the clock of its samples. What finds no room is to be dropped; when this is dropped,
    /// the camera is told that it is over.
    pub sound: mpsc::Sender<AccessUnit>,
    /// What sends it, to be polled until it is over; an error is that of the camera, in words without secrets.
    pub runs: BoxFuture<'static, Result<(), String>>,
}

impl fmt::Debug for Loudspeaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loudspeaker")
            .field("takes", &self.takes)
            .finish_non_exhaustive()
    }
}

/// Somebody who wants to talk.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The camera's stream.
    pub name: &'a StreamName,
    /// The offer of a session by WebRTC.
    pub offer: &'a str,
    /// The headers that came with it.
    pub headers: &'a HeaderMap,
    /// Who sent it.
    pub peer: SocketAddr,
}

/// What somebody says.
#[derive(Debug)]
pub struct Microphone {
    /// The answer to the offer.
    pub answer: String,
    /// Headers that go with it.
    pub headers: HeaderMap,
    /// A secret of the session's own.
    pub secret: String,
    /// The track, and what is said; it ends with the session, and the session ends when it is dropped.
    pub sound: mpsc::Receiver<Event>,
}
