//! Tokens that are good for one viewer or publisher of one stream: whoever uses one first has it.
//!
//! HLS and DASH ask again with each request, and a publisher may lose its connection: a token stays with the address that
//! used it first, as long as it is used again within a minute.

use super::digest::secret;
use crate::hub::StreamName;
use crate::store::{Kind, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Most tokens that are kept; those that have ended go first.
const MAX_TOKENS: usize = 100_000;

/// A token that was used is worth nothing when it is not used again for so long.
const IDLE: Duration = Duration::from_secs(60);

/// Tokens that were used and wait to be forgotten.
const WAITING: usize = 4_096;

/// A token as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamToken {
    /// `APP/ID` of the stream.
    pub stream: String,
    /// `publish` or `play`.
    pub kind: String,
    /// Seconds since 1970.
    pub expires: u64,
    /// What somebody noted with it.
    pub room: Option<String>,
}

struct Held {
    token: StreamToken,
    by: Option<(IpAddr, Instant)>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum StreamTokenError {
    /// As many are kept as may be.
    #[error("there are 100000 tokens of streams, as many as there may be")]
    Full,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tokens that exist.
#[derive(Default)]
pub struct StreamTokens {
    store: Option<Store>,
    held: Mutex<HashMap<String, Held>>,
    /// To the one task that forgets what was used, so that it is not good again after a restart.
    used: Option<mpsc::Sender<String>>,
}

impl std::fmt::Debug for StreamTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl StreamTokens {
    /// Those that the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let kept = store.all::<StreamToken>(Kind::StreamTokens)?;
        let held = |token| Held { token, by: None };
        let held = kept.into_iter().map(|(id, token)| (id, held(token)));
        let (used, waiting) = mpsc::channel(WAITING);
        tokio::spawn(forget_used(store.clone(), waiting));
        Ok(Self {
            held: Mutex::new(held.collect()),
            store: Some(store),
            used: Some(used),
        })
    }

    /// Makes a token. It is the ID that opens the stream.
    ///
    /// # Errors
    /// When there are too many, or it cannot be kept.
    pub async fn create(&self, token: StreamToken, now: u64) -> Result<String, StreamTokenError> {
        let over = self.take_ended(now);
        if let Some(store) = &self.store {
            store.remove_all(Kind::StreamTokens, over).await?;
        }
        if self.lock().len() >= MAX_TOKENS {
            return Err(StreamTokenError::Full);
        }
        let id = secret();
        if let Some(store) = &self.store {
            store.put(Kind::StreamTokens, &id, &token).await?;
        }
        self.lock().insert(id.clone(), Held { token, by: None });
        Ok(id)
    }

    /// The tokens of a stream that have not ended, by ID.
    pub fn list(&self, stream: &StreamName, now: u64) -> Vec<(String, StreamToken)> {
        let held = self.lock();
        let of_stream = held
            .iter()
            .filter(|(_, held)| held.token.stream == stream.as_str() && held.token.expires > now);
        let tokens = of_stream.map(|(id, held)| (id.clone(), held.token.clone()));
        let mut tokens: Vec<_> = tokens.collect();
        tokens.sort_by(|a, b| a.0.cmp(&b.0));
        tokens
    }

    /// Forgets all tokens of a stream. Returns whether there were any.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub async fn forget(&self, stream: &StreamName) -> Result<bool, StoreError> {
        let ids: Vec<String> = {
            let held = self.lock();
            let of_stream = held
                .iter()
                .filter(|(_, held)| held.token.stream == stream.as_str());
            of_stream.map(|(id, _)| id.clone()).collect()
        };
        if let Some(store) = &self.store {
            store.remove_all(Kind::StreamTokens, ids.clone()).await?;
        }
        let mut held = self.lock();
        for id in &ids {
            held.remove(id);
        }
        Ok(!ids.is_empty())
    }

    /// The token of that ID, if it is one for this that nobody has used, whoever asks.
    pub fn is_good(&self, id: &str, stream: &StreamName, kind: &str, now: u64) -> bool {
        let held = self.lock();
        let held = held.get(id).filter(|held| held.by.is_none());
        held.is_some_and(|held| held.token.is_for(stream.as_str(), kind, now))
    }

    /// Whether a token opens a stream to who is at that address: it is theirs from now on.
    pub(super) fn open_with(
        &self,
        id: &[u8],
        (stream, kind): (&str, &str),
        address: IpAddr,
        (now, instant): (u64, Instant),
    ) -> bool {
        let Ok(id) = std::str::from_utf8(id) else {
            return false;
        };
        let address = address.to_canonical();
        let mut all = self.lock();
        let Some(held) = all.get_mut(id) else {
            return false;
        };
        let is_theirs = held.by.is_none_or(|(by, last)| {
            by == address && instant.saturating_duration_since(last) < IDLE
        });
        if !is_theirs || !held.token.is_for(stream, kind, now) {
            return false;
        }
        if held.by.replace((address, instant)).is_none()
            && let Some(used) = &self.used
            && used.try_send(id.to_owned()).is_err()
        {
            tracing::warn!(
                "too many tokens of streams are used at once; some may be good again after a restart"
            );
        }
        true
    }

    /// The IDs of those that have ended, which are forgotten by this.
    fn take_ended(&self, now: u64) -> Vec<String> {
        let mut held = self.lock();
        let ended = held.extract_if(|_, held| held.token.expires <= now);
        ended.map(|(id, _)| id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn forget_used(store: Store, mut waiting: mpsc::Receiver<String>) {
    let mut used = Vec::new();
    while waiting.recv_many(&mut used, WAITING).await > 0 {
        let used = std::mem::take(&mut used);
        if let Err(error) = store.remove_all(Kind::StreamTokens, used).await {
            tracing::error!(%error, "cannot keep which tokens of streams were used");
        }
    }
}

impl StreamToken {
    fn is_for(&self, stream: &str, kind: &str, now: u64) -> bool {
        self.stream == stream && self.kind == kind && self.expires > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn token(stream: &str, kind: &str, expires: u64) -> StreamToken {
        StreamToken {
            stream: stream.to_owned(),
            kind: kind.to_owned(),
            expires,
            room: None,
        }
    }

    #[tokio::test]
    async fn whoever_uses_one_first_has_it() {
        let tokens = StreamTokens::default();
        let play = token("LiveApp/cam", "play", NOW + 600);
        let id = tokens.create(play, NOW).await.unwrap();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = Instant::now();
        let opens = |stream, kind, address, seconds| {
            let at = (NOW, start + Duration::from_secs(seconds));
            tokens.open_with(id.as_bytes(), (stream, kind), address, at)
        };
        assert!(!opens("LiveApp/door", "play", one, 0));
        assert!(!opens("LiveApp/cam", "publish", one, 0));
        assert!(opens("LiveApp/cam", "play", one, 0));
        assert!(!opens("LiveApp/cam", "play", other, 1));
        assert!(opens("LiveApp/cam", "play", one, 59));
        assert!(opens("LiveApp/cam", "play", one, 118));
        assert!(!opens("LiveApp/cam", "play", one, 178));
        let cam = StreamName::new("LiveApp", "cam").unwrap();
        assert!(!tokens.is_good(&id, &cam, "play", NOW));
        for wrong in ["", "x", &id[1..]] {
            let at = (NOW, start);
            assert!(!tokens.open_with(wrong.as_bytes(), ("LiveApp/cam", "play"), one, at));
        }
    }

    #[tokio::test]
    async fn they_end_and_are_forgotten_and_kept_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = StreamTokens::open(Store::open(folder.path()).unwrap()).unwrap();
        let cam = StreamName::new("LiveApp", "cam").unwrap();
        let create = |kind, expires| tokens.create(token("LiveApp/cam", kind, expires), NOW);
        create("play", NOW + 1).await.unwrap();
        let later = create("publish", NOW + 9).await.unwrap();
        assert_eq!(tokens.list(&cam, NOW).len(), 2);
        assert_eq!(tokens.list(&cam, NOW + 1).len(), 1);
        assert!(tokens.is_good(&later, &cam, "publish", NOW + 8));
        assert!(!tokens.is_good(&later, &cam, "publish", NOW + 9));
        tokens
            .create(token("LiveApp/x", "play", NOW + 99), NOW + 1)
            .await
            .unwrap();
        drop(tokens);
        let store = loop {
            match Store::open(folder.path()) {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(
            store.all::<StreamToken>(Kind::StreamTokens).unwrap().len(),
            2
        );
        let tokens = StreamTokens::open(store).unwrap();
        assert!(tokens.forget(&cam).await.unwrap());
        assert!(!tokens.forget(&cam).await.unwrap());
        assert!(tokens.list(&cam, NOW).is_empty());
    }
}
