//! The sender's buffer: what waits to be sent, sent again, or acknowledged, and when the next may leave.

use crate::packet::Key;
use crate::sequence::Sequence;
use crate::timing::RoundTrip;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far sending may lag behind its pace and catch up: timers are not finer.
const BURST: Duration = Duration::from_millis(2);

/// One packet.
pub(crate) struct Slot {
    pub(crate) payload: Bytes,
    /// Its origin, in microseconds since our beginning.
    pub(crate) timestamp: u32,
    at: Instant,
    pub(crate) message: u32,
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// What it was first encrypted with.
    pub(crate) key: Key,
    /// When it was sent last.
    sent: Option<Instant>,
    pub(crate) again: bool,
    lost: bool,
}

/// What left the buffer without having arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Sender {
    slots: VecDeque<Slot>,
    base: Sequence,
    /// How many of the slots have been sent.
    sent: usize,
    /// Packets to be sent again. Each is in here once; what is gone by then is passed over.
    lost: VecDeque<Sequence>,
    message: u32,
    bytes: usize,
    capacity: usize,
    /// Packets that the peer has room for.
    window: usize,
    /// When the next packet may leave.
    next: Instant,
    /// The last time that something was acknowledged or sent into silence.
    progress: Instant,
    timeouts: u32,
    rate: u64,
    payload: usize,
}

impl Sender {
    pub(crate) fn new(
        now: Instant,
        initial: Sequence,
        capacity: usize,
        window: u32,
        rate: u64,
        payload: usize,
    ) -> Self {
        Self {
            slots: VecDeque::new(),
            base: initial,
            sent: 0,
            lost: VecDeque::new(),
            message: 1,
            bytes: 0,
            capacity,
            window: window as usize,
            next: now.checked_sub(BURST).unwrap_or(now),
            progress: now,
            timeouts: 0,
            rate: rate.max(1),
            payload: payload.max(1),
        }
    }

    /// Takes a message and cuts it. `false` when there is no room for all of it.
    pub(crate) fn push(&mut self, now: Instant, timestamp: u32, message: &Bytes) -> bool {
        let count = message.len().div_ceil(self.payload).max(1);
        if self.slots.len().saturating_add(count) > self.capacity {
            return false;
        }
        if self.slots.is_empty() {
            (self.progress, self.timeouts) = (now, 0);
        }
        self.bytes += message.len();
        let mut rest = message.clone();
        for index in 0..count {
            let payload = rest.split_to(rest.len().min(self.payload));
            self.slots.push_back(Slot {
                payload,
                timestamp,
                at: now,
                message: self.message,
                first: index == 0,
                last: index + 1 == count,
                key: Key::None,
                sent: None,
                again: false,
                lost: false,
            });
        }
        // Zero stands for no message in drop requests.
        self.message = if self.message >= 0x03ff_ffff {
            1
        } else {
            self.message + 1
        };
        true
    }

    /// The peer has everything in front of `next`, and room.
    pub(crate) fn acknowledge(&mut self, now: Instant, next: Sequence, room: Option<u32>) {
        let Some(count) = next.offset(self.base).filter(|count| *count <= self.sent) else {
            return;
        };
        if let Some(room) = room {
            self.window = room as usize;
        }
        if count > 0 {
            (self.progress, self.timeouts) = (now, 0);
            self.forget(count);
        }
    }

    fn forget(&mut self, count: usize) -> Dropped {
        let mut dropped = Dropped::default();
        for slot in self.slots.drain(..count.min(self.slots.len())) {
            dropped.packets += 1;
            dropped.bytes += slot.payload.len() as u64;
        }
        self.bytes = self
            .bytes
            .saturating_sub(usize::try_from(dropped.bytes).unwrap_or(0));
        self.base = self.base.add(u32::try_from(dropped.packets).unwrap_or(0));
        self.sent = self.sent.saturating_sub(count);
        if self.slots.is_empty() {
            self.lost.clear();
        }
        dropped
    }

    /// Packets of this age are of no use to anybody (section 4.6).
    pub(crate) fn drop_late(&mut self, now: Instant, age: Duration) -> Dropped {
        let late = |slot: &&Slot| now.saturating_duration_since(slot.at) > age;
        let count = self.slots.iter().take_while(late).count();
        if count == 0 {
            Dropped::default()
        } else {
            self.forget(count)
        }
    }

    /// When [`Self::drop_late`] has something to do.
    pub(crate) fn late_at(&self, age: Duration) -> Option<Instant> {
        self.slots
            .front()?
            .at
            .checked_add(age + Duration::from_micros(1))
    }

    /// Packets that have been sent and may be missing.
    pub(crate) const fn in_flight(&self) -> usize {
        self.sent
    }

    /// The peer misses these, of which `left` are looked at. Gives how many are put in line to be sent again, and the
    /// range that is not here any more.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        (first, last): (Sequence, Sequence),
        left: &mut usize,
        trip: &RoundTrip,
    ) -> (u64, Option<(Sequence, Sequence)>) {
        let end = self.base.add(u32::try_from(self.sent).unwrap_or(0));
        // What was never sent cannot be missing.
        if last.since(end) >= 0 || last.since(first) < 0 {
            return (0, None);
        }
        let gone = (first.since(self.base) < 0).then(|| {
            let before = self.base.add(u32::MAX);
            (first, if last.since(before) < 0 { last } else { before })
        });
        let from = first.offset(self.base).unwrap_or(0);
        let mut count = 0;
        if let Some(to) = last.offset(self.base) {
            for index in (from..=to).take(*left) {
                *left -= 1;
                count += u64::from(self.lose(now, index, trip));
            }
        }
        (count, gone)
    }

    /// Puts a packet in line, unless its repetition is under way still. On a line that jitters, who waited for a
    /// whole round trip would lose the chance of one more.
    fn lose(&mut self, now: Instant, index: usize, trip: &RoundTrip) -> bool {
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let under_way = slot.again
            && slot
                .sent
                .is_some_and(|sent| now.saturating_duration_since(sent) < trip.least());
        if slot.lost || under_way {
            return false;
        }
        slot.lost = true;
        let number = self.base.add(u32::try_from(index).unwrap_or(0));
        self.lost.push_back(number);
        true
    }

    /// When there has been no acknowledgement for so long that the last packet may be lost, which no later
    /// one tells the peer (section 5.1.2, RTO).
    pub(crate) fn silence_at(&self, trip: &RoundTrip) -> Option<Instant> {
        if self.sent == 0 || !self.lost.is_empty() {
            return None;
        }
        let timeout = trip.patience() + 3 * crate::timing::ACK_INTERVAL;
        self.progress
            .checked_add(timeout * (1 << self.timeouts.min(6)))
    }

    /// Sends the last packet again if it is time.
    pub(crate) fn probe(&mut self, now: Instant, trip: &RoundTrip) {
        if self.silence_at(trip).is_some_and(|at| at <= now) {
            self.timeouts += 1;
            self.progress = now;
            if let Some(last) = self.sent.checked_sub(1) {
                self.lose(now, last, trip);
            }
        }
    }

    /// The packet that may leave now: one that is missing at the peer, or else the next.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Sequence, &mut Slot)> {
        let number = self.peek(now)?;
        let index = number.offset(self.base)?;
        if self.lost.front() == Some(&number) {
            self.lost.pop_front();
        }
        let slot = self.slots.get_mut(index)?;
        slot.again = slot.sent.is_some();
        if !slot.again {
            self.sent = index + 1;
        }
        slot.lost = false;
        self.progress = now;
        slot.sent = Some(now);
        // The second packet of a pair follows at once, so that the peer can measure the link.
        if number.value() & 15 != 0 || slot.again {
            let size = (slot.payload.len() + crate::packet::HEADER_LEN) as u64;
            let period = Duration::from_nanos(size.saturating_mul(1_000_000_000) / self.rate);
            let earliest = now.checked_sub(BURST).unwrap_or(now);
            self.next = self.next.max(earliest) + period;
        }
        Some((number, slot))
    }

    fn peek(&mut self, now: Instant) -> Option<Sequence> {
        if self.next > now {
            return None;
        }
        self.line()
    }

    /// The next packet in line, whenever it may leave.
    fn line(&mut self) -> Option<Sequence> {
        while let Some(number) = self.lost.front() {
            let there = number
                .offset(self.base)
                .and_then(|index| self.slots.get(index));
            if there.is_some_and(|slot| slot.lost) {
                return Some(*number);
            }
            self.lost.pop_front();
        }
        let room = self.sent < self.slots.len() && self.sent < self.window;
        room.then(|| self.base.add(u32::try_from(self.sent).unwrap_or(0)))
    }

    /// When a packet may leave.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let next = self.next;
        self.line().map(|_| next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Packets, bytes and milliseconds that wait; packets under way; packets there is room for.
    pub(crate) fn load(&self) -> (u64, u64, u64, u64, u64) {
        let ends = self.slots.front().zip(self.slots.back());
        let span = ends.map_or(0, |(front, back)| {
            u64::try_from(back.at.saturating_duration_since(front.at).as_millis()).unwrap_or(0)
        });
        let (slots, bytes) = (self.slots.len() as u64, self.bytes as u64);
        (slots, bytes, span, self.sent as u64, self.window as u64)
    }

    /// Most bytes a second.
    pub(crate) const fn max_bandwidth(&self) -> u64 {
        self.rate
    }

    /// Shortest time between two packets.
    pub(crate) const fn period_us(&self) -> f64 {
        (self.payload + crate::packet::HEADER_LEN) as f64 * 1e6 / self.rate as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(now: Instant) -> Sender {
        Sender::new(now, Sequence::new(u32::MAX), 100, 50, 1_000_000, 10)
    }

    #[test]
    fn messages_are_cut_and_sent_in_order() {
        let now = Instant::now();
        let mut sender = sender(now);
        assert!(sender.push(now, 1, &Bytes::from_static(b"0123456789abcdefghijXY")));
        let mut flags = Vec::new();
        while let Some((number, slot)) = sender.pop(now) {
            flags.push((number.value(), slot.first, slot.last, slot.payload.len()));
        }
        assert_eq!(
            flags,
            [
                (0x7fff_ffff, true, false, 10),
                (0, false, false, 10),
                (1, false, true, 2)
            ]
        );
        assert!(!sender.push(now, 1, &Bytes::from(vec![0; 980])));
    }

    #[test]
    fn what_is_missing_goes_first_and_once() {
        let now = Instant::now();
        let mut trip = RoundTrip::new();
        for _ in 0..30 {
            trip.sample(10_000);
        }
        let mut sender = sender(now);
        for _ in 0..10 {
            assert!(sender.push(now, 1, &Bytes::from_static(b"x")));
        }
        for _ in 0..5 {
            assert!(sender.pop(now).is_some());
        }
        let base = Sequence::new(u32::MAX);
        assert_eq!(
            sender.report(now, (base.add(1), base.add(2)), &mut 9, &trip),
            (2, None)
        );
        assert_eq!(
            sender.report(now, (base.add(1), base.add(2)), &mut 9, &trip),
            (0, None)
        );
        // As often as they are asked for, no more are looked at than were sent.
        let mut left = sender.in_flight();
        assert_eq!(left, 5);
        for _ in 0..9 {
            sender.report(now, (base.add(1), base.add(2)), &mut left, &trip);
        }
        assert_eq!(left, 0);
        // Never sent, and backwards.
        assert_eq!(
            sender.report(now, (base, base.add(5)), &mut 9, &trip),
            (0, None)
        );
        assert_eq!(
            sender.report(now, (base.add(2), base), &mut 9, &trip),
            (0, None)
        );
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(sender.pop(now).unwrap().0.since(base));
        }
        assert_eq!(order, [1, 2, 5]);
        // Under way still; later it is sent once more.
        assert_eq!(
            sender
                .report(now, (base.add(1), base.add(1)), &mut 9, &trip)
                .0,
            0
        );
        let later = now + Duration::from_millis(11);
        assert_eq!(
            sender
                .report(later, (base.add(1), base.add(1)), &mut 9, &trip)
                .0,
            1
        );
        // What was acknowledged is gone.
        sender.acknowledge(later, base.add(4), Some(50));
        let report = sender.report(later, (base.add(1), base.add(4)), &mut 9, &trip);
        assert_eq!(report, (1, Some((base.add(1), base.add(3)))));
        // Acknowledgements of what was never sent are none.
        sender.acknowledge(later, base.add(9), Some(50));
        assert_eq!(sender.load().3, 2);
    }

    #[test]
    fn the_window_and_the_pace_are_kept() {
        let now = Instant::now();
        let mut sender = Sender::new(now, Sequence::new(1), 100, 5, 1_016_000, 1_000);
        for _ in 0..10 {
            assert!(sender.push(now, 1, &Bytes::from(vec![0; 1_000])));
        }
        let (mut at, mut left) = (now, 0);
        while let Some(due) = sender.due() {
            at = at.max(due);
            assert!(sender.pop(at).is_some());
            left += 1;
        }
        assert_eq!(left, 5);
        assert!(at >= now + Duration::from_millis(1));
        let dropped = sender.drop_late(now + Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!((dropped.packets, dropped.bytes), (10, 10_000));
        assert!(sender.is_empty());
    }
}
