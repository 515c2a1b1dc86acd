//! Packets that have not come, and when they are asked for again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A packet that is so late may only have changed its place.
const REORDERED: Duration = Duration::from_millis(10);

/// From one request for a packet to the next: the way there and back, of which nothing is told to a receiver. Senders
/// pass over a request that comes too soon.
const AGAIN: Duration = Duration::from_millis(50);

/// How often a packet is asked for.
const MAX_ASKED: u8 = 7;

/// How long a packet is hoped for: who puts packets in order waits as long.
pub(crate) const HOPE: Duration = Duration::from_millis(400);

/// Most packets that are missed at once, and most of one gap; who misses more begins anew.
const MAX_MISSING: usize = 1_024;
const MAX_GAP: u16 = 512;

/// What is missing of one source.
#[derive(Debug, Default)]
pub(super) struct Missing {
    newest: Option<u16>,
    lost: VecDeque<Lost>,
    /// Packets that nobody hopes for any more, since this was last asked for.
    given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    sequence: u16,
    asked: u8,
    due: Instant,
}

impl Missing {
    /// A packet came. False for one that is neither new nor missed.
    pub(super) fn received(&mut self, now: Instant, sequence: u16) -> bool {
        let Some(newest) = self.newest.replace(sequence) else {
            return true;
        };
        let ahead = sequence.wrapping_sub(newest);
        if ahead == 0 || ahead >= 1 << 15 {
            self.newest = Some(newest);
            return self.found(sequence);
        }
        let gap = ahead - 1;
        if gap > MAX_GAP {
            self.given_up += self.lost.len() as u64 + u64::from(gap);
            self.lost.clear();
            return true;
        }
        for step in 1..ahead {
            self.lost.push_back(Lost {
                sequence: newest.wrapping_add(step),
                asked: 0,
                due: now + REORDERED,
            });
        }
        while self.lost.len() > MAX_MISSING {
            self.lost.pop_front();
            self.given_up += 1;
        }
        true
    }

    /// A packet came again. Whether it was missed.
    pub(super) fn found(&mut self, sequence: u16) -> bool {
        let mut lost = self.lost.iter();
        let place = lost.position(|lost| lost.sequence == sequence);
        place.and_then(|place| self.lost.remove(place)).is_some()
    }

    /// When [`due`](Self::due) is to be asked next.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.lost.iter().map(|lost| lost.due).min()
    }

    /// What is to be asked for now, in order.
    pub(super) fn due(&mut self, now: Instant) -> Vec<u16> {
        let mut due = Vec::new();
        let before = self.lost.len();
        self.lost.retain_mut(|lost| {
            if lost.due > now {
                return true;
            }
            if lost.asked >= MAX_ASKED {
                return false;
            }
            lost.asked += 1;
            lost.due = now + AGAIN;
            due.push(lost.sequence);
            true
        });
        self.given_up += (before - self.lost.len()) as u64;
        due
    }

    /// Packets that nobody hopes for any more, each told once.
    pub(super) const fn take_given_up(&mut self) -> u64 {
        std::mem::replace(&mut self.given_up, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for_until_it_comes() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut missing = Missing::default();
        for sequence in [65_533, 65_534, 1] {
            assert!(missing.received(start, sequence));
        }
        assert_eq!(missing.timeout(), Some(at(10)));
        assert!(missing.due(at(9)).is_empty());
        // It had only changed its place.
        assert!(missing.received(at(9), 65_535));
        assert_eq!(missing.due(at(10)), [0]);
        assert!(missing.due(at(59)).is_empty());
        assert_eq!(missing.due(at(60)), [0]);
        assert!(missing.found(0));
        assert_eq!((missing.timeout(), missing.take_given_up()), (None, 0));
        // What comes twice, and what was never missed.
        assert!(!missing.received(at(61), 0) && !missing.found(40));
    }

    #[test]
    fn hope_ends() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.received(start, 1);
        missing.received(start, 3);
        let (mut now, mut asked) = (start, 0);
        while let Some(due) = missing.timeout() {
            now = due;
            asked += missing.due(now).len();
        }
        assert_eq!(asked, usize::from(MAX_ASKED));
        assert!(now - start <= HOPE, "{:?}", now - start);
        assert_eq!((missing.take_given_up(), missing.take_given_up()), (1, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut missing = Missing::default();
        for sequence in (0..60_000).step_by(2) {
            missing.received(now, sequence);
        }
        assert_eq!(missing.lost.len(), MAX_MISSING);
        assert!(missing.received(now, 62_000));
        assert!(missing.due(now + HOPE).is_empty());
        assert_eq!(missing.take_given_up(), 30_000 - 1 + 62_000 - 59_998 - 1);
    }
}
