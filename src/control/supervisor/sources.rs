//! Sources: one is connected, watched, and connected again for ever. Of several URLs, the next is tried when
//! one fails; while a later one runs, the first is tried beside it, and has the stream again as soon as its
//! first access unit has come.

use super::attempt::{Attempt, Route, Step};
use super::gates::Gates;
use super::jobs::lock;
use super::turns::Turns;
use crate::adapters::{Context, Target};
use crate::config;
use crate::hub::StreamName;
use crate::net::redacted::Redacted;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Where a source is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourcePhase {
    /// It is being connected, or waits for its turn to be.
    #[default]
    Connecting,
    /// It fills the stream.
    Live,
    /// It failed, and is tried again soon.
    Pausing,
}

/// What is known of a source that is kept running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Where it is.
    pub phase: SourcePhase,
    /// Which of its URLs is live or was tried last, by its place in the list.
    pub url: usize,
    /// Why it failed the last time, in words; none once it is live again.
    pub last_error: Option<String>,
    /// How often it has been connected.
    pub attempts: u64,
    /// When it was live the last time, if it no longer is.
    pub lost: Option<Instant>,
}

/// What keeps one source running.
pub(super) struct Source {
    pub(super) context: Arc<Context>,
    pub(super) name: StreamName,
    /// At least one.
    pub(super) routes: Vec<Route>,
    pub(super) gates: Gates,
    pub(super) settings: config::Sources,
}

impl Source {
    /// Pulls until it is dropped.
    pub(super) async fn keep(self, state: Arc<Mutex<State>>) {
        let mut turns = Turns::new(self.routes.len(), Instant::now());
        let Some(mut present) = self.attempt(0, None, &state) else {
            return;
        };
        loop {
            let error = self.follow(&mut present, &mut turns, &state).await;
            let now = Instant::now();
            turns.failed(present.url, present.ran(), now);
            let (next, when) = turns.next(present.url, now);
            self.report(&present, &error, when - now, &state);
            {
                let mut state = lock(&state);
                state.phase = SourcePhase::Pausing;
                state.last_error = Some(error);
                if present.live.is_some() {
                    state.lost = Some(now);
                }
            }
            // Its connection is closed before the pause, and the stream waits for the next.
            drop(present);
            sleep_until(when).await;
            match self.attempt(next, None, &state) {
                Some(next) => present = next,
                None => return,
            }
        }
    }

    /// Follows an attempt until it fails: why. Where it is one at a fallback, the first URL is tried beside
    /// it, and takes its place.
    async fn follow(
        &self,
        present: &mut Attempt,
        turns: &mut Turns,
        state: &Mutex<State>,
    ) -> String {
        let mut probe: Option<Attempt> = None;
        let mut probe_at = Instant::now() + self.settings.probe;
        loop {
            let probes = present.url > 0 && present.live.is_some();
            tokio::select! {
                // The probe that takes the stream over makes the other fail: its news come first.
                biased;
                step = step_of(&mut probe) => match (step, probe.take()) {
                    (Step::Live, Some(first)) => {
                        tracing::info!(stream = %self.name, "the first URL is well again and has the stream");
                        went_live(state, first.url);
                        *present = first;
                    }
                    (Step::Failed(error), Some(first)) => {
                        tracing::debug!(stream = %self.name, %error, "the first URL is not well yet");
                        let now = Instant::now();
                        turns.failed(first.url, first.ran(), now);
                        probe_at = turns.not_before(first.url, now).max(now + self.settings.probe);
                    }
                    (_, None) => {}
                },
                step = present.step() => match (step, probe.take()) {
                    (Step::Live, probing) => {
                        probe = probing;
                        went_live(state, present.url);
                    }
                    (Step::Failed(error), None) => return error,
                    (Step::Failed(error), Some(probing)) => {
                        let now = Instant::now();
                        turns.failed(present.url, present.ran(), now);
                        self.report(present, &error, Duration::ZERO, state);
                        let mut state = lock(state);
                        (state.phase, state.url) = (SourcePhase::Connecting, 0);
                        (state.last_error, state.lost) = (Some(error), Some(now));
                        *present = probing;
                    }
                },
                () = sleep_until(probe_at), if probes && probe.is_none() => {
                    probe = self.attempt(0, Some(&present.target), state);
                }
            }
        }
    }

    /// Begins an attempt; `beside` the one that has the stream.
    fn attempt(
        &self,
        url: usize,
        beside: Option<&Arc<Target>>,
        state: &Mutex<State>,
    ) -> Option<Attempt> {
        let route = self.routes.get(url)?.clone();
        let mut state = lock(state);
        state.attempts += 1;
        let target = match beside {
            Some(present) => present.successor(),
            None => {
                (state.phase, state.url) = (SourcePhase::Connecting, url);
                Target::new(self.context.clone(), self.name.clone())
            }
        };
        let (gates, silence) = (self.gates.clone(), self.settings.silence);
        Some(Attempt::new(url, route, target, gates, silence))
    }

    /// A failure that says nothing new is for whoever looks closely: hundreds of dead sources would fill the
    /// log.
    fn report(&self, failed: &Attempt, error: &str, pause: Duration, state: &Mutex<State>) {
        let known = lock(state).last_error.as_deref() == Some(error);
        let url = self.routes.get(failed.url);
        let url = Redacted(url.map_or("", |route| route.url.as_str()));
        let stream = &self.name;
        if known && failed.live.is_none() {
            tracing::debug!(%stream, source = %url, %error, retry_in = ?pause, "source failed again");
        } else {
            tracing::warn!(%stream, source = %url, %error, retry_in = ?pause, "source failed");
        }
    }
}

fn went_live(state: &Mutex<State>, url: usize) {
    let mut state = lock(state);
    (state.phase, state.url) = (SourcePhase::Live, url);
    (state.last_error, state.lost) = (None, None);
}

async fn step_of(attempt: &mut Option<Attempt>) -> Step {
    match attempt {
        Some(attempt) => attempt.step().await,
        None => std::future::pending().await,
    }
}
