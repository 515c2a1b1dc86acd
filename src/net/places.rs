//! How many connections a listener has at a time: counted as long as the listener is there, whoever serves it, and whatever its
//! limit becomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// The places of a listener's connections. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    count: AtomicUsize,
    freed: Notify,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place(Arc<Taken>);

impl Places {
    /// A place, if fewer than `limit` are taken.
    pub fn take(&self, limit: usize) -> Option<Place> {
        let one_more = |count: usize| (count < limit).then(|| count.saturating_add(1));
        let count = &self.0.count;
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        taken.is_ok().then(|| Place(self.0.clone()))
    }

    /// A place, as soon as fewer than `limit` are taken. Safe to cancel.
    pub async fn wait(&self, limit: usize) -> Place {
        loop {
            // What is freed from here on is heard of.
            let freed = self.0.freed.notified();
            if let Some(place) = self.take(limit) {
                return place;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_waited_for_and_their_limit_may_change() {
        let places = Places::default();
        let first = places.take(1).unwrap();
        assert!(places.clone().take(1).is_none());
        let second = places.take(2).unwrap();
        let waiting = places.clone();
        let waiting = tokio::spawn(async move { waiting.wait(1).await });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        let third = waiting.await.unwrap();
        assert!(places.take(1).is_none());
        drop(third);
        assert!(places.take(1).is_some());
    }
}
