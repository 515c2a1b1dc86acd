//! From a stream to files, one at a time.

use super::clock::Clock;
use super::file::{Wanted, Writer};
use super::gather::Gather;
use super::host::Host;
use super::{Finished, RecordError};
use crate::config::record::Format;
use crate::hub::{Item, Reader, Stream, TrackSet};
use bytes::Bytes;
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use mpegts::muxer::Muxer;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What has come is written after so long, even when its fragment is not full.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where a file is cut, what comes earlier in other tracks is waited for so long, in microseconds of media, and for so
/// many bytes.
const LONGEST_CUT: i64 = 500_000;
const LARGEST_CUT: usize = 8 << 20;

/// A file is followed by another after so many access units of all tracks, whatever is said: 16 hours of 25 pictures and 47
/// frames of sound a second. What completes it, or plays it from afar, has a row of each in memory, and takes no more than
/// twice as many.
const MAX_UNITS: usize = 1 << 22;

/// When a file is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At the first random access point after so long; zero for never.
    pub duration: Duration,
    /// At the first one after so many bytes; 0 for never.
    pub bytes: u64,
    /// At the first one after so many access units.
    pub units: usize,
    /// What files are.
    pub format: Format,
    /// Files begin where the clock on the wall shows a multiple of `duration` since 1970, but for the first.
    pub aligned: bool,
}

impl Default for Limits {
    /// None but that of the number of access units.
    fn default() -> Self {
        Self {
            duration: Duration::ZERO,
            bytes: 0,
            units: MAX_UNITS,
            format: Format::default(),
            aligned: false,
        }
    }
}

/// Reads one stream into files.
#[derive(Debug)]
pub struct Recorder {
    host: Arc<dyn Host>,
    limits: Limits,
    reader: Reader,
    clock: Clock,
    /// Tracks that have been announced and are in no file yet.
    next: Option<Arc<TrackSet>>,
    /// Units that have been read and belong to the next file.
    ahead: VecDeque<Arc<AccessUnit>>,
    /// When the newest aligned file has to end, since 1970, and the last such moment that was reached: a clock that is
    /// corrected backwards makes no second file of the same time.
    boundary: Duration,
    reached: Duration,
}

/// Why nothing more is written to a file.
#[derive(Debug)]
pub enum Stopped {
    /// The stream has ended.
    Ended,
    /// It was asked for.
    Asked,
    /// Other tracks follow, for another file.
    Tracks,
    /// It is as long as it may be; the next file goes on where it ends.
    Full,
    /// The disk took no more.
    Failed(io::Error),
}

impl Recorder {
    /// From the stream's newest random access point on.
    pub fn new(host: Arc<dyn Host>, stream: Arc<Stream>, limits: Limits) -> Self {
        Self {
            host,
            limits,
            reader: Reader::new(stream),
            clock: Clock::default(),
            next: None,
            ahead: VecDeque::new(),
            boundary: Duration::ZERO,
            reached: Duration::ZERO,
        }
    }

    /// Makes the next file, as soon as its tracks are known.
    ///
    /// # Errors
    /// When the stream is over, or the disk or MP4 cannot take it.
    pub async fn create(&mut self, wanted: Wanted) -> Result<Writer, RecordError> {
        let tracks = loop {
            if let Some(tracks) = &self.next {
                break tracks.clone();
            }
            match self.reader.next().await {
                Item::Tracks(tracks) => self.next = Some(self.recorded(&tracks)),
                Item::Ended(_) => return Err(RecordError::Over),
                Item::Unit(_) | Item::Skipped(_) => {}
            }
        };
        let host = self.host.clone();
        blocking(move || Writer::create(host, &wanted, &tracks.tracks)).await
    }

    /// Lets the stream pass for so long without writing anything.
    ///
    /// # Errors
    /// The stream is over.
    pub async fn rest(&mut self, pause: Duration) -> Result<(), RecordError> {
        let until = Instant::now() + pause;
        self.ahead.clear();
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                item = self.reader.next() => match item {
                    Item::Tracks(tracks) => self.next = Some(self.recorded(&tracks)),
                    Item::Ended(_) => return Err(RecordError::Over),
                    Item::Unit(_) | Item::Skipped(_) => {}
                }
            }
        }
    }

    /// Fills a file that [`Recorder::create`] made. It is left to the caller to complete it; where there is none, what
    /// wrote it has died, and the next start of the server completes it.
    pub async fn fill(
        &mut self,
        writer: Writer,
        stop: &CancellationToken,
    ) -> (Stopped, Option<Writer>) {
        let tracks = self.next.take().unwrap_or_else(|| {
            Arc::new(TrackSet {
                generation: 0,
                tracks: Vec::new(),
            })
        });
        let mut file = Filling {
            fragments: Gather::new(self.limits.format, &tracks),
            writer: Some(writer),
            has_begun: false,
            cut: None,
        };
        let stopped = self.write(&mut file, &tracks, stop).await;
        if matches!(stopped, Stopped::Full | Stopped::Failed(_)) {
            // The next file has the same tracks, unless others have come.
            self.next.get_or_insert(tracks);
        }
        match stopped {
            // What could not be written before will not be written now.
            Stopped::Failed(_) => {}
            _ => {
                if let Err(error) = file.end().await {
                    let stream = self.reader.stream().name();
                    tracing::warn!(%stream, %error, "the end of a recording is lost");
                }
            }
        }
        (stopped, file.writer)
    }

    async fn write(
        &mut self,
        file: &mut Filling,
        tracks: &TrackSet,
        stop: &CancellationToken,
    ) -> Stopped {
        let mut due = None;
        loop {
            let at = due.unwrap_or_else(Instant::now);
            let ahead = self.ahead.pop_front();
            let fragment = tokio::select! {
                () = stop.cancelled() => return Stopped::Asked,
                () = sleep_until(at), if due.is_some() && ahead.is_none() => {
                    due = Some(Instant::now() + LONGEST_WAIT);
                    file.fragments.flush()
                }
                item = next(&mut self.reader, ahead.clone()) => match item {
                    Item::Unit(unit) => match self.take(file, tracks, unit, ahead.is_none()) {
                        ControlFlow::Continue(fragment) => fragment,
                        ControlFlow::Break(()) => return Stopped::Full,
                    },
                    Item::Tracks(next) => {
                        let next = self.recorded(&next);
                        if next.tracks != tracks.tracks {
                            self.next = Some(next);
                            return Stopped::Tracks;
                        }
                        None
                    }
                    Item::Skipped(skip) => {
                        self.reader.stream().note_skip("record", &"disk", &skip);
                        None
                    }
                    Item::Ended(_) => return Stopped::Ended,
                }
            };
            if let Some(fragment) = fragment {
                due = Some(Instant::now() + LONGEST_WAIT);
                if let Err(error) = file.append(fragment).await {
                    return Stopped::Failed(error);
                }
            }
            if file.fragments.is_empty() {
                due = None;
            } else {
                due.get_or_insert_with(|| Instant::now() + LONGEST_WAIT);
            }
        }
    }

    /// Puts a unit into the file, or keeps it for the next one. Breaks when the file has all that belongs to it.
    fn take(
        &mut self,
        file: &mut Filling,
        tracks: &TrackSet,
        unit: Arc<AccessUnit>,
        is_new: bool,
    ) -> ControlFlow<(), Option<Bytes>> {
        let mut recorded = tracks.tracks.iter();
        let Some(track) = recorded.find(|track| track.id == unit.track) else {
            return ControlFlow::Continue(None);
        };
        let timebase = track.timebase;
        if is_new {
            self.clock.learn(&unit, timebase, self.host.now());
        }
        let time = timebase.rescale(unit.dts, Timebase::MICROS);
        if file.cut.is_none() && self.ends_before(file, &unit, time) {
            file.cut = Some(Cut::new(tracks, time));
        }
        match &mut file.cut {
            Some(cut) if time >= cut.at => {
                if cut.push(unit, time) {
                    self.ahead = std::mem::take(&mut cut.units).into();
                    file.cut = None;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(None)
            }
            _ => {
                file.fragments.set_epoch(self.clock.epoch());
                ControlFlow::Continue(file.fragments.push(&unit))
            }
        }
    }

    fn recorded(&self, set: &TrackSet) -> Arc<TrackSet> {
        recorded(self.reader.stream(), self.limits.format, set)
    }

    /// Whether a file is long enough to end before this unit.
    fn ends_before(&mut self, file: &mut Filling, unit: &AccessUnit, time: i64) -> bool {
        let Limits {
            duration,
            bytes,
            units,
            aligned,
            ..
        } = self.limits;
        let aligned = aligned && !duration.is_zero();
        let micros = |micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let wall = self.clock.epoch().unwrap_or_default() + micros(time);
        if !file.has_begun {
            file.has_begun = true;
            if aligned {
                let next = wall.max(self.reached).as_nanos() / duration.as_nanos() + 1;
                let next = next.saturating_mul(duration.as_nanos());
                self.boundary = Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX));
            }
        }
        let length = micros(file.fragments.length(time));
        let is_long = match (duration.is_zero(), aligned) {
            (true, _) => false,
            (false, false) => length >= duration,
            // A clock that is set back makes no file endless.
            (false, true) => wall >= self.boundary || length >= duration.saturating_mul(2),
        };
        let is_large = bytes > 0 && file.bytes() >= bytes;
        let is_full = is_long || is_large || file.fragments.units() >= units;
        let ends = is_full && !length.is_zero() && file.fragments.can_begin_with(unit);
        if ends && aligned && wall >= self.boundary {
            self.reached = self.boundary;
        }
        ends
    }
}

/// Completes a file; what has to be waited for is the disk.
///
/// # Errors
/// The file could not be completed; it can be tried again when the server starts.
pub async fn complete(writer: Writer) -> Result<Finished, RecordError> {
    blocking(move || writer.finish()).await
}

/// The file that is being filled.
struct Filling {
    fragments: Gather,
    /// None while it is at work, and when that has died.
    writer: Option<Writer>,
    /// Something has come for it.
    has_begun: bool,
    cut: Option<Cut>,
}

impl Filling {
    fn bytes(&self) -> u64 {
        let written = self.writer.as_ref().map_or(0, Writer::length);
        written.saturating_add(self.fragments.bytes() as u64)
    }

    async fn append(&mut self, fragment: Bytes) -> io::Result<()> {
        let Some(mut taken) = self.writer.take() else {
            return Err(io::Error::other("there is no file"));
        };
        let appended = tokio::task::spawn_blocking(move || {
            let appended = taken.append(&fragment);
            (taken, appended)
        });
        let (taken, appended) = appended.await.map_err(io::Error::other)?;
        if appended.is_ok() {
            taken.know(self.fragments.known());
        }
        self.writer = Some(taken);
        appended
    }

    /// Writes what is left. Units that would have begun another file belong to this one then.
    async fn end(&mut self) -> io::Result<()> {
        let rest = self.cut.take().map(|cut| cut.units).unwrap_or_default();
        for unit in rest {
            if let Some(fragment) = self.fragments.push(&unit) {
                self.append(fragment).await?;
            }
        }
        match self.fragments.finish() {
            Some(last) => self.append(last).await,
            None => Ok(()),
        }
    }
}

/// Where a file ends and another begins: at a random access point of the pictures. Sound of before may come after it.
struct Cut {
    at: i64,
    /// What belongs to the other file.
    units: Vec<Arc<AccessUnit>>,
    bytes: usize,
    /// Tracks of which something earlier may come.
    behind: Vec<TrackId>,
}

impl Cut {
    fn new(tracks: &TrackSet, at: i64) -> Self {
        // Data comes when there is some.
        let flowing = tracks.tracks.iter();
        let flowing = flowing.filter(|track| track.kind() != Kind::Data);
        Self {
            at,
            units: Vec::new(),
            bytes: 0,
            behind: flowing.map(|track| track.id).collect(),
        }
    }

    /// Keeps a unit of the other file. True when nothing earlier is waited for any more.
    fn push(&mut self, unit: Arc<AccessUnit>, time: i64) -> bool {
        self.behind.retain(|track| *track != unit.track);
        self.bytes = self.bytes.saturating_add(unit.payload.len());
        self.units.push(unit);
        self.behind.is_empty()
            || time.saturating_sub(self.at) >= LONGEST_CUT
            || self.bytes >= LARGEST_CUT
    }
}

/// A unit that was read before, or the next one.
async fn next(reader: &mut Reader, ahead: Option<Arc<AccessUnit>>) -> Item {
    match ahead {
        Some(unit) => Item::Unit(unit),
        None => reader.next().await,
    }
}

/// The tracks that are recorded: those for which files have a form. What is left out is told.
fn recorded(stream: &Stream, format: Format, set: &TrackSet) -> Arc<TrackSet> {
    let holds = |track: &Track| match format {
        Format::Mp4 => mp4::init::holds(&track.codec),
        Format::Ts => Muxer::carries(&track.codec).is_ok(),
    };
    let (tracks, left): (Vec<Track>, Vec<Track>) = set.tracks.iter().cloned().partition(holds);
    for track in left.iter().filter(|track| track.kind() != Kind::Data) {
        let codec = track.codec.name();
        tracing::warn!(stream = %stream.name(), codec, ?format, "a track is not recorded: files have no form for it");
    }
    Arc::new(TrackSet {
        generation: set.generation,
        tracks,
    })
}

/// Runs what waits for the disk away from the threads that must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

#[cfg(test)]
mod tests;
