//! Which tracks are cut, which of them leads, and which have fallen silent.

use super::Segmenter;
use crate::hub::TrackSet;
use crate::segment::cutter::Cutter;
use crate::segment::{Rendition, carries, scheme};
use media::{Kind, Track, TrackId};
use std::time::Duration;

/// A track that is so far behind the newest is silent: players should not wait for it.
const SILENT: Duration = Duration::from_secs(5);

/// Tracks whose segments are kept, those that are gone included. A stream has no more.
const MAX_TRACKS: usize = 16;

impl Segmenter {
    /// The tracks of what follows. Those that changed begin anew; a track that is gone stays as it was, and is
    /// silent.
    ///
    /// A track that MP4 cannot carry is left out, and its access units with it; the others go on. Returns
    /// why, once for each such track as long as the reason is the same.
    pub fn set_tracks(&mut self, tracks: &TrackSet) -> Vec<mp4::init::Error> {
        if self.generation.replace(tracks.generation) == Some(tracks.generation) {
            return Vec::new();
        }
        let number = self
            .lead()
            .map_or(self.first_number, |lead| lead.open_number);
        let told = std::mem::take(&mut self.left_out);
        self.present = tracks.tracks.iter().map(|track| track.id).collect();
        let is_told = |track: &&Track| scheme(&track.codec).is_some();
        self.data = tracks.tracks.iter().filter(is_told).cloned().collect();
        for track in tracks.tracks.iter().filter(|track| !is_told(track)) {
            if let Err(error) = self.set_track(track, number) {
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
            self.cutters.remove(place);
        }
    }

    /// Begins a track, or begins it anew if it changed.
    fn set_track(&mut self, track: &Track, number: u64) -> Result<(), mp4::init::Error> {
        if !carries(&track.codec) {
            return Err(mp4::init::Error::Codec {
                track: mp4::track_number(track.id),
                codec: track.codec.name(),
            });
        }
        let (longest, above) = (self.longest(), self.next_number());
        let mut cutters = self.cutters.iter_mut();
        match cutters.find(|cutter| cutter.rendition.track.id == track.id) {
            Some(cutter) if cutter.rendition.track == *track => {}
            // What was cut of pictures is not to be found under the names of sound.
            Some(cutter) if cutter.rendition.track.kind() != track.kind() => {
                *cutter = Cutter::new(self.settings, track.clone(), above)?;
            }
            Some(cutter) => {
                cutter.epoch = self.epoch.get();
                cutter.longest = longest;
                cutter.change(track.clone())?;
            }
            None => {
                let cutter = Cutter::new(self.settings, track.clone(), number)?;
                self.cutters.push(cutter);
            }
        }
        Ok(())
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
