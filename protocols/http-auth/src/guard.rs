//! The server's side: makes challenges, and checks what is proven.
//!
//! Nonces belong to one connection, so that no proof is of use on another.

use super::Random;
use super::challenge::Scheme;
use super::digest::{Algorithm, Proof, hexadecimal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a nonce is good.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Most nonces of a connection that are good at once; with one more the oldest goes.
const MAX_NONCES: usize = 4;

/// What a client says to prove who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(Scheme);

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// The user or the password is wrong.
    Wrong,
    /// The password is right, but the nonce is not of this connection, or too old.
    Stale,
}

/// Makes the challenges of one connection.
#[derive(Clone, Debug)]
pub struct Guard {
    realm: String,
    random: Random,
    nonces: VecDeque<(String, Instant)>,
    count: u64,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization(***)")
    }
}

impl Authorization {
    /// Reads the value of `Authorization`.
    pub fn parse(value: &str) -> Option<Self> {
        let scheme = Scheme::parse_list(value).into_iter().next()?;
        (scheme.is("Basic") || scheme.is("Digest")).then_some(Self(scheme))
    }

    /// The user whom it names.
    pub fn user(&self) -> Option<String> {
        if self.0.is("Basic") {
            return Some(self.basic()?.0);
        }
        self.0.get("username").map(str::to_owned)
    }

    /// User and password, where it tells them as they are.
    pub fn told(&self) -> Option<(String, String)> {
        self.basic().filter(|_| self.0.is("Basic"))
    }

    fn basic(&self) -> Option<(String, String)> {
        let bytes = STANDARD.decode(&self.0.token).ok()?;
        // UTF-8 is what it has to be (RFC 7617 section 2.1); replaced characters would be another's name.
        let text = String::from_utf8(bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// Whether the password is proven, for a request of this method.
    fn proves(&self, method: &str, realm: &str, user: &str, password: &str) -> bool {
        if let Some((found, given)) = self.told() {
            // Hashed, so that comparing takes the same time for all lengths.
            let hash = |user: &str, password: &str| Algorithm::Sha256.hash(&[user, password]);
            return same(&hash(&found, &given), &hash(user, password));
        }
        let get = |name| self.0.get(name).unwrap_or_default();
        let algorithm = self
            .0
            .get("algorithm")
            .map_or(Some(Algorithm::Md5), Algorithm::parse);
        let Some(algorithm) = algorithm else {
            return false;
        };
        let counted = get("qop").eq_ignore_ascii_case("auth");
        // The URI is taken as the client wrote it, which is not always that of the request: the nonce binds the
        // proof to the connection already.
        let proof = Proof {
            algorithm,
            user,
            realm,
            password,
            nonce: get("nonce"),
            method,
            uri: get("uri"),
            counted: counted.then(|| (get("nc"), get("cnonce"))),
        };
        get("realm") == realm
            && get("username") == user
            && same(&get("response").to_ascii_lowercase(), &proof.response())
    }
}

impl Guard {
    /// For a connection.
    pub fn new(realm: &str, random: Random) -> Self {
        Self {
            // In quotes it stands in a header field.
            realm: realm
                .chars()
                .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
                .collect(),
            random,
            nonces: VecDeque::new(),
            count: 0,
        }
    }

    /// The values of `WWW-Authenticate` with a new nonce: the weakest last, since some clients take the last. Basic
    /// is among them where nobody listens.
    pub fn challenge(&mut self, now: Instant, stale: bool, is_secure: bool) -> Vec<String> {
        self.count += 1;
        let random = hexadecimal(&self.random.0);
        let nonce = Algorithm::Sha256.hash(&[&random, &self.count.to_string()]);
        let nonce = nonce.get(..32).unwrap_or_default().to_owned();
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.pop_front();
        }
        let realm = &self.realm;
        let stale = if stale { ", stale=true" } else { "" };
        let mut values = vec![
            format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\"{stale}"
            ),
            // Without qop, which some clients do not know.
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\"{stale}"),
        ];
        if is_secure {
            values.push(self.basic());
        }
        self.nonces.push_back((nonce, now));
        values
    }

    /// The value of `WWW-Authenticate` that has user and password told as they are, for who has to hand them on.
    pub fn basic(&self) -> String {
        format!("Basic realm=\"{}\"", self.realm)
    }

    /// A name that nobody can guess, the same for the same purpose.
    pub fn identifier(&self, purpose: &str) -> String {
        let random = hexadecimal(&self.random.0);
        let hash = Algorithm::Sha256.hash(&["session", &random, purpose]);
        hash.get(..16).unwrap_or_default().to_owned()
    }

    /// Whether a request's `Authorization` proves this password of this user.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(
        &self,
        now: Instant,
        method: &str,
        authorization: Option<&Authorization>,
        (user, password): (&str, &str),
    ) -> Result<(), Denied> {
        let authorization = authorization.ok_or(Denied::Missing)?;
        if !authorization.proves(method, &self.realm, user, password) {
            return Err(Denied::Wrong);
        }
        let nonce = authorization.0.get("nonce");
        let known = |nonce| self.nonces.iter().find(|(known, _)| known == nonce);
        let fresh = |made: Instant| now.saturating_duration_since(made) < NONCE_LIFETIME;
        let good = nonce.and_then(known).is_some_and(|(_, made)| fresh(*made));
        if good || authorization.0.is("Basic") {
            Ok(())
        } else {
            Err(Denied::Stale)
        }
    }
}

/// Takes the same time wherever texts of one length differ.
fn same(one: &str, other: &str) -> bool {
    let differences = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, Login};

    const JOE: (&str, &str) = ("joe", "secret");

    fn login(user: &str, password: &str) -> Login {
        let credentials = Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        Login::new(Some(credentials), Random([1; 16]))
    }

    /// What a client answers to these challenges.
    fn answer(challenges: &[String], login: &mut Login) -> Option<Authorization> {
        assert!(login.challenged(challenges.iter().map(String::as_str), 0));
        Authorization::parse(&login.authorization("PLAY", "rtsp://h/s").unwrap())
    }

    #[test]
    fn our_client_gets_in_with_each_challenge() {
        let now = Instant::now();
        let mut guard = Guard::new("Mill\"stream", Random([9; 16]));
        let challenges = guard.challenge(now, false, false);
        let secure = guard.challenge(now, false, true);
        assert_eq!(secure[2], "Basic realm=\"Millstream\"");
        for challenges in [
            &challenges[..],
            &challenges[..1],
            &challenges[1..],
            &secure[..],
        ] {
            let authorization = answer(challenges, &mut login("joe", "secret"));
            let authorization = authorization.as_ref();
            assert_eq!(authorization.unwrap().user().as_deref(), Some("joe"));
            assert_eq!(guard.check(now, "PLAY", authorization, JOE), Ok(()));
            let method = "TEARDOWN";
            assert_eq!(
                guard.check(now, method, authorization, JOE),
                Err(Denied::Wrong)
            );
            let later = now + NONCE_LIFETIME;
            assert_eq!(
                guard.check(later, "PLAY", authorization, JOE),
                Err(Denied::Stale)
            );
        }
        for (user, password) in [("joe", "Secret"), ("jim", "secret"), ("joe", "")] {
            let authorization = answer(&challenges, &mut login(user, password));
            let denied = guard.check(now, "PLAY", authorization.as_ref(), JOE);
            assert_eq!(denied, Err(Denied::Wrong));
        }
        assert_eq!(guard.check(now, "PLAY", None, JOE), Err(Denied::Missing));
    }

    #[test]
    fn a_proof_is_of_no_use_on_another_connection() {
        let now = Instant::now();
        let challenges = Guard::new("m", Random([1; 16])).challenge(now, false, false);
        let authorization = answer(&challenges, &mut login("joe", "secret"));
        let mut guard = Guard::new("m", Random([2; 16]));
        let denied = guard.check(now, "PLAY", authorization.as_ref(), JOE);
        assert_eq!(denied, Err(Denied::Stale));
        assert!(guard.challenge(now, true, false)[1].ends_with("stale=true"));
    }

    #[test]
    fn basic_is_taken_although_it_is_not_asked_for() {
        let now = Instant::now();
        let guard = Guard::new("m", Random([1; 16]));
        for (token, result) in [
            ("joe:secret", Ok(())),
            ("joe:secret2", Err(Denied::Wrong)),
            ("joe", Err(Denied::Wrong)),
            ("", Err(Denied::Wrong)),
        ] {
            let value = format!("Basic {}", STANDARD.encode(token));
            let authorization = Authorization::parse(&value);
            let found = guard.check(now, "PLAY", authorization.as_ref(), JOE);
            assert_eq!(found, result, "{token}");
            let told = authorization.and_then(|authorization| authorization.told());
            assert_eq!(told.is_some(), token.contains(':'), "{token}");
        }
        // Not UTF-8.
        let authorization = Authorization::parse("Basic /zrv").unwrap();
        assert_eq!((authorization.user(), authorization.told()), (None, None));
        assert_eq!(guard.basic(), "Basic realm=\"m\"");
        assert_eq!(Authorization::parse("Bearer abc"), None);
        let digest = Authorization::parse("Digest algorithm=x, username=\"joe\"");
        let denied = guard.check(now, "PLAY", digest.as_ref(), JOE);
        assert_eq!(denied, Err(Denied::Wrong));
    }

    #[test]
    fn nonces_have_a_bound() {
        let now = Instant::now();
        let mut guard = Guard::new("m", Random([1; 16]));
        for _ in 0..100 {
            guard.challenge(now, false, false);
        }
        assert_eq!(guard.nonces.len(), MAX_NONCES);
    }
}
