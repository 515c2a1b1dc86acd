//! Tokens for programs: made by an admin, shown once, kept as digests.

use super::digest::{Digest, digest, secret};
use super::role::Role;
use crate::hub::StreamName;
use crate::store::{Kind, Store, StoreError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// Most tokens that are kept.
const MAX_TOKENS: usize = 1_000;

/// Length of a token's name, in bytes.
const NAME: std::ops::RangeInclusive<usize> = 1..=64;

/// Most applications that a token names.
const MAX_APPLICATIONS: usize = 64;

/// What a token begins with, so that those who look for secrets in files know it.
const PREFIX: &str = "mst_";

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    name: String,
    role: Role,
    /// Empty for all, as it was before there was a choice.
    #[serde(default)]
    applications: Vec<String>,
    /// The digest of the token, as base64.
    digest: String,
    created: SystemTime,
    expires: Option<SystemTime>,
}

/// A token as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Names it in calls.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// How much its owner may.
    pub role: Role,
    /// The applications in which; empty for everything.
    pub applications: Vec<String>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends, if it does.
    pub expires: Option<SystemTime>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A name that is empty or too long.
    #[error("a token's name has 1 to 64 bytes and no control characters")]
    Name,
    /// It would have ended before it began.
    #[error("a token that ends in the past is of no use")]
    Expired,
    /// Its applications are too many, or names that none can have.
    #[error("a token is for at most 64 applications, each with a name that one can have")]
    Applications,
    /// As many are kept as may be.
    #[error("there are 1000 tokens, as many as there may be")]
    Full,
    /// There is none.
    #[error("there is no such token")]
    Unknown,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tokens that exist.
#[derive(Default)]
pub struct ApiTokens {
    store: Option<Store>,
    kept: RwLock<Index>,
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Index {
    by_id: BTreeMap<String, Kept>,
    ids: HashMap<Digest, String>,
}

impl std::fmt::Debug for ApiTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ApiTokens {
    /// Those that the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut index = Index::default();
        for (id, kept) in store.all::<Kept>(Kind::Tokens)? {
            index.insert(id, kept);
        }
        Ok(Self {
            store: Some(store),
            kept: RwLock::new(index),
            writing: tokio::sync::Mutex::default(),
        })
    }

    /// All of them, by ID.
    pub fn list(&self) -> Vec<TokenView> {
        let index = self.read();
        let views = index.by_id.iter().map(|(id, kept)| kept.view(id));
        views.collect()
    }

    /// Makes a token, for some applications or with none for everything; what is given first is the token itself, for the
    /// only time.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub async fn create(
        &self,
        name: &str,
        role: Role,
        applications: Vec<String>,
        expires: Option<SystemTime>,
    ) -> Result<(String, TokenView), TokenError> {
        let now = SystemTime::now();
        if !NAME.contains(&name.len()) || name.chars().any(char::is_control) {
            return Err(TokenError::Name);
        }
        if expires.is_some_and(|expires| expires <= now) {
            return Err(TokenError::Expired);
        }
        let is_name = |name: &String| StreamName::new(name, "any").is_ok();
        if applications.len() > MAX_APPLICATIONS || !applications.iter().all(is_name) {
            return Err(TokenError::Applications);
        }
        let _writing = self.writing.lock().await;
        if self.read().by_id.len() >= MAX_TOKENS {
            return Err(TokenError::Full);
        }
        let token = format!("{PREFIX}{}", secret());
        let id: [u8; 9] = rand::rng().random();
        let id = URL_SAFE_NO_PAD.encode(id);
        let kept = Kept {
            name: name.to_owned(),
            role,
            applications,
            digest: URL_SAFE_NO_PAD.encode(digest(token.as_bytes())),
            // The store and the answer have the same time.
            created: whole_millis(now),
            expires,
        };
        if let Some(store) = &self.store {
            store.put(Kind::Tokens, &id, &kept).await?;
        }
        let view = kept.view(&id);
        self.write(|index| index.insert(id, kept));
        Ok((token, view))
    }

    /// A token is worth nothing any more.
    ///
    /// # Errors
    /// When there is none, or that cannot be kept.
    pub async fn delete(&self, id: &str) -> Result<TokenView, TokenError> {
        let _writing = self.writing.lock().await;
        let view = self.read().by_id.get(id).map(|kept| kept.view(id));
        let view = view.ok_or(TokenError::Unknown)?;
        if let Some(store) = &self.store {
            store.remove(Kind::Tokens, id).await?;
        }
        self.write(|index| {
            index.by_id.remove(id);
            index.ids.retain(|_, known| known != id);
        });
        Ok(view)
    }

    /// The token that was given, if it is one that is good.
    pub(super) fn find(&self, given: &[u8]) -> Option<TokenView> {
        let index = self.read();
        let id = index.ids.get(&digest(given))?;
        index.good(id, SystemTime::now())
    }

    /// The token of that ID, if it is good.
    pub(super) fn get(&self, id: &str) -> Option<TokenView> {
        self.read().good(id, SystemTime::now())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut Index)) {
        change(&mut self.kept.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Index {
    fn insert(&mut self, id: String, kept: Kept) {
        let digest = URL_SAFE_NO_PAD.decode(&kept.digest).ok();
        let digest = digest.and_then(|digest| Digest::try_from(digest).ok());
        if let Some(digest) = digest {
            self.ids.insert(digest, id.clone());
        }
        self.by_id.insert(id, kept);
    }

    fn good(&self, id: &str, now: SystemTime) -> Option<TokenView> {
        let kept = self.by_id.get(id)?;
        let is_good = kept.expires.is_none_or(|expires| now < expires);
        is_good.then(|| kept.view(id))
    }
}

impl Kept {
    fn view(&self, id: &str) -> TokenView {
        TokenView {
            id: id.to_owned(),
            name: self.name.clone(),
            role: self.role,
            applications: self.applications.clone(),
            created: self.created,
            expires: self.expires,
        }
    }
}

fn whole_millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_good_until_it_ends_or_is_deleted_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = ApiTokens::open(Store::open(folder.path()).unwrap()).unwrap();
        let soon = SystemTime::now() + Duration::from_secs(3600);
        let (token, view) = tokens
            .create("ci", Role::Operator, vec!["LiveApp".into()], Some(soon))
            .await
            .unwrap();
        let made = tokens.create("x", Role::Viewer, Vec::new(), None).await;
        let (other, _) = made.unwrap();
        assert!(token.starts_with(PREFIX) && token != other);
        drop(tokens);
        let tokens = ApiTokens::open(Store::open(folder.path()).unwrap()).unwrap();
        let found = tokens.find(token.as_bytes()).unwrap();
        assert_eq!((found.role, &*found.id), (Role::Operator, &*view.id));
        assert_eq!(found, view);
        assert_eq!(found.applications, ["LiveApp"]);
        assert_eq!(tokens.list().len(), 2);
        let later = soon + Duration::from_secs(1);
        assert!(tokens.read().good(&view.id, later).is_none());
        tokens.delete(&view.id).await.unwrap();
        assert!(tokens.find(token.as_bytes()).is_none());
        assert!(tokens.find(other.as_bytes()).is_some());
        assert!(matches!(
            tokens.delete(&view.id).await,
            Err(TokenError::Unknown)
        ));
        // Nothing of it is in the file.
        let file = std::fs::read(folder.path().join("millstream.redb")).unwrap();
        let contains = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
        assert!(!contains(other.as_bytes()) && !contains(token.as_bytes()));
    }

    #[tokio::test]
    async fn what_is_no_token() {
        let tokens = ApiTokens::default();
        let past = SystemTime::now() - Duration::from_secs(1);
        let ended = tokens.create("a", Role::Admin, Vec::new(), Some(past));
        let ended = ended.await;
        assert!(matches!(ended, Err(TokenError::Expired)));
        for name in ["", "a\nb", &"a".repeat(65)] {
            let made = tokens.create(name, Role::Admin, Vec::new(), None).await;
            assert!(matches!(made, Err(TokenError::Name)), "{name:?}");
        }
        for wrong in [vec!["a/b".to_owned()], vec!["a".to_owned(); 65]] {
            let made = tokens.create("a", Role::Viewer, wrong, None).await;
            assert!(matches!(made, Err(TokenError::Applications)));
        }
        let made = tokens.create("a", Role::Admin, Vec::new(), None).await;
        let (token, view) = made.unwrap();
        for wrong in ["", PREFIX, &token[1..], &view.id] {
            assert!(tokens.find(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
