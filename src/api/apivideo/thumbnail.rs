//! The picture of a live stream: uploaded as a form's file, and removed.

use super::{Problem, Shared};
use crate::control::pictures::MAX_PICTURE;
use axum::body::Body;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;

/// What a picture's address ends with, below the stream's files.
pub const FILE: &str = "thumbnail.jpg";

/// Fields of a form that are looked at.
const MAX_FIELDS: usize = 16;

pub(super) async fn upload(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    let mut form = form.map_err(|error| Problem::payload(error.body_text()))?;
    for _ in 0..MAX_FIELDS {
        let field = form.next_field().await.map_err(unreadable)?;
        let Some(field) = field else { break };
        if field.name() != Some("file") {
            continue;
        }
        let picture = field.bytes().await.map_err(unreadable)?;
        if picture.len() > MAX_PICTURE {
            return Err(Problem::attribute("file", "The file is longer than 8 MiB."));
        }
        shared
            .control
            .set_picture(&view.name, Some(&picture))
            .await?;
        let mut response = shared.object(&id, &headers)?;
        *response.status_mut() = StatusCode::CREATED;
        return Ok(response);
    }
    Err(Problem::required("file"))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    shared.control.set_picture(&view.name, None).await?;
    Ok(shared.object(&id, &headers)?.into_response())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unreadable(error: MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::attribute("file", "The file is longer than 8 MiB.")
        }
        _ => Problem::payload(error.body_text()),
    }
}
