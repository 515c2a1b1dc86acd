//! `millstream probe`: says what is in a source, and which outputs can carry it.

use super::describe;
use super::session::End;
use super::watch::{Seen, Watch};
use super::{CommandError, Session};
use crate::adapters::file::Container;
use crate::config::Config;
use crate::hub::{Item, Offline, Reader};
use media::{Kind, Track};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A file is looked at so far, in media time.
const FILE_LENGTH: Duration = Duration::from_secs(60);

/// A live source is looked at for so long at least, in media time.
const LIVE_LENGTH: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// A URL or a path.
    pub source: String,
    /// Most time that it takes.
    pub timeout: Duration,
    /// Answer in JSON.
    pub json: bool,
}

/// What was found, in text or JSON as asked for.
///
/// # Errors
/// When the arguments cannot be used, or nothing came.
pub async fn run(config: &Config, options: &Options) -> Result<String, CommandError> {
    let session = Session::new(config, Offline::default())?;
    let source = session.source(&options.source)?;
    let found = look(&session, &source, options.timeout).await?;
    let tracks: Vec<Found<'_>> = found
        .tracks
        .iter()
        .map(|seen| Found::new(&session, seen))
        .collect();
    let container = session.report.container();
    let container = container.unwrap_or_else(|| source.protocol().name());
    let losses = session.report.losses().0;
    Ok(if options.json {
        let duration = session
            .report
            .duration()
            .map(|duration| duration.as_secs_f64());
        let report = json!({
            "source": source.name(),
            "container": container,
            "duration": duration,
            "bitrate": total_bitrate(&found),
            "tracks": tracks.iter().map(Found::json).collect::<Vec<_>>(),
            "problems": losses,
        });
        format!("{report:#}\n")
    } else {
        let mut text = format!("{}\n  container  {container}", source.name());
        if let Some(duration) = session.report.duration() {
            let _ = write!(text, ", {}", super::bar::clock(duration));
        }
        if let Some(bitrate) = total_bitrate(&found) {
            let _ = write!(text, ", {}", bits(bitrate));
        }
        text.push('\n');
        for track in &tracks {
            track.write(&mut text);
        }
        for loss in losses {
            let _ = writeln!(text, "  problem    {loss}");
        }
        text
    })
}

/// Watches the source for as long as it says something new, and no longer than asked for.
async fn look(session: &Session, source: &End, timeout: Duration) -> Result<Watch, CommandError> {
    let target = session.target_stream()?;
    let deadline = Instant::now() + timeout;
    let mut watch = Watch::default();
    let mut pull = Box::pin(session.pull(source, &target));
    let mut ended = None;
    let is_file = source.path.is_some();
    tokio::select! {
        biased;
        _ = target.has_published() => {}
        pulled = &mut pull => ended = Some(pulled),
        () = sleep_until(deadline) => {
            return Err(CommandError::Failed(format!("nothing came within {timeout:?}")));
        }
    }
    // A short file is over by now, and can be read all the same.
    let Some(stream) = target.stream() else {
        let words = ended.and_then(Result::err);
        let words = words.unwrap_or_else(|| "there is nothing in it".to_owned());
        return Err(CommandError::Failed(words));
    };
    let mut reader = Reader::new(stream.clone());
    loop {
        let length = watch
            .tracks
            .iter()
            .map(Seen::length)
            .max()
            .unwrap_or_default();
        let enough = match is_file {
            true => length >= FILE_LENGTH,
            false => length >= LIVE_LENGTH && watch.has_seen_enough(),
        };
        if enough {
            break;
        }
        tokio::select! {
            biased;
            item = reader.next() => match item {
                Item::Tracks(tracks) => watch.set_tracks(&tracks),
                Item::Unit(unit) => watch.push(&unit),
                Item::Skipped(_) => {}
                Item::Ended(_) => break,
            },
            pulled = &mut pull, if ended.is_none() => ended = Some(pulled),
            () = sleep_until(deadline) => break,
        }
    }
    if let Some(Err(words)) = ended {
        session.report.lost(&words);
    }
    if watch.tracks.is_empty() {
        // What has come was too little to let readers in.
        watch.set_tracks(&stream.snapshot().tracks);
    }
    if watch.tracks.is_empty() {
        return Err(CommandError::Failed(
            "it has no tracks that are carried".to_owned(),
        ));
    }
    Ok(watch)
}

fn total_bitrate(watch: &Watch) -> Option<u64> {
    let rates = watch.tracks.iter().filter_map(Seen::bitrate);
    Some(rates.sum()).filter(|sum| *sum > 0)
}

/// A track, with what can carry it.
struct Found<'a> {
    seen: &'a Seen,
    outputs: Vec<(&'static str, Result<(), String>)>,
}

impl<'a> Found<'a> {
    fn new(session: &Session, seen: &'a Seen) -> Self {
        let track = &seen.track;
        let protocols = session.protocols.iter().filter_map(|protocol| {
            let carries = protocol.carries(track, seen.is_reordered)?;
            Some((protocol.name(), carries))
        });
        let files = [Container::Mp4].map(|container| ("mp4", container.carries(track)));
        Self {
            seen,
            outputs: protocols.chain(files).collect(),
        }
    }

    fn json(&self) -> Value {
        let Seen { track, .. } = self.seen;
        let codec = &track.codec;
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("id", track.id.0.into());
        put("kind", kind(track).into());
        put("codec", codec.name().into());
        put("codecs", codec.rfc6381().into());
        put("profile", describe::profile(codec).into());
        if let Some((width, height)) = codec.size() {
            put("width", width.into());
            put("height", height.into());
            put("frameRate", self.seen.rate().map(thousandths).into());
            put("bFrames", self.seen.is_reordered.into());
            let gop = self.seen.gops.map(|[shortest, longest]| {
                json!({
                    "shortest": thousandths(shortest.0.as_secs_f64()),
                    "longest": thousandths(longest.0.as_secs_f64()),
                    "pictures": longest.1,
                })
            });
            put("gop", gop.into());
        }
        if track.kind() == Kind::Audio {
            put("sampleRate", track.timebase.ticks_per_second().into());
            put("channels", codec.channels().into());
        }
        put("bitrate", self.seen.bitrate().into());
        put("accessUnits", self.seen.units.into());
        let outputs = self.outputs.iter().map(|(name, carries)| {
            let value = match carries {
                Ok(()) => json!({ "carries": true }),
                Err(reason) => json!({ "carries": false, "reason": reason }),
            };
            ((*name).to_owned(), value)
        });
        put("outputs", Value::Object(outputs.collect()));
        Value::Object(object)
    }

    fn write(&self, out: &mut String) {
        let seen = self.seen;
        let mut words = vec![headline(&seen.track)];
        if seen.track.kind() == Kind::Video {
            words.extend(seen.rate().map(|rate| format!("{} fps", thousandths(rate))));
        }
        words.extend(seen.bitrate().map(bits));
        let _ = writeln!(out, "  {}", words.join(", "));
        if seen.track.kind() == Kind::Video {
            let gop = match seen.gops {
                Some([shortest, longest]) if shortest == longest => gop(longest),
                Some([shortest, longest]) => format!("{} to {}", gop(shortest), gop(longest)),
                None if seen.starts > 0 => format!("longer than {:.1?}", seen.length()),
                None => "no random access point was seen".to_owned(),
            };
            let order = if seen.is_reordered {
                "B-frames"
            } else {
                "no B-frames"
            };
            let _ = writeln!(out, "    GOP      {gop}; {order}");
        }
        let carried = self.outputs.iter().filter(|(_, carries)| carries.is_ok());
        let carried: Vec<&str> = carried.map(|(name, _)| *name).collect();
        if !carried.is_empty() {
            let _ = writeln!(out, "    goes to  {}", carried.join(", "));
        }
        for (name, carries) in &self.outputs {
            if let Err(reason) = carries {
                let _ = writeln!(out, "    not to   {name}: {reason}");
            }
        }
    }
}

/// A track in one line: what it is, and how large.
pub(super) fn headline(track: &Track) -> String {
    let codec = &track.codec;
    let mut text = format!(
        "{:<9}  {}",
        format!("{} {}", kind(track), track.id.0),
        codec.name()
    );
    if let Some(profile) = describe::profile(codec) {
        let _ = write!(text, " {profile}");
    }
    if let Some((width, height)) = codec.size() {
        let _ = write!(text, ", {width}x{height}");
    }
    if track.kind() == Kind::Audio {
        let _ = write!(text, ", {} Hz", track.timebase.ticks_per_second());
        match codec.channels() {
            Some(1) => text.push_str(", mono"),
            Some(2) => text.push_str(", stereo"),
            Some(channels) => {
                let _ = write!(text, ", {channels} channels");
            }
            None => {}
        }
    }
    text
}

const fn kind(track: &Track) -> &'static str {
    match track.kind() {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}

fn gop((time, pictures): (Duration, u64)) -> String {
    format!(
        "{pictures} pictures ({} s)",
        thousandths(time.as_secs_f64())
    )
}

/// Rounded to what can be known.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn bits(rate: u64) -> String {
    match rate {
        0..1_000_000 => format!("{} kbit/s", rate / 1_000),
        rate => format!("{:.2} Mbit/s", rate as f64 / 1e6),
    }
}
