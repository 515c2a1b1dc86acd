//! Endpoints of a broadcast: the servers that it is pushed to.

use super::Shared;
use super::envelope::{Outcome, control_failure, refusal};
use crate::api::json;
use crate::control::ControlError;
use crate::control::targets::TargetPatch;
use crate::hub::StreamName;
use crate::net::redacted::Redacted;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use std::collections::BTreeMap;

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

const NO_URL: &str = "the URL is too long, or holds white space";

/// The URL in a body; none where there is none, or an empty one.
fn url_in(body: &[u8]) -> Result<Option<String>, String> {
    let request = match body.trim_ascii() {
        [] => return Ok(None),
        body => json::read::<Request>(body)
            .map_err(|error| format!("the body is not an endpoint: {error}"))?,
    };
    let url = request.endpoint_url.or(request.rtmp_url);
    let url = url.map(|url| url.trim().to_owned());
    Ok(url.filter(|url| !url.is_empty()))
}

fn may_be(url: &str) -> bool {
    url.len() <= MAX_URL && !url.contains(char::is_whitespace)
}

pub(super) async fn add(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    let url = match url_in(&body) {
        Ok(Some(url)) => url,
        Ok(None) => return Outcome::failure("Missing Endpoint url").into_response(),
        Err(message) => return refusal(StatusCode::BAD_REQUEST, &message),
    };
    let url = url.as_str();
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
    if !may_be(url) {
        return refused(NO_URL);
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
pub(super) struct Change {
    #[serde(default)]
    endpoint_service_id: String,
    paused: Option<bool>,
}

/// Ours: lets an endpoint stand still or go on, or has it lead elsewhere.
pub(super) async fn change(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(change): Query<Change>,
    body: Bytes,
) -> Response<Body> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("").into_response();
    };
    let url = match url_in(&body) {
        Ok(url) => url,
        Err(message) => return refusal(StatusCode::BAD_REQUEST, &message),
    };
    if url.is_none() && change.paused.is_none() {
        return Outcome::failure("Missing Endpoint url").into_response();
    }
    if url.as_deref().is_some_and(|url| !may_be(url)) {
        return Outcome::failure(NO_URL).into_response();
    }
    let patch = TargetPatch {
        place: url.map(|url| (url, BTreeMap::new())),
        paused: change.paused,
        ..TargetPatch::default()
    };
    let endpoint = &change.endpoint_service_id;
    match shared.control.change_target(&name, endpoint, patch).await {
        Ok(_) => Outcome::success("", Some(endpoint)).into_response(),
        Err(error) => control_failure(&error),
    }
}
