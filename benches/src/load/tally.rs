//! What the readers of a process have received, and what they have missed.

use crate::clock;
use crate::error::Error;
use crate::signal::{PICTURE_RATE, Stamp, Unit};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the load tells the benchmark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Received while it was measured, by TCP or UDP and above.
    pub bytes: u64,
    /// RTP packets received, from the first.
    pub packets: u64,
    /// RTP packets that are missing between others.
    pub holes: u64,
    /// RTP packets of sound received while it was measured.
    pub sound: u64,
    /// Access units that some reader should have got after its first and did not, or not yet.
    pub missing: u64,
    /// Access units that came again or late.
    pub repeated: u64,
    /// Readers whose connection failed or ended.
    pub lost: u64,
    /// Why the first of them.
    pub error: Option<String>,
    /// Of each reader that got one: from connecting to its first random access point, in µs.
    pub first_pictures: Vec<u32>,
    /// Of each random access point received while it was measured: from being sent, in µs.
    pub delays: Vec<u32>,
}

/// Counts for all readers of a process.
#[derive(Debug, Default)]
pub(super) struct Tally {
    measuring: Cell<bool>,
    bytes: Cell<u64>,
    packets: Cell<u64>,
    holes: Cell<u64>,
    sound: Cell<u64>,
    lost: Cell<u64>,
    error: RefCell<Option<String>>,
    first_pictures: RefCell<Vec<u32>>,
    delays: RefCell<Vec<u32>>,
    readers: RefCell<Vec<Rc<Progress>>>,
}

/// How far one reader is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pictures: Sequence,
    frames: Sequence,
}

/// Numbers that should come one after the other.
#[derive(Debug, Default)]
struct Sequence {
    /// The number that should come next.
    next: Cell<Option<u64>>,
    missing: Cell<u64>,
    repeated: Cell<u64>,
}

impl Sequence {
    fn take(&self, number: u64) {
        let expected = self.next.get().unwrap_or(number);
        if number < expected {
            self.repeated.set(self.repeated.get() + 1);
            return;
        }
        self.missing.set(self.missing.get() + (number - expected));
        self.next.set(Some(number + 1));
    }
}

impl Tally {
    /// A new reader.
    pub(super) fn reader(&self) -> Rc<Progress> {
        let progress = Rc::new(Progress::default());
        self.readers.borrow_mut().push(progress.clone());
        progress
    }

    /// Bytes arrived.
    pub(super) fn bytes(&self, count: usize) {
        self.bytes.set(self.bytes.get() + count as u64);
    }

    /// An RTP packet arrived, and showed that others had not.
    pub(super) fn packet(&self, holes: u64, sound: bool) {
        self.packets.set(self.packets.get() + 1);
        self.holes.set(self.holes.get() + holes);
        self.sound.set(self.sound.get() + u64::from(sound));
    }

    /// A reader has all of an access unit.
    pub(super) fn unit(&self, reader: &Progress, stamp: &Stamp) {
        match stamp.unit {
            Unit::Audio => reader.frames.take(stamp.number),
            _ => reader.pictures.take(stamp.number),
        }
        if stamp.unit == Unit::RandomAccess && self.measuring.get() {
            self.delays.borrow_mut().push(micros_since(stamp.sent));
        }
    }

    /// A reader that began to connect at `connecting` has its first picture.
    pub(super) fn first_picture(&self, connecting: u64) {
        self.first_pictures
            .borrow_mut()
            .push(micros_since(connecting));
    }

    /// A reader has ended.
    pub(super) fn lost(&self, error: &Error) {
        self.lost.set(self.lost.get() + 1);
        self.error
            .borrow_mut()
            .get_or_insert_with(|| error.to_string());
    }

    /// The measurement begins.
    pub(super) fn begin(&self) {
        self.bytes.set(0);
        self.sound.set(0);
        self.measuring.set(true);
    }

    /// All of it. Access units that the newest reader got more than `patience` seconds before those that
    /// another one got last count as missing there.
    pub(super) fn report(&self, patience: u64) -> Report {
        let readers = self.readers.borrow();
        let newest = readers
            .iter()
            .filter_map(|reader| reader.pictures.next.get())
            .max();
        let behind = |reader: &Progress| {
            let next = reader.pictures.next.get()?;
            Some(newest?.saturating_sub(next + patience * PICTURE_RATE))
        };
        let sum = |of: fn(&Sequence) -> u64| -> u64 {
            let both = readers
                .iter()
                .map(|reader| of(&reader.pictures) + of(&reader.frames));
            both.sum()
        };
        let behind: u64 = readers.iter().filter_map(|reader| behind(reader)).sum();
        Report {
            bytes: self.bytes.get(),
            packets: self.packets.get(),
            holes: self.holes.get(),
            sound: self.sound.get(),
            missing: sum(|sequence| sequence.missing.get()) + behind,
            repeated: sum(|sequence| sequence.repeated.get()),
            lost: self.lost.get(),
            error: self.error.borrow().clone(),
            first_pictures: self.first_pictures.borrow().clone(),
            delays: self.delays.borrow().clone(),
        }
    }
}

fn micros_since(nanos: u64) -> u32 {
    u32::try_from(clock::now().saturating_sub(nanos) / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(unit: Unit, number: u64) -> Stamp {
        Stamp {
            unit,
            number,
            sent: clock::now(),
        }
    }

    #[test]
    fn missing_and_repeated_units_are_counted_from_a_readers_first() {
        let cases: [(&[u64], u64, u64); 6] = [
            (&[], 0, 0),
            (&[100], 0, 0),
            (&[100, 101, 102], 0, 0),
            (&[100, 103], 2, 0),
            (&[100, 101, 101, 102], 0, 1),
            (&[100, 103, 101, 104, 106], 3, 1),
        ];
        for (numbers, missing, repeated) in cases {
            let tally = Tally::default();
            let reader = tally.reader();
            for number in numbers {
                tally.unit(&reader, &stamp(Unit::Picture, *number));
                tally.unit(&reader, &stamp(Unit::Audio, *number * 2));
                tally.unit(&reader, &stamp(Unit::Audio, *number * 2 + 1));
            }
            let report = tally.report(1);
            assert_eq!(report.missing, missing * 3, "{numbers:?}");
            assert_eq!(report.repeated, repeated * 3, "{numbers:?}");
        }
    }

    #[test]
    fn a_reader_that_stops_misses_what_others_get() {
        let tally = Tally::default();
        let (one, other) = (tally.reader(), tally.reader());
        tally.unit(&one, &stamp(Unit::RandomAccess, 0));
        for number in 0..100 {
            tally.unit(&other, &stamp(Unit::Picture, number));
        }
        assert_eq!(tally.report(1).missing, 100 - 1 - PICTURE_RATE);
        assert_eq!(tally.report(10).missing, 0);
    }

    #[test]
    fn only_what_comes_while_measuring_is_delayed_and_counted() {
        let tally = Tally::default();
        let reader = tally.reader();
        tally.bytes(5);
        tally.unit(&reader, &stamp(Unit::RandomAccess, 0));
        tally.begin();
        tally.bytes(7);
        tally.unit(&reader, &stamp(Unit::RandomAccess, 1));
        tally.unit(&reader, &stamp(Unit::Picture, 2));
        let report = tally.report(1);
        assert_eq!((report.bytes, report.delays.len()), (7, 1));
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
