//! The program map table: the streams of one program, and whose clock they follow (clause 2.4.4.9).

use super::{Section, SectionError};

/// `table_id`.
const TABLE: u8 = 2;

/// The description of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pmt {
    /// The program's number.
    pub program: u16,
    /// 0 to 31; another one tells of a change.
    pub version: u8,
    /// It is valid now, not only later.
    pub current: bool,
    /// The PID whose packets carry the clock; 0x1fff where none does.
    pub clock_pid: u16,
    /// Descriptors of the program.
    pub descriptors: Vec<u8>,
    /// The streams, in the order of the table.
    pub streams: Vec<Stream>,
}

/// An elementary stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// `stream_type`, table 2-34.
    pub kind: u8,
    /// The PID of its packets.
    pub pid: u16,
    /// Descriptors of the stream.
    pub descriptors: Vec<u8>,
}

impl Stream {
    /// Gives a stream whose samples are encrypted the type that it would have else ("MPEG-2 Stream Encryption Format for
    /// HTTP Live Streaming", section 2.2).
    pub(crate) const fn uncover(&mut self) {
        self.kind = match self.kind {
            0xdb => 0x1b,
            0xcf => 0x0f,
            0xc1 => 0x81,
            0xc2 => 0x87,
            other => other,
        };
    }
}

impl Pmt {
    /// Reads a section.
    ///
    /// # Errors
    /// When it is of another table, or damaged.
    pub fn parse(section: &[u8]) -> Result<Self, SectionError> {
        let section = Section::parse(section, TABLE)?;
        let mut rest = section.body;
        let clock_pid = number(&mut rest, 0x1fff)?;
        let descriptors = list(&mut rest)?.to_vec();
        let mut streams = Vec::new();
        while let Some((kind, behind)) = rest.split_first() {
            rest = behind;
            streams.push(Stream {
                kind: *kind,
                pid: number(&mut rest, 0x1fff)?,
                descriptors: list(&mut rest)?.to_vec(),
            });
        }
        Ok(Self {
            program: section.id,
            version: section.version,
            current: section.current,
            clock_pid,
            descriptors,
            streams,
        })
    }

    /// Writes the table, which has one section only; `None` where it does not fit.
    pub fn write(&self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        body.extend((0xe000 | self.clock_pid & 0x1fff).to_be_bytes());
        put_list(&mut body, &self.descriptors)?;
        for stream in &self.streams {
            body.push(stream.kind);
            body.extend((0xe000 | stream.pid & 0x1fff).to_be_bytes());
            put_list(&mut body, &stream.descriptors)?;
        }
        Section::write(TABLE, self.program, self.version, &body)
    }
}

fn number(rest: &mut &[u8], mask: u16) -> Result<u16, SectionError> {
    let (bytes, behind) = rest
        .split_first_chunk::<2>()
        .ok_or(SectionError::List("list of streams"))?;
    *rest = behind;
    Ok(u16::from_be_bytes(*bytes) & mask)
}

/// Descriptors behind their length.
fn list<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], SectionError> {
    let length = usize::from(number(rest, 0x0fff)?);
    let (list, behind) = rest
        .split_at_checked(length)
        .ok_or(SectionError::List("list of descriptors"))?;
    *rest = behind;
    Ok(list)
}

fn put_list(body: &mut Vec<u8>, list: &[u8]) -> Option<()> {
    let length = u16::try_from(list.len())
        .ok()
        .filter(|length| *length < 0x400)?;
    body.extend((0xf000 | length).to_be_bytes());
    body.extend_from_slice(list);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pmt() -> Pmt {
        let stream = |kind, pid, descriptors: &[u8]| Stream {
            kind,
            pid,
            descriptors: descriptors.to_vec(),
        };
        Pmt {
            program: 3,
            version: 4,
            current: true,
            clock_pid: 0x100,
            descriptors: vec![5, 4, b'C', b'U', b'E', b'I'],
            streams: vec![stream(0x1b, 0x100, &[]), stream(0x0f, 0x101, &[10, 1, 0])],
        }
    }

    #[test]
    fn there_and_back() {
        assert_eq!(Pmt::parse(&pmt().write().unwrap()), Ok(pmt()));
    }

    #[test]
    fn every_truncation_of_the_body_is_refused_or_a_shorter_list() {
        let whole = pmt().write().unwrap();
        let body = &whole[8..whole.len() - 4];
        for cut in 0..body.len() {
            let section = Section::write(2, 3, 4, &body[..cut]).unwrap();
            match Pmt::parse(&section) {
                Ok(short) => assert!(pmt().streams.starts_with(&short.streams)),
                Err(error) => assert!(matches!(error, SectionError::List(_)), "{error}"),
            }
        }
        let mut long = pmt();
        long.descriptors = vec![0; 1_020];
        assert_eq!(long.write(), None);
    }
}
