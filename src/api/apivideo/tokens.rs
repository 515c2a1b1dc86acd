//! Tokens for a key: `/auth/api-key` and `/auth/refresh`.

use super::Problem;
use super::routes::object;
use crate::adapters::Context;
use crate::auth::{Grant, LIFETIME};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn exchange(
    State(context): State<Arc<Context>>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    answer(context.auth.grant(&field(&body, "apiKey")?))
}

pub(super) async fn refresh(
    State(context): State<Arc<Context>>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    answer(context.auth.renew(&field(&body, "refreshToken")?))
}

fn field(body: &[u8], name: &str) -> Result<String, Problem> {
    match object(body)?.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::attribute(
            name,
            "This value should be of type string.",
        )),
        None => Err(Problem::required(name)),
    }
}

fn answer(grant: Option<Grant>) -> Result<Json<Value>, Problem> {
    let grant = grant.ok_or_else(Problem::credentials)?;
    Ok(Json(json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
        "access_token": grant.access,
        "refresh_token": grant.refresh,
    })))
}
