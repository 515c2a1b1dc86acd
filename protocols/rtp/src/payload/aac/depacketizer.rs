//! From payloads to access units.

use super::headers::Layout;
use crate::payload::sound::Frames;
use crate::payload::{DepacketizerCounts, Event, Input, PayloadError};
use media::Codec;
use media::codec::aac::Config;

/// Longest access unit that is put together of fragments: 64 channels of 6,144 bits.
const MAX_FRAGMENTED: usize = 64 * 768;

/// Gives the access units of payloads. Push a packet, then pull until there is nothing more; at most as many
/// units come of a packet as it has headers.
#[derive(Debug)]
pub struct Depacketizer {
    layout: Layout,
    /// From one access unit to the next, on the clock of the packets.
    step: u32,
    frames: Frames,
    sizes: Vec<usize>,
    fragments: Option<Fragments>,
    buffer: Vec<u8>,
}

/// The access unit whose fragments are coming; those that came are in the buffer.
#[derive(Clone, Copy, Debug)]
struct Fragments {
    timestamp: u32,
    size: usize,
}

impl Depacketizer {
    /// For headers of this layout, and packets on a clock of `clock_rate`, which is not the sample rate of the
    /// core where a decoder doubles that.
    pub fn new(config: Config, clock_rate: u32, layout: Layout) -> Self {
        Self {
            layout,
            step: step(&config, clock_rate),
            frames: Frames::of(Codec::Aac(config)),
            sizes: Vec::new(),
            fragments: None,
            buffer: Vec::new(),
        }
    }

    /// Takes a packet. Empty payloads are passed over.
    ///
    /// # Errors
    /// When the payload cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        if input.lost {
            self.frames.lost();
        }
        let broken = |fragments: Fragments| input.lost || fragments.timestamp != input.timestamp;
        if self.fragments.is_some_and(broken) {
            self.give_up();
        }
        if input.payload.is_empty() {
            return Ok(());
        }
        let read = self.read(input);
        self.frames.read(read)
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.frames.pull()
    }

    /// Drops the access unit in the making: nothing more will come.
    pub fn flush(&mut self) {
        if self.fragments.is_some() {
            self.give_up();
        }
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.frames.counts()
    }

    fn read(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        let mut data = self.layout.read(input.payload, &mut self.sizes)?;
        if let Some(fragments) = self.fragments {
            return self.go_on(fragments, input.marker, data);
        }
        match self.sizes.as_slice() {
            // Senders that do not tell the size send one unit.
            [] | [0] => self.frame(input.timestamp, data),
            &[size] if size > data.len() => return self.alone(size, input, data),
            _ => {
                let mut timestamp = input.timestamp;
                for index in 0..self.sizes.len() {
                    let size = self.sizes.get(index).copied().unwrap_or(0);
                    let room = data.len();
                    let (frame, rest) = data
                        .split_at_checked(size)
                        .ok_or(PayloadError::Length { length: size, room })?;
                    self.frame(timestamp, frame);
                    timestamp = timestamp.wrapping_add(self.step);
                    data = rest;
                }
            }
        }
        Ok(())
    }

    /// A single access unit that is longer than its packet.
    fn alone(&mut self, size: usize, input: &Input<'_>, data: &[u8]) -> Result<(), PayloadError> {
        if size > MAX_FRAGMENTED {
            return Err(PayloadError::TooLong);
        }
        if !input.marker {
            self.buffer.clear();
            self.buffer.extend_from_slice(data);
            self.fragments = Some(Fragments {
                timestamp: input.timestamp,
                size,
            });
        } else if input.lost {
            // The last fragment of a unit whose beginning is missing.
            self.frames.damaged();
        } else {
            // The marker says that it is complete, so that the size is a lie.
            self.frame(input.timestamp, data);
        }
        Ok(())
    }

    fn go_on(
        &mut self,
        fragments: Fragments,
        marker: bool,
        data: &[u8],
    ) -> Result<(), PayloadError> {
        if self.buffer.len().saturating_add(data.len()) > MAX_FRAGMENTED {
            self.give_up();
            return Err(PayloadError::TooLong);
        }
        self.buffer.extend_from_slice(data);
        match self.buffer.len() >= fragments.size {
            true => {
                self.fragments = None;
                let buffer = std::mem::take(&mut self.buffer);
                let whole = buffer.get(..fragments.size).unwrap_or_default();
                self.frame(fragments.timestamp, whole);
                self.buffer = buffer;
                Ok(())
            }
            false if marker => {
                self.give_up();
                Err(PayloadError::Fragment("that is the last, of too few"))
            }
            false => Ok(()),
        }
    }

    fn give_up(&mut self) {
        self.fragments = None;
        self.frames.damaged();
    }

    fn frame(&mut self, timestamp: u32, frame: &[u8]) {
        self.frames.give(timestamp, without_adts(frame));
    }
}

/// The duration of an access unit on a clock of `clock_rate`.
pub(in crate::payload) fn step(config: &Config, clock_rate: u32) -> u32 {
    let samples = u64::from(config.frame_length) * u64::from(clock_rate);
    let rate = u64::from(config.sample_rate.ticks_per_second());
    u32::try_from(samples / rate).unwrap_or(u32::MAX)
}

/// An access unit without the ADTS header that some cameras leave in front of it (ISO/IEC 14496-3 clause
/// 1.A.2.2). No access unit begins with its 12 bits.
fn without_adts(frame: &[u8]) -> &[u8] {
    let [0xff, second, _, third, fourth, fifth, _, ..] = frame else {
        return frame;
    };
    let length = usize::from(third & 3) << 11 | usize::from(*fourth) << 3 | usize::from(fifth >> 5);
    if second & 0xf6 != 0xf0 || length != frame.len() {
        return frame;
    }
    // Without protection there is no checksum of 2 bytes.
    let header = if second & 1 == 1 { 7 } else { 9 };
    frame.get(header..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::aac::packetize;
    use crate::payload::testing::{self, input};
    use proptest::prelude::*;
    use std::time::Instant;

    fn depacketizer() -> Depacketizer {
        let config = Config::low_complexity(48_000, 2).unwrap();
        Depacketizer::new(config, 48_000, Layout::HIGH_BIT_RATE)
    }

    /// Pushes (timestamp, marker, lost, payload) and gives (timestamp, frame, after loss).
    fn run(
        depacketizer: &mut Depacketizer,
        packets: &[(u32, bool, bool, &[u8])],
    ) -> Vec<(u32, Vec<u8>, bool)> {
        for (timestamp, marker, lost, payload) in packets {
            let _ = depacketizer.push(&input(*timestamp, *marker, *lost, payload));
        }
        let events = std::iter::from_fn(|| depacketizer.pull());
        events
            .filter_map(|event| match event {
                Event::Unit(unit) => Some((unit.timestamp, unit.payload.to_vec(), unit.after_loss)),
                Event::Codec(_) => None,
            })
            .collect()
    }

    #[test]
    fn several_units_of_a_packet_follow_each_other() {
        let payload = [0, 48, 0, 8, 0, 16, 0, 8, 1, 2, 2, 3];
        let units = run(&mut depacketizer(), &[(u32::MAX, true, false, &payload)]);
        let expected = [
            (u32::MAX, vec![1], false),
            (1_023, vec![2, 2], false),
            (2_047, vec![3], false),
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn a_clock_of_another_rate_than_the_samples() {
        let config = Config::low_complexity(24_000, 2).unwrap();
        assert_eq!(step(&config, 48_000), 2_048);
        assert_eq!(step(&config, 90_000), 3_840);
    }

    #[test]
    fn fragments_are_put_together() {
        let mut depacketizer = depacketizer();
        let units = run(
            &mut depacketizer,
            &[
                (1, false, false, &[0, 16, 0, 32, 1, 2]),
                (1, true, false, &[0, 16, 0, 32, 3, 4]),
                // The second half is missing, the first half is missing, both are there, too few.
                (2, false, false, &[0, 16, 0, 32, 1, 2]),
                (3, true, true, &[0, 16, 0, 32, 3, 4]),
                (4, true, false, &[0, 16, 0, 8, 5]),
                (5, false, false, &[0, 16, 0, 32, 1, 2]),
                (5, true, false, &[0, 16, 0, 32, 3]),
                (6, true, false, &[0, 16, 0, 8, 6]),
            ],
        );
        let expected = [
            (1, vec![1, 2, 3, 4], false),
            (4, vec![5], true),
            (6, vec![6], true),
        ];
        assert_eq!(units, expected);
        let counts = depacketizer.counts();
        assert_eq!((counts.damaged, counts.malformed), (3, 1));
    }

    #[test]
    fn sizes_that_are_wrong() {
        let mut depacketizer = depacketizer();
        let units = run(
            &mut depacketizer,
            &[
                // A size of 9 with the marker of a whole unit, and none.
                (1, true, false, &[0, 16, 0, 72, 1, 2]),
                (2, true, false, &[0, 16, 0, 0, 1, 2]),
                // The second of two reaches past the end.
                (3, true, false, &[0, 32, 0, 8, 0, 72, 1, 2]),
                (4, true, false, &[]),
                (5, true, false, &[0, 16, 0, 8, 1]),
            ],
        );
        let expected = [
            (1, vec![1, 2], false),
            (2, vec![1, 2], false),
            (3, vec![1], false),
            (5, vec![1], true),
        ];
        assert_eq!(units, expected);
        assert_eq!(depacketizer.counts().malformed, 1);
    }

    #[test]
    fn headers_of_adts_are_taken_off() {
        let adts = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 1, 2];
        assert_eq!(without_adts(&adts), [1, 2]);
        assert_eq!(without_adts(&adts[..8]), &adts[..8]);
        assert_eq!(without_adts(&[0xff, 0xf0, 0, 0, 0x01, 0x3f, 0, 0, 0]), []);
    }

    proptest! {
        #[test]
        fn what_is_packetized_comes_back(
            mut units in prop::collection::vec(prop::collection::vec(0u8..255, 1..2_000), 1..30),
            max in 64usize..1_500,
            fates in prop::collection::vec(testing::fate(), 0..60),
        ) {
            // Distinct from each other, so that none can be taken for another.
            for (index, unit) in units.iter_mut().enumerate() {
                unit.push(index as u8);
            }
            let mut depacketizer = depacketizer();
            testing::there_and_back(
                Instant::now(),
                &units,
                |unit| packetize(unit, max),
                &fates,
                |input| drop(depacketizer.push(input)),
            );
            let given: Vec<_> = std::iter::from_fn(|| depacketizer.pull()).collect();
            testing::check(&units, &fates, given)?;
        }
    }
}
