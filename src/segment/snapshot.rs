//! What has been cut of a stream at one moment.

use super::{DateRange, Rendition, Segmenter, Settings};
use media::Kind;
use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

/// What there is to serve. It shares all bytes with those before and after it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with each snapshot of a stream.
    pub version: u64,
    /// Whole seconds that no segment exceeds when rounded; none until there is a first segment of each track to
    /// play, or nothing more to wait for.
    pub target: Option<u32>,
    /// When the first of all segments began, those that are forgotten included.
    pub begun: Option<SystemTime>,
    /// The tracks that have a segment, one of each kind: first those that go on, in the order of their IDs, then those of
    /// which nothing comes any more.
    pub renditions: Vec<Rendition>,
    /// How many of them go on.
    pub going_on: usize,
    /// Longest part.
    pub part: Duration,
    /// How much of the past playlists will show, once there is as much.
    pub past: Duration,
    /// How long after capture media arrives at best, as far as the source tells.
    pub lag: Duration,
    /// What happens beside pictures and sound, oldest first.
    pub date_ranges: Vec<DateRange>,
    /// What the messages are that come with the leading track.
    pub schemes: Vec<&'static str>,
    /// Nothing more will come.
    pub ended: bool,
}

impl Snapshot {
    /// Of a segmenter that has come so far.
    pub fn of(segmenter: &Segmenter, settings: &Settings, version: u64, ended: bool) -> Self {
        // Players read the tracks once, so that all should be there; but none waits for one that stands still.
        let complete = |rendition: &Rendition| rendition.segments.len();
        let mut all = segmenter.renditions();
        let waiting = all.clone().any(|rendition| complete(rendition) == 0)
            && all.all(|rendition| complete(rendition) < 2);
        let empty = Self {
            version,
            part: settings.part,
            ended,
            ..Self::default()
        };
        let Some(target) = segmenter.target().filter(|_| ended || !waiting) else {
            return empty;
        };
        let listed = u32::try_from(settings.listed).unwrap_or(u32::MAX);
        let past = Duration::from_secs(target.max(1).into()).saturating_mul(listed);
        let (present, mut silent): (Vec<_>, Vec<_>) = segmenter
            .renditions()
            .filter(|rendition| !rendition.segments.is_empty())
            .cloned()
            .partition(|rendition| !segmenter.is_silent(rendition.track.id));
        let mut renditions = Vec::new();
        add_one_of_each(&mut renditions, present);
        let going_on = renditions.len();
        // The name is that of the newest.
        silent.sort_by_key(|rendition| Reverse(rendition.open_number));
        add_one_of_each(&mut renditions, silent);
        Self {
            target: Some(target),
            begun: segmenter.begun(),
            renditions,
            going_on,
            past: past.max(settings.window),
            lag: segmenter.lag(),
            date_ranges: segmenter.date_ranges().cloned().collect(),
            schemes: segmenter.schemes().collect(),
            ..empty
        }
    }

    /// Those of which more may come, as far as is known.
    pub fn present(&self) -> &[Rendition] {
        self.renditions.get(..self.going_on).unwrap_or_default()
    }

    /// The track of that kind.
    pub fn rendition(&self, kind: Kind) -> Option<&Rendition> {
        self.renditions
            .iter()
            .find(|rendition| rendition.track.kind() == kind)
    }
}

/// Adds the first of each kind that is not there: names tell no more than the kind.
fn add_one_of_each(renditions: &mut Vec<Rendition>, more: Vec<Rendition>) {
    for one in more {
        let kind = one.track.kind();
        if renditions.iter().all(|known| known.track.kind() != kind) {
            renditions.push(one);
        }
    }
}
