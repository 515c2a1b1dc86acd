//! Signing in and out, and the changes of accounts that end sessions.

use super::accounts::MAX_NAME;
use super::digest::digest;
use super::role::Ground;
use super::{AccountError, AccountView, Auth, Identity, Origin, Reach, Role, Via, cookie, origin};
use axum::http::{HeaderMap, HeaderValue};
use std::time::{Duration, Instant};

/// Who signed in, and what makes the browser theirs.
#[derive(Debug)]
pub struct SignedIn {
    /// Who it is.
    pub identity: Identity,
    /// The header that sets the cookie.
    pub cookie: Option<HeaderValue>,
}

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// There is no such account, or its password is another one: which of the two is not said.
    #[error("name or password is wrong")]
    Wrong,
    /// After so many attempts the next has to wait.
    #[error("too many attempts; wait {} s", .0.as_secs())]
    Slowed(Duration),
    /// There are too many passwords to look at.
    #[error("too many are signing in; try again")]
    Busy,
    /// A page of another site asks.
    #[error("signing in is for the pages of this server")]
    Foreign,
}

impl Auth {
    /// Begins a session for who has an account's password. One that the browser had before is over.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
        from: Origin,
        headers: &HeaderMap,
    ) -> Result<SignedIn, SignInError> {
        if origin::is_foreign(headers) {
            return Err(SignInError::Foreign);
        }
        let address = from.address.ip();
        // A name that no account has is one like any other, whatever its length.
        let name = if name.len() <= MAX_NAME { name } else { "" };
        let attempt = self.throttle.attempt(address, name, Instant::now());
        attempt.map_err(SignInError::Slowed)?;
        let is_right = self.accounts.verify(name, password).await;
        let account = self.accounts.get(name);
        let known = account.as_ref().map(|account| account.name.as_str());
        let is_right = is_right.map_err(|_| SignInError::Busy)?;
        let Some(account) = account.clone().filter(|_| is_right) else {
            // What is no account's name may be a password in the wrong place.
            let account = known.unwrap_or("***");
            tracing::warn!(%address, account, "sign-in refused");
            return Err(SignInError::Wrong);
        };
        self.throttle.was_right(address, name, Instant::now());
        self.end_session(headers, from.secure);
        tracing::info!(%address, account = account.name, "signed in");
        Ok(self.begin(&account, from))
    }

    /// Ends the session that a request has, and gives the header that removes the cookie.
    pub fn sign_out(&self, headers: &HeaderMap, secure: bool) -> Option<HeaderValue> {
        self.end_session(headers, secure);
        cookie::remove(secure)
    }

    /// Changes what is given of an account. All its sessions are over.
    ///
    /// # Errors
    /// Why it cannot be changed.
    pub async fn change_account(
        &self,
        name: &str,
        role: Option<Role>,
        password: Option<String>,
    ) -> Result<AccountView, AccountError> {
        let view = self.accounts.update(name, role, password).await?;
        self.sessions.end_all_of(name);
        self.review_sessions();
        Ok(view)
    }

    /// Changes the password of who is signed in, for who knows the one before. They go on in a new session, and all others
    /// of theirs are over.
    ///
    /// # Errors
    /// Why it cannot be changed.
    pub async fn change_own_password(
        &self,
        name: &str,
        old: String,
        new: String,
        from: Origin,
    ) -> Result<SignedIn, AccountError> {
        let (address, now) = (from.address.ip(), Instant::now());
        let attempt = self.throttle.attempt(address, name, now);
        attempt.map_err(|_| AccountError::Busy)?;
        if !self.accounts.verify(name, old).await? {
            tracing::warn!(%address, account = name, "change of a password refused");
            return Err(AccountError::OldPassword);
        }
        self.throttle.was_right(address, name, now);
        let account = self.change_account(name, None, Some(new)).await?;
        Ok(self.begin(&account, from))
    }

    /// Forgets an account and ends its sessions.
    ///
    /// # Errors
    /// Why it stays.
    pub async fn delete_account(&self, name: &str) -> Result<(), AccountError> {
        self.accounts.delete(name).await?;
        self.sessions.end_all_of(name);
        self.review_sessions();
        Ok(())
    }

    /// How many sessions of an account are on.
    pub fn sessions_of(&self, account: &str) -> usize {
        self.sessions.count_of(account, Instant::now())
    }

    fn begin(&self, account: &AccountView, from: Origin) -> SignedIn {
        let session = self.sessions.begin(&account.name, Instant::now());
        SignedIn {
            identity: Identity {
                name: Some(account.name.clone()),
                role: account.role,
                reach: Reach::All,
                via: Via::Session,
                address: from.address.ip(),
                ground: Ground::Session(digest(session.as_bytes())),
            },
            cookie: cookie::set(&session, from.secure, self.sessions.lifetime()),
        }
    }

    fn end_session(&self, headers: &HeaderMap, secure: bool) {
        if let Some(session) = cookie::session(headers, secure) {
            self.sessions.end(session);
            self.review_sessions();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Action, Caller, Denied, Visit};
    use axum::http::{HeaderName, header};
    use futures_util::FutureExt;

    const GOOD: &str = "correct horse";

    fn from(address: &str, secure: bool) -> Origin {
        Origin {
            address: address.parse().unwrap(),
            secure,
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    async fn auth() -> Auth {
        let auth = Auth::default();
        auth.accounts.make_first(Some(&GOOD.into())).await.unwrap();
        let made = auth.accounts.create("joe", GOOD.into(), Role::Viewer).await;
        made.unwrap();
        auth
    }

    /// What a browser sends back of a cookie.
    fn sent_back(signed_in: &SignedIn) -> String {
        let cookie = signed_in.cookie.as_ref().unwrap().to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    fn identify(auth: &Auth, headers: &HeaderMap, changes: bool) -> Result<Identity, Denied> {
        let visit = Visit {
            origin: from("192.0.2.1:1", false),
            headers: Some(headers),
            takes_cookies: true,
            changes,
            application: None,
        };
        // Nobody else is asked.
        auth.identify(&visit).now_or_never().unwrap()
    }

    #[tokio::test]
    async fn a_session_is_as_good_as_its_account_and_ends_with_the_password() {
        let auth = auth().await;
        let here = from("192.0.2.1:1", false);
        let nothing = HeaderMap::new();
        let joe = auth
            .sign_in("joe", GOOD.into(), here, &nothing)
            .await
            .unwrap();
        let cookie = headers(&[("cookie", &sent_back(&joe))]);
        let known = identify(&auth, &cookie, false).unwrap();
        assert_eq!((known.role, known.via), (Role::Viewer, Via::Session));
        assert_eq!(known.name.as_deref(), Some("joe"));
        // On a port of its own it counts for nothing.
        let elsewhere = Visit {
            origin: here,
            headers: Some(&cookie),
            takes_cookies: false,
            changes: false,
            application: None,
        };
        assert_eq!(auth.identify(&elsewhere).await, Err(Denied::NotLocal));
        // Another role ends it, so that nobody goes on with what the page still shows.
        auth.change_account("joe", Some(Role::Operator), None)
            .await
            .unwrap();
        assert_eq!(identify(&auth, &cookie, false), Err(Denied::NotLocal));
        let joe = auth
            .sign_in("joe", GOOD.into(), here, &nothing)
            .await
            .unwrap();
        let other = auth
            .sign_in("joe", GOOD.into(), here, &nothing)
            .await
            .unwrap();
        let (first, second) = (sent_back(&joe), sent_back(&other));
        let wrong = auth.change_own_password("joe", "x".into(), "better horse".into(), here);
        assert!(matches!(wrong.await, Err(AccountError::OldPassword)));
        let right = auth.change_own_password("joe", GOOD.into(), "better horse".into(), here);
        let third = sent_back(&right.await.unwrap());
        let is_on = |cookie: &str| identify(&auth, &headers(&[("cookie", cookie)]), false).is_ok();
        assert_eq!(
            [&first, &second, &third].map(|cookie| is_on(cookie)),
            [false, false, true]
        );
        auth.delete_account("joe").await.unwrap();
        assert!(!is_on(&third));
    }

    #[tokio::test]
    async fn every_sign_in_has_a_new_id_and_ends_the_one_before() {
        let auth = auth().await;
        let here = from("192.0.2.1:1", false);
        // An ID that somebody else has put into the browser is not taken over.
        let planted = headers(&[("cookie", "millstream=planted")]);
        let first = auth
            .sign_in("admin", GOOD.into(), here, &planted)
            .await
            .unwrap();
        let first = headers(&[("cookie", &sent_back(&first))]);
        assert!(identify(&auth, &planted, false).is_err());
        let second = auth
            .sign_in("admin", GOOD.into(), here, &first)
            .await
            .unwrap();
        assert!(identify(&auth, &first, false).is_err());
        let second = headers(&[("cookie", &sent_back(&second))]);
        assert!(identify(&auth, &second, false).is_ok());
        let removed = auth.sign_out(&second, false).unwrap();
        assert!(removed.to_str().unwrap().contains("Max-Age=0"));
        assert!(identify(&auth, &second, false).is_err());
        // What came by TLS is for TLS alone.
        let secure = from("192.0.2.1:1", true);
        let signed_in = auth
            .sign_in("admin", GOOD.into(), secure, &first)
            .await
            .unwrap();
        let cookie = headers(&[("cookie", &sent_back(&signed_in))]);
        assert!(identify(&auth, &cookie, false).is_err());
    }

    #[tokio::test]
    async fn what_another_sites_page_sends_along_changes_nothing() {
        let auth = auth().await;
        let here = from("192.0.2.1:1", false);
        let nothing = HeaderMap::new();
        let admin = auth
            .sign_in("admin", GOOD.into(), here, &nothing)
            .await
            .unwrap();
        let cookie = sent_back(&admin);
        let ours = ("x-requested-with", "millstream");
        let host = ("host", "cam.lan:5080");
        for (more, may) in [
            (&[][..], false),
            (&[ours], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[ours, ("sec-fetch-site", "same-origin")], true),
            (&[ours, ("sec-fetch-site", "same-site")], false),
            (&[ours, ("sec-fetch-site", "cross-site")], false),
            (&[ours, host, ("origin", "http://cam.lan:5080")], true),
            (&[ours, host, ("origin", "http://cam.lan:3000")], false),
            (&[ours, host, ("origin", "http://evil.example")], false),
            (&[ours, host, ("origin", "null")], false),
            (
                &[
                    ("x-requested-with", "XMLHttpRequest"),
                    host,
                    ("origin", "http://cam.lan:5080"),
                ],
                false,
            ),
        ] {
            let mut pairs = more.to_vec();
            pairs.push(("cookie", &cookie));
            let headers = headers(&pairs);
            let changes = identify(&auth, &headers, true);
            assert_eq!(changes.is_ok(), may, "{more:?}");
            assert!(may || changes == Err(Denied::Forged), "{more:?}");
            // Nothing is changed by looking, and no other page is shown the answer.
            assert!(identify(&auth, &headers, false).is_ok(), "{more:?}");
        }
        let foreign = headers(&[("origin", "http://evil.example"), host]);
        let signed_in = auth.sign_in("admin", GOOD.into(), here, &foreign).await;
        assert_eq!(signed_in.unwrap_err(), SignInError::Foreign);
    }

    #[tokio::test]
    async fn guessing_is_slowed_and_says_nothing() {
        let auth = auth().await;
        let nothing = HeaderMap::new();
        let here = from("192.0.2.1:1", false);
        let long = "a".repeat(100_000);
        for name in ["admin", "nobody", "", &long, "admin"] {
            let refused = auth
                .sign_in(name, "wrong horse".into(), here, &nothing)
                .await;
            assert_eq!(refused.unwrap_err(), SignInError::Wrong);
        }
        let wrong = auth.sign_in("admin", "x".into(), here, &nothing).await;
        assert_eq!(wrong.unwrap_err(), SignInError::Wrong);
        let right = auth.sign_in("admin", GOOD.into(), here, &nothing).await;
        assert!(matches!(right.unwrap_err(), SignInError::Slowed(_)));
        let there = from("192.0.2.2:1", false);
        assert!(
            auth.sign_in("admin", GOOD.into(), there, &nothing)
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn who_is_signed_in_plays_without_a_login() {
        let login = |text: &str| crate::config::Login::try_from(text.to_owned()).unwrap();
        let auth = auth()
            .await
            .with_logins(vec![login("a:b")], vec![login("c:d")]);
        let here = from("192.0.2.1:1", true);
        for (name, publishes) in [("joe", false), ("admin", true)] {
            let signed_in = auth
                .sign_in(name, GOOD.into(), here, &HeaderMap::new())
                .await;
            let mut headers = HeaderMap::new();
            let cookie = sent_back(&signed_in.unwrap());
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            let caller = Caller {
                protocol: "http",
                address: here.address,
                headers: Some(&headers),
                query: None,
                proof: None,
            };
            assert!(auth.check(Action::Play("a", "b"), caller).await.is_ok());
            assert_eq!(
                auth.check(Action::Publish("a", "b"), caller).await.is_ok(),
                publishes
            );
        }
    }
}
