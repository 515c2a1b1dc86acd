//! Subscribers of a stream: those who show codes that change with time, as the settings of its application ask for them.

use super::envelope::{Outcome, refusal};
use super::{Shared, millis};
use crate::api::json;
use crate::auth::{Auth, Subscriber, SubscriberError};
use crate::hub::StreamName;
use crate::store::StoreError;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Subscribers given at a time at most.
const MAX_PAGE: usize = 250;

/// What a caller says of a subscriber.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wish {
    subscriber_id: Option<String>,
    subscriber_name: Option<String>,
    b32_secret: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    totp_expiry_period_seconds: Option<u64>,
}

pub(super) async fn add(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    let wish: Wish = match json::read(&body) {
        Ok(wish) => wish,
        Err(error) => {
            let words = format!("the body is not a subscriber: {error}");
            return refusal(StatusCode::BAD_REQUEST, &words);
        }
    };
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure(SubscriberError::Id.to_string()).into_response();
    };
    let subscriber = Subscriber {
        stream: name.to_string(),
        id: wish.subscriber_id.unwrap_or_default(),
        name: wish.subscriber_name,
        kind: wish.kind.unwrap_or_else(|| "play".to_owned()),
        secret: wish.b32_secret.filter(|secret| !secret.is_empty()),
        period: wish.totp_expiry_period_seconds,
        blocked: String::new(),
        blocked_until: 0,
    };
    keep(&shared, subscriber).await
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path((app, id, offset, size)): Path<(String, String, i64, i64)>,
) -> Json<Vec<Value>> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Json(Vec::new());
    };
    let offset = usize::try_from(offset).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(0).min(MAX_PAGE);
    let subscribers = shared.control.auth().subscribers();
    let some = subscribers.list(&name, offset, size);
    let auth = shared.control.auth();
    let shown = |subscriber| shown(auth, subscriber);
    Json(some.iter().map(shown).collect())
}

pub(super) async fn forget(
    State(shared): State<Shared>,
    Path((app, id, subscriber)): Path<(String, String, String)>,
) -> Response<Body> {
    forgotten(&shared, (&app, &id), Some(&subscriber)).await
}

pub(super) async fn forget_all(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    forgotten(&shared, (&app, &id), None).await
}

#[derive(Deserialize)]
pub(super) struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The code of a subscriber now.
pub(super) async fn code(
    State(shared): State<Shared>,
    Path((app, id, subscriber)): Path<(String, String, String)>,
    Query(Kind { kind }): Query<Kind>,
) -> Outcome {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("streamId or subscriberId is blank");
    };
    let auth = shared.control.auth();
    let of_app = auth.rules(&app).time_tokens();
    let kind = kind.unwrap_or_else(|| "publish".to_owned());
    let now = millis(SystemTime::now()) / 1_000;
    let subscribers = auth.subscribers();
    match subscribers.code(&name, &subscriber, (&kind, &of_app), now) {
        Some(code) => Outcome::success("", Some(&code)),
        None => Outcome::failure(
            "Secret is not set in AppSettings. Please set timetokensecret publish or play in Application settings",
        ),
    }
}

/// A subscriber may not do that for so many seconds.
pub(super) async fn block(
    State(shared): State<Shared>,
    Path((app, id, subscriber, seconds, kind)): Path<(String, String, String, u32, String)>,
) -> Response<Body> {
    if !matches!(kind.as_str(), "play" | "publish" | "publish_play") {
        return Outcome::failure("the type is play, publish or publish_play").into_response();
    }
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("").into_response();
    };
    let known = shared.control.auth().subscribers().get(&name, &subscriber);
    let until = SystemTime::now() + Duration::from_secs(seconds.into());
    // Who is not registered can be blocked as well.
    let subscriber = known.unwrap_or_else(|| Subscriber {
        stream: name.to_string(),
        id: subscriber,
        name: None,
        kind: "publish_play".to_owned(),
        secret: None,
        period: None,
        blocked: String::new(),
        blocked_until: 0,
    });
    let subscriber = Subscriber {
        blocked: kind,
        blocked_until: millis(until),
        ..subscriber
    };
    keep(&shared, subscriber).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whose {
    subscriber_id: Option<String>,
}

/// When subscribers came and went, the oldest first.
pub(super) async fn events(
    State(shared): State<Shared>,
    Path((app, id, offset, size)): Path<(String, String, i64, i64)>,
    Query(Whose { subscriber_id }): Query<Whose>,
) -> Json<Vec<Value>> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Json(Vec::new());
    };
    let subscriber = subscriber_id.filter(|id| !id.trim().is_empty());
    let offset = usize::try_from(offset).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(0).min(MAX_PAGE);
    let auth = shared.control.auth();
    let events = auth.connection_events(&name, subscriber.as_deref(), (offset, size));
    let shown = events.into_iter().map(|(subscriber, event)| {
        json!({
            "streamId": name.id(),
            "subscriberId": subscriber,
            "timestamp": millis(event.at),
            "eventType": if event.has_come { "connected" } else { "disconnected" },
            "type": event.kind,
            "eventProtocol": event.protocol,
        })
    });
    Json(shown.collect())
}

async fn keep(shared: &Shared, subscriber: Subscriber) -> Response<Body> {
    let auth = shared.control.auth();
    let of = subscriber.stream.clone();
    match auth.subscribers().put(subscriber).await {
        Ok(()) => {
            auth.review_subscribers(&of);
            Outcome::success("", None).into_response()
        }
        Err(SubscriberError::Store(error)) => not_kept(&error),
        Err(error) => Outcome::failure(error.to_string()).into_response(),
    }
}

async fn forgotten(
    shared: &Shared,
    (app, id): (&str, &str),
    subscriber: Option<&str>,
) -> Response<Body> {
    let Ok(name) = StreamName::new(app, id) else {
        return Outcome::failure("").into_response();
    };
    let auth = shared.control.auth();
    match auth.subscribers().forget(&name, subscriber).await {
        Ok(true) => {
            auth.review_subscribers(name.as_str());
            Outcome::success("", None).into_response()
        }
        Ok(false) => Outcome::failure("").into_response(),
        Err(error) => not_kept(&error),
    }
}

fn not_kept(error: &StoreError) -> Response<Body> {
    tracing::error!(%error, "cannot keep what the API accepted");
    let words = "the change could not be kept";
    refusal(StatusCode::INTERNAL_SERVER_ERROR, words)
}

/// All but the secret, which is never told again.
fn shown(auth: &Auth, subscriber: &Subscriber) -> Value {
    let (_, stream) = subscriber.stream.split_once('/').unwrap_or_default();
    let connections = auth.connections_of(&subscriber.stream, &subscriber.id);
    json!({
        "subscriberId": subscriber.id,
        "subscriberName": subscriber.name,
        "streamId": stream,
        "type": subscriber.kind,
        "totpExpiryPeriodSeconds": subscriber.period,
        "connected": connections > 0,
        "currentConcurrentConnections": connections,
        "blockedType": subscriber.blocked,
        "blockedUntilUnitTimeStampMs": subscriber.blocked_until,
    })
}
