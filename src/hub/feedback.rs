//! Requests for a random access point, on their way from readers up to the source.
//!
//! Readers ask as often as they like; a source is asked at most once in [`INTERVAL`], and not at all when a random
//! access point has come meanwhile. Sources that cannot answer do not listen, and nothing is lost by that.

use std::time::Duration;
use tokio::time::Instant;

/// A source is asked at most once in this time: each answer costs as much as several other pictures.
const INTERVAL: Duration = Duration::from_secs(1);

/// Requests that readers of a stream have made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// By readers.
    pub wanted: u64,
    /// Passed on to a source.
    pub asked: u64,
}

/// What a stream keeps of them.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    requests: Requests,
    is_wanted: bool,
    asked_at: Option<Instant>,
}

impl Feedback {
    pub(super) const fn requests(&self) -> Requests {
        self.requests
    }

    /// A reader wants a random access point.
    pub(super) const fn want(&mut self) {
        self.requests.wanted += 1;
        self.is_wanted = true;
    }

    /// One has come.
    pub(super) const fn answered(&mut self) {
        self.is_wanted = false;
    }

    /// When the source may be asked, if anybody wants it to be.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.asked_at.map_or(now, |at| at + INTERVAL);
        self.is_wanted.then_some(due)
    }

    /// The source is to be asked now. False where it no longer has to be.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let asks = self.due(now).is_some_and(|due| due <= now);
        if asks {
            self.is_wanted = false;
            self.asked_at = Some(now);
            self.requests.asked += 1;
        }
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_wishes_are_one_request_a_second() {
        let mut feedback = Feedback::default();
        let begun = Instant::now();
        let mut asked = Vec::new();
        // Fifty wishes a second for three seconds; at 1.5 s a random access point comes by itself.
        for step in 0..150 {
            let now = begun + Duration::from_millis(20) * step;
            feedback.want();
            if step == 75 {
                feedback.answered();
            }
            if feedback.ask(now) {
                asked.push(step);
            }
        }
        assert_eq!(asked, [0, 50, 100]);
        let requests = Requests {
            wanted: 150,
            asked: 3,
        };
        assert_eq!(feedback.requests(), requests);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_is_not_asked_for() {
        let mut feedback = Feedback::default();
        let now = Instant::now();
        assert_eq!(feedback.due(now), None);
        feedback.want();
        feedback.answered();
        assert_eq!((feedback.due(now), feedback.ask(now)), (None, false));
        feedback.want();
        assert_eq!(feedback.due(now), Some(now));
        assert!(feedback.ask(now));
        feedback.want();
        assert_eq!(feedback.due(now), Some(now + INTERVAL));
    }
}
