//! The ways to the peer of one session: the addresses it is known by, and its connections.

use super::router::{Home, Router};
use super::tcp::Link;
use std::net::SocketAddr;
use std::sync::Arc;
use webrtc::{Path, Transmit, Transport};

/// Most addresses, and most connections, of one session.
const MAX: usize = 8;

/// They end with the session that has this.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Of datagrams, as the router knows them.
    pub(super) addresses: Vec<SocketAddr>,
    links: Vec<(SocketAddr, Arc<Link>)>,
}

impl Ways {
    /// The peer has a connection, if this came by one. False where it has too many.
    pub(super) fn note(&mut self, remote: SocketAddr, link: Option<Arc<Link>>) -> bool {
        let Some(link) = link else { return true };
        if self
            .links
            .iter()
            .any(|(_, known)| Arc::ptr_eq(known, &link))
        {
            return true;
        }
        self.links.retain(|(_, known)| !known.is_closed());
        let has_room = self.links.len() < MAX;
        if has_room {
            self.links.push((remote, link));
        }
        has_room
    }

    /// The session has answered what came over a path: what comes from there is for it.
    pub(super) fn answered(&mut self, path: Path, router: &Router, home: &Home) {
        let remote = path.remote;
        if path.transport != Transport::Udp {
            return;
        }
        let is_known = self.addresses.contains(&remote);
        if !is_known && self.addresses.len() >= MAX {
            return;
        }
        if !is_known {
            self.addresses.push(remote);
        }
        // Also one that is known may have become another session's: by a datagram whose sender said it came from here.
        router.learn(remote, home);
    }

    /// Sends by a connection, if it is still there.
    pub(super) fn send(&self, transmit: &Transmit) {
        let mut links = self.links.iter().rev();
        if let Some((_, link)) = links.find(|(remote, _)| *remote == transmit.path.remote) {
            link.send(transmit);
        }
    }

    /// Whether the peer has a connection that takes less than it is sent.
    pub(super) fn is_slow(&self) -> bool {
        self.links.iter().any(|(_, link)| link.is_slow())
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        for (_, link) in &self.links {
            link.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_and_end_with_the_session() {
        let links: Vec<_> = (0..MAX + 1).map(|_| Arc::new(Link::default())).collect();
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut ways = Ways::default();
        let mut note = |link: &Arc<Link>| ways.note(remote, Some(link.clone()));
        let noted: Vec<_> = links.iter().map(&mut note).collect();
        assert_eq!(noted.iter().filter(|noted| **noted).count(), MAX);
        assert!(note(&links[0]) && !note(&links[MAX]));
        links[3].close();
        assert!(note(&links[MAX]));
        drop(ways);
        assert!(links.iter().all(|link| link.is_closed()));
    }
}
