//! Samples to Opus packets of 20 ms (RFC 6716).
//!
//! The encoder runs in its restricted low delay application, which is CELT alone: at these bitrates the other
//! modes would hardly be chosen, it looks 2.5 ms ahead instead of 6.5, and its cost is the same for speech and
//! music.

use super::Unsupported;
use bytes::Bytes;
use opus_rs::{Application, OpusEncoder};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Samples per second and channel, and the timebase of Opus.
pub(super) const RATE: u32 = 48_000;

/// Samples of a channel in a packet: 20 ms.
pub(super) const FRAME: usize = 960;

/// Samples by which the decoded sound lags behind what was encoded: the overlap of CELT, 2.5 ms.
pub(super) const LOOKAHEAD: usize = 120;

/// Longest packet of one frame (RFC 6716 section 3.2.1), with its first byte.
const MAX_PACKET: usize = 1_276;

/// Bits per second and channel, by what the source can hold: sound of up to 16 kHz sample rate has nothing
/// above 8 kHz.
const BITRATE_NARROW: i32 = 32_000;
const BITRATE_WIDE: i32 = 64_000;

/// Effort from 0 to 10; more costs time for no audible gain at these bitrates.
const COMPLEXITY: i32 = 5;

/// An Opus encoder that survives the failures of the one it wraps.
pub(super) struct Encoder {
    inner: OpusEncoder,
    channels: usize,
    bitrate: i32,
    packet: Box<[u8; MAX_PACKET]>,
}

impl Encoder {
    /// For sound whose source has `source_rate` samples per second.
    pub(super) fn new(channels: usize, source_rate: u32) -> Result<Self, Unsupported> {
        let per_channel = match source_rate {
            ..=16_000 => BITRATE_NARROW,
            _ => BITRATE_WIDE,
        };
        let bitrate = if channels == 2 {
            2 * per_channel
        } else {
            per_channel
        };
        Ok(Self {
            inner: start(channels, bitrate).ok_or(Unsupported::Setup("Opus encoder"))?,
            channels,
            bitrate,
            packet: Box::new([0; MAX_PACKET]),
        })
    }

    /// Encodes [`FRAME`] interleaved samples within ±1. `None` when that failed; the next packet starts anew.
    pub(super) fn encode(&mut self, samples: &[f32]) -> Option<Bytes> {
        let Self { inner, packet, .. } = self;
        let encode = AssertUnwindSafe(|| inner.encode(samples, FRAME, packet.as_mut_slice()));
        let length = catch_unwind(encode).ok().and_then(Result::ok);
        let coded = length
            .and_then(|length| self.packet.get(..length))
            .filter(|packet| !packet.is_empty())
            .map(Bytes::copy_from_slice);
        if coded.is_none()
            && let Some(fresh) = start(self.channels, self.bitrate)
        {
            self.inner = fresh;
        }
        coded
    }
}

fn start(channels: usize, bitrate: i32) -> Option<OpusEncoder> {
    let new = || OpusEncoder::new(RATE as i32, channels, Application::RestrictedLowDelay);
    let mut encoder = catch_unwind(new).ok()?.ok()?;
    encoder.bitrate_bps = bitrate;
    encoder.complexity = COMPLEXITY;
    Some(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::codec::opus;

    #[test]
    fn any_samples_become_packets_of_20_ms() {
        let mut random = 1u32;
        for channels in [1, 2] {
            let mut encoder = Encoder::new(channels, 48_000).ok().unwrap();
            for round in 0..200 {
                let mut sample = || {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let noise = random as f32 / u32::MAX as f32 * 2.0 - 1.0;
                    match round % 5 {
                        0 => noise,
                        1 => noise.signum(),
                        2 => 0.0,
                        3 => 1.0,
                        _ => noise * f32::MIN_POSITIVE,
                    }
                };
                let samples: Vec<f32> = (0..FRAME * channels).map(|_| sample()).collect();
                let packet = encoder.encode(&samples).unwrap();
                assert_eq!(opus::duration(&packet), Some(FRAME as u32));
                // Configurations 16 to 31 are CELT.
                assert!(packet[0] >> 3 >= 16);
            }
        }
    }

    #[test]
    fn a_failure_is_no_end() {
        let mut encoder = Encoder::new(1, 48_000).ok().unwrap();
        assert!(encoder.encode(&[0.0; 7]).is_none());
        assert!(encoder.encode(&[0.0; FRAME]).is_some());
        let _ = encoder.encode(&[f32::NAN; FRAME]);
        assert!(encoder.encode(&[0.0; FRAME]).is_some());
    }
}
