//! Commands over HTTP: `GET /FUNCTION?params=BASE64`, answered with status 200 whatever they come to.

use super::{Answer, Command, Door};
use crate::api::rights;
use crate::auth::{Denied, Role, Visit};
use crate::net::http::Handler;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::net::SocketAddr;

/// Connections at a time; more wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 256;

impl Handler for Door {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let function = request.uri().path().trim_matches('/');
        let needed = rights::of_function(function);
        let changes = needed > Role::Viewer;
        let auth = &self.context.auth;
        let visit = Visit {
            origin: auth.origin(peer, false, request.headers()),
            headers: Some(request.headers()),
            // What changes something is a GET here, and a cookie is for the panel's port.
            takes_cookies: false,
            changes,
            application: None,
        };
        let identity = auth.identify(&visit).await;
        let identity = identity.and_then(|identity| match () {
            () if identity.role < needed => Err(Denied::Role(needed)),
            // The streams are those of all applications.
            () if !identity.reach.covers(None) => Err(Denied::Reach),
            () => Ok(identity),
        });
        let identity = match identity {
            Ok(identity) => identity,
            Err(denied) => {
                return respond(StatusCode::FORBIDDEN, &Answer::failure(denied.to_string()));
            }
        };
        if request.method() != Method::GET {
            let answer = Answer::failure("Functions are called with GET");
            return respond(StatusCode::METHOD_NOT_ALLOWED, &answer);
        }
        let mut pairs = request.uri().query().unwrap_or_default().split('&');
        let params = pairs.find_map(|pair| pair.strip_prefix("params="));
        let command = Command::of_url(function, params.unwrap_or_default());
        let mut answer = self.answer(command).await;
        if changes {
            auth.audit()
                .add(&identity, function, StatusCode::OK.as_u16())
                .await;
        }
        if identity.role == Role::Viewer {
            answer.mask();
        }
        respond(StatusCode::OK, &answer)
    }
}

fn respond(status: StatusCode, answer: &Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.text()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
