//! The server's own API, below `/api/v1/`: what none of the compatible APIs has.
//!
//! One file a subject, each with a router of its own that is merged here. Errors are `{"error": TEXT}` with the status that
//! fits.

mod doctor;
mod events;
mod log;
mod probe;
mod sse;
mod streams;

use crate::adapters::{Context, Listening};
use crate::control::Control;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use events::Events;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most who listen to events or the log at a time.
const LISTENERS: usize = 128;

/// What the calls work on.
#[derive(Clone)]
pub struct Shared {
    /// Streams, sources, targets, recordings.
    pub control: Control,
    /// The parts of the server.
    pub context: Arc<Context>,
    /// Where the server listens.
    listening: Arc<[Listening]>,
    /// Places of those who listen.
    listeners: Arc<Semaphore>,
    /// Places of those who look into sources.
    probes: Arc<Semaphore>,
    events: Events,
}

/// All of `/api/v1/`. Whether the caller may is not asked here.
pub fn router(control: Control, context: Arc<Context>, listening: Arc<[Listening]>) -> Router {
    Router::new()
        .route("/api/v1/version", get(version))
        .merge(doctor::router())
        .merge(events::router())
        .merge(log::router())
        .merge(probe::router())
        .merge(streams::router())
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such call") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .with_state(Shared {
            control,
            context,
            listening,
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            probes: Arc::new(Semaphore::new(probe::AT_A_TIME)),
            events: Events::new(),
        })
}

/// An error as this API tells it.
pub fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

async fn version() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "name": "Millstream", "version": env!("CARGO_PKG_VERSION") }))
}
