//! The one seam at which every adapter and the API ask who may do what.
//!
//! Media may be published and played by anyone who reaches the port. Management is answered to a bearer
//! token of the configuration, or to a local caller: from a loopback address, with a loopback name in
//! `Host`, through no proxy, and not from another site's page.

use crate::config::Secret;
use axum::http::{HeaderMap, header};
use std::net::{IpAddr, SocketAddr};

/// What someone wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Publish the stream of that application and ID.
    Publish(&'a str, &'a str),
    /// Play the stream of that application and ID.
    Play(&'a str, &'a str),
    /// Read or change what the server does.
    Manage,
}

/// Who wants it, as far as the protocol tells.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The protocol's name as in the configuration.
    pub protocol: &'static str,
    /// The far end of the connection.
    pub address: SocketAddr,
    /// The headers, where the protocol has them.
    pub headers: Option<&'a HeaderMap>,
    /// Query or credentials in the stream's name or URL, as sent.
    pub query: Option<&'a str>,
}

/// The answer is no, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not local, and no token.
    #[error("management needs a token, or a caller on this machine")]
    NotLocal,
    /// A token that is not among ours.
    #[error("the token is not valid")]
    Token,
}

/// Answers who may do what.
#[derive(Debug, Default)]
pub struct Auth {
    tokens: Vec<Secret>,
}

impl Auth {
    /// With these tokens for management.
    pub const fn new(tokens: Vec<Secret>) -> Self {
        Self { tokens }
    }

    /// Whether `caller` may do `action`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, action: Action<'_>, caller: Caller<'_>) -> Result<(), Denied> {
        match action {
            Action::Publish(..) | Action::Play(..) => Ok(()),
            Action::Manage => self.manage(caller),
        }
    }

    fn manage(&self, caller: Caller<'_>) -> Result<(), Denied> {
        let headers = caller.headers.ok_or(Denied::NotLocal)?;
        match headers
            .get(header::AUTHORIZATION)
            .map(|value| bearer(value.as_bytes()))
        {
            Some(Some(token))
                if self
                    .tokens
                    .iter()
                    .any(|known| same(known.reveal().as_bytes(), token)) =>
            {
                Ok(())
            }
            Some(_) => Err(Denied::Token),
            None if is_local(caller.address, headers) => Ok(()),
            None => Err(Denied::NotLocal),
        }
    }
}

/// The token of `Bearer TOKEN`, or of a bare `TOKEN` as Ant Media's clients send it.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let token = match value.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"Bearer ") => rest,
        _ => value,
    };
    let token = token.trim_ascii();
    (!token.is_empty()).then_some(token)
}

/// Compares in a time that depends on the lengths alone.
fn same(known: &[u8], given: &[u8]) -> bool {
    known.len() == given.len() && known.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Headers that a proxy adds: the caller behind it may be anyone.
const FORWARDING: [&str; 7] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

fn is_local(address: SocketAddr, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let forwarded = FORWARDING.iter().any(|name| headers.contains_key(*name))
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("x-forwarded-"));
    let same_site = matches!(text("sec-fetch-site"), None | Some("same-origin" | "none"));
    // `null`, the origin of sandboxed pages and files, is no loopback name.
    let local_origin = text("origin").is_none_or(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| is_loopback_name(authority))
    });
    address.ip().to_canonical().is_loopback()
        && !forwarded
        && same_site
        && local_origin
        && text("host").is_some_and(is_loopback_name)
}

/// Whether `host[:port]` names this machine whatever a name server says.
fn is_loopback_name(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn manage(address: &str, headers: &[(&'static str, &str)]) -> Result<(), Denied> {
        let auth = Auth::new(vec!["0123456789abcdef".into()]);
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let address = address.parse().unwrap();
        auth.check(
            Action::Manage,
            Caller {
                protocol: "http",
                address,
                headers: Some(&headers),
                query: None,
            },
        )
    }

    #[test]
    fn a_local_caller_manages_without_a_token() {
        for host in [
            "localhost:5080",
            "127.0.0.1:5080",
            "[::1]:5080",
            "LOCALHOST",
            "panel.localhost",
        ] {
            assert_eq!(
                manage("127.0.0.1:4000", &[("host", host)]),
                Ok(()),
                "{host}"
            );
        }
        assert_eq!(manage("[::1]:4000", &[("host", "localhost")]), Ok(()));
        assert_eq!(
            manage("[::ffff:127.0.0.1]:4000", &[("host", "localhost")]),
            Ok(())
        );
        let same = [
            ("host", "localhost"),
            ("origin", "http://localhost:5080"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(manage("127.0.0.1:4000", &same), Ok(()));
    }

    #[test]
    fn whoever_only_looks_local_does_not() {
        let cases: [&[(&'static str, &str)]; 10] = [
            &[],
            &[("host", "example.com")],
            &[("host", "localhost.example.com")],
            &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")],
            &[("host", "localhost"), ("x-forwarded-prefix", "/x")],
            &[("host", "localhost"), ("forwarded", "for=127.0.0.1")],
            &[("host", "localhost"), ("via", "1.1 proxy")],
            &[("host", "localhost"), ("origin", "https://evil.example")],
            &[("host", "localhost"), ("origin", "null")],
            &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
        ];
        for headers in cases {
            assert_eq!(
                manage("127.0.0.1:4000", headers),
                Err(Denied::NotLocal),
                "{headers:?}"
            );
        }
        assert_eq!(
            manage("192.168.1.2:4000", &[("host", "localhost")]),
            Err(Denied::NotLocal)
        );
    }

    #[test]
    fn tokens_are_checked_before_the_place() {
        for value in [
            "Bearer 0123456789abcdef",
            "bearer 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert_eq!(
                manage("10.0.0.1:1", &[("authorization", value)]),
                Ok(()),
                "{value}"
            );
        }
        for value in [
            "Bearer wrong",
            "Bearer ",
            "Basic eDp5",
            "Bearer 0123456789abcdeg",
        ] {
            let headers = [("authorization", value), ("host", "localhost")];
            assert_eq!(
                manage("127.0.0.1:1", &headers),
                Err(Denied::Token),
                "{value}"
            );
        }
    }
}
