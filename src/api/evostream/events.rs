//! EvoStream's events, as its sinks of type RPC send them with JSON: `type`, and in `payload` what its API tells of the
//! same thing. `pushStreamFailed` is ours, by the pattern of `pullStreamFailed`.

use super::{Door, pull, push, streams, version};
use crate::api::hooks::usual_retry;
use crate::config;
use crate::control::View;
use crate::control::news::{News, TargetNews, What};
use crate::control::recordings::vod::Vod;
use crate::hooks::{Address, Message, Weight};
use crate::hub::StreamName;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Where events go.
pub struct Sink {
    to: Address,
    /// Those that are wanted; empty for all.
    events: Vec<String>,
    last_id: AtomicU64,
}

impl Sink {
    /// As configured, if it is.
    pub fn new(settings: &config::Hooks) -> Option<Self> {
        let url = settings.evostream_url.as_ref()?;
        // The configuration has been checked.
        let to = Address::parse(url.reveal()).ok()?;
        Some(Self {
            to,
            events: settings.evostream_events.clone(),
            last_id: AtomicU64::new(0),
        })
    }

    /// What is to be told of the news, if that is wanted.
    pub fn message(&self, door: &Door, settings: &config::Hooks, news: &News) -> Option<Message> {
        let (event, stream) = named(&news.what)?;
        let is_wanted = self.events.is_empty() || self.events.iter().any(|wanted| wanted == event);
        if !is_wanted {
            return None;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let body = body(door, news, event, id);
        Some(Message {
            to: self.to.clone(),
            event,
            stream: stream.map(ToString::to_string).unwrap_or_default(),
            weight: Weight::Event,
            retry: usual_retry(settings),
            content_type: HeaderValue::from_static("application/json"),
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        })
    }
}

/// What EvoStream calls the event, and the stream that it is about.
fn named(what: &What) -> Option<(&'static str, Option<&StreamName>)> {
    Some(match what {
        What::Started => ("serverStarted", None),
        What::Stopping => ("serverStopping", None),
        What::Published(view) => ("inStreamCreated", Some(&view.name)),
        What::Live(view) => ("inStreamCodecsUpdated", Some(&view.name)),
        What::Ended(view) => ("inStreamClosed", Some(&view.name)),
        What::SourceFailed(name, _) => ("pullStreamFailed", Some(name)),
        What::Target(name, _, news) => {
            let event = match news {
                TargetNews::Live => "outStreamCreated",
                TargetNews::Ended => "outStreamClosed",
                TargetNews::Failed => "pushStreamFailed",
            };
            (event, Some(name))
        }
        What::Recorded(_) => ("recordChunkClosed", None),
        What::Noticed(..) => return None,
    })
}

fn body(door: &Door, news: &News, event: &str, id: u64) -> Value {
    let mut payload = match &news.what {
        What::Started | What::Stopping => version().0,
        What::Published(view) | What::Live(view) | What::Ended(view) => inbound(door, view),
        What::SourceFailed(name, error) => {
            let view = door.control.get(name);
            let settings = view.map(|view| pull::object(door, &view));
            failed(door, name, error, settings.unwrap_or_default())
        }
        What::Target(name, target, TargetNews::Failed) => {
            let error = target.state.last_error.as_deref();
            let settings = push::object(door, name, &target.endpoint);
            failed(door, name, error.unwrap_or_default(), settings)
        }
        What::Target(name, target, _) => streams::outbound(door, name, target),
        What::Recorded(vod) => recorded(door, vod),
        What::Noticed(..) => Value::Null,
    };
    payload["PID"] = std::process::id().into();
    payload["customData"] = Value::Null;
    json!({
        "id": id,
        "payload": payload,
        "processId": std::process::id(),
        "timestamp": seconds(news.at),
        "type": event,
    })
}

fn inbound(door: &Door, view: &View) -> Value {
    match &view.stream {
        Some(stream) => streams::inbound(door, view, stream),
        None => json!({ "name": door.local(&view.name) }),
    }
}

fn failed(
    door: &Door,
    name: &StreamName,
    error: &str,
    mut settings: serde_json::Map<String, Value>,
) -> Value {
    settings.insert("localStreamName".to_owned(), door.local(name).into());
    settings.insert("error".to_owned(), error.into());
    settings.into()
}

fn recorded(door: &Door, vod: &Vod) -> Value {
    let name = StreamName::new(&vod.app, &vod.stream_id);
    json!({
        "file": format!("streams/{}", vod.file),
        "localStreamName": name.map_or_else(|_| vod.stream_id.clone(), |name| door.local(&name)),
        "startTime": seconds(vod.started),
        "stopTime": seconds(vod.started + vod.duration),
    })
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_secs)
}
