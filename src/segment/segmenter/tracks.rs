//! Which tracks are cut, which of them leads, and which have fallen silent.

use super::Segmenter;
use crate::hub::TrackSet;
use crate::segment::cutter::Cutter;
use crate::segment::{Rendition, carries, scheme};
use media::{Codec, Kind, Track, TrackId};
use std::time::Duration;

/// A track that is so far behind the newest is silent: players should not wait for it.
const SILENT: Duration = Duration::from_secs(5);

/// Tracks whose segments are kept, those that are gone included. A stream has no more.
const MAX_TRACKS: usize = 16;

impl Segmenter {
    /// The tracks of what follows. Those that changed begin anew, and are a discontinuity for all; a track that is gone
    /// stays as it was, and is silent.
    ///
    /// A track that MP4 cannot carry is left out, and its access units with it; the others go on. Returns
    /// why, once for each such track as long as the reason is the same.
    pub fn set_tracks(&mut self, tracks: &TrackSet) -> Vec<mp4::init::Error> {
        if self.generation.replace(tracks.generation) == Some(tracks.generation) {
            return Vec::new();
        }
        let told = std::mem::take(&mut self.left_out);
        let mut tracks = tracks.tracks.clone();
        self.leave_one_of_each(&mut tracks);
        let present = tracks.iter().map(|track| track.id).collect();
        let before = std::mem::replace(&mut self.present, present);
        let is_told = |track: &&Track| scheme(&track.codec).is_some();
        self.data = tracks.iter().filter(is_told).cloned().collect();
        let discontinuities = self.discontinuities();
        let (mut changed, mut new) = (false, Vec::new());
        for track in tracks.iter().filter(|track| !is_told(track)) {
            let set = match Self::carry(track) {
                Ok(()) if self.goes_on(track, &before, discontinuities) => self.change(track),
                Ok(()) => {
                    new.push(track);
                    Ok(false)
                }
                Err(error) => Err(error),
            };
            match set {
                Ok(has_changed) => changed |= has_changed,
                Err(error) => self.left_out.push((track.id, error)),
            }
        }
        if changed {
            self.discontinue(&new);
        }
        let number = self.number_for(&new);
        for track in new {
            if let Err(error) = self.begin(track, number) {
                self.left_out.push((track.id, error));
            }
        }
        self.forget_gone();
        self.cutters.sort_by_key(|cutter| cutter.rendition.track.id);
        // A change of the configuration ends a segment.
        self.settle_target();
        let news = self.left_out.iter().filter(|left| !told.contains(left));
        news.map(|(_, error)| error.clone()).collect()
    }

    /// Of tracks that are gone the segments stay for who plays them, but not those of all publishers there ever were.
    fn forget_gone(&mut self) {
        while self.cutters.len() > MAX_TRACKS {
            let cutters = self.cutters.iter().enumerate();
            let gone = cutters.filter(|(_, cutter)| {
                let id = cutter.rendition.track.id;
                !self.present.contains(&id)
            });
            let oldest = gone.min_by_key(|(_, cutter)| cutter.newest());
            let Some(place) = oldest.map(|(place, _)| place) else {
                return;
            };
            // What comes later begins above it too.
            self.first_number = self.next_number();
            self.begun = self.begun();
            self.cutters.remove(place);
        }
    }

    /// Of several tracks of a kind one is cut, since names tell no more than the kind: the one that has been, or else the
    /// first that every browser plays.
    fn leave_one_of_each(&mut self, tracks: &mut Vec<Track>) {
        for kind in [Kind::Video, Kind::Audio] {
            let is_of = |track: &&Track| track.kind() == kind && carries(&track.codec);
            let is_told = |track: &Track| {
                let known = self.rendition(track.id);
                self.present.contains(&track.id)
                    && known.is_some_and(|known| {
                        known.track.kind() == kind && !known.segments.is_empty()
                    })
            };
            let is_common = |track: &Track| {
                kind == Kind::Video || matches!(track.codec, Codec::Aac(_) | Codec::Opus(_))
            };
            let of_kind = tracks.iter().filter(is_of);
            let chosen = of_kind.min_by_key(|track| (!is_told(track), !is_common(track)));
            let chosen = chosen.map(|track| track.id);
            let others = tracks.iter().filter(is_of);
            let others = others.filter(|track| Some(track.id) != chosen);
            let others: Vec<TrackId> = others.map(|track| track.id).collect();
            tracks.retain(|track| !others.contains(&track.id));
            // Of what has been cut so far of one that is left for another nothing has been told.
            self.cutters.retain(|cutter| {
                let Rendition {
                    track, segments, ..
                } = &cutter.rendition;
                !others.contains(&track.id) || !segments.is_empty()
            });
        }
    }

    /// Whether a track goes on with what has been cut of it. Not where it was away while others had a discontinuity, or
    /// while another of its kind was cut under their common name; and what was cut of pictures is not to be found under
    /// the names of sound.
    fn goes_on(&self, track: &Track, before: &[TrackId], discontinuities: u64) -> bool {
        let kind = track.kind();
        let of_kind = self.renditions().filter(|one| one.track.kind() == kind);
        let newest = of_kind.map(|one| one.open_number).max();
        self.rendition(track.id).is_some_and(|known| {
            known.track.kind() == kind
                && known.discontinuities() == discontinuities
                && (before.contains(&track.id) || Some(known.open_number) == newest)
        })
    }

    /// Number of the first segments of new tracks: beside those of the leading one; above all where a track becomes one of
    /// another kind, and what there was of it is forgotten.
    fn number_for(&self, new: &[&Track]) -> u64 {
        let is_other = |track: &&Track| {
            let known = self.rendition(track.id);
            known.is_some_and(|known| known.track.kind() != track.kind())
        };
        let lead = self.lead().map(|lead| lead.open_number);
        match lead {
            _ if new.iter().any(is_other) => self.next_number(),
            Some(lead) => lead.max(self.first_number),
            None => self.first_number,
        }
    }

    /// Why MP4 cannot carry it.
    fn carry(track: &Track) -> Result<(), mp4::init::Error> {
        if carries(&track.codec) {
            return Ok(());
        }
        Err(mp4::init::Error::Codec {
            track: mp4::track_number(track.id),
            codec: track.codec.name(),
        })
    }

    /// Gives a track its present configuration. Whether that is another.
    fn change(&mut self, track: &Track) -> Result<bool, mp4::init::Error> {
        let (epoch, longest) = (self.epoch.get(), self.longest());
        let mut cutters = self.cutters.iter_mut();
        let cutter = cutters.find(|cutter| cutter.rendition.track.id == track.id);
        let Some(cutter) = cutter.filter(|cutter| cutter.rendition.track != *track) else {
            return Ok(false);
        };
        cutter.epoch = epoch;
        cutter.longest = longest;
        cutter.change(track.clone())?;
        Ok(true)
    }

    /// Begins a track with that number, or above all others of its kind.
    fn begin(&mut self, track: &Track, number: u64) -> Result<(), mp4::init::Error> {
        let of_kind = self
            .renditions()
            .filter(|one| one.track.kind() == track.kind());
        let above = of_kind.map(|one| one.open_number + 1).max();
        let number = above.map_or(number, |above| number.max(above));
        let new = Cutter::new(self.settings, track.clone(), number, self.discontinuities())?;
        self.begun = self.begun();
        self.cutters
            .retain(|known| known.rendition.track.id != track.id);
        self.cutters.push(new);
        Ok(())
    }

    /// A track has another configuration. Players tell by the number of discontinuities what of one track belongs to what of
    /// another, so all have one, but those that are `new` (RFC 8216 section 6.2.4). Where one has had nothing since the last,
    /// that one has to do: it cannot have two in front of one segment.
    fn discontinue(&mut self, new: &[&Track]) {
        let (epoch, longest) = (self.epoch.get(), self.longest());
        let (present, left_out) = (&self.present, &self.left_out);
        let cutters = self.cutters.iter_mut().filter(|cutter| {
            let id = cutter.rendition.track.id;
            let is_left_out = left_out.iter().any(|(left, _)| *left == id);
            let is_new = new.iter().any(|track| track.id == id);
            present.contains(&id) && !is_left_out && !is_new
        });
        let mut cutters: Vec<&mut Cutter> = cutters.collect();
        let is_begun = cutters.iter().any(|cutter| !cutter.is_new());
        if !is_begun || cutters.iter().any(|cutter| cutter.awaits()) {
            return;
        }
        for cutter in &mut cutters {
            cutter.epoch = epoch.or(cutter.epoch);
            cutter.longest = longest;
            cutter.discontinue();
        }
    }

    /// Those of the tracks that have had all of them.
    fn discontinuities(&self) -> u64 {
        let counts = self.renditions().map(Rendition::discontinuities);
        counts.max().unwrap_or(0)
    }

    /// The track at whose random access points segments end.
    pub(super) fn lead(&self) -> Option<&Rendition> {
        let mut carried = self
            .renditions()
            .filter(|rendition| !self.is_left_out(rendition.track.id))
            .filter(|rendition| self.present.contains(&rendition.track.id));
        let first = carried.clone().next();
        let video = carried.find(|rendition| rendition.track.kind() == Kind::Video);
        // One that was carried once still has its numbers.
        video.or(first).or_else(|| self.renditions().next())
    }

    pub(super) fn is_left_out(&self, track: TrackId) -> bool {
        self.left_out.iter().any(|(left, _)| *left == track)
    }

    /// Whether nothing comes of a track while others go on: it is gone, or far behind.
    pub fn is_silent(&self, track: TrackId) -> bool {
        let newest = self.cutters.iter().filter_map(Cutter::newest).max();
        let mut cutters = self.cutters.iter();
        let own = cutters
            .find(|cutter| cutter.rendition.track.id == track)
            .and_then(Cutter::newest);
        let behind = newest
            .zip(own)
            .map(|(newest, own)| newest.saturating_sub(own));
        !self.present.contains(&track) || behind.is_some_and(|behind| behind > SILENT)
    }
}
