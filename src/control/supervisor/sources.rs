//! Sources: one is connected, watched for silence, and connected again for ever.

use super::backoff::Backoff;
use super::jobs::lock;
use crate::adapters::{Protocol, Target};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

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

/// Pulls until it is aborted.
pub(super) async fn keep_pulling(
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
