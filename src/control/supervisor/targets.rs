//! Targets: one runs while its stream is live, and is connected again until that ends.

use super::backoff::Backoff;
use super::jobs::lock;
use crate::adapters::{Context, Feed, Progress, Protocol};
use crate::hub::{Stream, StreamName};
use crate::net::redacted::Redacted;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// Waits for the stream, pushes it until it ends, and waits for the next of that name.
pub(super) async fn keep_pushing(
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
        // Time spent connecting is no sign of being well.
        let ran = progress.ran();
        let pause = backoff.next(ran.unwrap_or_default(), rand::random());
        let name = stream.name();
        if ran.is_some() || lock(state).last_error.as_deref() != Some(&error) {
            tracing::warn!(stream = %name, %target, %error, retry_in = ?pause, "target failed");
        } else {
            tracing::debug!(stream = %name, %target, %error, retry_in = ?pause, "target failed again");
        }
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
