//! `/api/v1/tokens`: the tokens of programs.

use super::{Refusal, Shared, body, millis};
use crate::auth::{Role, TokenError, TokenView};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/tokens", get(list).post(create))
        .route("/api/v1/tokens/{id}", delete(remove))
}

#[derive(Deserialize)]
struct New {
    name: String,
    role: Role,
    /// All, where there is none.
    #[serde(default)]
    applications: Vec<String>,
    /// In milliseconds since 1970.
    expires: Option<u64>,
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Value>> {
    let tokens = shared.context.auth.api_tokens().list();
    Json(tokens.iter().map(shown).collect())
}

async fn create(State(shared): State<Shared>, bytes: Bytes) -> Result<Response, Refusal> {
    let new: New = body(&bytes)?;
    let ends = |millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    let expires = new.expires.and_then(ends);
    let tokens = shared.context.auth.api_tokens();
    let made = tokens.create(&new.name, new.role, new.applications, expires);
    let (token, view) = made.await?;
    let mut shown = shown(&view);
    shown["token"] = token.into();
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

async fn remove(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    shared.context.auth.api_tokens().delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(view: &TokenView) -> Value {
    json!({
        "id": view.id,
        "name": view.name,
        "role": view.role,
        "applications": view.applications,
        "created": millis(view.created),
        "expires": view.expires.map(millis),
    })
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let status = match &error {
            TokenError::Name | TokenError::Expired | TokenError::Applications => {
                StatusCode::BAD_REQUEST
            }
            TokenError::Full => StatusCode::CONFLICT,
            TokenError::Unknown => StatusCode::NOT_FOUND,
            TokenError::Store(error) => return Self::not_kept(error),
        };
        Self(status, error.to_string())
    }
}
