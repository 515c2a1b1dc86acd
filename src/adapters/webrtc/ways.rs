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
    /// Of datagrams, as the router knows them, the one that was answered last at the end.
    pub(super) addresses: Vec<SocketAddr>,
    links: Vec<(SocketAddr, Arc<Link>)>,
}

impl Ways {
    /// The peer has a connection, if this came by one. False where it has too many.
    pub(super) fn note(&mut self, remote: SocketAddr, link: Option<Arc<Link>>) -> bool {
        // What waits on those that are over waits for nobody.
        self.links.retain(|(_, known)| !known.is_closed());
        let Some(link) = link else { return true };
        if self
            .links
            .iter()
            .any(|(_, known)| Arc::ptr_eq(known, &link))
        {
            return true;
        }
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
        self.addresses.retain(|known| *known != remote);
        // A peer that has moved so often is no more where it was first.
        if self.addresses.len() >= MAX {
            router.forget(self.addresses.remove(0), home);
        }
        self.addresses.push(remote);
        // Also one that is known may have become another session's: by a datagram whose sender said it came from here.
        router.learn(remote, home);
    }

    /// Sends by a connection, if it is still there.
    pub(super) fn send(&self, transmit: &Transmit) {
        if let Some(link) = self.link(transmit.path) {
            link.send(transmit);
        }
    }

    /// Whether the connection that the session goes over takes less than it is sent.
    pub(super) fn is_slow(&self, path: Option<Path>) -> bool {
        path.and_then(|path| self.link(path))
            .is_some_and(Link::is_slow)
    }

    /// The newest connection of a path.
    fn link(&self, path: Path) -> Option<&Link> {
        let mut links = self.links.iter().rev();
        let (_, link) = links.find(|(remote, _)| *remote == path.remote)?;
        (path.transport != Transport::Udp).then_some(link)
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

    fn path(port: u16, transport: Transport) -> Path {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Path {
            transport,
            local: at(1),
            remote: at(port),
        }
    }

    #[test]
    fn a_connection_that_is_gone_slows_nobody_down() {
        let [gone, new] =
            [2, 3].map(|port| (path(port, Transport::Tcp), Arc::new(Link::default())));
        let mut ways = Ways::default();
        for (path, link) in [&gone, &new] {
            assert!(ways.note(path.remote, Some(link.clone())));
        }
        for _ in 0..200 {
            ways.send(&Transmit {
                path: gone.0,
                contents: vec![0; 1_024].into(),
                segment_size: None,
            });
        }
        assert!(ways.is_slow(Some(gone.0)));
        let udp = path(2, Transport::Udp);
        assert!(
            [Some(new.0), Some(udp), None]
                .iter()
                .all(|path| !ways.is_slow(*path))
        );
        gone.1.close();
        assert!(ways.note(udp.remote, None));
        assert_eq!(ways.links.len(), 1);
    }

    #[test]
    fn a_peer_may_move_as_often_as_it_likes() {
        let router = Router::new(2);
        let [home, other] = ["abcd", "efgh"].map(|ufrag| Home {
            ufrag: ufrag.into(),
            inbox: tokio::sync::mpsc::channel(1).0,
        });
        let mut ways = Ways::default();
        let paths: Vec<Path> = (10..30).map(|port| path(port, Transport::Udp)).collect();
        for path in &paths {
            ways.answered(*path, &router, &home);
            // The first is used all the time.
            ways.answered(paths[0], &router, &home);
        }
        let known = |path: &Path| router.at(path.remote).as_ref() == Some(&home);
        let all: Vec<bool> = paths.iter().map(known).collect();
        let mut expected = vec![false; paths.len()];
        expected[0] = true;
        expected[13..].fill(true);
        assert_eq!(all, expected);
        // Another has one of them by now.
        router.learn(paths[13].remote, &other);
        ways.answered(path(9, Transport::Udp), &router, &home);
        assert_eq!(router.at(paths[13].remote), Some(other));
    }
}
