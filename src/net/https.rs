//! HTTP over TLS: HTTP/2 (RFC 9113) with clients that know it, HTTP/1.1 with the others.

use super::http::{self, Handler, Takeover};
use super::listen;
use super::patient::Patient;
use super::places::{Place, Places};
use super::watched::Bodies;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What is offered (ALPN, RFC 7301), the best first.
pub const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];

const HTTP2: &[u8] = b"h2";

/// A client has this long for the handshake of TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection without a new request for so long is closed once all are answered; so is, at once, one on which something
/// of what was asked for is not taken for so long. Browsers stop to take a film while it is paused, and ask again.
const IDLE: Duration = Duration::from_secs(120);

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How often a client is asked whether it is still there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);

/// Requests that a client may have under way on one connection.
const MAX_STREAMS: u32 = 128;

/// Bytes that a client may send before they are read: of one request, and of all.
const WINDOW: u32 = 256 << 10;

/// Bytes of answers to one request that wait for the client.
const MAX_SEND: usize = 256 << 10;

/// Serves connections from `listener` for ever, at most `max_connections` at a time; more wait in the system's queue.
pub async fn serve<H: Handler + Unpin>(
    listener: Arc<TcpListener>,
    places: Places,
    tls: TlsAcceptor,
    handler: H,
    max_connections: usize,
) {
    loop {
        let place = places.wait(max_connections).await;
        let (socket, peer) = listen::accept(&listener).await;
        let (tls, handler) = (tls.clone(), handler.clone());
        tokio::spawn(async move {
            let stream = match timeout(TLS_TIMEOUT, tls.accept(socket)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    tracing::debug!(%peer, %error, "no TLS with a client of HTTPS");
                    return;
                }
                Err(_) => return,
            };
            if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
                serve_many(stream, peer, handler, place).await;
            } else {
                http::serve_one(stream, peer, handler, place).await;
            }
        });
    }
}

/// Serves one connection of HTTP/2 until it is closed.
async fn serve_many<H: Handler>(
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
    handler: H,
    _place: Place,
) {
    let begun: Arc<AtomicU64> = Arc::default();
    let count = begun.clone();
    let bodies = Bodies::default();
    let watching = bodies.clone();
    let service = hyper::service::service_fn(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        let (handler, bodies) = (handler.clone(), watching.clone());
        async move {
            let response = answer(handler, request, peer).await?;
            Ok::<_, h2::Error>(response.map(|body| bodies.watch(body)))
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(http::MAX_HEAD as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(MAX_SEND)
        .serve_connection(TokioIo::new(Patient::new(stream, http::STALLED)), service);
    let mut connection = pin!(connection);
    let (mut known, mut since) = (0, Instant::now());
    let served = loop {
        tokio::select! {
            served = connection.as_mut() => break served,
            () = sleep(LOOK) => {}
        }
        if bodies.is_stalled(IDLE) {
            tracing::debug!(%peer, "a client of HTTP/2 does not take what it asked for");
            return;
        }
        if since.elapsed() >= IDLE {
            let now = begun.load(Ordering::Relaxed);
            if now == known {
                connection.as_mut().graceful_shutdown();
            }
            (known, since) = (now, Instant::now());
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "HTTP/2 connection ended");
    }
}

/// What must have a connection of its own is refused: a client that is told so asks again by HTTP/1.1 (section 8.1 and
/// `HTTP_1_1_REQUIRED` in section 7).
async fn answer<H: Handler>(
    handler: H,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Body>, h2::Error> {
    name_host(&mut request);
    let response = handler.handle(request, peer).await;
    if response.extensions().get::<Takeover>().is_some() {
        return Err(h2::Reason::HTTP_1_1_REQUIRED.into());
    }
    Ok(response)
}

/// `Host` is what `:authority` says, which is where HTTP/2 has it (section 8.3.1).
fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority();
    let host = authority.and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_the_host_whatever_else_is_said() {
        let mut request = Request::get("https://example.com:5443/LiveApp/play.html")
            .header(header::HOST, "localhost")
            .body(())
            .unwrap();
        name_host(&mut request);
        let hosts: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
        assert_eq!(hosts, ["example.com:5443"]);
        let mut request = Request::get("/").body(()).unwrap();
        name_host(&mut request);
        assert!(request.headers().is_empty());
    }
}
