//! What the formats of sound have in common: the codec, and the times of frames that follow one in their PES packet.

use super::{Mark, Output};
use bytes::Bytes;
use media::clock::SampleClock;
use media::{AccessUnit, Codec, Timebase, TrackId};

/// How far the times of PES packets may be from the running sample count: what came by RTMP was rounded to
/// milliseconds, and by some encoders twice.
const TOLERANCE_MS: i64 = 2;

/// Gives frames to the output, with times in samples.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    codec: Option<(Codec, Timebase, SampleClock)>,
    /// The last time that a PES packet told, and the samples since.
    told: Option<(i64, i64)>,
}

impl Sound {
    /// The codec from here on, with its sample rate.
    pub(crate) fn announce(&mut self, codec: Codec, rate: Timebase, out: &mut Output<'_>) {
        if self
            .codec
            .as_ref()
            .is_some_and(|(known, ..)| *known == codec)
        {
            return;
        }
        let tolerance = Timebase::MILLIS.rescale(TOLERANCE_MS, rate);
        out.track(codec.clone(), rate);
        self.codec = Some((codec, rate, SampleClock::new(rate, tolerance)));
    }

    /// Something is missing: what follows has no time until a PES packet tells it.
    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        out.counts.damaged_units += 1;
        self.told = None;
    }

    /// Gives a frame of so many samples. One whose time cannot be known is dropped.
    pub(crate) fn give(
        &mut self,
        mark: Option<Mark>,
        samples: u32,
        payload: &[u8],
        out: &mut Output<'_>,
    ) {
        let Some((_, rate, clock)) = &mut self.codec else {
            out.counts.units_before_configuration += 1;
            return;
        };
        if let Some(times) = mark.and_then(|mark| mark.times) {
            self.told = Some((times.pts, 0));
        }
        let Some((ticks, behind)) = &mut self.told else {
            out.counts.units_without_time += 1;
            return;
        };
        let wire = Timebase::VIDEO.rescale_nearest(*ticks, *rate);
        let time = clock.stamp(wire.saturating_add(*behind), *rate, samples);
        *behind = behind.saturating_add(i64::from(samples));
        if payload.is_empty() {
            return;
        }
        out.unit(AccessUnit {
            track: TrackId(0),
            dts: time,
            pts: time,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::copy_from_slice(payload),
        });
    }
}
