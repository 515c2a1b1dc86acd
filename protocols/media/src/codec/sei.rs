//! Supplemental enhancement information, as far as it says where decoding can begin (ITU-T H.264 clauses 7.3.2.3
//! and D.1.8; H.265 clauses 7.3.5 and D.2.8).

use super::nal;
use crate::bits::BitReader;

/// `payloadType` of the recovery point message, in both standards.
const RECOVERY_POINT: usize = 6;

/// What is looked at of one NAL unit, in bytes. Encoders put short messages first or into units of their own; what
/// lies behind a long text is passed over.
const MAX_LOOKED_AT: usize = 1_024;

/// The payload of the recovery point message in an SEI NAL unit whose header has `header` bytes, if there is one.
pub(super) fn recovery_point(nal_unit: &[u8], header: usize) -> Option<Vec<u8>> {
    let rbsp = nal_unit.get(header..)?;
    let rbsp = nal::unescape(rbsp.get(..MAX_LOOKED_AT).unwrap_or(rbsp));
    let mut rest = rbsp.as_slice();
    // The trailing bits alone are one byte.
    while rest.len() > 1 {
        let kind = number(&mut rest)?;
        let length = number(&mut rest)?;
        let (payload, behind) = rest.split_at_checked(length)?;
        if kind == RECOVERY_POINT {
            return Some(payload.to_vec());
        }
        rest = behind;
    }
    None
}

/// `recovery_frame_cnt` of H.264: frames after which all is as it should be.
pub(super) fn recovery_frame_count(payload: &[u8]) -> Option<u32> {
    BitReader::new(payload).ue().ok()
}

/// `recovery_poc_cnt` of H.265: the distance in picture order count after which all is as it should be.
pub(super) fn recovery_order_count(payload: &[u8]) -> Option<i32> {
    BitReader::new(payload).se().ok()
}

/// A payload type or size: bytes of 255 are added up, and the first other one ends it.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut sum = 0usize;
    loop {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        sum = sum.saturating_add(usize::from(*byte));
        if *byte != 0xff {
            return Some(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_point_is_found_behind_other_messages() {
        // A pan-scan rectangle of two bytes, a user message of 256 bytes, the recovery point, trailing bits.
        let mut unit = vec![6, 2, 2, 9, 9, 5, 0xff, 1];
        unit.extend([7; 256]);
        unit.extend([6, 1, 0xc4, 0x80]);
        assert_eq!(recovery_point(&unit, 1), Some(vec![0xc4]));
        assert_eq!(recovery_frame_count(&[0xc4]), Some(0));
        assert_eq!(recovery_order_count(&[0b0100_0000]), Some(1));
        for end in 0..unit.len() - 2 {
            assert_eq!(recovery_point(&unit[..end], 1), None, "{end}");
        }
    }

    #[test]
    fn what_is_no_recovery_point_is_none() {
        for unit in [
            &[][..],
            &[6],
            &[6, 0x80],
            &[6, 5, 1, 0, 0x80],
            &[6, 0xff, 0xff],
        ] {
            assert_eq!(recovery_point(unit, 1), None, "{unit:?}");
        }
        let long: Vec<u8> = [6, 5, 0xff].iter().copied().chain([0xff; 4_000]).collect();
        assert_eq!(recovery_point(&long, 1), None);
        assert_eq!(recovery_frame_count(&[]), None);
    }
}
