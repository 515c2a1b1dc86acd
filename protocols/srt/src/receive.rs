//! The receiver's buffer: packets are put in order and delivered when it is their time, or given up.

use crate::packet::{Data, push_loss};
use crate::sequence::Sequence;
use crate::timing::TimeBase;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Empty payload buffers that are kept for the next packets.
const POOL: usize = 256;

/// A message that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its bytes.
    pub length: usize,
    /// When it was due.
    pub due: Instant,
    /// Packets in front of it that did not come in time.
    pub missed: u64,
}

enum Slot {
    Missing,
    /// It will not come, or cannot be read.
    Dropped,
    Data {
        payload: Vec<u8>,
        timestamp: i64,
        message: u32,
        first: bool,
        last: bool,
    },
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was not there yet; the packets of this range were skipped by it.
    New(Option<(Sequence, Sequence)>),
    /// It is there, or its time is over.
    Known,
    /// It is too far ahead.
    Full,
}

/// What happens next at the front.
enum Front {
    /// A message of so many packets is to be delivered.
    Ready(usize, Instant),
    /// So many packets are to be given up.
    GiveUp(usize),
    /// Nothing until then.
    Wait(Option<Instant>),
}

pub(crate) struct Receiver {
    slots: VecDeque<Slot>,
    base: Sequence,
    /// How many slots at the front are not missing.
    contiguous: usize,
    missing: usize,
    bytes: usize,
    capacity: usize,
    pool: Vec<Vec<u8>>,
    missed: u64,
    /// Packets that were given up.
    pub(crate) dropped: u64,
}

impl Receiver {
    pub(crate) const fn new(initial: Sequence, capacity: usize) -> Self {
        Self {
            slots: VecDeque::new(),
            base: initial,
            contiguous: 0,
            missing: 0,
            bytes: 0,
            capacity,
            pool: Vec::new(),
            missed: 0,
            dropped: 0,
        }
    }

    /// An empty buffer for a payload.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_default()
    }

    fn recycle(&mut self, mut payload: Vec<u8>) {
        if self.pool.len() < POOL {
            payload.clear();
            self.pool.push(payload);
        }
    }

    /// Where a packet would go. Nothing is changed.
    pub(crate) fn look(&self, sequence: Sequence) -> Place {
        let Some(index) = sequence.offset(self.base) else {
            return Place::Known;
        };
        match self.slots.get(index) {
            Some(Slot::Missing) => Place::New(None),
            Some(_) => Place::Known,
            None if index >= self.capacity => Place::Full,
            None if index == self.slots.len() => Place::New(None),
            None => Place::New(Some((self.end(), sequence.add(u32::MAX)))),
        }
    }

    /// Takes a packet that [`Self::look`] called new; without a payload when it cannot be read.
    pub(crate) fn put(&mut self, data: &Data<'_>, timestamp: i64, payload: Option<Vec<u8>>) {
        let Some(index) = data
            .sequence
            .offset(self.base)
            .filter(|index| *index < self.capacity)
        else {
            return;
        };
        while self.slots.len() <= index {
            self.slots.push_back(Slot::Missing);
            self.missing += 1;
        }
        let slot = payload.map_or(Slot::Dropped, |payload| {
            self.bytes += payload.len();
            Slot::Data {
                payload,
                timestamp,
                message: data.message,
                first: data.first,
                last: data.last,
            }
        });
        self.fill(index, slot);
    }

    fn fill(&mut self, index: usize, with: Slot) {
        if let Some(slot @ Slot::Missing) = self.slots.get_mut(index) {
            *slot = with;
            self.missing -= 1;
        }
        while matches!(
            self.slots.get(self.contiguous),
            Some(Slot::Dropped | Slot::Data { .. })
        ) {
            self.contiguous += 1;
        }
    }

    /// The peer will not send these (again).
    pub(crate) fn give_up(&mut self, first: Sequence, last: Sequence) {
        let Some(to) = last.offset(self.base) else {
            return;
        };
        let from = first.offset(self.base).unwrap_or(0);
        if from > to || from > self.slots.len() || to >= self.capacity {
            return;
        }
        while self.slots.len() <= to {
            self.slots.push_back(Slot::Missing);
            self.missing += 1;
        }
        for index in from..=to {
            self.fill(index, Slot::Dropped);
        }
    }

    /// The first number that has not come.
    pub(crate) fn next(&self) -> Sequence {
        self.base.add(u32::try_from(self.contiguous).unwrap_or(0))
    }

    /// The number behind the last that has come.
    fn end(&self) -> Sequence {
        self.base.add(u32::try_from(self.slots.len()).unwrap_or(0))
    }

    /// Packets there is room for.
    pub(crate) fn room(&self) -> u32 {
        u32::try_from(self.capacity.saturating_sub(self.slots.len())).unwrap_or(0)
    }

    pub(crate) const fn missing(&self) -> usize {
        self.missing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All that is missing, as a loss list.
    pub(crate) fn losses(&self, list: &mut Vec<u8>) {
        let mut start = None;
        let at = |index: usize| self.base.add(u32::try_from(index).unwrap_or(0));
        for index in self.contiguous..self.slots.len() {
            let missing = matches!(self.slots.get(index), Some(Slot::Missing));
            match start {
                None if missing => start = Some(index),
                Some(first) if !missing => {
                    // The last slot is never missing, so that every range ends.
                    if !push_loss(list, at(first), at(index - 1)) {
                        return;
                    }
                    start = None;
                }
                _ => {}
            }
        }
    }

    /// When something is to be done at the front.
    pub(crate) fn due(&self, base: &TimeBase, latency: Duration) -> Option<Instant> {
        match self.front(None, base, latency) {
            Front::Wait(due) => due,
            Front::Ready(_, due) => Some(due),
            // At once.
            Front::GiveUp(_) => Some(base.due(i64::MIN, Duration::ZERO)),
        }
    }

    /// Delivers the next message whose time has come: its bytes are appended.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        base: &TimeBase,
        latency: Duration,
        out: &mut Vec<u8>,
    ) -> Option<Message> {
        loop {
            match self.front(Some(now), base, latency) {
                Front::Wait(_) => return None,
                Front::GiveUp(count) => {
                    for _ in 0..count {
                        self.pop();
                    }
                    self.missed += count as u64;
                    self.dropped += count as u64;
                }
                Front::Ready(count, due) => {
                    let before = out.len();
                    for _ in 0..count {
                        if let Some(payload) = self.pop() {
                            out.extend_from_slice(&payload);
                            self.recycle(payload);
                        }
                    }
                    return Some(Message {
                        length: out.len() - before,
                        due,
                        missed: std::mem::take(&mut self.missed),
                    });
                }
            }
        }
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let slot = self.slots.pop_front()?;
        self.base = self.base.add(1);
        self.contiguous = self.contiguous.saturating_sub(1);
        match slot {
            Slot::Missing => {
                self.missing -= 1;
                // What follows may be there.
                self.contiguous = 0;
                while matches!(
                    self.slots.get(self.contiguous),
                    Some(Slot::Dropped | Slot::Data { .. })
                ) {
                    self.contiguous += 1;
                }
                None
            }
            Slot::Dropped => None,
            Slot::Data { payload, .. } => {
                self.bytes = self.bytes.saturating_sub(payload.len());
                Some(payload)
            }
        }
    }

    /// Looks at the front. Without `now`, nothing is late.
    fn front(&self, now: Option<Instant>, base: &TimeBase, latency: Duration) -> Front {
        let late = |due: Instant| now.is_some_and(|now| due <= now);
        let mut whole: Option<(u32, Instant)> = None;
        for (index, slot) in self.slots.iter().enumerate() {
            match slot {
                // Nothing more can come of what is in front of it.
                Slot::Dropped => return Front::GiveUp(index + 1),
                Slot::Missing => return self.gap(index, late, base, latency),
                Slot::Data {
                    timestamp,
                    message,
                    first,
                    last,
                    ..
                } => {
                    match whole {
                        None if !first => return Front::GiveUp(1),
                        None => whole = Some((*message, base.due(*timestamp, latency))),
                        Some((number, _)) if *first || number != *message => {
                            return Front::GiveUp(index);
                        }
                        Some(_) => {}
                    }
                    if let (true, Some((_, due))) = (*last, whole) {
                        return if now.is_none() || late(due) {
                            Front::Ready(index + 1, due)
                        } else {
                            Front::Wait(Some(due))
                        };
                    }
                }
            }
        }
        Front::Wait(None)
    }

    /// The message at the front has a hole at `index`: what is behind the hole decides when it is given up
    /// (section 4.6).
    fn gap(
        &self,
        index: usize,
        late: impl Fn(Instant) -> bool,
        base: &TimeBase,
        latency: Duration,
    ) -> Front {
        for (behind, slot) in self.slots.iter().enumerate().skip(index) {
            if let Slot::Data { timestamp, .. } = slot {
                let due = base.due(*timestamp, latency);
                return if late(due) {
                    Front::GiveUp(behind)
                } else {
                    Front::Wait(Some(due))
                };
            }
        }
        Front::Wait(None)
    }

    /// Packets, bytes and milliseconds that wait.
    pub(crate) fn load(&self) -> (u64, u64, u64) {
        let time = |slot: &Slot| match slot {
            Slot::Data { timestamp, .. } => Some(*timestamp),
            _ => None,
        };
        let (first, last) = (
            self.slots.iter().find_map(time),
            self.slots.back().and_then(time),
        );
        let span = first
            .zip(last)
            .map_or(0, |(first, last)| last.saturating_sub(first) / 1_000);
        let packets = (self.slots.len() - self.missing) as u64;
        (packets, self.bytes as u64, u64::try_from(span).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Key;

    const LATENCY: Duration = Duration::from_millis(100);

    fn put(
        receiver: &mut Receiver,
        number: u32,
        flags: (bool, bool),
        message: u32,
        text: &[u8],
    ) -> Place {
        let data = Data {
            sequence: Sequence::new(number),
            first: flags.0,
            last: flags.1,
            ordered: true,
            key: Key::None,
            again: false,
            message,
            payload: text,
        };
        let place = receiver.look(data.sequence);
        if matches!(place, Place::New(_)) {
            receiver.put(&data, i64::from(message) * 1_000, Some(text.to_vec()));
        }
        place
    }

    fn read(receiver: &mut Receiver, start: Instant, ms: u64) -> Vec<(Vec<u8>, u64)> {
        let base = TimeBase::new(start, start, 0);
        let now = start + Duration::from_millis(ms);
        let mut all = Vec::new();
        loop {
            let mut out = Vec::new();
            let Some(message) = receiver.read(now, &base, LATENCY, &mut out) else {
                return all;
            };
            assert_eq!(message.length, out.len());
            all.push((out, message.missed));
        }
    }

    #[test]
    fn messages_wait_for_their_time_and_for_their_parts() {
        let start = Instant::now();
        let mut receiver = Receiver::new(Sequence::new(u32::MAX), 16);
        assert_eq!(
            put(&mut receiver, u32::MAX, (true, true), 1, b"a"),
            Place::New(None)
        );
        assert_eq!(
            put(&mut receiver, 2, (false, true), 2, b"d"),
            Place::New(Some((Sequence::new(0), Sequence::new(1))))
        );
        assert_eq!(put(&mut receiver, 2, (false, true), 2, b"d"), Place::Known);
        assert_eq!(
            put(&mut receiver, 0, (true, false), 2, b"b"),
            Place::New(None)
        );
        assert_eq!(receiver.next(), Sequence::new(1));
        assert_eq!(read(&mut receiver, start, 100), []);
        assert_eq!(read(&mut receiver, start, 101), [(b"a".to_vec(), 0)]);
        assert_eq!(
            put(&mut receiver, 1, (false, false), 2, b"c"),
            Place::New(None)
        );
        assert_eq!(read(&mut receiver, start, 102), [(b"bcd".to_vec(), 0)]);
        assert_eq!(put(&mut receiver, 1, (false, false), 2, b"c"), Place::Known);
        assert!(receiver.is_empty());
    }

    #[test]
    fn what_is_late_is_given_up_and_counted() {
        let start = Instant::now();
        let mut receiver = Receiver::new(Sequence::new(0), 16);
        put(&mut receiver, 0, (true, false), 1, b"half");
        put(&mut receiver, 5, (true, true), 6, b"f");
        let mut list = Vec::new();
        receiver.losses(&mut list);
        assert_eq!(list, [0x80, 0, 0, 1, 0, 0, 0, 4]);
        assert_eq!(read(&mut receiver, start, 105), []);
        assert_eq!(read(&mut receiver, start, 106), [(b"f".to_vec(), 5)]);
        assert_eq!(
            (receiver.next(), receiver.missing(), receiver.dropped),
            (Sequence::new(6), 0, 5)
        );
        // A middle without a beginning, and a beginning that is followed by another.
        put(&mut receiver, 6, (false, false), 7, b"x");
        put(&mut receiver, 7, (true, false), 8, b"x");
        put(&mut receiver, 8, (true, true), 9, b"ok");
        assert_eq!(read(&mut receiver, start, 109), [(b"ok".to_vec(), 2)]);
    }

    #[test]
    fn bounds_are_kept() {
        let start = Instant::now();
        let mut receiver = Receiver::new(Sequence::new(0), 16);
        assert_eq!(put(&mut receiver, 16, (true, true), 1, b"x"), Place::Full);
        assert_eq!(
            put(&mut receiver, 0x7fff_ffff, (true, true), 1, b"x"),
            Place::Known
        );
        receiver.give_up(Sequence::new(0), Sequence::new(16));
        assert!(receiver.is_empty());
        receiver.give_up(Sequence::new(0x7fff_fff0), Sequence::new(3));
        assert_eq!((receiver.next(), receiver.room()), (Sequence::new(4), 12));
        put(&mut receiver, 4, (true, true), 1, b"x");
        assert_eq!(read(&mut receiver, start, 101), [(b"x".to_vec(), 4)]);
    }
}
