//! Sources that run while somebody watches.
//!
//! The names of such broadcasts are offered to the hub. One that is wanted is started, and watched over by a
//! task that stops it when nobody has wanted it for the linger time. What runs is still the supervisor's:
//! this only says when.

use super::{Broadcast, Control, ControlError};
use crate::config::OnDemand;
use crate::hub::{Current, HOLD, StreamName};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How often a source is looked at: how exact the linger time is.
const TICK: Duration = Duration::from_secs(1);

/// The sources that run on demand, each with the task that will stop it.
#[derive(Debug)]
pub(super) struct Demand {
    settings: Current<OnDemand>,
    /// Locked while a source is started or stopped, so that neither is done on old news of the other.
    watched: Mutex<HashMap<StreamName, AbortHandle>>,
}

/// One run of a source, from the first who wanted it on.
#[derive(Debug)]
struct Run {
    linger: Duration,
    was_ready: bool,
    /// When it was last wanted, or has become ready for those who may come back.
    wanted: Instant,
}

impl Demand {
    pub(super) fn new(settings: OnDemand) -> Self {
        Self {
            settings: Current::new(settings),
            watched: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, AbortHandle>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is wanted without a viewer.
    pub(super) fn is_standing(&self, broadcast: &Broadcast) -> bool {
        let settings = self.settings.get();
        let restreamed = settings.restreams && !broadcast.endpoints.is_empty();
        let recorded = settings.recordings && matches!(broadcast.record, Some(true));
        restreamed || recorded
    }
}

impl Run {
    const fn new(linger: Duration, now: Instant) -> Self {
        Self {
            linger,
            was_ready: false,
            wanted: now,
        }
    }

    /// Whether it is time to stop. A source that is not ready yet has as long as those who asked for it may
    /// be held: they come back.
    fn is_over(&mut self, now: Instant, is_wanted: bool, is_ready: bool) -> bool {
        if is_wanted || (is_ready && !self.was_ready) {
            self.wanted = now;
        }
        self.was_ready |= is_ready;
        let patience = if self.was_ready {
            self.linger
        } else {
            self.linger.max(HOLD)
        };
        !is_wanted && now.duration_since(self.wanted) >= patience
    }
}

impl Control {
    /// Starts what is wanted. Runs for ever.
    pub async fn follow_demand(self) {
        let names: Vec<StreamName> = self.lock().keys().cloned().collect();
        for name in names {
            let _writing = self.shared.writing.lock().await;
            self.reconsider(&name);
        }
        loop {
            let name = self.shared.hub.next_wanted().await;
            match self.start_watched(&name) {
                // It may have failed, and is tried again.
                Ok(()) | Err(ControlError::Active(_)) => {}
                Err(error) => {
                    tracing::warn!(stream = %name, %error, "the source is wanted and cannot be started");
                    self.shared.hub.turn_away(&name);
                }
            }
        }
    }

    /// Other rules for sources on demand, from now on.
    pub async fn set_on_demand(&self, settings: OnDemand) {
        self.shared.demand.settings.set(settings);
        let names: Vec<StreamName> = self.lock().keys().cloned().collect();
        for name in names {
            let _writing = self.shared.writing.lock().await;
            self.reconsider(&name);
        }
    }

    /// Whether a broadcast's source runs while somebody watches.
    pub(super) fn is_on_demand(&self, name: &StreamName) -> bool {
        let broadcasts = self.lock();
        broadcasts
            .get(name)
            .is_some_and(|broadcast| broadcast.auto_start_stop && !broadcast.sources().is_empty())
    }

    /// What is asked of a broadcast has changed: it may be on demand now or no longer, and wanted for other
    /// reasons than before.
    pub(super) fn reconsider(&self, name: &StreamName) {
        let hub = &self.shared.hub;
        if !self.is_on_demand(name) {
            hub.withdraw(name);
            // What runs goes on.
            self.unwatch(name);
            return;
        }
        hub.offer(name);
        let mut watched = self.shared.demand.lock();
        if watched.contains_key(name) {
            return;
        }
        if self.shared.supervisor.state(name).is_some() {
            watched.insert(name.clone(), self.watch(name));
            return;
        }
        drop(watched);
        let is_stopped =
            self.lock().get(name).and_then(|broadcast| broadcast.wanted) == Some(false);
        if !is_stopped
            && self.is_standing(name)
            && let Err(error) = self.start_watched(name)
        {
            tracing::warn!(stream = %name, %error, "the source is wanted and cannot be started");
        }
    }

    /// Starts a source that is stopped when nobody wants it.
    pub(super) fn start_watched(&self, name: &StreamName) -> Result<(), ControlError> {
        let mut watched = self.shared.demand.lock();
        self.start_source(name)?;
        tracing::info!(stream = %name, "source started on demand");
        if let Some(before) = watched.insert(name.clone(), self.watch(name)) {
            before.abort();
        }
        Ok(())
    }

    /// Stops a source, on demand or not. False when it did not run.
    pub(super) fn halt(&self, name: &StreamName) -> bool {
        let mut watched = self.shared.demand.lock();
        if let Some(task) = watched.remove(name) {
            task.abort();
        }
        self.shared.supervisor.stop(name)
    }

    /// Stops nothing more on account of nobody watching.
    fn unwatch(&self, name: &StreamName) {
        if let Some(task) = self.shared.demand.lock().remove(name) {
            task.abort();
        }
    }

    fn is_standing(&self, name: &StreamName) -> bool {
        let broadcasts = self.lock();
        broadcasts
            .get(name)
            .is_some_and(|broadcast| self.shared.demand.is_standing(broadcast))
    }

    fn watch(&self, name: &StreamName) -> AbortHandle {
        let (control, name) = (self.clone(), name.clone());
        let watch = async move {
            let mut run = Run::new(control.shared.demand.settings.get().linger, Instant::now());
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                if control.is_over(&name, &mut run) {
                    return;
                }
            }
        };
        tokio::spawn(watch).abort_handle()
    }

    /// Stops the source if it is time to.
    fn is_over(&self, name: &StreamName, run: &mut Run) -> bool {
        let hub = &self.shared.hub;
        let mut watched = self.shared.demand.lock();
        if watched.get(name).map(AbortHandle::id) != tokio::task::try_id() {
            // Another has taken its place while this one waited for the lock.
            return true;
        }
        let is_wanted = hub.is_wanted(name) || self.is_standing(name);
        let is_ready = hub.get(name).is_some_and(|stream| stream.snapshot().ready);
        if !run.is_over(Instant::now(), is_wanted, is_ready) || !hub.stop_unwanted(name) {
            return false;
        }
        self.shared.supervisor.stop(name);
        watched.remove(name);
        tracing::info!(stream = %name, "source stopped: nobody watches");
        true
    }
}

#[cfg(test)]
mod tests;
