//! What became of reading the configuration.

use crate::config::Loads;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use std::time::SystemTime;

/// `/api/v1/configuration`.
pub fn router(loads: Loads) -> Router {
    Router::new()
        .route("/api/v1/configuration", get(configuration))
        .with_state(loads)
}

async fn configuration(State(loads): State<Loads>) -> Json<serde_json::Value> {
    let last = loads.last();
    Json(serde_json::json!({
        "file": last.file.map(|file| file.display().to_string()),
        "ok": last.error.is_none(),
        "error": last.error,
        "loadedAt": text(last.loaded),
        "triedAt": text(last.tried),
        "waitingForStart": last.waiting,
    }))
}

fn text(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
