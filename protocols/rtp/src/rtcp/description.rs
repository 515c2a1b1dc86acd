//! Who a source is, and that it ends (RFC 3550 sections 6.5 and 6.6).

use super::Input;
use bytes::BufMut;

/// Most chunks or sources in one packet, as its 5-bit count can say.
const MAX_SOURCES: usize = 31;

/// The item every source must give, its canonical name.
const CNAME: u8 = 1;

/// The canonical names of sources: those with one name belong together. Other items are left unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// SSRC and name, of at most 255 bytes; a source without a name has an empty one.
    pub names: Vec<(u32, String)>,
}

/// Sources that end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bye {
    /// The sources.
    pub sources: Vec<u32>,
    /// Why, in at most 255 bytes; usually empty.
    pub reason: String,
}

impl Description {
    pub(super) fn read(input: &mut Input<'_>, count: u8) -> Option<Self> {
        let mut names = Vec::new();
        for _ in 0..count {
            let ssrc = input.u32()?;
            let start = input.0.len();
            let mut name = String::new();
            loop {
                let item = input.u8()?;
                if item == 0 {
                    break;
                }
                let length = input.u8()?;
                let text = input.take(usize::from(length))?;
                if item == CNAME {
                    name = String::from_utf8_lossy(text).into_owned();
                }
            }
            // The items and the zero behind them are filled up to 4 bytes.
            input.take((start - input.0.len()).wrapping_neg() & 3)?;
            names.push((ssrc, name));
        }
        Some(Self { names })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        let names = self.names.get(..MAX_SOURCES).unwrap_or(&self.names);
        for (ssrc, name) in names {
            out.put_u32(*ssrc);
            let start = out.len();
            out.put_u8(CNAME);
            put_text(name, out);
            out.put_u8(0);
            fill(start, out);
        }
        names.len() as u8
    }
}

impl Bye {
    pub(super) fn read(input: &mut Input<'_>, count: u8) -> Option<Self> {
        let sources: Option<Vec<u32>> = (0..count).map(|_| input.u32()).collect();
        let sources = sources?;
        let mut reason = String::new();
        if !input.is_empty() {
            let length = input.u8()?;
            let text = input.take(usize::from(length))?;
            reason = String::from_utf8_lossy(text).into_owned();
        }
        Some(Self { sources, reason })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        let sources = self.sources.get(..MAX_SOURCES).unwrap_or(&self.sources);
        for source in sources {
            out.put_u32(*source);
        }
        if !self.reason.is_empty() {
            let start = out.len();
            put_text(&self.reason, out);
            fill(start, out);
        }
        sources.len() as u8
    }
}

/// Appends a text behind its length, cut to 255 bytes at a character.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let end = (0..=text.len().min(255)).rfind(|end| text.is_char_boundary(*end));
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
    out.put_u8(text.len() as u8);
    out.put_slice(text.as_bytes());
}

/// Appends zeros until what began at `start` is a multiple of 4 bytes.
fn fill(start: usize, out: &mut Vec<u8>) {
    out.put_bytes(0, (out.len() - start).wrapping_neg() & 3);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Packet, packets};

    #[test]
    fn names_there_and_back() {
        for length in [0, 1, 2, 3, 4, 255] {
            let name = "n".repeat(length);
            let names = vec![(1, name), (2, "cam".to_owned())];
            let packet = Packet::Description(Description { names });
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            assert_eq!(bytes.len() % 4, 0);
            let read: Vec<_> = packets(&bytes).collect();
            assert_eq!(read, [Ok(packet)]);
        }
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let names = vec![(1, "ä".repeat(200))];
        let mut bytes = Vec::new();
        Packet::Description(Description { names }).write(&mut bytes);
        let names = vec![(1, "ä".repeat(127))];
        let cut = Packet::Description(Description { names });
        assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(cut)]);
    }

    #[test]
    fn other_items_are_passed_over() {
        let bytes = [
            0x81, 202, 0, 4, 0, 0, 0, 1, 6, 1, b'x', 1, 3, b'c', b'a', b'm', 0, 0, 0, 0,
        ];
        let names = vec![(1, "cam".to_owned())];
        let expected = Packet::Description(Description { names });
        assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(expected)]);
    }

    #[test]
    fn goodbyes_there_and_back() {
        for reason in ["", "end", "ended"] {
            let packet = Packet::Bye(Bye {
                sources: vec![1, 2],
                reason: reason.to_owned(),
            });
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(packet)]);
        }
    }
}
