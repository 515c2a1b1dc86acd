//! `/api/v1/session`: who one is, signing in and out.

use super::{Refusal, Shared, body, refusal};
use crate::auth::{Identity, Origin, SignInError};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Where it is.
pub(super) const PATH: &str = "/api/v1/session";

/// Whoever is told that all places are taken may come again after so long.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/session", get(read).post(sign_in).delete(sign_out))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

async fn read(Extension(identity): Extension<Identity>) -> Response {
    shown(&identity)
}

async fn sign_in(
    State(shared): State<Shared>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Refusal> {
    let Credentials { name, password } = body(&bytes)?;
    let auth = &shared.context.auth;
    match auth.sign_in(&name, password, origin, &headers).await {
        Ok(signed_in) => {
            auth.audit().add(&signed_in.identity, "sign in", 200).await;
            Ok(with_cookie(shown(&signed_in.identity), signed_in.cookie))
        }
        Err(error) => Ok(refused(error)),
    }
}

async fn sign_out(
    State(shared): State<Shared>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    let cookie = shared.context.auth.sign_out(&headers, origin.secure);
    with_cookie(StatusCode::NO_CONTENT.into_response(), cookie)
}

fn shown(identity: &Identity) -> Response {
    let shown = json!({ "name": identity.name, "role": identity.role, "via": identity.via });
    Json(shown).into_response()
}

fn refused(error: SignInError) -> Response {
    let (status, wait) = match error {
        SignInError::Wrong => (StatusCode::UNAUTHORIZED, None),
        SignInError::Foreign => (StatusCode::FORBIDDEN, None),
        SignInError::Slowed(wait) => (StatusCode::TOO_MANY_REQUESTS, Some(wait)),
        SignInError::Busy => (StatusCode::TOO_MANY_REQUESTS, Some(AGAIN)),
    };
    let mut response = refusal(status, &error.to_string());
    if let Some(wait) = wait {
        // Whole seconds, and not one too few.
        let seconds = wait.as_millis().div_ceil(1_000);
        let seconds = HeaderValue::try_from(seconds.to_string());
        let headers = response.headers_mut();
        headers.extend(seconds.map(|seconds| (header::RETRY_AFTER, seconds)));
    }
    response
}

/// An answer that makes the browser keep or forget a cookie.
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
