//! Who publishes and plays by a right that may be withdrawn, while they do: as a subscriber, with a one-time token, or signed
//! in. When a subscriber is blocked or forgotten, the tokens of a stream are, or a session ends, theirs end at once.
//!
//! A right is noted here before it is looked at, so that none is withdrawn unseen in between.

use super::Auth;
use super::connections::{ConnectionEvent, Connections};
use super::digest::Digest;
use crate::hub::{Bearer, Pass, StreamName};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a right rests on.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Basis {
    /// Who says to be that subscriber of a stream (`APP/ID`).
    Subscriber {
        stream: String,
        id: String,
        /// `publish` or `play`.
        kind: &'static str,
        /// It was registered.
        was_known: bool,
    },
    /// A one-time token of a stream (`APP/ID`).
    StreamToken(String),
    /// A session of somebody who has signed in.
    Session(Digest),
}

/// The rights that are in use, or about to be.
#[derive(Default)]
pub(super) struct Passes {
    held: Mutex<Held>,
    connections: Connections,
}

#[derive(Default)]
struct Held {
    next: u64,
    by_number: HashMap<u64, (Vec<Basis>, CancellationToken)>,
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A right that rests on something.
pub(super) struct Title {
    number: u64,
    passes: Arc<Passes>,
    withdrawn: CancellationToken,
    /// The subscriber whose coming and going is told of, and by which protocol it does.
    told: Option<Told>,
}

struct Told {
    stream: String,
    subscriber: String,
    kind: &'static str,
    protocol: &'static str,
}

impl Passes {
    /// Notes what a right rests on, until that is dropped.
    pub(super) fn note(self: &Arc<Self>, bases: Vec<Basis>) -> Title {
        let withdrawn = CancellationToken::new();
        let mut held = self.lock();
        let number = held.next;
        held.next += 1;
        held.by_number.insert(number, (bases, withdrawn.clone()));
        drop(held);
        Title {
            number,
            passes: self.clone(),
            withdrawn,
            told: None,
        }
    }

    /// Withdraws the rights that rest on one of those. Returns how many there were.
    pub(super) fn withdraw(&self, is_gone: impl Fn(&Basis) -> bool) -> usize {
        let held = self.lock();
        let all = held.by_number.values();
        let gone = all
            .filter(|(bases, withdrawn)| !withdrawn.is_cancelled() && bases.iter().any(&is_gone));
        let gone: Vec<_> = gone.map(|(_, withdrawn)| withdrawn.clone()).collect();
        drop(held);
        gone.iter().for_each(CancellationToken::cancel);
        gone.len()
    }

    /// Who has come and gone.
    pub(super) const fn connections(&self) -> &Connections {
        &self.connections
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Title {
    /// The right, of which nothing is told.
    pub(super) fn pass(self) -> Pass {
        Pass::of(Arc::new(self))
    }

    /// The right; the coming and going of that subscriber of a stream by that protocol is told.
    pub(super) fn told(
        mut self,
        (stream, subscriber): (String, String),
        kind: &'static str,
        protocol: &'static str,
    ) -> Pass {
        self.told = Some(Told {
            stream,
            subscriber,
            kind,
            protocol,
        });
        self.pass()
    }

    fn tell(&self, has_come: bool) {
        if let Some(told) = &self.told {
            let event = ConnectionEvent::now(told.kind, told.protocol, has_come);
            let who = (&*told.stream, &*told.subscriber);
            self.passes.connections.add(who, event);
        }
    }
}

impl std::fmt::Debug for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Title")
            .field("number", &self.number)
            .finish()
    }
}

impl Drop for Title {
    fn drop(&mut self) {
        self.passes.lock().by_number.remove(&self.number);
    }
}

impl Bearer for Title {
    fn comes(&self) {
        self.tell(true);
    }

    fn goes(&self) {
        self.tell(false);
    }

    fn withdrawn(&self) -> &CancellationToken {
        &self.withdrawn
    }
}

impl Auth {
    /// Ends what subscribers of a stream do who may not any more: one was blocked, or forgotten.
    pub fn review_subscribers(&self, of: &str) {
        let ended = self.passes.withdraw(|basis| match basis {
            Basis::Subscriber {
                stream,
                id,
                kind,
                was_known,
            } => stream == of && !self.subscribers.admits((stream, id), kind, *was_known),
            _ => false,
        });
        log(ended, "a subscriber was blocked or forgotten");
    }

    /// Ends what is done with one-time tokens of a stream, all of which were forgotten.
    pub fn tokens_forgotten(&self, stream: &StreamName) {
        let ended = self
            .passes
            .withdraw(|basis| matches!(basis, Basis::StreamToken(of) if of == stream.as_str()));
        log(ended, "the tokens of a stream were forgotten");
    }

    /// Ends what is done by those who were signed in and are not any more.
    pub(super) fn review_sessions(&self) {
        let now = Instant::now();
        let ended = self.passes.withdraw(|basis| match basis {
            Basis::Session(session) => self.sessions.peek(session, now).is_none(),
            _ => false,
        });
        log(ended, "somebody has signed out");
    }

    /// When subscribers of a stream came and went, the oldest first: some of what is kept, of one if it is named.
    pub fn connection_events(
        &self,
        stream: &StreamName,
        subscriber: Option<&str>,
        page: (usize, usize),
    ) -> Vec<(String, ConnectionEvent)> {
        let connections = self.passes.connections();
        connections.list(stream.as_str(), subscriber, page)
    }

    /// How many connections a subscriber of a stream (`APP/ID`) has now.
    pub fn connections_of(&self, stream: &str, subscriber: &str) -> usize {
        self.passes.connections().present(stream, subscriber)
    }
}

fn log(ended: usize, reason: &str) {
    if ended > 0 {
        tracing::info!(
            ended,
            reason,
            "who publishes or plays by a right that is gone is sent away"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(id: &str) -> Basis {
        Basis::Subscriber {
            stream: "LiveApp/cam".to_owned(),
            id: id.to_owned(),
            kind: "play",
            was_known: true,
        }
    }

    #[test]
    fn what_rests_on_something_that_is_gone_is_withdrawn_and_nothing_else() {
        let passes = Arc::new(Passes::default());
        let token = || Basis::StreamToken("LiveApp/cam".to_owned());
        let both = passes.note(vec![subscriber("one"), token()]);
        let other = passes.note(vec![subscriber("two")]);
        assert_eq!(passes.withdraw(|basis| *basis == token()), 1);
        assert!(both.withdrawn.is_cancelled() && !other.withdrawn.is_cancelled());
        // Once is enough, and who has gone is forgotten.
        assert_eq!(passes.withdraw(|basis| *basis == subscriber("one")), 0);
        drop(other);
        assert_eq!(passes.withdraw(|_| true), 0);
        drop(both);
        assert!(passes.lock().by_number.is_empty());
    }
}
