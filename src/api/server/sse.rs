//! Server-sent events (HTML, section 9.2): an answer that goes on for as long as somebody listens.

use super::refusal;
use crate::adapters::Context;
use crate::auth::Identity;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::ready;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// A listener hears something at least this often, so that both ends learn when the other is gone.
pub(super) const QUIET: Duration = Duration::from_secs(15);

/// What is said when there is nothing to say: a comment.
pub(super) const NOTHING: Bytes = Bytes::from_static(b":\n\n");

/// One event. `data` is one line, as JSON is.
pub(super) fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// The answer that sends these events to somebody, for as long as their session or token is good.
pub(super) fn respond(
    events: impl Stream<Item = Bytes> + Send + 'static,
    context: Arc<Context>,
    to: Identity,
) -> Response {
    use futures_util::StreamExt;
    let events = events.take_while(move |_| ready(context.auth.stands(&to)));
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The answer to one listener too many.
pub(super) fn full() -> Response {
    refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many listen to events already",
    )
}
