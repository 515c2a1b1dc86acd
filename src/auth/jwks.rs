//! Sets of public keys (JWKS, RFC 7517) that tokens are checked with: RSA for `RS256` and P-256 for `ES256`.
//!
//! What is no such key is passed over, as section 5 asks: keys of other kinds, for other uses, too short, and shared ones,
//! which nobody publishes by intent.

use super::jwt::{Algorithm, Token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// Longest set, in bytes.
pub(super) const MAX_SET: usize = 256 << 10;

/// Most keys of a set; those behind are passed over.
const MAX_KEYS: usize = 100;

/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

/// Longest RSA exponent, in bytes.
const MAX_EXPONENT: usize = 8;

/// Bytes of a coordinate on P-256 (RFC 7518 section 6.2.1.2).
const COORDINATE: usize = 32;

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Member {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

struct Key {
    kid: Option<String>,
    public: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(UnparsedPublicKey<Vec<u8>>),
}

/// Keys that tokens may be signed with.
pub(super) struct KeySet(Vec<Key>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        if text.len() > MAX_SET {
            return Err(format!("a set of keys has at most {MAX_SET} bytes"));
        }
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| format!("this is no set of keys: {error}"))?;
        let members = document.keys.into_iter().take(MAX_KEYS);
        let members = members.filter_map(|member| serde_json::from_value::<Member>(member).ok());
        Ok(Self(members.filter_map(Key::of).collect()))
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a key that a token may be signed with.
    pub(super) fn fits(&self, token: &Token<'_>) -> bool {
        self.candidates(token).next().is_some()
    }

    /// Whether a token was signed with one of the keys.
    pub(super) fn signed(&self, token: &Token<'_>) -> bool {
        self.candidates(token).any(|key| key.verifies(token))
    }

    /// The keys of the token's algorithm that have its `kid`. Where it has none, there must not be a choice.
    fn candidates<'a>(&'a self, token: &'a Token<'_>) -> impl Iterator<Item = &'a Key> {
        let of_kind = || self.0.iter().filter(|key| key.is_for(token.algorithm));
        let is_alone = token.kid.is_some() || of_kind().count() == 1;
        of_kind().filter(move |key| is_alone && (token.kid.is_none() || key.kid == token.kid))
    }
}

impl Key {
    fn of(member: Member) -> Option<Self> {
        let bytes = |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let is_for = |algorithm| member.alg.as_deref().is_none_or(|alg| alg == algorithm);
        if member.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
            return None;
        }
        let public = match (member.kty.as_str(), member.crv.as_deref()) {
            ("RSA", _) if is_for("RS256") => {
                let (n, e) = (bytes(member.n.as_ref())?, bytes(member.e.as_ref())?);
                // Some write zeros in front, which the crate does not take.
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                let n = n.get(zeros..)?.to_vec();
                if !MODULUS.contains(&n.len()) || e.len() > MAX_EXPONENT {
                    return None;
                }
                Public::Rsa(RsaPublicKeyComponents { n, e })
            }
            ("EC", Some("P-256")) if is_for("ES256") => {
                let (x, y) = (bytes(member.x.as_ref())?, bytes(member.y.as_ref())?);
                if x.len() != COORDINATE || y.len() != COORDINATE {
                    return None;
                }
                // Not compressed (SEC 1 section 2.3.3).
                let point = [&[4], &x[..], &y[..]].concat();
                Public::P256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
            }
            _ => return None,
        };
        let kid = member.kid;
        Some(Self { kid, public })
    }

    const fn is_for(&self, algorithm: Algorithm) -> bool {
        matches!(
            (&self.public, algorithm),
            (Public::Rsa(_), Algorithm::Rs256) | (Public::P256(_), Algorithm::Es256)
        )
    }

    fn verifies(&self, token: &Token<'_>) -> bool {
        let (signed, signature) = (token.signed, &token.signature);
        match &self.public {
            Public::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature),
            Public::P256(key) => key.verify(signed, signature),
        }
        .is_ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::jwt::unsigned;
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use serde_json::{Value, json};

    const NOW: u64 = 1_700_000_000;

    /// A key that is used for nothing else (PKCS #8).
    const RSA: &[u8] = include_bytes!("testdata/rsa.der");

    pub(in crate::auth) struct Signer {
        rsa: RsaKeyPair,
        p256: EcdsaKeyPair,
    }

    fn base64url(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    impl Signer {
        pub(in crate::auth) fn new() -> Self {
            let random = SystemRandom::new();
            let document =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let (kind, document) = (&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref());
            Self {
                rsa: RsaKeyPair::from_pkcs8(RSA).unwrap(),
                p256: EcdsaKeyPair::from_pkcs8(kind, document, &random).unwrap(),
            }
        }

        /// Its keys, `r` and `e`.
        pub(in crate::auth) fn keys(&self) -> Value {
            let components: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public_key().into();
            let point = self.p256.public_key().as_ref();
            json!({ "keys": [
                { "kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
                    "n": base64url(&components.n), "e": base64url(&components.e) },
                { "kty": "EC", "kid": "e", "crv": "P-256",
                    "x": base64url(&point[1..33]), "y": base64url(&point[33..]) },
                { "kty": "oct", "kid": "o", "k": "AAAA" },
                { "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" },
                { "kty": "OKP", "crv": "Ed25519", "x": "AAAA" },
                7,
            ] })
        }

        pub(in crate::auth) fn sign(&self, header: &Value, claims: &Value) -> String {
            let text = unsigned(&header.to_string(), &claims.to_string());
            let random = SystemRandom::new();
            let signature = if header["alg"] == "RS256" {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                let (padding, text) = (&RSA_PKCS1_SHA256, text.as_bytes());
                let signed = self.rsa.sign(padding, &random, text, &mut signature);
                signed.unwrap();
                signature
            } else {
                let signature = self.p256.sign(&random, text.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            };
            format!("{text}.{}", base64url(&signature))
        }
    }

    fn is_good(set: &KeySet, token: &str) -> bool {
        let token = Token::parse(token.as_bytes());
        token.is_some_and(|token| token.by_set(set, NOW).is_some())
    }

    #[test]
    fn tokens_are_good_by_the_key_that_they_name_and_no_other() {
        let signer = Signer::new();
        let set = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
        assert_eq!(set.len(), 2);
        let claims = json!({ "exp": NOW + 60 });
        for (header, good) in [
            (json!({ "alg": "RS256", "kid": "r" }), true),
            (json!({ "alg": "ES256", "kid": "e" }), true),
            // There is one of each kind.
            (json!({ "alg": "RS256" }), true),
            (json!({ "alg": "ES256" }), true),
            (json!({ "alg": "RS256", "kid": "e" }), false),
            (json!({ "alg": "ES256", "kid": "r" }), false),
            (json!({ "alg": "RS256", "kid": "o" }), false),
            (json!({ "alg": "RS256", "kid": "" }), false),
            (json!({ "alg": "RS256", "kid": "../r" }), false),
            (json!({ "alg": "RS384", "kid": "r" }), false),
            (json!({ "alg": "PS256", "kid": "r" }), false),
            (json!({ "alg": "none", "kid": "r" }), false),
            (json!({ "alg": "RS256", "kid": "r", "crit": [] }), false),
        ] {
            let token = signer.sign(&header, &claims);
            assert_eq!(is_good(&set, &token), good, "{header}");
            // A token that brings its own key along is one like any other.
            let mut header = header;
            header["jwk"] = signer.keys()["keys"][0].clone();
            header["jku"] = "http://evil.example".into();
            let token = signer.sign(&header, &claims);
            assert_eq!(is_good(&set, &token), good, "{header}");
            let ended = signer.sign(&header, &json!({ "exp": NOW }));
            assert!(!is_good(&set, &ended), "{header}");
            let (text, _) = token.rsplit_once('.').unwrap();
            for signature in ["", "AAAA"] {
                assert!(!is_good(&set, &format!("{text}.{signature}")), "{header}");
            }
        }
        let other = Signer::new();
        let token = other.sign(&json!({ "alg": "ES256", "kid": "e" }), &claims);
        assert!(!is_good(&set, &token));
    }

    #[test]
    fn a_public_key_is_no_shared_one() {
        let signer = Signer::new();
        let document = signer.keys();
        let set = KeySet::parse(document.to_string().as_bytes()).unwrap();
        let text = unsigned(r#"{"alg":"HS256","kid":"r"}"#, "{}");
        for key in [
            document.to_string().into_bytes(),
            document["keys"][0]["n"].as_str().unwrap().into(),
            URL_SAFE_NO_PAD
                .decode(document["keys"][0]["n"].as_str().unwrap())
                .unwrap(),
            RSA.into(),
        ] {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
            let signature = ring::hmac::sign(&key, text.as_bytes());
            let token = format!("{text}.{}", base64url(signature.as_ref()));
            assert!(!is_good(&set, &token));
        }
        // And the other way around.
        let token = signer.sign(&json!({ "alg": "RS256", "kid": "r" }), &json!({}));
        let token = Token::parse(token.as_bytes()).unwrap();
        assert_eq!(token.by_key(&[7; 32], NOW), None);
    }

    #[test]
    fn what_is_no_set() {
        for text in ["", "[]", "{}", r#"{"keys":7}"#, r#"{"keys":{}}"#] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(KeySet::parse(br#"{"keys":[]}"#).unwrap().len(), 0);
        let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_SET));
        assert!(KeySet::parse(long.as_bytes()).is_err());
        let key = &Signer::new().keys()["keys"][1];
        let many = json!({ "keys": vec![key; MAX_KEYS + 1] }).to_string();
        assert_eq!(KeySet::parse(many.as_bytes()).unwrap().len(), MAX_KEYS);
    }
}
