//! Readers that miss nothing, because who fills the stream waits for them. Only a hub for work offline has them
//! ([`Offline`](super::Offline)): on a server no reader may hold up a stream.
//!
//! Each reader says how many bytes it has behind it; the publisher goes on while the slowest is near enough. As long
//! as nobody reads, the beginning counts, so that the first reader finds it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// Whoever fills a stream waits while the slowest reader is behind by more, in bytes.
pub(super) const AHEAD: u64 = 16 << 20;

/// The readers of one stream, or of what is made of it, and how far they are.
#[derive(Debug, Default)]
pub struct Patience {
    places: Mutex<Vec<Weak<AtomicU64>>>,
    moved: Arc<Notify>,
}

/// Where one reader is. Dropped, it is waited for no longer.
#[derive(Debug)]
pub struct Place {
    read: Arc<AtomicU64>,
    moved: Arc<Notify>,
}

impl Patience {
    /// Another reader, at the beginning.
    pub fn enter(&self) -> Place {
        let read = Arc::new(AtomicU64::new(0));
        self.lock().push(Arc::downgrade(&read));
        Place {
            read,
            moved: self.moved.clone(),
        }
    }

    /// Completes when the slowest reader is near enough to the end, which is where `pushed` says, in bytes.
    pub async fn room(&self, pushed: impl Fn() -> u64) {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.has_room(pushed()) {
                return;
            }
            moved.await;
        }
    }

    fn has_room(&self, pushed: u64) -> bool {
        let mut places = self.lock();
        places.retain(|place| place.strong_count() > 0);
        let read = places.iter().filter_map(Weak::upgrade);
        let least = read.map(|read| read.load(Ordering::Relaxed)).min();
        pushed.saturating_sub(least.unwrap_or(0)) <= AHEAD
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// So many bytes of the stream have been read.
    pub fn set(&self, read: u64) {
        self.read.store(read, Ordering::Relaxed);
        self.moved.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::ring::Bounds;
    use crate::hub::tests::{VIDEO, name, origin, unit, video};
    use crate::hub::{Hub, Item, Offline, Publisher, Reader, Settings};
    use bytes::Bytes;
    use futures_util::FutureExt;
    use media::AccessUnit;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn the_slowest_reader_counts() {
        let patience = Patience::default();
        let has_room = |pushed| patience.room(|| pushed).now_or_never().is_some();
        // The first reader shall find the beginning.
        assert!(has_room(AHEAD) && !has_room(AHEAD + 1));
        let (one, other) = (patience.enter(), patience.enter());
        one.set(1_000);
        assert!(has_room(AHEAD) && !has_room(AHEAD + 1));
        other.set(500);
        assert!(has_room(AHEAD + 500) && !has_room(AHEAD + 501));
        // Who leaves is waited for no longer.
        drop(other);
        assert!(has_room(AHEAD + 1_000) && !has_room(AHEAD + 1_001));
    }

    fn hub(offline: Offline) -> Hub {
        Hub::new(Settings {
            bounds: Bounds {
                ring_bytes: 64 << 20,
                reader_bytes: 64 << 20,
                reader_time: Duration::MAX,
            },
            grace: Duration::ZERO,
            offline: Some(offline),
            ..Settings::default()
        })
    }

    /// A unit of a megabyte, at so many seconds. The first is none that a player could begin with.
    fn large(payload: &Bytes, second: i64) -> AccessUnit {
        AccessUnit {
            payload: payload.clone(),
            ..unit(VIDEO, second * 1_000, second % 10 == 5)
        }
    }

    /// Publishes so many units as fast as there is room for them.
    async fn fill(publisher: Publisher, count: i64) {
        let payload = Bytes::from(vec![0; 1 << 20]);
        publisher.set_track(video(1)).unwrap();
        for second in 0..count {
            publisher.room().await;
            if publisher.push(large(&payload, second)).is_err() {
                return;
            }
        }
        publisher.finish();
    }

    /// All that a reader gets.
    async fn read(mut reader: Reader) -> Vec<i64> {
        let mut times = Vec::new();
        loop {
            match reader.next().await {
                Item::Tracks(_) => {}
                Item::Unit(unit) => times.push(unit.dts),
                Item::Skipped(skip) => panic!("{skip:?}"),
                Item::Ended(_) => return times,
            }
        }
    }

    #[tokio::test]
    async fn a_reader_misses_nothing_however_slow() {
        let hub = hub(Offline::default());
        let publisher = hub.publish(&name(), &origin()).unwrap();
        let stream = publisher.stream().clone();
        let filling = tokio::spawn(fill(publisher, 100));
        let (reader, late) = (Reader::new(stream.clone()), Reader::new(stream));
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!filling.is_finished(), "100 MB are more than what is kept");
        let (times, others) = tokio::join!(read(reader), async {
            tokio::task::yield_now().await;
            read(late).await
        });
        filling.await.unwrap();
        assert_eq!((times.len(), others.len()), (100, 100));
        // Gaps are those of the source.
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_is_read_in_its_own_time() {
        let hub = hub(Offline {
            realtime: true,
            longest: None,
        });
        let publisher = hub.publish(&name(), &origin()).unwrap();
        let reader = Reader::new(publisher.stream().clone());
        let begun = Instant::now();
        let filling = tokio::spawn(fill(publisher, 11));
        assert_eq!(read(reader).await.len(), 11);
        filling.await.unwrap();
        let took = begun.elapsed().as_secs();
        assert!((9..=11).contains(&took), "{took} s");
    }

    #[tokio::test]
    async fn a_stream_ends_after_what_was_asked_for() {
        let hub = hub(Offline {
            realtime: false,
            longest: Some(Duration::from_secs(7)),
        });
        let publisher = hub.publish(&name(), &origin()).unwrap();
        let stream = publisher.stream().clone();
        let reader = Reader::new(stream.clone());
        let filling = tokio::spawn(fill(publisher, 60));
        assert_eq!(read(reader).await.len(), 7);
        filling.await.unwrap();
        let snapshot = stream.snapshot();
        assert!(snapshot.is_cut && snapshot.length == Duration::from_secs(6));
    }
}
