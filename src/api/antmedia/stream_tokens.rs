//! Tokens that open one stream, as the settings of its application ask for them: one-time tokens and signed ones.

use super::Shared;
use super::envelope::{Outcome, refusal};
use crate::api::json;
use crate::auth::{StreamToken, StreamTokenError};
use crate::hub::StreamName;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::SystemTime;

/// Tokens given at a time at most.
const MAX_PAGE: usize = 250;

/// What a caller wants, or sends back.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
pub(super) struct Wish {
    token_id: Option<String>,
    stream_id: Option<String>,
    /// Seconds since 1970.
    expire_date: Option<i64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    room_id: Option<String>,
}

/// Makes a one-time token.
pub(super) async fn create(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(wish): Query<Wish>,
) -> Response<Body> {
    let token = match wish.read(&app, &id) {
        Ok(token) => token,
        Err(words) => return refusal(StatusCode::BAD_REQUEST, words),
    };
    let made = shared.control.auth().stream_tokens();
    match made.create(token.clone(), now()).await {
        Ok(token_id) => Json(shown(&token_id, &token)).into_response(),
        Err(StreamTokenError::Store(error)) => {
            tracing::error!(%error, "cannot keep what the API accepted");
            let words = "Cannot save token to the datastore";
            refusal(StatusCode::BAD_REQUEST, words)
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Makes a signed token.
pub(super) async fn sign(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(wish): Query<Wish>,
) -> Response<Body> {
    let token = match wish.read(&app, &id) {
        Ok(token) => token,
        Err(words) => return refusal(StatusCode::BAD_REQUEST, words),
    };
    let rules = shared.control.auth().rules(&app);
    match rules.sign(&id, &token.kind, token.expires) {
        Some(signed) => Json(shown(&signed, &token)).into_response(),
        None => {
            let words = "jwtStreamSecretKey of the application needs at least 32 bytes";
            refusal(StatusCode::BAD_REQUEST, words)
        }
    }
}

/// Whether a one-time token is one that nobody has used. It stays so.
pub(super) async fn validate(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    body: Bytes,
) -> Response<Body> {
    let wish: Wish = match json::read(&body) {
        Ok(wish) => wish,
        Err(error) => {
            let words = format!("the body is not a token: {error}");
            return refusal(StatusCode::BAD_REQUEST, &words);
        }
    };
    let id = wish.stream_id.unwrap_or_default();
    let is_good = StreamName::new(&app, &id).is_ok_and(|name| {
        let (token, kind) = (
            wish.token_id.unwrap_or_default(),
            wish.kind.unwrap_or_default(),
        );
        let tokens = shared.control.auth().stream_tokens();
        tokens.is_good(&token, &name, &kind, now())
    });
    outcome(is_good).into_response()
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path((app, id, offset, size)): Path<(String, String, i64, i64)>,
) -> Json<Vec<Value>> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Json(Vec::new());
    };
    let tokens = shared.control.auth().stream_tokens().list(&name, now());
    let offset = usize::try_from(offset).unwrap_or(0);
    let size = usize::try_from(size).unwrap_or(0).min(MAX_PAGE);
    let tokens = tokens.iter().skip(offset).take(size);
    Json(tokens.map(|(id, token)| shown(id, token)).collect())
}

/// Makes all one-time tokens of a stream worthless.
pub(super) async fn forget(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Response<Body> {
    let Ok(name) = StreamName::new(&app, &id) else {
        return Outcome::failure("").into_response();
    };
    let auth = shared.control.auth();
    match auth.stream_tokens().forget(&name).await {
        Ok(were_any) => {
            auth.tokens_forgotten(&name);
            outcome(were_any).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot keep what the API accepted");
            let words = "the change could not be kept";
            refusal(StatusCode::INTERNAL_SERVER_ERROR, words)
        }
    }
}

fn outcome(success: bool) -> Outcome {
    match success {
        true => Outcome::success("", None),
        false => Outcome::failure(""),
    }
}

impl Wish {
    fn read(self, app: &str, id: &str) -> Result<StreamToken, &'static str> {
        let expires = self.expire_date.and_then(|date| u64::try_from(date).ok());
        let name = StreamName::new(app, id).ok();
        let all = name.zip(expires.filter(|date| *date > 0)).zip(self.kind);
        let Some(((name, expires), kind)) = all else {
            return Err("Define Stream ID, Token Type and Expire Date (unix time)");
        };
        if !matches!(kind.as_str(), "play" | "publish") {
            return Err("Invalid token type. Supported types are 'play' and 'publish'");
        }
        Ok(StreamToken {
            stream: name.to_string(),
            kind,
            expires,
            room: self.room_id,
        })
    }
}

fn shown(token_id: &str, token: &StreamToken) -> Value {
    let (_, id) = token.stream.split_once('/').unwrap_or_default();
    json!({
        "tokenId": token_id,
        "streamId": id,
        "expireDate": token.expires,
        "type": token.kind,
        "roomId": token.room,
    })
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
