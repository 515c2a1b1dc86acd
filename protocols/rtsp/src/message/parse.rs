//! Reading the head of a message: the first line and the header fields.
//!
//! Peers end lines with a bare LF, put blanks where there should be none, leave out the reason, fold lines and
//! send lines that are no fields. What a message means is not lost by any of it.

use super::{Headers, Message, Method, Request, Response, Status};
use bytes::Bytes;

/// Longest head, in bytes.
pub const MAX_HEAD: usize = 32 << 10;

/// Most header fields.
pub const MAX_FIELDS: usize = 128;

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The first line is neither a request's nor a response's.
    #[error("the first line is neither a request nor a response")]
    FirstLine,
    /// A request of HTTP.
    #[error("a request of HTTP")]
    Http,
    /// A request of another version than 1.
    #[error("a request of another version of RTSP than 1")]
    Version,
    /// More header fields than [`MAX_FIELDS`].
    #[error("more than {MAX_FIELDS} header fields")]
    Fields,
}

/// What the bytes at hand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// The beginning of a message.
    Message,
    /// Too few to tell.
    Open,
    /// Nothing of RTSP.
    Foreign,
}

/// Longest method that is taken for one.
const MAX_METHOD: usize = 24;

/// Whether a message may begin here. With `strict`, after bytes that were none, a request has to be of a method
/// that is known.
pub(crate) fn looks(bytes: &[u8], strict: bool) -> Looks {
    let head = bytes.get(..MAX_METHOD).unwrap_or(bytes);
    let is_method = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-';
    let length = head.iter().take_while(|byte| is_method(**byte)).count();
    let (word, rest) = head.split_at_checked(length).unwrap_or((head, &[]));
    match rest.first() {
        None if length < MAX_METHOD => Looks::Open,
        Some(b'/') if word.eq_ignore_ascii_case(b"RTSP") => Looks::Message,
        Some(b' ' | b'\t') if length >= 3 => {
            let name = String::from_utf8_lossy(word);
            let known = !matches!(Method::parse(&name), Method::Other(_));
            // Sentences begin with words too, but not in capitals.
            let shouted = word.iter().all(|byte| !byte.is_ascii_lowercase());
            if known || (shouted && !strict) {
                Looks::Message
            } else {
                Looks::Foreign
            }
        }
        _ => Looks::Foreign,
    }
}

/// Reads a head, with or without the empty line at its end. The body is left empty.
pub(crate) fn head(bytes: &[u8]) -> Result<Message, HeadError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = lines(&text);
    let mut message = first_line(lines.next().unwrap_or_default())?;
    let headers = match &mut message {
        Message::Request(request) => &mut request.headers,
        Message::Response(response) => &mut response.headers,
    };
    fields(lines, headers)?;
    Ok(message)
}

/// The lines of a head.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.trim_end_matches('\r'))
}

/// Reads header fields, one a line.
pub(crate) fn fields<'a>(
    lines: impl Iterator<Item = &'a str>,
    headers: &mut Headers,
) -> Result<(), HeadError> {
    for line in lines {
        if line.starts_with([' ', '\t']) {
            headers.fold(&super::line(line));
        } else if let Some((name, value)) = line.split_once(':') {
            if headers.len() >= MAX_FIELDS {
                return Err(HeadError::Fields);
            }
            // Nothing of which could not be written again.
            headers.push(&super::word(name), super::line(value));
        }
    }
    Ok(())
}

fn first_line(line: &str) -> Result<Message, HeadError> {
    let line = line.trim();
    let (first, rest) = line.split_once([' ', '\t']).ok_or(HeadError::FirstLine)?;
    let rest = rest.trim();
    if is_version(first, "RTSP/") {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (status, reason) = rest.split_at_checked(digits).ok_or(HeadError::FirstLine)?;
        let status = status.parse().map_err(|_| HeadError::FirstLine)?;
        return Ok(Message::Response(Response {
            status: Status(status),
            reason: reason.trim().to_owned(),
            headers: Headers::default(),
            body: Bytes::new(),
        }));
    }
    // The URL may have blanks in it, which is wrong, but leaves no doubt.
    let (url, version) = rest.rsplit_once([' ', '\t']).ok_or(HeadError::FirstLine)?;
    if is_version(version, "HTTP/") {
        return Err(HeadError::Http);
    }
    if !is_version(version, "RTSP/") || url.is_empty() {
        return Err(HeadError::FirstLine);
    }
    // Some write 1.1, or nothing behind the name.
    let number = version.get("RTSP/".len()..).unwrap_or_default();
    let major = number
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major != 1) {
        return Err(HeadError::Version);
    }
    Ok(Message::Request(Request::new(
        Method::parse(first),
        url.trim(),
    )))
}

fn is_version(word: &str, name: &str) -> bool {
    let head = word.get(..name.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_in_every_dress() {
        let plain = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n";
        let expected = head(plain.as_bytes()).unwrap();
        let dressed = [
            "RTSP/1.0 200 OK\nCSeq: 2\nPublic: OPTIONS, DESCRIBE\n\n",
            "RTSP/1.0  200  OK \r\nCSeq:2\r\nPublic : OPTIONS, DESCRIBE\r\n",
            "rtsp/1.0 200 OK\r\nCSeq: 2\r\nPublic: OPTIONS,\r\n DESCRIBE\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\nno field\r\nPublic:\r\n\tOPTIONS, DESCRIBE",
        ];
        for text in dressed {
            assert_eq!(head(text.as_bytes()).as_ref(), Ok(&expected), "{text:?}");
        }
        let Ok(Message::Response(response)) = head(b"RTSP/1.0 404") else {
            panic!();
        };
        assert_eq!(
            (response.status, response.reason.as_str()),
            (Status::NOT_FOUND, "")
        );
    }

    #[test]
    fn requests() {
        let cases = [
            ("OPTIONS * RTSP/1.0\r\n", Method::Options, "*"),
            (
                "describe rtsp://h/a b  RTSP/1.0",
                Method::Describe,
                "rtsp://h/a b",
            ),
            (
                "FLUSH /x RTSP/1.1\r\n",
                Method::Other("FLUSH".to_owned()),
                "/x",
            ),
        ];
        for (text, method, url) in cases {
            let Ok(Message::Request(request)) = head(text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!((request.method, request.url.as_str()), (method, url));
        }
    }

    #[test]
    fn what_is_no_head() {
        let cases = [
            ("", HeadError::FirstLine),
            ("OPTIONS", HeadError::FirstLine),
            ("OPTIONS *", HeadError::FirstLine),
            ("OPTIONS  RTSP/1.0", HeadError::FirstLine),
            ("RTSP/1.0 OK", HeadError::FirstLine),
            ("RTSP/1.0 99999999 OK", HeadError::FirstLine),
            ("OPTIONS * SIP/2.0", HeadError::FirstLine),
            ("OPTIONS * RTSP/2.0", HeadError::Version),
            ("OPTIONS * rtsp/7.0", HeadError::Version),
            ("GET / HTTP/1.1\r\nHost: x\r\n", HeadError::Http),
        ];
        for (text, error) in cases {
            assert_eq!(head(text.as_bytes()), Err(error), "{text}");
        }
        let many = format!("OPTIONS * RTSP/1.0\n{}", "A: b\n".repeat(MAX_FIELDS + 1));
        assert_eq!(head(many.as_bytes()), Err(HeadError::Fields));
    }

    #[test]
    fn beginnings() {
        let cases: [(&[u8], Looks, Looks); 12] = [
            (b"", Looks::Open, Looks::Open),
            (b"RTSP", Looks::Open, Looks::Open),
            (b"RTSP/", Looks::Message, Looks::Message),
            (b"DESCRIBE rtsp", Looks::Message, Looks::Message),
            (b"FLUSH x", Looks::Message, Looks::Foreign),
            (b"GET_PARAMETER ", Looks::Message, Looks::Message),
            (b"Hello world", Looks::Foreign, Looks::Foreign),
            (b"OPTIONS\r\n", Looks::Foreign, Looks::Foreign),
            (b"A b", Looks::Foreign, Looks::Foreign),
            (b"\x16\x03\x01", Looks::Foreign, Looks::Foreign),
            (b"a=control:x", Looks::Foreign, Looks::Foreign),
            (&[b'A'; 40], Looks::Foreign, Looks::Foreign),
        ];
        for (bytes, relaxed, strict) in cases {
            assert_eq!(
                (looks(bytes, false), looks(bytes, true)),
                (relaxed, strict),
                "{bytes:?}"
            );
        }
    }
}
