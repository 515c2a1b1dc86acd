//! The mark in each access unit: what it is, its number, and when it was sent.

use memchr::memmem;

/// Found nowhere else in the signal.
const MAGIC: &[u8; 8] = b"~STAMP!~";
const NUMBER_DIGITS: usize = 12;
const TIME_DIGITS: usize = 16;
/// Bytes of a stamp.
const LENGTH: usize = MAGIC.len() + 1 + NUMBER_DIGITS + TIME_DIGITS;

/// What an access unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A picture at which a decoder can start.
    RandomAccess,
    /// Any other picture.
    Picture,
    /// A frame of sound.
    Audio,
}

/// What a reader learns of an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// What it is.
    pub unit: Unit,
    /// Its number within its track.
    pub number: u64,
    /// When it was sent, in nanoseconds of [`clock::now`](crate::clock::now).
    pub sent: u64,
}

impl Stamp {
    /// Appends the stamp: text, so that no byte of it is zero, which H.264 would have to escape.
    pub fn write(&self, out: &mut Vec<u8>) {
        let letter = match self.unit {
            Unit::RandomAccess => 'I',
            Unit::Picture => 'P',
            Unit::Audio => 'A',
        };
        let Self { number, sent, .. } = self;
        let text = format!("{letter}{number:0NUMBER_DIGITS$x}{sent:0TIME_DIGITS$x}");
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(text.as_bytes());
    }

    /// The first stamp in `bytes`, if it is complete, and where it ends.
    pub fn find(bytes: &[u8]) -> Option<(Self, usize)> {
        let start = memmem::find(bytes, MAGIC)?;
        let stamp = bytes.get(start..)?.get(..LENGTH)?;
        let text = std::str::from_utf8(stamp.get(MAGIC.len()..)?).ok()?;
        let unit = match text.as_bytes().first()? {
            b'I' => Unit::RandomAccess,
            b'P' => Unit::Picture,
            b'A' => Unit::Audio,
            _ => return None,
        };
        let number = text.get(1..=NUMBER_DIGITS)?;
        let sent = text.get(1 + NUMBER_DIGITS..)?;
        let stamp = Self {
            unit,
            number: u64::from_str_radix(number, 16).ok()?,
            sent: u64::from_str_radix(sent, 16).ok()?,
        };
        Some((stamp, start + LENGTH))
    }
}

/// Finds the stamps in bytes that arrive in pieces cut anywhere.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The end of the last piece, too short for a stamp.
    tail: Vec<u8>,
}

impl Scanner {
    /// Passes the stamps that end in `piece` to `found`.
    pub fn scan(&mut self, piece: &[u8], mut found: impl FnMut(Stamp)) {
        // A stamp that began in the last piece ends in the first bytes of this one.
        let seam = piece.get(..LENGTH - 1).unwrap_or(piece);
        self.tail.extend_from_slice(seam);
        if let Some((stamp, _)) = Stamp::find(&self.tail) {
            found(stamp);
        }
        let mut rest = piece;
        while let Some((stamp, end)) = Stamp::find(rest) {
            found(stamp);
            rest = rest.get(end..).unwrap_or_default();
        }
        if piece.len() >= LENGTH - 1 {
            self.tail.clear();
            self.tail
                .extend_from_slice(piece.get(piece.len() - (LENGTH - 1)..).unwrap_or_default());
        } else {
            let surplus = self.tail.len().saturating_sub(LENGTH - 1);
            self.tail.drain(..surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_however_the_bytes_are_cut() {
        let stamps: Vec<Stamp> = [Unit::RandomAccess, Unit::Picture, Unit::Audio]
            .into_iter()
            .cycle()
            .take(9)
            .zip([0, 1, 2, 0xffff, 5, 6, 7, 8, u64::MAX >> 16])
            .map(|(unit, number)| Stamp {
                unit,
                number,
                sent: number * 3 + 1,
            })
            .collect();
        let mut bytes = Vec::new();
        for (index, stamp) in stamps.iter().enumerate() {
            bytes.extend(std::iter::repeat_n(b'.', index * 7));
            stamp.write(&mut bytes);
        }
        assert!(!bytes.contains(&0));
        for size in (1..120).chain([bytes.len()]) {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                scanner.scan(piece, |stamp| found.push(stamp));
            }
            assert_eq!(found, stamps, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_stamp_is_passed_over() {
        let mut broken = MAGIC.to_vec();
        broken.extend_from_slice(&[b'X'; 40]);
        for bytes in [&b""[..], MAGIC, &broken] {
            assert_eq!(Stamp::find(bytes), None);
        }
    }
}
