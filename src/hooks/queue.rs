//! What waits for one receiver: in order within each stream, one failed stream in nobody's way, and never more than there
//! is room for.

use super::message::{Message, Weight};
use std::collections::{HashSet, VecDeque};
use tokio::time::Instant;

/// A message that waits.
pub(super) struct Item {
    pub(super) message: Message,
    /// The same each time that it is tried, and of no other message.
    pub(super) id: u64,
    /// How often it has been tried.
    pub(super) attempts: u32,
    /// It is not tried before this.
    pub(super) not_before: Option<Instant>,
}

/// What is to be done.
pub(super) enum Next {
    /// This is to be sent.
    Send(Box<Item>),
    /// Nothing before this.
    Wait(Instant),
    /// There is nothing.
    Empty,
}

/// Messages for one receiver, in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Queue {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The first of a stream whose time has come. It is taken out; what fails is given back before anything else is asked
    /// for, so that no later one of its stream passes it.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let mut passed = HashSet::new();
        let mut soonest: Option<Instant> = None;
        let mut found = None;
        for (at, item) in self.items.iter().enumerate() {
            if !passed.insert(item.message.stream.as_str()) {
                continue;
            }
            match item.not_before.filter(|when| *when > now) {
                None => {
                    found = Some(at);
                    break;
                }
                Some(when) => soonest = Some(soonest.map_or(when, |known| known.min(when))),
            }
        }
        match (found.and_then(|at| self.remove(at)), soonest) {
            (Some(item), _) => Next::Send(item.into()),
            (None, Some(when)) => Next::Wait(when),
            (None, None) => Next::Empty,
        }
    }

    /// Adds a message, where need be in place of others: older ones that it replaces, and those that are missed least
    /// where more than `most` would wait. How many have gone, the message itself if that is missed least.
    pub(super) fn push(&mut self, item: Item, most: usize) -> u64 {
        let mut dropped = 0;
        if item.message.weight == Weight::Status {
            let waiting = self.items.iter();
            let older = |waiting: &Item| item.message.replaces(&waiting.message);
            if let Some(at) = waiting.clone().position(older) {
                self.remove(at);
                dropped += 1;
            }
        }
        self.bytes += item.message.bytes();
        self.items.push_back(item);
        while self.items.len() > most {
            self.drop_least();
            dropped += 1;
        }
        dropped
    }

    /// Puts back what failed, before all others of its stream.
    pub(super) fn give_back(&mut self, item: Item) {
        self.bytes += item.message.bytes();
        self.items.push_front(item);
    }

    /// Drops the oldest of those that are missed least. False where nothing waits.
    pub(super) fn drop_least(&mut self) -> bool {
        let least = self.items.iter().map(|item| item.message.weight).min();
        let oldest = |item: &Item| Some(item.message.weight) == least;
        let at = self.items.iter().position(oldest);
        at.and_then(|at| self.remove(at)).is_some()
    }

    fn remove(&mut self, at: usize) -> Option<Item> {
        let item = self.items.remove(at)?;
        self.bytes = self.bytes.saturating_sub(item.message.bytes());
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::message::{Address, Retry};
    use axum::http::{HeaderMap, HeaderValue};
    use bytes::Bytes;
    use std::time::Duration;

    fn item(stream: &str, id: u64, weight: Weight) -> Item {
        let message = Message {
            to: Address::parse("http://a/").unwrap(),
            event: "e",
            stream: stream.to_owned(),
            weight,
            retry: Retry {
                count: 0,
                delay: Duration::ZERO,
                doubles: false,
            },
            content_type: HeaderValue::from_static("application/json"),
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{}"),
        };
        Item {
            message,
            id,
            attempts: 0,
            not_before: None,
        }
    }

    fn ids(queue: &Queue) -> Vec<u64> {
        queue.items.iter().map(|item| item.id).collect()
    }

    #[test]
    fn a_stream_that_failed_waits_and_no_other_does() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut queue = Queue::default();
        for (stream, id) in [("a", 1), ("a", 2), ("b", 3)] {
            queue.push(item(stream, id, Weight::Event), 10);
        }
        let Next::Send(mut first) = queue.next(now) else {
            panic!("nothing to send");
        };
        assert_eq!(first.id, 1);
        first.not_before = Some(later);
        queue.give_back(*first);
        assert!(matches!(queue.next(now), Next::Send(item) if item.id == 3));
        assert!(matches!(queue.next(now), Next::Wait(when) if when == later));
        assert!(matches!(queue.next(later), Next::Send(item) if item.id == 1));
        assert!(matches!(queue.next(later), Next::Send(item) if item.id == 2));
        assert!(matches!(queue.next(later), Next::Empty));
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_is_missed_least_goes_first_and_then_the_oldest() {
        let mut queue = Queue::default();
        let mut dropped = 0;
        for (id, weight) in [
            (1, Weight::Event),
            (2, Weight::Viewer),
            (3, Weight::Event),
            (4, Weight::Viewer),
            (5, Weight::Event),
        ] {
            dropped += queue.push(item("a", id, weight), 3);
        }
        assert_eq!((dropped, ids(&queue)), (2, vec![1, 3, 5]));
        // Among events alone, the oldest; one that is missed less does not come in.
        assert_eq!(queue.push(item("a", 6, Weight::Event), 3), 1);
        assert_eq!(queue.push(item("a", 7, Weight::Viewer), 3), 1);
        assert_eq!(ids(&queue), [3, 5, 6]);
    }

    #[test]
    fn of_each_stream_the_newest_status_waits() {
        let mut queue = Queue::default();
        for (stream, id) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
            queue.push(item(stream, id, Weight::Status), 10);
        }
        assert_eq!(ids(&queue), [2, 4]);
    }
}
