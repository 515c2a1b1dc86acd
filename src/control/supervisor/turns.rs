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
    /// Why it failed the last time.
    error: Option<String>,
    /// It has been live at some time.
    was_live: bool,
    /// When it was live the last time, the far side said in the end that the stream is over.
    is_over: bool,
}

impl Turns {
    /// For so many URLs, none of which has failed.
    pub(super) fn new(urls: usize, now: Instant) -> Self {
        let turn = |_| Turn {
            backoff: Backoff::default(),
            not_before: now,
            error: None,
            was_live: false,
            is_over: false,
        };
        Self {
            urls: (0..urls).map(turn).collect(),
        }
    }

    /// A URL failed after it had been well for `ran`, if it was: whether that is news.
    pub(super) fn failed(
        &mut self,
        url: usize,
        ran: Option<Duration>,
        error: &str,
        now: Instant,
    ) -> bool {
        let Some(turn) = self.urls.get_mut(url) else {
            return false;
        };
        let pause = turn.backoff.next(ran.unwrap_or_default(), rand::random());
        turn.not_before = now + pause;
        turn.was_live |= ran.is_some();
        let known = turn.error.as_deref() == Some(error);
        turn.error = Some(error.to_owned());
        ran.is_some() || !known
    }

    /// Notes whether the stream of a URL that was live until now is over.
    pub(super) fn ended(&mut self, url: usize, is_over: bool) {
        if let Some(turn) = self.urls.get_mut(url) {
            turn.is_over = is_over;
        }
    }

    /// Whether the stream of a URL was over when it was live the last time.
    pub(super) fn is_over(&self, url: usize) -> bool {
        self.urls.get(url).is_some_and(|turn| turn.is_over)
    }

    /// When a URL may be tried again.
    pub(super) fn not_before(&self, url: usize, now: Instant) -> Instant {
        self.urls.get(url).map_or(now, |turn| turn.not_before)
    }

    /// Whether there is reason to think that a URL can be had: it has been live, or never been tried.
    pub(super) fn is_hopeful(&self, url: usize) -> bool {
        let turn = self.urls.get(url);
        turn.is_none_or(|turn| turn.was_live || turn.error.is_none())
    }

    /// The fallback to try after a URL has failed, and when: the next that need not wait, in the order of the
    /// list; where all have to, the one whose pause is over first. None where there is no fallback.
    pub(super) fn next(&self, failed: usize, now: Instant) -> Option<(usize, Instant)> {
        let order = || (failed + 1..self.urls.len()).chain(1..=failed);
        let ready = order().find(|url| self.not_before(*url, now) <= now);
        let next = ready.or_else(|| order().min_by_key(|url| self.not_before(*url, now)))?;
        Some((next, self.not_before(next, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_fallbacks_are_gone_through_and_begun_again() {
        let now = Instant::now();
        let mut turns = Turns::new(3, now);
        for (failed, next) in [(0, 1), (1, 2)] {
            turns.failed(failed, None, "no", now);
            assert_eq!(turns.next(failed, now), Some((next, now)));
        }
        turns.failed(2, None, "no", now);
        let (_, when) = turns.next(2, now).unwrap();
        assert!(when > now && when <= now + Duration::from_secs(1));
        // Once its pause is over, the first of them is tried after the last.
        let later = now + Duration::from_secs(1);
        assert_eq!(turns.next(2, later).unwrap().0, 1);
        assert_eq!(Turns::new(1, now).next(0, now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn news_is_another_error_and_the_end_of_what_was_live() {
        let now = Instant::now();
        let mut turns = Turns::new(2, now);
        let hour = Some(Duration::from_secs(3_600));
        let cases = [
            (0, None, "refused", true),
            (1, None, "hangs", true),
            (0, None, "refused", false),
            (1, None, "hangs", false),
            (0, hour, "refused", true),
            (0, None, "refused", false),
            (0, None, "hangs", true),
        ];
        for (url, ran, error, news) in cases {
            assert_eq!(turns.failed(url, ran, error, now), news, "{url} {error}");
        }
        assert!(turns.is_hopeful(0) && !turns.is_hopeful(1));
    }
}
