//! JSON Web Tokens (RFC 7519): signed with a shared key (`HS256`, RFC 7518 section 3.2), or with the key of somebody who
//! publishes a set of them (`RS256`, `ES256`; [`KeySet`]), and nothing else.
//!
//! What a token says of itself is never asked for what to check it with: `HS256` is checked with the shared key alone and
//! the others with keys of their own kind alone, so that a public key is never taken for a shared one. A header with
//! another algorithm, `none` among them, is refused before anything else is looked at. `jku`, `jwk` and `x5u` mean nothing;
//! `kid` does no more than choose among keys that are known.

use super::jwks::KeySet;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

/// Longest token, in bytes.
const MAX_TOKEN: usize = 4 << 10;

/// Shortest shared key, in bytes: as long as the digest (section 3.2).
pub(super) const MIN_KEY: usize = 32;

/// How a token was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    /// With a shared key.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA, PKCS #1 version 1.5.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA with P-256.
    #[serde(rename = "ES256")]
    Es256,
}

#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    /// Extensions that have to be understood; none are (RFC 7515 section 4.1.11).
    crit: Option<serde_json::Value>,
}

/// A token that nobody has checked yet.
pub(super) struct Token<'a> {
    /// How it says that it was signed.
    pub(super) algorithm: Algorithm,
    /// Which key it says that it was signed with.
    pub(super) kid: Option<String>,
    /// What was signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    claims: &'a str,
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claims {
    /// The stream that it is for, in Ant Media's words.
    pub(super) stream_id: Option<String>,
    /// `publish` or `play`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// Who has it.
    pub(super) sub: Option<String>,
    /// Who made it.
    pub(super) iss: Option<String>,
    /// Whom it was made for.
    #[serde(default)]
    pub(super) aud: Audience,
    exp: Option<Seconds>,
    nbf: Option<Seconds>,
}

/// One or many (section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Audience {
    /// Whether somebody is among them.
    pub(super) fn has(&self, who: &str) -> bool {
        match self {
            Self::One(one) => one == who,
            Self::Many(many) => many.iter().any(|one| one == who),
        }
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519 section 2, NumericDate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        // What is no time that ever comes is taken for one that has passed, or is too far off to matter.
        Ok(Self(if number.is_finite() && number > 0.0 {
            number as u64
        } else {
            0
        }))
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart. None where it is none, or one that can be good in no case.
    pub(super) fn parse(token: &'a [u8]) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let token = std::str::from_utf8(token).ok()?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Self {
            algorithm: header.alg,
            kid: header.kid,
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            claims,
        })
    }

    /// Its claims, if it was signed with a shared key and is good at `now` (seconds since 1970).
    pub(super) fn by_key(&self, key: &[u8], now: u64) -> Option<Claims> {
        if self.algorithm != Algorithm::Hs256 || key.len() < MIN_KEY {
            return None;
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, self.signed, &self.signature).ok()?;
        self.claims(now)
    }

    /// Its claims, if it was signed with one of a set and is good at `now` (seconds since 1970).
    pub(super) fn by_set(&self, keys: &KeySet, now: u64) -> Option<Claims> {
        keys.signed(self).then(|| self.claims(now))?
    }

    fn claims(&self, now: u64) -> Option<Claims> {
        let claims = URL_SAFE_NO_PAD.decode(self.claims).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        let is_over = claims.exp.is_some_and(|exp| exp.0 <= now);
        let is_early = claims.nbf.is_some_and(|nbf| nbf.0 > now);
        (!is_over && !is_early).then_some(claims)
    }
}

/// A token for one use of a stream until then (seconds since 1970).
pub(super) fn sign(stream: &str, kind: &str, expires: u64, key: &[u8]) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({ "streamId": stream, "type": kind, "exp": expires });
    signed(&header.to_string(), &claims.to_string(), key)
}

pub(super) fn unsigned(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}")
}

fn signed(header: &str, claims: &str, key: &[u8]) -> String {
    let text = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(token: &[u8], key: &[u8], now: u64) -> Option<Claims> {
        Token::parse(token)?.by_key(key, now)
    }

    const KEY: &[u8] = b"zautXStXM9iW3aD3FuyPH0TdK4GHPmHq";
    const NOW: u64 = 1_700_000_000;

    #[test]
    fn what_another_library_signed_is_read() {
        // The example in Ant Media's documentation.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdHJlYW1JZCI6InN0cmVhbTEiLCJ0eXBlIjoicHVibGlzaCJ9.9otWqr4qTvh8afoBOifR9t9wkeaFQ3FcjMNtPuC2WKk";
        let claims = verify(token.as_bytes(), KEY, NOW).unwrap();
        assert_eq!(claims.stream_id.as_deref(), Some("stream1"));
        assert_eq!(claims.kind.as_deref(), Some("publish"));
    }

    #[test]
    fn what_is_signed_here_is_good_until_its_end_and_for_its_key() {
        let token = sign("cam", "play", NOW + 60, KEY);
        let at = |now, key| verify(token.as_bytes(), key, now).is_some();
        assert!(at(NOW, KEY) && at(NOW + 59, KEY));
        assert!(!at(NOW + 60, KEY) && !at(NOW + 1_000_000, KEY));
        assert!(!at(NOW, b"zautXStXM9iW3aD3FuyPH0TdK4GHPmHr"));
        // Every other letter of it matters, but for what base64 leaves unused in the last.
        for index in 0..token.len() - 1 {
            let mut other = token.clone().into_bytes();
            other[index] = if other[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(verify(&other, KEY, NOW), None, "{index}");
        }
    }

    #[test]
    fn what_is_refused() {
        let good =
            r#"{"alg":"HS256","typ":"JWT","kid":"../../etc/passwd","jku":"http://evil.example"}"#;
        let ends = format!(r#"{{"exp":{}}}"#, NOW + 1);
        assert!(verify(signed(good, &ends, KEY).as_bytes(), KEY, NOW).is_some());
        for (header, claims) in [
            (r#"{"alg":"none"}"#, "{}"),
            (r#"{"alg":"None"}"#, "{}"),
            (r#"{"alg":"hs256"}"#, "{}"),
            (r#"{"alg":"HS384"}"#, "{}"),
            (r#"{"alg":"RS256"}"#, "{}"),
            (r#"{"alg":["HS256"]}"#, "{}"),
            (r#"{"typ":"JWT"}"#, "{}"),
            (r#"{"alg":"HS256","crit":["exp"]}"#, "{}"),
            ("", "{}"),
            (good, ""),
            (good, "[]"),
            (good, r#"{"exp":1}"#),
            (good, r#"{"exp":-1}"#),
            (good, r#"{"exp":"never"}"#),
            (good, r#"{"nbf":1e12}"#),
            (good, r#"{"streamId":7}"#),
            (good, r#"{"aud":7}"#),
            (r#"{"alg":"HS256","kid":7}"#, "{}"),
        ] {
            let token = signed(header, claims, KEY);
            assert_eq!(
                verify(token.as_bytes(), KEY, NOW),
                None,
                "{header} {claims}"
            );
        }
        let token = sign("cam", "play", NOW + 60, KEY);
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        let long = format!("{token}{}", "A".repeat(MAX_TOKEN));
        for token in [
            "",
            ".",
            "..",
            "...",
            unsigned,
            &format!("{unsigned}."),
            &format!("{token}."),
            &format!("{token}=="),
            &format!("{token}.x"),
            &long,
        ] {
            assert_eq!(verify(token.as_bytes(), KEY, NOW), None, "{token}");
        }
        assert_eq!(verify(&[0xff; 99], KEY, NOW), None);
        // A key that could be guessed is none.
        assert_eq!(
            verify(
                sign("a", "play", NOW + 1, b"short").as_bytes(),
                b"short",
                NOW
            ),
            None
        );
    }
}
