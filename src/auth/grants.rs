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

/// What a grant was given for; it is worth no more than that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A token of the configuration.
    Configured,
    /// The API token of that ID.
    Token(String),
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
    given: Mutex<HashMap<String, (Use, Instant, Holder)>>,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Grants {
    pub(super) fn give(&self, holder: &Holder, now: Instant) -> Grant {
        let grant = Grant {
            access: token(),
            refresh: token(),
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, (_, until, _)| *until > now);
        while given.len() + 2 > MAX_GRANTS {
            let first = given.iter().min_by_key(|(_, (_, until, _))| *until);
            let Some(first) = first.map(|(token, _)| token.clone()) else {
                break;
            };
            given.remove(&first);
        }
        given.insert(
            grant.access.clone(),
            (Use::Access, now + LIFETIME, holder.clone()),
        );
        given.insert(
            grant.refresh.clone(),
            (Use::Refresh, now + REFRESH_LIFETIME, holder.clone()),
        );
        grant
    }

    /// What a token to manage with was given for.
    pub(super) fn holder(&self, token: &[u8], now: Instant) -> Option<Holder> {
        let token = std::str::from_utf8(token).ok()?;
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (purpose, until, holder) = given.get(token)?;
        (*purpose == Use::Access && *until > now).then(|| holder.clone())
    }

    /// What a refresh token was given for. It is worth nothing afterwards.
    pub(super) fn redeem(&self, token: &str, now: Instant) -> Option<Holder> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (purpose, until, _) = given.get(token)?;
        if *purpose != Use::Refresh || *until <= now {
            return None;
        }
        given.remove(token).map(|(_, _, holder)| holder)
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
        let holder = Holder::Token("a".into());
        let is_good = |token: &str, now| grants.holder(token.as_bytes(), now).is_some();
        let first = grants.give(&holder, now);
        assert_eq!(
            grants.holder(first.access.as_bytes(), now),
            Some(holder.clone())
        );
        assert!(!is_good(&first.refresh, now));
        assert!(!is_good("", now) && grants.holder(&[0xff], now).is_none());
        assert!(!is_good(&first.access, now + LIFETIME));
        assert_eq!(grants.redeem(&first.access, now), None);
        assert_eq!(grants.redeem(&first.refresh, now + LIFETIME * 50), None);
        assert_eq!(grants.redeem(&first.refresh, now + LIFETIME), Some(holder));
        // It is good once.
        assert_eq!(grants.redeem(&first.refresh, now + LIFETIME), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let (grants, now) = (Grants::default(), Instant::now());
        let first = grants.give(&Holder::Configured, now);
        let mut last = first.clone();
        for number in 0..MAX_GRANTS as u64 {
            last = grants.give(&Holder::Configured, now + Duration::from_millis(number + 1));
        }
        assert!(grants.given.lock().unwrap().len() <= MAX_GRANTS);
        assert!(grants.holder(first.access.as_bytes(), now).is_none());
        assert!(grants.holder(last.access.as_bytes(), now).is_some());
    }
}
