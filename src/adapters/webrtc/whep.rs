//! WHEP: an offer comes in a POST request, the answer goes back, and the session is a resource to be deleted.
//!
//! `POST /APP/whep/ID` makes a session, `DELETE` on the address in `Location` ends it, and `GET` there tells
//! whether it is still on. `PATCH` brings the player's further candidates, of which nothing has to be known:
//! its checks tell where it is. Counter-offers and ICE restarts, which the draft leaves open, are not there.

use super::router::Home;
use super::worker::{Message, Start};
use super::{Running, WebRtc, addresses, formats};
use crate::adapters::{Context, ServiceRequest, refusal};
use crate::auth::{Action, Caller};
use crate::hub::{Interest, StreamName, Unavailable, Viewer};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use webrtc::{Config, OfferError, Session, WallClock};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The answer to any request below `/APP/whep/`.
pub(super) async fn answer(
    adapter: &WebRtc,
    context: &Context,
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
    match (resource, &request.method) {
        (None, &Method::POST) => create(adapter, running, context, request, name).await,
        (Some(resource), &Method::DELETE) => Ok(delete(running, &name, resource).await),
        (Some(resource), &Method::PATCH) => Ok(patch(running, &name, resource, request)),
        (None, &(Method::GET | Method::HEAD)) => Ok(endpoint()),
        (Some(resource), &(Method::GET | Method::HEAD)) => {
            let found = running.router.find(&name, resource);
            Ok(found.map_or_else(no_session, |_| no_content()))
        }
        (None, _) => Ok(not_allowed("GET, HEAD, POST, OPTIONS")),
        (Some(_), _) => Ok(not_allowed("GET, HEAD, DELETE, PATCH, OPTIONS")),
    }
}

async fn create(
    adapter: &WebRtc,
    running: &Running,
    context: &Context,
    request: &ServiceRequest,
    name: StreamName,
) -> Result<Response<Body>, Unavailable> {
    if !is(&request.headers, SDP) {
        return Ok(plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an offer is application/sdp",
        ));
    }
    let caller = Caller {
        protocol: "webrtc",
        address: request.peer,
        headers: Some(&request.headers),
        query: request.query.as_deref(),
        proof: None,
    };
    let action = Action::Play(name.app(), name.id());
    if let Err(denied) = context.auth.check(action, caller) {
        return Ok(refusal(denied));
    }
    let Ok(offer) = std::str::from_utf8(&request.body) else {
        return Ok(plain(StatusCode::BAD_REQUEST, "the offer is not UTF-8"));
    };
    let opened = context.hub.open(&name, Interest::Watch).await?;
    let stream = opened.stream();
    let tracks = stream.snapshot().tracks;
    let formats = match formats::of(&tracks) {
        Ok(_) if formats::is_reordered(stream, &tracks) => {
            let reason = formats::Unsuitable::Reordered.to_string();
            return Ok(plain(StatusCode::NOT_ACCEPTABLE, &reason));
        }
        Ok(formats) => formats,
        Err(unsuitable) => {
            return Ok(plain(StatusCode::NOT_ACCEPTABLE, &unsuitable.to_string()));
        }
    };
    let public = &adapter.settings.public_addresses;
    let config = Config {
        certificate: running.certificate.clone(),
        candidates: addresses::candidates(&running.socket, public, &request.headers, request.peer),
        video: formats.video,
        audio: formats.audio,
        wall_clock: WallClock {
            at: Instant::now(),
            since_1970: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        },
    };
    let (session, answer) = match Session::answer(offer, &config, Instant::now()) {
        Ok(made) => made,
        Err(error) => return Ok(plain(status(&error), &error.to_string())),
    };
    // Names are random, so that any hash of them spreads sessions over the shards.
    let ufrag: Arc<str> = session.ufrag().into();
    let spread = RandomState::new().hash_one(&ufrag) as usize;
    let home = Home {
        worker: spread % running.workers.len().max(1),
        ufrag,
    };
    let resource = format!("{:032x}", rand::random::<u128>());
    let location = format!("/{}/whep/{}/{resource}", name.app(), name.id());
    let etag = etag(&home);
    let busy = |text| later(text, 5);
    if !running.router.add(&resource, &name, &home) {
        return Ok(busy("there are as many viewers as there may be"));
    }
    let start = Box::new(Start {
        session,
        home: home.clone(),
        resource: resource.clone(),
        viewer: Viewer::new(stream.clone(), "webrtc"),
        formats,
    });
    let worker = running.workers.get(home.worker);
    let started = match worker {
        Some(worker) => worker.try_send(Message::Start(start)).is_ok(),
        None => false,
    };
    if !started {
        running.router.remove(&resource, &home, &[]);
        return Ok(busy("the server is busy"));
    }
    tracing::info!(stream = %name, peer = %request.peer, shard = home.worker, "WebRTC viewer");
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
    headers.extend(HeaderValue::try_from(etag).map(|value| (header::ETAG, value)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn delete(running: &Running, name: &StreamName, resource: &str) -> Response<Body> {
    let Some(home) = running.router.find(name, resource) else {
        return no_session();
    };
    if let Some(worker) = running.workers.get(home.worker) {
        // A shard ends with the process only.
        let _ = worker.send(Message::Stop(home.ufrag)).await;
    }
    plain(StatusCode::OK, "the session is over")
}

fn patch(
    running: &Running,
    name: &StreamName,
    resource: &str,
    request: &ServiceRequest,
) -> Response<Body> {
    let Some(home) = running.router.find(name, resource) else {
        return no_session();
    };
    if !is(&request.headers, FRAGMENT) {
        let text = "candidates are application/trickle-ice-sdpfrag";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    // Some players send no entity tag, and nothing depends on it.
    let tags = request.headers.get(header::IF_MATCH);
    let tags = tags.map(|tags| tags.to_str().unwrap_or_default().trim());
    if tags == Some("*") {
        let text = "an ICE restart is a new session here";
        return plain(StatusCode::UNPROCESSABLE_ENTITY, text);
    }
    let own = etag(&home);
    if tags.is_some_and(|tags| !tags.split(',').any(|tag| tag.trim() == own)) {
        return plain(StatusCode::PRECONDITION_FAILED, "another ICE session");
    }
    let fragment = std::str::from_utf8(&request.body);
    if !fragment.is_ok_and(|fragment| fragment.lines().all(is_sdp)) {
        return plain(StatusCode::BAD_REQUEST, "that is no SDP fragment");
    }
    no_content()
}

/// Whether that can be a line of a session description: a letter and what it says.
fn is_sdp(line: &str) -> bool {
    matches!(line.as_bytes(), [] | [b'a'..=b'z', b'=', ..])
}

/// How players know that a URL is one of WHEP.
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
fn etag(home: &Home) -> String {
    format!("\"{}\"", home.ufrag)
}

/// Whether the body is of this type, whatever its parameters.
fn is(headers: &HeaderMap, expected: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
}

const fn status(error: &OfferError) -> StatusCode {
    match error {
        OfferError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        OfferError::NothingInCommon(_) => StatusCode::NOT_ACCEPTABLE,
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

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
