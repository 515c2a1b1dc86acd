//! From access units to payloads.

use super::{FU_A, STAP_A};
use crate::Payloads;
use crate::payload::Writer;
use media::codec::h264::{Config, nal_type};
use media::codec::nal::{NalError, units};

/// NAL unit types that say nothing a receiver of packets does not know: access unit delimiters and filler.
const LEFT_OUT: [u8; 2] = [9, 12];

/// Smallest limit that is kept to; smaller ones count as this.
const MIN_PAYLOAD: usize = 64;

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
    let max_payload = max_payload.max(MIN_PAYLOAD);
    let mut idr = false;
    let mut has_sps = false;
    for nal in units(unit) {
        let kind = nal?.first().map_or(0, |header| header & 0x1f);
        idr |= kind == nal_type::IDR;
        has_sps |= kind == nal_type::SPS;
    }
    let config = config.filter(|_| idr && !has_sps);
    let sets = config.map(|config| config.sps.iter().chain(&config.pps));
    let mut out = Cutter {
        writer: Writer::with_capacity(
            unit.len() + unit.len() / 64 + 256,
            unit.len() / max_payload + 4,
        ),
        run: Vec::new(),
        run_len: 1,
        max_payload,
    };
    for set in sets.into_iter().flatten() {
        out.put(set);
    }
    for nal in units(unit).flatten() {
        out.put(nal);
    }
    out.flush();
    Ok(out.writer.finish())
}

struct Cutter<'a> {
    writer: Writer,
    /// NAL units that will share a payload.
    run: Vec<&'a [u8]>,
    /// The size of that payload.
    run_len: usize,
    max_payload: usize,
}

impl<'a> Cutter<'a> {
    fn put(&mut self, nal: &'a [u8]) {
        let Some((&header, body)) = nal.split_first() else {
            return;
        };
        if LEFT_OUT.contains(&(header & 0x1f)) {
            return;
        }
        if nal.len() > self.max_payload {
            self.flush();
            self.fragment(header, body);
            return;
        }
        if self.run_len + 2 + nal.len() > self.max_payload {
            self.flush();
        }
        self.run.push(nal);
        self.run_len += 2 + nal.len();
    }

    /// Writes the NAL units that were waiting for company.
    fn flush(&mut self) {
        match self.run.as_slice() {
            [] => {}
            [alone] => self.writer.put(&[alone]),
            run => {
                let forbidden_and_importance = run
                    .iter()
                    .filter_map(|nal| nal.first())
                    .fold((0, 0), |(f, nri), header| {
                        (f | header & 0x80, nri.max(header & 0x60))
                    });
                let header = [forbidden_and_importance.0 | forbidden_and_importance.1 | STAP_A];
                // No longer than a payload, which is far below the 65,535 of the field.
                let lengths: Vec<_> = run
                    .iter()
                    .map(|nal| (nal.len() as u16).to_be_bytes())
                    .collect();
                let mut parts: Vec<&[u8]> = Vec::with_capacity(1 + 2 * run.len());
                parts.push(&header);
                for (length, nal) in lengths.iter().zip(run) {
                    parts.push(length);
                    parts.push(nal);
                }
                self.writer.put(&parts);
            }
        }
        self.run.clear();
        self.run_len = 1;
    }

    fn fragment(&mut self, header: u8, body: &[u8]) {
        let count = body.len().div_ceil(self.max_payload - 2).max(1);
        let size = body.len().div_ceil(count).max(1);
        let last = body.len().div_ceil(size).saturating_sub(1);
        for (index, part) in body.chunks(size).enumerate() {
            let mut kind = header & 0x1f;
            if index == 0 {
                kind |= 0x80;
            }
            if index == last {
                kind |= 0x40;
            }
            self.writer.put(&[&[header & 0xe0 | FU_A, kind], part]);
        }
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
