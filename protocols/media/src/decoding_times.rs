//! Decoding times for pictures that come with presentation times alone, as over RTP.
//!
//! A decoder puts pictures out in the order of their presentation, and for that holds back some, as many as
//! the *depth*. So the decoding time of a picture is the smallest presentation time that has been seen and
//! not been given out, once as many are waiting as the depth says: the presentation times in their order,
//! late by the depth. What would have been given out before the first picture is made up. Nothing waits for
//! this but numbers: each picture gets its decoding time when it comes, and keeps it.
//!
//! The depth is told by most streams. Where it is not, picture order count shows that pictures are missing
//! between two that have come, before the first of them comes; from then on the depth is known to be larger.
//! The pictures until then share the time up to the first missing one.
//!
//! Where pictures are lost, or clocks are wrong, a time may not grow. Whoever promises growing times has to
//! mend that.

use crate::codec::order::{PictureOrder, Place};
use crate::{Timebase, Track};
use std::collections::VecDeque;
use std::time::Duration;

/// Most pictures that a decoder of H.264 or H.265 holds back.
const MAX_DEPTH: usize = 16;

/// Pictures that may be presented before one at which a stream was joined in the middle.
const MAX_LEADING: usize = 8;

/// Time between two pictures where nothing tells it.
const USUAL_INTERVAL: Duration = Duration::from_millis(40);

/// Steps of presentation time between neighbours in output order beyond this are jumps of the clock.
const MAX_STEP: Duration = Duration::from_secs(10);

/// Steps beyond this are gaps, if the pictures before came much more often.
const MIN_GAP: Duration = Duration::from_secs(1);

/// By how many times the usual interval a gap is larger.
const GAP_INTERVALS: i64 = 8;

/// Gives the pictures of a track their decoding times.
#[derive(Clone, Debug)]
pub struct DecodingTimes {
    order: Option<PictureOrder>,
    timebase: Timebase,
    /// The time between two pictures, roughly, in ticks.
    interval: i64,
    depth: usize,
    /// Presentation times that have not been given out, ascending; as many as `depth`, between calls.
    waiting: VecDeque<i64>,
    /// The last pictures as they came, [`MAX_DEPTH`] at most.
    recent: VecDeque<Seen>,
    /// What waits at the first picture has been made up.
    begun: bool,
    /// The last time given out.
    last: i64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    pts: i64,
    place: Option<Place>,
}

impl Seen {
    /// Whether it is put out after `other`.
    fn is_after(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Some(place), Some(other)) => place.is_after(other),
            _ => self.pts > other.pts,
        }
    }
}

impl DecodingTimes {
    /// For pictures of that track.
    pub fn new(track: &Track) -> Self {
        let mut times = Self {
            order: None,
            timebase: track.timebase,
            interval: 0,
            depth: 0,
            waiting: VecDeque::new(),
            recent: VecDeque::new(),
            begun: false,
            last: i64::MIN,
        };
        times.set_track(track);
        times
    }

    /// Another configuration of the track, from the next picture on; its clock goes on.
    pub fn set_track(&mut self, track: &Track) {
        self.order = PictureOrder::new(&track.codec);
        // Their places are those of another order.
        self.recent.clear();
        let told = track.codec.frame_rate();
        let told = told.filter(|(pictures, units)| pictures / units.max(&1) < 1_000);
        let interval = told.map(|(pictures, units)| {
            let ticks = i64::from(self.timebase.ticks_per_second());
            ticks.saturating_mul(units.into()) / i64::from(pictures.max(1))
        });
        let second = self.timebase.ticks(Duration::from_secs(1));
        self.interval = interval
            .filter(|interval| (1..=second).contains(interval))
            .unwrap_or_else(|| self.timebase.ticks(USUAL_INTERVAL));
    }

    /// The decoding time of the next picture in decoding order. It is not after `pts`.
    pub fn next(&mut self, payload: &[u8], pts: i64) -> i64 {
        let place = self.order.as_mut().and_then(|order| order.place(payload));
        let told = self.order.as_ref().and_then(PictureOrder::depth);
        self.stamp(Seen { pts, place }, told)
    }

    fn stamp(&mut self, picture: Seen, told: Option<usize>) -> i64 {
        if self.is_jump(&picture) {
            self.restart(picture.pts);
        }
        let missing = match told {
            Some(_) => None,
            None => self.missing_before(&picture),
        };
        // As many as came before it, or a missing one, and are put out after it.
        let later = self.recent.iter().filter(|seen| seen.is_after(&picture));
        let seen = later.count() + usize::from(missing.is_some());
        let depth = self.depth.max(seen).max(told.unwrap_or(0));
        self.depth = depth.min(MAX_DEPTH);
        if self.recent.len() == MAX_DEPTH {
            self.recent.pop_front();
        }
        self.recent.push_back(picture);

        if !self.begun {
            self.begin(&picture);
        }
        let at = self.waiting.partition_point(|pts| *pts <= picture.pts);
        self.waiting.insert(at, picture.pts);
        let dts = if self.waiting.len() > self.depth {
            self.waiting.pop_front().unwrap_or(picture.pts)
        } else {
            self.between(missing)
        };
        self.last = dts.max(self.last.saturating_add(1)).min(picture.pts);
        self.last
    }

    /// Makes up what would be waiting at the first picture.
    fn begin(&mut self, first: &Seen) {
        // Pictures that lead it are late by themselves: without room for them they would come out of order.
        let leading = first.place.is_some_and(|place| place.leading);
        let leading = if leading { MAX_LEADING } else { 0 };
        let before = |intervals: usize| {
            let intervals = i64::try_from(intervals).unwrap_or(i64::MAX);
            first
                .pts
                .saturating_sub(self.interval.saturating_mul(intervals))
        };
        let made_up = (1..=self.depth).rev();
        self.waiting = made_up.map(|place| before(place + leading)).collect();
        self.begun = true;
    }

    /// A time for a picture after which one more is held back: it and those that are missing, which come
    /// later, share what there is up to the first of them.
    fn between(&self, missing: Option<Missing>) -> i64 {
        let first = self.waiting.front().copied().unwrap_or(self.last);
        let (limit, count) = match missing {
            Some(missing) => (missing.first_pts.min(first), missing.count),
            None => (first, 1),
        };
        let room = limit.saturating_sub(self.last).max(0);
        let shares = count.saturating_add(1).max(2);
        self.last.saturating_add(room / shares)
    }

    /// The pictures that have not come, between this one and the one before it in output order.
    fn missing_before(&self, picture: &Seen) -> Option<Missing> {
        let place = picture.place?;
        let before = |seen: &&Seen| {
            seen.place
                .is_some_and(|other| other.sequence == place.sequence && other.count < place.count)
        };
        let before = self.recent.iter().filter(before);
        let nearest = before.max_by_key(|seen| seen.place.map(|place| place.count))?;
        let distance = place.count.saturating_sub(nearest.place?.count);
        let steps = distance / place.spacing.max(1);
        let count = steps.saturating_sub(1);
        let span = picture.pts.saturating_sub(nearest.pts);
        (count > 0 && span > 0).then(|| Missing {
            count,
            first_pts: nearest.pts.saturating_add(span / steps),
        })
    }

    /// Whether the clock jumped, or the stream paused, in front of this picture.
    fn is_jump(&self, picture: &Seen) -> bool {
        let times = || self.recent.iter().map(|seen| seen.pts);
        let (Some(newest), Some(oldest)) = (times().max(), times().min()) else {
            return false;
        };
        let [jump, gap] = [MAX_STEP, MIN_GAP].map(|step| self.timebase.ticks(step));
        let step = picture.pts.saturating_sub(newest);
        if step > gap {
            let usual = self.usual_interval(oldest, newest);
            return step > jump
                || usual.is_some_and(|usual| step > usual.saturating_mul(GAP_INTERVALS));
        }
        let mut before = self.recent.iter();
        let is_last = match picture.place {
            Some(_) => before.all(|seen| picture.is_after(seen)),
            // There is nothing but times: reordering is not that deep.
            None => self.recent.len() > MAX_DEPTH / 2 && before.all(|seen| seen.pts > picture.pts),
        };
        is_last && (step < -gap || picture.place.is_none())
    }

    /// Begins anew in front of a picture that is presented at `pts`.
    fn restart(&mut self, pts: i64) {
        let times = || self.recent.iter().map(|seen| seen.pts);
        if let (Some(oldest), Some(newest)) = (times().min(), times().max()) {
            self.interval = self.usual_interval(oldest, newest).unwrap_or(self.interval);
        }
        self.waiting.clear();
        self.recent.clear();
        self.begun = false;
        if pts <= self.last {
            self.last = i64::MIN;
        }
    }

    /// The mean interval of the last pictures, where there are enough of them.
    fn usual_interval(&self, oldest: i64, newest: i64) -> Option<i64> {
        let intervals = self
            .recent
            .len()
            .checked_sub(1)
            .filter(|count| *count >= 3)?;
        let span = newest.saturating_sub(oldest);
        Some(span / i64::try_from(intervals).ok()?).filter(|interval| *interval > 0)
    }
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    count: i64,
    /// When the first of them is presented, if they are evenly spaced.
    first_pts: i64,
}

#[cfg(test)]
mod tests;
