//! HTTP connections: accepting, limits on the patient and the greedy, and bodies made of shared bytes.

use super::listen;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use http_body::Frame;
use hyper::body::{Incoming, SizeHint};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// A client has this long to send the head of a request, the first one and each one after it on a
/// connection that is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that takes nothing of an answer for so long is disconnected.
const STALLED: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves connections from `listener` for ever, at most `max_connections` at a time; more wait in the
/// system's queue.
pub async fn serve<H: Handler>(listener: TcpListener, handler: H, max_connections: usize) {
    let places = Arc::new(Semaphore::new(max_connections));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .half_close(true);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (socket, peer) = listen::accept(&listener).await;
        let mut socket = TimeoutStream::new(socket);
        socket.set_write_timeout(Some(STALLED));
        let handler = handler.clone();
        let service = hyper::service::service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
        });
        let connection = builder
            .serve_connection(TokioIo::new(Box::pin(socket)), service)
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "HTTP connection ended");
            }
            drop(place);
        });
    }
}

/// A body of several shared pieces, sent without joining them.
#[derive(Debug)]
pub struct Rope {
    pieces: VecDeque<Bytes>,
    remaining: u64,
}

impl Rope {
    /// All of `pieces`, one after the other.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into_iter().collect();
        let remaining = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, remaining }
    }

    /// Length in bytes.
    pub const fn len(&self) -> u64 {
        self.remaining
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// The bytes from `start` to `end` (exclusive) only. Both are cut to the length.
    #[must_use]
    pub fn slice(self, start: u64, end: u64) -> Self {
        let mut at = 0u64;
        let cut = |piece: Bytes| {
            let length = piece.len() as u64;
            let from = start.saturating_sub(at).min(length) as usize;
            let to = end.saturating_sub(at).min(length) as usize;
            at += length;
            (from < to).then(|| piece.slice(from..to))
        };
        Self::new(self.pieces.into_iter().filter_map(cut).collect::<Vec<_>>())
    }
}

impl http_body::Body for Rope {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let piece = self.pieces.pop_front();
        self.remaining -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

/// The whole body, or the one range that `Range` asks for (RFC 9110 section 14). Several ranges at once,
/// which a server may ignore, get the whole.
pub fn ranged(body: Rope, headers: &HeaderMap) -> Response<Body> {
    let length = body.len();
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| parse_range(range, length));
    let mut response = match range {
        None => Response::new(Body::new(body)),
        Some(Ok((start, end))) => {
            let mut response = Response::new(Body::new(body.slice(start, end)));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {start}-{}/{length}", end.saturating_sub(1));
            response
                .headers_mut()
                .extend(HeaderValue::try_from(range).map(|range| (header::CONTENT_RANGE, range)));
            response
        }
        Some(Err(Unsatisfiable)) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let range = format!("bytes */{length}");
            response
                .headers_mut()
                .extend(HeaderValue::try_from(range).map(|range| (header::CONTENT_RANGE, range)));
            response
        }
    };
    response
        .headers_mut()
        .insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

/// No byte of the range exists.
pub(crate) struct Unsatisfiable;

/// Start and end (exclusive) of a single byte range; `None` for what is to be ignored.
pub(crate) fn parse_range(range: &str, length: u64) -> Option<Result<(u64, u64), Unsatisfiable>> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let (start, end) = match (first, last) {
        ("", suffix) => (length.saturating_sub(suffix.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (
            first.parse().ok()?,
            last.parse::<u64>().ok()?.saturating_add(1),
        ),
    };
    if start >= end.min(length) {
        return Some(Err(Unsatisfiable));
    }
    Some(Ok((start, end.min(length))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_rope_gives_its_pieces_and_any_part_of_them() {
        let pieces = || ["abc", "", "defg"].map(|piece| Bytes::from_static(piece.as_bytes()));
        let cases = [
            (0, 7, "abcdefg"),
            (1, 4, "bcd"),
            (3, 3, ""),
            (2, 100, "cdefg"),
            (9, 12, ""),
        ];
        for (start, end, text) in cases {
            let rope = Rope::new(pieces()).slice(start, end);
            assert_eq!(rope.len(), text.len() as u64);
            assert_eq!(rope.collect().await.unwrap().to_bytes(), text);
        }
    }

    #[tokio::test]
    async fn ranges_are_answered_as_http_demands() {
        let cases = [
            ("bytes=0-2", 206, "abc", "bytes 0-2/7"),
            ("bytes=4-", 206, "efg", "bytes 4-6/7"),
            ("bytes=-2", 206, "fg", "bytes 5-6/7"),
            ("bytes=2-99", 206, "cdefg", "bytes 2-6/7"),
            ("bytes=7-", 416, "", "bytes */7"),
            ("bytes=-0", 416, "", "bytes */7"),
            ("bytes=0-1,3-4", 200, "abcdefg", ""),
            ("bytes=x-", 200, "abcdefg", ""),
            ("lines=1-2", 200, "abcdefg", ""),
        ];
        for (range, status, text, content_range) in cases {
            let rope = Rope::new([Bytes::from_static(b"abcd"), Bytes::from_static(b"efg")]);
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
            let response = ranged(rope, &headers);
            assert_eq!(response.status(), status, "{range}");
            let found = response
                .headers()
                .get(header::CONTENT_RANGE)
                .map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(found.unwrap_or_default(), content_range, "{range}");
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                text,
                "{range}"
            );
        }
    }
}
