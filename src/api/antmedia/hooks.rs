//! Ant Media Server's webhooks: what is told, to whom, and in which words. `cameraEvent`, and what stands beside
//! `rtmp-url`, are ours.

use super::broadcast::{millis, whole_millis};
use crate::api::hooks::usual_retry;
use crate::config;
use crate::control::news::{News, TargetNews, What};
use crate::control::recordings::vod::Vod;
use crate::control::settings::AppSettings;
use crate::control::targets::TargetView;
use crate::control::{Broadcast, Control, Status, View};
use crate::hooks::{Address, Message, Retry, Weight};
use crate::hub::{Snapshot, StreamName, Viewing};
use axum::http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use url::form_urlencoded;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Shortest time between two reports on one stream.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// The pause before a retry, where an application says how many there are and not how long.
const USUAL_DELAY: Duration = Duration::from_millis(1_000);

/// What is told of an event. What is blank is left out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: String,
    action: &'static str,
    #[serde(skip_serializing_if = "is_blank")]
    stream_name: Option<String>,
    #[serde(skip_serializing_if = "is_blank")]
    category: Option<String>,
    #[serde(skip_serializing_if = "is_blank")]
    vod_name: Option<String>,
    #[serde(skip_serializing_if = "is_blank")]
    vod_id: Option<String>,
    #[serde(skip_serializing_if = "is_blank")]
    main_track_id: Option<String>,
    #[serde(skip_serializing_if = "is_blank")]
    room_id: Option<String>,
    app: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    metadata: Value,
    /// Milliseconds since 1970.
    timestamp: String,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
}

/// How a live stream is. Nothing is coded anew here, so that nothing waits for that.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusEvent {
    id: String,
    action: &'static str,
    width: u32,
    height: u32,
    total_byte_received: u64,
    input_queue_size: u32,
    speed: f64,
    timestamp: u64,
    #[serde(skip_serializing_if = "is_blank")]
    stream_name: Option<String>,
    encoding_queue_size: u32,
    drop_frame_count_in_encoding: u32,
    drop_packet_count_in_ingestion: u32,
}

/// What is to be told of the news, if anybody wants to be told.
pub(in crate::api) fn message(
    control: &Control,
    defaults: &config::Hooks,
    news: &News,
) -> Option<Message> {
    let (name, broadcast, event) = match &news.what {
        What::Live(view) => happened(view, "liveStreamStarted"),
        What::Ended(view) if was_live(view) => happened(view, "liveStreamEnded"),
        What::Recorded(vod) => recorded(control, vod)?,
        What::Target(name, target, TargetNews::Failed) => {
            let broadcast = broadcast_of(control, name);
            let metadata = failed(target);
            let event = Event {
                metadata,
                ..event(name, &broadcast, "endpointFailed")
            };
            (name.clone(), broadcast, event)
        }
        What::Noticed(name, noticed) => {
            let items = |pairs: &[(String, String)]| -> Value {
                let pairs = pairs.iter().cloned();
                Value::Object(pairs.map(|(name, value)| (name, value.into())).collect())
            };
            let broadcast = broadcast_of(control, name);
            let metadata = json!({
                "topic": noticed.topic,
                "time": noticed.time,
                "operation": noticed.operation,
                "source": items(&noticed.source),
                "data": items(&noticed.data),
            });
            let event = Event {
                metadata,
                ..event(name, &broadcast, "cameraEvent")
            };
            (name.clone(), broadcast, event)
        }
        _ => return None,
    };
    let event = Event {
        timestamp: millis(news.at).to_string(),
        ..event
    };
    let way = Way::to(control, defaults, &name, &broadcast)?;
    Some(way.message(event.action, Weight::Event, &event))
}

/// What is to be told of a viewer, if anybody wants to be told.
pub(in crate::api) fn viewer_message(
    control: &Control,
    defaults: &config::Hooks,
    viewing: &Viewing,
) -> Option<Message> {
    let name = &viewing.stream;
    let action = match viewing.has_come {
        true => "playStarted",
        false => "playStopped",
    };
    let broadcast = broadcast_of(control, name);
    let event = Event {
        timestamp: millis(SystemTime::now()).to_string(),
        ..event(name, &broadcast, action)
    };
    let way = Way::to(control, defaults, name, &broadcast)?;
    Some(way.message(action, Weight::Viewer, &event))
}

fn happened(view: &View, action: &'static str) -> (StreamName, Broadcast, Event) {
    let event = event(&view.name, &view.broadcast, action);
    (view.name.clone(), view.broadcast.clone(), event)
}

fn was_live(view: &View) -> bool {
    view.stream.as_ref().is_some_and(|stream| stream.ready)
}

fn recorded(control: &Control, vod: &Vod) -> Option<(StreamName, Broadcast, Event)> {
    let name = StreamName::new(&vod.app, &vod.stream_id).ok()?;
    let mut broadcast = broadcast_of(control, &name);
    broadcast.name = broadcast.name.or_else(|| vod.stream_name.clone());
    let base = vod
        .file
        .rsplit_once('.')
        .map_or(&*vod.file, |(base, _)| base);
    let event = Event {
        vod_name: Some(base.to_owned()),
        vod_id: Some(vod.id.clone()),
        duration: Some(whole_millis(vod.duration).to_string()),
        ..event(&name, &broadcast, "vodReady")
    };
    Some((name, broadcast, event))
}

/// The URL as it was given, since that is what the receiver knows the endpoint by.
fn failed(target: &TargetView) -> Value {
    json!({
        "rtmp-url": target.endpoint.url,
        "endpointServiceId": target.endpoint.id,
        "error": target.state.last_error,
    })
}

fn event(name: &StreamName, broadcast: &Broadcast, action: &'static str) -> Event {
    let notes = &broadcast.notes;
    let metadata = notes.meta_data.as_deref().unwrap_or_default();
    let parsed = serde_json::from_str(metadata).ok();
    let metadata = match parsed.filter(Value::is_object) {
        Some(object) => object,
        None if metadata.trim().is_empty() => Value::Null,
        None => metadata.into(),
    };
    Event {
        id: name.id().to_owned(),
        action,
        stream_name: broadcast.name.clone(),
        category: notes.category.clone(),
        main_track_id: notes.main_track_stream_id.clone(),
        room_id: notes.main_track_stream_id.clone(),
        app: name.app().to_owned(),
        metadata,
        ..Event::default()
    }
}

fn broadcast_of(control: &Control, name: &StreamName) -> Broadcast {
    let view = control.get(name);
    view.map(|view| view.broadcast).unwrap_or_default()
}

#[expect(clippy::ref_option, reason = "for serde")]
fn is_blank(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(|text| text.trim().is_empty())
}

/// How events of one stream get to their receiver.
struct Way {
    to: Address,
    stream: String,
    is_form: bool,
    retry: Retry,
}

impl Way {
    /// As the broadcast says, else its application, else the configuration. None where nobody has named a receiver.
    fn to(
        control: &Control,
        defaults: &config::Hooks,
        name: &StreamName,
        broadcast: &Broadcast,
    ) -> Option<Self> {
        let settings = control.settings(name.app());
        let of_broadcast = broadcast.notes.listener_hook_url.as_deref();
        let of_app = settings.listener_hook_url.as_deref();
        let usual = defaults.url.as_ref().map(config::Secret::reveal);
        let mut urls = [of_broadcast, of_app, usual].into_iter().flatten();
        let url = urls.find(|url| !url.trim().is_empty())?;
        let to = match Address::parse(url) {
            Ok(to) => to,
            Err(error) => {
                // It was kept before URLs were looked at.
                tracing::warn!(stream = %name, %error, "no webhook is sent");
                return None;
            }
        };
        let content_type = settings.webhook_content_type.as_deref().unwrap_or_default();
        let is_form = content_type
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded");
        Some(Self {
            to,
            stream: name.to_string(),
            is_form,
            retry: retry(&settings, defaults),
        })
    }

    fn message(self, event: &'static str, weight: Weight, said: &impl Serialize) -> Message {
        let (content_type, body) = match self.is_form {
            true => (FORM, form(said)),
            false => (JSON, serde_json::to_vec(said).unwrap_or_default()),
        };
        Message {
            to: self.to,
            event,
            stream: self.stream,
            weight,
            retry: self.retry,
            content_type,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }
}

fn retry(settings: &AppSettings, defaults: &config::Hooks) -> Retry {
    let delay = settings.webhook_retry_delay.map(Duration::from_millis);
    match settings.webhook_retry_count {
        Some(count) => Retry {
            count,
            delay: delay.unwrap_or(USUAL_DELAY),
            doubles: false,
        },
        None => usual_retry(defaults),
    }
}

/// Fields of a form; what is no text is written as JSON.
fn form(said: &impl Serialize) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    if let Ok(Value::Object(fields)) = serde_json::to_value(said) {
        for (name, value) in fields {
            match value {
                Value::String(text) => form.append_pair(&name, &text),
                other => form.append_pair(&name, &other.to_string()),
            };
        }
    }
    form.finish().into_bytes()
}

/// When the live streams of each application were reported on last.
#[derive(Debug, Default)]
pub(in crate::api) struct Statuses(BTreeMap<String, Instant>);

impl Statuses {
    /// Reports on the live streams of all applications whose time has come.
    pub(in crate::api) fn due(
        &mut self,
        control: &Control,
        defaults: &config::Hooks,
    ) -> Vec<Message> {
        let now = Instant::now();
        let periods = control.status_periods();
        self.0.retain(|app, _| periods.contains_key(app));
        let mut messages = Vec::new();
        for (app, period) in periods {
            let last = self.0.entry(app.clone()).or_insert(now);
            if now.duration_since(*last) < period.max(SHORTEST_PERIOD) {
                continue;
            }
            *last = now;
            let views = control.list(&app).into_iter();
            let live = views.filter(|view| view.status == Status::Broadcasting);
            messages.extend(live.filter_map(|view| report(control, defaults, &view)));
        }
        messages
    }
}

fn report(control: &Control, defaults: &config::Hooks, view: &View) -> Option<Message> {
    let stream = view.stream.as_ref()?;
    let way = Way::to(control, defaults, &view.name, &view.broadcast)?;
    let way = Way {
        // The next comes soon.
        retry: Retry {
            count: 0,
            ..way.retry
        },
        ..way
    };
    let event = status(view, stream, SystemTime::now());
    Some(way.message(event.action, Weight::Status, &event))
}

fn status(view: &View, stream: &Snapshot, now: SystemTime) -> StatusEvent {
    let mut tracks = stream.tracks.tracks.iter();
    let size = tracks.find_map(|track| track.codec.size());
    let (width, height) = size.unwrap_or_default();
    StatusEvent {
        id: view.name.id().to_owned(),
        action: "liveStreamStatus",
        width,
        height,
        total_byte_received: stream.bytes,
        input_queue_size: 0,
        speed: (stream.speed * 100.0).round() / 100.0,
        timestamp: millis(now),
        stream_name: view.broadcast.name.clone(),
        encoding_queue_size: 0,
        drop_frame_count_in_encoding: 0,
        drop_packet_count_in_ingestion: 0,
    }
}
