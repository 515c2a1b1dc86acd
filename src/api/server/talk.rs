//! Talking to the camera of a stream: an offer is answered as by WHIP (RFC 9725), and what is said then is heard there.
//!
//! All that is to be sent is in the answer, so that there is no `PATCH`.

use super::{Refusal, Shared};
use crate::adapters::{Call, TalkError};
use crate::auth::{Identity, Origin};
use crate::control::{Talk, TalkFailure};
use crate::hub::StreamName;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/streams/{app}/{id}/talk", get(read).post(begin))
        .route(
            "/api/v1/streams/{app}/{id}/talk/{session}",
            delete(end).get(is_on),
        )
}

impl From<TalkFailure> for Refusal {
    fn from(failure: TalkFailure) -> Self {
        let status = match &failure {
            TalkFailure::Unknown
            | TalkFailure::NoCamera
            | TalkFailure::Talk(TalkError::Deaf(_)) => StatusCode::NOT_FOUND,
            TalkFailure::Taken => StatusCode::CONFLICT,
            TalkFailure::Talk(TalkError::Failed(_)) => StatusCode::BAD_GATEWAY,
            TalkFailure::Talk(TalkError::Busy(_)) => StatusCode::SERVICE_UNAVAILABLE,
            TalkFailure::Talk(TalkError::Offer(status, _)) => *status,
        };
        Self(status, failure.to_string())
    }
}

fn name(app: &str, id: &str) -> Result<StreamName, Refusal> {
    StreamName::new(app, id).map_err(|_| TalkFailure::Unknown.into())
}

/// What the camera hears.
async fn read(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let (takes, taken) = shared.control.hears(&name(&app, &id)?).await?;
    let codec = takes.name();
    Ok(Json(json!({ "codec": codec, "taken": taken })))
}

async fn begin(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Extension(origin): Extension<Origin>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let name = name(&app, &id)?;
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/sdp")) {
        let words = "an offer is application/sdp".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    let offer = std::str::from_utf8(&body).map_err(|_| {
        let words = "the offer is not UTF-8".to_owned();
        Refusal(StatusCode::BAD_REQUEST, words)
    })?;
    let call = Call {
        name: &name,
        offer,
        headers: &headers,
        peer: origin.address,
    };
    let context = shared.context.clone();
    let may = move || context.auth.stands(&identity);
    let Talk {
        answer,
        headers,
        secret,
    } = shared.control.talk(call, may).await?;
    let mut response = (StatusCode::CREATED, answer).into_response();
    let location = format!("/api/v1/streams/{app}/{id}/talk/{secret}");
    let told = response.headers_mut();
    told.remove(header::CONTENT_TYPE);
    told.extend(headers);
    told.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
    Ok(response)
}

fn no_session() -> Refusal {
    let words = "there is no such session".to_owned();
    Refusal(StatusCode::NOT_FOUND, words)
}

async fn is_on(
    State(shared): State<Shared>,
    Path((app, id, session)): Path<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    let is_on = shared.control.is_talking(&name(&app, &id)?, &session);
    is_on
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(no_session)
}

async fn end(
    State(shared): State<Shared>,
    Path((app, id, session)): Path<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    let was_on = shared.control.hang_up(&name(&app, &id)?, &session).await;
    was_on.then_some(StatusCode::OK).ok_or_else(no_session)
}
