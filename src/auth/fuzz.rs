//! What the fuzz targets of access run: whatever somebody says of themselves.

use super::jwks::{KeySet, MAX_SET};
use super::jwt::{Algorithm, Token};
use super::media::{basic, login_as_token, value};
use super::origin::{Origin, is_local};
use super::{bearer, cookie};
use crate::config::Cidr;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::SocketAddr;

const KEY: &[u8] = b"zautXStXM9iW3aD3FuyPH0TdK4GHPmHq";
const NOW: u64 = 1_700_000_000;

/// The public keys of RFC 7517 appendix A.1, and that of RFC 7515 appendix A.3.
const PUBLIC_KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"},{"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// A header of that name for each line; none where a line can be none.
fn headers(name: &HeaderName, data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let lines = data.split(|byte| *byte == b'\n').take(64);
    for value in lines.filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(name, value);
    }
    headers
}

/// A signed token is taken by its own algorithm and key, or not at all.
pub fn jwt(data: &[u8]) {
    let Some(token) = Token::parse(data) else {
        return;
    };
    let by_key = token.by_key(KEY, NOW);
    assert!(by_key.is_none() || token.algorithm == Algorithm::Hs256);
    assert_eq!(token.by_key(b"short", NOW), None);
    assert_eq!(token.by_key(&[7; 32], NOW), None);
    let nothing = KeySet::parse(b"{\"keys\":[]}");
    assert!(nothing.is_ok_and(|keys| token.by_set(&keys, NOW).is_none()));
}

/// A set of keys is bounded, and takes nothing that nobody signed.
pub fn jwks(data: &[u8]) {
    let Ok(keys) = KeySet::parse(data) else {
        return;
    };
    assert!(keys.len() <= 100 && data.len() <= MAX_SET);
    // {"alg":"RS256"}, {"alg":"ES256","kid":"e"} and {"alg":"HS256"}, each with {} and some bytes.
    for token in [
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.e30.AAAA",
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
    ] {
        let token = Token::parse(token.as_bytes());
        assert!(token.is_some_and(|token| token.by_set(&keys, NOW).is_none()));
    }
}

/// The ID of a session is a piece of the header, and never the one that belongs to the other kind of connection.
pub fn cookies(data: &[u8]) {
    let headers = headers(&header::COOKIE, data);
    for secure in [false, true] {
        if let Some(session) = cookie::session(&headers, secure) {
            assert!(!session.is_empty() && !session.contains(&b';'));
            let fields = headers.get_all(header::COOKIE).iter();
            let mut pieces = fields.flat_map(|field| field.as_bytes().windows(session.len()));
            assert!(pieces.any(|piece| piece == session));
        }
    }
    assert_eq!(
        cookie::either(&headers).is_some(),
        cookie::session(&headers, true).is_some() || cookie::session(&headers, false).is_some()
    );
}

/// What proxies say is believed of those that are trusted alone, and makes nobody a local caller.
pub fn forwarding(data: &[u8]) {
    let name = HeaderName::from_static("x-forwarded-for");
    let mut headers = headers(&name, data);
    let said = headers.contains_key(&name);
    let proto = data.get(..5).unwrap_or_default();
    if let Ok(proto) = HeaderValue::from_bytes(proto) {
        headers.insert("x-forwarded-proto", proto);
    }
    let trusted: Vec<Cidr> = ["10.0.0.0/8", "127.0.0.1"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let stranger = SocketAddr::from(([192, 0, 2, 1], 7));
    let direct = Origin::new(stranger, false, &headers, &trusted);
    assert_eq!((direct.address, direct.secure), (stranger, false));
    let proxy = SocketAddr::from(([127, 0, 0, 1], 7));
    let behind = Origin::new(proxy, false, &headers, &trusted);
    assert_eq!(behind.address.port(), 7);
    assert_eq!(behind.address.ip(), behind.address.ip().to_canonical());
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    assert!(!said || !is_local(behind.address, &headers));
}

/// User, password or token that a header or a query holds.
pub fn authorization(data: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
        for login in [basic(&headers), login_as_token(&headers)] {
            assert!(login.is_none_or(|(user, _)| !user.contains(':')));
        }
        if let Some(token) = bearer(data) {
            assert!(!token.is_empty() && token.len() <= data.len());
        }
    }
    let query = String::from_utf8_lossy(data);
    for name in ["token", "user", "subscriberCode"] {
        if let Some(value) = value(&query, name) {
            assert!(value.len() <= query.len() && query.contains(name));
        }
    }
}

/// Inputs to begin with, by target and name.
pub(crate) fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let seed = |entry, name, text: &str| (entry, name, text.as_bytes().to_vec());
    vec![
        seed(
            "jwt",
            "shared_key",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdHJlYW1JZCI6InN0cmVhbTEiLCJ0eXBlIjoicHVibGlzaCJ9.9otWqr4qTvh8afoBOifR9t9wkeaFQ3FcjMNtPuC2WKk",
        ),
        seed(
            "jwt",
            "key_of_a_set",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6IjIwMTEtMDQtMjkifQ.eyJhdWQiOlsiYSJdLCJleHAiOjE3MDAwMDAwNjAuNX0.AAAA",
        ),
        seed("jwt", "none", "eyJhbGciOiJub25lIn0.e30."),
        seed("jwks", "public_keys", PUBLIC_KEYS),
        seed(
            "jwks",
            "other_keys",
            r#"{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"OKP","crv":"Ed25519","x":"AAAA"},7]}"#,
        ),
        seed(
            "cookies",
            "among_others",
            "a=b; millstream=abc;c=d\n__Host-millstream=x; y=z",
        ),
        seed("cookies", "empty", "millstream=; millstream"),
        seed(
            "forwarding",
            "hops",
            "127.0.0.1, 198.51.100.1\n10.0.0.2,[2001:db8::1]:99",
        ),
        seed("forwarding", "nonsense", "https, unknown, 10.0.0.1:x"),
        seed("authorization", "basic", "Basic am9lOmE6Yg=="),
        seed("authorization", "bearer", "Bearer joe:a:b"),
        seed(
            "authorization",
            "query",
            "user=joe&pass=a%3Ab&token=x%&subscriberId=s&subscriberCode=123456",
        ),
    ]
}
