//! Webhooks of api.video: registered, listed, removed, and what they are told.
//!
//! `video.encoding.quality.completed` and others are accepted and never happen: nothing is coded anew here.

use super::list::Pages;
use super::object::atom;
use super::routes::object;
use super::{Problem, Shared};
use crate::control::news::{News, What};
use crate::control::webhooks::Webhook;
use crate::control::{Control, ControlError};
use crate::hooks::{self, Address, Message, Retry, Weight};
use crate::hub::StreamName;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use url::form_urlencoded;

const STARTED: &str = "live-stream.broadcast.started";
const ENDED: &str = "live-stream.broadcast.ended";
const RECORDED: &str = "video.source.recorded";

/// Events that there are, at api.video.
const EVENTS: [&str; 6] = [
    STARTED,
    ENDED,
    RECORDED,
    "video.encoding.quality.completed",
    "video.caption.generated",
    "video.summary.generated",
];

const WEBHOOK_ID: HeaderName = HeaderName::from_static("x-api-video-webhookid");

/// HMAC-SHA256 of the body, with the secret of the webhook, in hexadecimal digits.
const SIGNATURE: HeaderName = HeaderName::from_static("x-api-video-signature");

/// As api.video does.
const RETRY: Retry = Retry {
    count: 3,
    delay: Duration::from_secs(3),
    doubles: false,
};

/// A webhook as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookObject {
    webhook_id: String,
    created_at: String,
    events: Vec<String>,
    url: String,
    signature_secret: String,
}

impl WebhookObject {
    fn new(webhook: Webhook) -> Self {
        Self {
            webhook_id: webhook.id,
            created_at: atom(webhook.created),
            events: webhook.events,
            url: webhook.url,
            signature_secret: webhook.secret,
        }
    }
}

pub(super) async fn create(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let wish = object(&body)?;
    let events = match wish.get("events") {
        None | Some(Value::Null) => Err(Problem::required("events")),
        Some(Value::Array(events)) if events.is_empty() => Err(Problem::attribute(
            "events",
            "This value should not be blank.",
        )),
        Some(Value::Array(events)) => {
            let known = |event: &Value| {
                let event = event.as_str().filter(|event| EVENTS.contains(event));
                event.map(str::to_owned)
            };
            let events: Option<Vec<String>> = events.iter().map(known).collect();
            let detail = format!("The events are {}.", EVENTS.join(", "));
            events.ok_or_else(|| Problem::attribute("events", detail))
        }
        Some(_) => Err(Problem::attribute("events", "This value should be a list.")),
    };
    let url = match wish.get("url") {
        None | Some(Value::Null) => Err(Problem::required("url")),
        Some(Value::String(url)) if !url.trim().is_empty() => {
            match shared.control.check_hook(Some(url)) {
                Ok(()) => Ok(url.trim().to_owned()),
                Err(error) => Err(Problem::attribute("url", error.to_string())),
            }
        }
        Some(_) => Err(Problem::attribute("url", "This value should be a URL.")),
    };
    let (mut events, url) = match (events, url) {
        (Ok(events), Ok(url)) => (events, url),
        (events, url) => {
            let problems = [events.err(), url.err()].into_iter().flatten().collect();
            return Err(Problem::first_of(problems).unwrap_or_else(|| Problem::required("events")));
        }
    };
    events.sort();
    events.dedup();
    let webhook = shared.control.add_webhook(events, url).await;
    let webhook = webhook.map_err(|error| match error {
        ControlError::HooksFull(_) => Problem::attribute("url", error.to_string()),
        error => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(WebhookObject::new(webhook))).into_response())
}

pub(super) async fn list(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut pages = Pages::default();
    let mut wanted = None;
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !pages.take(&key, &value)? && key == "events" {
            pages.keep(&key, &value);
            wanted = Some(value.into_owned());
        }
    }
    let mut all = shared.control.webhooks();
    if let Some(wanted) = wanted {
        all.retain(|webhook| webhook.events.contains(&wanted));
    }
    Ok(Json(pages.list("/webhooks", all, WebhookObject::new)).into_response())
}

pub(super) async fn read(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let webhook = shared.control.webhook(&id);
    let webhook = webhook.ok_or_else(|| Problem::not_found("webhookId"))?;
    Ok(Json(WebhookObject::new(webhook)).into_response())
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    match shared.control.remove_webhook(&id).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Problem::not_found("webhookId")),
    }
}

/// What a webhook is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    emitted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_id: Option<&'a str>,
    live_stream_id: &'a str,
}

/// What is to be told of the news, to each webhook that wants to be. Live streams that others than this API have made are
/// none.
pub(in crate::api) fn messages(control: &Control, news: &News) -> Vec<Message> {
    let is_known = |name: &StreamName| {
        let view = control.get(name);
        view.is_some_and(|view| view.broadcast.stream_key.is_some())
    };
    let (kind, name, video) = match &news.what {
        What::Live(view) if view.broadcast.stream_key.is_some() => {
            (STARTED, view.name.clone(), None)
        }
        What::Ended(view) if view.broadcast.stream_key.is_some() => {
            if !view.stream.as_ref().is_some_and(|stream| stream.ready) {
                return Vec::new();
            }
            (ENDED, view.name.clone(), None)
        }
        What::Recorded(vod) => match StreamName::new(&vod.app, &vod.stream_id) {
            Ok(name) if is_known(&name) => (RECORDED, name, Some(vod.id.as_str())),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let event = Event {
        kind,
        emitted_at: atom(news.at),
        video_id: video,
        live_stream_id: name.id(),
    };
    let body = Bytes::from(serde_json::to_vec(&event).unwrap_or_default());
    let mut webhooks = control.webhooks();
    webhooks.retain(|webhook| webhook.events.iter().any(|wanted| wanted == kind));
    let message = |webhook: Webhook| {
        let to = Address::parse(&webhook.url).ok()?;
        let code = hooks::hmac(webhook.secret.as_bytes(), &[&body]);
        let mut headers = HeaderMap::new();
        headers.insert(WEBHOOK_ID, HeaderValue::try_from(webhook.id).ok()?);
        headers.insert(SIGNATURE, HeaderValue::try_from(code).ok()?);
        Some(Message {
            to,
            event: kind,
            stream: name.to_string(),
            weight: Weight::Event,
            retry: RETRY,
            content_type: HeaderValue::from_static("application/json"),
            headers,
            body: body.clone(),
        })
    };
    webhooks.into_iter().filter_map(message).collect()
}
