//! What went through the hub since the server started, by protocol, and how long it took.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Upper bounds of the classes of [`Times`], in milliseconds.
const CLASSES: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 2_500, 10_000];

/// Counts since the server started. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    by_protocol: Arc<Mutex<BTreeMap<&'static str, Arc<Traffic>>>>,
    /// From the arrival of an access unit until a reader that had all before it takes it.
    pub delay: Arc<Times>,
}

/// What one protocol has carried.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Payload of access units that came.
    received_bytes: AtomicU64,
    received_units: AtomicU64,
    publishers: AtomicU64,
    /// What was handed to the system for players.
    sent_bytes: AtomicU64,
    viewers: AtomicU64,
    /// From the moment on that a player has its stream until the first media is handed to the system.
    pub joined: Times,
    /// Players for whom something waits, by their number.
    late: Mutex<HashMap<u64, Arc<Tally>>>,
}

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Times {
    /// By class of [`CLASSES`]; what took longer than all of them is in the sum alone.
    classes: [AtomicU64; CLASSES.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// What is handed to the system for one player.
#[derive(Debug)]
pub struct Tally {
    /// No other has it.
    number: u64,
    traffic: Arc<Traffic>,
    since: Instant,
    has_joined: AtomicBool,
    /// Media time that waits for it, in microseconds; 0 for none.
    behind: AtomicU64,
}

impl Totals {
    /// What a protocol has carried.
    pub fn of(&self, protocol: &'static str) -> Arc<Traffic> {
        let mut all = self
            .by_protocol
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.entry(protocol).or_default().clone()
    }

    /// What all protocols have carried that have carried anything, by name.
    pub fn all(&self) -> BTreeMap<&'static str, Arc<Traffic>> {
        self.by_protocol
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Traffic {
    pub(super) fn published(&self) {
        self.publishers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.received_units.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bytes were handed to the system for players.
    pub fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A player that has its stream from now on.
    pub(super) fn viewer(self: Arc<Self>) -> Tally {
        let number = self.viewers.fetch_add(1, Ordering::Relaxed);
        Tally {
            number,
            traffic: self,
            since: Instant::now(),
            has_joined: AtomicBool::new(false),
            behind: AtomicU64::new(0),
        }
    }

    /// Publishers that have begun.
    pub fn publishers(&self) -> u64 {
        self.publishers.load(Ordering::Relaxed)
    }

    /// Payload bytes and access units that came.
    pub fn received_all(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.received_bytes), load(&self.received_units))
    }

    /// Bytes that were handed to the system for players.
    pub fn sent_all(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Players for whom something waits, and the most media time that waits for one.
    pub fn late(&self) -> (usize, Duration) {
        let late = self.lock_late();
        let behind = late.values().map(|one| one.behind.load(Ordering::Relaxed));
        let most = Duration::from_micros(behind.max().unwrap_or(0));
        (late.len(), most)
    }

    fn lock_late(&self) -> MutexGuard<'_, HashMap<u64, Arc<Tally>>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Players that have begun.
    pub fn viewers(&self) -> u64 {
        self.viewers.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// So many bytes of media, and what belongs to them, were handed to the system.
    pub fn sent(&self, bytes: usize) {
        self.traffic.sent(bytes as u64);
        if bytes > 0 && !self.has_joined.load(Ordering::Relaxed) {
            self.has_joined.store(true, Ordering::Relaxed);
            self.traffic.joined.note(self.since.elapsed());
        }
    }
}

impl Tally {
    /// The connection takes no more at the moment, and so much media waits for it.
    pub fn is_behind(self: &Arc<Self>, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        if self.behind.swap(micros, Ordering::Relaxed) == 0 {
            self.traffic.lock_late().insert(self.number, self.clone());
        }
    }

    /// Nothing waits for it.
    pub fn is_up_to_date(&self) {
        if self.behind.load(Ordering::Relaxed) > 0 {
            self.behind.store(0, Ordering::Relaxed);
            self.traffic.lock_late().remove(&self.number);
        }
    }
}

impl Times {
    /// It took so long.
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = CLASSES.iter().position(|bound| micros <= bound * 1_000);
        if let Some(class) = class.and_then(|class| self.classes.get(class)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How often it took at most so many seconds, class by class, each with those before; how often in all, and seconds
    /// in all.
    pub fn classes(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut sum = 0u64;
        let classes = CLASSES.iter().zip(&self.classes).map(|(bound, class)| {
            sum = sum.saturating_add(class.load(Ordering::Relaxed));
            (*bound as f64 / 1e3, sum)
        });
        let classes: Vec<_> = classes.collect();
        let count = self.count.load(Ordering::Relaxed).max(sum);
        (
            classes,
            count,
            self.micros.load(Ordering::Relaxed) as f64 / 1e6,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_player_has_joined_with_its_first_bytes() {
        let totals = Totals::default();
        let tally = Arc::new(totals.of("x").viewer());
        tokio::time::advance(Duration::from_millis(30)).await;
        tally.sent(0);
        tally.sent(100);
        tokio::time::advance(Duration::from_secs(60)).await;
        tally.sent(50);
        let traffic = totals.of("x");
        assert_eq!((traffic.sent_all(), traffic.viewers()), (150, 1));
        let (classes, count, seconds) = traffic.joined.classes();
        assert_eq!((count, (seconds * 1e3) as u64), (1, 30));
        let at_most = |limit: f64| {
            classes
                .iter()
                .rfind(|(bound, _)| *bound <= limit)
                .unwrap()
                .1
        };
        assert_eq!((at_most(0.02), at_most(0.05), at_most(10.0)), (0, 1, 1));
        let other = Arc::new(totals.of("x").viewer());
        tally.is_behind(Duration::from_secs(2));
        other.is_behind(Duration::from_secs(1));
        assert_eq!(traffic.late(), (2, Duration::from_secs(2)));
        tally.is_up_to_date();
        assert_eq!(traffic.late(), (1, Duration::from_secs(1)));
        other.is_up_to_date();
        assert_eq!(traffic.late(), (0, Duration::ZERO));
        traffic.joined.note(Duration::from_secs(100));
        let (classes, count, _) = traffic.joined.classes();
        assert_eq!((classes.last().unwrap().1, count), (1, 2));
    }
}
