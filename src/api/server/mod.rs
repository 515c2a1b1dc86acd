//! The server's own API, below `/api/v1/`: what none of the compatible APIs has.
//!
//! One file a subject, each with a router of its own that is merged here. Errors are `{"error": TEXT}` with the status that
//! fits.

use crate::adapters::Context;
use crate::control::Control;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;

/// What the calls work on.
#[derive(Clone)]
pub struct Shared {
    /// Streams, sources, targets, recordings.
    pub control: Control,
    /// The parts of the server.
    pub context: Arc<Context>,
}

/// All of `/api/v1/`. Whether the caller may is not asked here.
pub fn router(control: Control, context: Arc<Context>) -> Router {
    Router::new()
        .route("/api/v1/version", get(version))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such call") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .with_state(Shared { control, context })
}

/// An error as this API tells it.
pub fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

async fn version() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "name": "Millstream", "version": env!("CARGO_PKG_VERSION") }))
}
