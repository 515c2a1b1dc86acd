//! Files over HTTP: read from the disk as they are sent, one small piece at a time.

use super::http::parse_range;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use std::fs::Metadata;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes read at a time: what one answer keeps in memory.
const PIECE: usize = 128 << 10;

/// The file, or the one range of it that is asked for (RFC 9110 section 14). Several ranges at once, which a
/// server may ignore, get the whole, as does a range of another version of the file (`If-Range`).
///
/// # Errors
/// When the file cannot be opened; `NotFound` also for what is no file.
pub async fn respond(
    path: &Path,
    content_type: &'static str,
    method: &Method,
    headers: &HeaderMap,
) -> io::Result<Response<Body>> {
    let mut file = tokio::fs::File::open(path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let length = metadata.len();
    let tag = entity_tag(&metadata);
    let Answer {
        mut response,
        start,
        end,
    } = answer(length, tag, content_type, headers);
    if start < end && method != Method::HEAD {
        file.seek(SeekFrom::Start(start)).await?;
        let part = file.take(end.saturating_sub(start));
        *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(part, PIECE));
    }
    Ok(response)
}

/// An answer without its body, and which bytes belong there.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What is answered of so many bytes, known by that tag.
pub(super) fn answer(
    length: u64,
    tag: HeaderValue,
    content_type: &'static str,
    headers: &HeaderMap,
) -> Answer {
    let same = headers
        .get(header::IF_RANGE)
        .is_none_or(|known| *known == tag);
    let range = headers
        .get(header::RANGE)
        .filter(|_| same)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| parse_range(range, length));
    let mut response = Response::new(Body::empty());
    let mut content_range = None;
    let (start, end) = match range {
        None => (0, length),
        Some(Ok((start, end))) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            content_range = Some(format!("bytes {start}-{}/{length}", end.saturating_sub(1)));
            (start, end)
        }
        Some(Err(_)) => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            content_range = Some(format!("bytes */{length}"));
            (0, 0)
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(end.saturating_sub(start)),
    );
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, tag);
    if let Some(range) = content_range {
        headers.extend(HeaderValue::try_from(range).map(|range| (header::CONTENT_RANGE, range)));
    }
    Answer {
        response,
        start,
        end,
    }
}

/// Another one for another length or time of change.
fn entity_tag(metadata: &Metadata) -> HeaderValue {
    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = changed
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len());
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn ask(
        path: &Path,
        method: Method,
        headers: &[(header::HeaderName, &str)],
    ) -> (u16, String, String, String) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::try_from(*value).unwrap()));
        let response = respond(path, "video/mp4", &method, &headers.collect())
            .await
            .unwrap();
        let header = |name| {
            response
                .headers()
                .get(name)
                .map_or("", |value: &HeaderValue| value.to_str().unwrap())
                .to_owned()
        };
        let (length, range) = (
            header(header::CONTENT_LENGTH),
            header(header::CONTENT_RANGE),
        );
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            String::from_utf8(body.to_vec()).unwrap(),
            length,
            range,
        )
    }

    #[tokio::test]
    async fn ranges_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        std::fs::write(&path, "abcdefg").unwrap();
        let cases = [
            ("bytes=0-2", 206, "abc", "3", "bytes 0-2/7"),
            ("bytes=4-", 206, "efg", "3", "bytes 4-6/7"),
            ("bytes=-2", 206, "fg", "2", "bytes 5-6/7"),
            ("bytes=7-", 416, "", "0", "bytes */7"),
            ("bytes=0-1,3-4", 200, "abcdefg", "7", ""),
        ];
        for (range, status, body, length, content_range) in cases {
            let found = ask(&path, Method::GET, &[(header::RANGE, range)]).await;
            assert_eq!(
                found,
                (status, body.into(), length.into(), content_range.into()),
                "{range}"
            );
            let found = ask(&path, Method::HEAD, &[(header::RANGE, range)]).await;
            assert_eq!(
                found,
                (status, String::new(), length.into(), content_range.into()),
                "{range}"
            );
        }
        let stale = [
            (header::RANGE, "bytes=0-2"),
            (header::IF_RANGE, "\"another\""),
        ];
        assert_eq!(ask(&path, Method::GET, &stale).await.0, 200);
        let missing = respond(folder.path(), "video/mp4", &Method::GET, &HeaderMap::new()).await;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
