//! HLS: serves a stream's CMAF parts and segments, to low-latency and to classic players alike.
//!
//! A stream is cut while someone asks for it (`muxer`): by the first request, and until some time after
//! the last. What is served is an immutable view, replaced when a part is complete.

pub(crate) mod file;
mod muxer;
mod passing;
mod playlist;
mod response;

use super::{Context, FileRequest, FileResponse, Protocol, not_carried, refusal};
use crate::auth::{Action, Caller};
use crate::config::{Config, ConfigError, duration};
use crate::hub::{HOLD, Opened, StreamName};
use crate::segment;
use file::File;
use media::Track;
use muxer::Muxers;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Table `[hls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A segment ends at the first random access point after this long.
    #[serde(with = "duration")]
    pub segment: Duration,
    /// Longest part, for low latency.
    #[serde(with = "duration")]
    pub part: Duration,
    /// Segments in a playlist.
    pub segments: usize,
    /// Memory for the segments of one track, in bytes.
    pub memory_bytes: usize,
    /// How long a stream goes on being cut after the last request.
    #[serde(with = "duration")]
    pub linger: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let cut = segment::Settings::default();
        Self {
            segment: cut.segment,
            part: cut.part,
            segments: cut.listed,
            memory_bytes: cut.max_bytes,
            linger: Duration::from_secs(30),
        }
    }
}

impl Settings {
    fn cut(&self) -> segment::Settings {
        let max_segment = (self.segment * 3)
            .min(Duration::from_secs(10))
            .max(self.segment);
        segment::Settings {
            segment: self.segment,
            max_segment,
            part: self.part,
            listed: self.segments,
            kept: self.segments.div_ceil(2) + 1,
            max_bytes: self.memory_bytes,
        }
    }

    /// Rules that types alone do not say; errors as (key, message).
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let segment = Duration::from_millis(500)..=Duration::from_secs(30);
        if !segment.contains(&self.segment) {
            return Err(("hls.segment", "must lie between 500ms and 30s"));
        }
        if !(Duration::from_millis(100)..=self.segment).contains(&self.part) {
            return Err(("hls.part", "must lie between 100ms and hls.segment"));
        }
        if !(3..=1_000).contains(&self.segments) {
            return Err(("hls.segments", "must lie between 3 and 1000"));
        }
        if self.memory_bytes < 1 << 20 {
            return Err(("hls.memory_bytes", "must be at least 1048576"));
        }
        Ok(())
    }
}

/// The adapter.
#[derive(Debug)]
pub struct Hls {
    muxers: Muxers,
}

impl Hls {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let settings: Settings = config.section("hls")?;
        settings
            .check()
            .map_err(|(key, message)| config.error(key, message))?;
        Ok(Self {
            muxers: Muxers::new(settings.cut(), settings.linger),
        })
    }
}

impl Protocol for Hls {
    fn name(&self) -> &'static str {
        "hls"
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(not_carried(segment::carries(&track.codec), track))
    }

    fn file(
        self: Arc<Self>,
        context: &Arc<Context>,
        request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        let (id, file) = File::parse(&request.path)?;
        let name = StreamName::new(&request.app, id);
        let (context, request) = (context.clone(), request.clone());
        Some(Box::pin(async move {
            let Ok(name) = name else {
                return Ok(response::no_such_file());
            };
            let caller = Caller {
                protocol: "hls",
                address: request.peer,
                headers: Some(&request.headers),
                query: request.query.as_deref(),
                proof: None,
            };
            let action = Action::Play(name.app(), name.id());
            if let Err(denied) = context.auth.check(action, caller) {
                return Ok(refusal(denied));
            }
            let hub = &context.hub;
            let (muxer, opened) = self.muxers.of(hub, &name, file, &request).await?;
            let until = opened.as_ref().map(Opened::deadline);
            let deadline = until.unwrap_or_else(|| Instant::now() + HOLD);
            let answer = response::answer(&muxer, file, &request, deadline).await;
            drop(opened);
            answer
        }))
    }
}
