//! Tokens that are good for an hour, for clients that exchange their key for them.

use rand::Rng;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an access token is good.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// How long a refresh token is good.
const REFRESH_LIFETIME: Duration = Duration::from_hours(24);

/// Most tokens that are good at a time; the one that ends first goes.
const MAX_GRANTS: usize = 4_096;

/// Letters and digits of a token.
const LENGTH: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Access,
    Refresh,
}

/// A token to manage with, and one to get the next pair with.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// Good for [`LIFETIME`].
    pub access: String,
    /// Good once, for a day.
    pub refresh: String,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The tokens that were given. They end with the process.
#[derive(Default)]
pub(super) struct Grants {
    given: Mutex<HashMap<String, (Use, Instant)>>,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Grants {
    pub(super) fn give(&self, now: Instant) -> Grant {
        let grant = Grant {
            access: token(),
            refresh: token(),
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, (_, until)| *until > now);
        while given.len() + 2 > MAX_GRANTS {
            let first = given.iter().min_by_key(|(_, (_, until))| *until);
            let Some(first) = first.map(|(token, _)| token.clone()) else {
                break;
            };
            given.remove(&first);
        }
        given.insert(grant.access.clone(), (Use::Access, now + LIFETIME));
        given.insert(
            grant.refresh.clone(),
            (Use::Refresh, now + REFRESH_LIFETIME),
        );
        grant
    }

    /// Whether a token is one to manage with.
    pub(super) fn is_good(&self, token: &[u8], now: Instant) -> bool {
        let Ok(token) = std::str::from_utf8(token) else {
            return false;
        };
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let known = given.get(token);
        known.is_some_and(|(purpose, until)| *purpose == Use::Access && *until > now)
    }

    /// Another pair for a refresh token, which is worth nothing afterwards.
    pub(super) fn renew(&self, token: &str, now: Instant) -> Option<Grant> {
        let known = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            let (purpose, until) = given.get(token).copied()?;
            let is_good = purpose == Use::Refresh && until > now;
            is_good.then(|| given.remove(token))?
        };
        known.map(|_| self.give(now))
    }
}

fn token() -> String {
    let letters = rand::rng().sample_iter(rand::distr::Alphanumeric);
    letters.take(LENGTH).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_use_and_its_time() {
        let (grants, now) = (Grants::default(), Instant::now());
        let first = grants.give(now);
        assert!(grants.is_good(first.access.as_bytes(), now));
        assert!(!grants.is_good(first.refresh.as_bytes(), now));
        assert!(!grants.is_good(b"", now) && !grants.is_good(&[0xff], now));
        assert!(!grants.is_good(first.access.as_bytes(), now + LIFETIME));
        assert_eq!(grants.renew(&first.access, now), None);
        let second = grants.renew(&first.refresh, now + LIFETIME).unwrap();
        assert!(grants.is_good(second.access.as_bytes(), now + LIFETIME));
        // It is good once.
        assert_eq!(grants.renew(&first.refresh, now + LIFETIME), None);
        assert_eq!(grants.renew(&second.refresh, now + LIFETIME * 50), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let (grants, now) = (Grants::default(), Instant::now());
        let first = grants.give(now);
        let mut last = first.clone();
        for number in 0..MAX_GRANTS as u64 {
            last = grants.give(now + Duration::from_millis(number + 1));
        }
        assert!(grants.given.lock().unwrap().len() <= MAX_GRANTS);
        assert!(!grants.is_good(first.access.as_bytes(), now));
        assert!(grants.is_good(last.access.as_bytes(), now));
    }
}
