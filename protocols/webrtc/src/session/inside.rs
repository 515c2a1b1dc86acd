//! What fuzzing puts in the place of a peer, which knows keys, passwords and numbers, and of a handshake, which takes a
//! hundred times as long as all else.

use super::Session;
use crate::ice::Path;
use crate::srtp::KeyingMaterial;
use crate::stun::Role;
use std::time::Instant;

impl Session {
    /// A good check, as the peer would send it.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        path: Path,
        priority: u32,
        use_candidate: bool,
        role: Role,
    ) {
        let check = self
            .agent
            .good_check(&self.certificate, priority, use_candidate, role);
        self.handle_input(now, path, &check);
    }

    /// Goes on as after a handshake that gave these keys.
    pub(crate) fn skip_handshake(&mut self, material: &KeyingMaterial) {
        if self.srtp.is_none() && !self.closed {
            self.dtls.skip();
            self.connected(material);
        }
    }

    /// Each source that this end sends from, and the sequence number of its next packet.
    pub(crate) fn sources(&self) -> Vec<(u32, u16)> {
        self.tracks.iter().flat_map(|track| track.next()).collect()
    }

    /// The time as a report of this instant tells it.
    pub(crate) fn told(&self, now: Instant) -> u32 {
        self.timeline.captured(now).compact()
    }
}
