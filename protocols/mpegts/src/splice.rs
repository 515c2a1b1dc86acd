//! Splice information sections (ANSI/SCTE 35 section 9.6): their times count from the clock of the program, and so
//! have to move with it. `pts_adjustment` is added to all of them, and is never encrypted.

use crate::psi::crc32;

/// `table_id`.
const TABLE: u8 = 0xfc;

/// Bytes of the shortest section: the fields up to the command, an empty list of descriptors, the checksum.
const MIN_LENGTH: usize = 20;

/// Times have 33 bits.
const MASK: i64 = (1 << 33) - 1;

/// The section with all its times later by so many ticks of 90 kHz. None where there is no section, or a damaged one.
pub(crate) fn later(section: &[u8], ticks: i64) -> Option<Vec<u8>> {
    if section.len() < MIN_LENGTH || section.first() != Some(&TABLE) || crc32(section) != 0 {
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
