//! All that the APIs have made, as one document: to keep it, to take it elsewhere, to bring it back.

use super::{Shared, refusal};
use crate::control::state::State as Document;
use crate::control::{Control, ControlError};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

/// Longest document, in bytes.
const MAX_BODY: usize = 64 << 20;

/// `/api/v1/state`.
pub(super) fn router() -> Router<Shared> {
    let calls = get(state).post(add).put(replace);
    Router::new().route(
        "/api/v1/state",
        calls.layer(DefaultBodyLimit::max(MAX_BODY)),
    )
}

async fn state(State(shared): State<Shared>) -> Response {
    let text = serde_json::to_string_pretty(&shared.control.state());
    let Ok(text) = text else {
        return refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the state cannot be written",
        );
    };
    let mut response = format!("{text}\n").into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        // It is full of secrets.
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn add(State(shared): State<Shared>, body: Bytes) -> Response {
    restore(&shared.control, &body, false).await
}

async fn replace(State(shared): State<Shared>, body: Bytes) -> Response {
    restore(&shared.control, &body, true).await
}

async fn restore(control: &Control, body: &[u8], replace: bool) -> Response {
    let document: Document = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => {
            let words = format!("the document cannot be read: {error}");
            return refusal(StatusCode::BAD_REQUEST, &words);
        }
    };
    match control.restore(&document, replace).await {
        Ok(restored) => Json(restored).into_response(),
        Err(ControlError::Store(error)) => {
            tracing::error!(%error, "cannot keep what was brought back");
            let words = "the change could not be kept";
            refusal(StatusCode::INTERNAL_SERVER_ERROR, words)
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}
