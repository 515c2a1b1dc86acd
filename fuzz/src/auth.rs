//! Targets of `http_auth`: what strangers claim to be, and what servers want proven.

use http_auth::{Authorization, Credentials, Guard, Login, Random};
use std::time::Instant;

/// A field `Authorization`: nobody gets in who does not know the password, and nothing that is read is longer than it.
pub fn authorization(now: Instant, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut guard = Guard::new("realm", Random([7; 16]));
    let _ = guard.challenge(now, false, false);
    let Some(authorization) = Authorization::parse(&text) else {
        return;
    };
    if let Some(user) = authorization.user() {
        assert!(user.len() <= text.len());
    }
    let secret = "a password that no input holds";
    let proven = guard.check(now, "DESCRIBE", Some(&authorization), ("user", secret));
    assert!(
        proven.is_err(),
        "{text:?} proves a password that it does not hold"
    );
}

/// Fields `WWW-Authenticate`, one a line: what is answered is one line, and a [`Guard`] reads it.
pub fn challenge(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let credentials = Credentials {
        user: "us\"er".to_owned(),
        password: "pass\\word".to_owned(),
    };
    let mut login = Login::new(Some(credentials), Random([3; 16]));
    for answers in 0..4 {
        if !login.challenged(text.lines(), answers) {
            return;
        }
        let said = login.authorization("DESCRIBE", "rtsp://host/path");
        if let Some(said) = said {
            assert!(!said.contains(['\r', '\n']), "{said:?}");
            assert!(Authorization::parse(&said).is_some(), "{said:?}");
        }
    }
}

/// Valid inputs to start from: entry, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let challenges = "Digest realm=\"realm\", nonce=\"0a1b\", algorithm=SHA-256, qop=\"auth,auth-int\", opaque=\"x\", stale=true\n\
        Digest realm=\"realm\", nonce=\"0a1b\"\nBasic realm=\"a \\\"quoted\\\" realm\"";
    let digest = "Digest username=\"user\", realm=\"realm\", nonce=\"0a1b\", uri=\"rtsp://h/p\", qop=auth, nc=00000001, \
        cnonce=\"c\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5";
    vec![
        (
            "challenge",
            "digest-and-basic",
            challenges.as_bytes().to_vec(),
        ),
        ("authorization", "digest", digest.as_bytes().to_vec()),
        (
            "authorization",
            "basic",
            b"Basic dXNlcjpwYXNzd29yZA==".to_vec(),
        ),
    ]
}
