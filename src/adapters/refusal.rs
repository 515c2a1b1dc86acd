//! The answer over HTTP to who may not play.

use crate::auth::Denied;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

/// Asks for a login (RFC 7617) where one would help: browsers then ask their user for it.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Millstream\", charset=\"UTF-8\"");

/// The reason in words, and nothing for a cache.
pub(crate) fn refusal(denied: Denied) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{denied}\n")));
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if denied == Denied::Login {
        headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    } else {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_asked_for_where_one_would_help() {
        let cases = [
            (Denied::Login, 401, true),
            (Denied::Token, 403, false),
            (Denied::NotLocal, 403, false),
        ];
        for (denied, status, asks) in cases {
            let response = refusal(denied);
            assert_eq!(response.status(), status);
            let headers = response.headers();
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), asks);
        }
    }
}
