//! From payloads to access units.

use crate::payload::aac::step;
use crate::payload::sound::Frames;
use crate::payload::{DepacketizerCounts, Event, Input, PayloadError};
use media::Codec;
use media::bits::{BitReader, BitsError};
use media::codec::latm::{Multiplex, MultiplexError, payload_length};

/// Longest element that is put together, in bytes: 64 units of 8 channels.
const MAX_ELEMENT: usize = 64 * 8 * 768;

/// Gives the access units of elements (AudioMuxElement). Push a packet, then pull until there is nothing
/// more; at most as many units come of a packet as it has bytes.
#[derive(Debug)]
pub struct Depacketizer {
    clock_rate: u32,
    /// Elements bring their configuration (`cpresent` is 1).
    in_band: bool,
    multiplex: Option<Multiplex>,
    frames: Frames,
    /// The fragments that came of an element.
    buffer: Vec<u8>,
    current: Option<Current>,
}

/// The element in the making.
#[derive(Clone, Copy, Debug)]
struct Current {
    timestamp: u32,
    /// Its beginning may be missing.
    doubtful: bool,
    /// A part of it is missing.
    broken: bool,
}

impl Depacketizer {
    /// For packets on a clock of `clock_rate`, with the configuration of the session description or, without
    /// one, that of the elements.
    pub fn new(multiplex: Option<Multiplex>, in_band: bool, clock_rate: u32) -> Self {
        let codec = multiplex.as_ref();
        let codec = codec.map(|multiplex| Codec::Aac(multiplex.config.clone()));
        Self {
            clock_rate,
            in_band: in_band || multiplex.is_none(),
            multiplex,
            frames: codec.map_or_else(Frames::default, Frames::of),
            buffer: Vec::new(),
            current: None,
        }
    }

    /// Takes a packet. Empty payloads are passed over.
    ///
    /// # Errors
    /// When an element cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        let mut read = Ok(());
        if input.lost {
            self.frames.lost();
            if let Some(current) = &mut self.current {
                current.broken = true;
            }
        }
        if self
            .current
            .is_some_and(|current| current.timestamp != input.timestamp)
        {
            // The sender sets no markers, or this one was lost.
            read = self.element();
        }
        let current = self.current.get_or_insert(Current {
            timestamp: input.timestamp,
            doubtful: input.lost,
            broken: false,
        });
        if self.buffer.len().saturating_add(input.payload.len()) > MAX_ELEMENT {
            current.broken = true;
            read = self.frames.read(Err(PayloadError::TooLong));
        } else {
            self.buffer.extend_from_slice(input.payload);
        }
        if input.marker {
            let last = self.element();
            read = read.and(last);
        }
        read
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.frames.pull()
    }

    /// Reads the element in the making: nothing more will come.
    pub fn flush(&mut self) {
        // What is wrong with it was counted.
        let _ = self.element();
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.frames.counts()
    }

    /// Gives the units of the element in the buffer.
    fn element(&mut self) -> Result<(), PayloadError> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let buffer = std::mem::take(&mut self.buffer);
        let read = if current.broken {
            self.frames.damaged();
            Ok(())
        } else {
            let read = self.read(current, &buffer);
            self.frames.read(read)
        };
        self.buffer = buffer;
        self.buffer.clear();
        read
    }

    fn read(&mut self, current: Current, element: &[u8]) -> Result<(), PayloadError> {
        if element.is_empty() {
            return Ok(());
        }
        let truncated = |_: BitsError| PayloadError::Truncated(element.len());
        let mut bits = BitReader::new(element);
        // useSameStreamMux
        if self.in_band && !bits.flag().map_err(truncated)? {
            let multiplex = Multiplex::read(&mut bits)
                .map_err(|error: MultiplexError| PayloadError::Config(error.to_string()))?;
            self.frames.announce(Codec::Aac(multiplex.config.clone()));
            self.multiplex = Some(multiplex);
        }
        let Some(multiplex) = &self.multiplex else {
            self.frames.give(current.timestamp, element);
            return Ok(());
        };
        // All lengths first: an element is given whole or not at all.
        let mut rest = bits.clone();
        for _ in 0..multiplex.units {
            let length = payload_length(&mut rest).map_err(truncated)?;
            let room = rest.remaining() / 8;
            if rest.skip(length.saturating_mul(8)).is_err() {
                return Err(PayloadError::Length { length, room });
            }
        }
        // Only the length tells the last part of an element from a whole one.
        if current.doubtful && rest.remaining() > multiplex.other_bits.saturating_add(7) {
            self.frames.damaged();
            return Ok(());
        }
        let step = step(&multiplex.config, self.clock_rate);
        let mut timestamp = current.timestamp;
        for _ in 0..multiplex.units {
            let length = payload_length(&mut bits).map_err(truncated)?;
            let mut frame = Vec::with_capacity(length);
            for _ in 0..length {
                frame.push(bits.bits(8).map_err(truncated)? as u8);
            }
            self.frames.give(timestamp, &frame);
            timestamp = timestamp.wrapping_add(step);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::input;

    const STEREO: [u8; 6] = [0x40, 0x00, 0x23, 0x20, 0x3f, 0xc0];

    fn depacketizer() -> Depacketizer {
        Depacketizer::new(Some(Multiplex::parse(&STEREO).unwrap()), false, 48_000)
    }

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
    fn elements_are_put_together() {
        let long = [&[255, 45][..], &[9; 300]].concat();
        let mut depacketizer = depacketizer();
        let units = run(
            &mut depacketizer,
            &[
                (1, true, false, &[2, 7, 8]),
                (2, false, false, &long[..100]),
                (2, true, false, &long[100..]),
                // Without a marker.
                (3, false, false, &[1, 3]),
                // Its second half is missing, then the first half of the next one.
                (4, false, false, &long[..100]),
                (5, true, true, &long[100..]),
                (6, true, false, &[1, 6]),
            ],
        );
        let expected = [
            (1, vec![7, 8], false),
            (2, vec![9; 300], false),
            (3, vec![3], false),
            (6, vec![6], true),
        ];
        assert_eq!(units, expected);
        assert_eq!(depacketizer.counts().damaged, 2);
    }

    #[test]
    fn configurations_in_the_elements() {
        let mut bits = vec![false];
        let mut put = |byte: u8, count: u32| {
            bits.extend((0..count).rev().map(|bit| byte >> bit & 1 == 1));
        };
        STEREO[..5].iter().for_each(|byte| put(*byte, 8));
        put(STEREO[5] >> 6, 2);
        // otherDataPresent and crcCheckPresent, then a length and two bytes.
        put(0, 2);
        [2, 7, 8].iter().for_each(|byte| put(*byte, 8));
        let element: Vec<u8> = bits
            .chunks(8)
            .map(|bits| {
                let byte = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
                byte << (8 - bits.len())
            })
            .collect();
        let mut depacketizer = Depacketizer::new(None, true, 48_000);
        // The same as before, which is none.
        let units = run(
            &mut depacketizer,
            &[
                (1, true, false, &[0x81, 0x83]),
                (2, true, false, &element),
                (3, true, false, &[0x80, 0x83, 0x80]),
            ],
        );
        assert_eq!(units, [(2, vec![7, 8], false), (3, vec![7], false)]);
        assert_eq!(depacketizer.counts().before_config, 1);
    }

    #[test]
    fn lengths_that_do_not_fit() {
        let mut depacketizer = depacketizer();
        let error = PayloadError::Length { length: 9, room: 1 };
        assert_eq!(
            depacketizer.push(&input(1, true, false, &[9, 1])),
            Err(error)
        );
        let error = PayloadError::Truncated(1);
        assert_eq!(
            depacketizer.push(&input(1, true, false, &[255])),
            Err(error)
        );
        assert_eq!(
            run(&mut depacketizer, &[(2, true, false, &[1, 5])]).len(),
            1
        );
    }
}
