//! Getting a live stream over HTTP: one request, redirects followed, and the body as it comes.
//!
//! Every server on the way is judged by the [`Policy`] when it is connected to, the ones that redirects name
//! too. What the body is, is for the caller, who looks at its content type and its first bytes.

use super::policy::Policy;
use super::tls::{Check, Connector};
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderValue, Method, Request, Uri, header};
use bytes::Bytes;
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::{Position, Url};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// A server has this long for the handshake of TLS, and as long to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing is acknowledged for so long is given up.
const STALLED: Duration = Duration::from_secs(10);

/// A response whose body is read.
#[derive(Debug)]
pub struct Response {
    /// `Content-Type` without its parameters, in lower case; empty where there is none.
    pub content_type: String,
    body: BodyDataStream,
    connection: JoinHandle<()>,
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

impl Drop for Response {
    fn drop(&mut self) {
        self.connection.abort();
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
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let (answer, connection) = ask(&url, check, policy, connector).await?;
        let status = answer.status();
        if status.is_redirection()
            && let Some(place) = answer.headers().get(header::LOCATION)
        {
            connection.abort();
            url = follow(&url, place)?;
            continue;
        }
        if !status.is_success() {
            connection.abort();
            return Err(format!("the server answers {status}"));
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default();
        return Ok(Response {
            content_type: content_type.trim().to_ascii_lowercase(),
            body: Body::new(answer.into_body()).into_data_stream(),
            connection,
        });
    }
    Err(format!(
        "the server redirects more than {MAX_REDIRECTS} times"
    ))
}

/// Where a redirect leads. A connection that was secure stays so.
pub(crate) fn follow(url: &Url, place: &HeaderValue) -> Result<Url, String> {
    let place = place.to_str().ok().and_then(|place| url.join(place).ok());
    match place {
        Some(next) if matches!(next.scheme(), "http" | "https") => {
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err("the server redirects from https to http".into());
            }
            Ok(next)
        }
        _ => Err("the server redirects to what is no URL of HTTP".into()),
    }
}

async fn ask(
    url: &Url,
    check: &Check,
    policy: &Policy,
    connector: &Connector,
) -> Result<(hyper::Response<hyper::body::Incoming>, JoinHandle<()>), String> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    let socket = policy.connect(host, port, STALLED).await;
    let socket = socket.map_err(|error| error.to_string())?;
    let asking = async {
        if url.scheme() == "https" {
            let secure = connector.connect(host, socket, check).await;
            send(url, secure.map_err(|error| error.to_string())?).await
        } else {
            send(url, socket).await
        }
    };
    timeout(ANSWER_TIMEOUT, asking)
        .await
        .map_err(|_| "the server does not answer".to_owned())?
}

async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    url: &Url,
    socket: S,
) -> Result<(hyper::Response<hyper::body::Incoming>, JoinHandle<()>), String> {
    let words = |error: hyper::Error| format!("the server does not speak HTTP: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(words)?;
    let connection = tokio::spawn(async move {
        // What goes wrong is told where the body is read.
        let _ = connection.await;
    });
    let request = request(url).ok_or("the URL cannot be asked for over HTTP")?;
    match sender.send_request(request).await {
        Ok(answer) => Ok((answer, connection)),
        Err(error) => {
            connection.abort();
            Err(words(error))
        }
    }
}

fn request(url: &Url) -> Option<Request<Body>> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let place = &url[Position::BeforeHost..Position::AfterPort];
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(target.parse::<Uri>().ok()?)
        .header(header::HOST, place)
        .header(
            header::USER_AGENT,
            concat!("Millstream/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close");
    if !url.username().is_empty() || url.password().is_some() {
        let decoded = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        let mut login = decoded(url.username());
        login.push(b':');
        login.extend(decoded(url.password().unwrap_or_default()));
        let mut value = HeaderValue::try_from(format!("Basic {}", base64(&login))).ok()?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Body::empty()).ok()
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
