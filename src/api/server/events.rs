//! What changes in streams, told to whoever listens: once a second at most, worked out and written once for all of them.
//!
//! A listener is first told all (`event: all`), then what is new (`event: change`): `streams`, those of which something
//! has changed that stays for a while; `now`, the figures that have changed; `gone`, those that are no more. One that is
//! too slow is let go, and begins anew.

use super::Shared;
use super::sse::{self, NOTHING, QUIET};
use super::streams::{self, Now, Settled};
use crate::auth::Identity;
use crate::control::Control;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// What is new is told this often.
const TICK: Duration = Duration::from_secs(1);

/// Changes that may wait for a listener.
const BEHIND: usize = 8;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/events", get(listen))
}

/// Who tells. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Events {
    teller: Arc<Mutex<Teller>>,
}

#[derive(Debug)]
struct Teller {
    /// What listeners have been told.
    told: BTreeMap<String, (Settled, Now)>,
    /// Somebody is told, so that it is looked at.
    is_running: bool,
    changes: Sender<Bytes>,
}

/// What is told, by the streams' names.
#[derive(Serialize)]
struct Told<'a> {
    streams: BTreeMap<&'a str, &'a Settled>,
    now: BTreeMap<&'a str, &'a Now>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<Vec<&'a str>>,
}

impl Told<'_> {
    fn event(&self, name: &str) -> Bytes {
        // These are texts, numbers and maps with texts for keys: writing them cannot fail.
        sse::event(name, &serde_json::to_string(self).unwrap_or_default())
    }
}

impl Events {
    pub(super) fn new() -> Self {
        let teller = Teller {
            told: BTreeMap::new(),
            is_running: false,
            changes: Sender::new(BEHIND),
        };
        Self {
            teller: Arc::new(Mutex::new(teller)),
        }
    }

    /// All there is, and what will be new.
    fn listen(&self, control: &Control) -> (Bytes, Receiver<Bytes>) {
        let mut teller = self.lock();
        if !teller.is_running {
            teller.told = streams::all(control);
            teller.is_running = true;
            tokio::spawn(self.clone().run(control.clone()));
        }
        let told = teller.told.iter();
        let all = Told {
            streams: told
                .clone()
                .map(|(name, (settled, _))| (&**name, settled))
                .collect(),
            now: told.map(|(name, (_, now))| (&**name, now)).collect(),
            gone: None,
        };
        (all.event("all"), teller.changes.subscribe())
    }

    /// Tells what is new for as long as somebody listens.
    async fn run(self, control: Control) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let present = streams::all(&control);
            let mut teller = self.lock();
            if teller.changes.receiver_count() == 0 {
                teller.is_running = false;
                teller.told.clear();
                return;
            }
            if let Some(change) = change(&teller.told, &present) {
                // That nobody listens any more is seen at the next tick.
                let _ = teller.changes.send(change);
            }
            teller.told = present;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Teller> {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is new; none where nothing is.
fn change(
    before: &BTreeMap<String, (Settled, Now)>,
    present: &BTreeMap<String, (Settled, Now)>,
) -> Option<Bytes> {
    let mut told = Told {
        streams: BTreeMap::new(),
        now: BTreeMap::new(),
        gone: None,
    };
    for (name, (settled, now)) in present {
        let known = before.get(name);
        if known.is_none_or(|(known, _)| known != settled) {
            told.streams.insert(name, settled);
        }
        if known.is_none_or(|(_, known)| known != now) {
            told.now.insert(name, now);
        }
    }
    let gone = before.keys().filter(|name| !present.contains_key(*name));
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    let is_new = !(told.streams.is_empty() && told.now.is_empty() && gone.is_empty());
    told.gone = Some(gone);
    is_new.then(|| told.event("change"))
}

async fn listen(
    State(shared): State<Shared>,
    Extension(identity): Extension<Identity>,
) -> Response {
    let Ok(place) = shared.listeners.clone().try_acquire_owned() else {
        return sse::full();
    };
    let (all, changes) = shared.events.listen(&shared.control);
    let state = (Some(all), changes, place);
    let events = stream::unfold(state, |(all, mut changes, place)| async {
        let said = match all {
            Some(all) => all,
            None => match timeout(QUIET, changes.recv()).await {
                Ok(Ok(change)) => change,
                Err(_) => NOTHING,
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => return None,
            },
        };
        Some((said, (None, changes, place)))
    });
    sse::respond(events, shared.context, identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_told() {
        let stream = |title: &str, viewers| {
            let now = Now::with_viewers("hls", viewers);
            (Settled::titled(title), now)
        };
        let all = |streams: &[(&str, (Settled, Now))]| {
            let streams = streams.iter().cloned();
            let streams = streams.map(|(name, stream)| (name.to_owned(), stream));
            streams.collect::<BTreeMap<_, _>>()
        };
        let before = all(&[
            ("a/same", stream("same", 1)),
            ("a/watched", stream("watched", 1)),
            ("a/named", stream("before", 1)),
            ("a/gone", stream("gone", 1)),
        ]);
        let after = all(&[
            ("a/same", stream("same", 1)),
            ("a/watched", stream("watched", 2)),
            ("a/named", stream("after", 1)),
            ("a/new", stream("new", 0)),
        ]);
        assert_eq!(change(&before, &before), None);
        let told = change(&before, &after).unwrap();
        let told = std::str::from_utf8(&told).unwrap();
        let data = told.strip_prefix("event: change\ndata: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data.trim_end()).unwrap();
        let keys = |field: &str| {
            let object = data[field].as_object().unwrap();
            object.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys("streams"), ["a/named", "a/new"]);
        assert_eq!(keys("now"), ["a/new", "a/watched"]);
        assert_eq!(data["gone"], serde_json::json!(["a/gone"]));
        assert_eq!(data["now"]["a/watched"]["viewers"]["hls"], 2);
    }
}
