//! Refusals: `application/problem+json` (RFC 9457), with the types and words of api.video.

use crate::control::ControlError;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// All of them, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Self>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str) -> Self {
        Self {
            kind: format!("https://docs.api.video/reference/{kind}"),
            title,
            status: status.as_u16(),
            detail: None,
            name: None,
            problems: Vec::new(),
        }
    }

    /// An attribute has a value that it cannot have.
    pub(super) fn attribute(name: impl Into<String>, detail: impl Into<String>) -> Self {
        let title = "An attribute is invalid.";
        Self {
            detail: Some(detail.into()),
            name: Some(name.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-attribute", title)
        }
    }

    /// An attribute is not there.
    pub(super) fn required(name: impl Into<String>) -> Self {
        let title = "An attribute is required.";
        Self {
            name: Some(name.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "attribute-required", title)
        }
    }

    /// The body is not what it should be.
    pub(super) fn payload(detail: impl Into<String>) -> Self {
        let title = "The payload is invalid.";
        Self {
            detail: Some(detail.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-payload", title)
        }
    }

    /// A parameter of the query has a value that it cannot have.
    pub(super) fn query(name: &str, detail: &str) -> Self {
        let title = "A query parameter is invalid.";
        Self {
            detail: Some(detail.to_owned()),
            name: Some(name.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-query-parameter", title)
        }
    }

    /// Key or token are worth nothing.
    pub(super) fn credentials() -> Self {
        let title = "The user credentials were incorrect.";
        Self::new(StatusCode::BAD_REQUEST, "invalid-credentials", title)
    }

    pub(super) fn unauthorized() -> Self {
        let title = "The credentials are missing or not valid.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", title)
    }

    /// Whoever it is may not do this.
    pub(super) fn forbidden(detail: &str) -> Self {
        let title = "The credentials are not enough for this.";
        Self {
            detail: Some(detail.to_owned()),
            ..Self::new(StatusCode::FORBIDDEN, "forbidden", title)
        }
    }

    /// There is nothing of that ID.
    pub(super) fn not_found(name: &str) -> Self {
        let title = "The requested resource was not found.";
        Self {
            name: Some(name.to_owned()),
            ..Self::new(StatusCode::NOT_FOUND, "resource-not-found", title)
        }
    }

    pub(super) fn no_such_call() -> Self {
        let title = "There is no such call.";
        Self::new(StatusCode::NOT_FOUND, "unrecognized-request-url", title)
    }

    pub(super) fn method_not_allowed() -> Self {
        let title = "The call exists, but not with this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title)
    }

    /// The first of several, with all of them. None of none.
    pub(super) fn first_of(mut problems: Vec<Self>) -> Option<Self> {
        let first = problems.first().cloned()?;
        if problems.len() == 1 {
            problems.clear();
        }
        Some(Self { problems, ..first })
    }
}

/// What went wrong inside is for the log; of the rest the caller is told what it was.
impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Unknown(_) => Self::not_found("liveStreamId"),
            ControlError::UnknownTarget(_) => Self::not_found("restreamId"),
            ControlError::Store(_) | ControlError::File(_) => {
                tracing::error!(%error, "cannot keep what the API accepted");
                let title = "The change could not be kept.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal-error", title)
            }
            ControlError::Picture => Self::attribute("file", error.to_string()),
            ControlError::TargetExists(_) => {
                Self::attribute("restreams", "Every restream needs a place of its own.")
            }
            error => Self::attribute("restreams", error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, axum::Json(self)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}
