//! The index of a file that has no fragments: access units are written one behind the other as they come, and the
//! index is put in front of them in the end, so that players begin before they have all of it ("faststart").

use super::fragment::Sample;
use super::tables::TrackTables;
use super::{Index, IndexError};
use crate::{boxes, init, track_number};
use bytes::Bytes;
use media::{AccessUnit, Track, TrackId};

/// Gathers where access units are, and when.
#[derive(Debug)]
pub struct Plain {
    index: Index,
    tracks: Vec<Held>,
    /// Bytes of media so far.
    length: u64,
}

/// A track, and its newest unit, whose successor tells how long it lasts.
#[derive(Debug)]
struct Held {
    id: TrackId,
    /// What is zero in the file.
    origin: i64,
    unit: Option<(i64, u64, Sample)>,
    /// How long the one before lasted.
    duration: u32,
}

impl Plain {
    /// For a file of these tracks, whose first unit is decoded at `origin`: a time of each track in its own ticks.
    ///
    /// # Errors
    /// As [`init::write`].
    pub fn new(tracks: &[Track], origin: impl Fn(&Track) -> i64) -> Result<Self, init::Error> {
        let init = init::write(tracks)?;
        let broken = |error: IndexError| init::Error::Box {
            track: 0,
            reason: error.to_string(),
        };
        let length = boxes::Header::read(&init).and_then(|header| header.size);
        let length = usize::try_from(length.unwrap_or(0)).unwrap_or(0);
        let moov = init.slice(length.min(init.len())..);
        let index = Index::new(&moov).map_err(broken)?;
        let tracks = tracks.iter().map(|track| Held {
            id: track.id,
            origin: origin(track),
            unit: None,
            duration: track.timebase.ticks_per_second() / 25,
        });
        Ok(Self {
            tracks: tracks.collect(),
            index,
            length: 0,
        })
    }

    /// Takes the next unit, whose payload the caller writes behind those before. False when its track is not one of
    /// the file's: it is not written then.
    pub fn push(&mut self, unit: &AccessUnit) -> bool {
        let Some(held) = self.tracks.iter_mut().find(|held| held.id == unit.track) else {
            return false;
        };
        let at = self.length;
        let size = u32::try_from(unit.payload.len()).unwrap_or(u32::MAX);
        let ends = (i64::from(i32::MIN), i64::from(i32::MAX));
        let offset = unit.pts.saturating_sub(unit.dts).clamp(ends.0, ends.1);
        let sample = Sample {
            duration: 0,
            size,
            offset: i32::try_from(offset).unwrap_or(0),
            is_sync: unit.random_access,
        };
        let before = held.unit.replace((unit.dts, at, sample));
        if let Some((dts, at, sample)) = before {
            let duration = unit.dts.saturating_sub(dts);
            held.duration = u32::try_from(duration).unwrap_or(u32::MAX);
            let base = u64::try_from(dts.saturating_sub(held.origin)).unwrap_or(0);
            append(&mut self.index, held, base, at, sample);
        }
        self.length = self.length.saturating_add(size.into());
        true
    }

    /// All that stands in front of the media: `ftyp`, `moov` and the head of `mdat`.
    ///
    /// # Errors
    /// When a configuration does not fit.
    pub fn finish(mut self) -> Result<Bytes, IndexError> {
        for held in &mut self.tracks {
            if let Some((dts, at, sample)) = held.unit.take() {
                let base = u64::try_from(dts.saturating_sub(held.origin)).unwrap_or(0);
                append(&mut self.index, held, base, at, sample);
            }
        }
        let tracks = &self.index.tracks;
        let moment = tracks.iter().filter_map(TrackTables::first_shown).min();
        self.index.head(moment.unwrap_or_default(), self.length)
    }

    /// Bytes of media so far.
    pub const fn length(&self) -> u64 {
        self.length
    }
}

fn append(index: &mut Index, held: &Held, base: u64, at: u64, sample: Sample) {
    let number = track_number(held.id);
    let mut tracks = index.tracks.iter_mut();
    if let Some(track) = tracks.find(|track| track.number == number) {
        let duration = held.duration;
        track.append(base, at, Sample { duration, ..sample }, 1);
    }
}
