//! When each packet of a transport arrived, for senders that estimate what the way can carry (transport-wide
//! congestion control, draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::Input;
use bytes::BufMut;

/// Most packets that one report tells of: more are left out when it is read.
pub const MAX_ARRIVALS: usize = 8_192;

/// Units of the reference time in those of the steps: 64 ms in 250 µs.
const REFERENCE: i64 = 256;

/// Packets of which a run-length chunk can tell.
const MAX_RUN: usize = 0x1fff;

/// Packets of which a chunk of two-bit symbols tells.
const VECTOR: usize = 7;

/// What a receiver tells of packets that are numbered over all sources of a transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Who says so.
    pub sender: u32,
    /// One of the sources.
    pub media: u32,
    /// Counts the reports, wrapping.
    pub count: u8,
    /// The number of the first packet.
    pub first: u16,
    /// Of that packet and those behind it: when it came, in units of 250 µs since an instant of the receiver's;
    /// none that has not come. The last one has come.
    pub times: Vec<Option<i64>>,
}

/// How the time of a packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Missing = 0,
    /// A step of one byte.
    Small = 1,
    /// A step of two bytes, with a sign.
    Large = 2,
}

impl Symbol {
    const fn of(bits: u16) -> Self {
        match bits & 3 {
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::Missing,
        }
    }
}

impl Arrivals {
    /// The number and time of each packet.
    pub fn packets(&self) -> impl Iterator<Item = (u16, Option<i64>)> {
        let numbers = (0..=u16::MAX).map(|step| self.first.wrapping_add(step));
        numbers.zip(self.times.iter().copied())
    }

    pub(super) fn read(input: &mut Input<'_>) -> Option<Self> {
        let (sender, media, packets) = (input.u32()?, input.u32()?, input.u32()?);
        let reference = input.u32()?;
        let (first, count) = ((packets >> 16) as u16, packets as u16);
        let count = usize::from(count).min(MAX_ARRIVALS);
        let mut symbols = Vec::with_capacity(count);
        while symbols.len() < count {
            let chunk = input.u16()?;
            let room = count - symbols.len();
            if chunk & 0x8000 == 0 {
                let run = usize::from(chunk & 0x1fff).min(room);
                if run == 0 {
                    return None;
                }
                symbols.extend(std::iter::repeat_n(Symbol::of(chunk >> 13), run));
            } else if chunk & 0x4000 == 0 {
                let one_bit = (0..14u16).rev().map(|bit| Symbol::of(chunk >> bit & 1));
                symbols.extend(one_bit.take(room));
            } else {
                let two_bits = (0..7u16).rev().map(|pair| Symbol::of(chunk >> (2 * pair)));
                symbols.extend(two_bits.take(room));
            }
        }
        // 24 bits with a sign.
        let mut time = i64::from(reference as i32 >> 8) * REFERENCE;
        let mut times = Vec::with_capacity(symbols.len());
        for symbol in symbols {
            let step = match symbol {
                Symbol::Missing => {
                    times.push(None);
                    continue;
                }
                Symbol::Small => i64::from(input.u8()?),
                Symbol::Large => i64::from(input.u16()? as i16),
            };
            time += step;
            times.push(Some(time));
        }
        Some(Self {
            sender,
            media,
            count: reference as u8,
            first,
            times,
        })
    }

    /// Writes as much as fits one report: all, unless there are more than [`MAX_ARRIVALS`] packets, or the time from one
    /// to the next is longer than 8 s.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let begin = self.times.iter().flatten().next().copied().unwrap_or(0);
        let reference = begin.div_euclid(REFERENCE);
        let mut time = reference * REFERENCE;
        let (mut symbols, mut steps) = (Vec::new(), Vec::new());
        for arrival in self.times.iter().take(MAX_ARRIVALS) {
            let Some(arrival) = arrival else {
                symbols.push(Symbol::Missing);
                continue;
            };
            let step = arrival.saturating_sub(time);
            if let Ok(step) = u8::try_from(step) {
                symbols.push(Symbol::Small);
                steps.push(step);
            } else if let Ok(step) = i16::try_from(step) {
                symbols.push(Symbol::Large);
                steps.put_i16(step);
            } else {
                break;
            }
            time = *arrival;
        }
        out.put_u32(self.sender);
        out.put_u32(self.media);
        out.put_u16(self.first);
        out.put_u16(symbols.len() as u16);
        out.put_u32((reference as u32) << 8 | u32::from(self.count));
        put_chunks(&symbols, out);
        out.put_slice(&steps);
        out.put_bytes(0, out.len().wrapping_neg() & 3);
    }
}

/// A run-length chunk for equal symbols, a chunk of two-bit symbols for others (sections 3.1.3 and 3.1.4).
fn put_chunks(symbols: &[Symbol], out: &mut Vec<u8>) {
    let mut rest = symbols;
    while let Some(first) = rest.first() {
        let run = rest
            .iter()
            .take(MAX_RUN)
            .take_while(|symbol| *symbol == first);
        let run = run.count();
        let taken = if run >= VECTOR || run == rest.len() {
            out.put_u16((*first as u16) << 13 | run as u16);
            run
        } else {
            let symbols = rest.iter().map(|symbol| *symbol as u16);
            let padded = symbols.chain(std::iter::repeat(0)).take(VECTOR);
            out.put_u16(padded.fold(3, |chunk, symbol| chunk << 2 | symbol));
            VECTOR.min(rest.len())
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Packet, packets};
    use proptest::prelude::*;

    fn arrivals(first: u16, times: &[Option<i64>]) -> Arrivals {
        Arrivals {
            sender: 1,
            media: 2,
            count: 255,
            first,
            times: times.to_vec(),
        }
    }

    fn written(arrivals: &Arrivals) -> Vec<u8> {
        let mut bytes = Vec::new();
        Packet::Arrivals(arrivals.clone()).write(&mut bytes);
        bytes
    }

    #[test]
    fn packets_of_libwebrtc_are_read() {
        // A run of two small steps behind a reference time of 5 x 64 ms, and a vector of one bit each.
        let bytes = [
            0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0, 4, 0, 0, 5, 9, 0x20, 2, 0x90,
            0, 4, 8, 12, 0,
        ];
        let expected = Arrivals {
            count: 9,
            ..arrivals(65_535, &[Some(1_284), Some(1_292), None, Some(1_304)])
        };
        let read: Vec<_> = packets(&bytes).collect();
        assert_eq!(read, [Ok(Packet::Arrivals(expected.clone()))]);
        let numbers: Vec<_> = expected.packets().map(|(number, _)| number).collect();
        assert_eq!(numbers, [65_535, 0, 1, 2]);
    }

    #[test]
    fn what_is_too_long_for_one_report_is_left_out() {
        let late = arrivals(7, &[Some(0), None, Some(40_000)]);
        let read = packets(&written(&late)).next().unwrap().unwrap();
        let Packet::Arrivals(read) = read else {
            panic!("{read:?}");
        };
        assert_eq!(read.times, [Some(0), None]);
        let many = arrivals(0, &vec![Some(0); MAX_ARRIVALS + 9]);
        let bytes = written(&many);
        assert_eq!(bytes.len(), 4 + 16 + 4 + MAX_ARRIVALS);
        for cut in 0..bytes.len().min(40) {
            assert!(packets(&bytes[..cut]).all(|packet| packet.is_err()));
        }
    }

    #[test]
    fn a_run_of_nothing_does_not_go_on_for_ever() {
        let bytes = [
            0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 5, 9, 0, 0, 0, 0,
        ];
        assert!(packets(&bytes).all(|packet| packet.is_err()));
    }

    proptest! {
        #[test]
        fn there_and_back(
            first: u16,
            start in 0..1i64 << 30,
            steps in prop::collection::vec(prop::option::of(-300..600i64), 0..300),
        ) {
            let mut time = start;
            let times = steps.into_iter().map(|step| {
                time += step?;
                Some(time)
            });
            let arrivals = arrivals(first, &times.chain([Some(start)]).collect::<Vec<_>>());
            let read: Vec<_> = packets(&written(&arrivals)).collect();
            prop_assert_eq!(read, [Ok(Packet::Arrivals(arrivals))]);
        }
    }
}
