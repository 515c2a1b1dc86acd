//! Splices of a stream (ANSI/SCTE 35) as ranges of dates, which playlists tell of (RFC 8216 section 4.3.2.7.1).

use bytes::Bytes;
use mpegts::splice::{Command, Splice};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// Ranges that are kept; of more the oldest go.
const MAX_RANGES: usize = 64;

/// Signals that are this near and say the same are one that was sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// Ticks per second of the times in sections.
const TICKS: u64 = 90_000;

/// A range of dates with the sections that tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// Its name, another than that of all other ranges of the stream.
    pub id: String,
    /// When it begins.
    pub start: SystemTime,
    /// How long it is to be.
    pub planned: Option<Duration>,
    /// How long it was.
    pub length: Option<Duration>,
    /// The section that begins it, if it leaves the network.
    pub out: Option<Bytes>,
    /// The section that ends it.
    pub back: Option<Bytes>,
    /// A section that is neither.
    pub command: Option<Bytes>,
    /// `splice_event_id` of those that leave the network.
    event: Option<u32>,
}

impl DateRange {
    /// When it ends, as far as is known.
    pub fn end(&self) -> SystemTime {
        self.start + self.length.or(self.planned).unwrap_or_default()
    }
}

/// The ranges of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Splices {
    ranges: VecDeque<DateRange>,
}

impl Splices {
    /// The newest of them, oldest first.
    pub(super) fn ranges(&self) -> impl Iterator<Item = &DateRange> {
        self.ranges.iter()
    }

    /// Takes a section whose times count from `base`. What is no section changes nothing. Splices are announced more
    /// than once, which changes nothing either: what a range has said it says for ever.
    pub(super) fn push(&mut self, section: &Bytes, base: SystemTime) {
        let Some(splice) = Splice::parse(section) else {
            return;
        };
        // What is half the range of their clock away lies behind.
        let after = splice.after.filter(|after| after >> 32 == 0).unwrap_or(0);
        let start = base + Duration::from_nanos(after.saturating_mul(1_000_000_000) / TICKS);
        let section = Some(section.clone());
        let range = |event: Option<u32>| DateRange {
            id: name(event, start),
            start,
            planned: None,
            length: None,
            out: None,
            back: None,
            command: None,
            event,
        };
        match splice.command {
            Command::Nothing => {}
            Command::Insert { event, out, length } => {
                let open =
                    |known: &&mut DateRange| known.event == Some(event) && known.back.is_none();
                match (self.ranges.iter_mut().rev().find(open), out) {
                    (Some(_), true) => {}
                    (Some(known), false) => {
                        known.length = Some(start.duration_since(known.start).unwrap_or_default());
                        known.back = section;
                    }
                    (None, true) => self.add(DateRange {
                        planned: length
                            .map(|length| Duration::from_micros(length.saturating_mul(100) / 9)),
                        out: section,
                        ..range(Some(event))
                    }),
                    // Nobody has seen it go.
                    (None, false) => {}
                }
            }
            Command::Signal | Command::Other => {
                let new = DateRange {
                    command: section,
                    ..range(None)
                };
                if !self.ranges.iter().any(|known| is_again(known, &new)) {
                    self.add(new);
                }
            }
        }
    }

    fn add(&mut self, range: DateRange) {
        if self.ranges.len() >= MAX_RANGES {
            self.ranges.pop_front();
        }
        self.ranges.push_back(range);
    }
}

fn name(event: Option<u32>, start: SystemTime) -> String {
    let since_1970 = start.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_1970.unwrap_or_default().as_millis();
    match event {
        Some(event) => format!("splice-{event}-{millis}"),
        None => format!("signal-{millis}"),
    }
}

fn is_again(known: &DateRange, new: &DateRange) -> bool {
    let apart = new.start.duration_since(known.start);
    let apart = apart.unwrap_or_else(|error| error.duration());
    known.command.is_some() && new.command.is_some() && (apart < AGAIN || known.id == new.id)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// ITU-T H.222.0 annex A.
    fn with_checksum(mut section: Vec<u8>) -> Bytes {
        let mut crc = u32::MAX;
        for byte in &section {
            crc ^= u32::from(*byte) << 24;
            for _ in 0..8 {
                crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            }
        }
        section.extend(crc.to_be_bytes());
        section.into()
    }

    /// `splice_insert` of event 9 in that many seconds, or at once; for 30 s where it goes out.
    fn insert(out: bool, seconds: Option<u32>) -> Bytes {
        let mut command = vec![0, 0, 0, 9, 0x7f];
        command.push(0x4f | if out { 0xa0 } else { 0 } | if seconds.is_none() { 0x10 } else { 0 });
        if let Some(seconds) = seconds {
            command.push(0xfe);
            command.extend((seconds * 90_000).to_be_bytes());
        }
        if out {
            command.extend([0xfe, 0, 0x29, 0x32, 0xe0]);
        }
        command.extend([0; 4]);
        section(5, &command)
    }

    pub(in crate::segment) fn section(kind: u8, command: &[u8]) -> Bytes {
        let length = command.len() as u8 + 17;
        let front = [
            0xfc, 0x30, length, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, kind,
        ];
        with_checksum([&front[..], command, &[0, 0]].concat())
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn a_break_goes_out_and_comes_back() {
        let mut splices = Splices::default();
        // Announced three times, each nearer.
        for seconds in [0, 2, 3] {
            splices.push(&insert(true, Some(4 - seconds)), at(seconds.into()));
        }
        let range = splices.ranges().next().unwrap().clone();
        assert_eq!(
            (range.id.as_str(), range.start),
            ("splice-9-1700000004000", at(4))
        );
        assert_eq!(
            (range.planned, range.end()),
            (Some(Duration::from_secs(30)), at(34))
        );
        assert!(range.out == Some(insert(true, Some(4))) && range.back.is_none());
        splices.push(&insert(false, Some(1)), at(19));
        let back = splices.ranges().next().unwrap();
        assert_eq!(
            (back.length, back.end()),
            (Some(Duration::from_secs(16)), at(20))
        );
        assert_eq!(back.back, Some(insert(false, Some(1))));
        assert_eq!(
            (&back.id, &back.out, back.planned),
            (&range.id, &range.out, range.planned)
        );
        // The same number again is another break; one that nobody saw go does not come back.
        splices.push(&insert(true, None), at(60));
        splices.push(&insert(false, None), at(70));
        splices.push(&insert(false, None), at(71));
        assert_eq!(splices.ranges().count(), 2);
    }

    #[test]
    fn signals_are_ranges_of_no_length_and_there_are_not_too_many() {
        let mut splices = Splices::default();
        let signal = section(6, &[0xfe, 0, 1, 0x5f, 0x90]);
        splices.push(&section(0, &[]), at(0));
        splices.push(&Bytes::from_static(b"no section"), at(0));
        assert_eq!(splices.ranges().count(), 0);
        splices.push(&signal, at(0));
        splices.push(&signal, at(0));
        let range = splices.ranges().next().unwrap();
        assert_eq!((range.start, range.end()), (at(1), at(1)));
        assert_eq!(range.command, Some(signal.clone()));
        assert_eq!(splices.ranges().count(), 1);
        for seconds in 1..200 {
            splices.push(&signal, at(seconds));
        }
        assert_eq!(splices.ranges().count(), MAX_RANGES);
        assert_eq!(splices.ranges().last().unwrap().start, at(200));
    }
}
