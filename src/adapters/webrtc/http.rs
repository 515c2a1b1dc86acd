//! Sessions as resources of HTTP, for who plays (`whep`) and who publishes (`whip`): an offer comes in a POST request,
//! the answer goes back, and the session is a resource to be deleted.
//!
//! `POST /APP/SERVICE/ID` makes a session, `DELETE` on the address in `Location` ends it, and `GET` there tells
//! whether it is still on. `PATCH` brings the peer's further candidates, of which nothing has to be known:
//! its checks tell where it is. Counter-offers, which the draft of WHEP leaves open, are not there. `PATCH` with `If-Match: *` begins ICE anew (RFC 9725 section 4.3.3).

use super::router::Home;
use super::worker::{Message, Restart};
use super::{Running, WebRtc, addresses, ice_servers, whep, whip};
use crate::adapters::{Context, ServiceRequest, refusal};
use crate::auth::{Action, Caller};
use crate::hub::{Pass, StreamName, Unavailable};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::time::timeout;
use webrtc::{Config, OfferError, Transport, WallClock};

pub(super) const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The word behind the application in the addresses of who plays, and of who publishes.
pub(super) const WHEP: &str = "whep";
pub(super) const WHIP: &str = "whip";

/// How long the end of a publisher, or a new beginning of ICE, is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request, and what it is for.
pub(super) struct Asked<'a> {
    pub(super) adapter: &'a WebRtc,
    pub(super) running: &'a Running,
    pub(super) context: &'a Arc<Context>,
    pub(super) request: &'a ServiceRequest,
    pub(super) name: StreamName,
}

/// The answer to any request below `/APP/whep/` and `/APP/whip/`.
pub(super) async fn answer(
    adapter: &WebRtc,
    context: &Arc<Context>,
    request: &ServiceRequest,
) -> Result<Response<Body>, Unavailable> {
    let Some(running) = adapter.running.get() else {
        return Ok(plain(StatusCode::NOT_FOUND, "WebRTC is switched off"));
    };
    let (id, resource) = match request.path.split_once('/') {
        Some((id, resource)) => (id, Some(resource)),
        None => (request.path.as_str(), None),
    };
    let Ok(name) = StreamName::new(&request.app, id) else {
        return Ok(plain(StatusCode::NOT_FOUND, "that is not a stream's name"));
    };
    let asked = Asked {
        adapter,
        running,
        context,
        request,
        name,
    };
    match (resource, &request.method) {
        (None, &Method::POST) => match asked.offer().await {
            Ok((offer, pass)) if request.service == WHIP => Ok(whip::create(&asked, offer, pass)),
            Ok((offer, pass)) => whep::create(&asked, offer, pass).await,
            Err(refused) => Ok(*refused),
        },
        (Some(resource), &Method::DELETE) => Ok(delete(&asked, resource).await),
        (Some(resource), &Method::PATCH) => Ok(patch(&asked, resource).await),
        (None, &(Method::GET | Method::HEAD)) => Ok(endpoint()),
        (Some(resource), &(Method::GET | Method::HEAD)) => {
            let found = running.router.find(&asked.name, resource);
            Ok(found.map_or_else(no_session, |_| no_content()))
        }
        (None, _) => Ok(not_allowed("GET, HEAD, POST, OPTIONS")),
        (Some(_), _) => Ok(not_allowed("GET, HEAD, DELETE, PATCH, OPTIONS")),
    }
}

impl Asked<'_> {
    /// The offer in the request, and by which right it is made, if who asks may do that at all.
    async fn offer(&self) -> Result<(&str, Pass), Box<Response<Body>>> {
        let request = self.request;
        if !is(&request.headers, SDP) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(plain(status, "an offer is application/sdp").into());
        }
        let caller = Caller {
            protocol: "webrtc",
            address: request.peer,
            headers: Some(&request.headers),
            query: request.query.as_deref(),
            proof: None,
        };
        let (app, id) = (self.name.app(), self.name.id());
        let action = match request.service {
            WHIP => Action::Publish(app, id),
            _ => Action::Play(app, id),
        };
        let allowed = self.context.auth.check(action, caller).await;
        let pass = allowed.map_err(refusal)?;
        let offer = std::str::from_utf8(&request.body);
        let offer = offer.map_err(|_| plain(StatusCode::BAD_REQUEST, "the offer is not UTF-8"));
        Ok((offer?, pass))
    }

    /// What a session is made with, for now without media to send.
    pub(super) fn config(&self) -> Config {
        let (headers, peer) = (&self.request.headers, self.request.peer);
        config(self.adapter, self.running, headers, peer)
    }

    /// Makes the session known under a secret of its own; none when there are as many as there may be.
    pub(super) fn enter(&self, home: &Home) -> Option<String> {
        let resource = secret();
        let added = self.running.router.add(&resource, &self.name, home);
        added.then_some(resource)
    }

    /// The answer to who has a session now.
    pub(super) fn created(&self, home: &Home, resource: &str, answer: String) -> Response<Body> {
        let (app, service, id) = (self.name.app(), self.request.service, self.name.id());
        let location = format!("/{app}/{service}/{id}/{resource}");
        let mut response = Response::new(Body::from(answer));
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
        headers.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
        headers.extend(HeaderValue::try_from(etag(home, 0)).map(|value| (header::ETAG, value)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        ice_servers::link(&self.adapter.settings.get().ice_servers, headers);
        response
    }
}

/// What a session is made with, for who asked with these headers, for now without media to send.
pub(super) fn config(
    adapter: &WebRtc,
    running: &Running,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Config {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    Config {
        certificate: running.certificate.clone(),
        candidates: addresses::candidates(
            &running.socket,
            &[Transport::Udp, Transport::Tcp],
            &adapter.settings.get().public_addresses,
            headers,
            peer,
        ),
        video: None,
        audio: None,
        wall_clock: WallClock {
            at: Instant::now(),
            since_1970: since_1970.unwrap_or_default(),
        },
    }
}

/// A secret for a session's address.
pub(super) fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The answer to an offer that does not suit.
pub(super) fn unsuitable(error: &OfferError) -> Response<Body> {
    plain(status(error), &error.to_string())
}

/// There are as many sessions as there may be, or a shard is behind.
pub(super) fn busy(text: &str) -> Response<Body> {
    later(text, 5)
}

async fn delete(asked: &Asked<'_>, resource: &str) -> Response<Body> {
    let Some(found) = asked.running.router.find(&asked.name, resource) else {
        return no_session();
    };
    asked.running.router.hide(resource);
    let home = found.home;
    // Where it has ended meanwhile, nothing is left to stop.
    let _ = home.inbox.send(Message::Stop(home.ufrag)).await;
    if asked.request.service == WHIP {
        // Who publishes again at once must not meet himself. A publisher's inbox goes with it.
        let _ = timeout(PATIENCE, home.inbox.closed()).await;
    }
    plain(StatusCode::OK, "the session is over")
}

async fn patch(asked: &Asked<'_>, resource: &str) -> Response<Body> {
    let request = asked.request;
    let Some(found) = asked.running.router.find(&asked.name, resource) else {
        return no_session();
    };
    if !is(&request.headers, FRAGMENT) {
        let text = "candidates are application/trickle-ice-sdpfrag";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let fragment = std::str::from_utf8(&request.body);
    let fragment = fragment.ok().filter(|text| text.lines().all(is_sdp));
    let Some(fragment) = fragment else {
        return plain(StatusCode::BAD_REQUEST, "that is no SDP fragment");
    };
    // Some players send no entity tag, and nothing depends on it.
    let tags = request.headers.get(header::IF_MATCH);
    let tags = tags.map(|tags| tags.to_str().unwrap_or_default().trim());
    // The example of RFC 9725 (section 4.3.3) has the quotes of an entity tag, which none of ours is.
    if matches!(tags, Some("*" | "\"*\"")) {
        return restart(asked, resource, found.home, fragment).await;
    }
    let own = etag(&found.home, found.restarts);
    if tags.is_some_and(|tags| !tags.split(',').any(|tag| tag.trim() == own)) {
        return plain(StatusCode::PRECONDITION_FAILED, "another ICE session");
    }
    no_content()
}

/// Begins ICE anew in a session.
async fn restart(asked: &Asked<'_>, resource: &str, home: Home, fragment: &str) -> Response<Body> {
    let (answer, answered) = oneshot::channel();
    let restart = Box::new(Restart {
        fragment: fragment.to_owned(),
        candidates: asked.config().candidates,
        answer,
    });
    let message = Message::Restart(home.ufrag.clone(), restart);
    if home.inbox.send(message).await.is_err() {
        return no_session();
    }
    let answer = match timeout(PATIENCE, answered).await {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(error))) => {
            return plain(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string());
        }
        Ok(Err(_)) => return no_session(),
        Err(_) => return busy("the server is busy"),
    };
    let Some(restarts) = asked.running.router.restarted(resource) else {
        return no_session();
    };
    let mut response = Response::new(Body::from(answer));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
    let tag = HeaderValue::try_from(etag(&home, restarts));
    headers.extend(tag.map(|value| (header::ETAG, value)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether that can be a line of a session description: a letter and what it says.
fn is_sdp(line: &str) -> bool {
    matches!(line.as_bytes(), [] | [b'a'..=b'z', b'=', ..])
}

/// How players and publishers know that a URL is one for them.
fn endpoint() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What tells the ICE sessions of one resource apart.
pub(super) fn etag(home: &Home, restarts: u32) -> String {
    format!("\"{}-{restarts}\"", home.ufrag)
}

/// Whether the body is of this type, whatever its parameters.
fn is(headers: &HeaderMap, expected: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
}

pub(super) const fn status(error: &OfferError) -> StatusCode {
    match error {
        OfferError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        OfferError::NothingInCommon(_)
        | OfferError::OtherCodec(..)
        | OfferError::NothingCarried(_) => StatusCode::NOT_ACCEPTABLE,
        OfferError::TooMany(_) | OfferError::NotAll(_) => StatusCode::UNPROCESSABLE_ENTITY,
        OfferError::System(_) => StatusCode::INTERNAL_SERVER_ERROR,
        OfferError::Malformed { .. } | OfferError::Missing(_) | OfferError::Setup => {
            StatusCode::BAD_REQUEST
        }
    }
}

fn no_session() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "there is no such session")
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "another method is expected");
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

fn later(text: &str, seconds: u32) -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds.into());
    response
}

pub(super) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
