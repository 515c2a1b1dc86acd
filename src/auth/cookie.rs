//! The cookie of a session (RFC 6265).
//!
//! It has another name over TLS: a browser does not let an answer without TLS replace a cookie that came with it, and the
//! prefix keeps such an answer from setting one in its name.

use axum::http::{HeaderMap, HeaderValue, header};
use std::time::Duration;

/// Its name over TLS.
const SECURE: &str = "__Host-millstream";

/// Its name without.
const PLAIN: &str = "millstream";

const fn name(secure: bool) -> &'static str {
    if secure { SECURE } else { PLAIN }
}

/// The session's ID that a request has, if it has one.
pub(super) fn session(headers: &HeaderMap, secure: bool) -> Option<&[u8]> {
    let wanted = name(secure).as_bytes();
    // HTTP/2 may have a header for each.
    let fields = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(at)?;
        let value = value.get(1..)?.trim_ascii();
        (name.trim_ascii() == wanted && !value.is_empty()).then_some(value)
    })
}

/// The session's ID by either name, for what only looks.
pub(super) fn either(headers: &HeaderMap) -> Option<&[u8]> {
    session(headers, true).or_else(|| session(headers, false))
}

/// The header that sets it. No script can read it, and no other site's page is sent along with it.
pub(super) fn set(session: &str, secure: bool, lifetime: Duration) -> Option<HeaderValue> {
    let (name, seconds) = (name(secure), lifetime.as_secs());
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).ok()
}

/// The header that removes it.
pub(super) fn remove(secure: bool) -> Option<HeaderValue> {
    set("", secure, Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_among_others() {
        let cases = [
            (&["millstream=abc"][..], Some("abc"), None),
            (&["a=b; millstream=abc;c=d"], Some("abc"), None),
            (&["a=b", "__Host-millstream=x; y=z"], None, Some("x")),
            (&["xmillstream=abc; millstream2=d"], None, None),
            (&["millstream"], None, None),
            (&["millstream="], None, None),
            (&["; ;=;"], None, None),
        ];
        for (fields, plain, secure) in cases {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(header::COOKIE, HeaderValue::from_static(field));
            }
            assert_eq!(session(&headers, false), plain.map(str::as_bytes));
            assert_eq!(session(&headers, true), secure.map(str::as_bytes));
        }
    }

    #[test]
    fn its_flags() {
        let lifetime = Duration::from_secs(60);
        assert_eq!(
            set("abc", true, lifetime).unwrap(),
            "__Host-millstream=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            remove(false).unwrap(),
            "millstream=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
