//! Settings of an application, as the management console reads and writes them: always all at once.

use super::Shared;
use super::envelope::{Outcome, control_failure, refusal};
use crate::api::json;
use crate::control::settings::AppSettings;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;

pub(super) async fn read(State(shared): State<Shared>, Path(app): Path<String>) -> Response<Body> {
    if !shared.applications.contains(&app) {
        return unknown(&app);
    }
    Json(shared.control.settings(&app)).into_response()
}

pub(super) async fn write(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    body: Bytes,
) -> Response<Body> {
    if !shared.applications.contains(&app) {
        return unknown(&app);
    }
    let settings = match json::read::<AppSettings>(&body) {
        Ok(settings) => settings,
        Err(error) => {
            let message = format!("the body is not an application's settings: {error}");
            return refusal(StatusCode::BAD_REQUEST, &message);
        }
    };
    match shared.control.set_settings(&app, settings).await {
        Ok(()) => Outcome::success("", None).into_response(),
        Err(error) => control_failure(&error),
    }
}

fn unknown(app: &str) -> Response<Body> {
    let message = format!("there is no application {app:?}");
    refusal(StatusCode::NOT_FOUND, &message)
}
