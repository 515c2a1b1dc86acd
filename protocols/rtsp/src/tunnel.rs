//! RTSP through HTTP, as QuickTime began it and cameras still do it: what the client says goes as base64 in the
//! body of a POST, what the server says comes as it is in the answer to a GET. A cookie ties the two connections
//! together.
//!
//! A client makes both with [`Opening::request`], sends what is [`encode`]d on the second and reads the first
//! behind what [`answer`] takes. A server reads both with [`Opening::parse`], answers the first with [`ACCEPTED`],
//! or either with [`REFUSED`], and reads the second through a [`Decoder`].

use crate::message::Headers;
use crate::message::parse::{self, HeadError, MAX_HEAD};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The answer to a GET, after which the server speaks RTSP. A POST is not answered.
pub const ACCEPTED: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\n\
    Pragma: no-cache\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n";

/// The answer to a GET or POST that cannot be one half of a tunnel.
pub const REFUSED: &[u8] =
    b"HTTP/1.0 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Longest cookie, in bytes.
const MAX_COOKIE: usize = 128;

/// One of the two connections of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// On which the server speaks.
    Get,
    /// On which the client speaks.
    Post,
}

/// The request with which a connection of a tunnel begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which of the two.
    pub half: Half,
    /// Path and query.
    pub path: String,
    /// The same on both connections, and on no others.
    pub cookie: String,
}

/// Why there is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    /// Not an HTTP request or answer.
    #[error("not HTTP: {0}")]
    Head(#[from] HeadError),
    /// Longer than [`MAX_HEAD`].
    #[error("the head of an HTTP message is longer than {MAX_HEAD} bytes")]
    TooLong,
    /// A request of HTTP that is for no tunnel.
    #[error("an HTTP request without a session cookie")]
    NoCookie,
    /// The server refused.
    #[error("the HTTP server answers with {0}")]
    Refused(u16),
    /// Something in the body of a POST that is not base64.
    #[error("not base64 in the body of a POST")]
    Encoding,
}

impl Opening {
    /// Reads the request at the beginning of a connection and says how long it is; `None` when there is more to
    /// come. What follows belongs to the tunnel.
    ///
    /// # Errors
    /// Why it is for no tunnel.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, TunnelError> {
        let Some((text, length)) = head(bytes)? else {
            return Ok(None);
        };
        let mut lines = parse::lines(&text);
        let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
        let half = match words.next() {
            Some("GET") => Half::Get,
            Some("POST") => Half::Post,
            _ => return Err(HeadError::FirstLine.into()),
        };
        let path = words.next().ok_or(HeadError::FirstLine)?;
        let is_http = words
            .next()
            .is_some_and(|version| version.starts_with("HTTP/1."));
        if !is_http {
            return Err(HeadError::FirstLine.into());
        }
        let mut headers = Headers::default();
        parse::fields(lines, &mut headers)?;
        let cookie = headers.get("x-sessioncookie").unwrap_or_default();
        if cookie.is_empty() || cookie.len() > MAX_COOKIE {
            return Err(TunnelError::NoCookie);
        }
        let opening = Self {
            half,
            path: path.to_owned(),
            cookie: cookie.to_owned(),
        };
        Ok(Some((opening, length)))
    }

    /// The request for this host, to be sent first on its connection.
    pub fn request(&self, host: &str) -> Vec<u8> {
        let printable =
            |text: &str| -> String { text.chars().filter(|c| c.is_ascii_graphic()).collect() };
        let (host, path) = (printable(host), printable(&self.path));
        let cookie = printable(&self.cookie);
        let (verb, fields) = match self.half {
            Half::Get => ("GET", "Accept: application/x-rtsp-tunnelled\r\n"),
            // A length has to be there. It means nothing, and neither does the date.
            Half::Post => (
                "POST",
                "Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\n\
                 Expires: Sun, 9 Jan 1972 00:00:00 GMT\r\n",
            ),
        };
        format!(
            "{verb} {path} HTTP/1.0\r\nHost: {host}\r\nx-sessioncookie: {cookie}\r\n{fields}\
             Pragma: no-cache\r\nCache-Control: no-cache\r\n\r\n"
        )
        .into_bytes()
    }
}

/// Reads the answer to a GET and says how long it is; `None` when there is more to come.
///
/// # Errors
/// Why there is no tunnel.
pub fn answer(bytes: &[u8]) -> Result<Option<usize>, TunnelError> {
    let Some((text, length)) = head(bytes)? else {
        return Ok(None);
    };
    let mut words = text.split_ascii_whitespace();
    let is_http = words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().and_then(|status| status.parse().ok());
    match status.filter(|_| is_http) {
        Some(200..=299) => Ok(Some(length)),
        Some(status) => Err(TunnelError::Refused(status)),
        None => Err(HeadError::FirstLine.into()),
    }
}

/// What is sent in the body of the POST for these bytes.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes the body of a POST: pieces of base64, one after the other, each with its padding.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    group: Vec<u8>,
}

impl Decoder {
    /// The bytes that are whole with these characters.
    ///
    /// # Errors
    /// When they are not base64.
    pub fn decode(&mut self, text: &[u8]) -> Result<Vec<u8>, TunnelError> {
        let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
        for character in text
            .iter()
            .filter(|character| !character.is_ascii_whitespace())
        {
            self.group.push(*character);
            if self.group.len() == 4 {
                let decoded = STANDARD.decode_vec(&self.group, &mut out);
                decoded.map_err(|_| TunnelError::Encoding)?;
                self.group.clear();
            }
        }
        Ok(out)
    }
}

/// The head of an HTTP message, and its length.
fn head(bytes: &[u8]) -> Result<Option<(String, usize)>, TunnelError> {
    let ends = |end: &[u8]| {
        let mut windows = bytes.windows(end.len());
        windows
            .position(|window| window == end)
            .map(|at| at + end.len())
    };
    let end = [ends(b"\r\n\r\n"), ends(b"\n\n")]
        .into_iter()
        .flatten()
        .min();
    if end.unwrap_or(bytes.len()) > MAX_HEAD {
        return Err(TunnelError::TooLong);
    }
    let head = end.and_then(|end| Some((bytes.get(..end)?, end)));
    Ok(head.map(|(head, end)| (String::from_utf8_lossy(head).into_owned(), end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_there_and_back() {
        for half in [Half::Get, Half::Post] {
            let opening = Opening {
                half,
                path: "/live?x=1".to_owned(),
                cookie: "abc".to_owned(),
            };
            let mut bytes = opening.request("h:80");
            let length = bytes.len();
            for cut in 0..length {
                assert_eq!(Opening::parse(&bytes[..cut]), Ok(None));
            }
            bytes.extend_from_slice(b"T1BUSU9O");
            assert_eq!(Opening::parse(&bytes), Ok(Some((opening, length))));
        }
    }

    #[test]
    fn answers() {
        let rest = [ACCEPTED, b"RTSP/1.0"].concat();
        assert_eq!(answer(&rest), Ok(Some(ACCEPTED.len())));
        assert_eq!(answer(b"HTTP/1.1 200"), Ok(None));
        assert_eq!(
            answer(b"HTTP/1.1 404 No\n\n"),
            Err(TunnelError::Refused(404))
        );
        let cases: [&[u8]; 3] = [b"RTSP/1.0 200 OK\r\n\r\n", b"\r\n\r\n", b"HTTP/1.0 x\n\n"];
        for bytes in cases {
            assert_eq!(answer(bytes), Err(TunnelError::Head(HeadError::FirstLine)));
        }
    }

    #[test]
    fn what_is_for_no_tunnel() {
        let long = format!(
            "GET / HTTP/1.0\r\nx-sessioncookie: {}\r\n\r\n",
            "x".repeat(MAX_COOKIE + 1)
        );
        let first = || TunnelError::Head(HeadError::FirstLine);
        let cases = [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", TunnelError::NoCookie),
            (&long, TunnelError::NoCookie),
            ("PUT / HTTP/1.1\r\n\r\n", first()),
            ("GET / RTSP/1.0\r\n\r\n", first()),
            ("GET\r\n\r\n", first()),
        ];
        for (text, error) in cases {
            assert_eq!(Opening::parse(text.as_bytes()), Err(error), "{text}");
        }
        let endless = vec![b'x'; MAX_HEAD + 1];
        assert_eq!(Opening::parse(&endless), Err(TunnelError::TooLong));
    }

    #[test]
    fn bodies_in_pieces_of_any_size() {
        let text = [
            encode(b"OPTIONS"),
            encode(b" * "),
            "\r\n".to_owned(),
            encode(b"RTSP"),
        ]
        .concat();
        for piece in 1..text.len() {
            let mut decoder = Decoder::default();
            let pieces = text.as_bytes().chunks(piece);
            let decoded: Vec<_> = pieces.map(|piece| decoder.decode(piece).unwrap()).collect();
            assert_eq!(decoded.concat(), b"OPTIONS * RTSP");
        }
        for text in ["????", "A=AA", "===="] {
            let decoded = Decoder::default().decode(text.as_bytes());
            assert_eq!(decoded, Err(TunnelError::Encoding), "{text}");
        }
    }
}
