//! Sessions of those who have signed in. They end with the process.

use super::digest::{Digest, digest, secret};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most sessions at a time; the one that was not used for the longest time goes.
const MAX_SESSIONS: usize = 4_096;

/// Most of one account.
const MAX_OF_ONE: usize = 64;

struct Session {
    account: String,
    begun: Instant,
    used: Instant,
}

/// The sessions that are on, by the digests of their IDs: who can read the memory cannot take one over.
pub(super) struct Sessions {
    idle: Duration,
    lifetime: Duration,
    on: Mutex<HashMap<Digest, Session>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Default for Sessions {
    fn default() -> Self {
        let config = crate::config::Auth::default();
        Self::new(config.session_idle, config.session_lifetime)
    }
}

impl Sessions {
    /// How long one lasts at most.
    pub(super) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A session ends when it was not used for `idle`, and after `lifetime` in any case.
    pub(super) fn new(idle: Duration, lifetime: Duration) -> Self {
        Self {
            idle,
            lifetime,
            on: Mutex::default(),
        }
    }

    /// Begins a session and gives its ID, which nobody has had before.
    pub(super) fn begin(&self, account: &str, now: Instant) -> String {
        let id = secret();
        let mut on = self.lock();
        on.retain(|_, session| self.is_on(session, now));
        let of_one = on.values().filter(|session| session.account == account);
        let is_full = of_one.count() >= MAX_OF_ONE;
        if is_full || on.len() >= MAX_SESSIONS {
            let candidates = on
                .iter()
                .filter(|(_, session)| !is_full || session.account == account);
            let oldest = candidates.min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                on.remove(&oldest);
            }
        }
        let session = Session {
            account: account.to_owned(),
            begun: now,
            used: now,
        };
        on.insert(digest(id.as_bytes()), session);
        id
    }

    /// Whose session that is, which is used by this.
    pub(super) fn account(&self, id: &[u8], now: Instant) -> Option<String> {
        let digest = digest(id);
        let mut on = self.lock();
        let session = on.get_mut(&digest)?;
        if !self.is_on(session, now) {
            on.remove(&digest);
            return None;
        }
        session.used = now;
        Some(session.account.clone())
    }

    /// Whose session that is, which is not used by this.
    pub(super) fn peek(&self, digest: &Digest, now: Instant) -> Option<String> {
        let on = self.lock();
        let session = on.get(digest)?;
        self.is_on(session, now).then(|| session.account.clone())
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &[u8]) {
        self.lock().remove(&digest(id));
    }

    /// Ends all sessions of an account.
    pub(super) fn end_all_of(&self, account: &str) {
        self.lock().retain(|_, session| session.account != account);
    }

    /// How many of an account are on.
    pub(super) fn count_of(&self, account: &str, now: Instant) -> usize {
        let on = self.lock();
        let of_one = on.values().filter(|session| session.account == account);
        of_one.filter(|session| self.is_on(session, now)).count()
    }

    fn is_on(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.used) < self.idle
            && now.saturating_duration_since(session.begun) < self.lifetime
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn sessions() -> Sessions {
        Sessions::new(HOUR, HOUR * 3)
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_not_for_ever() {
        let (sessions, now) = (sessions(), Instant::now());
        let id = sessions.begin("joe", now);
        let second = Duration::from_secs(1);
        for passed in [HOUR - second, HOUR + HOUR / 2, HOUR * 2, HOUR * 3 - second] {
            let account = sessions.account(id.as_bytes(), now + passed);
            assert_eq!(account.as_deref(), Some("joe"), "{passed:?}");
        }
        assert_eq!(sessions.account(id.as_bytes(), now + HOUR * 3), None);
        let id = sessions.begin("joe", now);
        assert_eq!(sessions.account(id.as_bytes(), now + HOUR), None);
        // It is gone, even for a clock that goes back.
        assert_eq!(sessions.account(id.as_bytes(), now), None);
    }

    #[test]
    fn each_has_an_id_of_its_own_and_ends_alone_or_with_its_account() {
        let (sessions, now) = (sessions(), Instant::now());
        let ids = ["joe", "joe", "jim"].map(|account| sessions.begin(account, now));
        assert!(ids[0] != ids[1] && ids[0].len() == 43, "{ids:?}");
        sessions.end(ids[0].as_bytes());
        let left = |id: &String| sessions.account(id.as_bytes(), now).is_some();
        assert_eq!(ids.each_ref().map(left), [false, true, true]);
        assert_eq!(sessions.count_of("joe", now), 1);
        sessions.end_all_of("joe");
        assert_eq!(ids.each_ref().map(left), [false, false, true]);
        for wrong in ["", "x", &ids[2][1..]] {
            assert_eq!(sessions.account(wrong.as_bytes(), now), None);
        }
    }

    #[test]
    fn their_number_is_bounded_and_one_account_pushes_out_its_own() {
        let (sessions, now) = (sessions(), Instant::now());
        let others = sessions.begin("jim", now);
        let first = sessions.begin("joe", now + Duration::from_millis(1));
        for number in 0..MAX_OF_ONE as u64 {
            sessions.begin("joe", now + Duration::from_millis(2 + number));
        }
        assert_eq!(sessions.count_of("joe", now), MAX_OF_ONE);
        assert_eq!(sessions.account(first.as_bytes(), now), None);
        assert!(sessions.account(others.as_bytes(), now).is_some());
        for number in 0..MAX_SESSIONS as u64 {
            let account = format!("a{number}");
            sessions.begin(&account, now + Duration::from_secs(1));
        }
        assert!(sessions.lock().len() <= MAX_SESSIONS);
    }
}
