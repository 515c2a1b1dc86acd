//! The client's side: takes a challenge, and proves the password in each request after it.

use super::challenge::{Challenge, Digest};
use super::digest::{Algorithm, Proof, hexadecimal};
use super::{Credentials, Random};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// So often a request is made again because its nonce was too old. A server that calls every nonce so means that the
/// password is wrong.
const MAX_STALE: u8 = 3;

/// Proves who the client is.
#[derive(Clone, Debug)]
pub struct Login {
    credentials: Option<Credentials>,
    random: Random,
    challenge: Option<Challenge>,
    /// Requests proven with the nonce.
    count: u32,
}

impl Login {
    /// For a connection.
    pub const fn new(credentials: Option<Credentials>, random: Random) -> Self {
        Self {
            credentials,
            random,
            challenge: None,
            count: 0,
        }
    }

    /// Takes the challenges of a response: the values of its fields `WWW-Authenticate`. Whether the request, which has answered `answers` challenges, may be made
    /// again: not without credentials or a challenge that can be met, and not when the last of them still stands.
    pub fn challenged<'a>(&mut self, fields: impl Iterator<Item = &'a str>, answers: u8) -> bool {
        let challenge = Challenge::strongest(fields);
        let Some(challenge) = challenge.filter(|_| self.credentials.is_some()) else {
            return false;
        };
        let stale = matches!(&challenge, Challenge::Digest(digest) if digest.stale);
        if answers > 0 && !stale || answers > MAX_STALE {
            return false;
        }
        self.challenge = Some(challenge);
        self.count = 0;
        true
    }

    /// The value of `Authorization` for a request, once there was a challenge.
    pub fn authorization(&mut self, method: &str, url: &str) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        let Credentials { user, password } = credentials;
        match self.challenge.as_ref()? {
            Challenge::Basic => {
                let token = STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {token}"))
            }
            Challenge::Digest(digest) => {
                self.count = self.count.wrapping_add(1);
                let count = format!("{:08x}", self.count);
                // Another nonce for each request.
                let cnonce = [hexadecimal(&self.random.0), count.clone()];
                let cnonce = Algorithm::Sha256.hash(&[&cnonce[0], &cnonce[1], &digest.nonce]);
                let cnonce = cnonce.get(..32).unwrap_or_default();
                Some(prove(digest, credentials, method, url, (&count, cnonce)))
            }
        }
    }
}

fn prove(
    digest: &Digest,
    credentials: &Credentials,
    method: &str,
    uri: &str,
    (count, cnonce): (&str, &str),
) -> String {
    let Credentials { user, password } = credentials;
    let Digest {
        algorithm,
        realm,
        nonce,
        ..
    } = digest;
    let proof = Proof {
        algorithm: *algorithm,
        user,
        realm,
        password,
        nonce,
        method,
        uri,
        counted: digest.counted.then_some((count, cnonce)),
    };
    let response = proof.response();
    let [user, realm, nonce, uri] = [user, realm, nonce, uri].map(quoted);
    // The order is the one in which RFC 2617 shows it: some cameras want no other.
    let mut out = format!(
        "Digest username={user}, realm={realm}, nonce={nonce}, uri={uri}, response=\"{response}\""
    );
    if digest.named {
        out.push_str(", algorithm=");
        out.push_str(algorithm.name());
    }
    if digest.counted {
        out.push_str(&format!(", qop=auth, nc={count}, cnonce=\"{cnonce}\""));
    }
    if let Some(opaque) = &digest.opaque {
        out.push_str(", opaque=");
        out.push_str(&quoted(opaque));
    }
    out
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        let credentials = Credentials {
            user: "jo\"e".to_owned(),
            password: "pä:ss".to_owned(),
        };
        assert_eq!(format!("{credentials:?}"), "Credentials(***)");
        Login::new(Some(credentials), Random([7; 16]))
    }

    fn challenged(login: &mut Login, fields: &[&str], answers: u8) -> bool {
        login.challenged(fields.iter().copied(), answers)
    }

    #[test]
    fn nothing_is_proven_before_it_is_asked_for() {
        let mut login = login();
        assert_eq!(login.authorization("DESCRIBE", "u"), None);
        assert!(challenged(&mut login, &["Basic realm=\"x\""], 0));
        let token = STANDARD.encode("jo\"e:pä:ss");
        let value = login.authorization("DESCRIBE", "u");
        assert_eq!(value, Some(format!("Basic {token}")));
    }

    #[test]
    fn requests_are_counted_where_that_is_asked_for() {
        let mut login = login();
        let challenge = ["Digest realm=\"r\", nonce=\"n\", qop=\"auth\", opaque=\"o\""];
        assert!(challenged(&mut login, &challenge, 0));
        let first = login.authorization("PLAY", "u").unwrap();
        let second = login.authorization("PLAY", "u").unwrap();
        assert!(
            first.starts_with("Digest username=\"jo\\\"e\", realm=\"r\", nonce=\"n\", uri=\"u\", ")
        );
        assert!(first.contains("nc=00000001") && second.contains("nc=00000002"));
        assert!(first.ends_with("opaque=\"o\"") && !first.contains("algorithm"));
        let plain = ["Digest realm=\"r\", nonce=\"n\", algorithm=MD5"];
        assert!(challenged(&mut login, &plain, 0));
        let value = login.authorization("PLAY", "u").unwrap();
        assert!(value.ends_with("algorithm=MD5") && !value.contains("nc="));
    }

    #[test]
    fn a_refused_answer_is_not_repeated() {
        let mut login = login();
        let fresh = ["Digest realm=\"r\", nonce=\"n\""];
        let stale = ["Digest realm=\"r\", nonce=\"m\", stale=true"];
        assert!(challenged(&mut login, &fresh, 0));
        assert!(!challenged(&mut login, &fresh, 1));
        assert!(challenged(&mut login, &stale, 1));
        assert!(!challenged(&mut login, &["Negotiate"], 0));
        assert!(!challenged(
            &mut Login::new(None, Random::default()),
            &fresh,
            0
        ));
    }
}
