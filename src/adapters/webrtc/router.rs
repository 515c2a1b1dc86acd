//! Which session a datagram is for, and which sessions there are.
//!
//! STUN messages name their session; everything else is known by the address it comes from, once the session
//! has answered a check from there, which it does for those alone who know its password.

use super::worker::Message;
use crate::hub::StreamName;
use crate::net::udp::{Datagram, Socket};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::stun::Binding;

/// Where a session lives: its name in STUN messages, and who takes what is for it.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// The part of the user name that is the session's. No two are the same.
    pub(super) ufrag: Arc<str>,
    /// Of its shard, or of a publisher itself.
    pub(super) inbox: mpsc::Sender<Message>,
}

impl PartialEq for Home {
    fn eq(&self, other: &Self) -> bool {
        self.ufrag == other.ufrag
    }
}

/// All sessions of the server.
#[derive(Debug)]
pub(super) struct Router {
    max_sessions: usize,
    by_ufrag: RwLock<HashMap<Arc<str>, Home>>,
    by_address: RwLock<HashMap<SocketAddr, Home>>,
    /// By the secret in the address of the session's resource.
    resources: Mutex<HashMap<String, Resource>>,
}

/// A session as HTTP knows it.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    stream: StreamName,
    pub(super) home: Home,
    /// How often ICE began anew.
    pub(super) restarts: u32,
}

impl Router {
    pub(super) fn new(max_sessions: usize) -> Self {
        Self {
            max_sessions,
            by_ufrag: RwLock::default(),
            by_address: RwLock::default(),
            resources: Mutex::default(),
        }
    }

    /// A new session. False when there are as many as there may be.
    pub(super) fn add(&self, resource: &str, stream: &StreamName, home: &Home) -> bool {
        let mut by_ufrag = write(&self.by_ufrag);
        if by_ufrag.len() >= self.max_sessions {
            return false;
        }
        by_ufrag.insert(home.ufrag.clone(), home.clone());
        let known = Resource {
            stream: stream.clone(),
            home: home.clone(),
            restarts: 0,
        };
        self.resources().insert(resource.to_owned(), known);
        true
    }

    /// The session answers to this address.
    pub(super) fn learn(&self, address: SocketAddr, home: &Home) {
        if read(&self.by_address).get(&address) != Some(home) {
            write(&self.by_address).insert(address, home.clone());
        }
    }

    /// The session is not at that address any more.
    pub(super) fn forget(&self, address: SocketAddr, home: &Home) {
        let mut by_address = write(&self.by_address);
        // Another session may have it by now.
        if by_address.get(&address) == Some(home) {
            by_address.remove(&address);
        }
    }

    /// The session of that resource is about to end, and not to be found any more.
    pub(super) fn hide(&self, resource: &str) {
        self.resources().remove(resource);
    }

    /// The session is over.
    pub(super) fn remove(&self, resource: &str, home: &Home, addresses: &[SocketAddr]) {
        write(&self.by_ufrag).remove(&home.ufrag);
        self.resources().remove(resource);
        let mut by_address = write(&self.by_address);
        for address in addresses {
            // Another session may have the address by now.
            if by_address.get(address) == Some(home) {
                by_address.remove(address);
            }
        }
    }

    /// The session of a resource below the stream's.
    pub(super) fn find(&self, stream: &StreamName, resource: &str) -> Option<Resource> {
        let resources = self.resources();
        let found = resources.get(resource)?;
        (found.stream == *stream).then(|| found.clone())
    }

    /// ICE has begun anew in that session: how often by now.
    pub(super) fn restarted(&self, resource: &str) -> Option<u32> {
        let mut resources = self.resources();
        let known = resources.get_mut(resource)?;
        known.restarts = known.restarts.wrapping_add(1);
        Some(known.restarts)
    }

    /// The session of that name.
    pub(super) fn named(&self, ufrag: &str) -> Option<Home> {
        read(&self.by_ufrag).get(ufrag).cloned()
    }

    /// Whom a datagram is for.
    fn route(&self, datagram: &Datagram) -> Option<Home> {
        if webrtc::is_stun(&datagram.bytes) {
            let binding = Binding::parse(&datagram.bytes).ok()?;
            return self.named(binding.session());
        }
        read(&self.by_address).get(&datagram.source).cloned()
    }

    /// The session that is known at an address.
    #[cfg(test)]
    pub(super) fn at(&self, address: SocketAddr) -> Option<Home> {
        read(&self.by_address).get(&address).cloned()
    }

    fn resources(&self) -> MutexGuard<'_, HashMap<String, Resource>> {
        self.resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives for ever, and passes each datagram to whoever serves its session.
pub(super) async fn receive(socket: &Socket, router: &Router) {
    let mut buffer = Vec::new();
    loop {
        let take = |datagram: Datagram| {
            let Some(home) = router.route(&datagram) else {
                return;
            };
            // Who is behind loses datagrams, as networks do.
            let _ = home
                .inbox
                .try_send(Message::Datagram(home.ufrag, datagram, None));
        };
        if let Err(error) = socket.receive(&mut buffer, take).await {
            tracing::debug!(%error, "cannot receive a datagram");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_session_is_found_by_what_is_known_of_it_until_it_is_removed() {
        let router = Router::new(1);
        let stream = StreamName::new("LiveApp", "cam").unwrap();
        let other = StreamName::new("LiveApp", "other").unwrap();
        let home = Home {
            ufrag: "abcd".into(),
            inbox: mpsc::channel(1).0,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 1_000));
        let datagram = Datagram {
            at: std::time::Instant::now(),
            source: address,
            destination: address,
            bytes: Bytes::from_static(&[0x80, 201]),
        };
        assert!(router.add("secret", &stream, &home));
        assert!(!router.add("another", &stream, &home));
        assert_eq!(router.route(&datagram), None);
        router.learn(address, &home);
        assert_eq!(router.route(&datagram), Some(home.clone()));
        let found = |stream, resource| router.find(stream, resource).map(|found| found.home);
        assert_eq!(found(&stream, "secret"), Some(home.clone()));
        assert_eq!(found(&other, "secret"), None);
        assert_eq!(found(&stream, "guess"), None);
        assert_eq!(router.restarted("secret"), Some(1));
        assert_eq!(router.restarted("guess"), None);
        router.remove("secret", &home, &[address]);
        assert_eq!(router.route(&datagram), None);
        assert_eq!(found(&stream, "secret"), None);
        assert!(router.add("another", &stream, &home));
    }
}
