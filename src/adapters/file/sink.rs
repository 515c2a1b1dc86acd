//! Writes a stream to a file, all of it: what the format has no place for is told. What its bytes are is the `form`'s,
//! where they go the `output`'s.

use super::container::Container;
use super::form::Form;
use super::output::{Output, PIECE};
use super::report::Report;
use crate::adapters::Feed;
use crate::hub::{Item, TrackSet};
use media::{AccessUnit, Kind, Timebase, TrackId};
use std::path::Path;
use std::sync::Arc;

/// What comes first is gathered until so much media is there: a file begins with the earliest of it, which need not
/// be the first.
const HEAD_MICROS: i64 = 1_000_000;

/// Most units that are gathered so.
const MAX_HEAD: usize = 4_096;

/// Writes until the stream ends.
pub(super) async fn push(path: &Path, feed: &Feed, report: &Report) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let container = Container::of(path).map_err(|error| words(&error))?;
    let mut reader = feed.reader();
    let mut head = Head::default();
    let mut next = None;
    while !head.is_whole() {
        match reader.next().await {
            Item::Tracks(tracks) => head.tracks = Some(tracks),
            Item::Unit(unit) => head.push(unit),
            other => {
                next = Some(other);
                break;
            }
        }
    }
    let tracks = head.tracks.clone().ok_or("there is nothing to write")?;
    let mut form = Form::new(container, &tracks, head.origin()).map_err(|error| words(&error))?;
    let mut left_out = LeftOut::default();
    left_out.tracks(&form, &tracks);
    let has = |kind| {
        let tracks = tracks.tracks.iter().filter(|track| track.kind() == kind);
        let mut carried = tracks.map(|track| left_out.0.iter().all(|left| left.track != track.id));
        carried
            .next()
            .map(|first| first || carried.any(|carried| carried))
    };
    // Without its pictures it is not the stream.
    let is_nothing = left_out.0.len() == tracks.tracks.len();
    if is_nothing || has(Kind::Video) == Some(false) {
        let reasons: Vec<&str> = left_out.0.iter().map(|left| left.reason.as_str()).collect();
        return Err(words(&format!(
            "the stream cannot be written: {}",
            reasons.join("; ")
        )));
    }
    let mut file = Output::create(path, &form)
        .await
        .map_err(|error| words(&error))?;
    feed.progress.set_live();
    form.begin(&tracks, &mut file);
    for unit in head.units {
        write(&mut form, &unit, &mut file, &mut left_out, feed, report);
    }
    loop {
        let item = match next.take() {
            Some(item) => item,
            None => reader.next().await,
        };
        match item {
            Item::Tracks(tracks) => {
                for words in form.change(&tracks, &mut file) {
                    report.lost(&words);
                }
                left_out.tracks(&form, &tracks);
            }
            Item::Unit(unit) => write(&mut form, &unit, &mut file, &mut left_out, feed, report),
            Item::Skipped(skip) => {
                feed.progress.skipped(skip.entries);
                report.lost(&format!(
                    "{} access units: {}",
                    skip.entries,
                    skip.cause.as_str()
                ));
            }
            Item::Ended(_) => break,
        }
        let flushed = file.flush(PIECE).await;
        flushed.map_err(|error| words(&error))?;
    }
    left_out.tell(report);
    let written = file.finish(form).await;
    written.map_err(|error| words(&error))
}

fn write(
    form: &mut Form,
    unit: &Arc<AccessUnit>,
    file: &mut Output,
    left_out: &mut LeftOut,
    feed: &Feed,
    report: &Report,
) {
    if left_out.takes(unit.track) {
        return;
    }
    match form.push(unit, file) {
        Ok(()) => feed.progress.sent(1, unit.payload.len() as u64),
        Err(reason) => report.lost(&format!(
            "track {}, unit at tick {}: {reason}",
            unit.track.0, unit.dts
        )),
    }
}

/// What comes first.
#[derive(Default)]
struct Head {
    tracks: Option<Arc<TrackSet>>,
    units: Vec<Arc<AccessUnit>>,
    /// Earliest and latest decoding time, in microseconds.
    reach: Option<(i64, i64)>,
}

impl Head {
    fn push(&mut self, unit: Arc<AccessUnit>) {
        let track = self
            .tracks
            .as_ref()
            .and_then(|tracks| tracks.get(unit.track));
        if let Some(track) = track {
            let micros = track.timebase.rescale(unit.dts, Timebase::MICROS);
            let (first, last) = self.reach.unwrap_or((micros, micros));
            self.reach = Some((first.min(micros), last.max(micros)));
        }
        self.units.push(unit);
    }

    fn is_whole(&self) -> bool {
        let length = self
            .reach
            .map_or(0, |(first, last)| last.saturating_sub(first));
        length >= HEAD_MICROS || self.units.len() >= MAX_HEAD
    }

    fn origin(&self) -> i64 {
        self.reach.map_or(0, |(first, _)| first)
    }
}

/// Tracks that the file does not have, why, and how many units of each there were.
#[derive(Default)]
struct LeftOut(Vec<Left>);

struct Left {
    track: TrackId,
    codec: &'static str,
    reason: String,
    units: u64,
}

impl LeftOut {
    /// Looks which of these tracks the file does not have.
    fn tracks(&mut self, form: &Form, tracks: &TrackSet) {
        for track in &tracks.tracks {
            if self.0.iter().all(|left| left.track != track.id)
                && let Err(reason) = form.has(track, tracks)
            {
                self.0.push(Left {
                    track: track.id,
                    codec: track.codec.name(),
                    reason,
                    units: 0,
                });
            }
        }
    }

    /// Counts a unit of a track that is left out.
    fn takes(&mut self, track: TrackId) -> bool {
        let left = self.0.iter_mut().find(|left| left.track == track);
        left.map(|left| left.units = left.units.saturating_add(1))
            .is_some()
    }

    fn tell(&self, report: &Report) {
        for Left {
            track,
            codec,
            reason,
            units,
        } in &self.0
        {
            let track = track.0;
            report.lost(&format!(
                "track {track} ({codec}) is left out, {units} access units: {reason}"
            ));
        }
    }
}
