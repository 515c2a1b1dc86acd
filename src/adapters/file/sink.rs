//! Writes a stream to a file, all of it: what the format has no place for is told.

use super::container::Container;
use super::report::Report;
use crate::adapters::{Feed, FlvMedia};
use crate::hub::{Item, TrackSet};
use crate::record::fragments::Fragments;
use bytes::Bytes;
use flv::file::TagKind;
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use mp4::index::Plain;
use mpegts::muxer::Muxer;
use rtmp::amf0::Value;
use rtmp::message::Message;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// What is gathered for one write, in bytes.
const PIECE: usize = 1 << 20;

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
    form.begin(&tracks, &mut file.buffer);
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
                for words in form.change(&tracks, &mut file.buffer) {
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
    match form.push(unit, &mut file.buffer) {
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

/// A file in the making, of one format.
enum Form {
    Ts(Box<Muxer>),
    Flv {
        tracks: Arc<TrackSet>,
        /// Milliseconds that are zero in the file.
        origin: u32,
        /// The last timestamp.
        last: u32,
    },
    Mp4 {
        tracks: TrackSet,
        plain: Option<Box<Plain>>,
    },
    Fragmented {
        tracks: TrackSet,
        init: Bytes,
        fragments: Box<Fragments>,
    },
}

impl Form {
    /// For a file that begins with these tracks, at `origin` in microseconds.
    fn new(container: Container, tracks: &Arc<TrackSet>, origin: i64) -> Result<Self, String> {
        let carried = || TrackSet {
            generation: tracks.generation,
            tracks: carried(container, tracks),
        };
        Ok(match container {
            Container::Ts => Self::Ts(Box::default()),
            Container::Flv => Self::Flv {
                tracks: tracks.clone(),
                // Milliseconds of FLV are counted modulo 2^32.
                origin: origin.div_euclid(1_000) as u32,
                last: 0,
            },
            Container::Mp4 => {
                let tracks = carried();
                let zero = |track: &Track| Timebase::MICROS.rescale(origin, track.timebase);
                let plain = match tracks.tracks.is_empty() {
                    true => None,
                    false => {
                        let plain = Plain::new(&tracks.tracks, zero);
                        Some(Box::new(plain.map_err(|error| error.to_string())?))
                    }
                };
                Self::Mp4 { tracks, plain }
            }
            Container::Fragmented => {
                let tracks = carried();
                let init = match tracks.tracks.is_empty() {
                    true => Bytes::new(),
                    false => mp4::init::write(&tracks.tracks).map_err(|error| error.to_string())?,
                };
                let fragments = Box::new(Fragments::whole(&tracks, origin));
                Self::Fragmented {
                    tracks,
                    init,
                    fragments,
                }
            }
        })
    }

    const fn container(&self) -> Container {
        match self {
            Self::Ts(_) => Container::Ts,
            Self::Flv { .. } => Container::Flv,
            Self::Mp4 { .. } => Container::Mp4,
            Self::Fragmented { .. } => Container::Fragmented,
        }
    }

    /// Whether units of a track, which is one of `tracks`, come into the file.
    fn has(&self, track: &Track, tracks: &TrackSet) -> Result<(), String> {
        self.container().carries(track)?;
        match self {
            Self::Ts(_) => Ok(()),
            Self::Flv { .. } => {
                let mut written = FlvMedia(tracks).tracks();
                let words = "a file of FLV has one track of pictures and one of sound";
                let is_written = written.any(|other| other.id == track.id);
                is_written.then_some(()).ok_or_else(|| words.to_owned())
            }
            Self::Mp4 { tracks, .. } | Self::Fragmented { tracks, .. } => {
                let known = tracks.get(track.id).is_some();
                let words = "it came after the file had begun";
                known.then_some(()).ok_or_else(|| words.to_owned())
            }
        }
    }

    /// Writes what stands in front of the first unit.
    fn begin(&mut self, set: &TrackSet, out: &mut Vec<u8>) {
        match self {
            Self::Ts(muxer) => {
                // Those that are left out have been told of.
                let _ = muxer.set_tracks(&carried(Container::Ts, set));
            }
            Self::Flv { tracks, last, .. } => {
                let media = FlvMedia(tracks);
                let (video, audio) = (media.has(Kind::Video), media.has(Kind::Audio));
                out.extend_from_slice(&flv::file::header(video, audio));
                put_flv_head(tracks, *last, out);
            }
            Self::Mp4 { .. } => {}
            Self::Fragmented { init, .. } => out.extend_from_slice(init),
        }
    }

    /// The tracks of what follows. What of their change does not come into the file is returned in words.
    fn change(&mut self, set: &Arc<TrackSet>, out: &mut Vec<u8>) -> Vec<String> {
        match self {
            Self::Ts(muxer) => {
                let changed = muxer.set_tracks(&carried(Container::Ts, set));
                let words = changed.err().map(|error| error.to_string());
                words.into_iter().collect()
            }
            Self::Flv { tracks, last, .. } => {
                let broken = FlvMedia(tracks).breaks(set).map(str::to_owned);
                *tracks = set.clone();
                put_flv_head(tracks, *last, out);
                broken.into_iter().collect()
            }
            Self::Mp4 { tracks, .. } | Self::Fragmented { tracks, .. } => {
                let mut words = Vec::new();
                for track in &mut tracks.tracks {
                    let now = set.get(track.id).filter(|now| now.codec != track.codec);
                    if let Some(now) = now {
                        track.codec = now.codec.clone();
                        words.push(format!(
                            "track {}: its configuration changes, of which the file has the first",
                            track.id.0
                        ));
                    }
                }
                words
            }
        }
    }

    /// Adds a unit of a track that the file has.
    fn push(&mut self, unit: &Arc<AccessUnit>, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Ts(muxer) => {
                let pushed = muxer.push(unit);
                while let Some(chunk) = muxer.pull() {
                    out.extend_from_slice(&chunk.data);
                }
                pushed.map_err(|error| error.to_string())
            }
            Self::Flv {
                tracks,
                origin,
                last,
            } => {
                let Some((track, prefix)) = FlvMedia(tracks).prefix(unit, false) else {
                    return Err("its track is not in the file".to_owned());
                };
                let time = flv::muxer::timestamp(track, unit).wrapping_sub(*origin);
                *last = time;
                put_tag(kind(track), time, &prefix, unit.payload.clone(), out)
            }
            Self::Mp4 { plain, .. } => {
                if plain.as_mut().is_some_and(|plain| plain.push(unit)) {
                    out.extend_from_slice(&unit.payload);
                }
                Ok(())
            }
            Self::Fragmented { fragments, .. } => {
                let fragment = fragments.push(unit);
                out.extend_from_slice(&fragment.unwrap_or_default());
                Ok(())
            }
        }
    }
}

/// The tracks of a set that a format has a form for.
fn carried(container: Container, tracks: &TrackSet) -> Vec<Track> {
    let tracks = tracks.tracks.iter();
    let carried = tracks.filter(|track| container.carries(track).is_ok());
    carried.cloned().collect()
}

const fn kind(track: &Track) -> TagKind {
    match track.kind() {
        Kind::Video => TagKind::Video,
        Kind::Audio => TagKind::Audio,
        Kind::Data => TagKind::Script,
    }
}

/// `onMetaData` and the configurations.
fn put_flv_head(tracks: &TrackSet, time: u32, out: &mut Vec<u8>) {
    let media = FlvMedia(tracks);
    let mut metadata = media.metadata();
    if let Value::EcmaArray(properties) = &mut metadata {
        // Filled in when it is known.
        properties.insert(0, (DURATION.to_owned(), 0.0.into()));
    }
    let (_, body) = Message::Data(vec!["onMetaData".into(), metadata]).write();
    // Both are small enough for a tag.
    let _ = put_tag(TagKind::Script, time, &[], body, out);
    for track in media.tracks() {
        if let Some(body) = flv::muxer::sequence_header(track) {
            let _ = put_tag(kind(track), time, &[], body, out);
        }
    }
}

/// The property that says how long a file is, in seconds.
const DURATION: &str = "duration";

fn put_tag(
    kind: TagKind,
    time: u32,
    prefix: &[u8],
    payload: Bytes,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let tag = flv::file::tag(kind, time, prefix, payload).map_err(|error| error.to_string())?;
    for slice in tag.slices() {
        out.extend_from_slice(slice);
    }
    Ok(())
}

/// What is written to.
struct Output {
    file: File,
    /// The file that is wanted, and the one that is written until that can be.
    path: PathBuf,
    unfinished: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Where the duration of an FLV file stands.
    duration_at: Option<u64>,
    written: u64,
}

impl Output {
    async fn create(path: &Path, form: &Form) -> io::Result<Self> {
        let unfinished = match form {
            Form::Mp4 { .. } => {
                let mut name = path.as_os_str().to_owned();
                name.push(".part");
                Some(PathBuf::from(name))
            }
            _ => None,
        };
        Ok(Self {
            file: File::create(unfinished.as_deref().unwrap_or(path)).await?,
            path: path.to_owned(),
            unfinished,
            buffer: Vec::with_capacity(PIECE + (PIECE >> 2)),
            duration_at: None,
            written: 0,
        })
    }

    /// Writes what has been gathered, if that is so much.
    async fn flush(&mut self, least: usize) -> io::Result<()> {
        if self.buffer.len() < least || self.buffer.is_empty() {
            return Ok(());
        }
        if self.written == 0 {
            let name = self.buffer.windows(DURATION.len());
            let found = name.take(512).position(|name| name == DURATION.as_bytes());
            // Behind the name stands the type of the value.
            self.duration_at = found.map(|at| (at + DURATION.len() + 1) as u64);
        }
        self.file.write_all(&self.buffer).await?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, and what can be known only now.
    async fn finish(mut self, form: Form) -> io::Result<()> {
        match form {
            Form::Ts(mut muxer) => {
                muxer.flush();
                while let Some(chunk) = muxer.pull() {
                    self.buffer.extend_from_slice(&chunk.data);
                }
                self.flush(0).await?;
            }
            Form::Flv { last, .. } => {
                self.flush(0).await?;
                if let Some(at) = self.duration_at {
                    let seconds = f64::from(last) / 1_000.0;
                    self.file.seek(io::SeekFrom::Start(at)).await?;
                    self.file.write_all(&seconds.to_be_bytes()).await?;
                }
            }
            Form::Fragmented { mut fragments, .. } => {
                self.buffer
                    .extend_from_slice(&fragments.finish().unwrap_or_default());
                self.flush(0).await?;
            }
            Form::Mp4 { plain, .. } => {
                self.flush(0).await?;
                self.file.flush().await?;
                let head = plain.map(|plain| plain.finish()).transpose();
                let head = head.map_err(io::Error::other)?.unwrap_or_default();
                let (path, unfinished) = (self.path, self.unfinished.unwrap_or_default());
                let put = move || put_in_front(&head, &unfinished, &path);
                return tokio::task::spawn_blocking(put)
                    .await
                    .map_err(io::Error::other)?;
            }
        }
        self.file.flush().await
    }
}

/// Makes a file of a head and of what has been written before there was one.
fn put_in_front(head: &[u8], media: &Path, path: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    io::Write::write_all(&mut file, head)?;
    io::copy(&mut std::fs::File::open(media)?, &mut file)?;
    std::fs::remove_file(media)
}
