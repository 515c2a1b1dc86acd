//! Texts over HTTP that many ask for: compressed once, and sent to nobody who has them.

use super::http::holds;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::OnceLock;

/// Shorter texts are sent as they are: they fit one packet or little more.
const WORTH_COMPRESSING: usize = 1 << 10;

/// What Brotli may try, of 11, and the window it looks into, as a power of two: a playlist is some kB, and made anew
/// with each part.
const BROTLI_QUALITY: i32 = 4;
const BROTLI_WINDOW: i32 = 16;

/// A text with the forms that it is sent in.
#[derive(Debug)]
pub struct Text {
    plain: Bytes,
    /// Stands for all forms.
    tag: String,
    /// Made for the first who accepts them.
    forms: [OnceLock<Option<Bytes>>; CODINGS.len()],
}

/// A content coding (RFC 9110 section 8.4.1).
struct Coding {
    name: &'static str,
    compress: fn(&[u8]) -> io::Result<Bytes>,
}

/// The best one first.
const CODINGS: [Coding; 2] = [
    Coding {
        name: "br",
        compress: brotli,
    },
    Coding {
        name: "gzip",
        compress: gzip,
    },
];

impl Text {
    /// Of that.
    pub fn new(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self {
            plain: text.into(),
            tag: format!("\"{:016x}\"", hasher.finish()),
            forms: Default::default(),
        }
    }

    /// As it was given.
    pub const fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The answer to a request with these headers: compressed where the client accepts that, and without a body where
    /// it has the same text already (RFC 9110 section 13.1.2). The tag is a weak one, as it stands for all forms.
    pub fn respond(&self, headers: &HeaderMap) -> Response<Body> {
        let tag = &self.tag;
        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        answer.extend(HeaderValue::try_from(format!("W/{tag}")).map(|tag| (header::ETAG, tag)));
        answer.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if holds(headers, header::IF_NONE_MATCH, tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let mut codings = CODINGS.iter().zip(&self.forms);
        let accepted =
            codings.find(|(coding, _)| holds(headers, header::ACCEPT_ENCODING, coding.name));
        let compressed = accepted.and_then(|(coding, form)| {
            let bytes = form.get_or_init(|| self.compressed(coding)).as_ref()?;
            Some((coding.name, bytes))
        });
        if let Some((name, _)) = compressed {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        let body = compressed.map_or(&self.plain, |(_, bytes)| bytes);
        *response.body_mut() = Body::from(body.clone());
        response
    }

    fn compressed(&self, coding: &Coding) -> Option<Bytes> {
        let worth_it = self.plain.len() >= WORTH_COMPRESSING;
        worth_it
            .then(|| (coding.compress)(&self.plain).ok())
            .flatten()
    }
}

fn gzip(text: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish().map(Bytes::from)
}

fn brotli(text: &[u8]) -> io::Result<Bytes> {
    let parameters = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        size_hint: text.len(),
        ..BrotliEncoderParams::default()
    };
    let compressed = Vec::with_capacity(text.len() / 4);
    let mut encoder = CompressorWriter::with_params(compressed, text.len(), &parameters);
    encoder.write_all(text)?;
    encoder.flush()?;
    Ok(encoder.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use std::io::Read;

    async fn ask(text: &Text, name: header::HeaderName, value: &str) -> (u16, String, Vec<u8>) {
        let headers = HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())]);
        let response = text.respond(&headers);
        assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
        let status = response.status().as_u16();
        let coding = response.headers().get(header::CONTENT_ENCODING);
        let coding = coding.map_or_else(String::new, |coding| coding.to_str().unwrap().into());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, coding, body.to_vec())
    }

    #[tokio::test]
    async fn long_texts_are_compressed_for_who_accepts_it() {
        let long = "#EXTINF:2.00000,\nvideo_1.m4s\n".repeat(100);
        let text = Text::new(long.clone());
        for (accepted, expected) in [
            ("gzip, deflate, br", "br"),
            ("br;q=0, gzip;q=0.5", "gzip"),
            ("gzip;q=0", ""),
            ("identity", ""),
        ] {
            let (status, coding, body) = ask(&text, header::ACCEPT_ENCODING, accepted).await;
            assert_eq!((status, coding.as_str()), (200, expected), "{accepted}");
            let mut read = String::new();
            match expected {
                "br" => brotli::Decompressor::new(&body[..], 4096).read_to_string(&mut read),
                "gzip" => GzDecoder::new(&body[..]).read_to_string(&mut read),
                _ => (&body[..]).read_to_string(&mut read),
            }
            .unwrap();
            assert_eq!(read, long);
            assert_eq!(body.len() < long.len() / 5, !expected.is_empty());
        }
        let short = Text::new("#EXTM3U\n".into());
        let found = ask(&short, header::ACCEPT_ENCODING, "gzip").await;
        assert_eq!(found, (200, String::new(), b"#EXTM3U\n".to_vec()));
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
