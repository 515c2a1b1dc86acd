//! What is in a source: it is pulled into a hub of its own and watched for as long as it says something new.
//!
//! [`look`] does that, [`Found`] says of a track which outputs carry it. For `millstream probe` and for the API.

mod describe;
mod watch;

pub use describe::profile;
pub use watch::{Seen, Watch};

use crate::adapters::file::Container;
use crate::adapters::{Protocol, Target};
use crate::hub::{Item, Reader};
use media::{Kind, Track};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A file is looked at so far, in media time.
const FILE_LENGTH: Duration = Duration::from_secs(60);

/// A live source is looked at for so long at least, in media time.
const LIVE_LENGTH: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Debug)]
pub struct Look {
    /// The tracks.
    pub tracks: Vec<Seen>,
    /// Why the source ended before enough was seen, if it failed.
    pub failure: Option<String>,
}

/// Watches what `pull` publishes as `target` for as long as it says something new, and no longer than `timeout`.
///
/// # Errors
/// When nothing came, in words.
pub async fn look(
    target: &Target,
    pull: impl Future<Output = Result<(), String>>,
    is_file: bool,
    timeout: Duration,
) -> Result<Look, String> {
    let deadline = Instant::now() + timeout;
    let mut watch = Watch::default();
    let mut pull = std::pin::pin!(pull);
    let mut ended = None;
    tokio::select! {
        biased;
        _ = target.has_published() => {}
        pulled = &mut pull => ended = Some(pulled),
        () = sleep_until(deadline) => return Err(format!("nothing came within {timeout:?}")),
    }
    // A short file is over by now, and can be read all the same.
    let Some(stream) = target.stream() else {
        let words = ended.and_then(Result::err);
        return Err(words.unwrap_or_else(|| "there is nothing in it".to_owned()));
    };
    let mut reader = Reader::new(stream.clone());
    loop {
        let lengths = watch.tracks.iter().map(Seen::length);
        let length = lengths.max().unwrap_or_default();
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
    if watch.tracks.is_empty() {
        // What has come was too little to let readers in.
        watch.set_tracks(&stream.snapshot().tracks);
    }
    if watch.tracks.is_empty() {
        return Err("it has no tracks that are carried".to_owned());
    }
    Ok(Look {
        tracks: watch.tracks,
        failure: ended.and_then(Result::err),
    })
}

/// Bits per second of all tracks, where they are known.
pub fn bitrate(tracks: &[Seen]) -> Option<u64> {
    let rates = tracks.iter().filter_map(Seen::bitrate);
    Some(rates.sum()).filter(|sum| *sum > 0)
}

/// A track, with what can carry it.
#[derive(Debug)]
pub struct Found<'a> {
    /// What was seen of it.
    pub seen: &'a Seen,
    /// Outputs by name; where one does not carry it, why.
    pub outputs: Vec<(&'static str, Result<(), String>)>,
}

impl<'a> Found<'a> {
    /// Asks every protocol.
    pub fn new(protocols: &[Arc<dyn Protocol>], seen: &'a Seen) -> Self {
        let track = &seen.track;
        let protocols = protocols.iter().filter_map(|protocol| {
            let carries = protocol.carries(track, seen.is_reordered)?;
            Some((protocol.name(), carries))
        });
        let files = [Container::Mp4].map(|container| ("mp4", container.carries(track)));
        Self {
            seen,
            outputs: protocols.chain(files).collect(),
        }
    }

    /// The track for programs.
    pub fn json(&self) -> Value {
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
        put("profile", profile(codec).into());
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
}

/// What a track is, in a word.
pub const fn kind(track: &Track) -> &'static str {
    match track.kind() {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}

/// Rounded to what can be known.
pub fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
