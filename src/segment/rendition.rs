//! What has been cut of one track, ready to be served.

use super::Place;
use bytes::Bytes;
use media::{Kind, Timebase, Track};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// An initialisation section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// Number of the first segment that needs it.
    pub number: u64,
    /// What it describes.
    pub track: Track,
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
}

/// A CMAF chunk: `moof` and `mdat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Sum of its samples' durations.
    pub duration: Duration,
    /// Its first sample is a random access point.
    pub independent: bool,
    /// The chunk.
    pub bytes: Bytes,
}

/// Segments of a track that continue each other: of one configuration, and on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Number of the first.
    pub number: u64,
    /// Presentation time of its first sample, in ticks of `timebase`.
    pub start: i64,
    /// The track's, then.
    pub timebase: Timebase,
    /// Wall-clock time of that, as it was known then.
    pub program_date_time: SystemTime,
}

/// Segments of one stretch that are of equal length, as far as players that count them need it: the one of number `n` begins
/// near `start + (n - number) * ticks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Number of the first.
    pub number: u64,
    /// Presentation time of its first sample, in ticks.
    pub start: i64,
    /// Wall-clock time of that.
    pub program_date_time: SystemTime,
    /// Length of the first, in ticks.
    pub ticks: i64,
    /// How many there are, those included that are forgotten.
    pub count: u64,
}

/// A segment begins within this part of the length from where it should.
const OFF_GRID: i64 = 8;

impl Grid {
    /// Goes on with that segment, or begins with it.
    pub(super) fn with(known: Option<Self>, segment: &Segment) -> Self {
        let goes_on = |grid: &Self| {
            let near = grid.ticks / OFF_GRID;
            let is_near = |one: i64, other: i64| one.abs_diff(other) <= near.unsigned_abs();
            segment.stretch.number <= grid.number
                && is_near(grid.begins(segment.number), segment.start)
                && is_near(grid.ticks, segment.ticks)
        };
        match known.filter(goes_on) {
            Some(grid) => Self {
                count: grid.count + 1,
                ..grid
            },
            None => Self {
                number: segment.number,
                start: segment.start,
                program_date_time: segment.program_date_time,
                ticks: segment.ticks,
                count: 1,
            },
        }
    }

    /// Where the segment of that number should begin, in ticks.
    pub fn begins(&self, number: u64) -> i64 {
        let place = i64::try_from(number.saturating_sub(self.number)).unwrap_or(i64::MAX);
        self.start.saturating_add(place.saturating_mul(self.ticks))
    }
}

/// A complete segment: its parts one after the other, or where they have been put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Media sequence number.
    pub number: u64,
    /// Sum of its parts' durations.
    pub duration: Duration,
    /// The same in ticks, of the track that `init` describes.
    pub ticks: i64,
    /// Presentation time of its first sample, in ticks.
    pub start: i64,
    /// What it belongs to.
    pub stretch: Stretch,
    /// At least one; none of a segment that is on the disk alone.
    pub parts: Vec<Part>,
    /// Bytes of all its parts; not 0.
    pub bytes: usize,
    /// Where it is on the disk, once it is.
    pub place: Option<Place>,
    /// What a decoder needs before it.
    pub init: Arc<Init>,
    /// It does not continue the segment before: this track or another has another configuration.
    pub discontinuity: bool,
    /// Wall-clock time of its first sample.
    pub program_date_time: SystemTime,
}

/// Bits per second of a track's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Of the segment with most.
    pub peak: u64,
    /// Of all together.
    pub average: u64,
}

/// A segment that is asked for by its time begins within this.
const NEAR: Duration = Duration::from_millis(250);

/// What is assumed of a stream's bit rate until a segment has been measured.
const UNKNOWN_BANDWIDTH: u64 = 1_000_000;

/// One track, cut. A clone shares all bytes.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// The track with its present configuration.
    pub track: Track,
    /// Of the present configuration.
    pub init: Arc<Init>,
    /// The first of all its stretches, once there is one.
    pub first_stretch: Option<Stretch>,
    /// The newest segments of equal length.
    pub grid: Option<Grid>,
    /// Complete segments, oldest first: those kept, then those listed.
    pub segments: VecDeque<Arc<Segment>>,
    /// How many of them, at the end, a playlist should show at most.
    pub listed: usize,
    /// Number of the segment that is being made.
    pub open_number: u64,
    /// Its parts so far.
    pub open_parts: Vec<Part>,
    /// It begins with a discontinuity.
    pub open_discontinuity: bool,
    /// Discontinuities before the first segment in `segments`.
    pub discontinuities_before: u64,
}

impl Segment {
    /// When its first sample is presented and when the next segment's is, in microseconds.
    pub fn micros(&self) -> (i64, i64) {
        let micros = |ticks| self.init.track.timebase.rescale(ticks, Timebase::MICROS);
        (
            micros(self.start),
            micros(self.start.saturating_add(self.ticks)),
        )
    }
}

impl Rendition {
    /// `video`, `audio` or `data`.
    pub const fn name(&self) -> &'static str {
        match self.track.kind() {
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Data => "data",
        }
    }

    /// The segment of that number, if it is complete and still kept.
    pub fn segment(&self, number: u64) -> Option<&Arc<Segment>> {
        let first = self.segments.front()?.number;
        self.segments
            .get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Number of the segment with that initialisation section which begins at that tick: one that is kept, or the one
    /// that is being made, of which nothing but the time of its beginning may be there. Where that turns out to be is
    /// told by its first access unit, so what is near is meant.
    pub fn number_at(&self, init: u64, time: u64) -> Option<u64> {
        let time = i64::try_from(time).ok()?;
        let kept = self
            .segments
            .iter()
            .filter(|segment| segment.init.number == init);
        let kept = kept.map(|segment| (segment.number, segment.start));
        let goes_on = |last: &&Arc<Segment>| self.init.number == init && last.init.number == init;
        let last = self.segments.back().filter(goes_on);
        let open = last.map(|last| (self.open_number, last.start.saturating_add(last.ticks)));
        // All of them are in ticks of one track.
        let distance = |start: i64| start.abs_diff(time);
        let nearest = kept.chain(open).min_by_key(|(_, start)| distance(*start));
        let (number, start) = nearest?;
        (self.track.timebase.duration(distance(start) as i64) < NEAR).then_some(number)
    }

    /// The initialisation section of that number, if a segment that is kept or comes next needs it.
    pub fn init(&self, number: u64) -> Option<&Arc<Init>> {
        let inits = self.segments.iter().map(|segment| &segment.init);
        inits.chain([&self.init]).find(|init| init.number == number)
    }

    /// The part of that segment and index, if it is complete and still kept.
    pub fn part(&self, number: u64, index: usize) -> Option<&Part> {
        if number == self.open_number {
            return self.open_parts.get(index);
        }
        self.segment(number)?.parts.get(index)
    }

    /// What its segments have measured so far.
    pub fn bandwidth(&self) -> Bandwidth {
        let rate = |bytes: usize, seconds: f64| {
            if seconds > 0.0 {
                (bytes as f64 * 8.0 / seconds) as u64
            } else {
                0
            }
        };
        let measured = self
            .segments
            .iter()
            .map(|segment| (segment.bytes, segment.duration.as_secs_f64()));
        let peak = measured
            .clone()
            .map(|(bytes, seconds)| rate(bytes, seconds))
            .max();
        let (bytes, seconds) = measured.fold((0, 0.0), |(b, s), (bytes, seconds)| {
            (b + bytes, s + seconds)
        });
        Bandwidth {
            peak: peak.unwrap_or(UNKNOWN_BANDWIDTH).max(1),
            average: rate(bytes, seconds).max(1),
        }
    }

    /// The discontinuities there have been, that in front of the open segment included.
    pub fn discontinuities(&self) -> u64 {
        let segments = self.segments.iter();
        let kept = segments.filter(|segment| segment.discontinuity).count() as u64;
        self.discontinuities_before + kept + u64::from(self.open_discontinuity)
    }

    /// The segments that a playlist shows, and the number of discontinuities before them.
    pub fn listed(&self) -> (impl Iterator<Item = &Arc<Segment>>, u64) {
        let unlisted = self.segments.len().saturating_sub(self.listed);
        let gone = self
            .segments
            .iter()
            .take(unlisted)
            .filter(|segment| segment.discontinuity)
            .count();
        (
            self.segments.iter().skip(unlisted),
            self.discontinuities_before + gone as u64,
        )
    }
}
