//! Access units in packets, and those that a viewer can begin with now.

use media::{Kind, Timebase};
use rtp::Payloads;

/// From one picture to the next, in microseconds, where there is only one to judge by; and the most that is believed.
const STEP: i64 = 33_333;
const MAX_STEP: i64 = 1_000_000;

/// The least by which two times differ in packets, whose clock has 90,000 ticks a second, in microseconds.
const TICK: i64 = 12;

/// What a picture takes beside its payloads, in bytes: small ones are many.
const OVERHEAD: usize = 256;

/// One access unit in packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) kind: Kind,
    pub(super) time: i64,
    pub(super) timebase: Timebase,
    pub(super) payloads: Payloads,
    pub(super) random_access: bool,
}

impl Sample {
    /// Whether a session can begin with it.
    pub(super) fn begins(&self, has_video: bool) -> bool {
        !has_video || self.kind == Kind::Video && self.random_access
    }

    fn micros(&self) -> i64 {
        self.timebase.rescale(self.time, Timebase::MICROS)
    }
}

/// The pictures since the newest random access point.
#[derive(Default)]
pub(super) struct Recent {
    pictures: Vec<Sample>,
    bytes: usize,
}

impl Recent {
    /// Takes a sample as the newest, unless it is sound.
    pub(super) fn remember(&mut self, sample: &Sample, max_bytes: usize) {
        if sample.kind != Kind::Video {
            return;
        }
        if sample.random_access || self.bytes > max_bytes {
            *self = Self::default();
        }
        if sample.random_access || !self.pictures.is_empty() {
            self.bytes += OVERHEAD + sample.payloads.bytes();
            self.pictures.push(sample.clone());
        }
    }

    /// The pictures with times a millisecond apart, so that they are over at once; otherwise the player
    /// would stay behind by as much as it was sent.
    pub(super) fn drawn_together(&self) -> impl Iterator<Item = Sample> {
        let last = self.pictures.last().map_or(0, |last| last.time);
        let after = (0i64..).take(self.pictures.len()).collect::<Vec<_>>();
        after
            .into_iter()
            .rev()
            .zip(&self.pictures)
            .map(move |(after, sample)| {
                let step = Timebase::MILLIS.rescale(1, sample.timebase).max(1);
                let drawn = last.saturating_sub(after.saturating_mul(step));
                let time = sample.time.max(drawn);
                Sample {
                    time,
                    ..sample.clone()
                }
            })
    }

    /// The pictures with times between the newest of them, which has been sent, and the one to come: for who begins
    /// anew, to whom time must not go back. None where they are too many for that.
    pub(super) fn squeezed(&self) -> Vec<Sample> {
        let times = || self.pictures.iter().rev().map(Sample::micros);
        let Some(last) = times().next() else {
            return Vec::new();
        };
        let to_last = times().nth(1).map_or(STEP, |before| last - before);
        let count = i64::try_from(self.pictures.len()).unwrap_or(i64::MAX);
        let step = to_last.clamp(0, MAX_STEP) / count.saturating_add(1);
        if step < TICK {
            return Vec::new();
        }
        let squeezed = (1..).zip(&self.pictures).map(|(number, sample)| Sample {
            time: last.saturating_add(step.saturating_mul(number)),
            timebase: Timebase::MICROS,
            ..sample.clone()
        });
        squeezed.collect()
    }
}
