//! From payloads to Opus packets.

use super::samples;
use crate::payload::sound::Frames;
use crate::payload::{DepacketizerCounts, Event, Input, PayloadError};
use media::Codec;
use media::codec::opus::Config;

/// Gives the Opus packets of payloads, one of each. Push a packet, then pull.
#[derive(Debug)]
pub struct Depacketizer(Frames);

impl Depacketizer {
    /// With the configuration that the session description gives.
    pub fn new(config: Config) -> Self {
        Self(Frames::of(Codec::Opus(config)))
    }

    /// Takes a packet. Empty payloads are passed over.
    ///
    /// # Errors
    /// When the payload is no Opus packet; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        if input.lost {
            self.0.lost();
        }
        if !input.payload.is_empty() && samples(input.payload).is_none() {
            let length = input.payload.len();
            return self.0.read(Err(PayloadError::Truncated(length)));
        }
        self.0.give(input.timestamp, input.payload);
        Ok(())
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.0.pull()
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.0.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::input;

    #[test]
    fn one_payload_is_one_packet() {
        let mut depacketizer = Depacketizer::new(Config::new(2, 312, 48_000).unwrap());
        assert!(matches!(
            depacketizer.pull(),
            Some(Event::Codec(Codec::Opus(_)))
        ));
        depacketizer
            .push(&input(1, false, false, &[0xfc, 1]))
            .unwrap();
        depacketizer.push(&input(2, false, false, &[])).unwrap();
        depacketizer
            .push(&input(3, false, false, &[0xff, 0]))
            .unwrap_err();
        depacketizer
            .push(&input(4, false, true, &[0xfc, 4]))
            .unwrap();
        let units: Vec<_> = std::iter::from_fn(|| depacketizer.pull())
            .map(|event| match event {
                Event::Unit(unit) => (unit.timestamp, unit.payload.to_vec(), unit.after_loss),
                Event::Codec(_) => panic!("the codec again"),
            })
            .collect();
        assert_eq!(units, [(1, vec![0xfc, 1], false), (4, vec![0xfc, 4], true)]);
        assert_eq!(depacketizer.counts().malformed, 1);
    }
}
