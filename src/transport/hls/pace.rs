//! Gives access units out as time goes by, in the order of their times. Those of all renditions count from the same
//! zero; where their times do not go on, a new zero is set for all of them as soon as all have come there, or it is clear
//! that one will not. Times that leap do not go on, whatever the playlist says.

use super::demuxer::Item;
use media::{AccessUnit, Track};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What comes first waits so long for the other rendition.
const WAITED_FOR: Duration = Duration::from_secs(5);

/// What stands behind a break waits for so much of what goes on without one, in microseconds.
const GONE_ON: i64 = 5_000_000;

/// What comes later than this has been waited for: all that follows is later by as much.
const LATE: Duration = Duration::from_millis(300);

/// No stream pauses for so long within a segment: such a step of the decoding times is no step.
const LEAP: i64 = 10_000_000;

/// Distance of the first unit behind a break from the last before it.
const SEAM: Duration = Duration::from_millis(40);

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// A track is declared.
    Track(Track),
    /// A unit's time has come.
    Unit(AccessUnit),
    /// Nothing before then; nothing at all until more comes if there is no time.
    At(Option<Instant>),
}

/// Units that wait for their time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    renditions: Vec<Waiting>,
    /// How many breaks there were before what is given out now.
    breaks: u64,
    /// A time, and the decoding time in microseconds that is given out then.
    base: Option<(Instant, i64)>,
    /// When the last unit was due.
    last: Option<Instant>,
    /// Since when what is there waits for a rendition that has nothing.
    held: Option<Instant>,
    /// The decoding time from which on something goes on while something else stands behind a break.
    parted: Option<i64>,
    /// Nobody watches: units are given out as soon as their order is known.
    is_hurried: bool,
}

/// What of one rendition waits.
#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Placed>,
    /// Breaks so far.
    breaks: u64,
    /// What they take.
    bytes: usize,
    /// Decoding times of the first and of the newest unit behind the last break.
    behind: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Placed {
    item: Item,
    /// Breaks before it.
    breaks: u64,
}

/// What a unit that waits takes, in bytes.
const fn cost(unit: &AccessUnit) -> usize {
    unit.payload.len() + size_of::<Placed>()
}

impl Waiting {
    /// What follows does not go on.
    const fn break_off(&mut self) {
        self.breaks += 1;
        self.behind = None;
    }
}

impl Pace {
    /// With time, or without for who copies a stream once.
    pub(super) fn new(is_hurried: bool) -> Self {
        Self {
            is_hurried,
            ..Self::default()
        }
    }

    /// How many renditions there are.
    pub(super) fn set_renditions(&mut self, count: usize) {
        if self.renditions.len() < count {
            self.renditions.resize_with(count, Waiting::default);
        }
    }

    /// Something of a rendition, in its order.
    pub(super) fn push(&mut self, rendition: usize, item: Item) {
        self.set_renditions(rendition + 1);
        let Some(waiting) = self.renditions.get_mut(rendition) else {
            return;
        };
        match &item {
            Item::Break => return waiting.break_off(),
            Item::Track(_) => {}
            Item::Unit(unit, dts) => {
                let leaps = |newest: i64| newest.saturating_sub(*dts).saturating_abs() > LEAP;
                if waiting.behind.is_some_and(|(_, newest)| leaps(newest)) {
                    waiting.break_off();
                }
                waiting.bytes = waiting.bytes.saturating_add(cost(unit));
                let first = waiting.behind.map_or(*dts, |(first, _)| first);
                waiting.behind = Some((first, *dts));
            }
        }
        let breaks = waiting.breaks;
        waiting.items.push_back(Placed { item, breaks });
    }

    /// How much of a rendition waits: its length and its bytes.
    pub(super) fn ahead(&self, rendition: usize) -> (Duration, usize) {
        let Some(waiting) = self.renditions.get(rendition) else {
            return (Duration::ZERO, 0);
        };
        let behind_break = waiting
            .items
            .back()
            .is_some_and(|last| last.breaks > self.breaks);
        let first = if behind_break {
            waiting.behind.map(|(first, _)| first)
        } else {
            waiting.items.iter().find_map(|placed| match placed.item {
                Item::Unit(_, dts) => Some(dts),
                _ => None,
            })
        };
        let newest = waiting.behind.map(|(_, newest)| newest).or(first);
        let newest = newest.unwrap_or_default();
        let length = first.map_or(0, |first| newest.saturating_sub(first).max(0));
        (Duration::from_micros(length.unsigned_abs()), waiting.bytes)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.renditions
            .iter()
            .all(|waiting| waiting.items.is_empty())
    }

    /// What is to be done now. At the end nobody is waited for.
    pub(super) fn poll(&mut self, now: Instant, is_over: bool) -> Next {
        // Tracks stand in front of their units.
        for waiting in &mut self.renditions {
            if let Some(Placed {
                item: Item::Track(_),
                breaks,
            }) = waiting.items.front()
                && *breaks <= self.breaks
                && let Some(Placed {
                    item: Item::Track(track),
                    ..
                }) = waiting.items.pop_front()
            {
                return Next::Track(track);
            }
        }
        let Some((rendition, dts)) = self.first() else {
            return self.behind_break(now, is_over);
        };
        // Each begins with what all have. Without time, nothing else tells which unit is the next.
        if (self.base.is_none() || self.is_hurried)
            && !is_over
            && self.is_held(now, |waiting| waiting.items.is_empty())
        {
            return Next::At(self.held.map(|held| held + WAITED_FOR));
        }
        if self.is_hurried {
            self.base = Some((now, dts));
        }
        let (zero, from) = *self.base.get_or_insert_with(|| {
            let seam = self.last.map(|last| last + SEAM);
            (seam.map_or(now, |seam| seam.max(now)), dts)
        });
        let distance = Duration::from_micros(dts.saturating_sub(from).unsigned_abs());
        let due = if dts >= from { zero + distance } else { zero };
        if due > now {
            return Next::At(Some(due));
        }
        if now.saturating_duration_since(due) > LATE {
            self.base = Some((zero + now.saturating_duration_since(due), from));
        }
        if self.let_go(dts) {
            return self.poll(now, is_over);
        }
        self.last = Some(due);
        self.give(rendition)
    }

    /// Gives out the first that waits of a rendition.
    fn give(&mut self, rendition: usize) -> Next {
        let waiting = self.renditions.get_mut(rendition);
        match waiting.and_then(|waiting| {
            let placed = waiting.items.pop_front()?;
            if let Item::Unit(unit, _) = &placed.item {
                waiting.bytes = waiting.bytes.saturating_sub(cost(unit));
            }
            Some(placed.item)
        }) {
            Some(Item::Unit(unit, _)) => Next::Unit(unit),
            Some(Item::Track(track)) => Next::Track(track),
            Some(Item::Break) | None => Next::At(None),
        }
    }

    /// The rendition whose first unit comes first, and the time of that.
    fn first(&self) -> Option<(usize, i64)> {
        let heads = self
            .renditions
            .iter()
            .enumerate()
            .filter_map(|(number, waiting)| {
                let placed = waiting.items.front()?;
                match placed.item {
                    Item::Unit(_, dts) if placed.breaks <= self.breaks => Some((number, dts)),
                    _ => None,
                }
            });
        heads.min_by_key(|(_, dts)| *dts)
    }

    /// All that goes on is given out. What stands behind a break follows when all have come to it.
    fn behind_break(&mut self, now: Instant, is_over: bool) -> Next {
        let heads = self
            .renditions
            .iter()
            .filter_map(|waiting| waiting.items.front());
        let Some(next) = heads.map(|placed| placed.breaks).min() else {
            self.held = None;
            return Next::At(None);
        };
        if !is_over
            && self.is_held(now, |waiting| {
                waiting.items.is_empty() && waiting.breaks < next
            })
        {
            return Next::At(self.held.map(|held| held + WAITED_FOR));
        }
        (self.breaks, self.base, self.parted) = (next, None, None);
        self.poll(now, is_over)
    }

    /// What stands behind a break is let go where the other has gone on for long without one, up to that time. Whether it
    /// was now: then the other is taken to have had it, or those that are to come would not be counted alike.
    fn let_go(&mut self, dts: i64) -> bool {
        let heads = self
            .renditions
            .iter()
            .filter_map(|waiting| waiting.items.front());
        let breaks = heads.map(|placed| placed.breaks);
        let next = breaks.filter(|breaks| *breaks > self.breaks).min();
        // One whose break has come will be there soon.
        let goes_on = |waiting: &Waiting, next| !waiting.items.is_empty() && waiting.breaks < next;
        let Some(next) = next.filter(|next| {
            let mut all = self.renditions.iter();
            all.any(|waiting| goes_on(waiting, *next))
        }) else {
            self.parted = None;
            return false;
        };
        let from = *self.parted.get_or_insert(dts);
        if dts.saturating_sub(from) < GONE_ON {
            return false;
        }
        for waiting in &mut self.renditions {
            if goes_on(waiting, next) {
                waiting.breaks = next;
            }
        }
        (self.breaks, self.base, self.parted) = (next, None, None);
        true
    }

    /// Whether a rendition is waited for, which is not for ever.
    fn is_held(&mut self, now: Instant, lacks: impl Fn(&Waiting) -> bool) -> bool {
        if self.renditions.iter().any(lacks) {
            let held = *self.held.get_or_insert(now);
            now.saturating_duration_since(held) < WAITED_FOR
        } else {
            self.held = None;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::TrackId;

    fn unit(dts: i64) -> Item {
        let unit = AccessUnit {
            track: TrackId(0),
            dts,
            pts: dts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(&[0; 10]),
        };
        Item::Unit(unit, dts * 1_000)
    }

    /// Lets time go by; what came when, in milliseconds since the beginning.
    fn run(pace: &mut Pace, begun: Instant, until: u64) -> Vec<(u64, i64)> {
        let mut now = begun;
        let mut given = Vec::new();
        loop {
            match pace.poll(now, false) {
                Next::Unit(unit) => given.push(((now - begun).as_millis() as u64, unit.dts)),
                Next::Track(_) => {}
                Next::At(Some(due)) if due <= begun + Duration::from_millis(until) => now = due,
                Next::At(_) => return given,
            }
        }
    }

    #[test]
    fn units_come_in_the_order_and_at_the_distance_of_their_times() {
        let mut pace = Pace::default();
        pace.set_renditions(2);
        let begun = Instant::now();
        for dts in [90_000, 90_040, 90_080] {
            pace.push(0, unit(dts));
        }
        assert_eq!(
            pace.ahead(0),
            (Duration::from_millis(80), 30 + 3 * size_of::<Placed>())
        );
        // The sound is waited for, but not for ever.
        assert_eq!(run(&mut pace, begun, 4_000), []);
        for dts in [90_010, 90_050] {
            pace.push(1, unit(dts));
        }
        let expected = [
            (0, 90_000),
            (10, 90_010),
            (40, 90_040),
            (50, 90_050),
            (80, 90_080),
        ];
        assert_eq!(run(&mut pace, begun, 4_000), expected);
        assert!(pace.is_empty());
    }

    #[test]
    fn who_is_late_makes_all_that_follows_late() {
        let mut pace = Pace::default();
        pace.set_renditions(1);
        let begun = Instant::now();
        pace.push(0, unit(0));
        assert_eq!(run(&mut pace, begun, 1_000), [(0, 0)]);
        let later = begun + Duration::from_secs(3);
        for dts in [1_000, 1_040] {
            pace.push(0, unit(dts));
        }
        assert_eq!(run(&mut pace, later, 1_000), [(0, 1_000), (40, 1_040)]);
    }

    #[test]
    fn behind_a_break_all_begin_together() {
        let mut pace = Pace::default();
        pace.set_renditions(2);
        let begun = Instant::now();
        pace.push(0, unit(1_000));
        pace.push(1, unit(1_000));
        pace.push(0, Item::Break);
        pace.push(0, unit(50));
        pace.push(1, unit(1_020));
        assert_eq!(
            run(&mut pace, begun, 2_000),
            [(0, 1_000), (0, 1_000), (20, 1_020)]
        );
        pace.push(1, Item::Break);
        pace.push(1, unit(60));
        assert_eq!(run(&mut pace, begun, 2_000), [(60, 50), (70, 60)]);
    }

    #[test]
    fn what_stands_behind_a_break_does_not_wait_for_ever_for_what_goes_on() {
        let mut pace = Pace::default();
        pace.set_renditions(2);
        let begun = Instant::now();
        pace.push(0, unit(0));
        pace.push(0, Item::Break);
        pace.push(0, unit(20_000));
        for dts in (0..30_000).step_by(1_000) {
            pace.push(1, unit(dts));
        }
        let given = run(&mut pace, begun, 10_000);
        let sound = (0..=10_000_i64).step_by(1_000).map(|dts| (dts as u64, dts));
        assert_eq!(given, [(0, 0)].into_iter().chain(sound).collect::<Vec<_>>());
        // Of what goes on no more is waiting than before.
        assert_eq!(pace.ahead(1).0, Duration::from_secs(18));
        let given = run(&mut pace, begun, 25_000);
        assert!(given.contains(&(20_000, 20_000)), "{given:?}");
        assert_eq!(
            run(&mut pace, begun, 30_000).last(),
            Some(&(29_000, 29_000))
        );
        // A break that both have is one of both again.
        for (rendition, dts) in [(0, 50), (1, 60)] {
            pace.push(rendition, Item::Break);
            pace.push(rendition, unit(dts));
        }
        assert_eq!(run(&mut pace, begun, 30_000), [(29_040, 50), (29_050, 60)]);
    }

    #[test]
    fn who_hurries_waits_for_a_break_by_the_times_of_what_goes_on() {
        let mut pace = Pace::new(true);
        pace.set_renditions(2);
        let begun = Instant::now();
        pace.push(0, Item::Break);
        pace.push(0, unit(20_000));
        for dts in (0..30_000).step_by(1_000) {
            pace.push(1, unit(dts));
        }
        let given: Vec<i64> = run(&mut pace, begun, 0)
            .iter()
            .map(|(_, dts)| *dts)
            .collect();
        let at = given.iter().position(|dts| *dts == 20_000);
        assert_eq!((at, given.len()), (Some(20), 21));
    }

    #[test]
    fn times_that_leap_do_not_go_on() {
        let mut pace = Pace::default();
        pace.set_renditions(1);
        let begun = Instant::now();
        for dts in [500, 540, 86_400_000, 86_400_040, 20, 60] {
            pace.push(0, unit(dts));
        }
        assert_eq!(pace.ahead(0).0, Duration::from_millis(40));
        let expected = [
            (0, 500),
            (40, 540),
            (80, 86_400_000),
            (120, 86_400_040),
            (160, 20),
            (200, 60),
        ];
        assert_eq!(run(&mut pace, begun, 1_000), expected);
    }

    /// Who is behind a leap is asked after each unit: that must not take longer the more units are in front of it.
    #[test]
    fn what_is_behind_a_leap_is_known_without_looking_for_it() {
        let mut pace = Pace::default();
        for number in 0..200_000 {
            pace.push(0, unit(number));
        }
        for dts in [86_400_000, 86_400_700] {
            pace.push(0, unit(dts));
        }
        for _ in 0..200_000 {
            assert_eq!(pace.ahead(0).0, Duration::from_millis(700));
        }
        assert!(pace.ahead(0).1 >= 200_000 * size_of::<Placed>());
    }

    #[test]
    fn without_time_the_order_is_kept() {
        let mut pace = Pace::new(true);
        pace.set_renditions(2);
        let begun = Instant::now();
        for dts in [0, 4_000, 8_000] {
            pace.push(0, unit(dts));
        }
        pace.push(1, unit(2_000));
        assert_eq!(run(&mut pace, begun, 0), [(0, 0), (0, 2_000)]);
        pace.push(1, unit(6_000));
        assert_eq!(run(&mut pace, begun, 0), [(0, 4_000), (0, 6_000)]);
        assert!(matches!(pace.poll(begun, true), Next::Unit(unit) if unit.dts == 8_000));
        assert!(pace.is_empty());
    }
}
