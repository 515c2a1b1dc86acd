//! Sections: the pieces of tables, which begin and end anywhere in the packets of a PID (clauses 2.4.4.1 and
//! 2.4.4.11).

use super::crc32;

/// Longest section in bytes, private ones included.
pub const MAX_SECTION: usize = 4_096;

/// Bytes up to and with the length.
const HEAD: usize = 3;

/// Bytes up to the body of a section of the long form.
const LONG_HEAD: usize = 8;

/// Bytes of the checksum.
const CRC: usize = 4;

/// Why a section was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    /// The pointer to the first section of a packet reaches past its end.
    #[error("pointer to a section {0} bytes behind, past the end of its packet")]
    Pointer(u8),
    /// It says that it is longer than sections may be.
    #[error("section of {0} bytes, of which {MAX_SECTION} are allowed")]
    TooLong(usize),
    /// It is shorter than what it has to hold.
    #[error("section of {0} bytes ends early")]
    Truncated(usize),
    /// The checksum is another.
    #[error("section of table {table} with a wrong checksum")]
    Checksum {
        /// `table_id`.
        table: u8,
    },
    /// A table of another kind than this PID is for.
    #[error("table {found} in place of table {expected}")]
    Table {
        /// Which should be there.
        expected: u8,
        /// Which is.
        found: u8,
    },
    /// A list in it, which reaches past its end.
    #[error("{0} that reaches past the end of its section")]
    List(&'static str),
}

/// Puts the sections of one PID together.
#[derive(Debug, Default)]
pub struct Sections {
    /// The beginning of one that goes on in the next packet.
    open: Vec<u8>,
}

impl Sections {
    /// Takes the payload of a packet and gives the sections that are complete, whatever their table.
    ///
    /// # Errors
    /// When the pointer or a length cannot be; what is in front of it was given.
    pub fn push(
        &mut self,
        unit_start: bool,
        payload: &[u8],
        mut give: impl FnMut(&[u8]),
    ) -> Result<(), SectionError> {
        if !unit_start {
            return match self.open.is_empty() {
                true => Ok(()),
                false => self.feed(payload, &mut give),
            };
        }
        let (pointer, rest) = payload.split_first().ok_or(SectionError::Truncated(0))?;
        let parts = rest.split_at_checked(usize::from(*pointer));
        let Some((before, from)) = parts else {
            self.open.clear();
            return Err(SectionError::Pointer(*pointer));
        };
        let before = match self.open.is_empty() {
            true => Ok(()),
            false => self.feed(before, &mut give),
        };
        self.open.clear();
        let behind = self.feed(from, &mut give);
        before.and(behind)
    }

    /// Packets are missing: what was open is worth nothing.
    pub fn lost(&mut self) {
        self.open.clear();
    }

    fn feed(&mut self, mut bytes: &[u8], give: &mut impl FnMut(&[u8])) -> Result<(), SectionError> {
        while !bytes.is_empty() {
            // Behind the last section stands filling.
            if self.open.is_empty() && bytes.first() == Some(&0xff) {
                return Ok(());
            }
            let wanted = self.wanted()?;
            let (taken, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.open.extend_from_slice(taken);
            bytes = rest;
            if self.open.len() >= HEAD && self.wanted()? == 0 {
                give(&self.open);
                self.open.clear();
            }
        }
        Ok(())
    }

    /// Bytes that are missing from the open section, as far as it is known.
    fn wanted(&mut self) -> Result<usize, SectionError> {
        let held = self.open.len();
        let Some([_, high, low]) = self.open.first_chunk::<HEAD>() else {
            return Ok(HEAD - held);
        };
        let length = HEAD + usize::from(u16::from_be_bytes([high & 0x0f, *low]));
        if length > MAX_SECTION {
            self.open.clear();
            return Err(SectionError::TooLong(length));
        }
        Ok(length.saturating_sub(held))
    }
}

/// A section of the long form, with its checksum verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    /// Which transport stream or program it is about.
    pub(crate) id: u16,
    pub(crate) version: u8,
    /// It is not only announced.
    pub(crate) current: bool,
    /// Its number among the sections of its table, and the highest of them.
    pub(crate) number: u8,
    pub(crate) last: u8,
    pub(crate) body: &'a [u8],
}

impl<'a> Section<'a> {
    pub(crate) fn parse(bytes: &'a [u8], table: u8) -> Result<Self, SectionError> {
        let truncated = SectionError::Truncated(bytes.len());
        let (head, rest) = bytes.split_first_chunk::<LONG_HEAD>().ok_or(truncated)?;
        let [found, _, _, id1, id0, version, number, last] = *head;
        if found != table {
            let expected = table;
            return Err(SectionError::Table { expected, found });
        }
        let (body, _) = rest.split_last_chunk::<CRC>().ok_or(truncated)?;
        if crc32(bytes) != 0 {
            return Err(SectionError::Checksum { table });
        }
        Ok(Self {
            id: u16::from_be_bytes([id1, id0]),
            version: version >> 1 & 0x1f,
            current: version & 1 == 1,
            number,
            last,
            body,
        })
    }

    /// Writes the only section of a table; `None` for a body that is too long.
    pub(crate) fn write(table: u8, id: u16, version: u8, body: &[u8]) -> Option<Vec<u8>> {
        // The syntax and two reserved bits, behind them a length of 12 bits of which 10 are used.
        let length = body.len().checked_add(LONG_HEAD - HEAD + CRC)?;
        let length = u16::try_from(length)
            .ok()
            .filter(|length| *length <= 1_021)?;
        let mut out = vec![table];
        out.extend((0xb000 | length).to_be_bytes());
        out.extend(id.to_be_bytes());
        out.extend([0xc1 | (version & 0x1f) << 1, 0, 0]);
        out.extend_from_slice(body);
        out.extend(crc32(&out).to_be_bytes());
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pushes: &[(bool, &[u8])]) -> (Vec<Vec<u8>>, Vec<SectionError>) {
        let mut sections = Sections::default();
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for (start, payload) in pushes {
            let pushed = sections.push(*start, payload, |section| found.push(section.to_vec()));
            errors.extend(pushed.err());
        }
        (found, errors)
    }

    #[test]
    fn sections_across_packets_and_several_in_one() {
        let first = Section::write(0, 1, 2, &[7; 300]).unwrap();
        let second = Section::write(2, 1, 2, &[8; 10]).unwrap();
        for cut in 1..first.len() {
            let (begin, end) = first.split_at(cut);
            let begin = [&[0], begin].concat();
            // The end with the next one behind it, and filling.
            let mut next = vec![end.len() as u8];
            next.extend([end, &second, &second, &[0xff; 20]].concat());
            if end.len() > 255 {
                continue;
            }
            let (found, errors) = read(&[(true, &begin), (true, &next), (false, &[1, 2])]);
            assert_eq!(
                found,
                [first.clone(), second.clone(), second.clone()],
                "{cut}"
            );
            assert_eq!(errors, []);
        }
    }

    #[test]
    fn what_is_refused() {
        let (found, errors) = read(&[
            (true, &[]),
            (true, &[9, 0, 0]),
            (true, &[0, 0, 0xbf, 0xff]),
            (false, &[0, 0]),
        ]);
        assert!(found.is_empty());
        let expected = [
            SectionError::Truncated(0),
            SectionError::Pointer(9),
            SectionError::TooLong(4_098),
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn the_long_form_is_checked() {
        let good = Section::write(2, 0x1234, 5, &[1, 2, 3]).unwrap();
        let section = Section::parse(&good, 2).unwrap();
        assert_eq!(
            (section.id, section.version, section.body),
            (0x1234, 5, &[1, 2, 3][..])
        );
        assert!(section.current && section.number == 0 && section.last == 0);
        for at in 1..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let error = Section::parse(&bad, 2).map(|_| ()).unwrap_err();
            assert_eq!(error, SectionError::Checksum { table: 2 });
        }
        for cut in 0..12 {
            assert!(Section::parse(&good[..cut], 2).is_err());
        }
        let (expected, found) = (0, 2);
        let other = Section::parse(&good, 0).map(|_| ()).unwrap_err();
        assert_eq!(other, SectionError::Table { expected, found });
        assert_eq!(Section::write(0, 0, 0, &[0; 1_013]), None);
    }
}
