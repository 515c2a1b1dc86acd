//! The answer to most calls: `{success, message, dataId, errorId}`.

use crate::control::ControlError;
use axum::Json;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

/// Ant Media's `Result`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) message: Option<String>,
    pub(super) data_id: Option<String>,
    pub(super) error_id: i32,
}

/// The source could not be started.
pub(super) const FETCHER_NOT_STARTED: i32 = -4;

impl Outcome {
    pub(super) fn success(message: &str, data_id: Option<&str>) -> Self {
        let data_id = Some(data_id.unwrap_or_default().to_owned());
        Self {
            success: true,
            message: Some(message.to_owned()),
            data_id,
            error_id: 0,
        }
    }

    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            data_id: Some(String::new()),
            ..Self::default()
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> axum::response::Response {
        Json(self).into_response()
    }
}

/// A refusal with a status of its own.
pub fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    (status, Json(Outcome::failure(message))).into_response()
}

/// What went wrong inside is for the log; the caller learns that it did.
pub(super) fn control_failure(error: &ControlError) -> Response<Body> {
    if let ControlError::Store(error) = error {
        tracing::error!(%error, "cannot keep what the API accepted");
        return refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the change could not be kept",
        );
    }
    Outcome::failure(error.to_string()).into_response()
}
