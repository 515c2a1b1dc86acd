//! From access units to payloads.

use super::{AGGREGATE, FRAGMENT};
use crate::Payloads;
use crate::payload::nal::{Cutter, Framing};
use media::codec::h265::{Config, NalHeader, nal_type};
use media::codec::nal::{NalError, units};

/// Cuts an access unit (NAL units behind 4-byte lengths) into payloads of at most `max_payload` bytes.
///
/// A random access point that has no parameter sets with it gets those of `config` before it, since a
/// receiver that joins here has seen none. There are no decoding order numbers (`sprop-max-don-diff` is 0).
///
/// # Errors
/// When a length reaches past the end of the access unit.
pub fn packetize(
    unit: &[u8],
    config: Option<&Config>,
    max_payload: usize,
) -> Result<Payloads, NalError> {
    let mut random_access = false;
    let mut has_sps = false;
    for nal in units(unit) {
        let kind = NalHeader::parse(nal?).map(|header| header.kind);
        random_access |=
            kind.is_some_and(|kind| (nal_type::BLA_W_LP..=nal_type::CRA).contains(&kind));
        has_sps |= kind == Some(nal_type::SPS);
    }
    let config = config.filter(|_| random_access && !has_sps);
    let sets = config.map(|config| config.vps.iter().chain(&config.sps).chain(&config.pps));
    let mut out = Cutter::<Hevc>::new(unit.len(), max_payload);
    for set in sets.into_iter().flatten() {
        out.put(set);
    }
    for nal in units(unit).flatten() {
        out.put(nal);
    }
    Ok(out.finish())
}

/// The payloads of RFC 7798.
struct Hevc;

impl Framing for Hevc {
    type Header = [u8; 2];
    type Fragment = [u8; 3];

    /// The forbidden bit of any, the lowest layer and temporal sub-layer (section 4.4.2).
    fn aggregate(run: &[&[u8]]) -> [u8; 2] {
        let headers = run.iter().filter_map(|nal| nal.first_chunk::<2>());
        let (forbidden, layer, temporal) = headers.fold(
            (0, 63u8, 7u8),
            |(forbidden, layer, temporal), [first, second]| {
                (
                    forbidden | first & 0x80,
                    layer.min((first & 1) << 5 | second >> 3),
                    temporal.min(second & 7),
                )
            },
        );
        [
            forbidden | AGGREGATE << 1 | layer >> 5,
            layer << 3 | temporal,
        ]
    }

    fn split(nal: &[u8]) -> Option<([u8; 2], &[u8])> {
        let (header, body) = nal.split_first_chunk()?;
        let [first, _] = *header;
        let kind = first >> 1 & 0x3f;
        (!matches!(kind, nal_type::AUD | nal_type::FILLER)).then_some((*header, body))
    }

    fn fragment([first_byte, second]: [u8; 2], first: bool, last: bool) -> [u8; 3] {
        let flags = u8::from(first) << 7 | u8::from(last) << 6;
        [
            first_byte & 0x81 | FRAGMENT << 1,
            second,
            flags | first_byte >> 1 & 0x3f,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::length_prefixed;

    fn cut(nals: &[&[u8]], max: usize) -> Vec<Vec<u8>> {
        let payloads = packetize(&length_prefixed(nals), None, max).unwrap();
        payloads.iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn small_units_share_a_payload_without_delimiters() {
        assert_eq!(cut(&[&[2, 1, 0x80]], 1_200), [vec![2, 1, 0x80]]);
        // The lowest temporal ID of both.
        assert_eq!(
            cut(
                &[&[70, 1, 0x50], &[78, 2, 5], &[2, 3, 0x80], &[76, 1]],
                1_200
            ),
            [vec![96, 2, 0, 3, 78, 2, 5, 0, 3, 2, 3, 0x80]]
        );
    }

    #[test]
    fn fragments_are_of_one_size() {
        let mut nal = vec![38, 1];
        nal.extend((0..1_000u32).map(|n| n as u8));
        let payloads = cut(&[&nal], 103);
        assert_eq!(payloads.len(), 10);
        let mut joined = vec![38, 1];
        for (index, payload) in payloads.iter().enumerate() {
            let flags = match index {
                0 => 0x80,
                9 => 0x40,
                _ => 0,
            };
            assert_eq!(payload[..3], [98, 1, 19 | flags]);
            assert_eq!(payload.len(), 103);
            joined.extend_from_slice(&payload[3..]);
        }
        assert_eq!(joined, nal);
    }

    #[test]
    fn a_bad_length_is_an_error() {
        assert!(packetize(&[0, 0, 0, 9, 2], None, 1_200).is_err());
    }
}
