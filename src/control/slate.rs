//! What readers of a stream see while its sources are gone: a file of the same codecs, again and again, so that viewers
//! and targets stay. It is one of the application's recordings or uploads, or where the configuration file names it with
//! its path, any file ([`Broadcast::slate`]).
//!
//! A file is read when it is needed, and is in memory once while any stream shows it. Its tracks become those of the
//! stream: the same numbers, timebases and, of sound, parameters, so that little or nothing changes for readers. The hub
//! switches back to a source at the source's first random access point.

use super::{Broadcast, Control, ControlError};
use crate::hub::{Publisher, Snapshot, Stream, StreamName, TrackSet};
use bytes::Bytes;
use media::{AccessUnit, Codec, Kind, Timebase, Track, TrackId};
use mp4::reader::{Fault, Reader, Step};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until};

/// Largest slate, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Most access units of one.
const MAX_UNITS: usize = 100_000;

/// A shorter one would be all beginnings.
const SHORTEST: Duration = Duration::from_millis(500);

/// How soon it is seen that another slate is wanted, or none.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// What a file holds, or what is shown of it.
#[derive(Clone, Debug)]
struct Slate {
    tracks: Vec<Track>,
    /// In decoding order across tracks, with times from 0 on.
    units: Vec<(Duration, AccessUnit)>,
    /// After so long it begins again.
    length: Duration,
    /// Its pictures come in another order than they are shown in.
    is_reordered: bool,
}

/// The files that are shown now.
#[derive(Debug, Default)]
pub(super) struct Slates {
    read: tokio::sync::Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    /// As it was when it was read.
    bytes: u64,
    changed: Option<SystemTime>,
    slate: Weak<Slate>,
}

impl Slates {
    /// A file that is shown already, or is read now.
    async fn get(&self, path: PathBuf) -> Result<Arc<Slate>, String> {
        // Held while it is read: many streams may lose their sources at once.
        let mut read = self.read.lock().await;
        read.retain(|_, known| known.slate.strong_count() > 0);
        let about = tokio::fs::metadata(&path)
            .await
            .map_err(|error| words(&error))?;
        let (bytes, changed) = (about.len(), about.modified().ok());
        let known = read.get(&path);
        let known = known.filter(|known| (known.bytes, known.changed) == (bytes, changed));
        if let Some(slate) = known.and_then(|known| known.slate.upgrade()) {
            return Ok(slate);
        }
        let from = path.clone();
        let slate = tokio::task::spawn_blocking(move || self::read(&from)).await;
        let slate = Arc::new(slate.unwrap_or_else(|error| Err(error.to_string()))?);
        let known = Known {
            bytes,
            changed,
            slate: Arc::downgrade(&slate),
        };
        read.insert(path, known);
        Ok(slate)
    }
}

impl Control {
    /// Sets what readers of a broadcast see while its sources are gone: a file of its application's recordings or
    /// uploads, or nothing.
    ///
    /// # Errors
    /// When there is no such broadcast, the file cannot be shown in place of what is live now, or this cannot be kept.
    pub async fn set_slate(
        &self,
        name: &StreamName,
        file: Option<&str>,
    ) -> Result<(), ControlError> {
        if self.get(name).is_none() {
            return Err(ControlError::Unknown(name.clone()));
        }
        let stream = self.shared.hub.get(name);
        if let Some(file) = file {
            if self.vod_path(name.app(), file).is_none() {
                return Err(refused(file, "that is no name of a recording"));
            }
            let slate = self.slate(name.app(), file).await?;
            let live = stream.as_ref().map(|stream| stream.snapshot());
            if let Some(live) = live.filter(|live| live.ready) {
                fit(&slate, &live, file)?;
            }
        }
        self.change_asked(name, |broadcast| {
            broadcast.slate = file.map(str::to_owned);
            Ok(())
        })
        .await?;
        self.hold_for_slate(name, file);
        if let Some(stream) = stream.filter(|stream| !stream.snapshot().publishing) {
            self.show_slate(&stream);
        }
        Ok(())
    }

    /// Whether readers of a stream see its slate now.
    pub fn shows_slate(&self, name: &StreamName) -> bool {
        let stream = self.shared.hub.get(name);
        stream.is_some_and(|stream| stream.has_stand_in())
    }

    /// Streams that have a slate wait for their sources, from the start on.
    pub(super) fn hold_slated(&self) {
        for (name, broadcast) in self.lock().iter() {
            if let Some(file) = &broadcast.slate {
                self.hold_for_slate(name, Some(file));
            }
        }
    }

    /// The stream of a broadcast waits for its source, and its slate stays on the disk; or no longer.
    pub(super) fn hold_for_slate(&self, name: &StreamName, file: Option<&str>) {
        self.shared.hub.hold(name, file.is_some());
        self.shared.recordings.need(name, file);
    }

    /// The configuration file says something of a broadcast's slate. One that cannot be shown is said in the log now, not
    /// when it is needed.
    pub(super) fn follow_slate(&self, name: &StreamName, before: &Broadcast, after: &Broadcast) {
        if before.slate == after.slate {
            return;
        }
        self.hold_for_slate(name, after.slate.as_deref());
        let Some(file) = after.slate.clone() else {
            return;
        };
        let (control, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            if let Err(error) = control.slate(name.app(), &file).await {
                tracing::warn!(stream = %name, %error, "the slate cannot be shown");
            }
        });
    }

    /// A stream has lost its source: shows its slate, if it has one.
    pub(super) fn show_slate(&self, stream: &Arc<Stream>) {
        let name = stream.name().clone();
        let Some(file) = self.slate_of(&name).filter(|_| !stream.has_stand_in()) else {
            return;
        };
        let (control, stream) = (self.clone(), stream.clone());
        tokio::spawn(async move {
            let slate = control.slate(name.app(), &file).await;
            let shown = slate.and_then(|slate| {
                let shown = fit(&slate, &stream.snapshot(), &file)?;
                // The file is kept with what is shown of it, so that others find it.
                Ok((slate, shown))
            });
            let (_file, shown) = match shown {
                Ok(shown) => shown,
                Err(error) => {
                    tracing::warn!(stream = %name, %error, "no slate while the source is gone");
                    return;
                }
            };
            // Its source may be back, or another slate be shown.
            let Some(publisher) = control.shared.hub.stand_in(&name) else {
                return;
            };
            tracing::info!(stream = %name, slate = file, "the source is gone: the slate is shown");
            if control.show(&publisher, &shown, &file).await {
                tracing::info!(stream = %name, "the slate gives way");
            } else {
                tracing::info!(stream = %name, "the slate is not wanted any more");
                publisher.finish();
            }
        });
    }

    /// Shows a slate until it has to leave; false when it is not wanted any more.
    async fn show(&self, publisher: &Publisher, slate: &Slate, file: &str) -> bool {
        let name = publisher.stream().name();
        for track in &slate.tracks {
            if publisher.set_track(track.clone()).is_err() {
                return true;
            }
        }
        let timebases: HashMap<TrackId, Timebase> = slate
            .tracks
            .iter()
            .map(|track| (track.id, track.timebase))
            .collect();
        let mut begins = Instant::now();
        let mut looked = begins;
        let mut shift = Duration::ZERO;
        loop {
            for (at, unit) in &slate.units {
                tokio::select! {
                    () = publisher.kicked() => return true,
                    () = sleep_until(begins + *at) => {}
                }
                if looked.elapsed() >= LOOK_AFTER {
                    looked = Instant::now();
                    if self.slate_of(name).as_deref() != Some(file) {
                        return false;
                    }
                }
                let timebase = timebases.get(&unit.track);
                let by = timebase.map_or(0, |timebase| timebase.ticks(shift));
                let unit = AccessUnit {
                    dts: unit.dts.saturating_add(by),
                    pts: unit.pts.saturating_add(by),
                    ..unit.clone()
                };
                if publisher.push(unit).is_err() {
                    return true;
                }
            }
            begins += slate.length;
            shift = shift.saturating_add(slate.length);
        }
    }

    fn slate_of(&self, name: &StreamName) -> Option<String> {
        self.asked(name).and_then(|broadcast| broadcast.slate)
    }

    /// A file by its name among the application's recordings, or by its path.
    async fn slate(&self, app: &str, file: &str) -> Result<Arc<Slate>, ControlError> {
        let path = match file.contains('/') {
            true => Some(PathBuf::from(file)),
            false => self.vod_path(app, file),
        };
        let path = path.ok_or_else(|| refused(file, "that is no name of a recording"))?;
        let slate = self.shared.slates.get(path).await;
        slate.map_err(|reason| refused(file, &reason))
    }
}

fn refused(file: &str, reason: &str) -> ControlError {
    ControlError::Slate(format!("{file}: {reason}"))
}

/// A slate as it is shown in place of what is live.
fn fit(slate: &Slate, live: &Snapshot, file: &str) -> Result<Slate, ControlError> {
    let fitted = slate.fit(&live.tracks, live.is_reordered);
    fitted.map_err(|reason| refused(file, &reason))
}

impl Slate {
    /// As it is shown in place of these tracks, whose pictures may come in another order than they are shown in.
    fn fit(&self, live: &TrackSet, is_reordered: bool) -> Result<Self, String> {
        let mut fitted = Self {
            tracks: Vec::new(),
            units: Vec::new(),
            ..*self
        };
        if self.is_reordered && !is_reordered {
            // Who watches by WebRTC could not go on.
            return Err("it has B-frames, which the stream has not".into());
        }
        let mut from = Vec::new();
        for kind in [Kind::Video, Kind::Audio] {
            let Some(wanted) = live.first(kind) else {
                continue;
            };
            let words = match kind {
                Kind::Video => "pictures",
                _ => "sound",
            };
            let own = self.tracks.iter().find(|track| track.kind() == kind);
            let own = own.ok_or_else(|| format!("it has no {words}, which the stream has"))?;
            let (is, should_be) = (form(&own.codec), form(&wanted.codec));
            if is != should_be {
                return Err(format!(
                    "of {words} it has {is}, and the stream {should_be}"
                ));
            }
            from.push((own.id, own.timebase, wanted.id, wanted.timebase));
            fitted.tracks.push(Track {
                id: wanted.id,
                codec: shown_as(&own.codec, &wanted.codec),
                timebase: wanted.timebase,
            });
        }
        if fitted.tracks.is_empty() {
            return Err("the stream has neither pictures nor sound".into());
        }
        // Of data nothing comes for a while, which is as it always is.
        let data = live.tracks.iter();
        let data = data.filter(|track| track.kind() == Kind::Data).cloned();
        fitted.tracks.extend(data);
        for (at, unit) in &self.units {
            let mut from = from.iter();
            let Some((_, timebase, id, to)) = from.find(|(own, ..)| *own == unit.track) else {
                continue;
            };
            let unit = AccessUnit {
                track: *id,
                dts: timebase.rescale_nearest(unit.dts, *to),
                pts: timebase.rescale_nearest(unit.pts, *to),
                ..unit.clone()
            };
            fitted.units.push((*at, unit));
        }
        Ok(fitted)
    }
}

/// What has to be the same of two tracks so that one can be shown in place of the other, in words.
fn form(codec: &Codec) -> String {
    let name = match codec {
        Codec::Aac(config) => format!("{} {}", codec.name(), config.rfc6381()),
        _ => codec.name().to_owned(),
    };
    let rate = match codec {
        Codec::Aac(config) => Some(config.sample_rate),
        Codec::MpegAudio(config) => Some(config.sample_rate),
        Codec::Ac3(config) => Some(config.sample_rate),
        Codec::Flac(config) => Some(config.sample_rate),
        Codec::G711 { sample_rate, .. } => Some(*sample_rate),
        // The others have one rate alone.
        _ => None,
    };
    let rate = rate.map_or_else(String::new, |rate| {
        format!("{} Hz and ", rate.ticks_per_second())
    });
    match (codec.size(), codec.channels()) {
        (Some((width, height)), _) => format!("{name} of {width}x{height}"),
        (None, Some(channels)) => format!("{name} of {rate}{channels} channels"),
        (None, None) => name,
    }
}

/// What a slate's track is announced as. AAC of the same form is the same to decoders, whatever else its parameters say:
/// RTSP could not tell its readers of others.
fn shown_as(own: &Codec, wanted: &Codec) -> Codec {
    match (own, wanted) {
        (Codec::Aac(own), Codec::Aac(live)) if own.frame_length == live.frame_length => {
            wanted.clone()
        }
        _ => own.clone(),
    }
}

/// Reads a file. Blocks.
fn read(path: &Path) -> Result<Slate, String> {
    let (tracks, units) = read_units(path)?;
    let timebase = |unit: &AccessUnit| {
        let mut tracks = tracks.iter();
        tracks
            .find(|track| track.id == unit.track)
            .map(|track| track.timebase)
    };
    let micros = |unit: &AccessUnit| {
        timebase(unit).map_or(0, |timebase| timebase.rescale(unit.dts, Timebase::MICROS))
    };
    let first = units.iter().map(micros).min().unwrap_or(0);
    let mut timed: Vec<(Duration, AccessUnit)> = Vec::with_capacity(units.len());
    for mut unit in units {
        let Some(timebase) = timebase(&unit) else {
            continue;
        };
        let at = micros(&unit).saturating_sub(first);
        let origin = Timebase::MICROS.rescale_nearest(first, timebase);
        unit.dts = unit.dts.saturating_sub(origin);
        unit.pts = unit.pts.saturating_sub(origin);
        timed.push((Timebase::MICROS.duration(at), unit));
    }
    timed.sort_by_key(|(at, _)| *at);
    let length = tracks.iter().map(|track| length(track, &timed)).max();
    let length = length.unwrap_or_default();
    if length < SHORTEST {
        return Err("it is too short".into());
    }
    let starts = |track: &Track| {
        let mut units = timed.iter();
        let first = units.find(|(_, unit)| unit.track == track.id);
        first.is_none_or(|(_, unit)| unit.random_access)
    };
    if !tracks.iter().all(starts) {
        return Err("it does not begin with a random access point".into());
    }
    let is_reordered = tracks.iter().any(|track| is_reordered(track, &timed));
    Ok(Slate {
        tracks,
        units: timed,
        length,
        is_reordered,
    })
}

/// Whether pictures come in another order than they are shown in.
fn is_reordered(track: &Track, units: &[(Duration, AccessUnit)]) -> bool {
    let own = units.iter().filter(|(_, unit)| unit.track == track.id);
    let times: Vec<i64> = own.map(|(_, unit)| unit.pts).collect();
    track.kind() == Kind::Video && !times.is_sorted()
}

/// When the next access unit of a track would follow the last.
fn length(track: &Track, units: &[(Duration, AccessUnit)]) -> Duration {
    let own = units.iter().filter(|(_, unit)| unit.track == track.id);
    let times: Vec<Duration> = own.map(|(at, _)| *at).collect();
    let [first, .., last] = times[..] else {
        return Duration::ZERO;
    };
    let steps = u32::try_from(times.len() - 1).unwrap_or(u32::MAX);
    last + last.saturating_sub(first) / steps
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}

fn read_units(path: &Path) -> Result<(Vec<Track>, Vec<AccessUnit>), String> {
    let file = File::open(path).map_err(|error| words(&error))?;
    let bytes = file.metadata().map_err(|error| words(&error))?.len();
    if bytes > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    let mut reader = Reader::new(bytes);
    let (mut tracks, mut units) = (Vec::<Track>::new(), Vec::new());
    let mut taken = 0u64;
    loop {
        match reader.poll() {
            Step::Read { at, length } => {
                let mut bytes = vec![0; length];
                let read = file.read_exact_at(&mut bytes, at);
                reader.supply(match read {
                    Ok(()) => bytes.into(),
                    Err(_) => Bytes::new(),
                });
            }
            Step::Track(track) => {
                if tracks.iter().any(|known| known.id == track.id) {
                    return Err("its parameters change".into());
                }
                tracks.push(track);
            }
            Step::Unit(unit) if units.len() < MAX_UNITS => {
                taken += unit.payload.len() as u64;
                // Tables of a few bytes may call the same bytes a thousand samples.
                if taken > bytes.saturating_mul(2) {
                    return Err("its samples lie over each other".into());
                }
                units.push(unit);
            }
            Step::Unit(_) => return Err(format!("it has more than {MAX_UNITS} access units")),
            // Of a track that cannot be shown it is told below that it is missing.
            Step::Fault(Fault::Track { .. } | Fault::Table { .. }) => {}
            Step::Fault(fault) => return Err(fault.to_string()),
            Step::End => return Ok((tracks, units)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::codec::{aac, h264};

    /// A file of two seconds, of pictures and sound.
    fn file(folder: &Path) -> PathBuf {
        use mp4::fragment::{Run, Sample, write};
        let tracks = tracks();
        let sample = |duration, random_access| Sample {
            duration,
            composition_offset: 0,
            random_access,
            disposable: false,
            payload: Bytes::from_static(&[0, 0, 0, 2, 0x65, 0]),
        };
        let pictures: Vec<Sample> = (0..50).map(|n| sample(40, n % 25 == 0)).collect();
        let sounds: Vec<Sample> = (0..93).map(|_| sample(1_024, true)).collect();
        let runs = [(&tracks[0], &pictures), (&tracks[1], &sounds)];
        let runs = runs.map(|(track, samples)| Run {
            track,
            base_decode_time: 0,
            samples,
        });
        let bytes = [mp4::init::write(&tracks).unwrap(), write(1, &runs)].concat();
        let path = folder.join("slate.mp4");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn tracks() -> Vec<Track> {
        const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
        let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
        let video = h264::Config::new(sets(SPS), sets(&[0x68, 0xeb])).unwrap();
        let audio = aac::Config::low_complexity(48_000, 2).unwrap();
        vec![
            Track {
                id: TrackId(0),
                timebase: Timebase::MILLIS,
                codec: Codec::H264(video),
            },
            Track {
                id: TrackId(1),
                timebase: audio.sample_rate,
                codec: Codec::Aac(audio),
            },
        ]
    }

    fn set(tracks: Vec<Track>) -> TrackSet {
        TrackSet {
            generation: 1,
            tracks,
        }
    }

    #[test]
    fn a_file_becomes_the_tracks_of_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let slate = read(&file(folder.path())).unwrap();
        assert!(slate.length.abs_diff(Duration::from_secs(2)) < Duration::from_millis(20));
        assert_eq!(slate.units.len(), 143);
        let mut live = tracks();
        live.reverse();
        live[0].id = TrackId(4);
        live[1].timebase = Timebase::VIDEO;
        let fitted = slate.fit(&set(live.clone()), false).unwrap();
        assert_eq!(fitted.tracks, [live[1].clone(), live[0].clone()]);
        let pictures = fitted
            .units
            .iter()
            .filter(|(_, unit)| unit.track == TrackId(0));
        let times: Vec<i64> = pictures.map(|(_, unit)| unit.dts).collect();
        assert_eq!((times.len(), times[0], times[1]), (50, 0, 3_600));
        // Sound that the stream has not is left out.
        let fitted = slate.fit(&set(vec![live[1].clone()]), false).unwrap();
        assert_eq!(fitted.units.len(), 50);
        // Data stays announced, and sound has the parameters of the stream.
        live.push(Track {
            id: TrackId(7),
            codec: Codec::Data(media::Data::Klv),
            timebase: Timebase::VIDEO,
        });
        let extended = Bytes::from_static(&[0x11, 0x90, 0x56, 0xe5, 0x00]);
        live[0].codec = Codec::Aac(aac::Config::parse(&extended).unwrap());
        let fitted = slate.fit(&set(live.clone()), false).unwrap();
        assert_eq!(fitted.tracks[1..], [live[0].clone(), live[2].clone()]);
    }

    #[test]
    fn a_file_takes_no_more_memory_than_twice_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slate.mp4");
        let bytes = crate::transport::hls::segments::tests::overlapping().concat();
        std::fs::write(&path, bytes).unwrap();
        let refused = read_units(&path).unwrap_err();
        assert_eq!(refused, "its samples lie over each other");
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let slate = read(&file(folder.path())).unwrap();
        let mut live = tracks();
        let mono = aac::Config::low_complexity(44_100, 1).unwrap();
        live[1].codec = Codec::Aac(mono);
        assert_eq!(
            slate.fit(&set(live), false).unwrap_err(),
            "of sound it has AAC mp4a.40.2 of 48000 Hz and 2 channels, and the stream AAC mp4a.40.2 of 44100 Hz and 1 channels"
        );
        let silent = Slate {
            tracks: tracks()[..1].to_vec(),
            ..slate.clone()
        };
        let error = silent.fit(&set(tracks()), false).unwrap_err();
        assert_eq!(error, "it has no sound, which the stream has");
        let reordered = Slate {
            is_reordered: true,
            ..slate
        };
        assert!(reordered.fit(&set(tracks()), true).is_ok());
        let error = reordered.fit(&set(tracks()), false).unwrap_err();
        assert_eq!(error, "it has B-frames, which the stream has not");
        let path = folder.path().join("x.mp4");
        assert_eq!(read(&path).unwrap_err(), "there is no such file");
        std::fs::write(&path, b"hello").unwrap();
        assert!(read(&path).is_err());
    }

    #[tokio::test]
    async fn a_file_is_in_memory_once_while_it_is_shown_and_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let slates = Slates::default();
        let first = slates.get(path.clone()).await.unwrap();
        let second = slates.get(path.clone()).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let mut longer = std::fs::read(&path).unwrap();
        longer.extend(b"\0\0\0\x08free");
        std::fs::write(&path, longer).unwrap();
        let changed = slates.get(path.clone()).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &changed));
        drop((first, second, changed));
        assert!(slates.get(folder.path().join("x.mp4")).await.is_err());
        assert!(slates.read.lock().await.is_empty());
    }
}
