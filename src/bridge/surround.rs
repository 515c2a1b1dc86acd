//! AAC-LC of more than two channels to stereo, by syom.
//!
//! Both sides get the channels of their side and the centre, those that are not in front at -3 dB, as ITU-R BS.775 has
//! it; what that adds up to is scaled back, so that nothing is cut off. The channel of low frequencies is left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use syom::{Channel, DecodeOptions};

/// -3 dB.
const LOWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// A decoder of one track.
pub(super) struct Surround {
    decoder: Box<syom::Decoder>,
    /// The AudioSpecificConfig, to begin anew with.
    config: Vec<u8>,
}

impl Surround {
    /// By an AudioSpecificConfig; none when the decoder does not take that.
    pub(super) fn new(config: &[u8]) -> Option<Self> {
        let start = || syom::Decoder::from_asc(config, DecodeOptions::unbounded());
        Some(Self {
            decoder: Box::new(catch_unwind(start).ok()?.ok()?),
            config: config.to_vec(),
        })
    }

    /// Adds the interleaved stereo samples of an access unit. False when it cannot be decoded.
    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut Vec<f32>) -> bool {
        let decoder = &mut self.decoder;
        let decode = AssertUnwindSafe(|| {
            decoder.decode_au(payload, |frame| {
                mix(frame.planar, &frame.meta.channels, samples);
                Ok(())
            })
        });
        let decoded = matches!(catch_unwind(decode), Ok(Ok(())));
        // It takes nothing more after an error.
        if !decoded && let Some(fresh) = Self::new(&self.config) {
            *self = fresh;
        }
        decoded
    }
}

/// How much of a channel is heard on the left and on the right.
const fn place(channel: Option<Channel>) -> (f32, f32) {
    match channel {
        Some(Channel::FrontLeft) => (1.0, 0.0),
        Some(Channel::FrontRight) => (0.0, 1.0),
        Some(Channel::FrontCenter) => (LOWER, LOWER),
        Some(Channel::SideLeft | Channel::BackLeft) => (LOWER, 0.0),
        Some(Channel::SideRight | Channel::BackRight) => (0.0, LOWER),
        Some(Channel::BackCenter) => (0.5, 0.5),
        _ => (0.0, 0.0),
    }
}

fn mix(planes: &[&[f32]], channels: &[Option<Channel>], samples: &mut Vec<f32>) {
    let places: Vec<_> = channels.iter().map(|channel| place(*channel)).collect();
    let sum = |side: fn(&(f32, f32)) -> f32| -> f32 {
        places
            .iter()
            .zip(planes)
            .map(|(place, _)| side(place))
            .sum()
    };
    let scale = 1.0 / sum(|place| place.0).max(sum(|place| place.1)).max(1.0);
    let begin = samples.len();
    let length = planes.first().map_or(0, |plane| plane.len());
    samples.resize(begin + 2 * length, 0.0);
    let Some(mixed) = samples.get_mut(begin..) else {
        return;
    };
    for ((left, right), plane) in places.iter().zip(planes) {
        for (pair, sample) in mixed.chunks_exact_mut(2).zip(*plane) {
            if let [l, r] = pair {
                *l += scale * left * sample;
                *r += scale * right * sample;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_is_heard_on_its_side() {
        use Channel::{BackLeft, BackRight, FrontCenter, FrontLeft, FrontRight, Lfe};
        let channels = [FrontCenter, FrontLeft, FrontRight, BackLeft, BackRight, Lfe].map(Some);
        let scale = 1.0 / (1.0 + 2.0 * LOWER);
        for (loud, expected) in [
            (0, (LOWER, LOWER)),
            (1, (1.0, 0.0)),
            (2, (0.0, 1.0)),
            (3, (LOWER, 0.0)),
            (4, (0.0, LOWER)),
            (5, (0.0, 0.0)),
        ] {
            let planes = [0, 1, 2, 3, 4, 5].map(|plane| [if plane == loud { 1.0 } else { 0.0 }; 3]);
            let planes: Vec<&[f32]> = planes.iter().map(<[f32; 3]>::as_slice).collect();
            let mut samples = vec![7.0];
            mix(&planes, &channels, &mut samples);
            assert_eq!(samples.len(), 7);
            for pair in samples[1..].chunks(2) {
                let (left, right) = (expected.0 * scale, expected.1 * scale);
                assert!((pair[0] - left).abs() < 1e-6 && (pair[1] - right).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn all_at_once_are_not_too_loud() {
        let channels: Vec<_> = [
            Channel::FrontCenter,
            Channel::FrontLeft,
            Channel::FrontRight,
        ]
        .map(Some)
        .into();
        let mut samples = Vec::new();
        mix(&[&[1.0], &[1.0], &[1.0]], &channels, &mut samples);
        assert!(samples.iter().all(|sample| (0.99..=1.01).contains(sample)));
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        assert!(Surround::new(&[]).is_none());
        assert!(Surround::new(&[0xff; 2]).is_none());
    }
}
