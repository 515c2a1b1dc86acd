//! Targets: one runs while its stream is live, and is connected again until that ends.

use super::backoff::{Backoff, WELL_AFTER};
use super::jobs::lock;
use crate::adapters::{Context, Feed, Progress, Protocol};
use crate::control::Endpoint;
use crate::control::news::{Outlet, TargetNews, What};
use crate::control::targets::TargetView;
use crate::hub::{Stream, StreamName};
use crate::net::redacted::Redacted;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio_util::sync::DropGuard;

/// A target that was tried once and failed is shown for so long, with the reason.
pub(super) const SHOWN: Duration = Duration::from_secs(10);

/// A target that was connected again in vain so often in a row is told of as failed, where its application does not say
/// how often it may be. It goes on being tried.
const TOLD_AFTER: u32 = 3;

/// Number of the last attempt at any target.
static LAST_RUN: AtomicU64 = AtomicU64::new(0);

/// Where a target is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its stream has not been live since.
    #[default]
    Waiting,
    /// Its server is being connected.
    Connecting,
    /// Its server takes the stream.
    Live,
    /// It failed, and is tried again soon.
    Backoff,
    /// It failed, and is tried no more.
    Failed,
    /// Its stream has ended; it waits for the next.
    Finished,
    /// Somebody wants it to stand still.
    Paused,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Connecting,
        Self::Live,
        Self::Backoff,
        Self::Failed,
        Self::Finished,
        Self::Paused,
    ];

    /// In one word. One whose stream has ended waits.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting | Self::Finished => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

/// What is known of a target that is kept running.
#[derive(Clone, Debug)]
pub struct TargetState {
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: SystemTime,
    /// Where it was before, and since when; none for one that has just begun.
    pub before: Option<(Phase, SystemTime)>,
    /// Why it failed the last time, in words; none once it is live again.
    pub last_error: Option<String>,
    /// How often it has been connected.
    pub attempts: u64,
    /// Number of the present attempt, which no other attempt at any target has; 0 before the first.
    pub run: u64,
    /// What the present attempt has sent, or the last one did.
    pub progress: Arc<Progress>,
    /// What the attempts before that have sent.
    past: Sent,
}

/// What a target was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Access units that were handed to the system.
    pub access_units: u64,
    /// As so many bytes.
    pub bytes: u64,
    /// Access units that were passed over, because the far side was too slow.
    pub dropped: u64,
}

impl Sent {
    fn of(progress: &Progress) -> Self {
        let (access_units, bytes, dropped) = progress.counts();
        Self {
            access_units,
            bytes,
            dropped,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            access_units: self.access_units.saturating_add(other.access_units),
            bytes: self.bytes.saturating_add(other.bytes),
            dropped: self.dropped.saturating_add(other.dropped),
        }
    }
}

impl Default for TargetState {
    fn default() -> Self {
        Self {
            phase: Phase::default(),
            since: SystemTime::now(),
            before: None,
            last_error: None,
            attempts: 0,
            run: 0,
            progress: Arc::default(),
            past: Sent::default(),
        }
    }
}

impl TargetState {
    /// Of a target that stands still since nobody knows when.
    pub(in crate::control) fn paused() -> Self {
        Self {
            phase: Phase::Paused,
            ..Self::default()
        }
    }

    /// What it has been sent in all.
    pub fn sent(&self) -> Sent {
        self.past.plus(Sent::of(&self.progress))
    }

    /// How often it was connected again.
    pub const fn reconnects(&self) -> u64 {
        self.attempts.saturating_sub(1)
    }

    /// How long the way to it and back is, while it is live and that is known.
    pub fn round_trip(&self) -> Option<Duration> {
        let is_live = self.phase == Phase::Live;
        is_live.then(|| self.progress.round_trip()).flatten()
    }

    /// Bits in a second of what it is sent now.
    pub fn bits_per_second(&self) -> u64 {
        match self.phase {
            Phase::Live => self.progress.bits_per_second(),
            _ => 0,
        }
    }

    fn enter(&mut self, phase: Phase, since: SystemTime) {
        self.before = Some((self.phase, self.since));
        (self.phase, self.since) = (phase, since);
    }

    fn begin_attempt(&mut self, progress: &Arc<Progress>) {
        self.past = self.sent();
        self.progress = progress.clone();
        self.attempts += 1;
        self.run = LAST_RUN.fetch_add(1, Ordering::Relaxed) + 1;
        self.enter(Phase::Connecting, SystemTime::now());
    }

    fn fail(&mut self, phase: Phase, error: String) {
        self.note_live();
        self.enter(phase, SystemTime::now());
        self.last_error = Some(error);
    }

    fn finish(&mut self) {
        self.note_live();
        self.enter(Phase::Finished, SystemTime::now());
    }

    /// That it is live is told by its progress alone, until it no longer is.
    pub(super) fn note_live(&mut self) {
        if let (Phase::Connecting, Some(since)) = (self.phase, self.progress.live_since()) {
            self.enter(Phase::Live, since);
            self.last_error = None;
        }
    }
}

/// How often in a row targets are connected again in vain, by application, where there is a limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Arc<Mutex<HashMap<String, u32>>>);

impl Limits {
    /// None, or less than 0: for ever.
    pub(super) fn set(&self, app: &str, limit: Option<i64>) {
        let mut limits = lock(&self.0);
        match limit.filter(|limit| *limit >= 0) {
            Some(limit) => {
                let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                limits.insert(app.to_owned(), limit);
            }
            None => drop(limits.remove(app)),
        }
    }

    fn of(&self, app: &str) -> Option<u32> {
        lock(&self.0).get(app).copied()
    }
}

/// A target to be kept running.
pub(super) struct Pushing {
    pub(super) protocol: Arc<dyn Protocol>,
    pub(super) endpoint: Endpoint,
    pub(super) context: Arc<Context>,
    pub(super) name: StreamName,
    /// It is tried once; dropped when that is over.
    pub(super) once: Option<DropGuard>,
    pub(super) limits: Limits,
    pub(super) outlet: Outlet,
}

/// The far side takes the stream: told now, and that it no longer does when this is dropped.
struct Taking<'a>(&'a Pushing, &'a Mutex<TargetState>);

impl<'a> Taking<'a> {
    fn new(pushing: &'a Pushing, state: &'a Mutex<TargetState>) -> Self {
        pushing.tell(state, TargetNews::Live);
        Self(pushing, state)
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.tell(self.1, TargetNews::Ended);
    }
}

impl Pushing {
    /// Waits for the stream, pushes it until it ends, and waits for the next of that name.
    pub(super) async fn keep(self, state: Arc<Mutex<TargetState>>) -> Option<DropGuard> {
        loop {
            let stream = self.context.hub.wait(&self.name).await;
            if stream.ready().await.is_err() {
                // It is about to leave the register.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            self.push_while_live(&stream, &state).await;
            if self.once.is_some() {
                return self.once;
            }
            lock(&state).finish();
        }
    }

    async fn push_while_live(&self, stream: &Arc<Stream>, state: &Mutex<TargetState>) {
        let mut backoff = Backoff::default();
        // In a row, without having been well in between.
        let mut failures = 0u32;
        loop {
            let progress = Arc::new(Progress::default());
            let feed = Feed {
                context: self.context.clone(),
                stream: stream.clone(),
                progress: progress.clone(),
            };
            lock(state).begin_attempt(&progress);
            let pushed = self.push(&feed, state).await;
            let target = Redacted(&self.endpoint.url);
            let error = match pushed {
                _ if stream.ended().is_some() => return,
                Ok(()) => "the target ended".to_owned(),
                Err(error) => error,
            };
            let name = stream.name();
            if self.once.is_some() {
                tracing::warn!(stream = %name, %target, %error, "target failed, and is not tried again");
                lock(state).fail(Phase::Failed, error);
                self.tell(state, TargetNews::Failed);
                return tokio::time::sleep(SHOWN).await;
            }
            // Time spent connecting is no sign of being well.
            let ran = progress.ran();
            if ran.is_some_and(|ran| ran >= WELL_AFTER) {
                failures = 0;
            }
            failures = failures.saturating_add(1);
            let limit = self.limits.of(name.app());
            if limit.is_some_and(|limit| failures > limit) {
                tracing::warn!(stream = %name, %target, %error, failures, "target failed as often as it may, and is not tried again before the next stream");
                lock(state).fail(Phase::Failed, error);
                self.tell(state, TargetNews::Failed);
                stream.end().await;
                return;
            }
            let pause = backoff.next(ran.unwrap_or_default(), rand::random());
            if ran.is_some() || lock(state).last_error.as_deref() != Some(&error) {
                tracing::warn!(stream = %name, %target, %error, retry_in = ?pause, "target failed");
            } else {
                tracing::debug!(stream = %name, %target, %error, retry_in = ?pause, "target failed again");
            }
            lock(state).fail(Phase::Backoff, error);
            if limit.is_none() && failures == TOLD_AFTER + 1 {
                self.tell(state, TargetNews::Failed);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stream.end() => return,
            }
        }
    }

    /// One attempt. That the far side takes the stream is told while it lasts.
    async fn push(&self, feed: &Feed, state: &Mutex<TargetState>) -> Result<(), String> {
        let mut pushing = self.protocol.push(&self.endpoint.url, feed);
        tokio::select! {
            biased;
            () = feed.progress.has_gone_live() => {}
            pushed = &mut pushing => return pushed,
        }
        let (stream, target) = (&self.name, Redacted(&self.endpoint.url));
        tracing::info!(%stream, %target, "target takes the stream");
        let _taking = Taking::new(self, state);
        pushing.await
    }

    fn tell(&self, state: &Mutex<TargetState>, news: TargetNews) {
        let mut state = lock(state).clone();
        state.note_live();
        let endpoint = self.endpoint.clone();
        let view = TargetView { endpoint, state };
        self.outlet
            .tell(What::Target(self.name.clone(), view.into(), news));
    }
}
