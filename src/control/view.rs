//! A broadcast as it is now: what was asked for, and what the hub and the supervisor know.

use super::supervisor::State;
use super::targets::TargetView;
use super::{Broadcast, Control};
use crate::hub::{Snapshot, StreamName};
use std::collections::BTreeMap;
use std::time::Duration;

/// A source that was live and is not for so long is said to be lost. Ant Media Server says so of a stream that
/// it has heard nothing of for this time.
const LOST_AFTER: Duration = Duration::from_secs(20);

/// Where a broadcast is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Asked for, and never live.
    Created,
    /// Its source is being connected.
    Preparing,
    /// Live.
    Broadcasting,
    /// Its publisher is gone without a word, or its source has not come back for a while; it may yet. Or the
    /// server ended without a word while it was live.
    TerminatedUnexpectedly,
    /// Was live, or was stopped before it was.
    Finished,
}

/// A broadcast with what is known of it now.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: StreamName,
    /// What was asked for.
    pub broadcast: Broadcast,
    /// Nobody asked for it: it is here because someone publishes.
    pub temporary: bool,
    /// Where it is in its life.
    pub status: Status,
    /// The stream, while there is one.
    pub stream: Option<Snapshot>,
    /// Viewers by protocol.
    pub viewers: BTreeMap<&'static str, usize>,
    /// Its source, while that is kept running.
    pub source: Option<State>,
    /// Its source has the stream, or had it last: nobody publishes it.
    pub pulled: bool,
    /// Its targets.
    pub targets: Vec<TargetView>,
    /// It is being recorded.
    pub recording: bool,
}

impl View {
    /// Who made it, in one word: `file`, `api`, or `publisher` where nobody asked for it.
    pub const fn made_by(&self) -> &'static str {
        match self.temporary {
            true => "publisher",
            false if self.broadcast.by_file => "file",
            false => "api",
        }
    }
}

impl Control {
    pub(super) fn view(&self, name: &StreamName, broadcast: Broadcast) -> View {
        let stream = self.shared.hub.get(name);
        let source = self.shared.supervisor.state(name);
        let viewers = stream
            .as_ref()
            .map(|stream| stream.viewers().by_protocol())
            .unwrap_or_default();
        let stream = stream.map(|stream| stream.snapshot());
        let was_asked_to_run = broadcast.started.is_some() || broadcast.wanted.is_some();
        let status = match (&stream, &source) {
            (Some(stream), _) if stream.publishing && stream.ready => Status::Broadcasting,
            (Some(stream), _) if stream.publishing => Status::Preparing,
            (_, Some(source)) if is_lost(source) => Status::TerminatedUnexpectedly,
            (_, Some(_)) => Status::Preparing,
            (Some(_), None) => Status::TerminatedUnexpectedly,
            (None, None) if broadcast.cut_off => Status::TerminatedUnexpectedly,
            (None, None) if was_asked_to_run => Status::Finished,
            (None, None) => Status::Created,
        };
        let publisher = stream.as_ref().map(|stream| stream.publisher);
        let of_source = source.as_ref().and_then(|source| source.publisher);
        let targets = self.target_views(name, &broadcast);
        let recording = self.shared.recordings.is_running(name);
        View {
            name: name.clone(),
            broadcast,
            temporary: false,
            status,
            stream,
            viewers,
            source,
            pulled: publisher.is_some() && publisher == of_source,
            targets,
            recording,
        }
    }

    pub(super) fn temporary_view(&self, name: &StreamName) -> View {
        let passing = self.lock_passing().get(name).cloned();
        let broadcast = Broadcast {
            name: Some(name.id().to_owned()),
            ..passing.unwrap_or_default()
        };
        let mut view = self.view(name, broadcast);
        if let Some(stream) = &view.stream {
            view.broadcast.created = stream.since;
            view.broadcast.started = Some(stream.since);
        }
        view.temporary = true;
        view
    }
}

fn is_lost(source: &State) -> bool {
    source
        .lost
        .is_some_and(|since| since.elapsed() >= LOST_AFTER)
}
