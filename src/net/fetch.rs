//! Getting something over HTTP: one request, redirects followed, and the body as it comes ([`get`]) or all of it
//! ([`whole`], on a connection that may serve again, [`Idle`]). Or any one request as it is, with whatever is answered
//! ([`exchange`]), or the status of it alone ([`send`]).
//!
//! Every server on the way is judged by the [`Policy`] when it is connected to, the ones that redirects name
//! too. What the body is, is for the caller, who looks at its content type and its first bytes.

use super::policy::Policy;
use super::tls::{Check, Connector};
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::{Origin, Position, Url};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Without another [`Ask::patience`], a server has this long for the handshake of TLS and the beginning of its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const SILENT: &str = "the server does not answer";

/// A connection on which nothing is acknowledged for so long is given up.
const STALLED: Duration = Duration::from_secs(10);

/// A body that is read to its end gives nothing for no longer than this.
const SILENCE: Duration = Duration::from_secs(10);

/// Connections that are kept for the next request, and for how long.
const MAX_IDLE: usize = 8;
const IDLE: Duration = Duration::from_secs(30);

/// Cookies that are kept, and the bytes of one.
const MAX_COOKIES: usize = 50;
const MAX_COOKIE: usize = 4 << 10;

/// How a server is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What it has to prove over TLS.
    pub check: &'a Check,
    /// Who may be asked.
    pub policy: &'a Policy,
    /// TLS.
    pub connector: &'a Connector,
    /// Sent with the request, in place of those that would be sent.
    pub headers: &'a HeaderMap,
    /// Where secrets among the headers belong: nobody else is told them.
    pub home: Option<&'a Url>,
    /// What servers want to be told again.
    pub cookies: Option<&'a Jar>,
    /// Connections of requests before, asked with the same of all this.
    pub idle: Option<&'a Idle>,
    /// How long a server has for the handshake of TLS and the beginning of its answer.
    pub patience: Duration,
    /// The answer may be compressed, as [`whole`] reads it.
    pub accepts_gzip: bool,
    /// Offset and number of the bytes that are wanted, if not all.
    pub range: Option<(u64, u64)>,
}

impl<'a> Ask<'a> {
    /// All of the answer, of nobody whom anything is remembered of.
    pub const fn new(
        check: &'a Check,
        policy: &'a Policy,
        connector: &'a Connector,
        headers: &'a HeaderMap,
        patience: Duration,
    ) -> Self {
        Self {
            check,
            policy,
            connector,
            headers,
            home: None,
            cookies: None,
            idle: None,
            patience,
            accepts_gzip: false,
            range: None,
        }
    }
}

/// All of an answer.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Where it came from in the end.
    pub url: Url,
    /// The body, without compression.
    pub body: Bytes,
}

/// Cookies by the host that set them (RFC 6265): they go to that host alone, for as long as this lives.
#[derive(Clone, Debug, Default)]
pub struct Jar(Arc<Mutex<Vec<Cookie>>>);

#[derive(Debug)]
struct Cookie {
    host: String,
    name: String,
    value: String,
}

impl Jar {
    fn take(&self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for value in headers.get_all(header::SET_COOKIE) {
            let pair = value.to_str().ok().and_then(|text| text.split(';').next());
            let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            known.retain(|cookie| cookie.host != host || cookie.name != name);
            if known.len() < MAX_COOKIES && name.len() + value.len() <= MAX_COOKIE {
                known.push(Cookie {
                    host: host.to_owned(),
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
    }

    fn for_host(&self, url: &Url) -> Option<HeaderValue> {
        let host = url.host_str().unwrap_or_default();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.iter().filter(|cookie| cookie.host == host);
        let pairs: Vec<_> = own
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        let value = HeaderValue::try_from(pairs.join("; ")).ok();
        value.filter(|value| !value.is_empty())
    }
}

/// Why nothing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words that name hosts and nothing else of a URL.
    pub reason: String,
    /// The server wants to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            retry_after: None,
        }
    }
}

/// Connections that serve no request now.
#[derive(Clone, Debug, Default)]
pub struct Idle(Arc<Mutex<Vec<Spare>>>);

#[derive(Debug)]
struct Spare {
    connection: Connection,
    since: Instant,
}

impl Idle {
    fn take(&self, url: &Url) -> Option<Connection> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spare.retain(|spare| !spare.connection.sender.is_closed() && spare.since.elapsed() < IDLE);
        let at = spare
            .iter()
            .rposition(|spare| spare.connection.origin == url.origin())?;
        Some(spare.swap_remove(at).connection)
    }

    fn put(&self, connection: Connection) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_IDLE && !connection.sender.is_closed() {
            spare.push(Spare {
                connection,
                since: Instant::now(),
            });
        }
    }
}

/// A connection to a server, which ends with this.
#[derive(Debug)]
struct Connection {
    /// Scheme, host and port.
    origin: Origin,
    sender: SendRequest<Body>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A response whose body is read.
#[derive(Debug)]
pub struct Response {
    /// `Content-Type` without its parameters, in lower case; empty where there is none.
    pub content_type: String,
    url: Url,
    status: StatusCode,
    encoding: Option<HeaderValue>,
    body: BodyDataStream,
    connection: Connection,
}

impl Response {
    /// The next bytes of the body; none at its end.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        let next = self.body.next().await.transpose();
        next.map_err(|error| format!("the connection to the server broke: {error}"))
    }
}

/// Asks for `url`, which is `http` or `https`. User and password in it are sent to its own host alone.
///
/// # Errors
/// What went wrong, in words that name hosts and nothing else of a URL.
pub async fn get(
    url: &Url,
    check: &Check,
    policy: &Policy,
    connector: &Connector,
) -> Result<Response, String> {
    let headers = HeaderMap::new();
    let ask = Ask::new(check, policy, connector, &headers, ANSWER_TIMEOUT);
    open(url, &ask).await.map_err(|failure| failure.reason)
}

/// Asks for `url` as [`get`] does, and reads all of the answer, which is at most so many bytes.
///
/// # Errors
/// As [`get`], and when it is longer, is less than the range that was asked for, or stops coming.
pub async fn whole(url: &Url, ask: &Ask<'_>, most: usize) -> Result<Whole, Failure> {
    let mut answer = open(url, ask).await?;
    let (body, is_read) = read(&mut answer, ask, most).await?;
    let Response {
        url, connection, ..
    } = answer;
    if let Some(idle) = ask.idle.filter(|_| is_read) {
        idle.put(connection);
    }
    Ok(Whole { url, body })
}

/// The body, and whether it was read to its end.
async fn read(answer: &mut Response, ask: &Ask<'_>, most: usize) -> Result<(Bytes, bool), String> {
    let too_long = || format!("the server sends more than {most} bytes");
    let mut body = BytesMut::new();
    // A server that knows no ranges sends everything.
    let skipped = ask
        .range
        .filter(|_| answer.status != StatusCode::PARTIAL_CONTENT);
    let (offset, length) = skipped.unwrap_or((0, u64::MAX));
    let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut is_read = false;
    loop {
        let next = timeout(SILENCE, answer.next()).await;
        let next = next.map_err(|_| "the server stops in the middle".to_owned())?;
        let Some(mut bytes) = next? else {
            is_read = true;
            break;
        };
        let unwanted = bytes.split_to(offset.min(bytes.len()));
        offset -= unwanted.len();
        body.extend_from_slice(&bytes);
        if body.len() >= length {
            body.truncate(length);
            break;
        }
        if body.len() > most {
            return Err(too_long());
        }
    }
    if let Some((_, wanted)) = ask.range
        && (body.len() as u64) < wanted
    {
        let there = body.len();
        return Err(format!("the server sends {there} of {wanted} bytes"));
    }
    let is_gzip = answer
        .encoding
        .as_ref()
        .is_some_and(|encoding| encoding == "gzip");
    let body = if is_gzip {
        let mut plain = Vec::new();
        let reader = MultiGzDecoder::new(&body[..]);
        let read = reader.take(most as u64 + 1).read_to_end(&mut plain);
        read.map_err(|error| format!("the server sends what is no gzip: {error}"))?;
        if plain.len() > most {
            return Err(too_long());
        }
        plain.into()
    } else {
        body.freeze()
    };
    Ok((body, is_read))
}

/// Sends one request to the host of `url` and reads all of the answer, whatever its status, up to so many bytes and
/// one more. Redirects are not followed.
///
/// # Errors
/// When there is no answer, or it stops coming.
pub async fn exchange(
    url: &Url,
    request: Request<Body>,
    ask: &Ask<'_>,
    most: usize,
) -> Result<hyper::Response<Bytes>, String> {
    let (answer, connection) = connect(url, request, ask).await?;
    let (head, body) = answer.into_parts();
    let mut body = Body::new(body).into_data_stream();
    let mut read = BytesMut::new();
    let reading = async {
        while read.len() <= most
            && let Some(piece) = body.next().await
        {
            read.extend_from_slice(&piece?);
        }
        Ok(())
    };
    let result = timeout(SILENCE, reading).await;
    drop(connection);
    let result: Result<(), axum::Error> =
        result.map_err(|_| "the server stops in the middle".to_owned())?;
    result.map_err(|error| format!("the connection to the server broke: {error}"))?;
    read.truncate(most.saturating_add(1));
    Ok(hyper::Response::from_parts(head, read.freeze()))
}

/// Sends a request whose target is a whole URL, where the policy holds, and reads all of the answer, whatever its status, up to
/// so many bytes and one more. The host's certificate is checked. Redirects are not followed.
///
/// # Errors
/// When there is no answer within `patience`, or it stops coming.
pub async fn forward(
    request: Request<Body>,
    policy: &Policy,
    connector: &Connector,
    patience: Duration,
    most: usize,
) -> Result<hyper::Response<Bytes>, String> {
    let headers = HeaderMap::new();
    let ask = Ask::new(&Check::Roots, policy, connector, &headers, patience);
    let (mut head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|error| error.to_string())?;
    // HTTP/1.1 has the host in a header, and not in the target.
    let host = head.uri.authority().map(|host| host.as_str());
    let host =
        HeaderValue::try_from(host.unwrap_or_default()).map_err(|error| error.to_string())?;
    head.headers.insert(header::HOST, host);
    let target = head.uri.path_and_query().map(|target| target.as_str());
    head.uri = Uri::try_from(target.unwrap_or("/")).map_err(|error| error.to_string())?;
    exchange(&url, Request::from_parts(head, body), &ask, most).await
}

/// Sends one request to the host of `url`: the status of the answer, for the rest of which nobody waits. Redirects are not
/// followed.
///
/// # Errors
/// When there is no answer.
pub async fn send(url: &Url, request: Request<Body>, ask: &Ask<'_>) -> Result<StatusCode, String> {
    let (answer, _connection) = connect(url, request, ask).await?;
    Ok(answer.status())
}

async fn open(url: &Url, ask: &Ask<'_>) -> Result<Response, Failure> {
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let (answer, connection) = asked(&url, ask).await?;
        if let Some(cookies) = ask.cookies {
            cookies.take(&url, answer.headers());
        }
        let status = answer.status();
        if status.is_redirection()
            && let Some(place) = answer.headers().get(header::LOCATION)
        {
            url = follow(&url, place)?;
            continue;
        }
        if !status.is_success() {
            let after = answer.headers().get(header::RETRY_AFTER);
            let seconds = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
            return Err(Failure {
                reason: format!("the server answers {status}"),
                retry_after: seconds.map(Duration::from_secs),
            });
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default();
        return Ok(Response {
            content_type: content_type.trim().to_ascii_lowercase(),
            url,
            status,
            encoding: answer.headers().get(header::CONTENT_ENCODING).cloned(),
            body: Body::new(answer.into_body()).into_data_stream(),
            connection,
        });
    }
    let words = format!("the server redirects more than {MAX_REDIRECTS} times");
    Err(words.into())
}

/// Where a redirect leads. A connection that was secure stays so, and a login stays with its server.
pub(crate) fn follow(url: &Url, place: &HeaderValue) -> Result<Url, String> {
    let place = place.to_str().ok().and_then(|place| url.join(place).ok());
    match place {
        Some(mut next) if matches!(next.scheme(), "http" | "https") => {
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err("the server redirects from https to http".into());
            }
            let is_anonymous = next.username().is_empty() && next.password().is_none();
            if is_anonymous && next.origin() == url.origin() {
                // What has a host takes them.
                let _ = next.set_username(url.username());
                let _ = next.set_password(url.password());
            }
            Ok(next)
        }
        _ => Err("the server redirects to what is no URL of HTTP".into()),
    }
}

/// Asks, on a connection that is there or on a new one.
async fn asked(
    url: &Url,
    ask: &Ask<'_>,
) -> Result<(hyper::Response<Incoming>, Connection), String> {
    let request = || request(url, ask).ok_or("the URL cannot be asked for over HTTP");
    // A server may have closed it in the meantime; on a new one it is asked as if nothing had been.
    if let Some(mut connection) = ask.idle.and_then(|idle| idle.take(url)) {
        let request = request()?;
        let asking = async {
            connection.sender.ready().await?;
            connection.sender.send_request(request).await
        };
        let answer = timeout(ask.patience, asking).await;
        if let Ok(answer) = answer.map_err(|_| SILENT.to_owned())? {
            return Ok((answer, connection));
        }
    }
    connect(url, request()?, ask).await
}

/// Sends a request on a new connection.
async fn connect(
    url: &Url,
    request: Request<Body>,
    ask: &Ask<'_>,
) -> Result<(hyper::Response<Incoming>, Connection), String> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    let socket = ask.policy.connect(host, port, STALLED).await;
    let socket = socket.map_err(|error| error.to_string())?;
    let asking = async {
        let mut connection = if url.scheme() == "https" {
            let secure = ask.connector.connect(host, socket, ask.check).await;
            begin(url, secure.map_err(|error| error.to_string())?).await
        } else {
            begin(url, socket).await
        }
        .map_err(|error| unspoken(&error))?;
        let answer = connection.sender.send_request(request).await;
        Ok((answer.map_err(|error| unspoken(&error))?, connection))
    };
    let answer = timeout(ask.patience, asking).await;
    answer.map_err(|_| SILENT.to_owned())?
}

fn unspoken(error: &hyper::Error) -> String {
    format!("the server does not speak HTTP: {error}")
}

async fn begin<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    url: &Url,
    socket: S,
) -> Result<Connection, hyper::Error> {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let task = tokio::spawn(async move {
        // What goes wrong is told where the body is read.
        let _ = connection.await;
    });
    Ok(Connection {
        origin: url.origin(),
        sender,
        task,
    })
}

/// A request without anything that its purpose asks for: who is asked, who asks, and user and password where these stand
/// in the URL. None where the URL cannot be asked for over HTTP.
pub fn bare(method: Method, url: &Url, body: Body) -> Option<Request<Body>> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let place = &url[Position::BeforeHost..Position::AfterPort];
    let mut request = Request::builder()
        .method(method)
        .uri(target.parse::<Uri>().ok()?)
        .header(header::HOST, place)
        .header(
            header::USER_AGENT,
            concat!("Millstream/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT, "*/*");
    if !url.username().is_empty() || url.password().is_some() {
        let decoded = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        let mut login = decoded(url.username());
        login.push(b':');
        login.extend(decoded(url.password().unwrap_or_default()));
        let mut value = HeaderValue::try_from(format!("Basic {}", base64(&login))).ok()?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(body).ok()
}

fn request(url: &Url, ask: &Ask<'_>) -> Option<Request<Body>> {
    let mut request = bare(Method::GET, url, Body::empty())?;
    let own = request.headers_mut();
    if ask.idle.is_none() {
        own.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some((offset, length)) = ask.range {
        let last = offset.checked_add(length)?.checked_sub(1)?;
        let range = HeaderValue::try_from(format!("bytes={offset}-{last}")).ok()?;
        own.insert(header::RANGE, range);
    } else if ask.accepts_gzip {
        own.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(cookies) = ask.cookies.and_then(|cookies| cookies.for_host(url)) {
        own.insert(header::COOKIE, cookies);
    }
    let is_home = ask
        .home
        .is_none_or(|home| home.host_str() == url.host_str());
    for (name, value) in ask.headers {
        if is_home || !matches!(*name, header::AUTHORIZATION | header::COOKIE) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    Some(request)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one request after the other, and gives back what was asked.
    async fn server(answers: Vec<String>) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4_096];
                let count = socket.read(&mut head).await.unwrap();
                asked.push(String::from_utf8_lossy(&head[..count]).into_owned());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (port, serving)
    }

    async fn fetch(url: &str, policy: &Policy) -> Result<(String, Vec<u8>), String> {
        let connector = Connector::new(None).unwrap();
        let url = Url::parse(url).unwrap();
        let mut response = get(&url, &Check::Roots, policy, &connector).await?;
        let mut body = Vec::new();
        while let Some(bytes) = response.next().await? {
            body.extend_from_slice(&bytes);
        }
        Ok((response.content_type.clone(), body))
    }

    #[test]
    fn a_login_follows_a_redirect_on_its_own_server_alone() {
        let url = Url::parse("http://joe:p%40ss@nvr/a").unwrap();
        for (place, expected) in [
            ("/b", "http://joe:p%40ss@nvr/b"),
            ("http://nvr/b", "http://joe:p%40ss@nvr/b"),
            ("http://ann@nvr/b", "http://ann@nvr/b"),
            ("http://nvr:81/b", "http://nvr:81/b"),
            ("https://nvr/b", "https://nvr/b"),
            ("http://other/b", "http://other/b"),
        ] {
            let next = follow(&url, &HeaderValue::from_static(place)).unwrap();
            assert_eq!(next.as_str(), expected, "{place}");
        }
    }

    #[tokio::test]
    async fn redirects_are_followed_and_judged() {
        let (port, serving) = server(vec![
            "HTTP/1.1 302 Found\r\nLocation: /b?c=d\r\n\r\n".into(),
            "HTTP/1.1 200 OK\r\nContent-Type: Video/X-FLV; a=b\r\n\r\nFLV".into(),
            "HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/latest\r\n\r\n".into(),
            "HTTP/1.1 404 Not Found\r\n\r\n".into(),
        ])
        .await;
        let policy = Policy::new(Network::default());
        let url = format!("http://joe:p%40ss@127.0.0.1:{port}/a");
        let fetched = fetch(&url, &policy).await.unwrap();
        assert_eq!(fetched, ("video/x-flv".to_owned(), b"FLV".to_vec()));
        let refused = fetch(&url, &policy).await.unwrap_err();
        assert!(refused.contains("metadata address"), "{refused}");
        let missing = fetch(&url, &policy).await.unwrap_err();
        assert_eq!(missing, "the server answers 404 Not Found");
        let asked = serving.await.unwrap();
        assert!(asked[0].starts_with("GET /a HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains("authorization: Basic am9lOnBAc3M=\r\n"));
        assert!(
            asked[1].starts_with("GET /b?c=d HTTP/1.1\r\n"),
            "{}",
            asked[1]
        );
    }
}
