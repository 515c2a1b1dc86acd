//! Encoder boundary points (CableLabs OC-SP-EBP-I01): a mark in the private data of an adaptation field that says when
//! what follows was, on the clock on the wall.

use crate::packet::{SIZE, SYNC};
use std::time::Duration;

/// `data_field_tag` of private data that a format identifier follows (ETSI TS 101 154 annex D).
const TAG: u8 = 0xdf;

/// `format_identifier`.
const FORMAT: [u8; 4] = *b"EBP0";

/// `EBP_fragment_flag` and `EBP_time_flag`.
const FRAGMENT: u8 = 0x80;
const TIMED: u8 = 0x08;

/// `EBP_SAP_flag`, `EBP_grouping_flag` and `EBP_extension_flag`: a field of a byte each, in front of the time.
const BYTES_BEFORE_TIME: [u8; 3] = [0x01, 0x20, 0x10];

/// From 1900, where times of NTP begin, to 1970, in seconds.
const FROM_1900: u64 = 2_208_988_800;

/// A packet without payload that says when what follows was. `continuity` is that of the packet of this PID before it,
/// since a packet without payload does not count.
pub fn packet(pid: u16, continuity: u8, since_1970: Duration) -> [u8; SIZE] {
    let mut packet = [0xff; SIZE];
    let [high, low] = pid.to_be_bytes();
    let seconds = since_1970.as_secs().saturating_add(FROM_1900) as u32;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    let [s0, s1, s2, s3] = seconds.to_be_bytes();
    let [f0, f1, f2, f3] = (fraction as u32).to_be_bytes();
    let [e, b, p, zero] = FORMAT;
    let head = [
        SYNC,
        high & 0x1f,
        low,
        0x20 | (continuity & 0x0f),
        // All that follows is the adaptation field, with private data of 15 bytes.
        (SIZE - 5) as u8,
        0x02,
        15,
        TAG,
        13,
        e,
        b,
        p,
        zero,
        FRAGMENT | TIMED,
        s0,
        s1,
        s2,
        s3,
        f0,
        f1,
        f2,
        f3,
    ];
    for (place, byte) in packet.iter_mut().zip(head) {
        *place = byte;
    }
    packet
}

/// When what follows a packet was, since 1970, if it says so.
pub fn read(packet: &[u8]) -> Option<Duration> {
    let (head, rest) = packet.split_first_chunk::<4>()?;
    if head[0] != SYNC || head[3] & 0x20 == 0 {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (flags, mut rest) = rest.get(..usize::from(*length))?.split_first()?;
    if flags & 0x02 == 0 {
        return None;
    }
    // Clock references and a countdown stand in front.
    for (flag, bytes) in [(0x10, 6), (0x08, 6), (0x04, 1)] {
        if flags & flag != 0 {
            rest = rest.get(bytes..)?;
        }
    }
    let (length, rest) = rest.split_first()?;
    let mut fields = rest.get(..usize::from(*length))?;
    while let [tag, length, rest @ ..] = fields {
        let (field, behind) = rest.split_at_checked(usize::from(*length))?;
        match field.split_first_chunk::<4>() {
            Some((&FORMAT, point)) if *tag == TAG => return time(point),
            _ => fields = behind,
        }
    }
    None
}

/// The time of an encoder boundary point, behind its format identifier.
fn time(point: &[u8]) -> Option<Duration> {
    let (flags, mut rest) = point.split_first()?;
    if flags & TIMED == 0 {
        return None;
    }
    for flag in BYTES_BEFORE_TIME {
        if flags & flag != 0 {
            rest = rest.get(1..)?;
        }
    }
    let time = u64::from_be_bytes(*rest.first_chunk()?);
    // Times before 1968 are those after 2036.
    let seconds = time >> 32;
    let seconds = match seconds < 1 << 31 {
        true => seconds + (1 << 32),
        false => seconds,
    };
    let nanos = ((time & 0xffff_ffff) * 1_000_000_000) >> 32;
    let seconds = seconds.checked_sub(FROM_1900)?;
    Some(Duration::new(seconds, u32::try_from(nanos).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn a_mark_is_read_back_and_is_a_packet_without_payload() {
        let noon = Duration::new(1_795_003_200, 123_456_789);
        let bytes = packet(0x101, 7, noon);
        let found = read(&bytes).unwrap();
        assert!(found.abs_diff(noon) < Duration::from_nanos(2), "{found:?}");
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!((parsed.pid, parsed.continuity), (0x101, 7));
        assert_eq!(parsed.payload, None);
        // Beyond the year 2036, where the seconds begin anew.
        let later = Duration::from_secs(3_000_000_000);
        assert_eq!(read(&packet(1, 0, later)), Some(later));
    }

    #[test]
    fn what_says_nothing_and_what_is_cut_off_says_nothing() {
        let bytes = packet(0x101, 7, Duration::from_secs(1_795_003_200));
        for length in 0..22 {
            assert_eq!(read(&bytes[..length]), None, "{length}");
        }
        for (at, value) in [
            (0, 0),
            (3, 0x10),
            (4, 10),
            (5, 0),
            (6, 5),
            (7, 0),
            (9, 0),
            (13, 0x80),
        ] {
            let mut bytes = bytes;
            bytes[at] = value;
            assert_eq!(read(&bytes), None, "{at}");
        }
        assert_eq!(read(&[0xff; SIZE]), None);
    }

    #[test]
    fn fields_in_front_are_passed_over() {
        // A clock reference, another private field, and a point with a SAP type.
        let mut bytes = vec![SYNC, 1, 1, 0x20, 183, 0x12];
        bytes.extend([0; 6]);
        bytes.extend([20, 2, 2, 9, 9, TAG, 14]);
        bytes.extend(FORMAT);
        bytes.extend([FRAGMENT | TIMED | 0x20, 0xe0]);
        bytes.extend(((FROM_1900 + 1_000_000_000) << 32).to_be_bytes());
        bytes.resize(SIZE, 0xff);
        assert_eq!(read(&bytes), Some(Duration::from_secs(1_000_000_000)));
    }
}
