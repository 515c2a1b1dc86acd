//! Turns to connect: so many attempts at one host at a time, whatever their ports, the others in the order in
//! which they came.
//!
//! A recorder or router with many cameras behind it has one address. Dead ones keep their turns until a time limit
//! is over; so that they cannot make those wait that come back, one turn is kept for sources of which there is
//! hope.

use super::jobs::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// The turns of all hosts. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Gates {
    per_host: Arc<AtomicUsize>,
    /// Of the hosts that somebody connects to or waits for.
    hosts: Arc<Mutex<HashMap<String, Weak<Host>>>>,
}

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    /// How many of them sources may have of which there is little hope: all but one, where there are several.
    for_hopeless: Arc<Semaphore>,
}

/// A turn, until it is dropped; none is needed for what has no host.
#[derive(Debug)]
pub(super) struct Turn {
    _permits: [Option<OwnedSemaphorePermit>; 2],
    _host: Option<Arc<Host>>,
}

impl Gates {
    pub(super) fn new(per_host: usize) -> Self {
        Self {
            per_host: Arc::new(AtomicUsize::new(per_host)),
            hosts: Arc::default(),
        }
    }

    /// So many at hosts that somebody connects to from now on.
    pub(super) fn set(&self, per_host: usize) {
        self.per_host.store(per_host, Ordering::Relaxed);
    }

    /// Waits for a turn to connect to the host of `url`. Whoever has one gives it up in bounded time, so that
    /// this ends too.
    pub(super) async fn enter(&self, url: &str, hopeful: bool) -> Turn {
        let host = self.of(url);
        let permits = match &host {
            Some(host) => {
                let hopeless = match hopeful {
                    true => None,
                    false => host.for_hopeless.clone().acquire_owned().await.ok(),
                };
                [hopeless, host.turns.clone().acquire_owned().await.ok()]
            }
            None => [None, None],
        };
        Turn {
            _permits: permits,
            _host: host,
        }
    }

    fn of(&self, url: &str) -> Option<Arc<Host>> {
        let name = host_of(url)?;
        let mut hosts = lock(&self.hosts);
        if let Some(known) = hosts.get(&name).and_then(Weak::upgrade) {
            return Some(known);
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let per_host = self.per_host.load(Ordering::Relaxed);
        let new = Arc::new(Host {
            turns: Arc::new(Semaphore::new(per_host)),
            for_hopeless: Arc::new(Semaphore::new(per_host.saturating_sub(1).max(1))),
        });
        hosts.insert(name, Arc::downgrade(&new));
        Some(new)
    }
}

fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.host_str()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_do_not_tell_hosts_apart() {
        let cases = [
            ("rtsp://u:p@Cam:554/a?b", Some("cam")),
            ("rtsp://cam/a", Some("cam")),
            ("rtsp://[::1]:1/a", Some("[::1]")),
            ("demo:", None),
            ("no URL", None),
        ];
        for (url, expected) in cases {
            assert_eq!(host_of(url).as_deref(), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn hosts_nobody_connects_to_are_forgotten() {
        let gates = Gates::new(1);
        for number in 0..100 {
            gates.enter(&format!("rtsp://cam-{number}/"), true).await;
        }
        assert!(lock(&gates.hosts).len() <= 1);
    }
}
