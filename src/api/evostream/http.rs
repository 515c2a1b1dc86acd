//! Commands over HTTP: `GET /FUNCTION?params=BASE64`, answered with status 200 whatever they come to.

use super::{Answer, Command, Door};
use crate::auth::{Action, Caller};
use crate::net::http::Handler;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::net::SocketAddr;

/// Connections at a time; more wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 256;

impl Handler for Door {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let query = request.uri().query();
        let caller = Caller {
            protocol: "evostream",
            address: peer,
            headers: Some(request.headers()),
            query,
            proof: None,
        };
        if let Err(denied) = self.context.auth.check(Action::Manage, caller) {
            return respond(StatusCode::FORBIDDEN, &Answer::failure(denied.to_string()));
        }
        if request.method() != Method::GET {
            let answer = Answer::failure("Functions are called with GET");
            return respond(StatusCode::METHOD_NOT_ALLOWED, &answer);
        }
        let function = request.uri().path().trim_matches('/');
        let mut pairs = query.unwrap_or_default().split('&');
        let params = pairs.find_map(|pair| pair.strip_prefix("params="));
        let command = Command::of_url(function, params.unwrap_or_default());
        respond(StatusCode::OK, &self.answer(command).await)
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
