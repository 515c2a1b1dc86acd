//! From payloads to access units.

use super::{AGGREGATE, FRAGMENT, PACI};
use crate::payload::nal::{Pictures, aggregated};
use crate::payload::{Damaged, DepacketizerCounts, Event, Input, PayloadError};
use media::codec::h265;
use media::codec::in_band::InBand;

/// Size of a NAL unit header, and so of a payload header, in bytes.
const HEADER: usize = 2;

/// Puts access units together. Push a packet, then pull until there is nothing more; at most two units come
/// of a packet.
///
/// Parameter sets become part of the codec's configuration, delimiters and filler are left out. Decoding
/// order numbers are read and not followed.
#[derive(Debug)]
pub struct Depacketizer {
    pictures: Pictures<h265::InBand>,
    order_numbers: bool,
}

impl Depacketizer {
    /// With the parameter sets of the session description, as NAL units; those that cannot be read are left
    /// out. None is needed if they come in the stream. `order_numbers` says that payloads carry decoding
    /// order numbers, which they do when `sprop-max-don-diff` is above 0.
    pub fn new<'a>(
        sets: impl IntoIterator<Item = &'a [u8]>,
        order_numbers: bool,
        policy: Damaged,
    ) -> Self {
        let mut hevc = h265::InBand::default();
        for set in sets {
            // Cameras describe nonsense now and then, and send what is right in the stream.
            let _ = hevc.keep(set);
        }
        Self {
            pictures: Pictures::new(hevc, policy),
            order_numbers,
        }
    }

    /// Takes a packet. Empty payloads are passed over.
    ///
    /// # Errors
    /// When the payload cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        self.pictures.begin(input);
        let read = self.read(input);
        self.pictures.end(input, read)
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.pictures.pull()
    }

    /// Ends the access unit in the making: nothing more will come.
    pub fn flush(&mut self) {
        self.pictures.flush();
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.pictures.counts()
    }

    fn read(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        let payload = input.payload;
        if payload.is_empty() {
            return Ok(());
        }
        let truncated = PayloadError::Truncated(payload.len());
        let Some((header @ [first, _], body)) = payload.split_first_chunk::<HEADER>() else {
            return Err(truncated);
        };
        if first & 0x80 != 0 {
            return Err(PayloadError::Forbidden);
        }
        match first >> 1 & 0x3f {
            0 if payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1]) => {
                self.pictures.whole(payload)
            }
            AGGREGATE => self.aggregate(self.ordered(body).ok_or(truncated)?),
            FRAGMENT => {
                let (fragment, part) = body.split_first().ok_or_else(|| truncated.clone())?;
                // Only the first fragment has an order number (section 4.4.3).
                let part = match fragment & 0x80 {
                    0 => part,
                    _ => self.ordered(part).ok_or(truncated)?,
                };
                self.fragment(*header, *fragment, part, input.lost)
            }
            PACI => Err(PayloadError::Unsupported(
                "an H.265 payload with information about itself (PACI)",
            )),
            kind if kind > PACI => Err(PayloadError::Unsupported(
                "an H.265 payload of a reserved type",
            )),
            _ if self.order_numbers => {
                let body = self.ordered(body).ok_or(truncated)?;
                self.pictures.fragment_first(header, body)?;
                self.pictures.fragment_last()
            }
            _ => self.pictures.whole(payload),
        }
    }

    /// What stands behind the order number of 2 bytes, where there is one.
    fn ordered<'a>(&self, body: &'a [u8]) -> Option<&'a [u8]> {
        body.get(if self.order_numbers { 2 } else { 0 }..)
    }

    fn aggregate(&mut self, units: &[u8]) -> Result<(), PayloadError> {
        if !self.order_numbers {
            for nal in aggregated(units) {
                self.pictures.whole(nal?)?;
            }
            return Ok(());
        }
        // Each unit but the first has the difference of its number in front of its length (DOND).
        let mut rest = units;
        while let Some(nal) = aggregated(rest).next() {
            let nal = nal?;
            self.pictures.whole(nal)?;
            let next = 2usize.saturating_add(nal.len()).saturating_add(1);
            rest = rest.get(next..).unwrap_or_default();
        }
        Ok(())
    }

    fn fragment(
        &mut self,
        [first_byte, second]: [u8; HEADER],
        fragment: u8,
        part: &[u8],
        lost: bool,
    ) -> Result<(), PayloadError> {
        let (first, last) = (fragment & 0x80 != 0, fragment & 0x40 != 0);
        if first {
            let header = [first_byte & 0x81 | (fragment & 0x3f) << 1, second];
            self.pictures.fragment_first(&header, part)?;
        } else {
            self.pictures.fragment(part, lost)?;
        }
        if last {
            self.pictures.fragment_last()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::h265::packetize;
    use crate::payload::testing::{
        self, HEVC_PPS as PPS, HEVC_SPS as SPS, HEVC_VPS as VPS, input, length_prefixed,
    };
    use media::Codec;
    use media::codec::nal;
    use proptest::prelude::*;
    use std::time::Instant;

    fn depacketizer(order_numbers: bool) -> Depacketizer {
        Depacketizer::new([VPS, SPS, PPS], order_numbers, Damaged::Drop)
    }

    fn units(depacketizer: &mut Depacketizer) -> Vec<(u32, bool, Vec<Vec<u8>>)> {
        let events = std::iter::from_fn(|| depacketizer.pull());
        events
            .filter_map(|event| match event {
                Event::Unit(unit) => Some((
                    unit.timestamp,
                    unit.random_access,
                    testing::nals(&unit.payload),
                )),
                Event::Codec(_) => None,
            })
            .collect()
    }

    #[test]
    fn every_structure_is_read() {
        let length = |nal: &[u8]| [0, nal.len() as u8];
        let aggregate = [
            &[96, 1][..],
            &length(VPS),
            VPS,
            &length(SPS),
            SPS,
            &length(PPS),
            PPS,
        ]
        .concat();
        let mut depacketizer = Depacketizer::new([], false, Damaged::Drop);
        for (timestamp, marker, payload) in [
            (1, false, &aggregate[..]),
            (1, true, &[38, 1, 0x80, 1]),
            (2, false, &[98, 1, 0x81, 0x80]),
            (2, false, &[98, 1, 0x01, 2]),
            (2, true, &[98, 1, 0x41, 3]),
        ] {
            depacketizer
                .push(&input(timestamp, marker, false, payload))
                .unwrap();
        }
        assert!(matches!(
            depacketizer.pull(),
            Some(Event::Codec(Codec::H265(_)))
        ));
        assert_eq!(
            units(&mut depacketizer),
            [
                (1, true, vec![vec![38, 1, 0x80, 1]]),
                (2, false, vec![vec![2, 1, 0x80, 2, 3]])
            ]
        );
    }

    #[test]
    fn order_numbers_are_passed_over() {
        let mut depacketizer = depacketizer(true);
        for (timestamp, marker, payload) in [
            (1, true, &[38, 1, 0, 1, 0x80, 1][..]),
            (2, false, &[98, 1, 0x81, 0, 2, 0x80]),
            (2, true, &[98, 1, 0x41, 3]),
            (3, true, &[96, 1, 0, 3, 0, 3, 78, 1, 5, 0, 0, 3, 2, 1, 0x80]),
        ] {
            depacketizer
                .push(&input(timestamp, marker, false, payload))
                .unwrap();
        }
        assert_eq!(
            units(&mut depacketizer),
            [
                (1, true, vec![vec![38, 1, 0x80, 1]]),
                (2, false, vec![vec![2, 1, 0x80, 3]]),
                (3, false, vec![vec![78, 1, 5], vec![2, 1, 0x80]])
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        let cases: [(&[u8], &str); 6] = [
            (
                &[100, 1, 0],
                "an H.265 payload with information about itself (PACI) is not read",
            ),
            (&[102, 1], "an H.265 payload of a reserved type is not read"),
            (&[0x82, 1, 0x80], "NAL unit that its sender calls damaged"),
            (
                &[96, 1, 0, 9, 1],
                "payload with a length of 9 where 1 bytes are left",
            ),
            (&[98, 1], "payload of 2 bytes ends in its header"),
            (&[98, 1, 0x01, 0x80], "fragment without a beginning"),
        ];
        for (payload, words) in cases {
            let mut depacketizer = depacketizer(false);
            let error = depacketizer.push(&input(0, true, false, payload));
            assert_eq!(error.unwrap_err().to_string(), words);
            depacketizer.flush();
            assert_eq!(units(&mut depacketizer), []);
        }
    }

    proptest! {
        #[test]
        fn what_is_packetized_comes_back(
            pictures in prop::collection::vec(testing::picture(0x02, 0x26, &[78, 80]), 1..8),
            max in 64usize..1_500,
            fates in prop::collection::vec(testing::fate(), 0..200),
        ) {
            // The second byte of the header is 1 in each.
            let pictures = pictures.into_iter().map(|nals| {
                nals.into_iter()
                    .map(|mut nal| {
                        nal.insert(1, 1);
                        nal
                    })
                    .collect::<Vec<_>>()
            });
            let units: Vec<_> = pictures.map(|nals| length_prefixed(&nals)).collect();
            prop_assert!(units.iter().all(|unit| nal::units(unit).all(|nal| nal.is_ok())));
            let cut = |unit: &Vec<u8>| packetize(unit, None, max).unwrap();
            let mut depacketizer = depacketizer(false);
            testing::there_and_back(
                Instant::now(),
                &units,
                cut,
                &fates,
                |input| drop(depacketizer.push(input)),
            );
            let given: Vec<_> = std::iter::from_fn(|| depacketizer.pull()).collect();
            testing::check(&units, &fates, given)?;
        }
    }
}
