//! The calls, in the order of the API's documentation.

use super::Shared;
use super::broadcast::{Object, Request, status_text};
use super::create::{check_fallbacks, is_camera_address, is_source_url};
use super::envelope::{FETCHER_NOT_STARTED, Outcome, control_failure, refusal};
use crate::api::json;
use crate::control::{ControlError, Kind, Status, View};
use crate::hub::StreamName;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

/// Broadcasts given at a time at most.
const MAX_PAGE: usize = 250;

pub(super) async fn read(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    match find(&shared, &app, &id) {
        Some(view) => Json(Object::new(view, host(&headers), &shared.rtmp_port)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn update(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    body: Bytes,
) -> Response<Body> {
    let request = match json::read::<Request>(&body) {
        Ok(request) => request,
        Err(error) => {
            return refusal(
                StatusCode::BAD_REQUEST,
                &format!("the body is not a broadcast: {error}"),
            );
        }
    };
    let Some(view) = find(&shared, &app, &id) else {
        return Outcome::failure(format!("Broadcast with streamId: {id} does not exist"))
            .into_response();
    };
    let request = request.unmasked(&view.broadcast);
    let pulled = view.broadcast.kind.is_pulled();
    if pulled
        && request
            .stream_url
            .as_deref()
            .is_some_and(|url| !is_source_url(url))
    {
        return Outcome::failure("Stream URL is not valid").into_response();
    }
    let is_camera = view.broadcast.kind == Kind::IpCamera;
    let address = request.ip_addr.as_deref().filter(|_| is_camera);
    if address.is_some_and(|address| !is_camera_address(address)) {
        return Outcome::failure("IP camera addr is not valid").into_response();
    }
    if let Err(message) = check_fallbacks(request.fallback_stream_urls.as_deref()) {
        return Outcome::failure(message).into_response();
    }
    match shared
        .control
        .update(&view.name, &request.into_patch())
        .await
    {
        Ok(()) => Outcome::success("", None).into_response(),
        Err(ControlError::Unknown(_)) => {
            Outcome::failure(format!("Broadcast with streamId: {id} does not exist"))
                .into_response()
        }
        Err(error) => control_failure(&error),
    }
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    match delete_one(&shared, &app, &id).await {
        Ok(outcome) => outcome.into_response(),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
pub(super) struct Ids {
    #[serde(default)]
    ids: String,
}

pub(super) async fn delete_many(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Ids { ids }): Query<Ids>,
) -> Response<Body> {
    if ids.trim().is_empty() {
        return Outcome::failure("ids parameter is blank").into_response();
    }
    let mut last = Outcome::default();
    for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        match delete_one(&shared, &app, id).await {
            Ok(outcome) if outcome.success => last = outcome,
            Ok(outcome) => return outcome.into_response(),
            Err(response) => return response,
        }
    }
    last.into_response()
}

async fn delete_one(shared: &Shared, app: &str, id: &str) -> Result<Outcome, Response<Body>> {
    let Some(view) = find(shared, app, id) else {
        return Ok(Outcome::failure(""));
    };
    match shared.control.delete(&view.name).await {
        Ok(()) => Ok(Outcome::success(
            "broadcast is deleted and stopped successfully",
            None,
        )),
        Err(ControlError::Unknown(_)) => Ok(Outcome::failure("")),
        Err(error) => Err(control_failure(&error)),
    }
}

pub(super) async fn start(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Outcome {
    let Some(view) = find(&shared, &app, &id) else {
        return Outcome::failure(format!("No Stream Exists with id:{id}"));
    };
    if !view.broadcast.kind.is_pulled() {
        let message =
            "Broadcast type is not supported. It can be StreamSource, IP Camera, VOD, Playlist";
        return Outcome::failure(message);
    }
    match shared.control.start(&view.name).await {
        Ok(()) => Outcome::success("", Some(&id)),
        Err(ControlError::NoSource(_)) => Outcome::failure(format!(
            "Stream url is null and it's not an IP camera to get stream url for id:{id}"
        )),
        Err(ControlError::Active(_)) => Outcome::failure(
            "Stream is already active. It's already streaming or trying to connect",
        ),
        Err(error) => Outcome {
            error_id: FETCHER_NOT_STARTED,
            ..Outcome::failure(error.to_string())
        },
    }
}

pub(super) async fn stop(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Outcome {
    let Some(view) = find(&shared, &app, &id) else {
        return Outcome::failure("");
    };
    match shared.control.stop(&view.name).await {
        Ok(()) => Outcome::success("Stream stopped", None),
        Err(_) if view.broadcast.kind.is_pulled() => {
            let message = format!("No matching stream source in this server:{id}");
            Outcome {
                data_id: Some(id),
                ..Outcome::failure(message)
            }
        }
        Err(_) => Outcome::failure(""),
    }
}

/// How the last attempt to open the source ended, of one that is kept running.
pub(super) async fn camera_error(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Outcome {
    let source = find(&shared, &app, &id).and_then(|view| view.source);
    let Some(source) = source else {
        return Outcome::failure(format!("Camera is not found with streamId: {id}"));
    };
    match source.last_error {
        Some(error) => Outcome::failure(error),
        None => Outcome::success("", None),
    }
}

#[derive(Deserialize)]
pub(super) struct Filter {
    type_by: Option<String>,
    sort_by: Option<String>,
    order_by: Option<String>,
    search: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path((app, offset, size)): Path<(String, i64, i64)>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Json<Vec<Object>> {
    let mut views = shared.control.list(&app);
    if let Some(kind) = filter.type_by.filter(|kind| !kind.is_empty()) {
        views.retain(|view| view.broadcast.kind.as_str() == kind);
    }
    if let Some(search) = &filter.search {
        views.retain(|view| matches(view, search));
    }
    match filter.sort_by.as_deref().zip(filter.order_by.as_deref()) {
        Some(("name", _)) => {
            views.sort_by_key(|view| view.broadcast.name.as_deref().map(str::to_lowercase));
        }
        Some(("date", _)) => views.sort_by_key(|view| view.broadcast.created),
        Some(("status", _)) => views.sort_by_key(|view| status_text(view.status)),
        _ => {}
    }
    if filter.sort_by.is_some() && filter.order_by.as_deref() == Some("desc") {
        views.reverse();
    }
    let offset = usize::try_from(offset).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(0).min(MAX_PAGE);
    let host = host(&headers);
    Json(
        views
            .into_iter()
            .skip(offset)
            .take(size)
            .map(|view| Object::new(view, host, &shared.rtmp_port))
            .collect(),
    )
}

pub(super) async fn count(State(shared): State<Shared>, Path(app): Path<String>) -> Response<Body> {
    number(shared.control.list(&app).len())
}

pub(super) async fn count_found(
    State(shared): State<Shared>,
    Path((app, search)): Path<(String, String)>,
) -> Response<Body> {
    number(
        shared
            .control
            .list(&app)
            .iter()
            .filter(|view| matches(view, &search))
            .count(),
    )
}

pub(super) async fn count_active(
    State(shared): State<Shared>,
    Path(app): Path<String>,
) -> Response<Body> {
    number(active(&shared, &app))
}

/// Watchers of one stream; -1 where it is not live.
pub(super) async fn statistics(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    let view = find(&shared, &app, &id).filter(|view| view.stream.is_some());
    let count = |protocol| {
        view.as_ref().map_or(-1, |view| {
            view.viewers.get(protocol).map_or(0, |count| *count as i64)
        })
    };
    Json(json!({
        "totalRTMPWatchersCount": count("rtmp"),
        "totalHLSWatchersCount": count("hls"),
        "totalWebRTCWatchersCount": count("webrtc"),
        "totalDASHWatchersCount": count("dash"),
    }))
    .into_response()
}

pub(super) async fn total_statistics(
    State(shared): State<Shared>,
    Path(app): Path<String>,
) -> Response<Body> {
    let views = shared.control.list(&app);
    let count = |protocol| {
        views
            .iter()
            .filter_map(|view| view.viewers.get(protocol))
            .sum::<usize>()
    };
    Json(json!({
        "totalRTMPWatchersCount": -1,
        "totalHLSWatchersCount": count("hls"),
        "totalWebRTCWatchersCount": count("webrtc"),
        "totalDASHWatchersCount": count("dash"),
        "activeLiveStreamCount": active(&shared, &app),
    }))
    .into_response()
}

pub(super) async fn version() -> Response<Body> {
    Json(json!({
        "versionName": env!("CARGO_PKG_VERSION"),
        "versionType": "Millstream",
        "buildNumber": env!("CARGO_PKG_VERSION"),
    }))
    .into_response()
}

pub(super) async fn applications(State(shared): State<Shared>) -> Response<Body> {
    Json(json!({ "applications": *shared.applications.names() })).into_response()
}

pub(super) async fn liveness(headers: HeaderMap) -> Response<Body> {
    Json(json!({ "host": host(&headers), "status": "ok" })).into_response()
}

pub(super) async fn not_found() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there is no such call")
}

pub(super) async fn method_not_allowed() -> Response<Body> {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "the call exists, but not with this method",
    )
}

fn find(shared: &Shared, app: &str, id: &str) -> Option<View> {
    shared.control.get(&StreamName::new(app, id).ok()?)
}

fn active(shared: &Shared, app: &str) -> usize {
    shared
        .control
        .list(app)
        .iter()
        .filter(|view| view.status == Status::Broadcasting)
        .count()
}

fn number(number: usize) -> Response<Body> {
    Json(json!({ "number": number })).into_response()
}

fn matches(view: &View, search: &str) -> bool {
    let search = search.to_lowercase();
    let name = view.broadcast.name.as_deref().unwrap_or_default();
    view.name.id().to_lowercase().contains(&search) || name.to_lowercase().contains(&search)
}

/// The host by which the caller reached the server, without its port.
pub(super) fn host(headers: &HeaderMap) -> &str {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_loses_its_port_only() {
        for (host, name) in [
            ("a.b:5080", "a.b"),
            ("a.b", "a.b"),
            ("[::1]:5080", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(self::host(&headers), name);
        }
    }
}
