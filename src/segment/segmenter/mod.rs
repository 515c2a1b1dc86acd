//! Where one segment ends and the next begins. Whose segments these are is told in `tracks`.

mod tracks;

#[cfg(test)]
mod tests;

use super::cutter::{Completed, Cutter};
use super::epoch::Epoch;
use super::splices::Splices;
use super::{DateRange, Place, Rendition, Segment, Settings};
use media::{AccessUnit, Codec, Data, Timebase, Track, TrackId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A segment may be longer than the target duration by this, and still be rounded to it (RFC 8216
/// section 4.3.3.1).
const ROUNDING: Duration = Duration::from_millis(490);

const SPLICES: Codec = Codec::Data(Data::Scte35);

/// Cuts the tracks of one stream.
#[derive(Debug)]
pub struct Segmenter {
    settings: Settings,
    cutters: Vec<Cutter>,
    /// Whole seconds that no segment exceeds when rounded; fixed with the leading track's first segment.
    target: Option<u32>,
    /// Below it are numbers that were used before, or by tracks that are forgotten.
    first_number: u64,
    /// When the first segment of the tracks that are forgotten began.
    begun: Option<SystemTime>,
    epoch: Epoch,
    generation: Option<u64>,
    /// Tracks that the stream has now, without those beside another of their kind.
    present: Vec<TrackId>,
    /// Number of the segment that waits for a random access point, once that has been said.
    waiting: Option<u64>,
    /// Tracks that MP4 cannot carry as they are now.
    left_out: Vec<(TrackId, mp4::init::Error)>,
    /// Tracks of what happens beside pictures and sound.
    data: Vec<Track>,
    /// Number of the next thing that happens.
    next_event: u32,
    splices: Splices,
}

impl Segmenter {
    /// A segmenter whose first segments have the media sequence number `first_number`. One that is started
    /// again for a stream must begin above all it has given out before.
    pub fn new(settings: Settings, first_number: u64) -> Self {
        Self {
            settings,
            cutters: Vec::new(),
            target: None,
            first_number,
            begun: None,
            epoch: Epoch::default(),
            generation: None,
            present: Vec::new(),
            waiting: None,
            left_out: Vec::new(),
            data: Vec::new(),
            next_event: 0,
            splices: Splices::default(),
        }
    }

    /// One rendition per track that is or was cut, in the order of the tracks' IDs.
    pub fn renditions(&self) -> impl Iterator<Item = &Rendition> + Clone {
        self.cutters.iter().map(|cutter| &cutter.rendition)
    }

    /// A number above those of all segments.
    pub fn next_number(&self) -> u64 {
        let numbers = self.renditions().map(|rendition| rendition.open_number + 1);
        numbers.fold(self.first_number, u64::max)
    }

    /// When the first of all segments began, as it was known then.
    pub fn begun(&self) -> Option<SystemTime> {
        let firsts = self.renditions().filter_map(|one| one.first_stretch);
        let firsts = firsts.map(|first| first.program_date_time);
        firsts.chain(self.begun).min()
    }

    /// The target duration in seconds, once the first segment is complete.
    pub const fn target(&self) -> Option<u32> {
        self.target
    }

    /// The next access unit, which arrived at `now`. True when a part or segment has been completed.
    pub fn push(&mut self, unit: &AccessUnit, now: SystemTime) -> bool {
        if self.is_left_out(unit.track) || !self.present.contains(&unit.track) {
            return false;
        }
        if self.data.iter().any(|track| track.id == unit.track) {
            self.note(unit);
            return false;
        }
        let leads = self.lead().is_some_and(|lead| lead.track.id == unit.track);
        let (limit, longest) = (self.limit(), self.longest());
        let settings = self.settings;
        let Some(cutter) = self
            .cutters
            .iter_mut()
            .find(|cutter| cutter.rendition.track.id == unit.track)
        else {
            return false;
        };
        let timebase = cutter.rendition.track.timebase;
        // What this unit completes began in front of it.
        cutter.epoch = self.epoch.get().or(cutter.epoch);
        cutter.captured = self.epoch.captured();
        cutter.longest = longest;
        if leads {
            self.epoch.learn(unit, timebase, now);
        }

        let before = (
            cutter.rendition.open_number,
            cutter.rendition.open_parts.len(),
        );
        let Completed { hole, cut } = cutter.complete_held(unit.dts);
        let cut = cut.map(|cut| timebase.rescale(cut, Timebase::MICROS));
        let mut ends: Vec<i64> = cut.into_iter().collect();
        let elapsed = timebase.duration(cutter.elapsed());
        let micros = timebase.rescale(unit.dts, Timebase::MICROS);
        let due = if leads {
            // Behind a seam the clock on the wall has gone on further than the media's.
            let long_enough = elapsed + Duration::from_millis(1) >= settings.segment;
            unit.random_access && (long_enough || unit.discontinuity)
        } else {
            cutter.reaches_cut(micros)
        };
        let too_long = elapsed >= limit;
        let too_large = cutter.open_bytes() > settings.max_bytes / 4;
        if cutter.elapsed() > 0 && (hole || due || too_long || too_large) {
            cutter.cut_segment();
            ends.push(micros);
        }
        cutter.hold(unit.clone());
        let after = (
            cutter.rendition.open_number,
            cutter.rendition.open_parts.len(),
        );
        if leads {
            self.note_cuts(unit.track, &ends);
        }
        self.settle_target();
        before != after
    }

    /// The leading track has ended segments there, in microseconds: the others do too. What others ended before it led is
    /// nothing to it.
    fn note_cuts(&mut self, lead: TrackId, ends: &[i64]) {
        for cutter in &mut self.cutters {
            if cutter.rendition.track.id == lead {
                cutter.cuts.clear();
            } else {
                ends.iter().for_each(|end| cutter.note_cut(*end));
            }
        }
    }

    /// Fixes the target duration, once the leading track has a segment, or there are two of one that goes on without it.
    pub(super) fn settle_target(&mut self) {
        let leads = self.lead().is_some_and(|lead| !lead.segments.is_empty());
        if self.target.is_some() || !leads && self.renditions().all(|one| one.segments.len() < 2) {
            return;
        }
        let complete = self.renditions().flat_map(|one| &one.segments);
        let complete = complete.map(|segment| segment.duration);
        let open = self.cutters.iter().map(Cutter::open_duration);
        let longest = complete.chain(open).max().unwrap_or_default();
        let longest = longest.max(self.settings.segment).as_secs_f64();
        self.target = Some(longest.round() as u32);
    }

    /// Something happens beside pictures and sound: it is told with the leading track, and of splices in playlists.
    fn note(&mut self, unit: &AccessUnit) {
        let lead = self.lead().map(|lead| lead.track.id);
        let track = self.data.iter().find(|track| track.id == unit.track);
        let scheme = track.and_then(|track| super::scheme(&track.codec));
        let (Some(lead), Some(track), Some(scheme)) = (lead, track, scheme) else {
            return;
        };
        let micros = track.timebase.rescale(unit.pts, Timebase::MICROS);
        if let Some(epoch) = self.epoch.get().filter(|_| track.codec == SPLICES) {
            let base = SystemTime::UNIX_EPOCH + epoch + Timebase::MICROS.duration(micros);
            self.splices.push(&unit.payload, base);
        }
        let id = self.next_event;
        self.next_event = id.wrapping_add(1);
        let mut cutters = self.cutters.iter_mut();
        if let Some(cutter) = cutters.find(|cutter| cutter.rendition.track.id == lead) {
            cutter.note(scheme, id, micros, unit.payload.clone());
        }
    }

    /// How long after capture access units arrive at best, as far as the source tells.
    pub fn lag(&self) -> Duration {
        self.epoch.lag()
    }

    /// Ranges of dates of what happens, oldest first.
    pub fn date_ranges(&self) -> impl Iterator<Item = &DateRange> {
        self.splices.ranges()
    }

    /// What the messages are that come with the leading track.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        let tracks = self.data.iter();
        tracks.filter_map(|track| super::scheme(&track.codec))
    }

    /// Whether the segment that is open has become longer than it should be for want of a random access point.
    /// True once for each such segment.
    pub fn wants_random_access(&mut self) -> bool {
        let longest = match self.target {
            Some(target) => Duration::from_secs(u64::from(target)),
            None => self.settings.segment * 2,
        };
        let lead = self.lead().map(|lead| (lead.track.id, lead.open_number));
        let Some((lead, number)) = lead else {
            return false;
        };
        let mut cutters = self.cutters.iter();
        let open = cutters.find(|cutter| cutter.rendition.track.id == lead);
        let is_late = open.is_some_and(|open| {
            let timebase = open.rendition.track.timebase;
            timebase.duration(open.elapsed()) > longest
        });
        is_late && self.waiting.replace(number) != Some(number)
    }

    /// A segment that is to be put on the disk, with its track: of those that are not there, the first of a track. None
    /// where no disk is to be had, and when all are there.
    pub fn next_to_store(&self) -> Option<(TrackId, Arc<Segment>)> {
        let mut cutters = self.cutters.iter();
        cutters.find_map(|cutter| {
            let segment = cutter.next_to_store()?;
            Some((cutter.rendition.track.id, segment.clone()))
        })
    }

    /// The segment of that number has been put on the disk, and may go from memory.
    pub fn stored(&mut self, track: TrackId, number: u64, place: Place) {
        let mut cutters = self.cutters.iter_mut();
        if let Some(cutter) = cutters.find(|cutter| cutter.rendition.track.id == track) {
            cutter.stored(number, place);
        }
    }

    /// The stream is over: completes what is open.
    pub fn finish(&mut self) {
        let longest = self.longest();
        for cutter in &mut self.cutters {
            cutter.epoch = self.epoch.get();
            cutter.longest = longest;
            cutter.close_segment();
        }
        if self.target.is_none() {
            let longest = self
                .renditions()
                .flat_map(|rendition| &rendition.segments)
                .map(|segment| segment.duration)
                .max();
            self.target = longest.map(|longest| longest.as_secs_f64().round().max(1.0) as u32);
        }
    }

    /// Longest that a segment may be without a random access point at its end.
    fn limit(&self) -> Duration {
        // One access unit more fits in the rest of the rounding, if it is not too long.
        let with_another = |longest: Duration| longest - Duration::from_millis(110);
        self.longest()
            .map_or(self.settings.max_segment, with_another)
    }

    /// Longest that a segment may be, once that is known.
    fn longest(&self) -> Option<Duration> {
        let target = Duration::from_secs(u64::from(self.target?));
        Some(target + ROUNDING)
    }

    /// The rendition of a track.
    pub fn rendition(&self, track: TrackId) -> Option<&Rendition> {
        self.renditions()
            .find(|rendition| rendition.track.id == track)
    }
}
