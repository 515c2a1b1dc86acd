//! A recording of HLS in the making (RFC 8216 section 3.3): fragmented MP4, all tracks together, in segments of some
//! seconds that begin at random access points, and in the end the playlist that names them. What `film.m3u8` names is in
//! the folder `film` beside it: `init0.mp4`, `0.m4s`, `1.m4s` and so on.

use super::output::Output;
use crate::hub::TrackSet;
use crate::record::fragments::Fragments;
use bytes::Bytes;
use hls::media::{Playlist, Segment};
use media::{AccessUnit, Timebase, TrackId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A segment ends at the first random access point after this, in microseconds.
const LENGTH: i64 = 4_000_000;

/// A segment of so many bytes ends where a fragment does, whatever comes: players have a bound of their own.
const MAX_BYTES: usize = 32 << 20;

/// Segments and their playlist, of which nothing but the list is kept.
#[derive(Debug)]
pub(super) struct Segments {
    tracks: TrackSet,
    /// Whose random access points segments begin at.
    lead: Option<TrackId>,
    fragments: Fragments,
    /// What is zero in the files, in microseconds.
    origin: i64,
    /// Initialisation section of what follows, and how many there have been.
    init: Bytes,
    inits: usize,
    done: Vec<Done>,
    open: Option<Open>,
    /// Time of the newest unit of the lead, and its distance from the one before, in microseconds.
    newest: i64,
    step: i64,
    has_changed: bool,
}

/// The segment that is being written. Times are microseconds.
#[derive(Debug)]
struct Open {
    begins: i64,
    bytes: usize,
    discontinuity: bool,
    captured: Option<SystemTime>,
}

/// One that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    duration: Duration,
    /// Number of its initialisation section.
    init: usize,
    discontinuity: bool,
    captured: Option<SystemTime>,
}

/// All that has been written.
#[derive(Debug)]
pub(super) struct Written(Vec<Done>);

impl Segments {
    /// Of these tracks, which can be carried, from `origin` on, in microseconds.
    ///
    /// # Errors
    /// When they cannot be described.
    pub(super) fn new(tracks: TrackSet, origin: i64) -> Result<Self, String> {
        Ok(Self {
            lead: tracks.lead().map(|lead| lead.id),
            fragments: Fragments::whole(&tracks, origin),
            init: section(&tracks)?,
            tracks,
            origin,
            inits: 0,
            done: Vec::new(),
            open: None,
            newest: origin,
            step: 0,
            has_changed: false,
        })
    }

    /// Writes what stands in front of the segments that follow.
    pub(super) fn begin(&mut self, out: &mut Output) {
        out.turn_to(format!("init{}.mp4", self.inits));
        out.buffer.extend_from_slice(&self.init);
        self.inits = self.inits.saturating_add(1);
    }

    /// The tracks of what follows: where they are others, it is a discontinuity.
    ///
    /// # Errors
    /// When they cannot be described; it goes on with those before.
    pub(super) fn change(&mut self, tracks: TrackSet, out: &mut Output) -> Result<(), String> {
        if tracks.tracks == self.tracks.tracks {
            return Ok(());
        }
        let init = section(&tracks)?;
        self.end(out);
        self.fragments = Fragments::whole(&tracks, self.origin);
        self.lead = tracks.lead().map(|lead| lead.id);
        (self.tracks, self.init) = (tracks, init);
        self.has_changed = true;
        self.begin(out);
        Ok(())
    }

    /// Adds a unit of one of the tracks.
    pub(super) fn push(&mut self, unit: &Arc<AccessUnit>, out: &mut Output) {
        let Some(track) = self.tracks.get(unit.track) else {
            return;
        };
        let time = track.timebase.rescale(unit.dts, Timebase::MICROS);
        let leads = self.lead == Some(unit.track);
        let fragment = self.fragments.push(unit);
        let ends_here = fragment.is_some();
        self.write(time, fragment, out);
        if leads && let Some(open) = &self.open {
            let is_long = time.saturating_sub(open.begins) >= LENGTH && unit.random_access;
            if is_long || (open.bytes >= MAX_BYTES && ends_here) {
                let rest = self.fragments.flush();
                self.write(time, rest, out);
                self.close(time);
            }
        }
        if leads {
            self.step = time.saturating_sub(self.newest);
            self.newest = time;
        }
        if self.open.is_none() {
            self.open(time, unit.capture, out);
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, out: &mut Output) -> Written {
        self.end(out);
        Written(self.done)
    }

    fn open(&mut self, begins: i64, captured: Option<SystemTime>, out: &mut Output) {
        out.turn_to(format!("{}.m4s", self.done.len()));
        self.open = Some(Open {
            begins,
            bytes: 0,
            discontinuity: std::mem::take(&mut self.has_changed),
            captured,
        });
    }

    fn write(&mut self, time: i64, fragment: Option<Bytes>, out: &mut Output) {
        let Some(fragment) = fragment else {
            return;
        };
        if self.open.is_none() {
            self.open(time, None, out);
        }
        out.buffer.extend_from_slice(&fragment);
        if let Some(open) = &mut self.open {
            open.bytes = open.bytes.saturating_add(fragment.len());
        }
    }

    /// Ends the segment at that time.
    fn close(&mut self, time: i64) {
        let Some(open) = self.open.take() else {
            return;
        };
        let micros = time.saturating_sub(open.begins).max(0);
        self.done.push(Done {
            duration: Duration::from_micros(micros.unsigned_abs()),
            init: self.inits.saturating_sub(1),
            discontinuity: open.discontinuity,
            captured: open.captured,
        });
    }

    /// Ends the segment behind all that has come.
    fn end(&mut self, out: &mut Output) {
        let end = self.newest.saturating_add(self.step);
        let rest = self.fragments.finish();
        self.write(self.newest, rest, out);
        self.close(end);
    }
}

impl Written {
    /// The playlist, which is to be at that path.
    pub(super) fn playlist(&self, path: &Path) -> String {
        let folder = folder_name(path);
        let number = |number: usize| format!("{folder}/{number}.m4s");
        let uris: Vec<String> = (0..self.0.len()).map(number).collect();
        let map = |done: &Done| format!("{folder}/init{}.mp4", done.init);
        let maps: Vec<String> = self.0.iter().map(map).collect();
        let segments = self.0.iter().zip(&uris).zip(&maps);
        let segments: Vec<Segment<'_>> = segments
            .map(|((done, uri), map)| Segment {
                uri,
                duration: done.duration,
                discontinuity: done.discontinuity,
                program_date_time: done.captured,
                map: Some(map),
                ..Segment::default()
            })
            .collect();
        let longest = self.0.iter().map(|done| done.duration.as_secs_f64());
        let playlist = Playlist {
            target_duration: longest.fold(1.0, f64::max).round() as u32,
            is_recording: true,
            segments: &segments,
            ended: true,
            ..Playlist::default()
        };
        playlist.to_string()
    }
}

fn section(tracks: &TrackSet) -> Result<Bytes, String> {
    if tracks.tracks.is_empty() {
        return Ok(Bytes::new());
    }
    mp4::init::write(&tracks.tracks).map_err(|error| error.to_string())
}

/// Where the segments of that playlist are.
pub(super) fn folder(playlist: &Path) -> PathBuf {
    playlist.with_file_name(folder_name(playlist))
}

/// Its name: that of the playlist, without what players read differently in files and in URLs.
fn folder_name(playlist: &Path) -> String {
    let name = playlist.file_stem().unwrap_or_default();
    let plain = |char: char| match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => char,
        _ => '_',
    };
    name.to_string_lossy().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_names_what_has_been_written() {
        let done = |millis, init, discontinuity| Done {
            duration: Duration::from_millis(millis),
            init,
            discontinuity,
            captured: None,
        };
        let written = Written(vec![
            done(4_000, 0, false),
            done(5_600, 0, false),
            done(1_000, 1, true),
        ]);
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI=\"a_film_/init0.mp4\"
#EXTINF:4.00000,
a_film_/0.m4s
#EXTINF:5.60000,
a_film_/1.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"a_film_/init1.mp4\"
#EXTINF:1.00000,
a_film_/2.m4s
#EXT-X-ENDLIST
";
        let path = Path::new("/x/a film#.m3u8");
        assert_eq!(written.playlist(path), expected);
        assert_eq!(folder(path), Path::new("/x/a_film_"));
        assert_eq!(folder(Path::new("...m3u8")), Path::new("__"));
    }
}
