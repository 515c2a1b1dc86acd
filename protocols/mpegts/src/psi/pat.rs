//! The program association table: which programs there are, and where each is described (clause 2.4.4.3).

use super::{Section, SectionError};

/// `table_id`.
const TABLE: u8 = 0;

/// A section of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pat {
    /// `transport_stream_id`.
    pub stream_id: u16,
    /// 0 to 31; another one tells of a change.
    pub version: u8,
    /// It is valid now, not only later.
    pub current: bool,
    /// The number of this section, and the highest of the table.
    pub section: (u8, u8),
    /// The programs in the order of the table, without the network information.
    pub programs: Vec<Program>,
}

/// A program: streams that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its number, from 1.
    pub number: u16,
    /// The PID of its description, a [`Pmt`](super::Pmt).
    pub pid: u16,
}

impl Pat {
    /// Reads a section.
    ///
    /// # Errors
    /// When it is of another table, or damaged.
    pub fn parse(section: &[u8]) -> Result<Self, SectionError> {
        let section = Section::parse(section, TABLE)?;
        let (entries, rest) = section.body.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(SectionError::List("list of programs"));
        }
        let programs = entries.iter().map(|[n1, n0, p1, p0]| Program {
            number: u16::from_be_bytes([*n1, *n0]),
            pid: u16::from_be_bytes([p1 & 0x1f, *p0]),
        });
        Ok(Self {
            stream_id: section.id,
            version: section.version,
            current: section.current,
            section: (section.number, section.last),
            programs: programs.filter(|program| program.number != 0).collect(),
        })
    }

    /// Writes the table as one section; `None` for more than 253 programs.
    pub fn write(&self) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(self.programs.len() * 4);
        for program in &self.programs {
            body.extend(program.number.to_be_bytes());
            body.extend((0xe000 | program.pid & 0x1fff).to_be_bytes());
        }
        Section::write(TABLE, self.stream_id, self.version, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let program = |number, pid| Program { number, pid };
        let pat = Pat {
            stream_id: 7,
            version: 31,
            current: true,
            section: (0, 0),
            programs: vec![program(1, 0x1000), program(0xffff, 0x1ffe)],
        };
        assert_eq!(Pat::parse(&pat.write().unwrap()), Ok(pat));
    }

    #[test]
    fn network_information_is_no_program() {
        let section = Section::write(0, 1, 0, &[0, 0, 0xe0, 0x10, 0, 1, 0xe1, 0]).unwrap();
        assert_eq!(Pat::parse(&section).unwrap().programs.len(), 1);
        let odd = Section::write(0, 1, 0, &[0, 1, 0xe1]).unwrap();
        assert!(matches!(Pat::parse(&odd), Err(SectionError::List(_))));
    }
}
