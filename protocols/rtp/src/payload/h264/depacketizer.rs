//! From payloads to access units.

use super::{FU_A, FU_B, MTAPS, STAP_A, STAP_B};
use crate::payload::nal::{Pictures, aggregated};
use crate::payload::{Damaged, DepacketizerCounts, Event, Input, PayloadError};
use media::codec::h264;
use media::codec::in_band::InBand;

/// The decoding order number in front of a STAP-B and behind the header of an FU-B, in bytes.
const ORDER_NUMBER: usize = 2;

/// Puts access units together. Push a packet, then pull until there is nothing more; at most two units come
/// of a packet.
///
/// Parameter sets become part of the codec's configuration, delimiters and filler are left out. Decoding
/// order numbers are read and not followed: a sender that interleaves (packetization mode 2) is one to
/// refuse beforehand.
#[derive(Debug)]
pub struct Depacketizer {
    pictures: Pictures<h264::InBand>,
}

impl Depacketizer {
    /// With the parameter sets of the session description, as NAL units; those that cannot be read are left
    /// out. None is needed if they come in the stream.
    pub fn new<'a>(sets: impl IntoIterator<Item = &'a [u8]>, policy: Damaged) -> Self {
        let mut avc = h264::InBand::default();
        for set in sets {
            // Cameras describe nonsense now and then, and send what is right in the stream.
            let _ = avc.keep(set);
        }
        Self {
            pictures: Pictures::new(avc, policy),
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
        let Some((header, body)) = payload.split_first() else {
            return Ok(());
        };
        if header & 0x80 != 0 {
            return Err(PayloadError::Forbidden);
        }
        match header & 0x1f {
            0 if payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1]) => {
                self.pictures.whole(payload)
            }
            1..=23 => self.pictures.whole(payload),
            STAP_A => self.aggregate(body),
            STAP_B => {
                let units = body.get(ORDER_NUMBER..);
                self.aggregate(units.ok_or(PayloadError::Truncated(payload.len()))?)
            }
            kind @ (FU_A | FU_B) => {
                let numbers = if kind == FU_B { ORDER_NUMBER } else { 0 };
                let parts = body
                    .split_first()
                    .and_then(|(fragment, part)| Some((fragment, part.get(numbers..)?)));
                let (fragment, part) = parts.ok_or(PayloadError::Truncated(payload.len()))?;
                self.fragment(*header, *fragment, part, input.lost)
            }
            kind if MTAPS.contains(&kind) => Err(PayloadError::Unsupported(
                "an H.264 aggregate of several times (MTAP)",
            )),
            _ => Err(PayloadError::Unsupported(
                "an H.264 payload of a reserved type",
            )),
        }
    }

    fn aggregate(&mut self, units: &[u8]) -> Result<(), PayloadError> {
        for nal in aggregated(units) {
            self.pictures.whole(nal?)?;
        }
        Ok(())
    }

    fn fragment(
        &mut self,
        header: u8,
        fragment: u8,
        part: &[u8],
        lost: bool,
    ) -> Result<(), PayloadError> {
        let (first, last) = (fragment & 0x80 != 0, fragment & 0x40 != 0);
        if first {
            let header = header & 0xe0 | fragment & 0x1f;
            self.pictures.fragment_first(&[header], part)?;
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
    use crate::payload::h264::packetize;
    use crate::payload::testing::{self, PPS, SPS, input, length_prefixed};
    use proptest::prelude::*;
    use std::time::Instant;

    fn depacketizer() -> Depacketizer {
        Depacketizer::new([SPS, PPS], Damaged::Drop)
    }

    /// Pushes (timestamp, marker, lost, payload) and gives the units as (timestamp, NAL units, after loss).
    fn run(
        depacketizer: &mut Depacketizer,
        packets: &[(u32, bool, bool, &[u8])],
    ) -> Vec<(u32, Vec<Vec<u8>>, bool)> {
        let mut units = Vec::new();
        for (timestamp, marker, lost, payload) in packets {
            let _ = depacketizer.push(&input(*timestamp, *marker, *lost, payload));
            while let Some(event) = depacketizer.pull() {
                if let Event::Unit(unit) = event {
                    units.push((
                        unit.timestamp,
                        testing::nals(&unit.payload),
                        unit.after_loss,
                    ));
                }
            }
        }
        units
    }

    #[test]
    fn every_structure_is_read() {
        let aggregate = [&[0x78, 0, 6][..], SPS, &[0, 4], PPS, &[0, 2, 0x65, 0x88]].concat();
        let with_number = [&[0x79, 0, 1, 0, 2, 0x06, 5][..], &[0, 3, 0x41, 0x9a, 1]].concat();
        let mut depacketizer = Depacketizer::new([], Damaged::Drop);
        let units = run(
            &mut depacketizer,
            &[
                (1, true, false, &aggregate),
                (2, true, false, &with_number),
                (3, false, false, &[0x5c, 0x81, 0x9a, 1]),
                (3, false, false, &[0x5c, 0x01, 2]),
                (3, true, false, &[0x5c, 0x41, 3]),
                (4, false, false, &[0x5d, 0x81, 0, 9, 0x9a, 1]),
                (4, true, false, &[0x5c, 0x41, 3]),
                // Both bits of a fragment, though that is forbidden: a whole unit.
                (5, true, false, &[0x5c, 0xc1, 0x9a, 4]),
            ],
        );
        let expected: [(u32, Vec<Vec<u8>>, bool); 5] = [
            (1, vec![vec![0x65, 0x88]], false),
            (2, vec![vec![0x06, 5], vec![0x41, 0x9a, 1]], false),
            (3, vec![vec![0x41, 0x9a, 1, 2, 3]], false),
            (4, vec![vec![0x41, 0x9a, 1, 3]], false),
            (5, vec![vec![0x41, 0x9a, 4]], false),
        ];
        assert_eq!(units, expected);
        assert_eq!(depacketizer.counts().malformed, 0);
    }

    #[test]
    fn ends_that_are_not_told_and_zeros_behind() {
        let mut depacketizer = depacketizer();
        let units = run(
            &mut depacketizer,
            &[
                // No end of a fragment: another slice, or another time, tells it; but not behind a loss.
                (1, false, false, &[0x5c, 0x81, 0x9a, 1]),
                (1, false, false, &[0x5c, 0x01, 2]),
                (1, false, false, &[0x5c, 0x81, 0x48, 3]),
                (1, true, false, &[0x5c, 0x01, 4]),
                (2, false, false, &[0x5c, 0x81, 0x9a, 5]),
                (3, false, true, &[0x5c, 0x81, 0x9a, 6]),
                (4, true, false, &[0x41, 0x9a, 7, 0, 0, 0]),
                (5, true, false, &[0x41, 0x9a, 0x80, 0]),
            ],
        );
        let expected: [(u32, Vec<Vec<u8>>, bool); 4] = [
            (
                1,
                vec![vec![0x41, 0x9a, 1, 2], vec![0x41, 0x48, 3, 4]],
                false,
            ),
            (3, vec![vec![0x41, 0x9a, 6]], true),
            (4, vec![vec![0x41, 0x9a, 7]], false),
            (5, vec![vec![0x41, 0x9a, 0x80]], false),
        ];
        assert_eq!(units, expected);
        assert_eq!(depacketizer.counts().damaged, 1);
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        let cases: [(&[u8], &str); 7] = [
            (
                &[0x7a, 0, 0, 0, 3, 0x41, 1],
                "an H.264 aggregate of several times (MTAP) is not read",
            ),
            (&[0x7f], "an H.264 payload of a reserved type is not read"),
            (&[0xe5, 0x88], "NAL unit that its sender calls damaged"),
            (
                &[0x78, 0, 9, 0x41],
                "payload with a length of 9 where 1 bytes are left",
            ),
            (&[0x7c], "payload of 1 bytes ends in its header"),
            (&[0x7d, 0x81, 0], "payload of 3 bytes ends in its header"),
            (&[0x5c, 0x01, 0x9a], "fragment without a beginning"),
        ];
        for (payload, words) in cases {
            let mut depacketizer = depacketizer();
            let error = depacketizer.push(&input(0, true, false, payload));
            assert_eq!(error.unwrap_err().to_string(), words);
            depacketizer.flush();
            let units = std::iter::from_fn(|| depacketizer.pull());
            assert_eq!(
                units
                    .filter(|event| matches!(event, Event::Unit(_)))
                    .count(),
                0
            );
        }
        assert_eq!(depacketizer().push(&input(0, true, false, &[])), Ok(()));
    }

    #[test]
    fn markers_at_the_wrong_place_or_nowhere() {
        // Without any, a unit ends where the time changes.
        let plain: [(u32, bool, bool, &[u8]); 3] = [
            (1, false, false, &[0x65, 0x88]),
            (2, false, false, &[0x41, 0x9a]),
            (3, false, false, &[0x41, 0x9a]),
        ];
        assert_eq!(run(&mut depacketizer(), &plain).len(), 2);
        // On parameter sets, which have a time of their own, and within fragments.
        let early: [(u32, bool, bool, &[u8]); 4] = [
            (1, true, false, SPS),
            (1, true, false, PPS),
            (2, true, false, &[0x5c, 0x85, 0x88]),
            (2, true, false, &[0x5c, 0x45, 1]),
        ];
        let units = run(&mut depacketizer(), &early);
        assert_eq!(units, [(2, vec![vec![0x45, 0x88, 1]], false)]);
        // On each of several slices: the first picture is lost to learn that.
        let mut depacketizer = depacketizer();
        let each = |timestamp| -> [(u32, bool, bool, &'static [u8]); 2] {
            [
                (timestamp, true, false, &[0x65, 0x88]),
                (timestamp, true, false, &[0x65, 0x48]),
            ]
        };
        let packets: Vec<_> = (1..=4).flat_map(each).collect();
        let units = run(&mut depacketizer, &packets);
        let slices = vec![vec![0x65, 0x88], vec![0x65, 0x48]];
        let expected = [
            (1, vec![vec![0x65, 0x88]], false),
            (2, slices.clone(), true),
            (3, slices, false),
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn start_codes_are_taken_out() {
        let single = [
            &[0, 0, 0, 1][..],
            SPS,
            &[0, 0, 1],
            PPS,
            &[0, 0, 0, 1, 0x65, 0x88],
        ]
        .concat();
        let mut depacketizer = Depacketizer::new([], Damaged::Drop);
        let units = run(
            &mut depacketizer,
            &[
                (1, true, false, &single),
                // In fragments, across their border.
                (2, false, false, &[0x7c, 0x85, 0x88, 1, 0, 0]),
                (2, true, false, &[0x7c, 0x45, 0, 1, 0x65, 0x48]),
            ],
        );
        assert_eq!(
            units,
            [
                (1, vec![vec![0x65, 0x88]], false),
                (2, vec![vec![0x65, 0x88, 1], vec![0x65, 0x48]], false)
            ]
        );
    }

    #[test]
    fn a_unit_with_a_hole_is_dropped_and_the_next_says_so() {
        let packets: [(u32, bool, bool, &[u8]); 9] = [
            (1, true, false, &[0x65, 0x88]),
            // A hole in a fragmented slice.
            (2, false, false, &[0x41, 0x9a]),
            (2, false, false, &[0x5c, 0x81, 0x5a]),
            (2, true, true, &[0x5c, 0x41, 3]),
            (3, true, false, &[0x41, 0x9a, 3]),
            // The marker, or more, of 4 is missing, and of 5 perhaps the beginning.
            (4, false, false, &[0x41, 0x9a, 4]),
            (5, true, true, &[0x41, 0x5a, 5]),
            // Whole units are missing, this one is whole.
            (8, true, true, &[0x41, 0x9a, 8]),
            (9, true, false, &[0x41, 0x9a, 9]),
        ];
        let mut dropping = depacketizer();
        let units = run(&mut dropping, &packets);
        let times: Vec<_> = units.iter().map(|(time, _, lost)| (*time, *lost)).collect();
        assert_eq!(times, [(1, false), (3, true), (8, true), (9, false)]);
        assert_eq!(
            (dropping.counts().damaged, dropping.counts().malformed),
            (3, 0)
        );
        // Delivered, only whole NAL units are left of it.
        let mut delivering = Depacketizer::new([SPS, PPS], Damaged::Deliver);
        let units = run(&mut delivering, &packets);
        let second = (2, vec![vec![0x41, 0x9a]], true);
        assert_eq!(units.iter().find(|unit| unit.0 == 2), Some(&second));
        assert_eq!(units.len(), 7);
    }

    #[test]
    fn parameter_sets_in_the_stream_change_the_configuration_once() {
        let mut depacketizer = depacketizer();
        let mut other = SPS.to_vec();
        other[3] = 0x1e;
        let mut push = |packets: &[&[u8]]| -> Vec<bool> {
            for (index, payload) in packets.iter().enumerate() {
                let marker = index + 1 == packets.len();
                depacketizer
                    .push(&input(1, marker, false, payload))
                    .unwrap();
            }
            let events = std::iter::from_fn(|| depacketizer.pull());
            events
                .map(|event| matches!(event, Event::Codec(_)))
                .collect()
        };
        let idr: &[u8] = &[0x65, 0x88];
        assert_eq!(push(&[SPS, PPS, idr]), [true, false]);
        assert_eq!(push(&[SPS, PPS, idr]), [false]);
        assert_eq!(push(&[&other, PPS, idr]), [true, false]);
        assert_eq!(push(&[&other, PPS, idr]), [false]);
        // One that cannot be read leaves all as it was, and hides nothing behind it.
        let aggregate = [&[0x78, 0, 2, 0x67, 0x42, 0, 2][..], idr].concat();
        depacketizer
            .push(&input(1, true, false, &aggregate))
            .unwrap_err();
        assert!(matches!(depacketizer.pull(), Some(Event::Unit(_))));
        assert_eq!(depacketizer.counts().damaged, 0);
    }

    #[test]
    fn without_parameter_sets_units_wait_for_none() {
        let mut depacketizer = Depacketizer::new([&[0x67, 1][..], PPS], Damaged::Drop);
        assert_eq!(
            run(&mut depacketizer, &[(1, true, false, &[0x65, 0x88])]),
            []
        );
        assert_eq!(depacketizer.counts().before_config, 1);
    }

    #[test]
    fn recovery_points_are_random_access_points() {
        let mut depacketizer = depacketizer();
        let mut push = |sei: &[u8]| {
            depacketizer.push(&input(1, false, false, sei)).unwrap();
            depacketizer
                .push(&input(1, true, false, &[0x41, 0x9a]))
                .unwrap();
            let mut events = std::iter::from_fn(|| depacketizer.pull());
            events.any(|event| matches!(event, Event::Unit(unit) if unit.random_access))
        };
        assert!(push(&[0x06, 1, 1, 0x20, 6, 1, 0xc4, 0x80]));
        assert!(!push(&[0x06, 5, 2, 6, 6, 0x80]));
    }

    #[test]
    fn messages_of_a_lost_picture_are_not_those_of_the_next() {
        let sei: &[u8] = &[0x06, 5, 2, 6, 6, 0x80];
        let idr: &[u8] = &[0x65, 0x88];
        for (lost, expected) in [(false, vec![sei, idr]), (true, vec![idr])] {
            let packets = [(1, false, false, sei), (2, true, lost, idr)];
            let units = run(&mut depacketizer(), &packets);
            assert_eq!(units.len(), 1);
            assert_eq!(units[0].1, expected);
        }
    }

    #[test]
    fn an_access_unit_without_end_is_bounded() {
        let mut depacketizer = depacketizer();
        let slice = vec![0x41; 60_000];
        let mut refused = 0;
        for _ in 0..200 {
            refused += usize::from(depacketizer.push(&input(1, false, false, &slice)).is_err());
        }
        assert!(refused > 50);
        let units = run(&mut depacketizer, &[(2, true, false, &[0x41, 0x9a])]);
        assert_eq!(units.len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_packetized_comes_back(
            pictures in prop::collection::vec(testing::picture(0x41, 0x65, &[6, 14]), 1..8),
            max in 64usize..1_500,
            fates in prop::collection::vec(testing::fate(), 0..200),
        ) {
            let units: Vec<_> = pictures.iter().map(|nals| length_prefixed(nals)).collect();
            let cut = |unit: &Vec<u8>| packetize(unit, None, max).unwrap();
            let mut depacketizer = depacketizer();
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
