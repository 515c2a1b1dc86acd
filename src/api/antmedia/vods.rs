//! What has been recorded, and other files that are played like recordings.

use super::Shared;
use super::broadcast::{millis, whole_millis};
use super::envelope::{Outcome, control_failure, refusal};
use crate::control::recordings::vod::{Origin, Vod};
use crate::control::recordings::{ImportError, UploadError};
use axum::Json;
use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Recordings given at a time at most.
const MAX_PAGE: usize = 250;

/// Longest text that is kept with an uploaded file, in bytes.
const MAX_METADATA: usize = 64 << 10;

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
        let kind = match vod.origin {
            Origin::Stream => "streamVod",
            Origin::Uploaded => "uploadedVod",
            Origin::Imported => "userVod",
        };
        Self {
            stream_name: vod.stream_name,
            creation_date: vod.finished.map_or(0, millis),
            start_time: millis(vod.started),
            duration: whole_millis(vod.duration),
            file_size: vod.bytes,
            file_path: Some(format!("streams/{}", vod.file)),
            vod_name: Some(vod.title.unwrap_or(vod.file)),
            stream_id: Some(vod.stream_id).filter(|id| !id.is_empty()),
            metadata: vod.metadata,
            vod_id: Some(vod.id),
            kind: Some(kind),
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
    match filter.sort_by.as_deref().zip(filter.order_by.as_deref()) {
        Some(("name", _)) => vods.sort_by_key(|vod| vod.name().to_lowercase()),
        Some(("date", _)) => vods.sort_by_key(|vod| vod.finished),
        _ => {}
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

#[derive(Deserialize)]
pub(super) struct Named {
    name: Option<String>,
}

/// Takes a file: the part `file` of a form, and beside it `metadata`.
pub(super) async fn create(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Named { name }): Query<Named>,
    mut form: Multipart,
) -> Response<Body> {
    match upload(&shared, &app, name, &mut form).await {
        Ok(id) => Outcome::success("", Some(&id)).into_response(),
        Err(Refused::Form(error)) => refusal(error.status(), &error.body_text()),
        Err(Refused::NoFile) => Outcome::failure("there is no part named file").into_response(),
        Err(Refused::Upload(UploadError::Control(error))) => control_failure(&error),
        Err(Refused::Upload(error @ UploadError::TooLong)) => {
            refusal(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string())
        }
        Err(Refused::Upload(UploadError::Disk(error))) => {
            tracing::error!(%error, "cannot write what is uploaded");
            refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the file could not be written",
            )
        }
        Err(Refused::Upload(error)) => Outcome::failure(error.to_string()).into_response(),
    }
}

enum Refused {
    Form(MultipartError),
    NoFile,
    Upload(UploadError),
}

impl From<MultipartError> for Refused {
    fn from(error: MultipartError) -> Self {
        Self::Form(error)
    }
}

impl From<UploadError> for Refused {
    fn from(error: UploadError) -> Self {
        Self::Upload(error)
    }
}

async fn upload(
    shared: &Shared,
    app: &str,
    name: Option<String>,
    form: &mut Multipart,
) -> Result<String, Refused> {
    let mut taken = None;
    let mut metadata = None;
    while let Some(mut part) = form.next_field().await? {
        match part.name() {
            Some("file") if taken.is_none() => {
                let own = part.file_name().map(str::to_owned);
                let name = name.clone().filter(|name| !name.trim().is_empty());
                let title = name.or(own).unwrap_or_default();
                let mut upload = shared.control.upload(app, &title).await?;
                while let Some(bytes) = part.chunk().await? {
                    upload.write(&bytes).await?;
                }
                taken = Some(upload);
            }
            Some("metadata") => {
                let mut text = Vec::new();
                while let Some(bytes) = part.chunk().await? {
                    if text.len().saturating_add(bytes.len()) > MAX_METADATA {
                        return Err(UploadError::TooLong.into());
                    }
                    text.extend_from_slice(&bytes);
                }
                metadata = Some(String::from_utf8_lossy(&text).into_owned());
            }
            // Passed over.
            _ => while part.chunk().await?.is_some() {},
        }
    }
    let upload = taken.ok_or(Refused::NoFile)?;
    Ok(upload.finish(metadata).await?)
}

#[derive(Deserialize)]
pub(super) struct Directory {
    #[serde(default)]
    directory: String,
}

pub(super) async fn import(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Directory { directory }): Query<Directory>,
) -> Response<Body> {
    match shared.control.import(&app, &directory).await {
        Ok(count) => Outcome::success(&format!("{count} files are imported"), None).into_response(),
        Err(ImportError::Control(error)) => control_failure(&error),
        Err(error) => Outcome::failure(error.to_string()).into_response(),
    }
}

pub(super) async fn forget_imported(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Directory { directory }): Query<Directory>,
) -> Response<Body> {
    match shared.control.forget_imported(&app, &directory).await {
        Ok(0) => Outcome::failure("nothing was imported from there").into_response(),
        Ok(count) => Outcome::success(&format!("{count} files are unlinked"), None).into_response(),
        Err(error) => control_failure(&error),
    }
}

fn matches(vod: &Vod, search: &str) -> bool {
    let search = search.to_lowercase();
    let title = vod.stream_name.as_deref().unwrap_or_default();
    let metadata = vod.metadata.as_deref().unwrap_or_default();
    [
        &vod.id,
        &vod.stream_id,
        &vod.file,
        vod.name(),
        title,
        metadata,
    ]
    .iter()
    .any(|text| text.to_lowercase().contains(&search))
}
