//! NAL units between start codes (ITU-T H.264 annex B, H.265 annex B), the form of streams of bytes: MPEG-TS,
//! files, and the packets of some cameras.
//!
//! Within a NAL unit there is none, since emulation prevention bytes break them up; so to look for them does
//! no harm to streams that are right.

/// Where the first start code is: two zeros and a one.
pub fn start_code(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some([first, second, third]) = data.get(at..).and_then(|rest| rest.first_chunk()) {
        match (first, second, third) {
            (0, 0, 1) => return Some(at),
            // It may begin with this zero, or with the one before.
            (_, _, 0) => at += 1,
            _ => at += 3,
        }
    }
    None
}

/// The NAL units between start codes, without the zeros that may stand behind each.
pub fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let data = rest?;
        let at = start_code(data);
        rest = at.and_then(|at| data.get(at + 3..));
        data.get(..at.unwrap_or(data.len()))
    })
    .map(without_zeros)
    .filter(|unit| !unit.is_empty())
}

/// Without zeros at its end, where no NAL unit has any.
pub fn without_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    unit.get(..end.map_or(0, |last| last + 1)).unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_are_found_between_start_codes() {
        let cases: [(&[u8], &[&[u8]]); 5] = [
            (
                &[0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2],
                &[&[0x67, 1], &[0x68, 2]],
            ),
            (&[0x67, 1, 0, 0, 0, 1, 0x68, 0], &[&[0x67, 1], &[0x68]]),
            (&[0x65, 0, 0, 3, 1], &[&[0x65, 0, 0, 3, 1]]),
            (&[0, 0, 1, 0, 0, 1], &[]),
            (&[], &[]),
        ];
        for (data, expected) in cases {
            assert_eq!(units(data).collect::<Vec<_>>(), expected, "{data:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_start_code_is_found(data in prop::collection::vec(0u8..3, 0..40)) {
            let plain = data.windows(3).position(|window| window == [0, 0, 1]);
            prop_assert_eq!(start_code(&data), plain);
        }
    }
}
