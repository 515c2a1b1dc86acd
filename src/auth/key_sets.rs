//! The sets of keys that tokens are checked with, as they were fetched last.
//!
//! A set is fetched when it is needed first, when it is old, and when a token names a key that is not in it; whatever
//! tokens say, a server is asked once a minute at most. Where it does not answer, the set before holds on for a day.

use super::jwks::{KeySet, MAX_SET};
use super::jwt::Token;
use super::outward::Outward;
use crate::net::fetch;
use axum::http::HeaderMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// Sets that are kept; the one that was fetched longest ago goes.
const MAX_SETS: usize = 64;

/// A set is fetched again after so long.
const REFRESH: Duration = Duration::from_hours(1);

/// A set that cannot be fetched again is good for no longer.
const STALE: Duration = Duration::from_hours(24);

/// Between two fetches of a set lies so long at least, whatever tokens say.
const PAUSE: Duration = Duration::from_secs(60);

/// The same while there is no set at all.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// A server has so long for its set.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sets, by their URLs.
#[derive(Debug, Default)]
pub(super) struct KeySets {
    kept: Mutex<HashMap<String, Arc<Kept>>>,
}

#[derive(Debug, Default)]
struct Kept {
    state: Mutex<State>,
    /// Held by the one that fetches; others wait for what it brings.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Option<(Arc<KeySet>, Instant)>,
    tried: Option<Instant>,
}

impl State {
    /// The set, as long as it is good.
    fn keys(&self, now: Instant) -> Option<Arc<KeySet>> {
        let (keys, fetched) = self.keys.as_ref()?;
        let is_good = now.saturating_duration_since(*fetched) < STALE;
        is_good.then(|| keys.clone())
    }

    /// Whether it is to be fetched for that token.
    fn is_wanted(&self, token: &Token<'_>, now: Instant) -> bool {
        let passed = |since: Instant| now.saturating_duration_since(since);
        let pause = match self.keys(now) {
            Some(_) => PAUSE,
            None => FIRST_PAUSE,
        };
        let may = self.tried.is_none_or(|tried| passed(tried) >= pause);
        let needs = self
            .keys
            .as_ref()
            .is_none_or(|(keys, fetched)| passed(*fetched) >= REFRESH || !keys.fits(token));
        may && needs
    }
}

impl KeySets {
    /// The set at that URL, which has been fetched for this token if that could help.
    pub(super) async fn for_token(
        &self,
        url: &Url,
        token: &Token<'_>,
        outward: Option<&Outward>,
    ) -> Option<Arc<KeySet>> {
        let kept = self.kept(url);
        let state = kept.state();
        if state.is_wanted(token, Instant::now()) {
            let _fetching = kept.fetching.lock().await;
            if kept.state().is_wanted(token, Instant::now()) {
                kept.fetch(url, outward?).await;
            }
        }
        let state = kept.state();
        state.keys(Instant::now())
    }

    fn kept(&self, url: &Url) -> Arc<Kept> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_SETS && !all.contains_key(url.as_str()) {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.state().tried);
            if let Some(oldest) = oldest.map(|(url, _)| url.clone()) {
                all.remove(&oldest);
            }
        }
        all.entry(url.as_str().to_owned()).or_default().clone()
    }
}

impl Kept {
    async fn fetch(&self, url: &Url, outward: &Outward) {
        self.lock().tried = Some(Instant::now());
        let headers = HeaderMap::new();
        let ask = outward.ask(&headers, PATIENCE);
        let whole = tokio::time::timeout(PATIENCE, fetch::whole(url, &ask, MAX_SET)).await;
        let keys = match whole {
            Ok(Ok(whole)) => KeySet::parse(&whole.body),
            Ok(Err(failure)) => Err(failure.reason),
            Err(_) => Err("the server does not answer".to_owned()),
        };
        // The URL may hold a secret, but for its host.
        let host = url.host_str().unwrap_or_default();
        match keys {
            Ok(keys) => {
                tracing::info!(host, keys = keys.len(), "keys for tokens were fetched");
                self.lock().keys = Some((Arc::new(keys), Instant::now()));
            }
            Err(reason) => tracing::warn!(host, reason, "keys for tokens cannot be fetched"),
        }
    }

    fn state(&self) -> State {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwks::tests::Signer;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_set_is_fetched_when_that_helps_and_not_too_often() {
        let signer = Signer::new();
        let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
        let keys = Arc::new(keys);
        let known = signer.sign(&json!({ "alg": "ES256", "kid": "e" }), &json!({}));
        let unknown = signer.sign(&json!({ "alg": "ES256", "kid": "new" }), &json!({}));
        let [known, unknown] = [&known, &unknown].map(|token| Token::parse(token.as_bytes()));
        let (known, unknown) = (known.unwrap(), unknown.unwrap());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let nothing = State::default();
        assert!(nothing.is_wanted(&known, start) && nothing.keys(start).is_none());
        let failed = State {
            tried: Some(start),
            ..State::default()
        };
        assert!(!failed.is_wanted(&known, at(4)) && failed.is_wanted(&known, at(5)));
        let fetched = State {
            keys: Some((keys, start)),
            tried: Some(start),
        };
        for (seconds, for_known, for_unknown, has_keys) in [
            (0, false, false, true),
            (59, false, false, true),
            (60, false, true, true),
            (3_599, false, true, true),
            (3_600, true, true, true),
            (86_399, true, true, true),
            (86_400, true, true, false),
        ] {
            let now = at(seconds);
            assert_eq!(fetched.is_wanted(&known, now), for_known, "{seconds}");
            assert_eq!(fetched.is_wanted(&unknown, now), for_unknown, "{seconds}");
            assert_eq!(fetched.keys(now).is_some(), has_keys, "{seconds}");
        }
    }

    #[tokio::test]
    async fn their_number_is_bounded() {
        let sets = KeySets::default();
        let signer = Signer::new();
        let token = signer.sign(&json!({ "alg": "ES256" }), &json!({}));
        let token = Token::parse(token.as_bytes()).unwrap();
        for number in 0..=MAX_SETS {
            let url = Url::parse(&format!("http://127.0.0.1/{number}")).unwrap();
            assert!(sets.for_token(&url, &token, None).await.is_none());
        }
        assert_eq!(sets.kept.lock().unwrap().len(), MAX_SETS);
    }
}
