//! HTTP/1.1 as far as the tests need it (RFC 9112): one request a connection, every byte of it as it is told.

use crate::address::Address;
use crate::context::{Context, Outcome, ensure, failed};
use crate::wire::Tcp;
use std::time::Instant;

/// Longest answer that is read.
const LONGEST: usize = 16 << 20;

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A field of the head of an answer, of HTTP or RTSP.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

/// Path and query of a URL.
pub(crate) fn target(address: &Address) -> String {
    let path = if address.path.is_empty() {
        "/"
    } else {
        &address.path
    };
    if address.query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", address.query)
    }
}

/// A request and its answer.
pub(crate) fn ask(
    context: &Context,
    address: &Address,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> Outcome<Response> {
    let mut wire = context.tcp(address)?;
    send(&mut wire, address, method, target, fields, body)?;
    answer(&mut wire, &format!("the answer to {method} {target}"))
}

/// A GET of the target's own URL, or another of the same server.
pub(crate) fn get(context: &Context, address: &Address, target: &str) -> Outcome<Response> {
    ask(context, address, "GET", target, &[], "")
}

pub(crate) fn send(
    wire: &mut Tcp,
    address: &Address,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> Outcome {
    let host = &address.host;
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    wire.send(request.as_bytes())
}

/// Reads an answer.
pub(crate) fn answer(wire: &mut Tcp, what: &str) -> Outcome<Response> {
    let head = wire.take_until(b"\r\n\r\n", what)?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5)?.parse().ok());
    let status =
        status.ok_or_else(|| failed(format!("{what} begins with {:?}", head.lines().next())))?;
    let mut response = Response {
        status,
        head,
        body: Vec::new(),
    };
    if let Some(length) = response
        .field("Content-Length")
        .and_then(|length| length.parse().ok())
    {
        ensure!(length <= LONGEST, "{what} has {length} bytes");
        response.body = wire.take(length, &format!("the body of {what}"))?;
        return Ok(response);
    }
    let deadline = Instant::now() + wire.limit;
    while wire
        .receive(deadline.saturating_duration_since(Instant::now()))
        .is_some()
    {
        ensure!(Instant::now() < deadline, "{what} does not end");
        ensure!(wire.buffer.len() < LONGEST, "{what} does not end");
    }
    response.body = std::mem::take(&mut wire.buffer);
    if response
        .field("Transfer-Encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        response.body = joined(&response.body);
    }
    Ok(response)
}

/// The content of chunks (RFC 9112 section 7.1), as far as they are whole.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(at) = chunks.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&chunks[..at]).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
        let rest = chunks.get(at + 2..).unwrap_or_default();
        let (Ok(size), true) = (size, !rest.is_empty()) else {
            break;
        };
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        content.extend_from_slice(chunk);
        chunks = rest.get(size + 2..).unwrap_or_default();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        assert_eq!(joined(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(joined(b"ff\r\nabc"), b"");
        assert_eq!(joined(b"what"), b"");
    }
}
