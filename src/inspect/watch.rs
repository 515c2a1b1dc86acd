//! What can be said of a track by watching its access units.

use crate::hub::TrackSet;
use media::{AccessUnit, Kind, Timebase, Track};
use std::time::Duration;

/// What has been seen of each track.
#[derive(Debug, Default)]
pub struct Watch {
    /// In the order of their IDs.
    pub tracks: Vec<Seen>,
}

/// What has been seen of a track.
#[derive(Clone, Debug)]
pub struct Seen {
    /// As it was declared last.
    pub track: Track,
    /// Access units.
    pub units: u64,
    /// Their payloads' bytes.
    pub bytes: u64,
    /// Earliest and latest decoding time, in microseconds.
    reach: Option<(i64, i64)>,
    /// The latest presentation time so far.
    latest_pts: Option<i64>,
    /// Whether one came that was earlier: there are B-frames.
    pub is_reordered: bool,
    /// The last random access point: its time in microseconds, and units since.
    last_start: Option<(i64, u64)>,
    /// Random access points.
    pub starts: u64,
    /// Shortest and longest distance between two: time and units.
    pub gops: Option<[(Duration, u64); 2]>,
}

impl Watch {
    /// The tracks of what follows.
    pub fn set_tracks(&mut self, set: &TrackSet) {
        for track in &set.tracks {
            match self
                .tracks
                .iter_mut()
                .find(|seen| seen.track.id == track.id)
            {
                Some(seen) => seen.track = track.clone(),
                None => self.tracks.push(Seen::new(track.clone())),
            }
        }
        self.tracks.sort_by_key(|seen| seen.track.id);
    }

    /// The next unit.
    pub fn push(&mut self, unit: &AccessUnit) {
        let seen = self
            .tracks
            .iter_mut()
            .find(|seen| seen.track.id == unit.track);
        if let Some(seen) = seen {
            seen.push(unit);
        }
    }

    /// Whether more would say nothing new: every track of pictures has shown how far its random access points are
    /// apart, twice.
    pub fn has_seen_enough(&self) -> bool {
        let tracks = self.tracks.iter();
        let mut pictures = tracks.filter(|seen| seen.track.kind() == Kind::Video);
        pictures.all(|seen| seen.starts > 2)
    }
}

impl Seen {
    const fn new(track: Track) -> Self {
        Self {
            track,
            units: 0,
            bytes: 0,
            reach: None,
            latest_pts: None,
            is_reordered: false,
            last_start: None,
            starts: 0,
            gops: None,
        }
    }

    fn push(&mut self, unit: &AccessUnit) {
        let micros = self.track.timebase.rescale(unit.dts, Timebase::MICROS);
        let (first, last) = self.reach.unwrap_or((micros, micros));
        self.reach = Some((first.min(micros), last.max(micros)));
        self.is_reordered |= self.latest_pts.is_some_and(|latest| unit.pts < latest);
        self.latest_pts = Some(
            self.latest_pts
                .map_or(unit.pts, |latest| latest.max(unit.pts)),
        );
        self.units += 1;
        self.bytes += unit.payload.len() as u64;
        if let Some((_, units)) = &mut self.last_start {
            *units += 1;
        }
        if unit.random_access {
            self.starts += 1;
            if let Some((before, units)) = self.last_start.replace((micros, 0)) {
                let gop = (
                    Timebase::MICROS.duration(micros.saturating_sub(before)),
                    units,
                );
                let [shortest, longest] = self.gops.unwrap_or([gop, gop]);
                self.gops = Some([shortest.min(gop), longest.max(gop)]);
            }
        }
    }

    /// From the first to the last unit.
    pub fn length(&self) -> Duration {
        let length = self
            .reach
            .map_or(0, |(first, last)| last.saturating_sub(first));
        Timebase::MICROS.duration(length)
    }

    /// Units per second.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.length().as_secs_f64();
        (seconds > 0.0 && self.units > 1).then(|| (self.units - 1) as f64 / seconds)
    }

    /// Bits per second of the payloads.
    pub fn bitrate(&self) -> Option<u64> {
        // The last unit lasts as long as the others.
        let length = self.length().as_secs_f64() * self.units as f64;
        let length = length / self.units.saturating_sub(1) as f64;
        (self.units > 1 && length > 0.0).then(|| (self.bytes as f64 * 8.0 / length) as u64)
    }
}
