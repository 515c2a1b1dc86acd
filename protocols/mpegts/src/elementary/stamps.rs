//! The times of pictures whose PES packets do not tell them: those that are not the first to begin in theirs.

use crate::time::Times;
use media::codec::order::{PictureOrder, Place};
use media::{Codec, Timebase};

/// Time between two pictures where nothing tells it, in ticks: 40 ms.
const USUAL_INTERVAL: i64 = 3_600;

/// Steps between two times beyond this are no intervals between pictures.
const MAX_STEP: i64 = 90_000 * 10;

/// Gives each picture its times. Those that are not told are counted on from the last that were: decoding times by
/// the interval between pictures, presentation times by the order of output.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    codec: Option<Codec>,
    /// Known from the first picture on whose times were not told.
    order: Option<PictureOrder>,
    interval: Option<i64>,
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    times: Times,
    place: Option<Place>,
    /// The last decoding time that was told, and the pictures since.
    told: i64,
    since: i64,
}

impl Stamps {
    /// Another configuration.
    pub(crate) fn set_codec(&mut self, codec: &Codec) {
        self.order = self.order.as_ref().and_then(|_| PictureOrder::new(codec));
        let rate = codec.frame_rate();
        let ticks = i64::from(Timebase::VIDEO.ticks_per_second());
        let interval =
            rate.map(|(pictures, units)| ticks * i64::from(units) / i64::from(pictures.max(1)));
        self.interval = interval.filter(|interval| (1..=ticks).contains(interval));
        self.codec = Some(codec.clone());
    }

    /// Pictures are missing: how many is not known.
    pub(crate) const fn lost(&mut self) {
        self.last = None;
    }

    /// The times of the next picture in decoding order; `None` where nothing tells them.
    pub(crate) fn next(&mut self, told: Option<Times>, payload: &[u8]) -> Option<Times> {
        if told.is_none() && self.order.is_none() {
            self.order = self.codec.as_ref().and_then(PictureOrder::new);
        }
        let place = self.order.as_mut().and_then(|order| order.place(payload));
        let last = match (told, self.last) {
            (Some(times), last) => {
                self.measure(times, last);
                Last {
                    times,
                    place,
                    told: times.dts,
                    since: 0,
                }
            }
            (None, Some(last)) => Last {
                times: self.follow(&last, place.as_ref()),
                place,
                told: last.told,
                since: last.since.saturating_add(1),
            },
            (None, None) => return None,
        };
        self.last = Some(last);
        Some(last.times)
    }

    /// Learns the interval from two times that were told and the pictures between them.
    fn measure(&mut self, times: Times, last: Option<Last>) {
        let Some(last) = last else { return };
        let step = times.dts.saturating_sub(last.told);
        let interval = step / last.since.saturating_add(1);
        if step < MAX_STEP && interval > 0 {
            self.interval = Some(interval);
        }
    }

    fn follow(&self, last: &Last, place: Option<&Place>) -> Times {
        let interval = self.interval.unwrap_or(USUAL_INTERVAL);
        let dts = last.times.dts.saturating_add(interval);
        let steps = match (place, &last.place) {
            (Some(place), Some(before)) if place.sequence == before.sequence => {
                let step = place.count.saturating_sub(before.count);
                step.checked_div(place.spacing)
            }
            _ => None,
        };
        let pts = steps
            .and_then(|steps| steps.checked_mul(interval))
            .unwrap_or(interval);
        Times {
            dts,
            pts: last.times.pts.saturating_add(pts).max(dts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_learnt() {
        let told = |dts| Some(Times { dts, pts: dts });
        let mut stamps = Stamps::default();
        assert_eq!(stamps.next(None, &[]), None);
        let mut next = |times| stamps.next(times, &[]).map(|times| times.dts);
        assert_eq!(next(told(1_000)), Some(1_000));
        assert_eq!(next(None), Some(1_000 + USUAL_INTERVAL));
        assert_eq!(next(None), Some(1_000 + 2 * USUAL_INTERVAL));
        assert_eq!(next(told(10_000)), Some(10_000));
        assert_eq!(next(None), Some(13_000));
        // No interval is learnt of a jump.
        assert_eq!(next(told(90_000_000)), Some(90_000_000));
        assert_eq!(next(None), Some(90_003_000));
    }
}
