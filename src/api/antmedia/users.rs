//! Signing in as the management console does: a cookie for an e-mail address, which is an account's name, and a password.

use super::Shared;
use super::envelope::{Outcome, refusal};
use crate::api::json;
use crate::auth::{Origin, Role, SignInError};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

/// Where it is.
const PATH: &str = "/rest/v2/users/authenticate";

/// Whether a call is the one that is there for who has not signed in yet.
pub fn signs_in(method: &Method, path: &str) -> bool {
    path == PATH && *method == Method::POST
}

#[derive(Deserialize)]
struct User {
    email: String,
    password: String,
}

pub(super) async fn authenticate(
    State(shared): State<Shared>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let user: User = match json::read(&body) {
        Ok(user) => user,
        Err(error) => {
            let message = format!("the body is not a user: {error}");
            return refusal(StatusCode::BAD_REQUEST, &message);
        }
    };
    let auth = shared.control.auth();
    let signed_in = auth.sign_in(&user.email, user.password, origin, &headers);
    match signed_in.await {
        Ok(signed_in) => {
            auth.audit().add(&signed_in.identity, "sign in", 200).await;
            let kind = match signed_in.identity.role {
                Role::Admin => "ADMIN",
                Role::Operator => "USER",
                Role::Viewer => "READ_ONLY",
            };
            // Accounts are for all applications.
            let mut response = Outcome::success(&format!("system/{kind}"), None).into_response();
            let cookie = signed_in.cookie;
            let headers = response.headers_mut();
            headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(SignInError::Wrong) => Outcome::failure("").into_response(),
        Err(error @ SignInError::Foreign) => refusal(StatusCode::FORBIDDEN, &error.to_string()),
        Err(error) => Outcome::failure(error.to_string()).into_response(),
    }
}
