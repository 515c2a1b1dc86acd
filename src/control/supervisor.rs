//! Keeps sources running: connects, watches for silence, and tries again for ever, more slowly each time.

use crate::adapters::{Context, Protocol, Target};
use crate::hub::StreamName;
use std::collections::HashMap;
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

/// Keeps sources running. Clones share them.
#[derive(Clone, Debug)]
pub struct Supervisor {
    context: Arc<Context>,
    running: Arc<Mutex<HashMap<StreamName, Running>>>,
}

#[derive(Debug)]
struct Running {
    task: AbortHandle,
    state: Arc<Mutex<State>>,
}

impl Supervisor {
    /// Runs nothing yet.
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            running: Arc::default(),
        }
    }

    /// Keeps `url` running into the stream `name`. False when that stream has a source already.
    pub fn start(&self, name: &StreamName, url: &str, protocol: Arc<dyn Protocol>) -> bool {
        let mut running = lock(&self.running);
        if running.contains_key(name) {
            return false;
        }
        let state = Arc::new(Mutex::new(State::default()));
        let target = Target {
            context: self.context.clone(),
            name: name.clone(),
        };
        let task = tokio::spawn(keep_running(
            protocol,
            url.to_owned(),
            target,
            state.clone(),
        ));
        running.insert(
            name.clone(),
            Running {
                task: task.abort_handle(),
                state,
            },
        );
        true
    }

    /// Stops the source of a stream at once, whatever it is doing. False when there is none.
    pub fn stop(&self, name: &StreamName) -> bool {
        lock(&self.running)
            .remove(name)
            .map(|running| running.task.abort())
            .is_some()
    }

    /// Stops all.
    pub fn stop_all(&self) {
        for (_, running) in lock(&self.running).drain() {
            running.task.abort();
        }
    }

    /// What is known of the source of a stream, if it has one that is kept running.
    pub fn state(&self, name: &StreamName) -> Option<State> {
        lock(&self.running)
            .get(name)
            .map(|running| lock(&running.state).clone())
    }
}

async fn keep_running(
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
