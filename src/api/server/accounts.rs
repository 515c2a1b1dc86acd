//! `/api/v1/accounts`: the accounts of people.

use super::session::with_cookie;
use super::{Refusal, Shared, body, millis};
use crate::auth::{AccountError, AccountView, Auth, Denied, Identity, Origin, Role, Via};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/accounts", get(list).post(create))
        .route(
            "/api/v1/accounts/{name}",
            get(read).patch(update).delete(delete),
        )
}

#[derive(Deserialize)]
struct New {
    name: String,
    password: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    role: Option<Role>,
    password: Option<String>,
    old_password: Option<String>,
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Value>> {
    let auth = &shared.context.auth;
    let accounts = auth.accounts().list();
    Json(accounts.iter().map(|view| shown(auth, view)).collect())
}

async fn read(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let auth = &shared.context.auth;
    let view = auth.accounts().get(&name).ok_or(AccountError::Unknown)?;
    Ok(Json(shown(auth, &view)))
}

async fn create(State(shared): State<Shared>, bytes: Bytes) -> Result<Response, Refusal> {
    let new: New = body(&bytes)?;
    let auth = &shared.context.auth;
    let created = auth.accounts().create(&new.name, new.password, new.role);
    let view = shown(auth, &created.await?);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Admins change every account. Of their own everybody who is signed in changes the password, by the one before; admins
/// too, so that a screen left open does not give an account away.
async fn update(
    State(shared): State<Shared>,
    Extension(identity): Extension<Identity>,
    Extension(origin): Extension<Origin>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<Response, Refusal> {
    let change: Change = body(&bytes)?;
    let auth = &shared.context.auth;
    let is_own = identity.via == Via::Session && identity.name.as_ref() == Some(&name);
    match (change.password, change.role) {
        (Some(new), None) if is_own => {
            let old = change.old_password.unwrap_or_default();
            let changed = auth.change_own_password(&name, old, new, origin).await?;
            let view = auth.accounts().get(&name).ok_or(AccountError::Unknown)?;
            let response = Json(shown(auth, &view)).into_response();
            Ok(with_cookie(response, changed.cookie))
        }
        (Some(_), Some(_)) if is_own => {
            let words = "one's own password and role are changed one after the other";
            Err(Refusal(StatusCode::BAD_REQUEST, words.to_owned()))
        }
        (password, role) if identity.role == Role::Admin => {
            let view = auth.change_account(&name, role, password).await?;
            Ok(Json(shown(auth, &view)).into_response())
        }
        _ => {
            let words = Denied::Role(Role::Admin).to_string();
            Err(Refusal(StatusCode::FORBIDDEN, words))
        }
    }
}

async fn delete(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    shared.context.auth.delete_account(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(auth: &Auth, view: &AccountView) -> Value {
    json!({
        "name": view.name,
        "role": view.role,
        "created": millis(view.created),
        "passwordChanged": millis(view.changed),
        "sessions": auth.sessions_of(&view.name),
    })
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let status = match &error {
            AccountError::Name | AccountError::Password => StatusCode::BAD_REQUEST,
            AccountError::OldPassword => StatusCode::FORBIDDEN,
            AccountError::Unknown => StatusCode::NOT_FOUND,
            AccountError::Exists | AccountError::Full | AccountError::LastAdmin => {
                StatusCode::CONFLICT
            }
            AccountError::Busy => StatusCode::TOO_MANY_REQUESTS,
            AccountError::Store(error) => return Self::not_kept(error),
        };
        Self(status, error.to_string())
    }
}
