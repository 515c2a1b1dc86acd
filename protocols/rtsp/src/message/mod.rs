//! Requests and responses (RFC 2326 sections 4 to 7): what they are made of, and writing them.
//!
//! [`Reader`](crate::Reader) reads them from a connection, together with the interleaved frames between them.

mod headers;
pub(crate) mod parse;
mod status;

pub use headers::Headers;
pub use parse::{HeadError, MAX_FIELDS, MAX_HEAD};
pub use status::Status;

use bytes::Bytes;
use std::fmt;

/// The protocol's name and version, on every first line.
pub(crate) const VERSION: &str = "RTSP/1.0";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// What the server can do.
    Options,
    /// What a stream consists of.
    Describe,
    /// The client says what it is about to send.
    Announce,
    /// How one track is carried.
    Setup,
    /// Send.
    Play,
    /// Send no more for now.
    Pause,
    /// Take what is sent.
    Record,
    /// The session is over.
    Teardown,
    /// A parameter's value; without any, a sign of life.
    GetParameter,
    /// Set a parameter.
    SetParameter,
    /// The server sends its client elsewhere.
    Redirect,
    /// Something else.
    Other(String),
}

impl Method {
    const ALL: [Self; 11] = [
        Self::Options,
        Self::Describe,
        Self::Announce,
        Self::Setup,
        Self::Play,
        Self::Pause,
        Self::Record,
        Self::Teardown,
        Self::GetParameter,
        Self::SetParameter,
        Self::Redirect,
    ];

    /// As it is written.
    pub fn name(&self) -> &str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Announce => "ANNOUNCE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Pause => "PAUSE",
            Self::Record => "RECORD",
            Self::Teardown => "TEARDOWN",
            Self::GetParameter => "GET_PARAMETER",
            Self::SetParameter => "SET_PARAMETER",
            Self::Redirect => "REDIRECT",
            Self::Other(name) => name,
        }
    }

    /// From what was written; methods are case-sensitive, but not all peers know.
    pub(crate) fn parse(name: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|method| method.name().eq_ignore_ascii_case(name));
        known.unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of what: an absolute URL, or `*`. Some clients send a path alone.
    pub url: String,
    /// The header fields.
    pub headers: Headers,
    /// What follows them.
    pub body: Bytes,
}

/// A response, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What became of the request.
    pub status: Status,
    /// The same in words.
    pub reason: String,
    /// The header fields.
    pub headers: Headers,
    /// What follows them.
    pub body: Bytes,
}

/// One or the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Request {
    /// Without header fields and body.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// Appends it to `out`. What would break a line in texts is left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let url = word(&self.url);
        let method = word(self.method.name());
        out.extend_from_slice(format!("{method} {url} {VERSION}\r\n").as_bytes());
        write_rest(&self.headers, &self.body, out);
    }
}

impl Response {
    /// With the status's usual reason, and without header fields and body.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            reason: status.reason().to_owned(),
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// Appends it to `out`. What would break a line in texts is left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (status, reason) = (self.status.0, line(&self.reason));
        out.extend_from_slice(format!("{VERSION} {status} {reason}\r\n").as_bytes());
        write_rest(&self.headers, &self.body, out);
    }
}

fn write_rest(headers: &Headers, body: &[u8], out: &mut Vec<u8>) {
    let fields = headers.iter().map(|(name, value)| (word(name), value));
    // What the body's length is, the body says.
    let fields = fields.filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length"));
    for (name, value) in fields {
        out.extend_from_slice(format!("{name}: {}\r\n", line(value)).as_bytes());
    }
    if !body.is_empty() {
        out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// A text that has to stay on its line.
fn line(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim().to_owned()
}

/// A text that has to be one word.
fn word(text: &str) -> String {
    let word: String = text
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .collect();
    if word.is_empty() {
        "*".to_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_by_their_names() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), method);
            assert_eq!(Method::parse(&method.name().to_lowercase()), method);
        }
        assert_eq!(Method::parse("FLUSH"), Method::Other("FLUSH".to_owned()));
    }

    #[test]
    fn what_is_written() {
        let mut request = Request::new(Method::Announce, "rtsp://h/a b\r\n");
        request.headers.push("CSeq", "3");
        request.headers.push("X", "a\r\nEvil: b");
        request.body = Bytes::from_static(b"v=0\r\n");
        let mut out = Vec::new();
        request.write(&mut out);
        let expected = "ANNOUNCE rtsp://h/ab RTSP/1.0\r\nCSeq: 3\r\nX: aEvil: b\r\nContent-Length: 5\r\n\r\nv=0\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        Response::new(Status::UNSUPPORTED_TRANSPORT).write(&mut out);
        assert_eq!(out, b"RTSP/1.0 461 Unsupported Transport\r\n\r\n");
    }
}
