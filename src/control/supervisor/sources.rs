//! Sources: one is connected, watched, and connected again for ever, but for recordings that have been played. Of several URLs, the others are fallbacks:
//! they are tried one after the other once the first has failed. The first is tried beside them, so that neither
//! waits for the other, and has the stream again as soon as its first access unit has come.

use super::attempt::{Attempt, Route, Step};
use super::gates::Gates;
use super::jobs::lock;
use super::targets::SHOWN;
use super::turns::Turns;
use crate::adapters::Target;
use crate::config;
use crate::control::news::{Outlet, What};
use crate::hub::Current;
use crate::net::redacted::Redacted;
use std::sync::{Arc, Mutex};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::DropGuard;

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
    /// The number of the publisher that it was when it was live the last time.
    pub publisher: Option<u64>,
    /// Why it failed the last time, in words; none once it is live again.
    pub last_error: Option<String>,
    /// How often it has been connected.
    pub attempts: u64,
    /// When it was live the last time, if it no longer is.
    pub lost: Option<Instant>,
}

/// What keeps one source running.
pub(super) struct Source {
    /// What its attempts are made after.
    pub(super) target: Target,
    /// At least one.
    pub(super) routes: Vec<Route>,
    pub(super) gates: Gates,
    pub(super) settings: Current<config::Sources>,
    /// One attempt is made, at the first URL; dropped when that is over.
    pub(super) once: Option<DropGuard>,
    pub(super) outlet: Outlet,
}

impl Source {
    /// Pulls until it is dropped, or a recording has been played to its end.
    pub(super) async fn keep(self, state: Arc<Mutex<State>>) -> Option<DropGuard> {
        if self.routes.is_empty() {
            return self.once;
        }
        let mut turns = Turns::new(self.routes.len(), Instant::now());
        // Attempts at the first URL and at a fallback, and when the next of each begins.
        let (mut first, mut fallback): (Option<Attempt>, Option<Attempt>) = (None, None);
        let mut first_at = Instant::now();
        let mut fallback_at: Option<(usize, Instant)> = None;
        loop {
            let next_fallback = fallback_at.map(|(_, when)| when);
            tokio::select! {
                // When the first takes the stream over, the fallback fails: the news of the first count.
                biased;
                step = step_of(&mut first) => match step {
                    Step::Live(publisher) => {
                        if fallback.take().is_some_and(|fallback| fallback.live.is_some()) {
                            tracing::info!(stream = %self.target.name, "the first URL is well again and has the stream");
                        }
                        fallback_at = None;
                        self.went_live(&state, 0, publisher);
                    }
                    Step::Failed(_) if first.as_ref().is_some_and(Attempt::has_finished) => {
                        tracing::info!(stream = %self.target.name, "the recording has been played to its end");
                        return self.once;
                    }
                    Step::Failed(error) => {
                        let now = Instant::now();
                        self.failed(first.take(), &fallback, error, &mut turns, &state);
                        if self.once.is_some() {
                            sleep(SHOWN).await;
                            return self.once;
                        }
                        first_at = turns.not_before(0, now);
                        if is_live(&fallback) {
                            first_at = first_at.max(now + self.settings.get().probe);
                        } else if fallback.is_none() && fallback_at.is_none() {
                            fallback_at = turns.next(0, now);
                        }
                    }
                },
                step = step_of(&mut fallback) => match (step, &fallback) {
                    (Step::Live(publisher), Some(live)) => {
                        self.went_live(&state, live.url, publisher);
                        first_at = first_at.max(Instant::now() + self.settings.get().probe);
                    }
                    (Step::Failed(error), Some(failed)) => {
                        let (url, now) = (failed.url, Instant::now());
                        self.failed(fallback.take(), &first, error, &mut turns, &state);
                        fallback_at = turns.next(url, now);
                        first_at = turns.not_before(0, now);
                    }
                    (_, None) => {}
                },
                () = sleep_until(first_at), if first.is_none() => {
                    first = self.attempt(0, &fallback, &turns, &state);
                }
                () = until(next_fallback), if fallback.is_none() => {
                    let url = fallback_at.take().map_or(0, |(url, _)| url);
                    fallback = self.attempt(url, &first, &turns, &state);
                }
            }
        }
    }

    /// Begins an attempt; `beside` is the other that may be under way.
    fn attempt(
        &self,
        url: usize,
        beside: &Option<Attempt>,
        turns: &Turns,
        state: &Mutex<State>,
    ) -> Option<Attempt> {
        let route = self.routes.get(url)?.clone();
        let mut state = lock(state);
        state.attempts += 1;
        if !is_live(beside) {
            (state.phase, state.url) = (SourcePhase::Connecting, url);
        }
        let target = match url {
            0 => self.target.successor(),
            _ => self.target.again(),
        };
        let target = target.behind_its_end(turns.is_over(url));
        let (gates, silence) = (self.gates.clone(), self.settings.get().silence);
        let hopeful = turns.is_hopeful(url);
        Some(Attempt::new(url, route, target, gates, hopeful, silence))
    }

    fn went_live(&self, state: &Mutex<State>, url: usize, publisher: u64) {
        let mut state = lock(state);
        (state.phase, state.url) = (SourcePhase::Live, url);
        state.publisher = Some(publisher);
        (state.last_error, state.lost) = (None, None);
        let url = self.routes.get(url).map_or("", |route| &route.url);
        let (source, attempts) = (Redacted(url), state.attempts);
        tracing::info!(stream = %self.target.name, %source, attempts, "source is live");
    }

    /// Notes why an attempt failed. What is no news is for whoever looks closely: hundreds of dead sources would
    /// fill the log.
    fn failed(
        &self,
        failed: Option<Attempt>,
        beside: &Option<Attempt>,
        error: String,
        turns: &mut Turns,
        state: &Mutex<State>,
    ) {
        let Some(failed) = failed else { return };
        let now = Instant::now();
        if failed.live.is_some() {
            turns.ended(failed.url, failed.is_over());
        }
        let is_news = turns.failed(failed.url, failed.ran(), &error, now);
        let pause = turns.not_before(failed.url, now) - now;
        let url = self.routes.get(failed.url);
        let url = Redacted(url.map_or("", |route| route.url.as_str()));
        let stream = &self.target.name;
        if is_news {
            tracing::warn!(%stream, source = %url, %error, retry_in = ?pause, "source failed");
        } else {
            tracing::debug!(%stream, source = %url, %error, retry_in = ?pause, "source failed again");
        }
        if is_live(beside) {
            return;
        }
        let mut state = lock(state);
        state.phase = match beside {
            Some(_) => SourcePhase::Connecting,
            None => SourcePhase::Pausing,
        };
        if is_news {
            self.outlet
                .tell(What::SourceFailed(stream.clone(), error.clone()));
        }
        state.last_error = Some(error);
        if failed.live.is_some() {
            state.lost = Some(now);
        }
    }
}

fn is_live(attempt: &Option<Attempt>) -> bool {
    attempt
        .as_ref()
        .is_some_and(|attempt| attempt.live.is_some())
}

async fn step_of(attempt: &mut Option<Attempt>) -> Step {
    match attempt {
        Some(attempt) => attempt.step().await,
        None => std::future::pending().await,
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
