//! Passwords: hashed with Argon2id (RFC 9106), a few at a time and on threads that may take their time.

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use rand::Rng;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hashes that are worked out at a time: each takes 19 MiB and some 20 ms of a core.
const AT_A_TIME: usize = 2;

/// Hashes that wait for that; more are refused.
const MAX_WAITING: usize = 32;

/// Length of a password, in bytes.
pub(super) const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// Letters of a password that the server makes up: 119 bits.
const MADE_UP: usize = 20;

/// What a hash begins with, where one stands in the configuration in place of a password.
pub(super) const HASHED: &str = "$argon2id$";

/// There are too many passwords to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// Works out hashes. Clones share the limits.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            queue: Arc::new(Semaphore::new(AT_A_TIME + MAX_WAITING)),
        }
    }
}

impl Passwords {
    /// The hash of a password, in the form of PHC strings.
    pub(super) async fn hash(&self, password: String) -> Result<String, Busy> {
        self.work(move || {
            let salt: [u8; 16] = rand::rng().random();
            let salt = SaltString::encode_b64(&salt).map_err(|_| Busy)?;
            let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|_| Busy)
        })
        .await?
    }

    /// Whether a hash is that of a password. Without a hash it takes as long, and is not.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Busy> {
        let Some(hash) = hash else {
            return self.hash(password).await.map(|_| false);
        };
        self.work(move || {
            let hash = PasswordHash::new(&hash);
            hash.is_ok_and(|hash| {
                let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
                verified.is_ok()
            })
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let _waiting = self.queue.clone().try_acquire_owned().map_err(|_| Busy)?;
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Busy)?;
        // The place is kept to the end of the work, whether or not somebody still waits for it.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        done.await.map_err(|_| Busy)
    }
}

/// A password that nobody guesses.
pub(super) fn made_up() -> String {
    let letters = rand::rng().sample_iter(rand::distr::Alphanumeric);
    letters.take(MADE_UP).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with(HASHED), "{hash}");
        assert_ne!(passwords.hash("correct horse".into()).await.unwrap(), hash);
        for (password, hash, is_right) in [
            ("correct horse", Some(hash.clone()), true),
            ("correct horsf", Some(hash.clone()), false),
            ("", Some(hash), false),
            ("correct horse", Some("nonsense".to_owned()), false),
            ("correct horse", None, false),
        ] {
            let verified = passwords.verify(password.into(), hash).await;
            assert_eq!(verified, Ok(is_right), "{password}");
        }
        assert_eq!(made_up().len(), MADE_UP);
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let passwords = Passwords::default();
        let all = passwords.queue.clone();
        let _taken = all
            .acquire_many_owned((AT_A_TIME + MAX_WAITING) as u32)
            .await;
        assert_eq!(passwords.hash("x".into()).await, Err(Busy));
    }
}
