//! The server's own API, below `/api/v1/`: what none of the compatible APIs has.
//!
//! One file a subject, each with a router of its own that is merged here. Errors are `{"error": TEXT}` with the status that
//! fits.

pub mod configuration;

mod accounts;
mod audit;
mod doctor;
mod events;
mod log;
mod probe;
mod session;
mod slate;
mod sse;
mod state;
mod streams;
mod talk;
mod tokens;

use crate::adapters::{Context, Listening};
use crate::api::{json, words};
use crate::auth::Denied;
use crate::control::Control;
use crate::store::StoreError;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use events::Events;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::SystemTime;
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
        .merge(session::router())
        .merge(accounts::router())
        .merge(tokens::router())
        .merge(audit::router())
        .merge(state::router())
        .merge(slate::router())
        .merge(talk::router())
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such call") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .layer(map_response(async |response| {
            words::told(response, refusal).await
        }))
        .with_state(Shared {
            control,
            context,
            listening,
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            probes: Arc::new(Semaphore::new(probe::AT_A_TIME)),
            events: Events::new(),
        })
}

/// Whether a call is the one that is there for who has not signed in yet.
pub fn signs_in(method: &Method, path: &str) -> bool {
    path == session::PATH && *method == Method::POST
}

/// An error as this API tells it.
pub fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

/// The caller has to say who it is, or may not do this. The challenge is one for which browsers do not ask their users.
pub fn denied(denied: Denied) -> Response {
    let status = match denied {
        Denied::NotLocal | Denied::Token | Denied::Login => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    };
    let mut response = refusal(status, &denied.to_string());
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"Millstream\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a call is refused: an error of this API on its way to the caller.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refusal(self.0, &self.1)
    }
}

impl Refusal {
    /// The store failed: how is for the log.
    fn not_kept(error: &StoreError) -> Self {
        tracing::error!(%error, "cannot keep what the API accepted");
        let words = "the change could not be kept".to_owned();
        Self(StatusCode::INTERNAL_SERVER_ERROR, words)
    }
}

/// What a body holds.
fn body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    json::read(body).map_err(|error| {
        let error = format!("the body is not what it should be: {error}");
        Refusal(StatusCode::BAD_REQUEST, error)
    })
}

/// Milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

async fn version() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "name": "Millstream", "version": env!("CARGO_PKG_VERSION") }))
}
