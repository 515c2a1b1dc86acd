//! RTSP: pulls cameras. The protocol itself is the crate `retina`.
//!
//! A URL becomes a `source::Source`, which a `session` connects to and plays. Its frames become access units
//! (`tracks`) on one axis of time (`clock`). What goes wrong is put in words without secrets (`failure`).
//! Nothing is served here, and nothing is retried: the supervisor does that.

#[allow(dead_code, reason = "the server comes next")]
mod axis;
mod clock;
mod failure;
#[allow(dead_code, reason = "the server comes next")]
mod receiver;
mod session;
mod source;
mod tracks;

use super::{BoxFuture, Protocol, Target};
use crate::config::{Config, ConfigError, duration};
use futures_util::FutureExt;
use serde::Deserialize;
use source::Source;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Table `[rtsp]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A camera has this long to be connected and to describe itself, and again for each request after that.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
        }
    }
}

/// The adapter.
#[derive(Debug)]
pub struct Rtsp {
    settings: Settings,
}

impl Rtsp {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let settings: Settings = config.section("rtsp")?;
        let range = Duration::from_secs(1)..=Duration::from_secs(60);
        if !range.contains(&settings.timeout) {
            return Err(config.error("rtsp.timeout", "must lie between 1s and 60s"));
        }
        Ok(Self { settings })
    }
}

impl Protocol for Rtsp {
    fn name(&self) -> &'static str {
        "rtsp"
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == "rtsp"
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let source = Source::parse(url).map_err(|error| error.to_string())?;
            let pulling = session::pull(&source, target, self.settings.timeout);
            // What a camera sends goes through a foreign library. A panic there is logged and counted, and
            // ends this attempt alone: the camera is tried again.
            AssertUnwindSafe(pulling)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(failure::panicked(&source)))
        })
    }
}
