//! Texts over HTTP that many ask for: compressed once, and sent to nobody who has them.

use super::http::holds;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::OnceLock;

/// Shorter texts are sent as they are: they fit one packet or little more.
const WORTH_COMPRESSING: usize = 1 << 10;

/// A text with the forms that it is sent in.
#[derive(Debug)]
pub struct Text {
    plain: Bytes,
    /// Made for the first who accepts it.
    gzip: OnceLock<Option<Bytes>>,
}

impl Text {
    /// Of that.
    pub fn new(text: String) -> Self {
        Self {
            plain: text.into(),
            gzip: OnceLock::new(),
        }
    }

    /// As it was given.
    pub const fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The answer to a request with these headers: compressed where the client accepts that, and without a body where
    /// it has the same text already (RFC 9110 section 13.1.2). The tag is a weak one, as it stands for both forms.
    pub fn respond(&self, headers: &HeaderMap) -> Response<Body> {
        let mut hasher = DefaultHasher::new();
        self.plain.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        answer.extend(HeaderValue::try_from(format!("W/{tag}")).map(|tag| (header::ETAG, tag)));
        answer.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if holds(headers, header::IF_NONE_MATCH, &tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let gzip = match holds(headers, header::ACCEPT_ENCODING, "gzip") {
            true => self.gzip(),
            false => None,
        };
        if gzip.is_some() {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *response.body_mut() = Body::from(gzip.unwrap_or(&self.plain).clone());
        response
    }

    fn gzip(&self) -> Option<&Bytes> {
        let made = self.gzip.get_or_init(|| {
            let worth_it = self.plain.len() >= WORTH_COMPRESSING;
            worth_it.then(|| compressed(&self.plain).ok()).flatten()
        });
        made.as_ref()
    }
}

fn compressed(text: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use std::io::Read;

    async fn ask(text: &Text, name: header::HeaderName, value: &str) -> (u16, bool, Vec<u8>) {
        let headers = HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())]);
        let response = text.respond(&headers);
        assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
        let status = response.status().as_u16();
        let gzip = response.headers().contains_key(header::CONTENT_ENCODING);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, gzip, body.to_vec())
    }

    #[tokio::test]
    async fn long_texts_are_compressed_for_who_accepts_it() {
        let long = "#EXTINF:2.00000,\nvideo_1.m4s\n".repeat(100);
        let text = Text::new(long.clone());
        for (accepted, gzip) in [
            ("gzip, deflate, br", true),
            ("br;q=1, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
        ] {
            let (status, is_gzip, body) = ask(&text, header::ACCEPT_ENCODING, accepted).await;
            assert_eq!((status, is_gzip), (200, gzip), "{accepted}");
            let mut read = String::new();
            match gzip {
                true => GzDecoder::new(&body[..]).read_to_string(&mut read),
                false => (&body[..]).read_to_string(&mut read),
            }
            .unwrap();
            assert_eq!(read, long);
            assert_eq!(body.len() < long.len() / 5, gzip);
        }
        let short = Text::new("#EXTM3U\n".into());
        let found = ask(&short, header::ACCEPT_ENCODING, "gzip").await;
        assert_eq!(found, (200, false, b"#EXTM3U\n".to_vec()));
    }

    #[tokio::test]
    async fn who_has_the_text_is_not_sent_it_again() {
        let text = Text::new("#EXTM3U\n".into());
        let tag = text.respond(&HeaderMap::new()).headers()[header::ETAG].clone();
        let tag = tag.to_str().unwrap();
        let cases = [
            (tag.to_owned(), 304),
            (tag.trim_start_matches("W/").to_owned(), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 200),
            ("\"other\"".to_owned(), 200),
        ];
        for (known, status) in cases {
            let found = ask(&text, header::IF_NONE_MATCH, &known).await;
            assert_eq!(
                (found.0, found.2.is_empty()),
                (status, status == 304),
                "{known}"
            );
        }
        let other = Text::new("#EXTM3U\n\n".into());
        assert_eq!(ask(&other, header::IF_NONE_MATCH, tag).await.0, 200);
    }
}
