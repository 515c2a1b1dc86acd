//! Packets of one source in their order: what UDP delivers out of order, twice, late or not at all.
//!
//! A packet that is the next one passes at once. Behind a gap packets wait for what is missing, for a limited
//! time and in a limited number; then the gap is reported with the first packet behind it. Packets by TCP
//! cannot change their order: [`Reorder::in_order`] passes each at once, and only counts what the sender left
//! out. Read [`Reorder`] and [`Arrival`].

use crate::Header;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that wait behind a gap at most, by default. At 20 Mbit/s a seventh of a second.
pub const DEFAULT_WINDOW: usize = 256;

/// How long packets wait behind a gap at most, by default.
pub const DEFAULT_WAIT: Duration = Duration::from_millis(100);

/// A step back by up to this is a late packet, one by more a sequence that began anew (RFC 3550 appendix A.1,
/// `MAX_MISORDER` there; here as many as there are bits to tell late packets from duplicates).
const MAX_LATE: u16 = 128;

/// A step forwards by up to this is a loss, one by more a sequence that began anew (`MAX_DROPOUT` there).
const MAX_GAP: u16 = 3_000;

/// A packet in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival<T> {
    /// Packets that are missing right before this one.
    pub lost: u16,
    /// The source, or its numbering, is another than that of the packet before: how much is missing is not
    /// known, and its clock has nothing to do with the one before.
    pub restarted: bool,
    /// What was pushed.
    pub packet: T,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReorderCounts {
    /// Packets that were passed on.
    pub passed: u64,
    /// Packets that came before one that belongs in front of them, and were passed on behind it.
    pub reordered: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets that were dropped because they came after they had been given up.
    pub late: u64,
    /// Packets that were dropped because they had come before.
    pub duplicates: u64,
    /// Packets that were dropped because they belong to no sequence: a single one of another source, or far
    /// away.
    pub strays: u64,
    /// Sources, or numberings, that replaced the one before.
    pub restarts: u64,
}

/// Puts packets in order. Push a packet, then pull until there is nothing more; at [`timeout`](Self::timeout)
/// call [`expire`](Self::expire), and pull again.
///
/// `T` is the packet as the caller keeps it. At most the window waits behind gaps, and one more that may begin
/// another sequence; what can be pulled is bounded by what was pushed.
#[derive(Debug)]
pub struct Reorder<T> {
    window: usize,
    wait: Duration,
    current: Option<Sequence>,
    /// Packets behind a gap, by their distance from the next one, which is missing: the first place is always
    /// empty, the last one never.
    waiting: VecDeque<Option<(Instant, T)>>,
    /// A packet that may be the first of another sequence.
    candidate: Option<(u32, u16, T)>,
    ready: VecDeque<Arrival<T>>,
    counts: ReorderCounts,
}

#[derive(Clone, Copy, Debug)]
struct Sequence {
    ssrc: u32,
    /// The number of the packet to pass next.
    next: u16,
    /// Bit `n` says that packet `next - 1 - n` was passed.
    passed: u128,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self::new(DEFAULT_WINDOW, DEFAULT_WAIT)
    }
}

impl<T> Reorder<T> {
    /// With room for `window` packets behind a gap (at most 3,000, 0 for none), which wait for `wait`.
    pub fn new(window: usize, wait: Duration) -> Self {
        Self {
            window: window.min(usize::from(MAX_GAP)),
            wait,
            current: None,
            waiting: VecDeque::new(),
            candidate: None,
            ready: VecDeque::new(),
            counts: ReorderCounts::default(),
        }
    }

    /// For packets that keep their order on the way. No packet is dropped, whatever its number: there are
    /// senders that number packets in ways of their own, and here nothing can be late.
    pub fn in_order() -> Self {
        Self::new(0, Duration::ZERO)
    }

    /// Whether it was made by [`in_order`](Self::in_order).
    pub const fn is_in_order(&self) -> bool {
        self.window == 0
    }

    /// Takes a packet with its header.
    pub fn push(&mut self, now: Instant, header: &Header, packet: T) {
        let (ssrc, number) = (header.ssrc, header.sequence);
        let Some(current) = self.current else {
            self.begin(ssrc, number, packet, false);
            return;
        };
        if self.window == 0 {
            self.pass_in_order(current, ssrc, number, packet);
            return;
        }
        let ahead = number.wrapping_sub(current.next);
        if ssrc != current.ssrc {
            self.suspect(ssrc, number, packet);
        } else if ahead == 0 {
            self.pass(0, packet);
            self.fill();
        } else if usize::from(ahead) < self.window {
            self.hold(now, ahead, packet);
        } else if ahead <= MAX_GAP {
            // No room to wait: what is missing is given up, all that waited with it.
            self.give_up_all();
            let lost = self.distance(number);
            self.pass(lost, packet);
        } else {
            let behind = current.next.wrapping_sub(number);
            if behind > MAX_LATE {
                self.suspect(ssrc, number, packet);
            } else if current.passed >> (behind - 1) & 1 == 1 {
                self.counts.duplicates += 1;
            } else {
                self.counts.late += 1;
            }
        }
    }

    /// The next packet in order.
    pub fn pull(&mut self) -> Option<Arrival<T>> {
        self.ready.pop_front()
    }

    /// When to call [`expire`](Self::expire); none while no packet waits.
    pub fn timeout(&self) -> Option<Instant> {
        let arrivals = self.waiting.iter().flatten().map(|(arrival, _)| *arrival);
        arrivals.min()?.checked_add(self.wait)
    }

    /// Gives up what packets have waited for too long for.
    pub fn expire(&mut self, now: Instant) {
        while self.timeout().is_some_and(|timeout| timeout <= now) {
            self.give_up();
            self.fill();
        }
    }

    /// Passes on all that waits: nothing more will come.
    pub fn flush(&mut self) {
        self.give_up_all();
        self.counts.strays += u64::from(self.candidate.take().is_some());
    }

    /// What happened so far.
    pub const fn counts(&self) -> ReorderCounts {
        self.counts
    }

    fn begin(&mut self, ssrc: u32, number: u16, packet: T, restarted: bool) {
        self.current = Some(Sequence {
            ssrc,
            next: number.wrapping_add(1),
            passed: 1,
        });
        self.counts.restarts += u64::from(restarted);
        self.ready(0, restarted, packet);
    }

    fn pass_in_order(&mut self, current: Sequence, ssrc: u32, number: u16, packet: T) {
        let ahead = number.wrapping_sub(current.next);
        if ssrc != current.ssrc {
            self.begin(ssrc, number, packet, true);
        } else if ahead <= MAX_GAP {
            self.pass(ahead, packet);
        } else {
            // A number from the past cannot be a late packet here: the numbering goes on from it.
            self.current = Some(Sequence {
                next: number.wrapping_add(1),
                ..current
            });
            self.ready(0, false, packet);
        }
    }

    /// Passes the packet `lost` behind the next one.
    fn pass(&mut self, lost: u16, packet: T) {
        if let Some(current) = &mut self.current {
            current.next = current.next.wrapping_add(lost).wrapping_add(1);
            let passed = current.passed.checked_shl(u32::from(lost) + 1);
            current.passed = passed.unwrap_or(0) | 1;
        }
        // The place of the next packet, and of those that are lost, in front of what waits.
        let places = usize::from(lost).saturating_add(1).min(self.waiting.len());
        self.waiting.drain(..places);
        self.counts.lost += u64::from(lost);
        self.ready(lost, false, packet);
    }

    fn ready(&mut self, lost: u16, restarted: bool, packet: T) {
        self.counts.passed += 1;
        self.ready.push_back(Arrival {
            lost,
            restarted,
            packet,
        });
    }

    /// Keeps a packet that is `ahead` of the next one until that comes.
    fn hold(&mut self, now: Instant, ahead: u16, packet: T) {
        let place = usize::from(ahead);
        while self.waiting.len() <= place {
            self.waiting.push_back(None);
        }
        match self.waiting.get_mut(place) {
            Some(free @ None) => *free = Some((now, packet)),
            _ => self.counts.duplicates += 1,
        }
    }

    /// Passes on what waited for the packet that was passed just now.
    fn fill(&mut self) {
        while let Some(Some((_, packet))) = self.waiting.front_mut().map(Option::take) {
            self.counts.reordered += 1;
            self.pass(0, packet);
        }
    }

    /// Gives up the first gap, and passes on the packet behind it.
    fn give_up(&mut self) {
        let Some(place) = self.waiting.iter().position(Option::is_some) else {
            self.waiting.clear();
            return;
        };
        if let Some((_, packet)) = self.waiting.get_mut(place).and_then(Option::take) {
            // Below the window, which is below 2^16.
            self.pass(place as u16, packet);
        }
    }

    fn give_up_all(&mut self) {
        while !self.waiting.is_empty() {
            self.give_up();
        }
    }

    fn distance(&self, number: u16) -> u16 {
        self.current
            .map_or(0, |current| number.wrapping_sub(current.next))
    }

    /// Two packets in a row make a sequence; one alone may be a stray (RFC 3550 appendix A.1, `bad_seq`).
    fn suspect(&mut self, ssrc: u32, number: u16, packet: T) {
        match self.candidate.take() {
            Some((candidate, first, held))
                if candidate == ssrc && first.wrapping_add(1) == number =>
            {
                self.give_up_all();
                self.begin(ssrc, first, held, true);
                self.pass(0, packet);
            }
            previous => {
                self.counts.strays += u64::from(previous.is_some());
                self.candidate = Some((ssrc, number, packet));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header {
            ssrc,
            sequence,
            ..Header::default()
        }
    }

    fn pulled(reorder: &mut Reorder<u16>) -> Vec<(u16, u16)> {
        let arrivals = std::iter::from_fn(|| reorder.pull());
        arrivals
            .map(|arrival| (arrival.lost, arrival.packet))
            .collect()
    }

    /// Pushes packets of one source at once and pulls (lost before, number) after each.
    fn run(reorder: &mut Reorder<u16>, now: Instant, numbers: &[u16]) -> Vec<Vec<(u16, u16)>> {
        let numbers = numbers.iter();
        numbers
            .map(|number| {
                reorder.push(now, &header(1, *number), *number);
                pulled(reorder)
            })
            .collect()
    }

    #[test]
    fn what_is_in_order_passes_at_once() {
        let mut reorder = Reorder::default();
        let found = run(&mut reorder, Instant::now(), &[65_534, 65_535, 0, 1]);
        assert_eq!(
            found,
            [[(0, 65_534)], [(0, 65_535)], [(0, 0)], [(0, 1)]].map(|packets| packets.to_vec())
        );
        assert_eq!(reorder.timeout(), None);
    }

    #[test]
    fn what_is_out_of_order_waits_across_the_wrap() {
        let mut reorder = Reorder::default();
        let found = run(&mut reorder, Instant::now(), &[65_534, 1, 0, 1, 65_535]);
        let all = vec![(0, 65_535), (0, 0), (0, 1)];
        assert_eq!(found, [vec![(0, 65_534)], vec![], vec![], vec![], all]);
        let counts = reorder.counts();
        assert_eq!(
            (counts.reordered, counts.duplicates, counts.lost),
            (2, 1, 0)
        );
    }

    #[test]
    fn a_gap_is_given_up_after_its_time() {
        let mut reorder = Reorder::new(16, Duration::from_millis(100));
        let start = Instant::now();
        let later = |millis| start + Duration::from_millis(millis);
        run(&mut reorder, start, &[10]);
        assert_eq!(run(&mut reorder, later(10), &[13, 14]), [vec![], vec![]]);
        assert_eq!(run(&mut reorder, later(60), &[16]), [vec![]]);
        assert_eq!(reorder.timeout(), Some(later(110)));
        reorder.expire(later(109));
        assert_eq!(pulled(&mut reorder), []);
        reorder.expire(later(110));
        assert_eq!(pulled(&mut reorder), [(2, 13), (0, 14)]);
        assert_eq!(reorder.timeout(), Some(later(160)));
        // What was given up is late, what was passed is a duplicate, what is missing still fits.
        assert_eq!(
            run(&mut reorder, later(120), &[12, 13, 15]),
            [vec![], vec![], vec![(0, 15), (0, 16)]]
        );
        let counts = reorder.counts();
        assert_eq!((counts.lost, counts.late, counts.duplicates), (2, 1, 1));
    }

    #[test]
    fn a_gap_larger_than_the_window_is_given_up_at_once() {
        let mut reorder = Reorder::new(4, Duration::from_secs(1));
        let now = Instant::now();
        run(&mut reorder, now, &[0, 2]);
        assert_eq!(
            run(&mut reorder, now, &[10, 11]),
            [vec![(1, 2), (7, 10)], vec![(0, 11)]]
        );
        assert_eq!(reorder.counts().lost, 8);
        assert_eq!(reorder.timeout(), None);
    }

    #[test]
    fn two_packets_in_a_row_begin_anew_one_is_a_stray() {
        let mut reorder = Reorder::new(8, Duration::from_secs(1));
        let now = Instant::now();
        run(&mut reorder, now, &[100, 102]);
        reorder.push(now, &header(2, 7), 7);
        assert_eq!(
            run(&mut reorder, now, &[40_000, 101]).concat(),
            [(0, 101), (0, 102)]
        );
        reorder.push(now, &header(2, 8), 8);
        reorder.push(now, &header(2, 9), 9);
        let arrival = |restarted, packet| Arrival {
            lost: 0,
            restarted,
            packet,
        };
        assert_eq!(reorder.pull(), Some(arrival(true, 8)));
        assert_eq!(reorder.pull(), Some(arrival(false, 9)));
        // The same with another numbering of one source; what waited goes first.
        reorder.push(now, &header(2, 12), 12);
        reorder.push(now, &header(2, 30_000), 30_000);
        reorder.push(now, &header(2, 30_001), 30_001);
        assert_eq!(pulled(&mut reorder), [(2, 12), (0, 30_000), (0, 30_001)]);
        let counts = reorder.counts();
        assert_eq!((counts.restarts, counts.strays), (2, 2));
    }

    #[test]
    fn in_order_nothing_waits_and_nothing_is_dropped() {
        let mut reorder = Reorder::in_order();
        let now = Instant::now();
        let found = run(&mut reorder, now, &[5, 6, 9, 9, 3, 4, 50_000]);
        let expected = [(0, 5), (0, 6), (2, 9), (0, 9), (0, 3), (0, 4), (0, 50_000)];
        assert_eq!(found.concat(), expected);
        reorder.push(now, &header(2, 1), 1);
        assert!(reorder.pull().is_some_and(|arrival| arrival.restarted));
    }

    #[test]
    fn at_the_end_all_that_waits_passes() {
        let mut reorder = Reorder::default();
        run(&mut reorder, Instant::now(), &[1, 3, 6]);
        reorder.flush();
        assert_eq!(pulled(&mut reorder), [(1, 3), (2, 6)]);
    }

    proptest! {
        /// However packets are delayed, lost and doubled: what comes out is in order, once, with every gap told.
        #[test]
        fn order_is_kept(
            first: u16,
            fates in prop::collection::vec((0u8..20, 0u8..6, prop::bool::weighted(0.1)), 1..300),
        ) {
            let start = Instant::now();
            let mut sent = Vec::new();
            for (index, (fate, delay, twice)) in fates.iter().enumerate() {
                if *fate > 0 || index == 0 {
                    let time = index as u64 * 10 + if index > 0 { u64::from(*delay) * 10 } else { 0 };
                    let number = first.wrapping_add(index as u16);
                    sent.push((time, number));
                    if *twice {
                        sent.push((time + 5, number));
                    }
                }
            }
            sent.sort_by_key(|(time, _)| *time);
            let mut reorder = Reorder::new(16, Duration::from_millis(100));
            let mut next = first;
            let mut passed = 0;
            let mut check = |reorder: &mut Reorder<u16>| {
                for (lost, number) in pulled(reorder) {
                    assert_eq!(number, next.wrapping_add(lost));
                    next = number.wrapping_add(1);
                    passed += 1;
                }
            };
            for (time, number) in &sent {
                let now = start + Duration::from_millis(*time);
                reorder.expire(now);
                check(&mut reorder);
                reorder.push(now, &header(1, *number), *number);
                check(&mut reorder);
                prop_assert!(reorder.timeout().is_none_or(|timeout| timeout > now));
            }
            reorder.flush();
            check(&mut reorder);
            let counts = reorder.counts();
            prop_assert_eq!(counts.passed, passed);
            prop_assert_eq!(counts.strays + counts.restarts, 0);
            sent.sort_unstable_by_key(|(_, number)| number.wrapping_sub(first));
            sent.dedup_by_key(|(_, number)| *number);
            // Behind a loss, a delayed packet may find its place given up for one that the window had no room for.
            prop_assert!(passed == sent.len() as u64 || counts.late > 0 && counts.lost > 1);
        }
    }
}
