//! Makes parts and segments of one track's access units.

use super::rendition::{Grid, Init, Part, Rendition, Segment, Stretch};
use super::{Place, Settings};
use bytes::Bytes;
use media::{AccessUnit, Timebase, Track};
use mp4::fragment::{self, Capture, Event, Front, Run, Sample};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A distance between two access units above this is a hole in the stream, not the length of the first, unless the one
/// before was about as long.
const HOLE_MICROS: i64 = 1_000_000;

/// Length of an access unit whose successor does not tell: the first before a hole, the last of a stream.
const USUAL_MICROS: i64 = 40_000;

/// Most segments of a track, however long players may go back: those of a day by two seconds, or fewer where they are
/// shorter.
const MAX_SEGMENTS: usize = 43_200;

/// What a segment takes beside its bytes.
const SEGMENT_OVERHEAD: usize = 1 << 10;

/// Ends of the leading track's segments that other tracks have not reached. A track that stands still
/// for longer than this many segments misses some.
const MAX_CUTS: usize = 8;

/// Events of one part; more are left out.
const MAX_EVENTS: usize = 64;

/// Bytes of their messages together.
const MAX_EVENTS_BYTES: usize = 64 << 10;

/// A clock on the wall that has gone so far away from the media's is another one: time was lost in between.
const PARTED: Duration = Duration::from_millis(500);

/// One track that is being cut. Where segments end is decided by the segmenter, where parts end here.
#[derive(Debug)]
pub(super) struct Cutter {
    /// Wall-clock time of media time 0, as far as it is known now.
    pub(super) epoch: Option<Duration>,
    /// The same, where it is known from times of capture.
    pub(super) captured: Option<Duration>,
    /// No segment is to be longer than this, once it is known.
    pub(super) longest: Option<Duration>,
    /// Ends of the leading track's segments that this one has not reached, in microseconds.
    pub(super) cuts: VecDeque<i64>,
    /// What has been cut.
    pub(super) rendition: Rendition,
    settings: Settings,
    /// Sequence number of the next fragment (`mfhd`).
    sequence: u32,
    /// The newest access unit: its duration is known when the next one comes.
    held: Option<AccessUnit>,
    /// Decoding time of the newest access unit, with its timebase: that may change with the track.
    newest: Option<(i64, Timebase)>,
    /// From the access unit before the newest to that, in ticks.
    distance: i64,
    /// Samples of the part that is being made, and the decoding time of the first, in ticks.
    samples: Vec<Sample>,
    samples_dts: i64,
    samples_ticks: i64,
    samples_bytes: usize,
    /// Ticks in the complete parts of the open segment, and when its first access unit is presented.
    parts_ticks: i64,
    parts_bytes: usize,
    segment_pts: i64,
    /// `epoch` at that time: a seam may change it while the segment is open.
    segment_epoch: Option<Duration>,
    /// What is to stand in front of that part.
    events: Vec<Event>,
    /// What the last segment belongs to; none where the configuration has changed since.
    stretch: Option<Stretch>,
}

/// What came of an access unit whose length became known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Completed {
    /// There was a hole behind it, which ends the segment.
    pub(super) hole: bool,
    /// The segment was ended in front of it, at that decoding time.
    pub(super) cut: Option<i64>,
}

impl Cutter {
    pub(super) fn new(
        settings: Settings,
        track: Track,
        first_number: u64,
        discontinuities: u64,
    ) -> Result<Self, mp4::init::Error> {
        let bytes = mp4::init::write(std::slice::from_ref(&track))?;
        let rendition = Rendition {
            init: Arc::new(Init {
                number: first_number,
                track: track.clone(),
                bytes,
            }),
            track,
            first_stretch: None,
            grid: None,
            segments: VecDeque::new(),
            listed: settings.listed,
            open_number: first_number,
            open_parts: Vec::new(),
            open_discontinuity: false,
            discontinuities_before: discontinuities,
        };
        Ok(Self {
            epoch: None,
            captured: None,
            longest: None,
            cuts: VecDeque::new(),
            rendition,
            settings,
            sequence: 1,
            held: None,
            newest: None,
            distance: 0,
            samples: Vec::new(),
            samples_dts: 0,
            samples_ticks: 0,
            samples_bytes: 0,
            parts_ticks: 0,
            parts_bytes: 0,
            segment_pts: 0,
            segment_epoch: None,
            events: Vec::new(),
            stretch: None,
        })
    }

    /// Another configuration: what follows is a new beginning.
    pub(super) fn change(&mut self, track: Track) -> Result<(), mp4::init::Error> {
        let bytes = mp4::init::write(std::slice::from_ref(&track))?;
        self.close_segment();
        self.rendition.init = Arc::new(Init {
            number: self.rendition.open_number,
            track: track.clone(),
            bytes,
        });
        self.rendition.track = track;
        self.stretch = None;
        Ok(())
    }

    /// Ends the segment; the next one is behind a discontinuity.
    pub(super) fn discontinue(&mut self) {
        self.close_segment();
        if self.is_new() {
            self.rendition.discontinuities_before += 1;
        } else {
            self.rendition.open_discontinuity = true;
        }
    }

    /// Whether nothing of it has been told.
    pub(super) fn is_new(&self) -> bool {
        self.rendition.segments.is_empty() && self.elapsed() == 0
    }

    /// Whether nothing has come behind its last discontinuity.
    pub(super) const fn awaits(&self) -> bool {
        self.rendition.open_discontinuity && self.elapsed() == 0 && self.held.is_none()
    }

    /// Decoding time of the newest access unit.
    pub(super) fn newest(&self) -> Option<Duration> {
        self.newest.map(|(dts, timebase)| timebase.duration(dts))
    }

    /// Media time in the open segment, the held access unit not counted.
    pub(super) const fn elapsed(&self) -> i64 {
        self.parts_ticks + self.samples_ticks
    }

    /// The same as a duration.
    pub(super) fn open_duration(&self) -> Duration {
        self.rendition.track.timebase.duration(self.elapsed())
    }

    /// Bytes in the open segment.
    pub(super) const fn open_bytes(&self) -> usize {
        self.parts_bytes + self.samples_bytes
    }

    /// Completes the held access unit with the arrival of its successor at `next_dts`; ends the part where
    /// it is long enough, and the segment in front of it where that would be too long with it.
    pub(super) fn complete_held(&mut self, next_dts: i64) -> Completed {
        let mut completed = Completed::default();
        let Some(held) = self.held.take() else {
            return completed;
        };
        let distance = next_dts.saturating_sub(held.dts);
        completed.hole = self.is_hole(distance);
        self.distance = distance;
        let ticks = if completed.hole {
            self.usual_ticks()
        } else {
            distance.max(1)
        };
        if self.is_full_with(ticks) {
            self.cut_segment();
            completed.cut = Some(held.dts);
        }
        self.add_sample(&held, ticks);
        completed
    }

    /// The leading track ends a segment there, and this one does when it comes so far.
    pub(super) fn note_cut(&mut self, end: i64) {
        self.cuts.push_back(end);
        if self.cuts.len() > MAX_CUTS {
            self.cuts.pop_front();
        }
    }

    /// Whether the leading track has ended a segment up to then.
    pub(super) fn reaches_cut(&mut self, micros: i64) -> bool {
        let reached = self.cuts.iter().take_while(|cut| **cut <= micros).count();
        self.cuts.drain(..reached);
        reached > 0
    }

    /// Whether the stream has a hole there: pictures may come seconds apart, but then they do so more than once.
    fn is_hole(&self, distance: i64) -> bool {
        let most = self.longest.unwrap_or(self.settings.max_segment);
        self.micros(distance) > HOLE_MICROS
            && (distance / 2 > self.distance
                || self.rendition.track.timebase.duration(distance) > most)
    }

    /// Whether the open segment has something, and would be too long with so much more.
    fn is_full_with(&self, ticks: i64) -> bool {
        let with = self.elapsed().saturating_add(ticks);
        let with = self.rendition.track.timebase.duration(with);
        self.elapsed() > 0 && self.longest.is_some_and(|longest| with > longest)
    }

    /// Something happens at that time of the stream (µs), told in front of the part that is being made.
    pub(super) fn note(&mut self, scheme: &'static str, id: u32, micros: i64, message: Bytes) {
        let bytes: usize = self.events.iter().map(|event| event.message.len()).sum();
        if bytes.saturating_add(message.len()) > MAX_EVENTS_BYTES || self.events.len() >= MAX_EVENTS
        {
            return;
        }
        let time = Timebase::MICROS.rescale(micros, self.rendition.track.timebase);
        self.events.push(Event {
            scheme,
            id,
            time: u64::try_from(time).unwrap_or(0),
            message,
        });
    }

    /// The newest access unit.
    pub(super) fn hold(&mut self, unit: AccessUnit) {
        self.newest = Some((unit.dts, self.rendition.track.timebase));
        self.held = Some(unit);
    }

    /// Ends the segment after the samples it has; the held access unit belongs to it.
    pub(super) fn close_segment(&mut self) {
        if let Some(held) = self.held.take() {
            let ticks = self.usual_ticks();
            if self.is_full_with(ticks) {
                self.cut_segment();
            }
            self.add_sample(&held, ticks);
        }
        self.cut_segment();
    }

    /// Ends the segment before the access unit that comes next.
    pub(super) fn cut_segment(&mut self) {
        self.cut_part();
        if self.rendition.open_parts.is_empty() {
            return;
        }
        let timebase = self.rendition.track.timebase;
        let program_date_time = SystemTime::UNIX_EPOCH
            + self.segment_epoch.unwrap_or_default()
            + timebase.duration(self.segment_pts);
        let stretch = self.continued(program_date_time).unwrap_or(Stretch {
            number: self.rendition.open_number,
            start: self.segment_pts,
            timebase,
            program_date_time,
        });
        self.stretch = Some(stretch);
        self.rendition.first_stretch.get_or_insert(stretch);
        let segment = Segment {
            number: self.rendition.open_number,
            duration: timebase.duration(self.parts_ticks),
            ticks: self.parts_ticks,
            start: self.segment_pts,
            stretch,
            parts: std::mem::take(&mut self.rendition.open_parts),
            bytes: self.parts_bytes,
            place: None,
            init: self.rendition.init.clone(),
            discontinuity: std::mem::take(&mut self.rendition.open_discontinuity),
            program_date_time,
        };
        self.rendition.grid = Some(Grid::with(self.rendition.grid, &segment));
        self.rendition.segments.push_back(Arc::new(segment));
        self.rendition.open_number += 1;
        self.parts_ticks = 0;
        self.parts_bytes = 0;
        self.forget_old();
    }

    /// The stretch that the open segment goes on with, if it does.
    fn continued(&self, program_date_time: SystemTime) -> Option<Stretch> {
        let stretch = self.stretch?;
        let timebase = self.rendition.track.timebase;
        let since = timebase.duration(self.segment_pts.checked_sub(stretch.start)?);
        let expected = stretch.program_date_time + since;
        let ahead = program_date_time.duration_since(expected);
        let parted = ahead.unwrap_or_else(|behind| behind.duration());
        (parted < PARTED).then_some(stretch)
    }

    /// Ends the part that is being made, if it has a sample.
    fn cut_part(&mut self) {
        let Some(first) = self.samples.first() else {
            return;
        };
        // Intra refresh completes its pictures later than in the first.
        let codec = &self.rendition.track.codec;
        let independent = first.random_access && codec.begins_whole(&first.payload);
        let run = Run {
            track: &self.rendition.track,
            base_decode_time: u64::try_from(self.samples_dts).unwrap_or(0),
            samples: &self.samples,
        };
        let composition = i64::from(first.composition_offset);
        let pts = self.samples_dts.saturating_add(composition);
        let capture = self.captured.map(|epoch| Capture {
            track: &self.rendition.track,
            media_time: u64::try_from(pts).unwrap_or(0),
            since_1970: epoch + self.rendition.track.timebase.duration(pts),
        });
        let events = &self.events;
        let bytes = fragment::write_behind(Front { capture, events }, self.sequence, &[run]);
        self.events.clear();
        self.sequence = self.sequence.wrapping_add(1);
        if self.rendition.open_parts.is_empty() {
            self.segment_epoch = self.epoch;
            self.segment_pts = pts;
        }
        self.parts_ticks += self.samples_ticks;
        self.parts_bytes += bytes.len();
        let duration = self.rendition.track.timebase.duration(self.samples_ticks);
        self.rendition.open_parts.push(Part {
            duration,
            independent,
            bytes,
        });
        self.samples.clear();
        self.samples_ticks = 0;
        self.samples_bytes = 0;
    }

    fn add_sample(&mut self, unit: &AccessUnit, ticks: i64) {
        let part = self.rendition.track.timebase.ticks(self.settings.part);
        let too_long = self.samples_ticks + ticks > part;
        let too_large = self.samples_bytes + unit.payload.len() > self.settings.max_bytes / 16;
        if too_long || too_large {
            self.cut_part();
        }
        if self.samples.is_empty() {
            self.samples_dts = unit.dts;
        }
        self.samples_ticks += ticks;
        self.samples_bytes += unit.payload.len();
        self.samples.push(Sample {
            duration: u32::try_from(ticks).unwrap_or(u32::MAX),
            composition_offset: i32::try_from(unit.pts.saturating_sub(unit.dts))
                .unwrap_or(i32::MAX),
            random_access: unit.random_access,
            disposable: unit.disposable,
            payload: unit.payload.clone(),
        });
    }

    /// The segment that has been complete longest of those that are to be put on the disk.
    pub(super) fn next_to_store(&self) -> Option<&Arc<Segment>> {
        let mut segments = self.rendition.segments.iter();
        segments.find(|segment| self.settings.max_disk_bytes > 0 && segment.place.is_none())
    }

    /// The segment of that number is on the disk.
    pub(super) fn stored(&mut self, number: u64, place: Place) {
        let mut segments = self.rendition.segments.iter_mut();
        if let Some(segment) = segments.find(|segment| segment.number == number) {
            Arc::make_mut(segment).place = Some(place);
        }
        self.forget_old();
    }

    /// Counts what is listed, takes out of memory what the disk has, and forgets what neither has room for.
    fn forget_old(&mut self) {
        let Settings {
            listed,
            kept,
            window,
            max_bytes,
            max_disk_bytes,
            ..
        } = self.settings;
        let segments = &mut self.rendition.segments;
        let mut length = Duration::ZERO;
        let within = |segment: &&Arc<Segment>| {
            let is_within = length < window;
            length += segment.duration;
            is_within
        };
        self.rendition.listed = segments.iter().rev().take_while(within).count().max(listed);
        let most = self.rendition.listed.saturating_add(kept);
        let most = most.clamp(1, MAX_SEGMENTS.max(listed.saturating_add(kept)));
        // What is asked for most stays in memory.
        let hot = segments.len().saturating_sub(listed.saturating_add(kept));
        let mut in_memory: usize = segments.iter().map(|segment| in_memory(segment)).sum();
        for (at, segment) in segments.iter_mut().enumerate() {
            let is_to_go = at < hot || in_memory > max_bytes;
            if is_to_go && segment.place.is_some() && !segment.parts.is_empty() {
                in_memory -= self::in_memory(segment);
                Arc::make_mut(segment).parts = Vec::new();
            }
        }
        let mut on_disk: u64 = segments.iter().map(|segment| on_disk(segment)).sum();
        while segments.len() > most
            || (segments.len() > 1 && (in_memory > max_bytes || on_disk > max_disk_bytes))
        {
            let Some(gone) = segments.pop_front() else {
                break;
            };
            in_memory -= self::in_memory(&gone);
            on_disk -= self::on_disk(&gone);
            self.rendition.discontinuities_before += u64::from(gone.discontinuity);
        }
    }

    fn usual_ticks(&self) -> i64 {
        self.samples.last().map_or_else(
            || {
                Timebase::MICROS
                    .rescale(USUAL_MICROS, self.rendition.track.timebase)
                    .max(1)
            },
            |sample| i64::from(sample.duration),
        )
    }

    fn micros(&self, ticks: i64) -> i64 {
        self.rendition
            .track
            .timebase
            .rescale(ticks, Timebase::MICROS)
    }
}

fn in_memory(segment: &Segment) -> usize {
    match segment.parts[..] {
        [] => 0,
        _ => segment.bytes + SEGMENT_OVERHEAD,
    }
}

fn on_disk(segment: &Segment) -> u64 {
    match segment.place {
        Some(_) => segment.bytes as u64,
        None => 0,
    }
}
