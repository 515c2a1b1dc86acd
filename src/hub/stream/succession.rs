//! Who has a stream: one publisher after the other, and between them whoever stands in ([`StandIn`]).

use super::stand_in::StandIn;
use super::{Ended, Origin, State, Stream};
use media::AccessUnit;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether a unit comes into the stream.
pub(super) enum Admission {
    Now,
    /// It is dropped, since the source cannot be shown yet.
    NotYet,
    /// Who sends it has lost the stream.
    NoMore,
}

impl Stream {
    pub(in crate::hub) fn kicked(&self) -> CancellationToken {
        self.lock().kick.clone()
    }

    /// Number of the publisher that is there now.
    pub(in crate::hub) fn publisher(&self) -> Option<u64> {
        self.lock().publisher
    }

    /// Time since the last access unit, while there is a publisher.
    pub(in crate::hub) fn silence(&self) -> Option<Duration> {
        let state = self.lock();
        state.publisher.map(|_| state.heard().elapsed())
    }

    /// Time since the last access unit of the publisher of that number; none once it has lost the stream.
    pub fn silence_of(&self, publisher: u64) -> Option<Duration> {
        let state = self.lock();
        let present = state.publisher.filter(|present| *present == publisher);
        present.map(|_| state.heard().elapsed())
    }

    /// Whether somebody publishes in the place of a source.
    pub fn has_stand_in(&self) -> bool {
        self.lock().stand_in.is_some()
    }

    /// Lets another publisher continue the stream. False when the stream is over already.
    pub(in crate::hub) fn continue_with(&self, publisher: u64, origin: Origin) -> bool {
        let mut state = self.lock();
        if state.ended.is_some() {
            return false;
        }
        state.kick.cancel();
        state.kick = CancellationToken::new();
        state.publisher = Some(publisher);
        state.last_publisher = publisher;
        state.holder = publisher;
        state.traffic = self.totals.of(origin.protocol);
        state.traffic.published();
        state.origin = origin;
        state.last_push = Instant::now();
        let awaits = match &mut state.stand_in {
            // It takes over when it can be shown.
            Some(stand_in) => {
                stand_in.await_source();
                true
            }
            None => {
                state.new_source();
                false
            }
        };
        drop(state);
        if awaits {
            self.want_random_access();
        }
        true
    }

    /// Lets somebody publish until a publisher comes. Returns what is cancelled when it has to leave; none where it is
    /// not needed.
    pub(in crate::hub) fn stand_in(&self, number: u64) -> Option<CancellationToken> {
        let mut state = self.lock();
        let is_needed = state.ended.is_none() && state.ready && state.publisher.is_none();
        if !is_needed || state.stand_in.is_some() {
            return None;
        }
        let stand_in = StandIn::new(number);
        let kick = stand_in.kick.clone();
        state.stand_in = Some(stand_in);
        state.holder = number;
        state.begin_anew();
        Some(kick)
    }

    /// The publisher is gone. False when another one has taken its place.
    pub(in crate::hub) fn interrupt(&self, publisher: u64) -> bool {
        let mut state = self.lock();
        let stands_in = |stand_in: &mut StandIn| stand_in.number == publisher;
        if let Some(left) = state.stand_in.take_if(stands_in) {
            let is_alone = state.publisher.is_none();
            if is_alone {
                state.holder = publisher;
            } else {
                // The source that has come need not be waited for any more.
                state.hand_over(left);
            }
            return is_alone;
        }
        let is_present = state.publisher == Some(publisher);
        if is_present {
            state.publisher = None;
            if let Some(stand_in) = &mut state.stand_in {
                stand_in.await_source();
            }
        }
        is_present
    }

    /// Ends the stream for all, unless another publisher has had it since, or somebody stands in.
    pub(in crate::hub) fn finish(&self, publisher: u64, reason: Ended) -> bool {
        let mut state = self.lock();
        let is_last = match &state.stand_in {
            Some(stand_in) => stand_in.number == publisher && state.publisher.is_none(),
            None => state.holder == publisher,
        };
        if state.ended.is_some() || !is_last {
            return false;
        }
        state.publisher = None;
        state.stand_in = None;
        state.ended = Some(reason);
        if self.offline.is_some() && !state.ready && !state.ring.is_empty() {
            state.become_ready();
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Ends the stream for all, whoever publishes.
    pub(in crate::hub) fn stop(&self) {
        let mut state = self.lock();
        state.kick.cancel();
        if let Some(stand_in) = state.stand_in.take() {
            stand_in.kick.cancel();
        }
        state.publisher = None;
        state.ended = Some(Ended::Stopped);
        drop(state);
        self.changed.notify_waiters();
    }
}

impl State {
    pub(super) fn admits(&mut self, publisher: u64, unit: &AccessUnit) -> Admission {
        let is_publisher = self.publisher == Some(publisher);
        match &mut self.stand_in {
            None if is_publisher => Admission::Now,
            Some(stand_in) if stand_in.number == publisher => Admission::Now,
            Some(stand_in) if is_publisher => {
                if !stand_in.gives_way_to(unit) {
                    return Admission::NotYet;
                }
                if let Some(stand_in) = self.stand_in.take() {
                    self.hand_over(stand_in);
                }
                Admission::Now
            }
            _ => Admission::NoMore,
        }
    }

    /// When the source was heard of last.
    fn heard(&self) -> Instant {
        self.stand_in
            .as_ref()
            .map_or(self.last_push, |stand_in| stand_in.heard)
    }

    /// What comes now is from another source than what came before.
    fn new_source(&mut self) {
        self.begin_anew();
        self.statistics.new_source();
    }

    /// What comes now has times and tracks of its own.
    fn begin_anew(&mut self) {
        self.declared.clear();
        self.source_since = None;
        self.timeline.new_source();
    }

    /// The source that has come takes over.
    fn hand_over(&mut self, stand_in: StandIn) {
        stand_in.kick.cancel();
        self.new_source();
        for track in stand_in.tracks {
            self.declare(track);
        }
    }
}
