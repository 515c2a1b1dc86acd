//! What HLS and DASH have in common as outputs: who may ask, for which stream, and the answers that are neither text
//! nor media.

use super::muxer::{Muxer, Visit};
use super::{Context, FileRequest, FileResponse, refusal};
use crate::auth::{Action, Caller};
use crate::hub::{HOLD, Opened, StreamName, Unavailable};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use std::future::Future;
use std::sync::Arc;
use tokio::time::Instant;

/// Answers a request for one of the files of the stream with that ID (not checked): by `answer`, which is given until
/// when it may wait for what is not there yet, once the caller is known to be allowed and the stream is being cut.
pub(super) fn serve<F>(
    protocol: &'static str,
    context: &Arc<Context>,
    request: &Arc<FileRequest>,
    id: &str,
    visit: Visit,
    answer: impl FnOnce(Arc<Muxer>, Arc<FileRequest>, Instant) -> F + Send + 'static,
) -> FileResponse
where
    F: Future<Output = Result<Response<Body>, Unavailable>> + Send,
{
    let name = StreamName::new(&request.app, id);
    let (context, request) = (context.clone(), request.clone());
    Box::pin(async move {
        let Ok(name) = name else {
            return Ok(no_such_file());
        };
        let caller = Caller {
            protocol,
            address: request.peer,
            headers: Some(&request.headers),
            query: request.query.as_deref(),
            proof: None,
        };
        let action = Action::Play(name.app(), name.id());
        let pass = match context.auth.check(action, caller).await {
            Ok(pass) => pass,
            Err(denied) => return Ok(refusal(denied)),
        };
        let hub = &context.hub;
        let found = context
            .muxers
            .of(hub, &name, (protocol, pass), visit, &request);
        let (muxer, opened) = found.await?;
        let until = opened.as_ref().map(Opened::deadline);
        let deadline = until.unwrap_or_else(|| Instant::now() + HOLD);
        let answer = answer(muxer, request, deadline).await;
        drop(opened);
        answer
    })
}

/// The stream is there, and has no such file.
pub(super) fn no_such_file() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "the stream has no such file\n")
}

/// A word to whoever asked wrongly.
pub(super) fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
