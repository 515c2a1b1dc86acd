//! Sound whose samples are of one size, so that it is cut at any of them: G.711, G.722, G.726 and linear PCM
//! (RFC 3551 sections 4.5.2, 4.5.4, 4.5.11 and 4.5.14).

use super::sound::Frames;
use super::{DepacketizerCounts, Event, Input, Payloads, Writer};
use media::Codec;
use media::codec::g726::{Bits, Packing, repack};

/// Static payload types (RFC 3551 section 6).
pub mod payload_type {
    /// G.711 mu-law at 8 kHz, mono.
    pub const PCMU: u8 = 0;
    /// G.726 at 32 kbit/s, as it was once.
    pub const G726_32: u8 = 2;
    /// G.711 A-law at 8 kHz, mono.
    pub const PCMA: u8 = 8;
    /// G.722, mono.
    pub const G722: u8 = 9;
    /// Linear PCM at 44.1 kHz, stereo.
    pub const L16_STEREO: u8 = 10;
    /// Linear PCM at 44.1 kHz, mono.
    pub const L16_MONO: u8 = 11;
}

/// The fewest bytes that hold whole samples of all channels, and how many ticks of the clock they last. `None` for
/// codecs without such samples.
fn block(codec: &Codec) -> Option<(usize, u32)> {
    Some(match codec {
        // A byte of G.722 is two samples, on a clock of half the rate.
        Codec::G711 { channels, .. } | Codec::G722 { channels } => (usize::from(*channels), 1),
        Codec::L16 { channels, .. } => (2 * usize::from(*channels), 1),
        Codec::G726(bits) => match bits.get() {
            2 => (1, 4),
            4 => (1, 2),
            odd => (usize::from(odd), 8),
        },
        _ => return None,
    })
}

/// Gives the samples of payloads, one access unit of each. Push a packet, then pull.
#[derive(Debug)]
pub struct Depacketizer {
    block: usize,
    /// Samples of G.726 that are packed as in ATM.
    turned: Option<Bits>,
    frames: Frames,
}

impl Depacketizer {
    /// For samples of this codec; bytes are taken as they are where the codec has none.
    pub fn new(codec: Codec) -> Self {
        Self {
            block: block(&codec).map_or(1, |(bytes, _)| bytes.max(1)),
            turned: None,
            frames: Frames::of(codec),
        }
    }

    /// For samples of G.726 packed as in ATM (`AAL2-G726`), the first in the highest bits.
    pub fn aal2(bits: Bits) -> Self {
        Self {
            block: bits.get().into(),
            turned: Some(bits),
            frames: Frames::of(Codec::G726(bits)),
        }
    }

    /// Takes a packet. A last sample that not every channel has is left out.
    pub fn push(&mut self, input: &Input<'_>) {
        if input.lost {
            self.frames.lost();
        }
        let odd = input.payload.len().checked_rem(self.block);
        let whole = input.payload.len().saturating_sub(odd.unwrap_or(0));
        let samples = input.payload.get(..whole).unwrap_or_default();
        match self.turned {
            Some(bits) => {
                let samples = repack(samples, bits, Packing::HighFirst);
                self.frames.give(input.timestamp, &samples);
            }
            None => self.frames.give(input.timestamp, samples),
        }
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

/// Cuts samples into payloads of at most `max_payload` bytes, but of one sample at least. They follow each other in
/// time, see [`Payloads::offset`].
pub fn packetize(codec: &Codec, samples: &[u8], max_payload: usize) -> Payloads {
    let (bytes, ticks) = block(codec).unwrap_or((1, 0));
    let bytes = bytes.max(1);
    let blocks = (max_payload / bytes).max(1);
    let size = blocks.saturating_mul(bytes);
    let mut writer = Writer::with_capacity(samples.len(), samples.len().div_ceil(size));
    for part in samples.chunks(size) {
        writer.put(&[part]);
    }
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    writer.finish_spaced(ticks.saturating_mul(blocks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::input;
    use media::Timebase;
    use media::codec::g711::Law;

    fn g711(channels: u8) -> Codec {
        Codec::G711 {
            law: Law::A,
            sample_rate: Timebase::new(8_000).unwrap(),
            channels,
        }
    }

    fn units(depacketizer: &mut Depacketizer) -> Vec<(u32, Vec<u8>, bool)> {
        let events = std::iter::from_fn(|| depacketizer.pull());
        let units = events.filter_map(|event| match event {
            Event::Unit(unit) => Some((unit.timestamp, unit.payload.to_vec(), unit.after_loss)),
            Event::Codec(_) => None,
        });
        units.collect()
    }

    #[test]
    fn samples_of_all_channels_come_back() {
        let mut depacketizer = Depacketizer::new(g711(2));
        assert_eq!(depacketizer.pull(), Some(Event::Codec(g711(2))));
        depacketizer.push(&input(7, false, true, &[1, 2, 3]));
        depacketizer.push(&input(8, false, true, &[4, 5]));
        depacketizer.push(&input(9, false, false, &[]));
        // Three bytes are one sample of two channels, and a half.
        let expected = [(7, vec![1, 2], false), (8, vec![4, 5], true)];
        assert_eq!(units(&mut depacketizer), expected);
    }

    #[test]
    fn long_frames_are_cut_at_samples_and_follow_in_time() {
        let l16 = Codec::L16 {
            sample_rate: Timebase::new(48_000).unwrap(),
            channels: 2,
        };
        let g726 = |bits| Codec::G726(Bits::new(bits).unwrap());
        // Codec, bytes, sizes, ticks from one payload to the next.
        let cases: [(Codec, usize, &[usize], u32); 6] = [
            (g711(1), 400, &[161, 161, 78], 161),
            (l16, 400, &[160, 160, 80], 40),
            (Codec::G722 { channels: 2 }, 200, &[160, 40], 80),
            (g726(3), 200, &[159, 41], 424),
            (g726(4), 200, &[161, 39], 322),
            (g726(5), 160, &[160], 256),
        ];
        for (codec, bytes, sizes, ticks) in cases {
            let payloads = packetize(&codec, &vec![0xd5; bytes], 161);
            let found: Vec<_> = payloads.iter().map(<[u8]>::len).collect();
            assert_eq!(found, sizes, "{codec:?}");
            assert_eq!((payloads.offset(0), payloads.offset(1)), (0, ticks));
        }
        assert!(packetize(&g711(1), &[], 160).is_empty());
    }

    #[test]
    fn the_packing_of_atm_is_turned() {
        let mut depacketizer = Depacketizer::aal2(Bits::new(4).unwrap());
        depacketizer.push(&input(7, false, false, &[0x12, 0x34, 0x56, 0x78]));
        let expected = [(7, vec![0x21, 0x43, 0x65, 0x87], false)];
        assert_eq!(units(&mut depacketizer), expected);
    }
}
