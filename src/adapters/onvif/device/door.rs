//! Requests over HTTP: who asks, and what is answered. Who may play a stream by RTSP is told of it here, by the same user
//! and password: as digest or as it is in the envelope (WS-Security), or by Digest or Basic of HTTP.

use super::{DeviceSettings, Identity, streams};
use crate::adapters::Context;
use crate::auth::{Caller, Proof};
use crate::hub::Current;
use crate::net::{http, interfaces};
use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::Request;
use hyper::body::Incoming;
use onvif::Random;
use onvif::auth::{Authorization, Denied as Unproven, Guard};
use onvif::device::{Information, Interface};
use onvif::server::{self, Answer, DEVICE_PATH, Fault, MAX_REQUEST, Nonces, UsernameToken};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::time::sleep;

/// Who has a wrong password waits so long for the answer.
const WRONG_WAITS: Duration = Duration::from_secs(1);

/// Most clients whose challenges of HTTP are kept; with one more those of the first are forgotten.
const MAX_GUARDS: usize = 256;

const REALM: &str = "Millstream";

/// Answers requests.
#[derive(Clone)]
pub(super) struct Door(Arc<Shared>);

struct Shared {
    context: Arc<Context>,
    settings: Current<DeviceSettings>,
    identity: OnceLock<(Identity, SocketAddr)>,
    nonces: Mutex<Nonces>,
    /// Of clients by their addresses.
    guards: Mutex<VecDeque<(IpAddr, Guard)>>,
}

impl Door {
    pub(super) fn new(context: Arc<Context>, settings: Current<DeviceSettings>) -> Self {
        Self(Arc::new(Shared {
            context,
            settings,
            identity: OnceLock::new(),
            nonces: Mutex::default(),
            guards: Mutex::default(),
        }))
    }

    /// What it says of itself, once it listens there.
    pub(super) fn set_identity(&self, identity: Identity, address: SocketAddr) {
        // It is set once: each listener has a door of its own.
        let _ = self.0.identity.set((identity, address));
    }
}

impl http::Handler for Door {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_ours = parts.uri.path().starts_with("/onvif/");
        let status = match parts.method {
            _ if !is_ours => Some(StatusCode::NOT_FOUND),
            Method::POST => None,
            _ => Some(StatusCode::METHOD_NOT_ALLOWED),
        };
        if let Some(status) = status {
            return empty(status);
        }
        let Ok(body) = axum::body::to_bytes(http::body(body), MAX_REQUEST).await else {
            return respond(Answer::refusal(Fault::WellFormed), &[]);
        };
        let request = match server::Request::read(parts.uri.path(), &body) {
            Ok(request) => request,
            Err(fault) => return respond(Answer::refusal(fault), &[]),
        };
        self.0.answer(&request, &parts.headers, peer).await
    }
}

impl Shared {
    async fn answer(
        &self,
        request: &server::Request,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Response<Body> {
        let Some((identity, address)) = self.identity.get() else {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let shown = Shown {
            token: request.token(),
            authorization: authorization.and_then(Authorization::parse),
            guard: self.guard(peer.ip()),
            by_token: AtomicBool::new(false),
            is_stale: AtomicBool::new(false),
        };
        let caller = Caller {
            protocol: "onvif",
            address: peer,
            headers: None,
            query: None,
            proof: Some(&shown),
        };
        let settings = self.settings.get();
        let host = host(headers, *address);
        let mut device = self.device(identity, *address, &host);
        if !request.is_open() {
            let mut allowed = self.context.auth.plays_something(caller);
            if allowed && request.is_about_streams() {
                let rtsp = self.rtsp();
                let place = rtsp.map(|port| format!("rtsp://{}:{port}", host.name));
                let found = streams::of(&self.context, &settings, caller, place.as_deref()).await;
                let (found, needs_login) = found;
                allowed = !found.is_empty() || !needs_login;
                device.streams = found;
            }
            // Proofs are good once.
            if allowed && shown.by_token.load(Ordering::Relaxed) {
                let now = SystemTime::now();
                let token = request.token();
                allowed = token.is_none_or(|token| self.nonces().take(token, now));
            }
            if !allowed {
                return self.refuse(&shown, peer).await;
            }
        }
        let answer = request.answer(&device);
        if let Some(token) = &answer.wants_key_frame {
            let streams = self.context.hub.list();
            let stream = streams
                .iter()
                .find(|stream| server::token(stream.name().as_str()) == *token);
            if let Some(stream) = stream {
                stream.want_random_access();
            }
        }
        respond(answer, &[])
    }

    /// Who has shown nothing is asked to, by HTTP (ONVIF Core Specification section 5.9.1).
    async fn refuse(&self, shown: &Shown<'_>, peer: SocketAddr) -> Response<Body> {
        let answer = Answer::refusal(Fault::NotAuthorized);
        let is_stale = shown.is_stale.load(Ordering::Relaxed);
        let has_shown = shown.token.is_some() || shown.authorization.is_some();
        if has_shown && !is_stale {
            tracing::info!(address = %peer, "wrong user or password by ONVIF");
            sleep(WRONG_WAITS).await;
        }
        if shown.token.is_some() {
            return respond(answer, &[]);
        }
        let challenges = self.challenge(peer.ip(), is_stale);
        let answer = Answer {
            status: StatusCode::UNAUTHORIZED.as_u16(),
            ..answer
        };
        respond(answer, &challenges)
    }

    /// What there is to tell, but for streams.
    fn device(&self, identity: &Identity, address: SocketAddr, host: &Host) -> server::Device {
        let version = env!("CARGO_PKG_VERSION");
        let id = identity.reference.rsplit(':').next().unwrap_or_default();
        server::Device {
            information: Information {
                manufacturer: "Millstream".to_owned(),
                model: "Millstream".to_owned(),
                firmware: version.to_owned(),
                serial_number: id.to_owned(),
                hardware: "Millstream".to_owned(),
            },
            reference: identity.reference.clone(),
            scopes: identity.scopes.clone(),
            host: identity.host.clone(),
            place: format!("http://{}", host.whole),
            now: SystemTime::now(),
            is_discoverable: self.settings.get().discovery,
            interfaces: own_interfaces(),
            ports: [Some(address.port()), self.rtsp()],
            streams: Vec::new(),
        }
    }

    /// The port at which streams are played by RTSP.
    fn rtsp(&self) -> Option<u16> {
        let protocols = self.context.protocols.iter();
        let mut places = protocols.filter_map(|protocol| protocol.plays_at());
        let (_, address) = places.find(|(scheme, _)| *scheme == "rtsp")?;
        Some(address.port())
    }

    fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guards(&self) -> MutexGuard<'_, VecDeque<(IpAddr, Guard)>> {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That which a client's proofs by HTTP are held against.
    fn guard(&self, ip: IpAddr) -> Option<Guard> {
        let guards = self.guards();
        let known = guards.iter().find(|(known, _)| *known == ip);
        known.map(|(_, guard)| guard.clone())
    }

    fn challenge(&self, ip: IpAddr, is_stale: bool) -> Vec<String> {
        let mut guards = self.guards();
        let now = Instant::now();
        if let Some((_, guard)) = guards.iter_mut().find(|(known, _)| *known == ip) {
            return guard.challenge(now, is_stale, false);
        }
        if guards.len() >= MAX_GUARDS {
            guards.pop_front();
        }
        let mut guard = Guard::new(REALM, Random(rand::random()));
        let challenges = guard.challenge(now, is_stale, false);
        guards.push_back((ip, guard));
        challenges
    }
}

/// What somebody shows to prove a password.
#[derive(Debug)]
struct Shown<'a> {
    token: Option<&'a UsernameToken>,
    authorization: Option<Authorization>,
    guard: Option<Guard>,
    /// The token has proved one.
    by_token: AtomicBool,
    /// One was proved by a challenge that is too old.
    is_stale: AtomicBool,
}

impl Proof for Shown<'_> {
    fn proves(&self, user: &str, password: &str) -> bool {
        if self.token.is_some_and(|token| token.proves(user, password)) {
            self.by_token.store(true, Ordering::Relaxed);
            return true;
        }
        let Some(authorization) = &self.authorization else {
            return false;
        };
        // A guard that has made no challenge finds every proof stale.
        let new = || Guard::new(REALM, Random(rand::random()));
        let guard = self.guard.clone().unwrap_or_else(new);
        let login = (user, password);
        let checked = guard.check(Instant::now(), "POST", Some(authorization), login);
        if checked == Err(Unproven::Stale) {
            self.is_stale.store(true, Ordering::Relaxed);
        }
        checked.is_ok()
    }

    fn told(&self) -> Option<(String, String)> {
        let by_token = self.token.and_then(UsernameToken::told);
        let by_token = by_token.map(|(user, password)| (user.to_owned(), password.to_owned()));
        by_token.or_else(|| self.authorization.as_ref()?.told())
    }
}

/// How who asks has named this machine.
struct Host {
    /// With the port.
    whole: String,
    /// Without.
    name: String,
}

fn host(headers: &HeaderMap, address: SocketAddr) -> Host {
    let named = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let named = named.and_then(|text| text.parse::<Authority>().ok());
    match named.filter(|named| !named.as_str().contains('@') && !named.host().is_empty()) {
        Some(named) => Host {
            whole: named.as_str().to_owned(),
            name: named.host().to_owned(),
        },
        // HTTP/1.0 needs no name.
        None => Host {
            whole: address.to_string(),
            name: match address {
                SocketAddr::V4(address) => address.ip().to_string(),
                SocketAddr::V6(address) => format!("[{}]", address.ip()),
            },
        },
    }
}

/// The interfaces by which this machine is reached.
fn own_interfaces() -> Vec<Interface> {
    let mut all: BTreeMap<String, Interface> = BTreeMap::new();
    for found in interfaces::routed().unwrap_or_default() {
        let entry = all.entry(found.name.clone()).or_insert_with(|| {
            let hardware = format!("/sys/class/net/{}/address", found.name);
            let hardware = std::fs::read_to_string(hardware).unwrap_or_default();
            let hardware = match hardware.trim() {
                "" => "00:00:00:00:00:00",
                known => known,
            };
            Interface {
                name: found.name.clone(),
                hardware: hardware.to_owned(),
                ..Interface::default()
            }
        });
        let bits = match &found.addr {
            interfaces::IfAddr::V4(address) => address.prefixlen,
            interfaces::IfAddr::V6(address) => address.prefixlen,
        };
        entry.addresses.push(format!("{}/{bits}", found.ip()));
    }
    all.into_values().collect()
}

fn respond(answer: Answer, challenges: &[String]) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(Answer::CONTENT_TYPE);
    headers.insert(header::CONTENT_TYPE, kind);
    for challenge in challenges {
        if let Ok(value) = HeaderValue::try_from(challenge) {
            headers.append(header::WWW_AUTHENTICATE, value);
        }
    }
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Where who has found the device asks it, at one of its addresses.
pub(super) fn place(address: SocketAddr) -> String {
    format!("http://{address}{DEVICE_PATH}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_was_called() {
        let address: SocketAddr = "[::1]:8081".parse().unwrap();
        let called = |host: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, HeaderValue::from_static(host));
            }
            let found = super::host(&headers, address);
            (found.whole, found.name)
        };
        let expected = |whole: &str, name: &str| (whole.to_owned(), name.to_owned());
        assert_eq!(
            called(Some("nvr.example:81")),
            expected("nvr.example:81", "nvr.example")
        );
        assert_eq!(called(Some("10.0.0.1")), expected("10.0.0.1", "10.0.0.1"));
        assert_eq!(
            called(Some("[fe80::1]:81")),
            expected("[fe80::1]:81", "[fe80::1]")
        );
        for bad in [None, Some("a@b"), Some("a b"), Some(""), Some("<&>")] {
            assert_eq!(called(bad), expected("[::1]:8081", "[::1]"), "{bad:?}");
        }
    }
}
