//! The description of what has been cut, written once for each snapshot.
//!
//! Presentation time is the time on the wall, counted from a moment before the first segment that was cut of the stream.
//! A period is what continues: where the stream has lost time, or a track has another configuration, the next one begins.
//! A player comes back for the next description to where this one tells it to, with the session that it is counted by.

pub(super) mod low_latency;

use crate::adapters::muxer::{SESSION, SESSION_KEY};
use crate::segment::{self, Rendition, Segment, Snapshot, Stretch};
use dash::{Addressing, Audio, Clock, Content, Description, Live, Period, Track, Video};
use media::{Codec, Kind, Timebase};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Stands for the time at which the description is sent. No name of a stream holds a brace.
pub(super) const NOW: &str = "{now}";

/// Stands for what of a request's query is passed on to all that it names.
pub(super) const PASSED: &str = "{passed}";

/// Players stay behind what is captured now by so many target durations: one while a segment is made, one for what
/// they have to play while the next is made, one to spare.
const DELAY_TARGETS: u32 = 3;

/// And at least by two and this: some ask for news no sooner than after 3 s, whatever they are told.
const SLOWEST_NEWS: Duration = Duration::from_secs(3);

/// The first period begins so long before its first segment. GStreamer leaves fractions of a second away when it looks
/// for the period that it is in.
const LEAD_IN: Duration = Duration::from_secs(1);

/// A track that has nothing by the end of so many segments of another is not waited for.
const WAITED_SEGMENTS: usize = 3;

/// Most periods of a description; of more the oldest are left out.
const MAX_SPANS: usize = 256;

/// Starts of two tracks that lie within this begin together.
const TOGETHER_MICROS: u64 = 1_000_000;

/// Describes the stream with that ID.
pub(crate) fn of(snapshot: &Snapshot, id: &str) -> String {
    let target = Duration::from_secs(snapshot.target.unwrap_or(1).max(1).into());
    let spans = spans(snapshot);
    let described: Vec<_> = spans
        .iter()
        .map(|span| (span, tracks(snapshot, span)))
        .filter(|(span, tracks)| is_complete(snapshot, span, tracks))
        .collect();
    let borrowed: Vec<Vec<_>> = described
        .iter()
        .map(|(_, tracks)| tracks.iter().map(Described::track).collect())
        .collect();
    let periods: Vec<_> = described
        .iter()
        .zip(&borrowed)
        .map(|((span, _), tracks)| Period {
            id: &span.id,
            start: span.start,
            tracks,
        })
        .collect();
    let delay = (target * DELAY_TARGETS).max(target * 2 + SLOWEST_NEWS);
    let location = location(id);
    let published = SystemTime::now();
    let zero = zero(snapshot);
    let first = periods.first().map_or(Duration::ZERO, |first| first.start);
    let age = published.duration_since(zero + first).unwrap_or_default();
    let live = Live {
        availability_start: zero,
        published,
        // Twice for each segment: news is no older than half of one.
        update: Some(target / 2),
        location: Some(&location),
        // As much as there will be. Said of a stream that has just begun, some would stay closer than is good for them
        // for ever.
        time_shift: snapshot.past.max(delay + target),
        // GStreamer looks for a period at the very second in which it should begin.
        delay: delay.min(age.saturating_sub(LEAD_IN)),
        latency: Some(delay),
        clock: Some(Clock::Direct(NOW)),
    };
    // What is over is described as a recording on the same timeline: who has followed it plays on to the end.
    let description = Description {
        live: (!snapshot.ended).then_some(live),
        duration: snapshot.ended.then(|| end(&described)),
        min_buffer: target,
        max_segment: target,
        periods: &periods,
    };
    let mut text = String::with_capacity(4_096);
    description.render(&mut text);
    text
}

/// Where the next description of that name is.
fn location(name: &str) -> String {
    format!("{name}.mpd?{PASSED}&{SESSION_KEY}={SESSION}")
}

/// A stretch of media time that continues.
#[derive(Clone, Debug)]
struct Span {
    /// Media time at its start, by which it is known, and before which nothing belongs to it (µs).
    from: i64,
    id: String,
    /// Presentation time at its start.
    start: Duration,
    /// Media time at its end (µs).
    until: i64,
}

/// The time on the wall from which presentation time counts: the whole second before [`LEAD_IN`] before the first segment.
/// Near to it, since GStreamer waits for segments by the start of their period once too often.
fn zero(snapshot: &Snapshot) -> SystemTime {
    let first = snapshot.begun.unwrap_or(SystemTime::UNIX_EPOCH);
    let since_1970 = first
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.saturating_sub(LEAD_IN).as_secs())
}

/// The track at which the stream is cut.
fn lead(snapshot: &Snapshot) -> Option<&Rendition> {
    let video = snapshot.rendition(Kind::Video);
    video.or_else(|| snapshot.renditions.first())
}

/// The spans of what is listed, oldest first: those of the leading track, divided where another track begins anew. The
/// first may have begun long ago, and so may have those that follow: what has been said once is said again.
fn spans(snapshot: &Snapshot) -> Vec<Span> {
    let Some(lead) = lead(snapshot) else {
        return Vec::new();
    };
    let zero = zero(snapshot);
    let mut spans: Vec<Span> = stretches(lead)
        .map(|stretch| Span::new(lead, stretch, zero))
        .collect();
    let first = spans.first().map_or(0, |first| first.from);
    let others = snapshot.renditions.iter();
    for other in others.filter(|other| other.track.id != lead.track.id) {
        for span in stretches(other).map(|stretch| Span::new(other, stretch, zero)) {
            let begins = |known: &Span| known.from.abs_diff(span.from) < TOGETHER_MICROS;
            if span.from > first && !spans.iter().any(begins) {
                spans.push(span);
            }
        }
    }
    spans.sort_by_key(|span| span.from);
    // Each looks at all segments. A stream that begins anew with every picture is told of as far as is sensible.
    spans.drain(..spans.len().saturating_sub(MAX_SPANS));
    let ends: Vec<_> = spans.iter().skip(1).map(|next| next.from).collect();
    for (span, end) in spans.iter_mut().zip(ends) {
        span.until = end;
    }
    spans
}

impl Span {
    /// From the start of a stretch on; the first of all from a moment before it.
    fn new(rendition: &Rendition, stretch: Stretch, zero: SystemTime) -> Self {
        let begins = stretch.timebase.rescale(stretch.start, Timebase::MICROS);
        let is_first = rendition.first_stretch == Some(stretch)
            && stretch.program_date_time < zero + LEAD_IN * 3;
        let lead_in = if is_first {
            LEAD_IN.as_micros() as i64
        } else {
            0
        };
        let from = begins.saturating_sub(lead_in).max(0);
        let earlier = Timebase::MICROS.duration(begins.saturating_sub(from));
        let since_zero = stretch.program_date_time.duration_since(zero);
        Self {
            from,
            id: from.to_string(),
            start: since_zero.unwrap_or_default().saturating_sub(earlier),
            until: i64::MAX,
        }
    }
}

/// The stretches of what is listed of a track.
fn stretches(rendition: &Rendition) -> impl Iterator<Item = Stretch> {
    let listed = rendition.listed().0;
    let mut stretches: Vec<Stretch> = listed.map(|segment| segment.stretch).collect();
    stretches.dedup();
    stretches.into_iter()
}

/// A track within a span, with the texts and numbers that its description borrows.
struct Described<'a> {
    rendition: &'a Rendition,
    /// As it was there.
    track: &'a media::Track,
    codecs: String,
    init: String,
    media: String,
    offset: u64,
    segments: Vec<dash::Segment>,
    bandwidth: u64,
    events: &'a [&'a str],
}

/// Whether a span is to be told of. Of one that has begun long ago there may be nothing left. In the last one the first
/// segments of all tracks are waited for, since a period never gets another track.
fn is_complete(snapshot: &Snapshot, span: &Span, tracks: &[Described<'_>]) -> bool {
    let is_last = span.until == i64::MAX;
    let has = |rendition: &Rendition| {
        tracks
            .iter()
            .any(|track| track.rendition.track.id == rendition.track.id)
    };
    let goes_on = tracks
        .iter()
        .any(|track| track.segments.len() >= WAITED_SEGMENTS);
    !tracks.is_empty()
        && (!is_last || goes_on || snapshot.ended || snapshot.present().iter().all(has))
}

/// The tracks of a span that have a segment there.
fn tracks<'a>(snapshot: &'a Snapshot, span: &Span) -> Vec<Described<'a>> {
    let renditions = snapshot.renditions.iter();
    renditions
        .filter_map(|rendition| {
            let mut described = Described::of(rendition, span)?;
            if lead(snapshot).is_some_and(|lead| lead.track.id == rendition.track.id) {
                described.events = &snapshot.schemes;
            }
            Some(described)
        })
        .collect()
}

impl<'a> Described<'a> {
    fn of(rendition: &'a Rendition, span: &Span) -> Option<Self> {
        let within = |segment: &&Arc<Segment>| {
            let (start, end) = segment.micros();
            let middle = start.saturating_add(end.saturating_sub(start) / 2);
            (span.from..span.until).contains(&middle)
        };
        let listed: Vec<_> = rendition.listed().0.filter(within).collect();
        let first = *listed.first()?;
        let track = &first.init.track;
        let codecs = segment::codecs(&track.codec)?;
        // Another configuration in the middle has come too late to be a span of its own.
        let same = listed
            .iter()
            .take_while(|segment| segment.init.number == first.init.number);
        let segments = same.map(|segment| {
            Some(dash::Segment {
                start: u64::try_from(segment.start).ok()?,
                duration: u64::try_from(segment.ticks).ok()?,
            })
        });
        let mut segments = segments.collect::<Option<Vec<_>>>()?;
        // Each lasts until the next begins: what a player asks for follows from both.
        let starts: Vec<_> = segments.iter().skip(1).map(|next| next.start).collect();
        for (segment, next) in segments.iter_mut().zip(starts) {
            segment.duration = next.saturating_sub(segment.start).max(1);
        }
        let offset = Timebase::MICROS.rescale(span.from, track.timebase);
        let name = rendition.name();
        Some(Self {
            rendition,
            track,
            codecs,
            init: format!("{name}_{}.mp4?{PASSED}", first.init.number),
            // By time: ffmpeg counts the segments of a timeline from 0 whenever it reads a description again.
            media: format!("{name}_{}_$Time$.m4s?{PASSED}", first.init.number),
            offset: u64::try_from(offset).unwrap_or(0),
            bandwidth: rendition.bandwidth().peak,
            segments,
            events: &[],
        })
    }

    fn track(&self) -> Track<'_> {
        Track {
            id: self.rendition.name(),
            content: content(&self.track.codec, self.track.timebase),
            codecs: &self.codecs,
            bandwidth: self.bandwidth,
            language: None,
            timebase: self.track.timebase,
            offset: self.offset,
            init: &self.init,
            media: &self.media,
            first_number: None,
            addressing: Addressing::Timeline(&self.segments),
            events: self.events,
        }
    }

    /// Microseconds from the start of the span to the end of the last segment.
    fn length(&self) -> i64 {
        let last = self.segments.last();
        let end = last.map_or(0, |last| last.start.saturating_add(last.duration));
        let ticks = i64::try_from(end.saturating_sub(self.offset)).unwrap_or(i64::MAX);
        self.track.timebase.rescale(ticks, Timebase::MICROS)
    }
}

fn content(codec: &Codec, timebase: Timebase) -> Content {
    match codec.kind() {
        Kind::Video => Content::Video(Video {
            size: codec.size(),
            frame_rate: codec.frame_rate(),
            sample_aspect_ratio: codec.sample_aspect_ratio(),
        }),
        _ => Content::Audio(Audio {
            sample_rate: Some(timebase.ticks_per_second()),
            channels: codec.channels(),
        }),
    }
}

/// When the presentation ends: with the last segment of the last span.
fn end(described: &[(&Span, Vec<Described<'_>>)]) -> Duration {
    let Some((span, tracks)) = described.last() else {
        return Duration::ZERO;
    };
    let length = tracks.iter().map(Described::length).max().unwrap_or(0);
    span.start + Timebase::MICROS.duration(length)
}

#[cfg(test)]
mod tests;
