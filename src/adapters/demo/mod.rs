//! A stream that the server makes itself, so that a first picture needs nothing else.
//!
//! With `--demo`, `LiveApp/demo` is pulled from `demo:`. Pictures and sound are computed (`signal`), not
//! played from a file.

mod aac;
mod bit_writer;
mod canvas;
mod cavlc;
mod cavlc_tables;
mod font;
mod h264;
mod intra;
mod letters;
mod macroblock;
mod picture;
mod signal;
mod sound;
mod transform;
mod wheel;

use super::{BoxFuture, Protocol, Target};
use crate::config::{Config, ConfigError};
use crate::hub::{Applications, Origin, StreamName};
use serde::Deserialize;
use signal::Signal;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until};

/// Table `[demo]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether the stream exists.
    pub enabled: bool,
}

/// The adapter.
#[derive(Debug)]
pub struct Demo {
    settings: Settings,
}

impl Demo {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let settings = config.section("demo")?;
        Ok(Self { settings })
    }
}

impl Protocol for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        let after: Settings = config.section("demo")?;
        let waits = after.enabled != self.settings.enabled;
        Ok(waits.then_some("enabled").into_iter().collect())
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == "demo"
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let origin = Origin {
                protocol: "demo",
                address: url.to_owned(),
                agent: None,
            };
            let publisher = target.publish(&origin).map_err(|taken| taken.to_string())?;
            let mut signal = Signal::new();
            let tracks = signal.tracks();
            for track in tracks.clone() {
                publisher
                    .set_track(track)
                    .map_err(|replaced| replaced.to_string())?;
            }
            let (start, start_wall) = next_second();
            loop {
                let unit = signal.next(start_wall);
                let track = tracks.iter().find(|track| track.id == unit.track);
                let due = track.map(|track| track.timebase.duration(unit.dts));
                let due = start + due.unwrap_or_default();
                loop {
                    tokio::select! {
                        () = sleep_until(due) => break,
                        () = publisher.random_access_wanted() => signal.want_random_access(),
                    }
                }
                publisher
                    .push(unit)
                    .map_err(|replaced| replaced.to_string())?;
            }
        })
    }

    fn standing_sources(&self, applications: &Applications) -> Vec<(StreamName, String)> {
        let names = applications.names();
        let app = names.first().filter(|_| self.settings.enabled);
        let name = app.and_then(|app| StreamName::new(app, "demo").ok());
        name.map(|name| (name, "demo:".to_owned()))
            .into_iter()
            .collect()
    }
}

/// The next whole second of the wall clock: the signal beeps on the whole seconds of its own time, and
/// shows the clock's.
fn next_second() -> (Instant, SystemTime) {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let since_epoch = wall
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let rest = Duration::from_secs(since_epoch.as_secs() + 1) - since_epoch;
    (now + rest, wall + rest)
}
