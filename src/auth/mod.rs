//! The one seam at which every adapter and the API ask who may do what.
//!
//! Media may be published and played by anyone who reaches the port, until logins are configured for it: then by who
//! proves one, in the protocol's own way, in the query of the URL, or by Basic or Bearer over HTTP; or by who has the
//! stream's key ([`StreamKeys`]). Management is answered to a token of the configuration, which may come as Bearer or as
//! the user of Basic, to one that was given for it ([`Grant`]), or to a local caller: from a loopback address, with a
//! loopback name in `Host`, through no proxy, and not from another site's page.

mod grants;
mod keys;

pub use grants::{Grant, LIFETIME};
pub use keys::{KEYED_APP, StreamKeys};

use crate::config::{Login, Secret};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grants::Grants;
use percent_encoding::percent_decode_str;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

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
    /// What the protocol has of its own to prove a password.
    pub proof: Option<&'a dyn Proof>,
}

/// A way of a protocol's own to prove a password, which may keep that to itself.
pub trait Proof: std::fmt::Debug {
    /// Whether the caller is this user and has this password.
    fn proves(&self, user: &str, password: &str) -> bool;
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
    /// No login, or none of ours.
    #[error("this needs a user and a password")]
    Login,
}

/// Answers who may do what.
#[derive(Debug, Default)]
pub struct Auth {
    tokens: Vec<Secret>,
    publishers: Vec<Login>,
    players: Vec<Login>,
    keys: StreamKeys,
    grants: Grants,
}

impl Auth {
    /// With these tokens for management.
    pub fn new(tokens: Vec<Secret>) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }

    /// The keys of streams.
    pub const fn keys(&self) -> &StreamKeys {
        &self.keys
    }

    /// Tokens for whoever has one of the configuration.
    pub fn grant(&self, token: &str) -> Option<Grant> {
        let is_known = self.is_token(token.as_bytes());
        is_known.then(|| self.grants.give(Instant::now()))
    }

    /// The next tokens for whoever has the refresh token of the last.
    pub fn renew(&self, refresh: &str) -> Option<Grant> {
        self.grants.renew(refresh, Instant::now())
    }

    /// With these logins for who publishes and who plays; none for anyone.
    #[must_use]
    pub fn with_logins(self, publishers: Vec<Login>, players: Vec<Login>) -> Self {
        Self {
            publishers,
            players,
            ..self
        }
    }

    /// Whether `caller` may do `action`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, action: Action<'_>, caller: Caller<'_>) -> Result<(), Denied> {
        match action {
            Action::Publish(..) => media(&self.publishers, caller),
            Action::Play(..) => media(&self.players, caller),
            Action::Manage => self.manage(caller),
        }
    }

    fn manage(&self, caller: Caller<'_>) -> Result<(), Denied> {
        let Some(headers) = caller.headers else {
            // A protocol without headers goes through no proxy that would tell of itself.
            let is_near = caller.address.ip().to_canonical().is_loopback();
            return is_near.then_some(()).ok_or(Denied::NotLocal);
        };
        if headers.contains_key(header::AUTHORIZATION) {
            let given = headers.get(header::AUTHORIZATION);
            let token = given.and_then(|value| bearer(value.as_bytes()));
            let is_known = token.is_some_and(|token| {
                self.is_token(token) || self.grants.is_good(token, Instant::now())
            });
            // Clients of api.video send their key so.
            let key = basic(headers).filter(|(_, password)| password.is_empty());
            let has_key = key.is_some_and(|(key, _)| self.is_token(key.as_bytes()));
            return (is_known || has_key).then_some(()).ok_or(Denied::Token);
        }
        let is_near = is_local(caller.address, headers);
        is_near.then_some(()).ok_or(Denied::NotLocal)
    }

    /// Whether a token is one of the configuration.
    fn is_token(&self, token: &[u8]) -> bool {
        let mut tokens = self.tokens.iter();
        tokens.any(|known| same(known.reveal().as_bytes(), token))
    }
}

/// Whether the caller proves one of these logins, if there are any.
fn media(logins: &[Login], caller: Caller<'_>) -> Result<(), Denied> {
    let mut given = caller.headers.and_then(basic);
    if given.is_none() {
        given = caller.headers.and_then(login_as_token);
    }
    if given.is_none() {
        given = caller.query.and_then(in_query);
    }
    let proves = |login: &Login| {
        let (user, password) = (login.user(), login.password());
        caller
            .proof
            .is_some_and(|proof| proof.proves(user, password))
            || given.as_ref().is_some_and(|(said, proven)| {
                same(user.as_bytes(), said.as_bytes())
                    && same(password.as_bytes(), proven.as_bytes())
            })
    };
    if logins.is_empty() || logins.iter().any(proves) {
        return Ok(());
    }
    Err(Denied::Login)
}

/// User and password of `Basic …` (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(6)?;
    let token = STANDARD.decode(token.trim_ascii()).ok()?;
    let text = String::from_utf8(token).ok()?;
    let (user, password) = text.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case(b"Basic ");
    is_basic.then(|| (user.to_owned(), password.to_owned()))
}

/// User and password of `Bearer USER:PASSWORD` (RFC 6750): all that clients of WHIP and WHEP can send (RFC 9725 section
/// 4.7.1).
fn login_as_token(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let (user, password) = token.trim().split_once(':')?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer");
    is_bearer.then(|| (user.to_owned(), password.to_owned()))
}

/// User and password of `user=…&pass=…`, percent-encoded.
fn in_query(query: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    Some((value("user")?, value("pass")?))
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
                proof: None,
            },
        )
    }

    #[derive(Debug)]
    struct Knows(&'static str);

    impl Proof for Knows {
        fn proves(&self, user: &str, password: &str) -> bool {
            self.0 == format!("{user}:{password}")
        }
    }

    #[test]
    fn media_is_for_everyone_until_there_are_logins() {
        let login = |text: &str| Login::try_from(text.to_owned()).unwrap();
        let open = Auth::default();
        let closed = Auth::default().with_logins(vec![login("joe:a:b")], vec![login("jim:c")]);
        let (publish, play) = (Action::Publish("a", "s"), Action::Play("a", "s"));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Basic amltOmM=".parse().unwrap());
        // What is said, and whether that is enough to publish and to play.
        let cases = [
            (None, None, None, false, false),
            (Some("x=1&user=joe&pass=a%3Ab"), None, None, true, false),
            (Some("user=joe&pass=a"), None, None, false, false),
            (Some("user=joe"), None, None, false, false),
            (None, Some(&headers), None, false, true),
            (
                None,
                None,
                Some(&Knows("joe:a:b") as &dyn Proof),
                true,
                false,
            ),
            (None, None, Some(&Knows("jim:c")), false, true),
        ];
        for (query, headers, proof, publishes, plays) in cases {
            let caller = Caller {
                protocol: "rtsp",
                address: "192.0.2.1:1".parse().unwrap(),
                headers,
                query,
                proof,
            };
            assert_eq!(open.check(publish, caller), Ok(()));
            assert_eq!(
                closed.check(publish, caller).is_ok(),
                publishes,
                "{query:?}"
            );
            assert_eq!(closed.check(play, caller).is_ok(), plays, "{query:?}");
        }
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
            // The token as user, without a password.
            "Basic MDEyMzQ1Njc4OWFiY2RlZjo=",
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
            "Basic eDo=",
            "Basic Og==",
            // The token as user, with some password.
            "Basic MDEyMzQ1Njc4OWFiY2RlZjp4",
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
