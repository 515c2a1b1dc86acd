//! PES packets: what the packets of one elementary stream are put together to (clause 2.4.3.6).

use crate::time;

/// Longest header: 9 bytes and 255 more.
const MAX_HEADER: usize = 9 + 255;

/// What is used of a PES packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `stream_id`: 0xe0 to 0xef for pictures, 0xc0 to 0xdf for sound, and others.
    pub stream_id: u8,
    /// Bytes behind the header; `None` where it is not told, or cannot be true, as only with pictures.
    pub length: Option<usize>,
    /// `data_alignment_indicator`: an access unit begins right behind the header.
    pub aligned: bool,
    /// Presentation time, 33 bits of 90 kHz.
    pub pts: Option<u64>,
    /// Decoding time, where it is another than the presentation time.
    pub dts: Option<u64>,
}

/// Why a PES packet was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PesError {
    /// It does not begin with 0, 0, 1.
    #[error("no PES packet: it begins with {0:02x?}")]
    StartCode([u8; 3]),
    /// Something in the header that cannot be.
    #[error("PES header with {0}")]
    Header(&'static str),
    /// The next one began before its end, or packets of it are missing.
    #[error("PES packet that ends {0} bytes early")]
    Short(usize),
    /// The payload is encrypted.
    #[error("PES packet whose payload is encrypted")]
    Scrambled,
}

impl Header {
    /// Reads the header at the start of a PES packet, and says how long it is; `None` until enough of it is
    /// there.
    ///
    /// # Errors
    /// When there is none, or it cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, PesError> {
        let Some((start, rest)) = bytes.split_first_chunk::<3>() else {
            return Ok(None);
        };
        if *start != [0, 0, 1] {
            return Err(PesError::StartCode(*start));
        }
        let Some(([stream_id, high, low], rest)) = rest.split_first_chunk::<3>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let mut header = Self {
            stream_id: *stream_id,
            length: (length > 0).then_some(length),
            aligned: false,
            pts: None,
            dts: None,
        };
        // Streams without anything more in their headers (table 2-22).
        if matches!(
            stream_id,
            0xbc | 0xbe | 0xbf | 0xf0 | 0xf1 | 0xf2 | 0xf8 | 0xff
        ) {
            return Ok(Some((header, 6)));
        }
        let Some(([first, flags, more], rest)) = rest.split_first_chunk::<3>() else {
            return Ok(None);
        };
        if first & 0xc0 != 0x80 {
            return Err(PesError::Header("marker bits that are wrong"));
        }
        if first & 0x30 != 0 {
            return Err(PesError::Scrambled);
        }
        header.aligned = first & 4 != 0;
        let more = usize::from(*more);
        let Some(mut fields) = rest.get(..more) else {
            return Ok(None);
        };
        let mut time = || {
            let (time, rest) = fields
                .split_first_chunk::<5>()
                .ok_or(PesError::Header("a time that is cut off"))?;
            fields = rest;
            // Some encoders leave out the marker bits; what they mean is not known then.
            Ok(time::read(time))
        };
        match flags >> 6 {
            0 => {}
            1 => return Err(PesError::Header("a decoding time alone")),
            2 => header.pts = time()?,
            _ => {
                header.pts = time()?;
                let dts = time()?;
                // Alone it says nothing.
                header.dts = header.pts.and(dts);
            }
        }
        if let Some(length) = header.length {
            header.length = length.checked_sub(3 + more);
            // Of pictures it may be the lower bits of a longer one.
            if header.length.is_none() && !matches!(stream_id, 0xe0..=0xef) {
                return Err(PesError::Header("more bytes than its packet"));
            }
        }
        Ok(Some((header, 9 + more)))
    }

    /// Fills up a header that was written with [`write`](Self::write) so that its fields take `fields` bytes.
    pub(crate) fn stuff(header: &mut Vec<u8>, fields: u8) {
        let Some([.., high, low, _, _, size]) = header.first_chunk_mut::<9>() else {
            return;
        };
        let more = fields.saturating_sub(*size);
        let length = u16::from_be_bytes([*high, *low]).saturating_add(more.into());
        [*high, *low] = length.to_be_bytes();
        *size += more;
        header.resize(header.len().saturating_add(more.into()), 0xff);
    }

    /// Writes a header for `length` bytes of payload, with that decoding time where it is another than the
    /// presentation time. The length is left out where it does not fit, which only pictures may do. Data
    /// begins with an access unit.
    pub(crate) fn write(out: &mut Vec<u8>, stream_id: u8, length: usize, pts: i64, dts: i64) {
        let fields: usize = if pts == dts { 5 } else { 10 };
        let packet_length = u16::try_from(length.saturating_add(3 + fields)).unwrap_or(0);
        out.extend_from_slice(&[0, 0, 1, stream_id]);
        out.extend_from_slice(&packet_length.to_be_bytes());
        out.extend_from_slice(&[0x84, if pts == dts { 0x80 } else { 0xc0 }, fields as u8]);
        if pts == dts {
            out.extend_from_slice(&time::write(2, pts));
        } else {
            out.extend_from_slice(&time::write(3, pts));
            out.extend_from_slice(&time::write(1, dts));
        }
    }
}

/// What a [`Reader`] finds in the payload of a packet, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// The PES packet before is over; all that its header promised came, or not all.
    End,
    /// A PES packet begins.
    Begin(Header),
    /// Bytes of it.
    Data(&'a [u8]),
}

/// Puts the PES packets of one PID together.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Packets end where the next one begins, whatever their headers say.
    endless: bool,
    state: State,
    /// The beginning of a header that goes on in the next packet.
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nothing is used up to the next PES packet.
    #[default]
    Between,
    Header,
    /// Bytes that are to come; none where it is not told.
    Body(Option<usize>),
}

impl Reader {
    /// Lengths are not believed: encoders put the lower bits of a longer one there. For what needs no length.
    pub(crate) fn endless() -> Self {
        Self {
            endless: true,
            ..Self::default()
        }
    }

    /// Takes the payload of a packet.
    ///
    /// # Errors
    /// When the PES packet that begins here cannot be used, or the one before was cut short; what can be given
    /// is given.
    pub(crate) fn push<'a>(
        &mut self,
        unit_start: bool,
        mut payload: &'a [u8],
        mut give: impl FnMut(Part<'a>),
    ) -> Result<(), PesError> {
        let mut short = Ok(());
        if unit_start {
            match self.state {
                State::Body(missing) => {
                    short = missing.map_or(Ok(()), |missing| Err(PesError::Short(missing)));
                    give(Part::End);
                }
                State::Header => short = Err(PesError::Header("no end")),
                State::Between => {}
            }
            self.head.clear();
            self.state = State::Header;
        }
        if matches!(self.state, State::Header) {
            let held = self.head.len();
            let room = MAX_HEADER.saturating_sub(held);
            let parsed = if held == 0 {
                Header::parse(payload)
            } else {
                self.head
                    .extend_from_slice(payload.get(..room).unwrap_or(payload));
                Header::parse(&self.head)
            };
            match parsed {
                Ok(Some((header, size))) => {
                    payload = payload.get(size.saturating_sub(held)..).unwrap_or_default();
                    self.state = State::Body(header.length.filter(|_| !self.endless));
                    give(Part::Begin(header));
                }
                Ok(None) => {
                    if held == 0 {
                        self.head.extend_from_slice(payload);
                    }
                    return short;
                }
                Err(error) => {
                    self.state = State::Between;
                    return Err(error);
                }
            }
        }
        if let State::Body(left) = &mut self.state {
            let data = match left {
                Some(left) => {
                    let data = payload.get(..*left).unwrap_or(payload);
                    *left -= data.len();
                    data
                }
                None => payload,
            };
            if !data.is_empty() {
                give(Part::Data(data));
            }
            if *left == Some(0) {
                self.state = State::Between;
                give(Part::End);
            }
        }
        short
    }

    /// Packets are missing. A body goes on, with a hole.
    pub(crate) fn lost(&mut self) {
        if matches!(self.state, State::Header) {
            self.state = State::Between;
        }
        // How much of it is to come is not known any longer.
        if let State::Body(left) = &mut self.state {
            *left = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: usize, pts: i64, dts: i64) -> Vec<u8> {
        let mut out = Vec::new();
        Header::write(&mut out, 0xe0, length, pts, dts);
        out
    }

    #[test]
    fn headers_there_and_back() {
        for (length, pts, dts) in [(10, 5, 5), (10, 900, 5), (100_000, 1, 1), (65_525, 9, 8)] {
            let bytes = header(length, pts, dts);
            let (read, size) = Header::parse(&bytes).unwrap().unwrap();
            assert_eq!(size, bytes.len());
            assert_eq!(read.length, Some(length).filter(|length| *length < 65_523));
            assert_eq!(read.pts, Some(pts as u64));
            assert_eq!(read.dts, Some(dts as u64).filter(|_| pts != dts));
            assert!(read.aligned);
            for cut in 0..size {
                assert_eq!(Header::parse(&bytes[..cut]), Ok(None), "{cut}");
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let mut bytes = header(10, 900, 5);
        let patched = |bytes: &mut Vec<u8>, at: usize, value: u8| {
            let before = std::mem::replace(&mut bytes[at], value);
            let error = Header::parse(bytes).unwrap_err();
            bytes[at] = before;
            error
        };
        assert_eq!(patched(&mut bytes, 2, 2), PesError::StartCode([0, 0, 2]));
        assert!(matches!(patched(&mut bytes, 6, 0x44), PesError::Header(_)));
        assert_eq!(patched(&mut bytes, 6, 0xb4), PesError::Scrambled);
        assert!(matches!(patched(&mut bytes, 7, 0x40), PesError::Header(_)));
        assert!(matches!(patched(&mut bytes, 8, 9), PesError::Header(_)));
        // Shorter than its header, unless it is of pictures and of many more bytes.
        bytes[5] = 2;
        let read = Header::parse(&bytes).unwrap().unwrap();
        assert_eq!((read.0.length, read.1), (None, bytes.len()));
        bytes[3] = 0xc0;
        assert!(matches!(Header::parse(&bytes), Err(PesError::Header(_))));
    }

    #[test]
    fn a_header_without_fields() {
        let read = Header::parse(&[0, 0, 1, 0xbf, 0, 9]).unwrap();
        assert_eq!(
            read.map(|(header, size)| (header.length, size)),
            Some((Some(9), 6))
        );
    }

    #[test]
    fn packets_are_put_together_wherever_they_are_cut() {
        let bytes = [header(6, 7, 7), vec![1, 2, 3, 4, 5, 6]].concat();
        for cut in 1..bytes.len() {
            let mut reader = Reader::default();
            let mut data = Vec::new();
            let mut ends = 0;
            for (number, piece) in bytes.chunks(cut).enumerate() {
                reader
                    .push(number == 0, piece, |part| match part {
                        Part::Begin(header) => assert_eq!(header.pts, Some(7)),
                        Part::Data(piece) => data.extend_from_slice(piece),
                        Part::End => ends += 1,
                    })
                    .unwrap();
            }
            assert_eq!(
                (data.as_slice(), ends),
                (&[1, 2, 3, 4, 5, 6][..], 1),
                "{cut}"
            );
        }
    }

    #[test]
    fn one_that_is_cut_short_is_told() {
        let mut reader = Reader::default();
        let bytes = [header(6, 7, 7), vec![1, 2]].concat();
        reader.push(true, &bytes, |_| {}).unwrap();
        let mut parts = 0;
        let pushed = reader.push(true, &bytes, |_| parts += 1);
        assert_eq!((pushed, parts), (Err(PesError::Short(4)), 3));
        // Without a beginning nothing is used.
        let mut reader = Reader::default();
        reader
            .push(false, &bytes, |part| panic!("{part:?}"))
            .unwrap();
    }
}
