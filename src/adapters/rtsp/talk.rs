//! Talks to a camera (ONVIF Streaming Specification section 5.3): a connection of its own, beside that which brings the
//! pictures, with the same address, login and transport.
//!
//! What is said is heard now or not at all: who listens slowly misses what is old.

use super::failure;
use super::link::{Batch, Link};
use super::source::Source;
use super::speaker::Speaker;
use crate::adapters::talk::WAITING;
use crate::adapters::{Context, Loudspeaker, TalkError};
use crate::hub::StreamName;
use futures_util::FutureExt;
use media::AccessUnit;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Of what has waited for the camera, so much is still said.
const NEWEST: Duration = Duration::from_millis(200);

/// Opens the way to the camera's loudspeaker. The camera has `limit` for each answer.
pub(super) async fn open(
    source: &Source,
    name: &StreamName,
    context: &Context,
    limit: Duration,
) -> Result<Loudspeaker, TalkError> {
    let (link, speaker) = Link::talk_to(source, name, context, limit).await?;
    let (sound, said) = mpsc::channel(WAITING);
    let takes = speaker.codec.clone();
    let source = source.clone();
    // A panic at what a camera sends ends this conversation alone.
    let runs = AssertUnwindSafe(speak(link, speaker, said)).catch_unwind();
    Ok(Loudspeaker {
        takes,
        sound,
        runs: Box::pin(async move {
            let over = runs.await;
            over.unwrap_or_else(|_| Err(failure::panicked(&source)))
        }),
    })
}

/// Sends what is said until nothing more is.
async fn speak(
    mut link: Link,
    mut speaker: Speaker,
    mut said: mpsc::Receiver<AccessUnit>,
) -> Result<(), String> {
    let max_payload = link.max_payload();
    loop {
        let until = link.talk().await?;
        let unit = tokio::select! {
            unit = said.recv() => unit,
            heard = link.hear(until) => {
                heard?;
                continue;
            }
        };
        let Some(unit) = unit else {
            link.leave().await;
            return Ok(());
        };
        let mut waiting = VecDeque::from([unit]);
        waiting.extend(std::iter::from_fn(|| said.try_recv().ok()));
        let is_old = |waiting: &VecDeque<AccessUnit>| {
            let ends = waiting.front().zip(waiting.back());
            ends.is_some_and(|(first, last)| speaker.between(first, last) > NEWEST)
        };
        while is_old(&waiting) {
            waiting.pop_front();
        }
        let mut batch = Batch::default();
        for unit in &waiting {
            speaker.cut(Instant::now(), unit, max_payload, |packet| {
                link.put(&mut batch, &packet);
            });
        }
        link.send(&batch).await?;
    }
}
