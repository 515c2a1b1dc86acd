//! What is pulled and pushed, whichever API asked for it: by its `configId`, with how it fares.

use super::functions::Call;
use super::{Door, Result, pull, push, refused};
use crate::api::target_status::TargetStatus;
use crate::control::supervisor::{Phase, SourcePhase};
use crate::control::targets::TargetView;
use crate::control::{Status, View};
use crate::hub::StreamName;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// EvoStream has more kinds of what is kept; here they are always empty.
const OTHERS: [&str; 8] = [
    "dash",
    "hds",
    "hls",
    "metalistener",
    "mss",
    "process",
    "record",
    "webrtc",
];

/// Codes of states. EvoStream's are 0 and 3.
const STREAMING: u8 = 0;
const CONNECTING: u8 = 1;
const WAITING: u8 = 2;
const RETRYING: u8 = 4;
const FAILED: u8 = 5;
const PAUSED: u8 = 6;

/// A pull or a push.
enum Config {
    Pull(Box<View>),
    Push(StreamName, Box<TargetView>),
}

pub(super) fn list(door: &Door) -> (Value, String) {
    let (mut pulls, mut pushes) = (Vec::new(), Vec::new());
    for config in all(door) {
        match &config {
            Config::Pull(_) => pulls.push(object(door, &config)),
            Config::Push(..) => pushes.push(object(door, &config)),
        }
    }
    let by_number = |object: &Value| object["configId"].as_u64();
    pulls.sort_by_key(by_number);
    pushes.sort_by_key(by_number);
    let none = OTHERS.iter().map(|kind| ((*kind).to_owned(), json!([])));
    let mut data: Map<String, Value> = none.collect();
    data.insert("pull".to_owned(), pulls.into());
    data.insert("push".to_owned(), pushes.into());
    (data.into(), "Run-time configuration".to_owned())
}

pub(super) fn info(door: &Door, call: &Call) -> Result {
    let config = find(door, call)?;
    Ok((object(door, &config), "Configuration Info".to_owned()))
}

pub(super) async fn remove(door: &Door, call: &Call) -> Result {
    let config = find(door, call)?;
    let data = object(door, &config);
    let removed = match &config {
        Config::Pull(view) => door.control.remove_source(&view.name).await,
        Config::Push(name, target) => {
            let id = &target.endpoint.id;
            door.control.remove_target(name, id).await
        }
    };
    removed.map_err(refused)?;
    Ok((data, "Configuration terminated".to_owned()))
}

pub(super) async fn pause(door: &Door, call: &Call, paused: bool) -> Result {
    let config = find(door, call)?;
    let Config::Push(name, target) = &config else {
        return Err("Only what is pushed can stand still".to_owned());
    };
    let id = &target.endpoint.id;
    let changed = door.control.pause_target(name, id, paused).await;
    changed.map_err(refused)?;
    let description = match paused {
        true => "Configuration paused",
        false => "Configuration resumed",
    };
    let config = find(door, call)?;
    Ok((object(door, &config), description.to_owned()))
}

fn all(door: &Door) -> Vec<Config> {
    let mut configs = Vec::new();
    for mut view in door.control.list_all() {
        let targets = std::mem::take(&mut view.targets);
        let name = view.name.clone();
        let pushes = targets.into_iter();
        configs.extend(pushes.map(|target| Config::Push(name.clone(), target.into())));
        if view.broadcast.kind.is_pulled() {
            configs.push(Config::Pull(view.into()));
        }
    }
    configs
}

fn find(door: &Door, call: &Call) -> Result<Config> {
    let id = u64::try_from(call.number("id")).ok().filter(|id| *id > 0);
    let is_it = |config: &Config| {
        let number = match config {
            Config::Pull(view) => view.broadcast.number,
            Config::Push(_, target) => target.endpoint.number,
        };
        Some(number) == id
    };
    let found = all(door).into_iter().find(is_it);
    found.ok_or_else(|| format!("There is no configuration with the id {}", call.text("id")))
}

fn object(door: &Door, config: &Config) -> Value {
    let (mut object, status) = match config {
        Config::Pull(view) => (pull::object(door, view), pull_status(view)),
        Config::Push(name, target) => {
            let mut object = push::object(door, name, &target.endpoint);
            object.insert("state".to_owned(), state(target));
            (object, push_status(target))
        }
    };
    object.insert("status".to_owned(), status);
    object.into()
}

/// Ours: all that is known of a target.
pub(super) fn state(target: &TargetView) -> Value {
    serde_json::to_value(TargetStatus::new(target)).unwrap_or_default()
}

fn push_status(target: &TargetView) -> Value {
    let state = &target.state;
    let stream = match state.phase {
        Phase::Live => super::streams::outbound_id(state.run),
        _ => 0,
    };
    let error = state.last_error.as_deref();
    let before = state.before;
    let previous = before.map(|(phase, since)| moment(phase, None, since, 0));
    json!({
        "current": moment(state.phase, error, state.since, stream),
        "previous": previous.unwrap_or_else(|| entry(WAITING, "Waiting", state.since, 0)),
    })
}

fn moment(phase: Phase, error: Option<&str>, since: SystemTime, stream: u64) -> Value {
    let with_error = |words: &str| match error {
        Some(error) => format!("{words}: {error}"),
        None => words.to_owned(),
    };
    let (code, description) = match phase {
        Phase::Waiting | Phase::Finished => (WAITING, "Waiting for the stream".to_owned()),
        Phase::Connecting => (CONNECTING, with_error("Connecting")),
        Phase::Live => (STREAMING, "Streaming".to_owned()),
        Phase::Backoff => (RETRYING, with_error("Trying again soon")),
        Phase::Failed => (FAILED, with_error("Failed")),
        Phase::Paused => (PAUSED, "Paused".to_owned()),
    };
    entry(code, &description, since, stream)
}

fn pull_status(view: &View) -> Value {
    let error = view.source.as_ref();
    let error = error.and_then(|source| source.last_error.as_deref());
    let phase = view.source.as_ref().map(|source| source.phase);
    let since = match (&view.stream, view.status) {
        (Some(stream), Status::Broadcasting) => stream.since,
        _ => view.broadcast.started.unwrap_or(view.broadcast.created),
    };
    let stream = view.stream.as_ref();
    let stream = stream.map_or(0, |stream| super::streams::inbound_id(stream.publisher));
    let current = match (phase, error) {
        (Some(SourcePhase::Live), _) => entry(STREAMING, "Streaming", since, stream),
        (Some(SourcePhase::Connecting), None) => entry(CONNECTING, "Connecting", since, 0),
        (Some(_), error) => {
            let words = format!("Trying again soon: {}", error.unwrap_or("no reason"));
            entry(RETRYING, &words, since, 0)
        }
        (None, _) => entry(WAITING, "Not running", since, 0),
    };
    let previous = entry(WAITING, "Not running", view.broadcast.created, 0);
    json!({ "current": current, "previous": previous })
}

fn entry(code: u8, description: &str, since: SystemTime, stream: u64) -> Value {
    json!({
        "code": code,
        "description": description,
        "timestamp": seconds(since),
        "uniqueStreamId": stream,
    })
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
