//! Everything over HTTP: finds who answers a request, and asks first whether the caller may.
//!
//! Media files below `/APP/streams/` and the services of protocols go to the adapters, pages to the panel, `/APP/rest/` to the Ant Media
//! API ([`antmedia`]), `/live-streams` to that of api.video ([`apivideo`]). All management over HTTP passes one check, here;
//! that of [`evostream`] has ports of its own, and passes the same. How much of it a caller may, `rights` says by the call;
//! from answers to those who may only look, [`masking`] takes the secrets.

pub mod antmedia;
pub mod apivideo;
pub mod evostream;
pub mod hooks;
pub mod json;
pub mod masking;
pub mod openapi;
pub mod server;

mod metrics;
mod place;
mod rights;
mod target_status;
mod words;

use crate::adapters::{Context, FileRequest, Listening, Protocol, ServiceRequest, refusal};
use crate::auth::{Action, Caller, Denied, Identity, Origin, Role, Visit};
use crate::config::Loads;
use crate::control::Control;
use crate::control::recordings::hls;
use crate::hooks::Courier;
use crate::hub::{Current, Unavailable};
use crate::net::file;
use crate::net::http::{self, Handler};
use crate::panel;
use crate::record::name::media_type;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Json, Router};
use hyper::body::Incoming;
use rights::Matter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tower_service::Service;

/// Longest body of a management request, in bytes.
const MAX_BODY: usize = 256 << 10;

/// The server's one HTTP handler.
#[derive(Clone)]
pub struct Site {
    context: Arc<Context>,
    protocols: Arc<[Arc<dyn Protocol>]>,
    control: Control,
    courier: Courier,
    management: Router,
    live_streams: Router,
    tokens: Router,
    own: Router,
    listening: Arc<[Listening]>,
    /// Whether requests come by TLS.
    secure: bool,
}

impl Site {
    /// The same, for requests that come by TLS.
    #[must_use]
    pub fn over_tls(self) -> Self {
        Self {
            secure: true,
            ..self
        }
    }

    /// Over these parts of the server.
    pub fn new(
        context: Arc<Context>,
        protocols: Vec<Arc<dyn Protocol>>,
        control: Control,
        courier: Courier,
        listening: Vec<Listening>,
        loads: Loads,
    ) -> Self {
        let listening: Arc<[Listening]> = listening.into();
        let management =
            antmedia::router(control.clone(), context.applications.clone(), &listening)
                .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY));
        let live_streams = apivideo::router(control.clone(), context.clone(), &listening)
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY));
        let tokens =
            apivideo::tokens(context.clone()).layer(axum::extract::DefaultBodyLimit::max(MAX_BODY));
        let own = server::router(control.clone(), context.clone(), listening.clone())
            .merge(server::configuration::router(loads))
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY));
        Self {
            context,
            protocols: protocols.into(),
            control,
            courier,
            management,
            live_streams,
            tokens,
            own,
            listening,
            secure: false,
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let auth = &self.context.auth;
        let origin = auth.origin(peer, self.secure, request.headers());
        let peer = origin.address;
        let path = request.uri().path();
        if let Some(proof) = self.context.proofs.answer(path) {
            return proof;
        }
        match path {
            "/healthz" | "/readyz" => return text(StatusCode::OK, "ok\n"),
            "/metrics" => return self.metrics(&request, origin).await,
            "/server.json" => return self.description(),
            "/openapi.json" => return Json(openapi::document()).into_response(),
            _ => {}
        }
        let segments: Vec<&str> = path.trim_start_matches('/').splitn(3, '/').collect();
        match segments.as_slice() {
            [app, "streams", file] if self.context.applications.contains(app) => {
                let (app, file) = ((*app).to_owned(), decode(file));
                self.file(request, peer, app, file).await
            }
            [app, "rest", _] if self.context.applications.contains(app) => {
                self.manage(request, origin).await
            }
            ["rest", ..] => self.manage(request, origin).await,
            ["api", "v1", ..] => self.own(request, origin).await,
            ["live-streams" | "webhooks", ..] => self.live_streams(request, origin).await,
            ["auth", ..] => {
                let Ok(mut response) = self.tokens.clone().call(request.map(http::body)).await;
                apivideo::tell_limits(response.headers_mut());
                response
            }
            [_, "rest", ..] => {
                antmedia::refusal(StatusCode::NOT_FOUND, "there is no such application")
            }
            [app, service, rest] if self.context.applications.contains(app) => {
                match self.service(service) {
                    Some(service) => {
                        let (app, rest) = ((*app).to_owned(), decode(rest));
                        self.serve(service, request, peer, app, rest).await
                    }
                    None => panel::asset(&request, path.trim_start_matches('/')),
                }
            }
            [app, page] if self.context.applications.contains(app) => match self.service(page) {
                Some(service) => {
                    let app = (*app).to_owned();
                    self.serve(service, request, peer, app, String::new()).await
                }
                None => panel::asset(&request, page),
            },
            _ => panel::asset(&request, path.trim_start_matches('/')),
        }
    }

    /// What pages have to know before they may ask anything else: nothing secret.
    fn description(&self) -> Response<Body> {
        let listeners: Vec<_> = self
            .listening
            .iter()
            .map(|listening| serde_json::json!({ "protocol": listening.protocol, "port": listening.address.port() }))
            .collect();
        let description = serde_json::json!({
            "name": "Millstream",
            "version": env!("CARGO_PKG_VERSION"),
            "applications": *self.context.applications.names(),
            "listeners": listeners,
        });
        let mut response = Json(description).into_response();
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    async fn metrics(&self, request: &Request<Incoming>, origin: Origin) -> Response<Body> {
        if let Err(denied) = self.may_manage(request, origin).await {
            return self::denied(denied);
        }
        let mut response = Response::new(Body::from(metrics::render(
            &self.context.hub,
            &self.control.source_phases(),
            &self.control.connections(),
            &self.control.target_totals(),
            &self.courier.counts(),
            metrics::Wish::of(request.uri().query()),
        )));
        let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        response
    }

    /// The one check of management over HTTP: who it is, if they may do this.
    async fn may_manage(
        &self,
        request: &Request<Incoming>,
        origin: Origin,
    ) -> Result<Identity, Denied> {
        let method = request.method();
        let visit = Visit {
            origin,
            headers: Some(request.headers()),
            takes_cookies: true,
            // Another page of this machine may open a WebSocket, and read what it says.
            changes: rights::changes(method) || request.headers().contains_key(header::UPGRADE),
            application: application(request.uri().path()),
        };
        let identity = self.context.auth.identify(&visit).await?;
        let needed = rights::needed(method, request.uri().path());
        if identity.role < needed {
            return Err(Denied::Role(needed));
        }
        let is_covered = match rights::matter(request.uri().path()) {
            Matter::Application(app) => identity.reach.covers(Some(app)),
            Matter::Server => identity.reach.covers(None),
            Matter::Caller => true,
        };
        is_covered.then_some(identity).ok_or(Denied::Reach)
    }

    /// A management request of somebody who may: what changes something is noted, and those who may only look are shown
    /// no secrets.
    async fn managed(
        &self,
        mut router: Router,
        mut request: Request<Body>,
        identity: Identity,
    ) -> Response<Body> {
        let change = rights::changes(request.method())
            .then(|| format!("{} {}", request.method(), request.uri().path()));
        request.extensions_mut().insert(identity.clone());
        let role = identity.role;
        let response = match change {
            Some(change) => {
                let context = self.context.clone();
                let changing = tokio::spawn(async move {
                    let Ok(response) = router.call(request).await;
                    let status = response.status().as_u16();
                    context.auth.audit().add(&identity, &change, status).await;
                    response
                });
                // Over HTTP/2 who goes away ends what waits here: what has begun is done, and noted, all the same.
                match changing.await {
                    Ok(response) => response,
                    Err(ended) => match ended.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n"),
                    },
                }
            }
            None => {
                let Ok(response) = router.call(request).await;
                response
            }
        };
        match role {
            Role::Viewer => masking::masked(response).await,
            _ => response,
        }
    }

    /// A media file: the first adapter that knows it answers.
    async fn file(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        app: String,
        path: String,
    ) -> Response<Body> {
        let stored = self.stored(&app, &path);
        let hls = hls::Part::of(&path);
        let mut response = match *request.method() {
            Method::GET | Method::HEAD if stored.is_some() || hls.is_some() => {
                let file = hls.map_or(path.as_str(), |(_, file)| file);
                // A picture is its stream's.
                let id = match pictured(&path) {
                    Some(id) => id.to_owned(),
                    None => self.control.vod_stream(&app, file),
                };
                let caller = Caller {
                    protocol: "http",
                    address: peer,
                    headers: Some(request.headers()),
                    query: request.uri().query(),
                    proof: None,
                };
                let action = Action::Play(&app, &id);
                match (self.context.auth.check(action, caller).await, hls) {
                    (Ok(_), Some((part, file))) => {
                        let query = request.uri().query();
                        self.recording_as_hls(&app, file, part, query).await
                    }
                    (Ok(_), None) => {
                        let (place, media_type) = stored.unwrap_or_default();
                        let (method, headers) = (request.method(), request.headers());
                        match self::stored(&place, media_type, method, headers).await {
                            Some(response) => response,
                            None => self.elsewhere(&app, &path, method).await,
                        }
                    }
                    (Err(denied), _) => refusal(denied),
                }
            }
            Method::GET | Method::HEAD => {
                let (head, _) = request.into_parts();
                let query = head.uri.query().map(str::to_owned);
                let file = Arc::new(FileRequest {
                    method: head.method,
                    app,
                    path,
                    query,
                    headers: head.headers,
                    peer,
                });
                let found = self.protocols.iter().find_map(|protocol| {
                    let answer = protocol.clone().file(&self.context, &file)?;
                    Some((protocol.name(), answer))
                });
                match found {
                    Some((protocol, answer)) => {
                        let answer = answer.await;
                        self.count(protocol, &answer);
                        answer.unwrap_or_else(|unavailable| self.unavailable(&unavailable))
                    }
                    None => text(StatusCode::NOT_FOUND, "there is no such file\n"),
                }
            }
            Method::OPTIONS => preflight(),
            _ => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD are allowed here\n",
            ),
        };
        open_to_all_origins(response.headers_mut());
        response
    }

    /// Counts what is sent of media whose length is known; the rest is counted where it is sent.
    fn count(&self, protocol: &'static str, answer: &Result<Response<Body>, Unavailable>) {
        let body = answer.as_ref().ok().map(Response::body);
        if let Some(bytes) = body.and_then(|body| http_body::Body::size_hint(body).exact()) {
            self.context.hub.totals().of(protocol).sent(bytes);
        }
    }

    /// A playlist of a recording, or what stands in front of its segments. What proves who asks is handed on to what the
    /// playlist names.
    async fn recording_as_hls(
        &self,
        app: &str,
        file: &str,
        part: hls::Part,
        query: Option<&str>,
    ) -> Response<Body> {
        let query = query.filter(|query| !query.contains('"'));
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        match self.control.vod_hls(app, file, part, &query).await {
            Ok(bytes) => {
                let mut response = Response::new(Body::from(bytes));
                let media_type = HeaderValue::from_static(part.media_type());
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, media_type);
                response
            }
            Err(error) => {
                tracing::debug!(app, file, %error, "no HLS of a recording");
                text(StatusCode::NOT_FOUND, "there is no such recording\n")
            }
        }
    }

    /// Where a recording is that is not here.
    async fn elsewhere(&self, app: &str, file: &str, method: &Method) -> Response<Body> {
        let link = self.control.vod_link(app, file, method).await;
        let place = link.and_then(|link| HeaderValue::try_from(link.as_str()).ok());
        let Some(place) = place else {
            return text(StatusCode::NOT_FOUND, "there is no such file\n");
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, place);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// A recording or a picture, with its media type.
    fn stored(&self, app: &str, path: &str) -> Option<(PathBuf, &'static str)> {
        let recording = self.control.vod_path(app, path);
        let recording = recording.map(|path| {
            let media_type = media_type(&path.to_string_lossy());
            (path, media_type)
        });
        recording.or_else(|| {
            let id = pictured(path)?;
            self.control.picture(app, id)
        })
    }

    /// The adapter that answers below that word, and the word as that adapter has it.
    fn service(&self, word: &str) -> Option<(Arc<dyn Protocol>, &'static str)> {
        self.protocols.iter().find_map(|protocol| {
            let mut services = protocol.services().iter();
            let service = services.find(|service| **service == word)?;
            Some((protocol.clone(), *service))
        })
    }

    async fn serve(
        &self,
        (protocol, service): (Arc<dyn Protocol>, &'static str),
        request: Request<Incoming>,
        peer: SocketAddr,
        app: String,
        path: String,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut response = if head.method == Method::OPTIONS {
            preflight()
        } else {
            // One that asks for WebSocket has none that would end.
            let is_read = !matches!(head.method, Method::GET | Method::HEAD);
            let body = if is_read {
                http::body(body)
            } else {
                Body::empty()
            };
            match axum::body::to_bytes(body, MAX_BODY).await {
                Ok(body) => {
                    let request = ServiceRequest {
                        method: head.method,
                        app,
                        service,
                        path,
                        query: head.uri.query().map(str::to_owned),
                        headers: head.headers,
                        peer,
                        body,
                    };
                    let answer = protocol.serve(&self.context, request).await;
                    answer.unwrap_or_else(|unavailable| self.unavailable(&unavailable))
                }
                Err(_) => text(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the body is too long or was cut off\n",
                ),
            }
        };
        open_to_all_origins(response.headers_mut());
        response
    }

    /// Tells a player whether waiting makes sense.
    fn unavailable(&self, unavailable: &Unavailable) -> Response<Body> {
        let (status, error) = match unavailable {
            Unavailable::Starting(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            Unavailable::NotLive(name) if self.control.get(name).is_some() => {
                (StatusCode::NOT_FOUND, "not_live")
            }
            Unavailable::NotLive(_) => (StatusCode::NOT_FOUND, "no_such_stream"),
        };
        let body = format!("{{\"error\":\"{error}\"}}\n");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// A management request, if the caller may.
    async fn manage(&self, request: Request<Incoming>, origin: Origin) -> Response<Body> {
        if request.method() == Method::OPTIONS {
            let mut response = preflight();
            open_to_all_origins(response.headers_mut());
            return response;
        }
        let (mut router, path) = (self.management.clone(), request.uri().path());
        if antmedia::signs_in(request.method(), path) {
            let mut request = request.map(http::body);
            request.extensions_mut().insert(origin);
            let Ok(response) = router.call(request).await;
            return response;
        }
        match self.may_manage(&request, origin).await {
            Ok(identity) => {
                let request = request.map(http::body);
                self.managed(router, request, identity).await
            }
            Err(denied) => self::denied(denied),
        }
    }

    /// A call of the server's own API, if the caller may. No other site's page has business here: no CORS.
    async fn own(&self, request: Request<Incoming>, origin: Origin) -> Response<Body> {
        let signs_in = server::signs_in(request.method(), request.uri().path());
        let identity = match self.may_manage(&request, origin).await {
            Ok(identity) => Some(identity),
            Err(_) if signs_in => None,
            Err(denied) => return server::denied(denied),
        };
        let mut request = request.map(http::body);
        request.extensions_mut().insert(origin);
        let mut router = self.own.clone();
        let mut response = match identity.filter(|_| !signs_in) {
            Some(identity) => self.managed(router, request, identity).await,
            None => {
                let Ok(response) = router.call(request).await;
                response
            }
        };
        let no_store = HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(no_store);
        response
    }
}

impl Site {
    /// A call of the API of api.video, if the caller may.
    async fn live_streams(&self, request: Request<Incoming>, origin: Origin) -> Response<Body> {
        let mut response = if request.method() == Method::OPTIONS {
            preflight()
        } else {
            match self.may_manage(&request, origin).await {
                Ok(identity) => {
                    let (router, request) = (self.live_streams.clone(), request.map(http::body));
                    self.managed(router, request, identity).await
                }
                Err(denied @ (Denied::Role(_) | Denied::Reach | Denied::Forged)) => {
                    apivideo::forbidden(&denied.to_string())
                }
                Err(_) => apivideo::unauthorized(),
            }
        };
        apivideo::tell_limits(response.headers_mut());
        open_to_all_origins(response.headers_mut());
        response
    }
}

impl Handler for Current<Site> {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        self.get().answer(request, peer).await
    }
}

/// The application whose REST API a path belongs to.
fn application(path: &str) -> Option<&str> {
    let (app, rest) = path.strip_prefix('/')?.split_once('/')?;
    rest.starts_with("rest/").then_some(app)
}

/// The stream of whose picture that is the path.
fn pictured(path: &str) -> Option<&str> {
    let (id, file) = path.split_once('/')?;
    (file == apivideo::PICTURE).then_some(id)
}

/// A complete file of the server's own, if there is one.
async fn stored(
    path: &Path,
    media_type: &'static str,
    method: &Method,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    match file::respond(path, media_type, method, headers).await {
        Ok(response) => Some(response),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "cannot read a file");
            Some(text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the file cannot be read\n",
            ))
        }
    }
}

/// A short plain answer.
pub fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn denied(denied: Denied) -> Response<Body> {
    let mut response = antmedia::refusal(StatusCode::FORBIDDEN, &denied.to_string());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Players live on other sites' pages; nothing here depends on cookies.
fn open_to_all_origins(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    let exposed = HeaderValue::from_static(
        "Content-Length, Content-Range, Date, ETag, Link, Location, Retry-After, X-RateLimit-Limit, \
         X-RateLimit-Remaining, X-RateLimit-Retry-After",
    );
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, HEAD, OPTIONS, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = HeaderValue::from_static(
        "Accept, Authorization, Content-Type, If-Match, Range, X-Requested-With",
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    );
    response
}

/// Percent-decodes a path. What is not UTF-8 afterwards becomes U+FFFD, which is part of no name.
fn decode(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}
