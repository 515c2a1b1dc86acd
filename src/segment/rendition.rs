//! What has been cut of one track, ready to be served.

use bytes::Bytes;
use media::{Kind, Track};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// An initialisation section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// Number of the first segment that needs it.
    pub number: u64,
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

/// A complete segment: its parts one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Media sequence number.
    pub number: u64,
    /// Sum of its parts' durations.
    pub duration: Duration,
    /// At least one.
    pub parts: Vec<Part>,
    /// What a decoder needs before it.
    pub init: Arc<Init>,
    /// It does not continue the segment before: another configuration.
    pub discontinuity: bool,
    /// Wall-clock time of its first sample.
    pub program_date_time: SystemTime,
}

impl Segment {
    /// Bytes of all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    /// Whether it has no bytes, which no segment of a segmenter is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One track, cut. A clone shares all bytes.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// The track with its present configuration.
    pub track: Track,
    /// Of the present configuration.
    pub init: Arc<Init>,
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
