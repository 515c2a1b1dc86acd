//! From payloads to access units.

use crate::payload::sound::Frames;
use crate::payload::{DepacketizerCounts, Event, Input};
use media::codec::g711::Law;
use media::{Codec, Timebase};

/// Gives the samples of payloads, one access unit of each. Push a packet, then pull.
#[derive(Debug)]
pub struct Depacketizer {
    channels: u8,
    frames: Frames,
}

impl Depacketizer {
    /// For samples of this law, rate and number of channels.
    pub fn new(law: Law, sample_rate: Timebase, channels: u8) -> Self {
        let codec = Codec::G711 {
            law,
            sample_rate,
            channels,
        };
        Self {
            channels,
            frames: Frames::of(codec),
        }
    }

    /// Takes a packet. A last sample that not every channel has is left out.
    pub fn push(&mut self, input: &Input<'_>) {
        if input.lost {
            self.frames.lost();
        }
        let odd = input.payload.len().checked_rem(usize::from(self.channels));
        let whole = input.payload.len().saturating_sub(odd.unwrap_or(0));
        let samples = input.payload.get(..whole).unwrap_or_default();
        self.frames.give(input.timestamp, samples);
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.frames.pull()
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.frames.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::g711::packetize;
    use crate::payload::testing::input;

    #[test]
    fn samples_come_back() {
        let rate = Timebase::new(8_000).unwrap();
        let mut depacketizer = Depacketizer::new(Law::A, rate, 2);
        assert!(matches!(
            depacketizer.pull(),
            Some(Event::Codec(Codec::G711 { .. }))
        ));
        for payload in packetize(&[1, 2, 3, 4, 5], 3).iter() {
            depacketizer.push(&input(7, false, true, payload));
        }
        depacketizer.push(&input(8, false, false, &[]));
        let units: Vec<_> = std::iter::from_fn(|| depacketizer.pull())
            .map(|event| match event {
                Event::Unit(unit) => (unit.timestamp, unit.payload.to_vec(), unit.after_loss),
                Event::Codec(_) => panic!("the codec again"),
            })
            .collect();
        // Three bytes are one sample of two channels, and a half.
        assert_eq!(units, [(7, vec![1, 2], false), (7, vec![4, 5], true)]);
    }
}
