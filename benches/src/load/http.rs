//! The least of HTTP/1.1: one request after another on a kept connection, bodies of known length.

use super::Shared;
use crate::error::{Context as _, Error, Result};
use memchr::memmem;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest head of a response.
const MAX_HEAD: usize = 8 << 10;
/// How long a response may take, a held one included.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the server.
pub(crate) struct Client<'a> {
    shared: &'a Shared,
    socket: TcpStream,
}

impl<'a> Client<'a> {
    pub(crate) async fn connect(shared: &'a Shared) -> Result<Self> {
        let socket = shared.connect().await?;
        Ok(Self { shared, socket })
    }

    /// The body as text.
    pub(crate) async fn text(&mut self, path: &str) -> Result<String> {
        String::from_utf8(self.bytes(path).await?).context("a playlist is not text")
    }

    /// The body in one piece.
    pub(crate) async fn bytes(&mut self, path: &str) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        self.get(path, |piece| body.extend_from_slice(piece))
            .await?;
        Ok(body)
    }

    /// Passes the body on in pieces. Anything but 200 is an error.
    pub(crate) async fn get(&mut self, path: &str, take: impl FnMut(&[u8])) -> Result<()> {
        self.request("GET", path, "Accept: */*\r\n\r\n", "200", take)
            .await
    }

    /// Sends a body of this type, and gives the one that comes back. Anything but 201 is an error.
    pub(super) async fn post(&mut self, path: &str, kind: &str, body: &str) -> Result<String> {
        let length = body.len();
        let rest = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut answer = Vec::new();
        self.request("POST", path, &rest, "201", |piece| {
            answer.extend_from_slice(piece);
        })
        .await?;
        String::from_utf8(answer).context("an answer is not text")
    }

    /// `rest` is what follows the headers that all requests have.
    async fn request(
        &mut self,
        method: &str,
        path: &str,
        rest: &str,
        status: &str,
        take: impl FnMut(&[u8]),
    ) -> Result<()> {
        let host = self.shared.address;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\n{rest}");
        timeout(PATIENCE, self.exchange(&request, path, status, take))
            .await
            .unwrap_or_else(|_| Err(Error::new(format!("no answer for {path} in 20 s"))))
    }

    async fn exchange(
        &mut self,
        request: &str,
        path: &str,
        status: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<()> {
        let Self { shared, socket } = self;
        let sent = socket.write_all(request.as_bytes()).await;
        sent.context("the connection broke")?;
        let mut head = Vec::new();
        let mut left = loop {
            let found = shared.read(socket, |bytes| {
                let before = head.len();
                head.extend_from_slice(bytes);
                let end = memmem::find(&head, b"\r\n\r\n")? + 4;
                let length = content_length(head.get(..end)?, status);
                let body = bytes.get(end - before..).unwrap_or_default();
                take(body);
                Some(length.map(|length| length.checked_sub(body.len() as u64)))
            });
            match found.await? {
                Some(length) => {
                    let length = length.map_err(|why| Error::new(format!("{path}: {why}")))?;
                    break length.ok_or_else(|| Error::new("more came than was asked for"))?;
                }
                None if head.len() > MAX_HEAD => return Err(Error::new("the head has no end")),
                None => {}
            }
        };
        while left > 0 {
            let read = shared.read(socket, |bytes| {
                take(bytes);
                bytes.len() as u64
            });
            left = left
                .checked_sub(read.await?)
                .ok_or_else(|| Error::new("more came than was asked for"))?;
        }
        Ok(())
    }
}

/// Length of the body after this head, or what is wrong with it.
fn content_length(head: &[u8], expected: &str) -> std::result::Result<u64, String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some(expected) {
        return Err(format!("the server answers {status:?}"));
    }
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(|| "the server does not say how long the answer is".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_understood_as_far_as_is_needed() {
        let cases = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n", Some(12)),
            (
                "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length:0\r\n\r\n",
                Some(0),
            ),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("", None),
        ];
        for (head, length) in cases {
            let found = content_length(head.as_bytes(), "200").ok();
            assert_eq!(found, length, "{head:?}");
        }
    }
}
