//! What readers of a stream see while its sources are gone: a file of the same codecs, again and again, so that viewers
//! and targets stay. It is one of the application's recordings or uploads ([`Broadcast::slate`]).
//!
//! It is read once when it is needed, and kept in memory while it is shown. Its tracks become those of the stream: the same
//! numbers and timebases, so that little or nothing changes for readers. The hub switches back to a source at the source's
//! first random access point.

use super::{Broadcast, Control, ControlError};
use crate::hub::{Publisher, Stream, StreamName, TrackSet};
use bytes::Bytes;
use media::{AccessUnit, Codec, Kind, Timebase, Track};
use mp4::reader::{Reader, Step};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Largest slate, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Most access units of one.
const MAX_UNITS: usize = 100_000;

/// A shorter one would be all beginnings.
const SHORTEST: Duration = Duration::from_millis(500);

/// What a file holds.
#[derive(Clone, Debug)]
struct Slate {
    tracks: Vec<Track>,
    /// In decoding order across tracks, with times from 0 on.
    units: Vec<(Duration, AccessUnit)>,
    /// After so long it begins again.
    length: Duration,
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
        if let Some(file) = file {
            let slate = self.slate(name.app(), file).await?;
            let live = self.shared.hub.get(name).map(|stream| stream.snapshot());
            if let Some(live) = live.filter(|live| live.publishing && live.ready) {
                slate.fit(&live.tracks).map_err(ControlError::Slate)?;
            }
        }
        self.change_asked(name, |broadcast| {
            broadcast.slate = file.map(str::to_owned);
            Ok(())
        })
        .await?;
        self.shared.hub.hold(name, file.is_some());
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
            if broadcast.slate.is_some() {
                self.shared.hub.hold(name, true);
            }
        }
    }

    /// A broadcast goes, and what holds its stream with it.
    pub(super) fn forget_slate(&self, name: &StreamName) {
        self.shared.hub.hold(name, false);
    }

    /// A stream has lost its source: shows its slate, if it has one.
    pub(super) fn show_slate(&self, stream: &Arc<Stream>) {
        let name = stream.name().clone();
        let Some(file) = self.slate_of(&name) else {
            return;
        };
        let (control, stream) = (self.clone(), stream.clone());
        tokio::spawn(async move {
            let shown = control.slate(name.app(), &file).await;
            let shown = shown.and_then(|slate| {
                let tracks = stream.snapshot().tracks;
                slate.fit(&tracks).map_err(ControlError::Slate)
            });
            let slate = match shown {
                Ok(slate) => slate,
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
            if control.show(&publisher, &slate, &file).await {
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
        let mut begins = Instant::now();
        let mut shift = Duration::ZERO;
        loop {
            for (at, unit) in &slate.units {
                tokio::select! {
                    () = publisher.kicked() => return true,
                    () = sleep_until(begins + *at) => {}
                }
                let mut tracks = slate.tracks.iter();
                let timebase = tracks.find(|track| track.id == unit.track);
                let by = timebase.map_or(0, |track| track.timebase.ticks(shift));
                let unit = AccessUnit {
                    dts: unit.dts.saturating_add(by),
                    pts: unit.pts.saturating_add(by),
                    ..unit.clone()
                };
                if publisher.push(unit).is_err() {
                    return true;
                }
            }
            if self.slate_of(name).as_deref() != Some(file) {
                return false;
            }
            begins += slate.length;
            shift = shift.saturating_add(slate.length);
        }
    }

    fn slate_of(&self, name: &StreamName) -> Option<String> {
        let kept = self
            .lock()
            .get(name)
            .and_then(|broadcast| broadcast.slate.clone());
        let passing = || {
            let passing = self.lock_passing();
            passing
                .get(name)
                .and_then(|broadcast: &Broadcast| broadcast.slate.clone())
        };
        kept.or_else(passing)
    }

    async fn slate(&self, app: &str, file: &str) -> Result<Slate, ControlError> {
        let refused = |reason: String| ControlError::Slate(format!("{file}: {reason}"));
        let path = self.vod_path(app, file);
        let path = path.ok_or_else(|| refused("that is no name of a recording".into()))?;
        let read = tokio::task::spawn_blocking(move || read(&path));
        let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
        read.map_err(refused)
    }
}

impl Slate {
    /// As it is shown in place of these tracks.
    fn fit(&self, live: &TrackSet) -> Result<Self, String> {
        let mut fitted = Self {
            tracks: Vec::new(),
            units: Vec::new(),
            length: self.length,
        };
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
                codec: own.codec.clone(),
                timebase: wanted.timebase,
            });
        }
        if fitted.tracks.is_empty() {
            return Err("the stream has neither pictures nor sound".into());
        }
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
    let name = codec.name();
    match (codec.size(), codec.channels()) {
        (Some((width, height)), _) => format!("{name} of {width}x{height}"),
        (None, Some(channels)) => {
            let rate = sample_rate(codec);
            format!("{name} of {rate} Hz and {channels} channels")
        }
        (None, None) => name.to_owned(),
    }
}

/// Samples per second; 0 where the codec has one rate alone.
const fn sample_rate(codec: &Codec) -> u32 {
    match codec {
        Codec::Aac(config) => config.sample_rate.ticks_per_second(),
        Codec::MpegAudio(config) => config.sample_rate.ticks_per_second(),
        Codec::Ac3(config) => config.sample_rate.ticks_per_second(),
        Codec::Flac(config) => config.sample_rate.ticks_per_second(),
        Codec::G711 { sample_rate, .. } => sample_rate.ticks_per_second(),
        _ => 0,
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
    Ok(Slate {
        tracks,
        units: timed,
        length,
    })
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

fn read_units(path: &Path) -> Result<(Vec<Track>, Vec<AccessUnit>), String> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    };
    let file = File::open(path).map_err(words)?;
    let bytes = file.metadata().map_err(words)?.len();
    if bytes > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    let mut reader = Reader::new(bytes);
    let (mut tracks, mut units) = (Vec::<Track>::new(), Vec::new());
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
            Step::Unit(unit) if units.len() < MAX_UNITS => units.push(unit),
            Step::Unit(_) => return Err(format!("it has more than {MAX_UNITS} access units")),
            Step::Fault(fault) => return Err(fault.to_string()),
            Step::End => return Ok((tracks, units)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::TrackId;
    use media::codec::{aac, h264};
    use std::path::PathBuf;

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
        let fitted = slate.fit(&set(live.clone())).unwrap();
        assert_eq!(fitted.tracks, [live[1].clone(), live[0].clone()]);
        let pictures = fitted
            .units
            .iter()
            .filter(|(_, unit)| unit.track == TrackId(0));
        let times: Vec<i64> = pictures.map(|(_, unit)| unit.dts).collect();
        assert_eq!((times.len(), times[0], times[1]), (50, 0, 3_600));
        // Sound that the stream has not is left out.
        let fitted = slate.fit(&set(vec![live[1].clone()])).unwrap();
        assert_eq!(fitted.units.len(), 50);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let slate = read(&file(folder.path())).unwrap();
        let mut live = tracks();
        let mono = aac::Config::low_complexity(44_100, 1).unwrap();
        live[1].codec = Codec::Aac(mono);
        assert_eq!(
            slate.fit(&set(live)).unwrap_err(),
            "of sound it has AAC of 48000 Hz and 2 channels, and the stream AAC of 44100 Hz and 1 channels"
        );
        let silent = Slate {
            tracks: tracks()[..1].to_vec(),
            ..slate
        };
        let error = silent.fit(&set(tracks())).unwrap_err();
        assert_eq!(error, "it has no sound, which the stream has");
        let path = folder.path().join("x.mp4");
        assert_eq!(read(&path).unwrap_err(), "there is no such file");
        std::fs::write(&path, b"hello").unwrap();
        assert!(read(&path).is_err());
    }
}
