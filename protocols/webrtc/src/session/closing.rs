//! Why a session ends, and what is said then.

use super::Session;
use rtp::rtcp::{Bye, Packet};

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer left.
    #[error("the peer left")]
    Peer,
    /// The peer was not heard for 15 s.
    #[error("the peer is silent")]
    Silent,
    /// No connection came about, as when no candidate can be reached.
    #[error("the peer did not connect")]
    NotConnected,
    /// The DTLS handshake failed.
    #[error("DTLS: {0}")]
    Handshake(String),
}

impl Session {
    pub(super) fn say_goodbye(&mut self) {
        let sources = self.tracks.iter().filter(|track| track.has_sent());
        let sources: Vec<_> = sources.map(|track| track.sources().0).collect();
        let Some(first) = sources.first().copied() else {
            return;
        };
        let mut compound = Vec::new();
        self.write_head(first, &mut compound);
        let reason = String::new();
        Packet::Bye(Bye { sources, reason }).write(&mut compound);
        self.send_rtcp(compound);
    }
}
