//! Endpoints of a broadcast: the servers that it is pushed to.

use super::Shared;
use super::envelope::{Outcome, control_failure, refusal};
use crate::api::json;
use crate::control::ControlError;
use crate::hub::StreamName;
use crate::net::redacted::Redacted;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

/// Longest URL of an endpoint, in bytes.
const MAX_URL: usize = 8_192;

/// What a caller sends; older ones call the URL `rtmpUrl`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    endpoint_url: Option<String>,
    #[serde(default)]
    rtmp_url: Option<String>,
}

pub(super) async fn add(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    let request = match body.trim_ascii() {
        [] => None,
        body => match json::read::<Request>(body) {
            Ok(request) => Some(request),
            Err(error) => {
                let message = format!("the body is not an endpoint: {error}");
                return refusal(StatusCode::BAD_REQUEST, &message);
            }
        },
    };
    let url = request.and_then(|request| request.endpoint_url.or(request.rtmp_url));
    let url = url.as_deref().map(str::trim).unwrap_or_default();
    if url.is_empty() {
        return Outcome::failure("Missing Endpoint url").into_response();
    }
    let unknown = || Outcome::failure(format!("Stream does not exist with Id: {id}"));
    let Ok(name) = StreamName::new(&app, &id) else {
        return unknown().into_response();
    };
    if shared.control.get(&name).is_none() {
        return unknown().into_response();
    }
    let refused = |why: &str| {
        Outcome::failure(format!("Endpoint is not added to stream: {id}: {why}")).into_response()
    };
    if url.len() > MAX_URL || url.contains(char::is_whitespace) {
        return refused("the URL is too long, or holds white space");
    }
    match shared.control.add_target(&name, url).await {
        Ok(endpoint) => Outcome::success("", Some(&endpoint)).into_response(),
        Err(ControlError::Unknown(_)) => unknown().into_response(),
        Err(ControlError::TargetExists(_)) => Outcome::failure(format!(
            "Endpoint is not added to datastore for stream {id}. It is already added ->{}",
            Redacted(url)
        ))
        .into_response(),
        Err(error @ ControlError::Store(_)) => control_failure(&error),
        Err(error) => refused(&error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Which {
    #[serde(default)]
    endpoint_service_id: String,
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Response<Body> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("").into_response();
    };
    let endpoint = &which.endpoint_service_id;
    match shared.control.remove_target(&name, endpoint).await {
        Ok(()) => Outcome::success("", None).into_response(),
        Err(error @ ControlError::Store(_)) => control_failure(&error),
        Err(_) => Outcome::failure("").into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pause {
    #[serde(default)]
    endpoint_service_id: String,
    paused: bool,
}

/// Ours: lets an endpoint stand still, or go on.
pub(super) async fn pause(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(pause): Query<Pause>,
) -> Response<Body> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("").into_response();
    };
    let (endpoint, paused) = (&pause.endpoint_service_id, pause.paused);
    match shared.control.pause_target(&name, endpoint, paused).await {
        Ok(_) => Outcome::success("", Some(endpoint)).into_response(),
        Err(error) => control_failure(&error),
    }
}
