//! Which of a source's URLs is tried next, and when.

use super::backoff::Backoff;
use std::time::Duration;
use tokio::time::Instant;

/// The URLs of a source by their places in the list, each with its own pauses.
#[derive(Debug)]
pub(super) struct Turns {
    urls: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    backoff: Backoff,
    not_before: Instant,
}

impl Turns {
    /// For so many URLs, none of which has failed.
    pub(super) fn new(urls: usize, now: Instant) -> Self {
        let turn = |_| Turn {
            backoff: Backoff::default(),
            not_before: now,
        };
        Self {
            urls: (0..urls).map(turn).collect(),
        }
    }

    /// A URL failed after it had been well for `ran`.
    pub(super) fn failed(&mut self, url: usize, ran: Duration, now: Instant) {
        if let Some(turn) = self.urls.get_mut(url) {
            turn.not_before = now + turn.backoff.next(ran, rand::random());
        }
    }

    /// When a URL may be tried again.
    pub(super) fn not_before(&self, url: usize, now: Instant) -> Instant {
        self.urls.get(url).map_or(now, |turn| turn.not_before)
    }

    /// The URL to try after one has failed, and when: the next that need not wait, in the order of the list;
    /// where all have to, the one whose pause is over first.
    pub(super) fn next(&self, failed: usize, now: Instant) -> (usize, Instant) {
        let order = || (failed + 1..self.urls.len()).chain(0..=failed);
        let ready = order().find(|url| self.not_before(*url, now) <= now);
        let next = ready.or_else(|| order().min_by_key(|url| self.not_before(*url, now)));
        let next = next.unwrap_or(0);
        (next, self.not_before(next, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_list_is_gone_through_and_begun_again() {
        let now = Instant::now();
        let mut turns = Turns::new(3, now);
        for (failed, next) in [(0, 1), (1, 2)] {
            turns.failed(failed, Duration::ZERO, now);
            assert_eq!(turns.next(failed, now), (next, now));
        }
        turns.failed(2, Duration::ZERO, now);
        let (_, when) = turns.next(2, now);
        assert!(when > now && when <= now + Duration::from_secs(1));
        // Once its pause is over, the first is tried after the last.
        let later = now + Duration::from_secs(1);
        assert_eq!(turns.next(2, later).0, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_alone_is_tried_after_its_pause() {
        let now = Instant::now();
        let mut turns = Turns::new(1, now);
        turns.failed(0, Duration::ZERO, now);
        let (url, when) = turns.next(0, now);
        assert!(url == 0 && when > now);
    }
}
