//! Where a file begins, and where it is cut into stretches that are written at a time: fragments of MP4, or of a transport
//! stream. Times are microseconds of the stream.

use crate::hub::TrackSet;
use media::{AccessUnit, Kind, Track};

/// A stretch ends before it is longer than this. The access unit that waits for its successor, by which its length is
/// known, makes it at most a second.
const LONGEST: i64 = 900_000;

/// One that is so long ends at a random access point.
const LONG_ENOUGH: i64 = 400_000;

/// One of so many bytes ends, however short it is.
const MAX_BYTES: usize = 8 << 20;

/// A file begins with a random access point, unless none has come for so long.
const PATIENCE: i64 = 10_000_000;

/// The beginning of a file: a random access point of its pictures, or of anything where it has none.
#[derive(Debug)]
pub(super) struct Beginning {
    has_video: bool,
    /// Time of the first unit that came, while none has been taken.
    waits_since: Option<i64>,
    /// Time of the first unit that was taken.
    origin: Option<i64>,
}

impl Beginning {
    /// Of a file of these tracks.
    pub(super) fn new(tracks: &TrackSet) -> Self {
        Self {
            has_video: tracks.first(Kind::Video).is_some(),
            waits_since: None,
            origin: None,
        }
    }

    /// The file begins at that time, whatever comes then.
    pub(super) const fn set(&mut self, origin: i64) {
        self.origin = Some(origin);
    }

    /// When the file begins, once it has.
    pub(super) const fn origin(&self) -> Option<i64> {
        self.origin
    }

    /// How long the file is from its beginning to a time.
    pub(super) fn length(&self, time: i64) -> i64 {
        self.origin.map_or(0, |origin| time.saturating_sub(origin))
    }

    /// Whether a file can begin with a unit of that track.
    pub(super) fn can_be(&self, unit: &AccessUnit, track: &Track) -> bool {
        unit.random_access && (track.kind() == Kind::Video || !self.has_video)
    }

    /// When the file begins, if a unit of that track and time is in it: sound that belongs to a picture before the first
    /// one is not.
    pub(super) fn admit(&mut self, unit: &AccessUnit, track: &Track, time: i64) -> Option<i64> {
        let origin = match self.origin {
            Some(origin) => origin,
            None => {
                let waits_since = *self.waits_since.get_or_insert(time);
                let is_over = time.saturating_sub(waits_since) >= PATIENCE;
                if !is_over && !self.can_be(unit, track) {
                    return None;
                }
                *self.origin.insert(time)
            }
        };
        (time >= origin).then_some(origin)
    }
}

/// Whether a stretch of that length and size ends with or before a unit, which may be a random access point of the
/// pictures.
pub(super) const fn is_enough(length: i64, bytes: usize, is_start: bool) -> bool {
    length >= LONGEST || (length >= LONG_ENOUGH && is_start) || bytes >= MAX_BYTES
}
