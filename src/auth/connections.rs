//! When subscribers came and went, for who asks afterwards; and which are there. It ends with the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Events of one subscriber of a stream that are kept; the oldest go.
const OF_SUBSCRIBER: usize = 100;

/// Events of one stream that are kept; the oldest go.
const OF_STREAM: usize = 1_000;

/// Events of all streams that are kept. Beyond, those of the stream go in which nothing has happened for the longest time.
const OF_ALL: usize = 50_000;

/// A subscriber has come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// When.
    pub at: SystemTime,
    /// What it does there: `publish` or `play`.
    pub kind: &'static str,
    /// By which protocol.
    pub protocol: &'static str,
    /// It has come.
    pub has_come: bool,
}

impl ConnectionEvent {
    pub(super) fn now(kind: &'static str, protocol: &'static str, has_come: bool) -> Self {
        Self {
            at: SystemTime::now(),
            kind,
            protocol,
            has_come,
        }
    }
}

/// What has happened, and who is there.
#[derive(Debug, Default)]
pub(super) struct Connections {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By stream, as `APP/ID`, the oldest first, with the subscriber that each is of.
    events: BTreeMap<String, VecDeque<(String, ConnectionEvent)>>,
    /// How many there are in all.
    count: usize,
    /// How many connections a subscriber of a stream has now, if it has any.
    present: HashMap<(String, String), usize>,
}

impl Connections {
    /// Keeps what has happened.
    pub(super) fn add(&self, (stream, subscriber): (&str, &str), event: ConnectionEvent) {
        let mut known = self.lock();
        known.note(stream, subscriber, event.has_come);
        let events = known.events.entry(stream.to_owned()).or_default();
        let before = events.len();
        let own = events.iter().filter(|(of, _)| of == subscriber).count();
        if own >= OF_SUBSCRIBER {
            let oldest = events.iter().position(|(of, _)| of == subscriber);
            oldest.and_then(|oldest| events.remove(oldest));
        }
        if events.len() >= OF_STREAM {
            events.pop_front();
        }
        events.push_back((subscriber.to_owned(), event));
        known.count = (known.count + known.events.get(stream).map_or(0, VecDeque::len)) - before;
        if known.count > OF_ALL {
            known.make_room(stream);
        }
    }

    /// Some of what happened at a stream, the oldest first, with who it was: of one subscriber, if one is named.
    pub(super) fn list(
        &self,
        stream: &str,
        subscriber: Option<&str>,
        (offset, size): (usize, usize),
    ) -> Vec<(String, ConnectionEvent)> {
        let known = self.lock();
        let events = known.events.get(stream).into_iter().flatten();
        let own = events.filter(|(of, _)| subscriber.is_none_or(|subscriber| of == subscriber));
        own.skip(offset).take(size).cloned().collect()
    }

    /// How many connections a subscriber of a stream has now.
    pub(super) fn present(&self, stream: &str, subscriber: &str) -> usize {
        let who = (stream.to_owned(), subscriber.to_owned());
        self.lock().present.get(&who).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, stream: &str, subscriber: &str, has_come: bool) {
        let who = (stream.to_owned(), subscriber.to_owned());
        if has_come {
            *self.present.entry(who).or_default() += 1;
        } else if let Some(count) = self.present.get_mut(&who) {
            *count -= 1;
            if *count == 0 {
                self.present.remove(&who);
            }
        }
    }

    /// Forgets the stream, but not this one, in which nothing has happened for the longest time.
    fn make_room(&mut self, newest: &str) {
        let others = self.events.iter().filter(|(stream, _)| *stream != newest);
        let oldest = others.min_by_key(|(_, events)| events.back().map(|(_, event)| event.at));
        let oldest = oldest.map(|(stream, _)| stream.clone());
        let events = oldest.and_then(|oldest| self.events.remove(&oldest));
        self.count -= events.map_or(0, |events| events.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(has_come: bool) -> ConnectionEvent {
        ConnectionEvent::now("play", "hls", has_come)
    }

    #[test]
    fn what_happened_is_listed_and_who_is_there_is_counted() {
        let all = Connections::default();
        let (one, two) = (("LiveApp/cam", "one"), ("LiveApp/cam", "two"));
        for (who, has_come) in [(one, true), (two, true), (one, true), (one, false)] {
            all.add(who, event(has_come));
        }
        assert_eq!(all.present("LiveApp/cam", "one"), 1);
        assert_eq!(all.present("LiveApp/door", "one"), 0);
        let list = |subscriber, offset, size| {
            let some = all.list("LiveApp/cam", subscriber, (offset, size));
            let some = some.into_iter().map(|(of, event)| (of, event.has_come));
            some.collect::<Vec<_>>()
        };
        let told = |of: &str, has_come| (of.to_owned(), has_come);
        let of_one = [told("one", true), told("one", true), told("one", false)];
        assert_eq!(list(Some("one"), 0, 9), of_one);
        assert_eq!(list(None, 1, 2), [told("two", true), told("one", true)]);
        assert_eq!(list(None, 9, 9), []);
        all.add(one, event(false));
        assert_eq!(all.present("LiveApp/cam", "one"), 0);
        assert_eq!(all.lock().present.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let all = Connections::default();
        for number in 0..OF_STREAM + 500 {
            let often = number % 2 == 0;
            let other = format!("s{number}");
            let who = if often { "often" } else { &*other };
            all.add(("LiveApp/cam", who), event(often));
        }
        let of = |subscriber| all.list("LiveApp/cam", subscriber, (0, usize::MAX)).len();
        assert_eq!(of(Some("often")), OF_SUBSCRIBER);
        assert_eq!(of(None), OF_SUBSCRIBER + (OF_STREAM + 500) / 2);
        for stream in 0..60 {
            for number in 0..OF_STREAM {
                let (stream, id) = (format!("LiveApp/{stream}"), format!("s{number}"));
                all.add((&stream, &id), event(false));
            }
        }
        let known = all.lock();
        let count: usize = known.events.values().map(VecDeque::len).sum();
        assert_eq!(known.count, count);
        assert!(count <= OF_ALL, "{count}");
        // What happened last is there.
        assert!(known.events.contains_key("LiveApp/59"));
        assert!(!known.events.contains_key("LiveApp/cam"));
    }
}
