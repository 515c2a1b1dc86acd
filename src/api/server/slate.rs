//! The slate of a stream: the file that is shown while its sources are gone.

use super::{Shared, refusal};
use crate::control::ControlError;
use crate::hub::StreamName;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

pub(super) fn router() -> Router<Shared> {
    Router::new().route(
        "/api/v1/streams/{app}/{id}/slate",
        get(read).put(set).delete(forget),
    )
}

/// A file below `/APP/streams/`; none where nothing is shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slate {
    file: Option<String>,
}

async fn read(State(shared): State<Shared>, Path((app, id)): Path<(String, String)>) -> Response {
    let name = match StreamName::new(&app, &id) {
        Ok(name) => name,
        Err(error) => return failure(&error.into()),
    };
    match shared.control.get(&name) {
        Some(view) => answer(&shared, &name, view.broadcast.slate.as_deref()),
        None => failure(&ControlError::Unknown(name)),
    }
}

async fn set(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    slate: Result<Json<Slate>, JsonRejection>,
) -> Response {
    match slate {
        Ok(Json(slate)) => change(&shared, &app, &id, slate.file).await,
        Err(error) => refusal(error.status(), &error.body_text()),
    }
}

async fn forget(State(shared): State<Shared>, Path((app, id)): Path<(String, String)>) -> Response {
    change(&shared, &app, &id, None).await
}

async fn change(shared: &Shared, app: &str, id: &str, file: Option<String>) -> Response {
    let name = match StreamName::new(app, id) {
        Ok(name) => name,
        Err(error) => return failure(&error.into()),
    };
    match shared.control.set_slate(&name, file.as_deref()).await {
        Ok(()) => answer(shared, &name, file.as_deref()),
        Err(error) => failure(&error),
    }
}

fn answer(shared: &Shared, name: &StreamName, file: Option<&str>) -> Response {
    let shown = shared.control.shows_slate(name);
    Json(json!({ "file": file, "shown": shown })).into_response()
}

fn failure(error: &ControlError) -> Response {
    let status = match error {
        ControlError::Name(_) => StatusCode::BAD_REQUEST,
        ControlError::Unknown(_) => StatusCode::NOT_FOUND,
        ControlError::Slate(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, &error.to_string())
}
