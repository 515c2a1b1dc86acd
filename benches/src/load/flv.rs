//! Players by HTTP-FLV: one request, and an answer without an end.

use super::Shared;
use super::viewer::Viewer;
use crate::error::{Context as _, Error, Result};
use crate::servers::flv_path;
use ::flv::file::Reader;
use memchr::memmem;
use tokio::io::AsyncWriteExt as _;

/// Longest head of an answer.
const MAX_HEAD: usize = 8 << 10;

/// Plays until the connection ends, which is an error.
pub(super) async fn play(shared: &Shared) -> Result<()> {
    let viewer = Viewer::new(&shared.tally);
    let mut socket = shared.connect().await?;
    let (path, host) = (flv_path(), shared.address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\n\r\n");
    let sent = socket.write_all(request.as_bytes()).await;
    sent.context("the connection broke")?;
    let mut reader = Reader::new();
    let mut head = Some(Vec::new());
    loop {
        let read = shared.read(&mut socket, |bytes| match &mut head {
            None => reader.push(bytes).context("that is not FLV"),
            Some(so_far) => {
                so_far.extend_from_slice(bytes);
                match memmem::find(so_far, b"\r\n\r\n") {
                    Some(end) => {
                        let body = so_far.split_off(end + 4);
                        let answer = String::from_utf8_lossy(so_far);
                        if !answer.starts_with("HTTP/1.1 200 ") {
                            let line = answer.lines().next().unwrap_or_default();
                            return Err(Error::new(format!("the server answers {line:?}")));
                        }
                        head = None;
                        reader.push(&body).context("that is not FLV")
                    }
                    None if so_far.len() > MAX_HEAD => Err(Error::new("the head has no end")),
                    None => Ok(()),
                }
            }
        });
        read.await??;
        while let Some(tag) = reader.pull() {
            if let Some(stamp) = Viewer::stamp(&tag.body) {
                viewer.unit(&stamp);
            }
        }
    }
}
