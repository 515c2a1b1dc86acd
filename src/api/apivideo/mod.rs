//! The API of api.video for live streams, as a view of [`Control`].
//!
//! A live stream is a broadcast of the default application that has a stream key. Its restreams are its targets, whoever
//! added them. Refusals are [`Problem`]s.

mod list;
mod object;
mod problem;
mod restreams;
mod routes;
mod thumbnail;
mod tokens;
pub(super) mod webhooks;

pub use problem::Problem;
pub use thumbnail::FILE as PICTURE;

use crate::adapters::{Context, Listening};
use crate::control::pictures::MAX_PICTURE;
use crate::control::{Control, View};
use crate::hub::StreamName;
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use std::sync::Arc;

/// Room for what stands around a picture in the body that brings it.
const FORM: usize = 64 << 10;

/// The listener that is meant where a caller's `Host` has its port.
const SECURE: &str = "https";

#[derive(Clone)]
struct Shared {
    control: Control,
    context: Arc<Context>,
    /// The port of HTTP over TLS.
    secure_port: Option<u16>,
}

/// All of `/live-streams` and `/webhooks`. Whether the caller may is not asked here.
pub fn router(control: Control, context: Arc<Context>, listening: &[Listening]) -> Router {
    let mut secure = listening.iter();
    let secure = secure.find(|listening| listening.protocol == SECURE);
    let secure_port = secure.map(|secure| secure.address.port());
    let picture = post(thumbnail::upload).layer(DefaultBodyLimit::max(MAX_PICTURE + FORM));
    Router::new()
        .route("/live-streams", get(list::list).post(routes::create))
        .route(
            "/live-streams/{id}",
            get(routes::read)
                .patch(routes::update)
                .delete(routes::delete),
        )
        .route("/live-streams/{id}/complete", put(routes::complete))
        .route(
            "/live-streams/{id}/thumbnail",
            picture.delete(thumbnail::remove),
        )
        .route(
            "/live-streams/{id}/restreams",
            get(restreams::list).post(restreams::add),
        )
        .route(
            "/live-streams/{id}/restreams/{restream}",
            get(restreams::read)
                .patch(restreams::update)
                .delete(restreams::remove),
        )
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/webhooks/{id}",
            get(webhooks::read).delete(webhooks::delete),
        )
        .fallback(async || Problem::no_such_call())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(Shared {
            control,
            context,
            secure_port,
        })
}

/// `/auth/api-key` and `/auth/refresh`, for who has no token yet.
pub fn tokens(context: Arc<Context>) -> Router {
    Router::new()
        .route("/auth/api-key", post(tokens::exchange))
        .route("/auth/refresh", post(tokens::refresh))
        .fallback(async || Problem::no_such_call())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(context)
}

/// The caller has to say who it is.
pub fn unauthorized() -> Response<Body> {
    let mut response = Problem::unauthorized().into_response();
    let challenge = HeaderValue::from_static("Basic realm=\"Millstream\"");
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The caller may not do this.
pub fn forbidden(detail: &str) -> Response<Body> {
    Problem::forbidden(detail).into_response()
}

/// What clients look for in every answer: how many requests are allowed in a minute, and how many are left of them. There is
/// no limit, so that there are always as many as they can count.
pub fn tell_limits(headers: &mut HeaderMap) {
    let many = HeaderValue::from_static("1000000");
    headers.insert("x-ratelimit-limit", many.clone());
    headers.insert("x-ratelimit-remaining", many);
    headers.insert("x-ratelimit-retry-after", HeaderValue::from_static("0"));
}

impl Shared {
    /// The live stream of that ID.
    fn find(&self, id: &str) -> Result<View, Problem> {
        let names = self.context.applications.names();
        let app = names.first();
        let name = app.and_then(|app| StreamName::new(app, id).ok());
        let view = name.and_then(|name| self.control.get(&name));
        let view = view.filter(|view| view.broadcast.stream_key.is_some());
        view.ok_or_else(|| Problem::not_found("liveStreamId"))
    }

    /// A live stream as it is answered.
    fn object(&self, id: &str, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
        let object =
            object::LiveStream::new(self.find(id)?, &object::site(headers, self.secure_port));
        Ok((StatusCode::OK, axum::Json(object)).into_response())
    }
}
