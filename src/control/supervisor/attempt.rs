//! One attempt to pull a URL: waits for its turn, connects, and is watched for silence.

use super::gates::Gates;
use crate::adapters::{BoxFuture, Protocol, Target};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// No attempt connects for longer. Protocols have limits of their own, which are shorter and say more.
const CONNECTING: Duration = Duration::from_secs(120);

/// A URL with the protocol that pulls it.
#[derive(Clone)]
pub struct Route {
    /// Holds a password, more often than not.
    pub url: String,
    /// Who pulls it.
    pub protocol: Arc<dyn Protocol>,
}

/// An attempt under way; it goes on only while [`Attempt::step`] is awaited.
pub(super) struct Attempt {
    /// The URL's place in the list.
    pub(super) url: usize,
    target: Arc<Target>,
    /// Since when it has the stream.
    pub(super) live: Option<Instant>,
    run: BoxFuture<'static, String>,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Step {
    /// It has the stream, as the publisher of that number, and goes on.
    Live(u64),
    /// It is over: why.
    Failed(String),
}

impl Attempt {
    pub(super) fn new(
        url: usize,
        route: Route,
        target: Target,
        gates: Gates,
        hopeful: bool,
        silence: Duration,
    ) -> Self {
        let target = Arc::new(target);
        let run = run(route, target.clone(), gates, hopeful, silence);
        Self {
            url,
            target,
            live: None,
            run: Box::pin(run),
        }
    }

    /// The next thing that happens to it. May be dropped and called again.
    pub(super) async fn step(&mut self) -> Step {
        if self.live.is_some() {
            return Step::Failed((&mut self.run).await);
        }
        tokio::select! {
            biased;
            publisher = self.target.has_published() => {
                self.live = Some(Instant::now());
                Step::Live(publisher)
            }
            error = &mut self.run => Step::Failed(error),
        }
    }

    /// Whether the far side said that the stream is over.
    pub(super) fn is_over(&self) -> bool {
        self.target.is_over()
    }

    /// Whether it has played a recording to its end.
    pub(super) fn has_finished(&self) -> bool {
        self.target.has_finished()
    }

    /// How long it was live, if it was.
    pub(super) fn ran(&self) -> Option<Duration> {
        self.live.map(|since| since.elapsed())
    }
}

async fn run(
    route: Route,
    target: Arc<Target>,
    gates: Gates,
    hopeful: bool,
    silence: Duration,
) -> String {
    let turn = gates.enter(&route.url, hopeful).await;
    let watched = async {
        tokio::select! {
            () = target.has_connected() => drop(turn),
            () = target.is_listening() => {
                drop(turn);
                target.has_connected().await;
            }
            () = sleep(CONNECTING) => {
                return format!("not connected within {} s", CONNECTING.as_secs());
            }
        }
        silent(&target, silence).await
    };
    tokio::select! {
        ended = route.protocol.pull(&route.url, &target) => {
            ended.err().unwrap_or_else(|| "the source ended".into())
        }
        error = watched => error,
    }
}

/// Completes when nothing has come for `limit`, or the attempt has lost the stream.
async fn silent(target: &Target, limit: Duration) -> String {
    let connected = Instant::now();
    loop {
        let quiet = match target.silence() {
            Ok(silence) => silence.unwrap_or_else(|| connected.elapsed()),
            Err(replaced) => return replaced.to_string(),
        };
        let Some(rest) = limit.checked_sub(quiet).filter(|rest| !rest.is_zero()) else {
            return format!("the source sent nothing for {} s", limit.as_secs());
        };
        sleep(rest).await;
    }
}
