//! HTTP connections: accepting, limits on the patient and the greedy, and bodies made of shared bytes.

use super::listen;
use super::patient::{Awaited, Patient};
use super::places::{Place, Places};
use super::socket::Socket;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use http_body::Frame;
use hyper::body::{Incoming, SizeHint};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// A client has this long to send the head of a request, the first one and each one after it on a
/// connection that is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that takes nothing of an answer, or sends nothing of a request's body, for so long is disconnected.
pub(super) const STALLED: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
pub(super) const MAX_HEAD: usize = 32 << 10;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// The body of a request, which fails when nothing of it comes for too long.
pub fn body(body: Incoming) -> Body {
    Body::new(Awaited::new(body, STALLED))
}

/// Serves connections from `listener` for ever, at most `max_connections` at a time; more wait in the
/// system's queue.
pub async fn serve<H: Handler + Unpin>(
    listener: Arc<TcpListener>,
    places: Places,
    handler: H,
    max_connections: usize,
) {
    loop {
        let place = places.wait(max_connections).await;
        let (socket, peer) = listen::accept(&listener).await;
        tokio::spawn(serve_one(socket, peer, handler.clone(), place));
    }
}

/// Serves one connection until it is closed or taken over.
pub(super) async fn serve_one<S, H>(socket: S, peer: SocketAddr, handler: H, place: Place)
where
    S: AsyncRead + AsyncWrite + Into<Socket> + Unpin + Send + 'static,
    H: Handler + Unpin,
{
    let taken: Arc<Mutex<Option<(Bytes, Take)>>> = Arc::default();
    let place_of_taken = taken.clone();
    let service = hyper::service::service_fn(move |request| {
        let (handler, taken) = (handler.clone(), place_of_taken.clone());
        let answer: Answer = Box::pin(async move {
            let mut response = handler.handle(request, peer).await;
            let takeover = response.extensions_mut().remove::<Takeover>();
            match takeover.and_then(Takeover::take) {
                Some(take) => {
                    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                    *taken = Some((head(&response), take));
                    // The one way to make hyper let go of the connection: nothing is written for a failed
                    // service.
                    Err(TakenOver)
                }
                None => Ok(response),
            }
        });
        answer
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .half_close(true)
        .serve_connection(TokioIo::new(Patient::new(socket, STALLED)), service);
    let served = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let parts = connection.into_parts();
    let mut socket = parts.io.into_inner();
    let taken = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((head, take)) = taken {
        let connection = Taken {
            socket: socket.into_inner().into(),
            head,
            unread: parts.read_buf,
            place,
        };
        return take(connection).await;
    }
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
    // A client that has gone needs no goodbye.
    let _ = socket.shutdown().await;
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, TakenOver>> + Send>>;

/// What a connection becomes once it is taken over.
type Take = Box<dyn FnOnce(Taken) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Among the extensions of a response: its body is not sent, and the connection belongs to someone else. For
/// answers that never end, and for other protocols in place of HTTP.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Take>>>);

impl Takeover {
    /// By `take`, on the task of the connection.
    pub fn new<F, T>(take: F) -> Self
    where
        F: FnOnce(Taken) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let take: Take = Box::new(|taken| Box::pin(take(taken)));
        Self(Arc::new(Mutex::new(Some(take))))
    }

    fn take(self) -> Option<Take> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

/// A connection that was taken over.
#[derive(Debug)]
pub struct Taken {
    /// The connection.
    pub socket: Socket,
    /// The head of the response, which is still to be sent.
    pub head: Bytes,
    /// What the client has sent behind its request.
    pub unread: Bytes,
    /// Its place among the connections, to be kept as long as it is.
    pub place: Place,
}

/// Why a service says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the connection was taken over")]
struct TakenOver;

/// The head of a response whose body ends with the connection.
fn head(response: &Response<Body>) -> Bytes {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if !response.headers().contains_key(header::CONNECTION) {
        head.extend_from_slice(b"connection: close\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
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

/// A body of which a part can be taken.
pub trait Sliced: Sized + Into<Body> {
    /// Length in bytes.
    fn length(&self) -> u64;

    /// The bytes from `start` to `end` (exclusive) only, both within the length.
    #[must_use]
    fn part(self, start: u64, end: u64) -> Self;
}

impl Sliced for Rope {
    fn length(&self) -> u64 {
        self.len()
    }

    fn part(self, start: u64, end: u64) -> Self {
        self.slice(start, end)
    }
}

impl From<Rope> for Body {
    fn from(rope: Rope) -> Self {
        Self::new(rope)
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
/// which a server may ignore, get the whole, as does a range of what had another tag (`If-Range`). Who has what has this
/// tag (without quotes) is told so.
pub fn ranged(body: impl Sliced, tag: &str, headers: &HeaderMap) -> Response<Body> {
    let length = body.length();
    let tag = format!("\"{tag}\"");
    let same = headers
        .get(header::IF_RANGE)
        .is_none_or(|known| *known == tag);
    let range = headers
        .get(header::RANGE)
        .filter(|_| same)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| parse_range(range, length));
    let mut response = match range {
        _ if holds(headers, header::IF_NONE_MATCH, &tag) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        None => Response::new(body.into()),
        Some(Ok((start, end))) => {
            let mut response = Response::new(body.part(start, end).into());
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
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(HeaderValue::try_from(tag).map(|tag| (header::ETAG, tag)));
    response
}

/// Whether a list header has that element, whatever parameters follow it, other than `q=0`.
pub fn holds(headers: &HeaderMap, name: header::HeaderName, value: &str) -> bool {
    let lists = headers
        .get_all(name)
        .iter()
        .filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|element| {
        let mut parts = element.split(';').map(str::trim);
        parts.next().map(|element| element.trim_start_matches("W/")) == Some(value)
            && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
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
            let response = ranged(rope, "7", &headers);
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

    #[test]
    fn tags_tell_who_has_it_already() {
        let range = (header::RANGE, "bytes=0-2");
        let cases: [(&[(header::HeaderName, &str)], u16); 5] = [
            (&[(header::IF_NONE_MATCH, "\"7\"")], 304),
            (&[(header::IF_NONE_MATCH, "\"6\"")], 200),
            (&[range.clone(), (header::IF_RANGE, "\"7\"")], 206),
            (&[range.clone(), (header::IF_RANGE, "\"6\"")], 200),
            (&[range, (header::IF_NONE_MATCH, "\"6\", W/\"7\"")], 304),
        ];
        for (asked, status) in cases {
            let headers = asked
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let rope = Rope::new([Bytes::from_static(b"abcdefg")]);
            let response = ranged(rope, "7", &headers.collect());
            assert_eq!(response.status(), status, "{asked:?}");
            assert_eq!(response.headers()[header::ETAG], "\"7\"");
        }
    }
}
