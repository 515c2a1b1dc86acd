//! The bounded memory of a stream, and the one rule for readers that fall behind.
//!
//! A [`Ring`] keeps the newest entries of a stream; each reader is a [`Cursor`] into it. Nothing a reader
//! does or fails to do touches the ring: entries leave it by age and size alone. A reader that has fallen
//! behind its bounds, or whose place is gone, continues at the newest random access point.
//!
//! Where there is none, a reader waits for one, though not for ever: a stream that has been without for
//! [`PATIENCE`] may never have another, and is read from the newest picture.
//!
//! The hub uses it for access units, the fan-out for the packets made of them: one rule for both.

use super::TrackSet;
use media::{AccessUnit, Track, TrackId};
use std::collections::VecDeque;
use std::time::Duration;

/// A stream that has had no random access point for so long is read from any picture.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What an entry is to a reader that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A reader can start here.
    Start,
    /// Shown before the random access point that it follows: who started there may not be able to decode it.
    Leading,
    /// Another picture, or sound where there are no pictures.
    Follower,
    /// Of a track that goes along with the leading one: sound or other pictures beside pictures, data beside either.
    Aside,
}

/// Tells the roles of a stream's access units, which come in order.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Track and presentation time of the newest random access point.
    start: Option<(TrackId, i64)>,
}

impl Roles {
    /// The role of the next access unit of a stream with these tracks.
    pub fn of(&mut self, unit: &AccessUnit, tracks: &TrackSet) -> Role {
        if tracks.lead().is_none_or(|lead| lead.id != unit.track) {
            return Role::Aside;
        }
        if unit.random_access {
            self.start = Some((unit.track, unit.pts));
            return Role::Start;
        }
        match self.start {
            Some((track, pts)) if track == unit.track && unit.pts < pts => Role::Leading,
            _ => Role::Follower,
        }
    }
}

/// Tells what the tracks take that entries are kept with: they count with the first entry of each generation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    generation: Option<u64>,
}

impl Weights {
    /// Bytes that the next entry takes for its tracks.
    pub fn of(&mut self, tracks: &TrackSet) -> usize {
        match self.generation.replace(tracks.generation) {
            Some(known) if known == tracks.generation => 0,
            _ => tracks.tracks.iter().map(Track::memory).sum(),
        }
    }
}

/// What a ring has to know of an entry.
pub trait Entry {
    /// Memory that the entry keeps, in bytes.
    fn bytes(&self) -> usize;
    /// Media time, in microseconds on the stream's one axis.
    fn time(&self) -> i64;
    /// What it is to a reader that begins.
    fn role(&self) -> Role;
}

/// How much a ring keeps and how far a reader may fall behind.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes the ring keeps, whatever the GOP.
    pub ring_bytes: usize,
    /// Bytes a reader may be behind the newest entry.
    pub reader_bytes: usize,
    /// Media time a reader may be behind the newest entry. Entries that old leave the ring, except for the
    /// current GOP.
    pub reader_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            ring_bytes: 32 << 20,
            reader_bytes: 16 << 20,
            reader_time: Duration::from_secs(5),
        }
    }
}

/// A reader's place.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// Number of the entry to read next.
    next: u64,
    phase: Phase,
    /// Bytes of all entries before this place, and the media time there: for what a skip has cost.
    bytes_before: u64,
    micros: i64,
}

impl Cursor {
    /// Bytes of all entries before this place.
    pub const fn bytes_before(&self) -> u64 {
        self.bytes_before
    }
}

/// How far a reader has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything up to the next random access point is passed over.
    AwaitsStart,
    /// It has started at a random access point: leading pictures are passed over.
    Started,
    /// It gets everything.
    Follows,
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        (self.next, self.phase) == (other.next, other.phase)
    }
}

/// What a cursor finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a, T> {
    /// The next entry; the cursor has moved behind it.
    Entry(&'a T),
    /// The reader was too far behind and has been moved to a random access point.
    Skipped(Skip),
    /// The reader has everything.
    UpToDate,
}

/// What a reader that fell behind has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Entries not read.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Media time between the entry read last and the next.
    pub time: Duration,
    /// Which bound it was.
    pub cause: SkipCause,
}

/// Which bound a reader exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipCause {
    /// More bytes behind than [`Bounds::reader_bytes`].
    Bytes,
    /// More media time behind than [`Bounds::reader_time`].
    Time,
    /// The entry had left the ring.
    Evicted,
    /// The network takes less than the stream has.
    Network,
}

impl SkipCause {
    /// For metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Evicted => "evicted",
            Self::Network => "network",
        }
    }

    /// For logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "too many bytes behind",
            Self::Time => "too long behind",
            Self::Evicted => "its place left the memory of the stream",
            Self::Network => "its network takes less than the stream has",
        }
    }
}

/// The newest entries of a stream.
#[derive(Debug)]
pub struct Ring<T> {
    slots: VecDeque<Slot<T>>,
    /// Number of the entry at the front; grows by one for each entry that leaves.
    first: u64,
    /// Number of the newest random access point, while it is in the ring.
    start: Option<u64>,
    /// Media time of the newest random access point, or of the first entry; none before that.
    start_micros: Option<i64>,
    /// Bytes of all entries ever pushed.
    pushed_bytes: u64,
    bounds: Bounds,
}

#[derive(Debug)]
struct Slot<T> {
    entry: T,
    /// Bytes of all entries before this one.
    bytes_before: u64,
}

impl<T: Entry> Ring<T> {
    /// An empty ring.
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            start: None,
            start_micros: None,
            pushed_bytes: 0,
            bounds,
        }
    }

    /// Adds the newest entry and lets go of those that are no longer needed.
    pub fn push(&mut self, entry: T) {
        if entry.role() == Role::Start {
            self.start = Some(self.end_number());
            self.start_micros = Some(entry.time());
        }
        let time = entry.time();
        self.start_micros.get_or_insert(time);
        let bytes = entry.bytes() as u64;
        self.slots.push_back(Slot {
            entry,
            bytes_before: self.pushed_bytes,
        });
        self.pushed_bytes += bytes;
        self.evict();
    }

    /// A cursor at the newest random access point; where there is none, behind the newest entry, waiting for one.
    pub fn start(&self) -> Cursor {
        let number = self.start.unwrap_or_else(|| self.end_number());
        self.cursor(number, Phase::AwaitsStart)
    }

    /// A cursor at the oldest entry, from which everything is read.
    pub fn oldest(&self) -> Cursor {
        self.cursor(self.first, Phase::Follows)
    }

    /// A cursor behind the newest entry.
    pub fn end(&self) -> Cursor {
        self.cursor(self.end_number(), Phase::Follows)
    }

    /// What is next for `cursor`, which moves.
    pub fn next(&self, cursor: &mut Cursor) -> Step<'_, T> {
        if let Some(skip) = self.skip(cursor) {
            return Step::Skipped(skip);
        }
        while let Some(slot) = self.slot(cursor.next) {
            let entry = &slot.entry;
            let (phase, wanted) = match (cursor.phase, entry.role()) {
                (Phase::AwaitsStart, Role::Start) => (Phase::Started, true),
                (Phase::AwaitsStart, _) if self.has_no_start_at(entry) => (Phase::Follows, true),
                (Phase::Started, Role::Leading) | (Phase::AwaitsStart, _) => (cursor.phase, false),
                (Phase::Started, Role::Aside) => (Phase::Started, true),
                (Phase::Started | Phase::Follows, _) => (Phase::Follows, true),
            };
            *cursor = Cursor {
                next: cursor.next + 1,
                phase,
                bytes_before: slot.bytes_before + entry.bytes() as u64,
                micros: entry.time(),
            };
            if wanted {
                return Step::Entry(entry);
            }
        }
        Step::UpToDate
    }

    /// The stream has been without a random access point for so long that none is waited for.
    fn has_no_start_at(&self, entry: &T) -> bool {
        let since = self.start_micros.unwrap_or_else(|| entry.time());
        entry.time().saturating_sub(since) > micros(PATIENCE)
    }

    /// Whether a reader that begins now finds a random access point.
    pub const fn has_start(&self) -> bool {
        self.start.is_some()
    }

    /// Bytes of all entries ever added.
    pub const fn pushed_bytes(&self) -> u64 {
        self.pushed_bytes
    }

    /// Takes all entries out. Cursors made before have no place any more.
    pub fn drain(&mut self) -> Vec<T> {
        self.first = self.end_number();
        self.start = None;
        self.slots.drain(..).map(|slot| slot.entry).collect()
    }

    /// Media time from the oldest to the newest entry, in microseconds.
    pub fn span_micros(&self) -> i64 {
        match (self.slots.front(), self.slots.back()) {
            (Some(front), Some(back)) => back.entry.time().saturating_sub(front.entry.time()),
            _ => 0,
        }
    }

    /// Media time from a place to the newest entry.
    pub fn behind(&self, cursor: &Cursor) -> Duration {
        let newest = self.newest().map_or(cursor.micros, Entry::time);
        let behind = newest.saturating_sub(cursor.micros);
        Duration::from_micros(u64::try_from(behind).unwrap_or(0))
    }

    /// The newest entry.
    pub fn newest(&self) -> Option<&T> {
        self.slots.back().map(|slot| &slot.entry)
    }

    /// Bytes kept.
    pub fn bytes(&self) -> usize {
        let before = self
            .slots
            .front()
            .map_or(self.pushed_bytes, |slot| slot.bytes_before);
        (self.pushed_bytes - before) as usize
    }

    /// Number of entries kept.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Moves a cursor that is behind its bounds: to a newer random access point, or where there is none and its
    /// place is gone, behind the newest entry.
    fn skip(&self, cursor: &mut Cursor) -> Option<Skip> {
        let from = cursor.next;
        let cause = match self.slot(from) {
            Some(slot) => {
                let newest = self.slots.back().map_or(0, |slot| slot.entry.time());
                let behind = newest.saturating_sub(slot.entry.time());
                if self.pushed_bytes - slot.bytes_before > self.bounds.reader_bytes as u64 {
                    SkipCause::Bytes
                } else if behind > micros(self.bounds.reader_time) {
                    SkipCause::Time
                } else {
                    return None;
                }
            }
            None if from < self.first => SkipCause::Evicted,
            None => return None,
        };
        let to = match self.start.filter(|start| *start > from) {
            Some(start) => start,
            None if cause == SkipCause::Evicted => self.end_number(),
            None => return None,
        };
        let before = std::mem::replace(cursor, self.cursor(to, Phase::AwaitsStart));
        let time = cursor.micros.saturating_sub(before.micros);
        Some(Skip {
            entries: to - from,
            bytes: cursor.bytes_before.saturating_sub(before.bytes_before),
            time: Duration::from_micros(u64::try_from(time).unwrap_or(0)),
            cause,
        })
    }

    fn cursor(&self, number: u64, phase: Phase) -> Cursor {
        let (bytes_before, micros) = match (self.slot(number), self.slots.back()) {
            (Some(slot), _) => (slot.bytes_before, slot.entry.time()),
            (None, Some(last)) => (self.pushed_bytes, last.entry.time()),
            (None, None) => (self.pushed_bytes, 0),
        };
        Cursor {
            next: number,
            phase,
            bytes_before,
            micros,
        }
    }

    fn slot(&self, number: u64) -> Option<&Slot<T>> {
        self.slots
            .get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Number that the next entry will have.
    fn end_number(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    fn evict(&mut self) {
        let newest = self.slots.back().map_or(0, |slot| slot.entry.time());
        let oldest_kept = newest.saturating_sub(micros(self.bounds.reader_time));
        let current_gop = self.start.unwrap_or_else(|| self.end_number());
        while let Some(front) = self.slots.front() {
            let outdated = self.first < current_gop && front.entry.time() < oldest_kept;
            let too_much = self.bytes() > self.bounds.ring_bytes && self.slots.len() > 1;
            if !outdated && !too_much {
                return;
            }
            if self.start == Some(self.first) {
                self.start = None;
            }
            self.slots.pop_front();
            self.first += 1;
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Role::{Aside, Follower, Leading, Start};
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Unit {
        number: u64,
        bytes: usize,
        role: Role,
    }

    /// 100 ms per entry.
    impl Entry for Unit {
        fn bytes(&self) -> usize {
            self.bytes
        }
        fn time(&self) -> i64 {
            self.number as i64 * 100_000
        }
        fn role(&self) -> Role {
            self.role
        }
    }

    fn bounds(ring_bytes: usize, reader_bytes: usize, seconds: u64) -> Bounds {
        Bounds {
            ring_bytes,
            reader_bytes,
            reader_time: Duration::from_secs(seconds),
        }
    }

    /// A ring with entries `0..count` of 10 bytes, a random access point every `gop` (never for 0).
    fn ring(bounds: Bounds, count: u64, gop: u64) -> Ring<Unit> {
        let mut ring = Ring::new(bounds);
        (0..count).for_each(|number| push(&mut ring, number, gop));
        ring
    }

    fn push(ring: &mut Ring<Unit>, number: u64, gop: u64) {
        ring.push(Unit {
            number,
            bytes: 10,
            role: if gop > 0 && number.is_multiple_of(gop) {
                Start
            } else {
                Follower
            },
        });
    }

    fn read(ring: &Ring<Unit>, cursor: &mut Cursor) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Step::Entry(unit) = ring.next(cursor) {
            numbers.push(unit.number);
        }
        numbers
    }

    #[test]
    fn a_reader_starts_at_the_newest_random_access_point() {
        let ring = ring(bounds(10_000, 10_000, 60), 25, 10);
        let mut cursor = ring.start();
        assert_eq!(read(&ring, &mut cursor), [20, 21, 22, 23, 24]);
        assert_eq!(ring.next(&mut cursor), Step::UpToDate);
    }

    #[test]
    fn without_random_access_points_a_reader_starts_all_the_same() {
        let mut ring = ring(bounds(10_000, 10_000, 60), 5, 0);
        let mut cursor = ring.start();
        (5..51).for_each(|number| push(&mut ring, number, 0));
        assert!(read(&ring, &mut cursor).is_empty());
        (51..53).for_each(|number| push(&mut ring, number, 0));
        assert_eq!(read(&ring, &mut cursor), [51, 52]);
        // The next one need not find that out again.
        let mut late = ring.start();
        push(&mut ring, 53, 0);
        assert_eq!(read(&ring, &mut late), [53]);
        // A late random access point is taken, and takes patience back.
        push(&mut ring, 54, 54);
        assert_eq!(read(&ring, &mut ring.start()), [54]);
    }

    #[test]
    fn a_stream_whose_gop_never_ends_stays_in_its_bounds_and_is_read_from_the_newest_picture() {
        let mut ring = ring(bounds(200, 10_000, 60), 1, 1_000_000);
        let mut watching = ring.start();
        for number in 1..1_000 {
            push(&mut ring, number, 1_000_000);
            assert!(ring.bytes() <= 200);
            assert!(!read(&ring, &mut watching).is_empty(), "{number}");
        }
        let mut late = ring.start();
        let mut slow = ring.start();
        push(&mut ring, 1_000, 1_000_000);
        assert_eq!(read(&ring, &mut late), [1_000]);
        (1_001..1_100).for_each(|number| push(&mut ring, number, 1_000_000));
        let Step::Skipped(skip) = ring.next(&mut slow) else {
            panic!("not skipped");
        };
        assert_eq!((skip.entries, skip.bytes), (100, 1_000));
        assert_eq!(skip.time, Duration::from_secs(10));
        push(&mut ring, 1_100, 1_000_000);
        assert_eq!(read(&ring, &mut slow), [1_100]);
    }

    #[test]
    fn leading_pictures_are_for_those_who_have_what_comes_before() {
        let mut ring = Ring::new(bounds(10_000, 10_000, 60));
        let mut watching = ring.start();
        let roles = [
            Start, Follower, Start, Leading, Aside, Leading, Follower, Leading, Start, Leading,
        ];
        for (number, role) in (0..).zip(roles) {
            ring.push(Unit {
                number,
                bytes: 10,
                role,
            });
            if number == 6 {
                let mut joiner = ring.start();
                // Sound is kept; a late leading picture cannot be one of this random access point.
                assert_eq!(read(&ring, &mut joiner), [2, 4, 6]);
            }
        }
        assert_eq!(read(&ring, &mut watching), (0..10).collect::<Vec<_>>());
        assert_eq!(read(&ring, &mut ring.start()), [8]);
    }

    #[test]
    fn a_reader_behind_in_time_skips_to_the_newest_random_access_point() {
        let mut ring = ring(bounds(10_000, 10_000, 1), 1, 10);
        let mut cursor = ring.start();
        (1..25).for_each(|number| push(&mut ring, number, 10));
        assert_eq!(
            ring.next(&mut cursor),
            Step::Skipped(Skip {
                entries: 20,
                bytes: 200,
                time: Duration::from_secs(2),
                cause: SkipCause::Evicted
            })
        );
        assert_eq!(read(&ring, &mut cursor), [20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_reader_behind_in_bytes_skips_too() {
        let mut ring = ring(bounds(10_000, 55, 60), 1, 10);
        let mut cursor = ring.start();
        (1..12).for_each(|number| push(&mut ring, number, 10));
        assert_eq!(
            ring.next(&mut cursor),
            Step::Skipped(Skip {
                entries: 10,
                bytes: 100,
                time: Duration::from_secs(1),
                cause: SkipCause::Bytes
            })
        );
        assert_eq!(read(&ring, &mut cursor), [10, 11]);
    }

    #[test]
    fn a_joiner_in_a_gop_longer_than_its_bounds_is_not_skipped() {
        let ring = ring(bounds(10_000, 50, 1), 40, 100);
        let mut cursor = ring.start();
        assert_eq!(read(&ring, &mut cursor), (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn the_current_gop_outlives_the_time_bound_but_not_the_bytes() {
        assert_eq!(ring(bounds(10_000, 10_000, 1), 50, 100).len(), 50);
        let full = ring(bounds(200, 10_000, 1), 50, 100);
        // Once its start is gone, the rest is worth no more than any past.
        assert_eq!((full.len(), full.bytes()), (11, 110));
    }

    #[test]
    fn a_reader_whose_gop_was_evicted_waits_for_the_next() {
        let mut ring = ring(bounds(100, 10_000, 60), 1, 30);
        let mut cursor = ring.start();
        (1..25).for_each(|number| push(&mut ring, number, 30));
        assert!(matches!(
            ring.next(&mut cursor),
            Step::Skipped(Skip {
                cause: SkipCause::Evicted,
                ..
            })
        ));
        assert_eq!(ring.next(&mut cursor), Step::UpToDate);
        (25..32).for_each(|number| push(&mut ring, number, 30));
        assert_eq!(read(&ring, &mut cursor), [30, 31]);
    }

    #[test]
    fn one_huge_entry_is_kept() {
        let mut ring = Ring::new(bounds(100, 100, 1));
        ring.push(Unit {
            number: 0,
            bytes: 1_000,
            role: Start,
        });
        assert_eq!(ring.len(), 1);
    }
}
