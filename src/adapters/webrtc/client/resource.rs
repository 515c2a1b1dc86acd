//! A session as another server's HTTP has it: an offer is posted, and what is made of it is deleted in the end (RFC 9725
//! section 4.2).

use super::address::Address;
use crate::net::fetch::{self, ANSWER_TIMEOUT, Ask, follow};
use crate::net::policy::Policy;
use crate::net::tls::{Check, Connector};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use url::{Position, Url};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 128 << 10;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Characters of a server's words that are repeated.
const MAX_WORDS: usize = 200;

/// What has been made on the server. It is deleted when this is dropped.
pub(super) struct Resource {
    asking: Option<Asking>,
    /// Where it is, if the server has said so.
    url: Option<Url>,
    /// The answer to the offer.
    pub(super) answer: String,
}

/// How the server is asked.
struct Asking {
    check: Check,
    authorization: Option<HeaderValue>,
    /// The host that may know that.
    home: Url,
    policy: Policy,
    connector: Connector,
}

impl Resource {
    /// Posts an offer.
    ///
    /// # Errors
    /// Why the server does not answer it, in words that name hosts and nothing else of the URL.
    pub(super) async fn make(
        address: &Address,
        offer: String,
        policy: &Policy,
        connector: &Connector,
    ) -> Result<Self, String> {
        let asking = Asking {
            check: address.at.check.clone(),
            authorization: address.authorization.clone(),
            home: address.at.url.clone(),
            policy: policy.clone(),
            connector: connector.clone(),
        };
        let mut url = address.at.url.clone();
        let offer = Bytes::from(offer);
        for _ in 0..=MAX_REDIRECTS {
            let answer = asking.ask(&url, Method::POST, offer.clone()).await?;
            let (status, place) = (answer.status(), answer.headers().get(header::LOCATION));
            match (status, place) {
                // The others make a GET of a POST (RFC 9110 section 15.4).
                (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT, Some(place)) => {
                    url = follow(&url, place)?;
                }
                (status, place) if status.is_success() => {
                    let made = place.and_then(|place| follow(&url, place).ok());
                    let body = answer.into_body();
                    if body.len() > MAX_ANSWER {
                        return Err(format!("the server answers more than {MAX_ANSWER} bytes"));
                    }
                    let answer = String::from_utf8(body.into());
                    return Ok(Self {
                        asking: Some(asking),
                        url: made,
                        answer: answer.map_err(|_| "the server's answer is not UTF-8")?,
                    });
                }
                _ => return Err(refusal(status, answer.body())),
            }
        }
        Err(format!(
            "the server redirects more than {MAX_REDIRECTS} times"
        ))
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        let (Some(asking), Some(url)) = (self.asking.take(), self.url.take()) else {
            return;
        };
        // Whoever drops it does not wait. A server that is not told notices the silence.
        tokio::spawn(async move {
            let told = asking.ask(&url, Method::DELETE, Bytes::new()).await;
            tracing::debug!(told = ?told.map(|answer| answer.status()), "a session at another server is over");
        });
    }
}

impl Asking {
    async fn ask(
        &self,
        url: &Url,
        method: Method,
        body: Bytes,
    ) -> Result<axum::http::Response<Bytes>, String> {
        let none = HeaderMap::new();
        let ask = Ask {
            check: &self.check,
            policy: &self.policy,
            connector: &self.connector,
            headers: &none,
            home: None,
            cookies: None,
            idle: None,
            patience: ANSWER_TIMEOUT,
            accepts_gzip: false,
            range: None,
        };
        let request = self.request(url, method, body);
        let request = request.ok_or("the URL cannot be asked for over HTTP")?;
        fetch::exchange(url, request, &ask, MAX_ANSWER).await
    }

    fn request(&self, url: &Url, method: Method, body: Bytes) -> Option<Request<Body>> {
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let place = &url[Position::BeforeHost..Position::AfterPort];
        let mut request = Request::builder()
            .uri(target.parse::<Uri>().ok()?)
            .header(header::HOST, place)
            .header(
                header::USER_AGENT,
                concat!("Millstream/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::ACCEPT, "application/sdp")
            .header(header::CONNECTION, "close");
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/sdp");
        }
        // What lets us in is for nobody that a redirect names.
        let is_home = self.home.host_str() == url.host_str();
        if let Some(value) = self.authorization.as_ref().filter(|_| is_home) {
            request = request.header(header::AUTHORIZATION, value);
        }
        request.method(method).body(Body::from(body)).ok()
    }
}

/// What a server says that does not want the offer.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let words = String::from_utf8_lossy(body);
    let words: String = words
        .trim()
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_WORDS)
        .collect();
    match words.is_empty() {
        true => format!("the server answers {status}"),
        false => format!("the server answers {status}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_servers_words() {
        let refused = refusal(StatusCode::NOT_FOUND, b" no such\r\nstream ");
        assert_eq!(refused, "the server answers 404 Not Found: no suchstream");
        let long = refusal(StatusCode::CONFLICT, &[b'x'; 1_000]);
        assert_eq!(
            long.len(),
            "the server answers 409 Conflict: ".len() + MAX_WORDS
        );
        assert_eq!(
            refusal(StatusCode::CONFLICT, b""),
            "the server answers 409 Conflict"
        );
    }
}
