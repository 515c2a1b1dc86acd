//! Turns to connect: so many attempts at one host at a time, the others in the order in which they came.

use super::jobs::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// The turns of all hosts. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Gates {
    per_host: usize,
    /// Of the hosts that somebody connects to or waits for.
    hosts: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

/// A turn, until it is dropped; none is needed for what has no host.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Gates {
    pub(super) fn new(per_host: usize) -> Self {
        Self {
            per_host,
            hosts: Arc::default(),
        }
    }

    /// Waits for a turn to connect to the host of `url`. Whoever has one gives it up in bounded time, so that
    /// this ends too.
    pub(super) async fn enter(&self, url: &str) -> Turn {
        let _permit = match self.of(url) {
            Some(host) => host.acquire_owned().await.ok(),
            None => None,
        };
        Turn { _permit }
    }

    fn of(&self, url: &str) -> Option<Arc<Semaphore>> {
        let host = place(url)?;
        let mut hosts = lock(&self.hosts);
        if let Some(known) = hosts.get(&host).and_then(Weak::upgrade) {
            return Some(known);
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.per_host));
        hosts.insert(host, Arc::downgrade(&new));
        Some(new)
    }
}

/// Host and port; the scheme in place of a port that is not given.
fn place(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => format!("{host}:{}", url.scheme()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_with_a_port() {
        let cases = [
            ("rtsp://u:p@Cam:554/a?b", Some("cam:554")),
            ("rtsp://cam/a", Some("cam:rtsp")),
            ("rtsp://[::1]:1/a", Some("[::1]:1")),
            ("demo:", None),
            ("no URL", None),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url).as_deref(), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn places_nobody_connects_to_are_forgotten() {
        let gates = Gates::new(1);
        for number in 0..100 {
            gates.enter(&format!("rtsp://cam-{number}/")).await;
        }
        assert!(lock(&gates.hosts).len() <= 1);
    }
}
