//! From access units to payloads.

use super::{FU_A, STAP_A};
use crate::Payloads;
use crate::payload::nal::{Cutter, Framing};
use media::codec::h264::{Config, nal_type};
use media::codec::nal::{NalError, units};

/// Cuts an access unit (NAL units behind 4-byte lengths) into payloads of at most `max_payload` bytes.
///
/// An IDR picture that has no parameter sets with it gets those of `config` before it, since a receiver
/// that joins here has seen none. Neighbouring small NAL units share a payload; a large one is cut into
/// fragments of one size, only the last of which may be shorter, so that they can be sent as segments of
/// one large datagram.
///
/// # Errors
/// When a length reaches past the end of the access unit.
pub fn packetize(
    unit: &[u8],
    config: Option<&Config>,
    max_payload: usize,
) -> Result<Payloads, NalError> {
    let mut idr = false;
    let mut has_sps = false;
    for nal in units(unit) {
        let kind = nal?.first().map_or(0, |header| header & 0x1f);
        idr |= kind == nal_type::IDR;
        has_sps |= kind == nal_type::SPS;
    }
    let config = config.filter(|_| idr && !has_sps);
    let sets = config.map(|config| config.sps.iter().chain(&config.pps));
    let mut out = Cutter::<Avc>::new(unit.len(), max_payload);
    for set in sets.into_iter().flatten() {
        out.put(set);
    }
    for nal in units(unit).flatten() {
        out.put(nal);
    }
    Ok(out.finish())
}

/// The payloads of RFC 6184.
struct Avc;

impl Framing for Avc {
    type Header = [u8; 1];
    type Fragment = [u8; 2];

    /// The forbidden bit of any, the importance of the most important (section 5.7.1).
    fn aggregate(run: &[&[u8]]) -> [u8; 1] {
        let headers = run.iter().filter_map(|nal| nal.first());
        let (forbidden, importance) = headers.fold((0, 0), |(forbidden, importance), header| {
            (forbidden | header & 0x80, (header & 0x60).max(importance))
        });
        [forbidden | importance | STAP_A]
    }

    fn split(nal: &[u8]) -> Option<([u8; 1], &[u8])> {
        let (header, body) = nal.split_first_chunk()?;
        let [kind] = header.map(|header| header & 0x1f);
        (!matches!(kind, nal_type::AUD | nal_type::FILLER)).then_some((*header, body))
    }

    fn fragment([header]: [u8; 1], first: bool, last: bool) -> [u8; 2] {
        let flags = u8::from(first) << 7 | u8::from(last) << 6;
        [header & 0xe0 | FU_A, flags | header & 0x1f]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// A 16 x 16 picture's parameter set, as small as they come.
    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x79];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        let mut unit = Vec::new();
        for nal in nals {
            unit.extend((nal.len() as u32).to_be_bytes());
            unit.extend_from_slice(nal);
        }
        unit
    }

    fn config() -> Config {
        let (sps, pps) = (Bytes::from_static(SPS), Bytes::from_static(PPS));
        Config::new(vec![sps], vec![pps]).unwrap()
    }

    fn cut(nals: &[&[u8]], max: usize) -> Vec<Vec<u8>> {
        let payloads = packetize(&unit(nals), Some(&config()), max).unwrap();
        payloads.iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn small_units() {
        assert_eq!(cut(&[&[0x41, 1, 2]], 1_200), [vec![0x41, 1, 2]]);
        // Delimiters and filler are left out, and company shares a payload.
        assert_eq!(
            cut(
                &[&[0x09, 0xf0], &[0x06, 5], &[0x41, 1], &[0x0c, 0xff]],
                1_200
            ),
            [vec![0x58, 0, 2, 0x06, 5, 0, 2, 0x41, 1]]
        );
    }

    #[test]
    fn parameter_sets_come_before_each_idr_once() {
        let aggregate = [&[0x78, 0, 6][..], SPS, &[0, 4], PPS, &[0, 2, 0x65, 1]].concat();
        assert_eq!(cut(&[&[0x65, 1]], 1_200), std::slice::from_ref(&aggregate));
        assert_eq!(cut(&[SPS, PPS, &[0x65, 1]], 1_200), [aggregate]);
    }

    #[test]
    fn fragments_are_of_one_size() {
        let mut nal = vec![0x65];
        nal.extend((0..1_000u32).map(|n| n as u8));
        let payloads = cut(&[&nal], 104);
        // The parameter sets, and 1,000 bytes in 10 times at most 102.
        assert_eq!(payloads.len(), 11);
        let mut joined = vec![0x65];
        for (index, payload) in payloads[1..].iter().enumerate() {
            assert_eq!(payload.len(), 102);
            let flags = match index {
                0 => 0x80,
                9 => 0x40,
                _ => 0,
            };
            assert_eq!(payload[..2], [0x7c, 0x05 | flags]);
            joined.extend_from_slice(&payload[2..]);
        }
        assert_eq!(joined, nal);
    }

    #[test]
    fn a_bad_length_is_an_error() {
        assert!(packetize(&[0, 0, 0, 9, 0x65], None, 1_200).is_err());
    }
}
