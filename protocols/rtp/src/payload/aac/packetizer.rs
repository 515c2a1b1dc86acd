//! From access units to payloads, in mode AAC-hbr (RFC 3640 section 3.3.6).

use super::MAX_UNIT;
use crate::Payloads;
use crate::payload::Writer;

/// The length of the section of headers in bits, and its one header.
const HEADERS: usize = 4;

/// The payloads of one access unit, of at most `max_payload` bytes each (at least 64): one, or fragments of
/// one size, only the last of which may be shorter. A unit that is empty or longer than [`MAX_UNIT`] gives
/// none.
pub fn packetize(unit: &[u8], max_payload: usize) -> Payloads {
    let Some(size) = u16::try_from(unit.len())
        .ok()
        .filter(|size| usize::from(*size) <= MAX_UNIT)
    else {
        return Writer::default().finish();
    };
    let room = max_payload.max(64) - HEADERS;
    let count = unit.len().div_ceil(room);
    let part = unit.len().div_ceil(count.max(1)).max(1);
    // The size of the whole unit, in each fragment (section 3.2.3.1); the index is 0.
    let [s0, s1] = (size << 3).to_be_bytes();
    let mut writer = Writer::with_capacity(unit.len() + count * HEADERS, count);
    for part in unit.chunks(part) {
        writer.put(&[&[0, 16, s0, s1], part]);
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_payload_or_fragments() {
        let payloads = packetize(&[7, 8, 9], 1_200);
        assert_eq!(
            payloads.iter().collect::<Vec<_>>(),
            [[0, 16, 0, 24, 7, 8, 9]]
        );
        let payloads = packetize(&[7; 200], 64);
        let sizes: Vec<_> = payloads.iter().map(<[u8]>::len).collect();
        assert_eq!(sizes, [54, 54, 54, 54]);
        assert!(
            payloads
                .iter()
                .all(|payload| payload[..4] == [0, 16, 6, 64])
        );
        assert!(packetize(&[], 1_200).is_empty());
        assert!(packetize(&[0; MAX_UNIT + 1], 1_200).is_empty());
        assert_eq!(packetize(&[0; MAX_UNIT], 1_200).len(), 7);
    }
}
