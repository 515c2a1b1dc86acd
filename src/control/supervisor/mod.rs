//! Keeps sources and targets running: connects, watches for silence, and tries again for ever, more slowly
//! each time. A target runs while its stream is live.

mod attempt;
mod backoff;
mod gates;
mod jobs;
mod sources;
mod targets;
mod turns;

pub use attempt::Route;
pub use sources::{SourcePhase, State};
pub use targets::{Phase, Sent, TargetState};

use super::Endpoint;
use super::news::Outlet;
use crate::adapters::{Context, Protocol, Target};
use crate::config;
use crate::hub::{Current, StreamName};
use crate::net::policy::Policy;
use gates::Gates;
use jobs::Jobs;
use sources::Source;
use std::collections::BTreeMap;
use std::sync::Arc;
use targets::{Limits, Pushing};
use tokio_util::sync::DropGuard;

/// Keeps sources and targets running. Clones share them.
#[derive(Clone, Debug)]
pub struct Supervisor {
    context: Arc<Context>,
    settings: Current<config::Sources>,
    gates: Gates,
    sources: Jobs<StreamName, State>,
    /// By stream and the target's ID.
    targets: Jobs<(StreamName, String), TargetState>,
    limits: Limits,
    outlet: Outlet,
}

impl Supervisor {
    /// Runs nothing yet.
    pub fn new(context: Arc<Context>, settings: config::Sources) -> Self {
        Self {
            context,
            settings: Current::new(settings),
            gates: Gates::new(settings.connecting_per_host),
            sources: Jobs::default(),
            targets: Jobs::default(),
            limits: Limits::default(),
            outlet: Outlet::default(),
        }
    }

    /// Where it is told what happens.
    pub const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// From now on, targets of an application's streams are given up after so many retries in a row, until the next stream
    /// of their name. None, or less than 0: never.
    pub fn limit_retries(&self, app: &str, limit: Option<i64>) {
        self.limits.set(app, limit);
    }

    /// Other rules for sources, from now on.
    pub fn set(&self, settings: config::Sources) {
        self.settings.set(settings);
        self.gates.set(settings.connecting_per_host);
    }

    /// What may be connected to.
    pub fn policy(&self) -> &Policy {
        &self.context.policy
    }

    /// What sources and targets have in common.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Keeps one of `routes` running into the stream `name`, the first where it can be had. False when that
    /// stream has a source already. With `once`, the first is tried one time; `once` is dropped when that is over.
    pub fn start(&self, name: &StreamName, routes: Vec<Route>, once: Option<DropGuard>) -> bool {
        let source = Source {
            target: Target::new(self.context.clone(), name.clone()),
            routes,
            gates: self.gates.clone(),
            settings: self.settings.clone(),
            once,
            outlet: self.outlet.clone(),
        };
        self.sources.start(name.clone(), |state| source.keep(state))
    }

    /// Stops the source of a stream at once, whatever it is doing. False when there is none.
    pub fn stop(&self, name: &StreamName) -> bool {
        self.sources.stop(name)
    }

    /// Stops all sources. Targets end with their streams.
    pub fn stop_all(&self) {
        self.sources.stop_all();
    }

    /// What is known of the source of a stream, if it has one that is kept running.
    pub fn state(&self, name: &StreamName) -> Option<State> {
        self.sources.state(name)
    }

    /// How many sources are in each phase.
    pub fn phases(&self) -> BTreeMap<SourcePhase, usize> {
        let mut phases = BTreeMap::new();
        self.sources
            .each(|state| *phases.entry(state.phase).or_default() += 1);
        phases
    }

    /// Pushes the stream `name` to a target whenever it is live. False when the stream has a target of that ID
    /// already. With `once`, it is pushed one time; `once` is dropped when that is over.
    pub fn start_target(
        &self,
        name: &StreamName,
        endpoint: &Endpoint,
        protocol: Arc<dyn Protocol>,
        once: Option<DropGuard>,
    ) -> bool {
        let pushing = Pushing {
            protocol,
            endpoint: endpoint.clone(),
            context: self.context.clone(),
            name: name.clone(),
            once,
            limits: self.limits.clone(),
            outlet: self.outlet.clone(),
        };
        let key = (name.clone(), endpoint.id.clone());
        self.targets.start(key, |state| pushing.keep(state))
    }

    /// Stops a target at once, whatever it is doing. False when there is none.
    pub fn stop_target(&self, name: &StreamName, id: &str) -> bool {
        self.targets.stop(&(name.clone(), id.to_owned()))
    }

    /// Looks at every target that is kept running.
    pub fn each_target(&self, mut look: impl FnMut(&TargetState)) {
        self.targets.each(|state| look(&shown(state.clone())));
    }

    /// What is known of a target that is kept running.
    pub fn target_state(&self, name: &StreamName, id: &str) -> Option<TargetState> {
        let state = self.targets.state(&(name.clone(), id.to_owned()));
        state.map(shown)
    }
}

/// A target as it is.
fn shown(mut state: TargetState) -> TargetState {
    state.note_live();
    state
}
