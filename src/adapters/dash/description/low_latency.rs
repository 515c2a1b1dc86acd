//! The description for players that stay close to the live edge (ISO/IEC 23009-1 clause 5.3.9.5.3; DASH-IF's guidelines for
//! low latency): segments are counted and not listed, so that players ask for the one that is being made without being
//! told of it, and are sent its parts as they are complete.
//!
//! It needs segments of equal length. There is one period, from the first of those on.

use super::{NOW, PASSED, content, lead, location, zero};
use crate::segment::{self, Grid, Rendition, Snapshot};
use dash::{Addressing, Clock, Description, Live, Period, Track};
use media::Timebase;
use std::time::{Duration, SystemTime};

/// So many segments of equal length are believed to be followed by others.
const REGULAR: u64 = 3;

/// A track's segments begin within this part of their length from those of the leading one.
const APART: i64 = 4;

/// Players stay so many parts behind what comes in now: one is being made, one is on its way, two are to be played.
const DELAY_PARTS: u32 = 4;

/// Describes the stream with that ID. None where its segments are not of equal length, and when it is over.
pub(in crate::adapters::dash) fn of(snapshot: &Snapshot, id: &str) -> Option<String> {
    let lead = lead(snapshot)?;
    let grid = lead.grid.filter(|grid| grid.count >= REGULAR)?;
    let mut present = snapshot.present().iter();
    if snapshot.ended || !present.all(|other| is_along(other, grid, lead.track.timebase)) {
        return None;
    }
    let length = lead.track.timebase.duration(grid.ticks);
    let early = length.saturating_sub(snapshot.part + snapshot.lag);
    let tracks: Vec<_> = snapshot
        .present()
        .iter()
        .filter_map(|rendition| Counted::of(rendition, lead, grid))
        .collect();
    let tracks: Vec<_> = tracks
        .iter()
        .map(|counted| counted.track(early, snapshot))
        .collect();
    let zero = zero(snapshot);
    let start = grid.program_date_time.duration_since(zero).ok()?;
    let delay = snapshot.part * DELAY_PARTS + snapshot.lag;
    let location = location(&format!("{id}_low"));
    let published = SystemTime::now();
    // No more than there is: ffmpeg counts from the beginning of the window, and goes astray where that is before the
    // beginning of the stream.
    let age = published.duration_since(zero).unwrap_or_default();
    let time_shift = snapshot.past.min(Duration::from_secs(age.as_secs()));
    let description = Description {
        live: Some(Live {
            availability_start: zero,
            published,
            // Only what changes all of it is news.
            update: Some(length),
            location: Some(&location),
            time_shift,
            delay,
            latency: Some(delay),
            clock: Some(Clock::Direct(NOW)),
        }),
        duration: None,
        min_buffer: snapshot.part,
        max_segment: Duration::from_secs(snapshot.target.unwrap_or(1).max(1).into()),
        periods: &[Period {
            id: &format!("low-{}", grid.number),
            start,
            tracks: &tracks,
        }],
    };
    let mut text = String::with_capacity(2_048);
    description.render(&mut text);
    Some(text)
}

/// Whether the segments of a track lie beside those of the leading one, under the same numbers, and have one
/// configuration.
fn is_along(rendition: &Rendition, grid: Grid, timebase: Timebase) -> bool {
    let own = rendition.track.timebase;
    let near = timebase.rescale(grid.ticks, own) / APART;
    let mut segments = rendition
        .segments
        .iter()
        .filter(|segment| segment.number >= grid.number);
    // One of which nothing is there yet may never come.
    segments.clone().next().is_some()
        && segments.all(|segment| {
            let begins = timebase.rescale(grid.begins(segment.number), own);
            let is_same = segment.init.number == rendition.init.number;
            begins.abs_diff(segment.start) <= near.unsigned_abs() && is_same
        })
}

/// A track with the texts that its description borrows.
struct Counted<'a> {
    rendition: &'a Rendition,
    codecs: String,
    init: String,
    media: String,
    offset: u64,
    duration: u64,
    number: u64,
    is_lead: bool,
}

impl<'a> Counted<'a> {
    fn of(rendition: &'a Rendition, lead: &Rendition, grid: Grid) -> Option<Self> {
        let rescaled = |ticks| lead.track.timebase.rescale(ticks, rendition.track.timebase);
        let name = rendition.name();
        Some(Self {
            rendition,
            codecs: segment::codecs(&rendition.track.codec)?,
            init: format!("{name}_{}.mp4?{PASSED}", rendition.init.number),
            media: format!("{name}_$Number$.m4s?{PASSED}"),
            offset: u64::try_from(rescaled(grid.start)).ok()?,
            duration: u64::try_from(rescaled(grid.ticks)).ok()?,
            number: grid.number,
            is_lead: rendition.track.id == lead.track.id,
        })
    }

    fn track<'b>(&'b self, early: Duration, snapshot: &'b Snapshot) -> Track<'b> {
        Track {
            id: self.rendition.name(),
            content: content(&self.rendition.track.codec, self.rendition.track.timebase),
            codecs: &self.codecs,
            bandwidth: self.rendition.bandwidth().peak,
            language: None,
            timebase: self.rendition.track.timebase,
            offset: self.offset,
            init: &self.init,
            media: &self.media,
            first_number: Some(self.number),
            addressing: Addressing::Regular {
                duration: self.duration,
                early,
            },
            events: match self.is_lead {
                true => &snapshot.schemes,
                false => &[],
            },
        }
    }
}
