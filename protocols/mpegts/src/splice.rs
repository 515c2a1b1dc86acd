//! Splice information sections (ANSI/SCTE 35 section 9.6): their times count from the clock of the program, and so
//! have to move with it. `pts_adjustment` is added to all of them, and is never encrypted.

use crate::psi::crc32;

/// `table_id`.
const TABLE: u8 = 0xfc;

/// Bytes of the shortest section: the fields up to the command, an empty list of descriptors, the checksum.
const MIN_LENGTH: usize = 20;

/// Times have 33 bits.
const MASK: i64 = (1 << 33) - 1;

/// What a section says, as far as those want to know who announce it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Its command.
    pub command: Command,
    /// Ticks of 90 kHz from the time that the section's times count from to when it happens; at once where it says none.
    pub after: Option<u64>,
}

/// What is to be done (section 9.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `splice_insert`: leaves the network, or comes back.
    Insert {
        /// `splice_event_id`.
        event: u32,
        /// It leaves.
        out: bool,
        /// For so many ticks of 90 kHz, where that is known.
        length: Option<u64>,
    },
    /// `time_signal`; what it means stands in descriptors, which are not read.
    Signal,
    /// Nothing happens: `splice_null`, `bandwidth_reservation`, and what was announced and is called off.
    Nothing,
    /// What is not read: encrypted, private, or a schedule.
    Other,
}

impl Splice {
    /// Reads a section. None where there is no section, a damaged one, or one whose command is cut off.
    pub fn parse(section: &[u8]) -> Option<Self> {
        if !is_whole(section) {
            return None;
        }
        let mut fields = Fields(section.get(4..section.len().checked_sub(4)?)?);
        let [first, low @ ..] = fields.take::<5>()?;
        let adjustment = u64::from(first & 1) << 32 | u64::from(u32::from_be_bytes(low));
        // What index and tier are for, and how long the command is: some write 0xfff.
        fields.take::<4>()?;
        let [kind] = fields.take()?;
        let nothing = |command| Self {
            command,
            after: None,
        };
        if first & 0x80 != 0 {
            return Some(nothing(Command::Other));
        }
        match kind {
            0 | 7 => return Some(nothing(Command::Nothing)),
            5 | 6 => {}
            _ => return Some(nothing(Command::Other)),
        }
        let mut command = Command::Signal;
        let mut time = None;
        if kind == 6 {
            time = fields.splice_time()?;
        } else {
            let [a, b, c, d, cancelled] = fields.take()?;
            if cancelled & 0x80 != 0 {
                return Some(nothing(Command::Nothing));
            }
            let [flags] = fields.take()?;
            let [is_out, whole, has_length, at_once] =
                [0x80, 0x40, 0x20, 0x10].map(|flag| flags & flag != 0);
            match (whole, at_once) {
                (true, true) => {}
                (true, false) => time = fields.splice_time()?,
                (false, _) => time = fields.component_times(at_once)?,
            }
            let length = match has_length {
                true => Some(fields.take::<5>().map(ticks)?),
                false => None,
            };
            command = Command::Insert {
                event: u32::from_be_bytes([a, b, c, d]),
                out: is_out,
                length,
            };
        }
        let after = time.map(|time| time.wrapping_add(adjustment) & MASK as u64);
        Some(Self { command, after })
    }
}

/// What is still to be read of a section.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (fields, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*fields)
    }

    /// `splice_time`: the inner is none where it says no time, the outer where it is cut off.
    fn splice_time(&mut self) -> Option<Option<u64>> {
        match self.0.first()? & 0x80 {
            0 => self.take::<1>().map(|_| None),
            _ => self.take().map(|time| Some(ticks(time))),
        }
    }

    /// The first of those of each component.
    fn component_times(&mut self, at_once: bool) -> Option<Option<u64>> {
        let [count] = self.take()?;
        let mut first = None;
        for _ in 0..count {
            self.take::<1>()?;
            if !at_once {
                let time = self.splice_time()?;
                first = first.or(time);
            }
        }
        Some(first)
    }
}

/// The lower 33 bits.
const fn ticks([first, a, b, c, d]: [u8; 5]) -> u64 {
    (first as u64 & 1) << 32 | u32::from_be_bytes([a, b, c, d]) as u64
}

fn is_whole(section: &[u8]) -> bool {
    section.len() >= MIN_LENGTH && section.first() == Some(&TABLE) && crc32(section) == 0
}

/// The section with all its times later by so many ticks of 90 kHz. None where there is no section, or a damaged one.
pub(crate) fn later(section: &[u8], ticks: i64) -> Option<Vec<u8>> {
    if !is_whole(section) {
        return None;
    }
    let mut section = section.to_vec();
    let checksum = section.len() - 4;
    // Behind the version: a bit that says whether it is encrypted, six how, and 33 of the adjustment.
    let fields = section.get_mut(4..9)?;
    let [first, low @ ..] = <[u8; 5]>::try_from(&*fields).ok()?;
    let adjustment = i64::from(first & 1) << 32 | i64::from(u32::from_be_bytes(low));
    let adjustment = adjustment.wrapping_add(ticks) & MASK;
    let [.., high, a, b, c, d] = adjustment.to_be_bytes();
    fields.copy_from_slice(&[first & 0xfe | high, a, b, c, d]);
    section.truncate(checksum);
    section.extend(crc32(&section).to_be_bytes());
    Some(section)
}

/// A command to leave the network at that time of the program's clock: `splice_insert`.
#[cfg(test)]
pub(crate) fn insert(pts: u64) -> Vec<u8> {
    let mut section = vec![
        TABLE, 0x30, 0x25, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x14, 5, 0, 0, 0, 9, 0x7f, 0xef,
    ];
    // `splice_time`, `break_duration`, and the rest of the command.
    section.push(0xfe | (pts >> 32) as u8 & 1);
    section.extend((pts as u32).to_be_bytes());
    section.extend([0xfe, 0, 0x52, 0xcc, 0xf5, 0, 1, 0, 0, 0, 0]);
    section.extend(crc32(&section).to_be_bytes());
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_and_come_back() {
        let section = insert(900_000);
        assert_eq!(section.len(), 3 + 0x25);
        for ticks in [
            0,
            1,
            -1,
            36_000,
            -900_000,
            (1 << 33) + 5,
            i64::MIN,
            i64::MAX,
        ] {
            let moved = later(&section, ticks).unwrap();
            assert_eq!((moved.len(), crc32(&moved)), (section.len(), 0));
            let [first, a, b, c, d] = moved[4..9] else {
                panic!("too short")
            };
            let adjustment =
                i64::from(first & 1) << 32 | i64::from(u32::from_be_bytes([a, b, c, d]));
            assert_eq!(adjustment, ticks.rem_euclid(1 << 33), "{ticks}");
            assert_eq!(later(&moved, ticks.wrapping_neg()).unwrap(), section);
        }
    }

    /// A section with that command, its adjustment 10.
    fn section(encrypted: u8, kind: u8, command: &[u8]) -> Vec<u8> {
        let length = (command.len() + 17) as u8;
        let front = [
            TABLE, 0x30, length, 0, encrypted, 0, 0, 0, 10, 0, 0xff, 0xff, 0xff, kind,
        ];
        let mut section = [&front[..], command, &[0, 0]].concat();
        section.extend(crc32(&section).to_be_bytes());
        section
    }

    #[test]
    fn commands_are_read() {
        let insert = |event, out, length| Command::Insert { event, out, length };
        let time = [0xfe, 0, 0, 1, 0];
        let cases: [(u8, &[u8], _, _); 10] = [
            (0, &[], Command::Nothing, None),
            (4, &[0], Command::Other, None),
            (6, &time, Command::Signal, Some(266)),
            (6, &[0x7f], Command::Signal, None),
            (
                5,
                &[&[0, 0, 0, 9, 0x7f, 0xef], &time[..], &time, &[0; 4]].concat(),
                insert(9, true, Some(256)),
                Some(266),
            ),
            (
                5,
                &[&[0, 0, 0, 9, 0x7f, 0x4f], &[0xff; 5][..], &[0; 4]].concat(),
                insert(9, false, None),
                Some(9),
            ),
            (
                5,
                &[0, 0, 0, 9, 0x7f, 0xdf, 0, 0, 0, 0],
                insert(9, true, None),
                None,
            ),
            // Two components with a time each.
            (
                5,
                &[
                    &[0, 0, 0, 9, 0x7f, 0x8f, 2, 1],
                    &time[..],
                    &[2, 0x7f],
                    &[0; 4],
                ]
                .concat(),
                insert(9, true, None),
                Some(266),
            ),
            (5, &[0, 0, 0, 9, 0xff], Command::Nothing, None),
            (0xff, b"CUEI", Command::Other, None),
        ];
        for (kind, command, read, after) in cases {
            let found = Splice::parse(&section(0, kind, command)).unwrap();
            assert_eq!(
                (found.command, found.after),
                (read, after),
                "{kind} {command:x?}"
            );
            let encrypted = Splice::parse(&section(0x80, kind, command)).unwrap();
            assert_eq!(encrypted.command, Command::Other);
        }
        for (kind, command) in [(5, &[][..]), (6, &[0x80])] {
            assert_eq!(Splice::parse(&section(0, kind, command)), None);
        }
        let whole = super::insert(900_000);
        assert_eq!(Splice::parse(&whole).unwrap().after, Some(900_000));
        assert_eq!(Splice::parse(&whole[..whole.len() - 1]), None);
    }

    #[test]
    fn what_is_no_section_is_refused() {
        let section = insert(5);
        for cut in 0..section.len() {
            assert_eq!(later(&section[..cut], 1), None);
        }
        let mut damaged = section.clone();
        damaged[12] ^= 1;
        assert_eq!(later(&damaged, 1), None);
        let other = [&[0xfb], &section[1..section.len() - 4]].concat();
        let other = [&other[..], &crc32(&other).to_be_bytes()].concat();
        assert_eq!(later(&other, 1), None);
    }
}
