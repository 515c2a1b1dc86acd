//! Starting and stopping recordings, and what has been recorded.

use super::Shared;
use super::broadcast::{millis, whole_millis};
use super::envelope::{Outcome, control_failure};
use crate::control::ControlError;
use crate::control::vod::Vod;
use crate::hub::StreamName;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::Response;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Recordings given at a time at most.
const MAX_PAGE: usize = 250;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct How {
    record_type: Option<String>,
    file_name: Option<String>,
}

pub(super) async fn set(
    State(shared): State<Shared>,
    Path((app, id, record)): Path<(String, String, bool)>,
    Query(how): Query<How>,
) -> Response<Body> {
    let kind = how.record_type.as_deref().unwrap_or("mp4");
    let unknown = || {
        Outcome::failure(format!(
            "No stream for this id: {id} or unexpected record type. Record type is {kind}"
        ))
        .into_response()
    };
    let name = match StreamName::new(&app, &id) {
        Ok(name) if kind.eq_ignore_ascii_case("mp4") => name,
        _ => return unknown(),
    };
    let control = &shared.control;
    match control
        .set_recording(&name, record, how.file_name.as_deref())
        .await
    {
        Ok(begun) => Outcome {
            success: true,
            message: begun.as_ref().map(|(_, since)| millis(*since).to_string()),
            data_id: begun.map(|(id, _)| id),
            error_id: 0,
        }
        .into_response(),
        Err(ControlError::Unknown(_)) => unknown(),
        Err(ControlError::RecordingState(_)) => {
            let word = if record { "started" } else { "stopped" };
            Outcome::failure(format!("mp4 recording couldn't be {word}")).into_response()
        }
        Err(error) => control_failure(&error),
    }
}

/// The VoD object. Names and defaults are Ant Media's.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    stream_name: Option<String>,
    vod_name: Option<String>,
    stream_id: Option<String>,
    creation_date: u64,
    start_time: u64,
    duration: u64,
    file_size: u64,
    file_path: Option<String>,
    vod_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    preview_file_path: Option<String>,
    process_status: Option<String>,
    process_start_time: u64,
    process_end_time: u64,
    description: Option<String>,
    metadata: Option<String>,
    latitude: Option<String>,
    longitude: Option<String>,
    altitude: Option<String>,
}

impl From<Vod> for Object {
    fn from(vod: Vod) -> Self {
        Self {
            stream_name: vod.stream_name,
            creation_date: vod.finished.map_or(0, millis),
            start_time: millis(vod.started),
            duration: whole_millis(vod.duration),
            file_size: vod.bytes,
            file_path: Some(format!("streams/{}", vod.file)),
            vod_name: Some(vod.file),
            stream_id: Some(vod.stream_id),
            vod_id: Some(vod.id),
            kind: Some("streamVod"),
            ..Self::default()
        }
    }
}

/// An unknown one is an empty object, as Ant Media Server answers.
pub(super) async fn read(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    let vod = shared.control.vod(&app, &id);
    Json(vod.map_or_else(Object::default, Object::from)).into_response()
}

#[derive(Deserialize)]
pub(super) struct Filter {
    sort_by: Option<String>,
    order_by: Option<String>,
    search: Option<String>,
    #[serde(rename = "streamId")]
    stream_id: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path((app, offset, size)): Path<(String, i64, i64)>,
    Query(filter): Query<Filter>,
) -> Response<Body> {
    let mut vods = shared.control.vods(&app);
    if let Some(id) = filter.stream_id.filter(|id| !id.is_empty()) {
        vods.retain(|vod| vod.stream_id == id);
    }
    if let Some(search) = &filter.search {
        vods.retain(|vod| matches(vod, search));
    }
    if filter.sort_by.as_deref() == Some("name") {
        vods.sort_by(|a, b| a.file.cmp(&b.file));
    }
    if filter.sort_by.is_some() && filter.order_by.as_deref() == Some("desc") {
        vods.reverse();
    }
    let offset = usize::try_from(offset).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(0).min(MAX_PAGE);
    let page: Vec<Object> = vods
        .into_iter()
        .skip(offset)
        .take(size)
        .map(Object::from)
        .collect();
    Json(page).into_response()
}

pub(super) async fn count(State(shared): State<Shared>, Path(app): Path<String>) -> Response<Body> {
    Json(json!({ "number": shared.control.vods(&app).len() })).into_response()
}

pub(super) async fn count_found(
    State(shared): State<Shared>,
    Path((app, search)): Path<(String, String)>,
) -> Response<Body> {
    let vods = shared.control.vods(&app);
    let found = vods.iter().filter(|vod| matches(vod, &search)).count();
    Json(json!({ "number": found })).into_response()
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    match shared.control.delete_vod(&app, &id).await {
        Ok(true) => Outcome::success("vod deleted", None).into_response(),
        Ok(false) => Outcome::failure("").into_response(),
        Err(error) => control_failure(&error),
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
    for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        match shared.control.delete_vod(&app, id).await {
            Ok(true) => {}
            Ok(false) => return Outcome::failure("").into_response(),
            Err(error) => return control_failure(&error),
        }
    }
    Outcome::success("vod deleted", None).into_response()
}

fn matches(vod: &Vod, search: &str) -> bool {
    let search = search.to_lowercase();
    let title = vod.stream_name.as_deref().unwrap_or_default();
    [&vod.id, &vod.stream_id, &vod.file, title]
        .iter()
        .any(|text| text.to_lowercase().contains(&search))
}
