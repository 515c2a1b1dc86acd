//! The pages: files embedded at build time, served with what browsers should know of them.

use crate::net::http::holds;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use flate2::read::GzDecoder;
use std::io::{self, Read};
use std::sync::OnceLock;

/// A file of `src/panel/web`, or of the packages it names, as the build made it.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    /// Hex digits, without quotes.
    etag: &'static str,
    gzip: &'static [u8],
    /// As it was before it was compressed, once somebody has asked for that.
    raw: &'static OnceLock<Bytes>,
}

impl Asset {
    /// As it was before it was compressed. Hardly anyone asks for that, and it would be a third of all that is embedded; it is
    /// unpacked once, so that a thousand who ask do not take a thousand times as much.
    fn unpacked(&self) -> io::Result<Bytes> {
        if let Some(raw) = self.raw.get() {
            return Ok(raw.clone());
        }
        let mut raw = Vec::new();
        GzDecoder::new(self.gzip).read_to_end(&mut raw)?;
        Ok(self.raw.get_or_init(|| raw.into()).clone())
    }
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// What a page may do: run and load what is ours, and be shown in the frames of other sites if it is the
/// player.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors ";

/// The file of that path, `index.html` for an empty one.
pub fn asset<B>(request: &Request<B>, path: &str) -> Response<Body> {
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return plain(StatusCode::NOT_FOUND, "there is no such page\n");
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are allowed here\n",
        );
    }
    let accepts = |name, value: &str| holds(request.headers(), name, value);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let quoted = format!("\"{}\"", asset.etag);
    let frames = if path == "play.html" { "*" } else { "'self'" };
    let policy = HeaderValue::try_from(format!("{POLICY}{frames}"));
    headers.extend(policy.map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    headers.extend(HeaderValue::try_from(&quoted).map(|etag| (header::ETAG, etag)));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    if accepts(header::IF_NONE_MATCH, &quoted) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let body = if accepts(header::ACCEPT_ENCODING, "gzip") {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Body::from(Bytes::from_static(asset.gzip))
    } else {
        match asset.unpacked() {
            Ok(raw) => Body::from(raw),
            // The build wrote it: it can be read.
            Err(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR, "the page is damaged\n"),
        }
    };
    *response.body_mut() = body;
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, headers: &[(header::HeaderName, &'static str)]) -> Response<Body> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        asset(&request, path)
    }

    #[test]
    fn pages_are_there_with_their_policy() {
        for (path, frames) in [("", "'self'"), ("play.html", "*")] {
            let response = get(path, &[]);
            assert_eq!(response.status(), 200);
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            assert!(
                policy.ends_with(&format!("frame-ancestors {frames}")),
                "{policy}"
            );
        }
        for path in [
            "assets/play.js",
            "assets/hls.mjs",
            "assets/style.css",
            "assets/hls.LICENSE.txt",
        ] {
            assert_eq!(get(path, &[]).status(), 200, "{path}");
        }
        assert_eq!(get("../Cargo.toml", &[]).status(), 404);
    }

    #[test]
    fn the_panel_is_small() {
        let compressed = |path| {
            let asset = ASSETS.iter().find(|asset| asset.path == path);
            asset.unwrap().gzip.len()
        };
        let sizes = ["assets/panel.js", "assets/panel.css"].map(compressed);
        assert!(sizes.iter().sum::<usize>() < 64 << 10, "{sizes:?}");
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let response = get("play.html", &[]);
        let etag = response.headers()[header::ETAG].clone();
        let mut request = Request::new(());
        request.headers_mut().insert(header::IF_NONE_MATCH, etag);
        assert_eq!(asset(&request, "play.html").status(), 304);
    }

    #[test]
    fn every_page_can_be_unpacked() {
        for asset in ASSETS {
            assert!(!asset.unpacked().unwrap().is_empty(), "{}", asset.path);
        }
    }

    #[test]
    fn compressed_only_for_who_takes_it() {
        let encoding = |value| {
            let response = get("assets/hls.mjs", &[(header::ACCEPT_ENCODING, value)]);
            response.headers().get(header::CONTENT_ENCODING).is_some()
        };
        assert!(encoding("deflate, gzip;q=0.8"));
        assert!(!encoding("gzip;q=0"));
        assert!(!encoding("br"));
    }
}
