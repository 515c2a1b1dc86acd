//! A file over HTTP that is put together while it is sent: a head from memory, and pieces of other files.

use super::file::{Answer, answer};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use bytes::Bytes;
use futures_util::stream;
use mp4::index::Piece;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes read at a time: what one answer keeps in memory beside its head.
const PIECE: usize = 256 << 10;

/// A file that pieces are read from. Reading may block.
pub trait Source: Send {
    /// Fills `bytes` from `at` on.
    ///
    /// # Errors
    /// When they are not there.
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for File {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, at)
    }
}

/// Opens a file by its number.
pub type Open = Arc<dyn Fn(u32) -> io::Result<Box<dyn Source>> + Send + Sync>;

/// What is sent.
struct Sending {
    head: Bytes,
    pieces: std::vec::IntoIter<Piece>,
    /// What is left of the piece that is being sent.
    piece: Option<Piece>,
    /// The file that was read last.
    file: Option<(u32, Box<dyn Source>)>,
    open: Open,
    /// Bytes that are passed over, and then sent.
    skip: u64,
    left: u64,
}

/// The whole, or the one range of it that is asked for, as `file::respond` does.
pub fn respond(
    head: Bytes,
    pieces: Vec<Piece>,
    open: Open,
    content_type: &'static str,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Body> {
    let media: u64 = pieces.iter().map(|piece| piece.length).sum();
    let length = media.saturating_add(head.len() as u64);
    // The head says where everything is.
    let mut hasher = DefaultHasher::new();
    head.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}-{length:x}\"", hasher.finish()));
    let tag = tag.unwrap_or_else(|_| HeaderValue::from_static("\"0\""));
    let Answer {
        mut response,
        start,
        end,
    } = answer(length, tag, content_type, headers);
    if start < end && method != Method::HEAD {
        let sending = Sending {
            head,
            pieces: pieces.into_iter(),
            piece: None,
            file: None,
            open,
            skip: start,
            left: end.saturating_sub(start),
        };
        *response.body_mut() = Body::from_stream(stream::try_unfold(sending, next));
    }
    response
}

async fn next(sending: Sending) -> io::Result<Option<(Bytes, Sending)>> {
    let read = tokio::task::spawn_blocking(move || {
        let mut sending = sending;
        let bytes = sending.read()?;
        Ok((!bytes.is_empty()).then_some((bytes, sending)))
    });
    read.await.map_err(io::Error::other)?
}

impl Sending {
    /// What comes next; nothing at the end.
    fn read(&mut self) -> io::Result<Bytes> {
        if !self.head.is_empty() {
            let mut head = std::mem::take(&mut self.head);
            let skipped =
                usize::try_from(self.skip).map_or(head.len(), |skip| skip.min(head.len()));
            self.skip = self.skip.saturating_sub(skipped as u64);
            let _ = head.split_to(skipped);
            head.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left = self.left.saturating_sub(head.len() as u64);
            if !head.is_empty() {
                return Ok(head);
            }
        }
        let room = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut bytes = vec![0; room];
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let Some(mut piece) = self.piece.take().or_else(|| self.pieces.next()) else {
                return Err(io::Error::other(
                    "the pieces are shorter than they should be",
                ));
            };
            let skipped = self.skip.min(piece.length);
            self.skip = self.skip.saturating_sub(skipped);
            piece.at = piece.at.saturating_add(skipped);
            piece.length = piece.length.saturating_sub(skipped);
            let count =
                usize::try_from(piece.length).map_or(rest.len(), |length| length.min(rest.len()));
            if count == 0 {
                continue;
            }
            let (now, later) = rest.split_at_mut(count);
            self.open(piece.source)?.read_exact_at(now, piece.at)?;
            rest = later;
            piece.at = piece.at.saturating_add(count as u64);
            piece.length = piece.length.saturating_sub(count as u64);
            self.piece = (piece.length > 0).then_some(piece);
        }
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(bytes.into())
    }

    fn open(&mut self, source: u32) -> io::Result<&dyn Source> {
        let known = self.file.take().filter(|(known, _)| *known == source);
        let file = match known {
            Some((_, file)) => file,
            None => (self.open)(source)?,
        };
        Ok(&*self.file.insert((source, file)).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn every_range_of_what_is_put_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = |source: u32| folder.path().join(source.to_string());
        std::fs::write(path(0), "0123456789").unwrap();
        std::fs::write(path(1), "abcdefghij").unwrap();
        let piece = |source, at, length| Piece { source, at, length };
        let pieces = vec![
            piece(0, 2, 3),
            piece(1, 0, 1),
            piece(0, 8, 2),
            piece(1, 5, 4),
        ];
        let whole = "HEAD234a89fghi";
        let base = folder.path().to_owned();
        let open: Open =
            Arc::new(move |source| Ok(Box::new(File::open(base.join(source.to_string()))?)));
        let ask = async |method: Method, range: Option<String>| {
            let mut headers = HeaderMap::new();
            headers
                .extend(range.map(|range| (header::RANGE, HeaderValue::try_from(range).unwrap())));
            let head = Bytes::from_static(b"HEAD");
            let response = respond(
                head,
                pieces.clone(),
                open.clone(),
                "video/mp4",
                &method,
                &headers,
            );
            let status = response.status().as_u16();
            let length = response.headers()[header::CONTENT_LENGTH]
                .to_str()
                .unwrap()
                .to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, length, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(
            ask(Method::GET, None).await,
            (200, "14".into(), whole.into())
        );
        assert_eq!(
            ask(Method::HEAD, None).await,
            (200, "14".into(), String::new())
        );
        for from in 0..whole.len() {
            for to in from..whole.len() {
                let found = ask(Method::GET, Some(format!("bytes={from}-{to}"))).await;
                let expected = &whole[from..=to];
                assert_eq!(
                    found,
                    (206, expected.len().to_string(), expected.into()),
                    "{from} {to}"
                );
            }
        }
        assert_eq!(ask(Method::GET, Some("bytes=14-".into())).await.0, 416);
    }
}
