//! Where a player is in a playlist: where it begins (RFC 8216 section 6.3.3), and what comes next. Whole segments are
//! taken where they are there, parts of the one that is being made.

use super::job::Job;
use crate::read::{Media, Segment};
use std::time::Duration;
use url::Url;

/// Players begin so many target durations before the end, or target durations of parts, unless the server says how far.
const BEHIND: u32 = 3;

/// What is given next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Media sequence number of the segment.
    pub(super) sequence: u64,
    /// The part of it.
    pub(super) part: usize,
    /// Bytes of the segment that have been given; none where that is not known.
    pub(super) given: Option<usize>,
}

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Next {
    /// Something that cannot be had.
    Lost {
        /// Its times would not have gone on, and neither do those of what follows.
        discontinuity: bool,
    },
    /// This is to be fetched.
    Job(Box<Job>),
}

/// Whether parts are of use: the server makes requests wait for them, and who plays need not ask again and again.
pub(super) const fn is_low_latency(media: &Media) -> bool {
    media.part_target.is_some() && media.can_block && !media.ended
}

impl Place {
    /// What stands there, if it is there yet; then this is the place behind it.
    pub(super) fn take(&mut self, media: &Media, url: &Url) -> Option<Next> {
        loop {
            let listed = media.segment(self.sequence);
            let segment = match listed {
                Some(segment) => segment,
                None if self.is_within_open(media) => &media.open,
                None => return None,
            };
            let is_whole = listed.is_some();
            let lost = Next::Lost {
                discontinuity: segment.discontinuity && self.part == 0,
            };
            if is_whole && (self.part == 0 || segment.parts.is_empty()) {
                let place = *self;
                self.next_segment();
                return Some(match place.given {
                    Some(_) if !segment.gap => Next::Job(Box::new(job(segment, None, place, url))),
                    _ => lost,
                });
            }
            let Some(part) = segment.parts.get(self.part) else {
                if !is_whole {
                    return None;
                }
                self.next_segment();
                continue;
            };
            let place = *self;
            self.part += 1;
            if part.gap || segment.gap {
                self.given = None;
                return Some(lost);
            }
            return Some(Next::Job(Box::new(job(
                segment,
                Some(place.part),
                place,
                url,
            ))));
        }
    }

    /// Whether all that is there has been taken.
    pub(super) fn is_end(self, media: &Media) -> bool {
        (self.sequence, self.part) >= (media.next_sequence(), media.open.parts.len())
    }

    fn is_within_open(self, media: &Media) -> bool {
        // How parts of an encrypted segment are encrypted is told nowhere; segments come whole then.
        self.sequence == media.next_sequence() && is_low_latency(media) && media.open.key.is_none()
    }

    const fn next_segment(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
        self.part = 0;
        self.given = Some(0);
    }
}

fn job(segment: &Segment, part: Option<usize>, place: Place, url: &Url) -> Job {
    let is_first = place.part == 0;
    let piece = part.and_then(|part| segment.parts.get(part));
    let (uri, range, duration) = match piece {
        Some(part) => (&part.uri, part.range, part.duration),
        None => (&segment.uri, segment.range, segment.duration),
    };
    Job {
        sequence: place.sequence,
        part,
        given: place.given.filter(|_| part.is_none()).unwrap_or(0),
        uri: uri.clone(),
        range,
        duration,
        discontinuity: segment.discontinuity && is_first,
        map: segment.map.clone(),
        key: segment.key.clone(),
        program_date_time: segment.program_date_time.filter(|_| is_first),
        base: url.clone(),
        attempts: 0,
        asked: None,
    }
}

/// Where a player begins.
pub(super) fn start(media: &Media) -> Place {
    let parts = media.part_target.filter(|_| is_low_latency(media));
    let open = media.open.parts.iter().map(|part| part.duration);
    let open: Duration = open.filter(|_| parts.is_some()).sum();
    let length = media.duration().saturating_add(open);
    let wished = media.start.map(|offset| {
        let distance = Duration::try_from_secs_f64(offset.abs()).unwrap_or_default();
        if offset < 0.0 {
            length.saturating_sub(distance)
        } else {
            distance.min(length)
        }
    });
    let behind = match parts {
        Some(part) => media.part_hold_back.unwrap_or(part * BEHIND),
        None => media.hold_back.unwrap_or(media.target_duration * BEHIND),
    };
    let edge = length.saturating_sub(behind);
    let from = match (wished, media.ended) {
        (Some(wished), true) => wished,
        // No nearer to the end than is good for a live stream.
        (Some(wished), false) => wished.min(edge),
        (None, true) => Duration::ZERO,
        (None, false) => edge,
    };
    let at = |number: usize, part| Place {
        sequence: media.media_sequence.saturating_add(number as u64),
        part,
        given: (part == 0).then_some(0),
    };
    let mut place = at(0, 0);
    if media.ended && wished.is_none() {
        return place;
    }
    let open = parts.map(|_| &media.open).filter(|open| open.key.is_none());
    let mut begins = Duration::ZERO;
    for (number, segment) in media.segments.iter().chain(open).enumerate() {
        if begins > from {
            break;
        }
        let is_open = number >= media.segments.len();
        if parts.is_none() || segment.parts.is_empty() && !is_open {
            place = at(number, 0);
        }
        // Where a decoder can begin.
        let mut within = begins;
        for (part, piece) in segment.parts.iter().enumerate().filter(|_| parts.is_some()) {
            if piece.independent && within <= from {
                place = at(number, part);
            }
            within = within.saturating_add(piece.duration);
        }
        begins = begins.saturating_add(segment.duration);
    }
    place
}
