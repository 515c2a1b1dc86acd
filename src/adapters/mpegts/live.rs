//! A stream without an end over HTTP: `/APP/streams/ID.live.ts`.

use crate::adapters::{Context, FileRequest, refusal};
use crate::auth::{Action, Caller};
use crate::hub::{Interest, StreamName, Unavailable, Viewer};
use crate::transport::{Packaged, PackagedReader, Packagings};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use std::convert::Infallible;

/// What such files end with.
pub(super) const ENDING: &str = ".live.ts";

/// Answers a request for the stream of that ID.
///
/// # Errors
/// When the stream is not to be had.
pub(super) async fn answer(
    context: &Context,
    packagings: &Packagings,
    id: &str,
    request: &FileRequest,
) -> Result<Response<Body>, Unavailable> {
    let Ok(name) = StreamName::new(&request.app, id) else {
        return Ok(plain(
            StatusCode::NOT_FOUND,
            "the stream has no such file\n".to_owned(),
        ));
    };
    let caller = Caller {
        protocol: "mpegts",
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
    let watches = request.method == Method::GET;
    let interest = if watches {
        Interest::Watch
    } else {
        Interest::Probe
    };
    let opened = context.hub.open(&name, interest).await?;
    let stream = opened.stream();
    let (carried, refused) = Packagings::carried(&stream.snapshot().tracks);
    if carried.is_empty() {
        let words = format!(
            "nothing of the stream can be carried: {}\n",
            refused.join(", ")
        );
        return Ok(plain(StatusCode::NOT_ACCEPTABLE, words));
    }
    let body = if watches {
        let viewer = Viewer::new(stream.clone(), "mpegts").by(pass);
        let reader = packagings.reader(stream, context.bounds());
        tracing::info!(stream = %stream.name(), address = %request.peer, "playing by MPEG-TS over HTTP");
        body(reader, viewer, request.peer.to_string())
    } else {
        Body::empty()
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The packets of a stream from a random access point on. The viewer is counted as long as the body is read.
fn body(reader: PackagedReader, viewer: Viewer, who: String) -> Body {
    let viewer = Told {
        viewer,
        who: who.clone(),
    };
    let packets = futures_util::stream::unfold(
        (reader, viewer, who),
        |(mut reader, viewer, who)| async move {
            loop {
                let next = tokio::select! {
                    next = reader.next() => next,
                    () = viewer.viewer.withdrawn() => return None,
                };
                match next {
                    Packaged::Chunk(chunk) => {
                        viewer.viewer.tally().sent(chunk.data.len());
                        let data: Result<Bytes, Infallible> = Ok(chunk.data);
                        return Some((data, (reader, viewer, who)));
                    }
                    Packaged::Skipped(skip) => reader.stream().note_skip("mpegts", &who, &skip),
                    Packaged::Ended(_) => return None,
                }
            }
        },
    );
    Body::from_stream(packets)
}

/// A viewer whose end is told of, whoever ends it.
struct Told {
    viewer: Viewer,
    who: String,
}

impl Drop for Told {
    fn drop(&mut self) {
        let stream = self.viewer.stream();
        let reason = match stream.ended() {
            Some(_) => "the stream has ended",
            None if self.viewer.is_withdrawn() => "it may watch no more",
            None => "it closed the connection",
        };
        tracing::info!(stream = %stream.name(), address = self.who, reason, "MPEG-TS player left");
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
