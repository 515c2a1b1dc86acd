//! Keeps sources and targets running: connects, watches for silence, and tries again for ever, more slowly
//! each time. A target runs while its stream is live.

use crate::adapters::{Context, Feed, Progress, Protocol, Target};
use crate::hub::{Stream, StreamName};
use crate::net::policy::Policy;
use crate::net::redacted::Redacted;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The first retry comes within this time.
const FIRST_RETRY: Duration = Duration::from_millis(900);

/// Retries are at most this far apart.
const LAST_RETRY: Duration = Duration::from_secs(15);

/// A source that ran for so long was well: its next retry is a first one again.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// A source that sends nothing for so long is given up and connected again.
const SILENCE: Duration = Duration::from_secs(10);

/// What is known of a source that is kept running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Why it ended the last time, in words; none while it has not.
    pub last_error: Option<String>,
    /// How often it has been connected.
    pub attempts: u64,
}

/// Where a target is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Its stream has not been live since.
    #[default]
    Waiting,
    /// Its server is being connected.
    Connecting,
    /// Its server takes the stream.
    Live,
    /// It failed, and is tried again soon.
    Failed,
    /// Its stream has ended; it waits for the next.
    Finished,
}

/// What is known of a target that is kept running.
#[derive(Clone, Debug, Default)]
pub struct TargetState {
    /// Where it is.
    pub phase: Phase,
    /// Why it failed the last time, in words; none once it is live again.
    pub last_error: Option<String>,
    /// How often it has been connected.
    pub attempts: u64,
    /// What the present attempt has sent, or the last one did.
    pub progress: Arc<Progress>,
}

/// Keeps sources and targets running. Clones share them.
#[derive(Clone, Debug)]
pub struct Supervisor {
    context: Arc<Context>,
    sources: Jobs<StreamName, State>,
    /// By stream and the target's ID.
    targets: Jobs<(StreamName, String), TargetState>,
}

impl Supervisor {
    /// Runs nothing yet.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            sources: Jobs::default(),
            targets: Jobs::default(),
        }
    }

    /// What may be connected to.
    pub fn policy(&self) -> &Policy {
        &self.context.policy
    }

    /// Keeps `url` running into the stream `name`. False when that stream has a source already.
    pub fn start(&self, name: &StreamName, url: &str, protocol: Arc<dyn Protocol>) -> bool {
        let target = Target {
            context: self.context.clone(),
            name: name.clone(),
        };
        let url = url.to_owned();
        self.sources.start(name.clone(), |state| {
            keep_pulling(protocol, url, target, state)
        })
    }

    /// Stops the source of a stream at once, whatever it is doing. False when there is none.
    pub fn stop(&self, name: &StreamName) -> bool {
        self.sources.stop(name)
    }

    /// Stops all sources. Targets end with their streams.
    pub fn stop_all(&self) {
        self.sources.stop_all();
    }

    /// What is known of the source of a stream, if it has one that is kept running.
    pub fn state(&self, name: &StreamName) -> Option<State> {
        self.sources.state(name)
    }

    /// Pushes the stream `name` to `url` whenever it is live. False when the stream has a target of that ID
    /// already.
    pub fn start_target(
        &self,
        name: &StreamName,
        id: &str,
        url: &str,
        protocol: Arc<dyn Protocol>,
    ) -> bool {
        let key = (name.clone(), id.to_owned());
        let (context, name, url) = (self.context.clone(), name.clone(), url.to_owned());
        self.targets.start(key, |state| {
            keep_pushing(protocol, url, context, name, state)
        })
    }

    /// Stops a target at once, whatever it is doing. False when there is none.
    pub fn stop_target(&self, name: &StreamName, id: &str) -> bool {
        self.targets.stop(&(name.clone(), id.to_owned()))
    }

    /// What is known of a target that is kept running.
    pub fn target_state(&self, name: &StreamName, id: &str) -> Option<TargetState> {
        let mut state = self.targets.state(&(name.clone(), id.to_owned()))?;
        if state.phase == Phase::Connecting && state.progress.is_live() {
            state.phase = Phase::Live;
            state.last_error = None;
        }
        Some(state)
    }
}

/// Tasks that run until they are stopped, by key, each with what is known of it.
#[derive(Debug)]
struct Jobs<K, S> {
    running: Arc<Mutex<HashMap<K, Job<S>>>>,
}

#[derive(Debug)]
struct Job<S> {
    task: AbortHandle,
    state: Arc<Mutex<S>>,
}

impl<K, S> Clone for Jobs<K, S> {
    fn clone(&self) -> Self {
        Self {
            running: self.running.clone(),
        }
    }
}

impl<K, S> Default for Jobs<K, S> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
        }
    }
}

impl<K: Eq + Hash, S: Clone + Default> Jobs<K, S> {
    /// Runs what `make` gives. False when something runs under that key.
    fn start<F>(&self, key: K, make: impl FnOnce(Arc<Mutex<S>>) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match lock(&self.running).entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                let state = Arc::new(Mutex::new(S::default()));
                let task = tokio::spawn(make(state.clone())).abort_handle();
                place.insert(Job { task, state });
                true
            }
        }
    }

    fn stop(&self, key: &K) -> bool {
        let job = lock(&self.running).remove(key);
        job.map(|job| job.task.abort()).is_some()
    }

    fn stop_all(&self) {
        for (_, job) in lock(&self.running).drain() {
            job.task.abort();
        }
    }

    fn state(&self, key: &K) -> Option<S> {
        lock(&self.running)
            .get(key)
            .map(|job| lock(&job.state).clone())
    }
}

async fn keep_pulling(
    protocol: Arc<dyn Protocol>,
    url: String,
    target: Target,
    state: Arc<Mutex<State>>,
) {
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        lock(&state).attempts += 1;
        let error = tokio::select! {
            ended = protocol.pull(&url, &target) => ended.err().unwrap_or_else(|| "the source ended".into()),
            () = silence(&target) => format!("the source sent nothing for {} s", SILENCE.as_secs()),
        };
        let pause = backoff.next(begun.elapsed(), rand::random());
        tracing::warn!(stream = %target.name, %error, retry_in = ?pause, "source failed");
        lock(&state).last_error = Some(error);
        tokio::time::sleep(pause).await;
    }
}

/// Waits for the stream, pushes it until it ends, and waits for the next of that name.
async fn keep_pushing(
    protocol: Arc<dyn Protocol>,
    url: String,
    context: Arc<Context>,
    name: StreamName,
    state: Arc<Mutex<TargetState>>,
) {
    loop {
        let stream = context.hub.wait(&name).await;
        if stream.ready().await.is_err() {
            // It is about to leave the register.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        push_while_live(&*protocol, &url, &context, &stream, &state).await;
        lock(&state).phase = Phase::Finished;
    }
}

async fn push_while_live(
    protocol: &dyn Protocol,
    url: &str,
    context: &Arc<Context>,
    stream: &Arc<Stream>,
    state: &Mutex<TargetState>,
) {
    let mut backoff = Backoff::default();
    loop {
        let progress = Arc::new(Progress::default());
        let feed = Feed {
            context: context.clone(),
            stream: stream.clone(),
            progress: progress.clone(),
        };
        let begun = Instant::now();
        {
            let mut state = lock(state);
            state.phase = Phase::Connecting;
            state.attempts += 1;
            state.progress = progress.clone();
        }
        let pushed = protocol.push(url, &feed).await;
        let target = Redacted(url);
        let error = match pushed {
            _ if stream.ended().is_some() => return,
            Ok(()) => "the target ended".to_owned(),
            Err(error) => error,
        };
        let pause = backoff.next(begun.elapsed(), rand::random());
        tracing::warn!(stream = %stream.name(), %target, %error, retry_in = ?pause, "target failed");
        {
            let mut state = lock(state);
            state.phase = Phase::Failed;
            state.last_error = Some(error);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stream.end() => return,
        }
    }
}

/// Completes when nothing has come for [`SILENCE`], counted from now.
async fn silence(target: &Target) {
    let mut quiet_since = Instant::now();
    let mut units = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stream = target
            .context
            .hub
            .get(&target.name)
            .map(|stream| stream.snapshot());
        let units_now = stream.map_or(0, |stream| stream.access_units);
        if units_now != units {
            units = units_now;
            quiet_since = Instant::now();
        }
        if quiet_since.elapsed() >= SILENCE {
            return;
        }
    }
}

/// Pauses that double, with jitter so that many sources of one host do not knock together.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after a run of length `ran`; `random` is any number.
    fn next(&mut self, ran: Duration, random: u32) -> Duration {
        if ran >= WELL_AFTER {
            self.failures = 0;
        }
        let full = FIRST_RETRY
            .saturating_mul(1 << self.failures.min(8))
            .min(LAST_RETRY);
        self.failures = self.failures.saturating_add(1);
        // Between half and all of it.
        full / 2 + full.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_soon_and_the_later_ones_are_bounded() {
        for random in [0, u32::MAX / 3, u32::MAX] {
            let mut backoff = Backoff::default();
            let pauses: Vec<Duration> = (0..50)
                .map(|_| backoff.next(Duration::ZERO, random))
                .collect();
            assert!(pauses[0] <= Duration::from_secs(1));
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause <= LAST_RETRY && *pause >= FIRST_RETRY / 2)
            );
            assert!(pauses[49] >= LAST_RETRY / 2);
            assert!(backoff.next(WELL_AFTER, random) <= Duration::from_secs(1));
        }
    }
}
