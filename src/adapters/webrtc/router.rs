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

/// Most addresses that one session may be known by: those of its peer's ways here.
pub(super) const MAX_ADDRESSES: usize = 8;

/// Where a session lives: its shard, and its name in STUN messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// The shard's number.
    pub(super) worker: usize,
    /// The part of the user name that is the session's.
    pub(super) ufrag: Arc<str>,
}

/// All sessions of the server.
#[derive(Debug)]
pub(super) struct Router {
    max_sessions: usize,
    by_ufrag: RwLock<HashMap<Arc<str>, Home>>,
    by_address: RwLock<HashMap<SocketAddr, Home>>,
    /// By the secret in the address of the session's resource.
    resources: Mutex<HashMap<String, (StreamName, Home)>>,
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
        self.resources()
            .insert(resource.to_owned(), (stream.clone(), home.clone()));
        true
    }

    /// The session answers to this address.
    pub(super) fn learn(&self, address: SocketAddr, home: &Home) {
        write(&self.by_address).insert(address, home.clone());
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
    pub(super) fn find(&self, stream: &StreamName, resource: &str) -> Option<Home> {
        let resources = self.resources();
        let (of, home) = resources.get(resource)?;
        (of == stream).then(|| home.clone())
    }

    /// Whom a datagram is for.
    fn route(&self, datagram: &Datagram) -> Option<Home> {
        if webrtc::is_stun(&datagram.bytes) {
            let binding = Binding::parse(&datagram.bytes).ok()?;
            return read(&self.by_ufrag).get(binding.receiver()).cloned();
        }
        read(&self.by_address).get(&datagram.source).cloned()
    }

    fn resources(&self) -> MutexGuard<'_, HashMap<String, (StreamName, Home)>> {
        self.resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives for ever, and passes each datagram to the shard of its session.
pub(super) async fn receive(socket: &Socket, router: &Router, workers: &[mpsc::Sender<Message>]) {
    let mut buffer = Vec::new();
    loop {
        let take = |datagram: Datagram| {
            let Some(home) = router.route(&datagram) else {
                return;
            };
            if let Some(worker) = workers.get(home.worker) {
                // A shard that is behind loses datagrams, as networks do.
                let _ = worker.try_send(Message::Datagram(home.ufrag, datagram));
            }
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
            worker: 1,
            ufrag: "abcd".into(),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 1_000));
        let datagram = Datagram {
            source: address,
            destination: address,
            bytes: Bytes::from_static(&[0x80, 201]),
        };
        assert!(router.add("secret", &stream, &home));
        assert!(!router.add("another", &stream, &home));
        assert_eq!(router.route(&datagram), None);
        router.learn(address, &home);
        assert_eq!(router.route(&datagram), Some(home.clone()));
        assert_eq!(router.find(&stream, "secret"), Some(home.clone()));
        assert_eq!(router.find(&other, "secret"), None);
        assert_eq!(router.find(&stream, "guess"), None);
        router.remove("secret", &home, &[address]);
        assert_eq!(router.route(&datagram), None);
        assert_eq!(router.find(&stream, "secret"), None);
        assert!(router.add("another", &stream, &home));
    }
}
