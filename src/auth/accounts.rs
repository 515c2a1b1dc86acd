//! Accounts of people: a name, a role and the hash of a password, kept in the store.

use super::password::{Busy, HASHED, LENGTH, Passwords, made_up};
use super::role::Role;
use crate::config::Secret;
use crate::store::{Kind, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

/// Most accounts that are kept.
const MAX_ACCOUNTS: usize = 1_000;

/// Longest name of an account, in bytes.
pub(super) const MAX_NAME: usize = 64;

/// The account that the first start makes.
const FIRST: &str = "admin";

/// An account as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    role: Role,
    password: String,
    created: SystemTime,
    changed: SystemTime,
}

/// An account as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its name.
    pub name: String,
    /// How much it may.
    pub role: Role,
    /// When it was made.
    pub created: SystemTime,
    /// When its password was set.
    pub changed: SystemTime,
}

/// Why an account is not as somebody wants it.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A name that breaks the rules.
    #[error("a name has 1 to 64 letters, digits and - _ . @")]
    Name,
    /// A password that is too short or too long.
    #[error("a password has 8 to 256 bytes")]
    Password,
    /// The password before is another one.
    #[error("the old password is not right")]
    OldPassword,
    /// The name is taken.
    #[error("there is an account of that name already")]
    Exists,
    /// There is none.
    #[error("there is no such account")]
    Unknown,
    /// As many are kept as may be.
    #[error("there are 1000 accounts, as many as there may be")]
    Full,
    /// Nobody could manage accounts afterwards.
    #[error("the last admin stays one")]
    LastAdmin,
    /// There are too many passwords to look at.
    #[error("too many are signing in; try again")]
    Busy,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for AccountError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// The accounts that exist.
#[derive(Default)]
pub struct Accounts {
    store: Option<Store>,
    kept: RwLock<BTreeMap<String, Kept>>,
    passwords: Passwords,
    /// Held while a change goes to the store.
    writing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Accounts {
    /// Those that the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let kept = store.all(Kind::Accounts)?.into_iter().collect();
        Ok(Self {
            store: Some(store),
            kept: RwLock::new(kept),
            ..Self::default()
        })
    }

    /// Where there is no account yet, makes the first one, with the password of the configuration (or the hash that stands
    /// there in its place). Without one, a password is made up and given back, for the only time.
    ///
    /// # Errors
    /// When the account cannot be kept.
    pub async fn make_first(
        &self,
        configured: Option<&Secret>,
    ) -> Result<Option<(&'static str, String)>, AccountError> {
        if !self.read().is_empty() {
            return Ok(None);
        }
        let made_up = configured.is_none().then(made_up);
        let configured = configured.map(Secret::reveal);
        let hash = match (configured, &made_up) {
            (Some(hash), _) if hash.starts_with(HASHED) => hash.to_owned(),
            (Some(password), _) => self.passwords.hash(password.to_owned()).await?,
            (None, password) => {
                let password = password.clone().unwrap_or_default();
                self.passwords.hash(password).await?
            }
        };
        let _writing = self.writing.lock().await;
        self.keep(FIRST, Kept::new(Role::Admin, hash)).await?;
        Ok(made_up.map(|password| (FIRST, password)))
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<AccountView> {
        let kept = self.read();
        let views = kept.iter().map(|(name, kept)| kept.view(name));
        views.collect()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<AccountView> {
        self.read().get(name).map(|kept| kept.view(name))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub async fn create(
        &self,
        name: &str,
        password: String,
        role: Role,
    ) -> Result<AccountView, AccountError> {
        let may_stand = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(may_stand) {
            return Err(AccountError::Name);
        }
        let hash = self.hash(password).await?;
        let _writing = self.writing.lock().await;
        if self.read().contains_key(name) {
            return Err(AccountError::Exists);
        }
        if self.read().len() >= MAX_ACCOUNTS {
            return Err(AccountError::Full);
        }
        self.keep(name, Kept::new(role, hash)).await
    }

    /// Changes what is given. Whoever holds sessions of the account has to end them.
    ///
    /// # Errors
    /// Why it cannot be changed.
    pub(super) async fn update(
        &self,
        name: &str,
        role: Option<Role>,
        password: Option<String>,
    ) -> Result<AccountView, AccountError> {
        let hash = match password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let _writing = self.writing.lock().await;
        let before = self.read().get(name).cloned();
        let mut kept = before.ok_or(AccountError::Unknown)?;
        if let Some(role) = role {
            if role != Role::Admin {
                self.not_last_admin(name)?;
            }
            kept.role = role;
        }
        if let Some(hash) = hash {
            kept.password = hash;
            kept.changed = SystemTime::now();
        }
        self.keep(name, kept).await
    }

    /// Forgets an account.
    ///
    /// # Errors
    /// When there is none, it is the last admin, or that cannot be kept.
    pub(super) async fn delete(&self, name: &str) -> Result<(), AccountError> {
        let _writing = self.writing.lock().await;
        if !self.read().contains_key(name) {
            return Err(AccountError::Unknown);
        }
        self.not_last_admin(name)?;
        if let Some(store) = &self.store {
            store.remove(Kind::Accounts, name).await?;
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.remove(name);
        Ok(())
    }

    /// Whether that is the password of an account. It takes as long where there is none.
    pub(super) async fn verify(&self, name: &str, password: String) -> Result<bool, Busy> {
        if password.len() > *LENGTH.end() {
            return Ok(false);
        }
        let hash = self.read().get(name).map(|kept| kept.password.clone());
        self.passwords.verify(password, hash).await
    }

    async fn hash(&self, password: String) -> Result<String, AccountError> {
        if !LENGTH.contains(&password.len()) {
            return Err(AccountError::Password);
        }
        Ok(self.passwords.hash(password).await?)
    }

    fn not_last_admin(&self, name: &str) -> Result<(), AccountError> {
        let kept = self.read();
        let mut others = kept.iter().filter(|(other, _)| *other != name);
        let is_admin = kept.get(name).is_some_and(|kept| kept.role == Role::Admin);
        if is_admin && !others.any(|(_, kept)| kept.role == Role::Admin) {
            return Err(AccountError::LastAdmin);
        }
        Ok(())
    }

    async fn keep(&self, name: &str, kept: Kept) -> Result<AccountView, AccountError> {
        if let Some(store) = &self.store {
            store.put(Kind::Accounts, name, &kept).await?;
        }
        let view = kept.view(name);
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), kept);
        Ok(view)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Kept>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn new(role: Role, password: String) -> Self {
        let now = SystemTime::now();
        Self {
            role,
            password,
            created: now,
            changed: now,
        }
    }

    fn view(&self, name: &str) -> AccountView {
        AccountView {
            name: name.to_owned(),
            role: self.role,
            created: self.created,
            changed: self.changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "correct horse";

    #[tokio::test]
    async fn the_first_account_is_made_once_and_its_password_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Accounts::open(Store::open(folder.path()).unwrap()).unwrap();
        let accounts = open();
        let (name, password) = accounts.make_first(None).await.unwrap().unwrap();
        assert_eq!(accounts.get(name).unwrap().role, Role::Admin);
        assert_eq!(accounts.make_first(None).await.unwrap(), None);
        drop(accounts);
        let accounts = open();
        assert_eq!(
            accounts
                .make_first(Some(&"other one".into()))
                .await
                .unwrap(),
            None
        );
        assert_eq!(accounts.verify(name, password.clone()).await, Ok(true));
        let file = std::fs::read(folder.path().join("millstream.redb")).unwrap();
        let password = password.as_bytes();
        assert!(
            !file
                .windows(password.len())
                .any(|window| window == password)
        );
    }

    #[tokio::test]
    async fn the_first_password_may_be_configured_plain_or_hashed() {
        let accounts = Accounts::default();
        assert_eq!(accounts.make_first(Some(&GOOD.into())).await.unwrap(), None);
        assert_eq!(accounts.verify(FIRST, GOOD.into()).await, Ok(true));
        let hash = accounts.read()[FIRST].password.clone();
        let accounts = Accounts::default();
        let hash = Secret::from(&*hash);
        assert_eq!(accounts.make_first(Some(&hash)).await.unwrap(), None);
        assert_eq!(accounts.verify(FIRST, GOOD.into()).await, Ok(true));
        assert_eq!(
            accounts.verify(FIRST, hash.reveal().into()).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn what_an_account_may_be() {
        let accounts = Accounts::default();
        let create = |name: &'static str, password: &str| {
            accounts.create(name, password.to_owned(), Role::Viewer)
        };
        let long = "a".repeat(257);
        for (name, password, error) in [
            ("", GOOD, "a name"),
            ("a b", GOOD, "a name"),
            ("a/b", GOOD, "a name"),
            ("<b>", GOOD, "a name"),
            ("joe", "short", "a password"),
            ("joe", &long, "a password"),
            ("joe@example.com", GOOD, ""),
            ("joe@example.com", GOOD, "already"),
        ] {
            match create(name, password).await {
                Ok(_) => assert_eq!(error, "", "{name} {password}"),
                Err(said) => assert!(!error.is_empty() && said.to_string().contains(error)),
            }
        }
        assert_eq!(accounts.verify("joe@example.com", long).await, Ok(false));
        assert_eq!(accounts.verify("nobody", GOOD.into()).await, Ok(false));
    }

    #[tokio::test]
    async fn the_last_admin_stays() {
        let accounts = Accounts::default();
        accounts.make_first(Some(&GOOD.into())).await.unwrap();
        let last =
            |result: Result<(), AccountError>| matches!(result, Err(AccountError::LastAdmin));
        assert!(last(accounts.delete(FIRST).await));
        let demoted = accounts.update(FIRST, Some(Role::Viewer), None).await;
        assert!(last(demoted.map(drop)));
        accounts
            .create("eve", GOOD.into(), Role::Admin)
            .await
            .unwrap();
        accounts.delete(FIRST).await.unwrap();
        assert!(last(accounts.delete("eve").await));
        assert!(matches!(
            accounts.delete(FIRST).await,
            Err(AccountError::Unknown)
        ));
        let view = accounts
            .update("eve", None, Some("another one".into()))
            .await;
        assert!(view.unwrap().role == Role::Admin);
        assert_eq!(accounts.verify("eve", GOOD.into()).await, Ok(false));
        assert_eq!(accounts.verify("eve", "another one".into()).await, Ok(true));
    }
}
