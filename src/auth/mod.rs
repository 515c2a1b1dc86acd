//! The one seam at which every adapter and the API ask who may do what.
//!
//! Media may be published and played by anyone who reaches the port, until logins are configured for it: then by who
//! proves one, in the protocol's own way, in the query of the URL, or by Basic or Bearer over HTTP; or by who has the
//! stream's key ([`StreamKeys`]). About everyone else a webhook may be asked. Networks may be named from where alone that
//! is done, and the settings of an application may ask for a token or a code besides ([`Rules`]).
//!
//! Management is answered to an [`Identity`]: an account that has signed in ([`Auth::sign_in`]), a token, of the
//! configuration or made here ([`ApiTokens`]), which may come as Bearer or as the user of Basic, one that was given for
//! such a token ([`Grant`]), or a local caller: from a loopback address, with a loopback name in `Host`, through no proxy,
//! and not from another site's page. How much of it an identity may, its [`Role`] says.

mod accounts;
mod audit;
mod connections;
mod cookie;
mod digest;
mod grants;
mod jwks;
mod jwt;
mod key_sets;
mod keys;
mod media;
mod origin;
mod outward;
mod passes;
mod password;
mod role;
mod rules;
mod sessions;
mod sign_in;
mod signed;
mod stream_tokens;
mod subscribers;
mod throttle;
mod tokens;
mod totp;
mod webhook;

pub mod fuzz;

pub use accounts::{AccountError, AccountView, Accounts};
pub use audit::{Audit, Entry};
pub use connections::ConnectionEvent;
pub use grants::{Grant, LIFETIME};
pub use keys::{KEYED_APP, StreamKeys};
pub use origin::Origin;
pub use outward::Outward;
pub use role::{Identity, Reach, Role, Via};
pub use rules::{Rules, TimeTokens};
pub use sign_in::{SignInError, SignedIn};
pub use stream_tokens::{StreamToken, StreamTokenError, StreamTokens};
pub use subscribers::{Subscriber, SubscriberError, Subscribers};
pub use tokens::{ApiTokens, TokenError, TokenView};

use crate::config::{self, Cidr, Login, Secret};
use crate::hub::Current;
use crate::store::{Store, StoreError};
use axum::http::{HeaderMap, header};
use digest::{digest, same};
use grants::{Grants, Holder};
use key_sets::KeySets;
use media::basic;
use passes::Passes;
use role::Ground;
use rules::Rest;
use sessions::Sessions;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use throttle::Throttle;
use webhook::Webhook;

/// What someone wants to do with media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Publish the stream of that application and ID.
    Publish(&'a str, &'a str),
    /// Play the stream of that application and ID.
    Play(&'a str, &'a str),
}

/// Who wants it, as far as the protocol tells.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The protocol's name as in the configuration.
    pub protocol: &'static str,
    /// The far end of the connection.
    pub address: SocketAddr,
    /// The headers, where the protocol has them.
    pub headers: Option<&'a HeaderMap>,
    /// Query or credentials in the stream's name or URL, as sent.
    pub query: Option<&'a str>,
    /// What the protocol has of its own to prove a password.
    pub proof: Option<&'a dyn Proof>,
}

/// A way of a protocol's own to prove a password, which may keep that to itself.
pub trait Proof: std::fmt::Debug + Sync {
    /// Whether the caller is this user and has this password.
    fn proves(&self, user: &str, password: &str) -> bool;

    /// User and password, where the caller has told them.
    fn told(&self) -> Option<(String, String)> {
        None
    }
}

/// Someone who wants to manage.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Where they come from.
    pub origin: Origin,
    /// The headers, where the protocol has them.
    pub headers: Option<&'a HeaderMap>,
    /// Whether a cookie counts here. It goes to every port of a host, whoever listens there.
    pub takes_cookies: bool,
    /// Whether something changes by what they want.
    pub changes: bool,
    /// The application whose own calls these are, if it is one.
    pub application: Option<&'a str>,
}

/// The answer is no, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not local, not signed in, and no token.
    #[error("management needs a signed-in account, a token, or a caller on this machine")]
    NotLocal,
    /// A token that is not among ours.
    #[error("the token is not valid")]
    Token,
    /// No login, or none of ours.
    #[error("this needs a user and a password")]
    Login,
    /// Signed in, but it may be another site's page that asks.
    #[error("with a cookie, changes need X-Requested-With: millstream, from a page of this server")]
    Forged,
    /// That is not for where they are.
    #[error("Not allowed IP")]
    Network,
    /// The application's calls take a signed token.
    #[error("Invalid App JWT Token")]
    AppToken,
    /// The stream takes a one-time token.
    #[error("Invalid Token")]
    StreamToken,
    /// The stream takes a signed token.
    #[error("Invalid JWT Token")]
    StreamJwt,
    /// The stream takes a code that changes with time.
    #[error("Time Based subscriber id or code is invalid")]
    Code,
    /// Who has to be asked does not answer.
    #[error("whether this may be done cannot be found out now")]
    Unanswered,
    /// It takes more than they have.
    #[error("this needs the role {0}")]
    Role(Role),
    /// What they have is for something else.
    #[error("the token is for other applications")]
    Reach,
}

/// What those are called who have a signed token of an application.
const SIGNED: &str = "jwt";

/// Answers who may do what.
#[derive(Debug, Default)]
pub struct Auth {
    known: Current<config::Auth>,
    proxies: Current<Vec<Cidr>>,
    keys: StreamKeys,
    grants: Grants,
    accounts: Accounts,
    api_tokens: ApiTokens,
    audit: Audit,
    sessions: Sessions,
    throttle: Throttle,
    /// By application.
    rules: RwLock<HashMap<String, Arc<Rules>>>,
    stream_tokens: StreamTokens,
    subscribers: Subscribers,
    passes: Arc<Passes>,
    key_sets: KeySets,
    webhook: Webhook,
    /// None where nobody is to be asked.
    outward: Option<Outward>,
}

impl Auth {
    /// With these tokens for management, and nothing that is kept.
    pub fn new(tokens: Vec<Secret>) -> Self {
        let known = config::Auth {
            tokens,
            ..config::Auth::default()
        };
        Self {
            known: Current::new(known),
            ..Self::default()
        }
    }

    /// As configured, with the accounts and tokens that the store holds.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn open(
        general: &config::General,
        store: &Store,
        outward: Outward,
    ) -> Result<Self, StoreError> {
        let config = &general.auth;
        Ok(Self {
            known: Current::new(config.clone()),
            proxies: Current::new(general.http.trusted_proxies.clone()),
            accounts: Accounts::open(store.clone())?,
            api_tokens: ApiTokens::open(store.clone())?,
            audit: Audit::open(store.clone())?,
            stream_tokens: StreamTokens::open(store.clone())?,
            subscribers: Subscribers::open(store.clone())?,
            outward: Some(outward),
            sessions: Sessions::new(config.session_idle, config.session_lifetime),
            ..Self::default()
        })
    }

    /// Other tokens, logins and proxies, from now on. Who is connected stays.
    pub fn set(&self, general: &config::General) {
        self.known.set(general.auth.clone());
        self.proxies.set(general.http.trusted_proxies.clone());
    }

    /// With these logins for who publishes and who plays; none for anyone.
    #[must_use]
    pub fn with_logins(self, publishers: Vec<Login>, players: Vec<Login>) -> Self {
        let known = self.known.get();
        self.known.set(config::Auth {
            publishers,
            players,
            ..(*known).clone()
        });
        self
    }

    /// The keys of streams.
    pub const fn keys(&self) -> &StreamKeys {
        &self.keys
    }

    /// The accounts of people.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The tokens of programs.
    pub const fn api_tokens(&self) -> &ApiTokens {
        &self.api_tokens
    }

    /// Who changed what.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The one-time tokens of streams.
    pub const fn stream_tokens(&self) -> &StreamTokens {
        &self.stream_tokens
    }

    /// The subscribers of streams.
    pub const fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// The rules of an application.
    pub fn rules(&self, app: &str) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.get(app).cloned().unwrap_or_default()
    }

    /// Rules for an application in the place of those before.
    pub fn set_rules(&self, app: &str, of_app: Rules) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.insert(app.to_owned(), Arc::new(of_app));
    }

    /// Where a request comes from that came from `peer`.
    pub fn origin(&self, peer: SocketAddr, secure: bool, headers: &HeaderMap) -> Origin {
        Origin::new(peer, secure, headers, &self.proxies.get())
    }

    /// Tokens for whoever has one that stays.
    pub fn grant(&self, token: &str) -> Option<Grant> {
        let holder = self.holder(token.as_bytes())?;
        Some(self.grants.give(&holder, Instant::now()))
    }

    /// The next tokens for whoever has the refresh token of the last.
    pub fn renew(&self, refresh: &str) -> Option<Grant> {
        let now = Instant::now();
        let holder = self.grants.redeem(refresh, now)?;
        self.worth(&holder)?;
        Some(self.grants.give(&holder, now))
    }

    /// Who it is that wants to manage.
    ///
    /// # Errors
    /// Why they may not at all.
    pub async fn identify(&self, visit: &Visit<'_>) -> Result<Identity, Denied> {
        let address = visit.origin.address.ip();
        let identity = |name, role, via| Identity {
            name,
            role,
            reach: Reach::All,
            via,
            address,
            ground: Ground::Call,
        };
        let Some(headers) = visit.headers else {
            // A protocol without headers goes through no proxy that would tell of itself.
            let is_near = address.to_canonical().is_loopback();
            let local = is_near.then(|| identity(None, Role::Admin, Via::Local));
            return local.ok_or(Denied::NotLocal);
        };
        let authorization = headers.get(header::AUTHORIZATION);
        let rest = match visit.application {
            Some(app) => {
                let token = authorization.and_then(|value| bearer(value.as_bytes()));
                self.rest(&self.rules(app), address, token).await?
            }
            None => Rest::AsElsewhere,
        };
        if rest == Rest::Signed {
            return Ok(identity(
                Some(SIGNED.to_owned()),
                Role::Operator,
                Via::Token,
            ));
        }
        if authorization.is_some() {
            let denied = match rest {
                Rest::NotByPlace => Denied::AppToken,
                _ => Denied::Token,
            };
            let holder = self.token_of(headers).ok_or(denied)?;
            let (name, role, reach) = self.worth(&holder).ok_or(denied)?;
            return Ok(Identity {
                reach,
                ground: Ground::Holder(holder),
                ..identity(name, role, Via::Token)
            });
        }
        let session = cookie::session(headers, visit.origin.secure);
        let session = session.filter(|_| visit.takes_cookies);
        if let Some(account) = session.and_then(|session| self.account_of(session)) {
            let is_ours = origin::is_same_origin(headers) && origin::is_ours(headers);
            if visit.changes && !is_ours {
                return Err(Denied::Forged);
            }
            return Ok(Identity {
                ground: Ground::Session(digest(session.unwrap_or_default())),
                ..identity(Some(account.name), account.role, Via::Session)
            });
        }
        if rest == Rest::NotByPlace {
            return Err(Denied::AppToken);
        }
        // Where calls change something by GET there are no cookies either. With every other method browsers tell.
        let is_unsaid = visit.changes && !visit.takes_cookies && origin::is_unsaid(headers);
        let is_near = origin::is_local(visit.origin.address, headers) && !is_unsaid;
        let local = is_near.then(|| identity(None, Role::Admin, Via::Local));
        local.ok_or(Denied::NotLocal)
    }

    /// Whether somebody who was identified may still do as much: the session has not ended, the token is good, and neither is
    /// worth less now.
    pub fn stands(&self, identity: &Identity) -> bool {
        let role = match &identity.ground {
            Ground::Call => return true,
            Ground::Holder(holder) => self.worth(holder).map(|(_, role, _)| role),
            Ground::Session(digest) => {
                let account = self.sessions.peek(digest, Instant::now());
                let account = account.and_then(|name| self.accounts.get(&name));
                account.map(|account| account.role)
            }
        };
        role.is_some_and(|role| role >= identity.role)
    }

    /// The account that a session is of.
    fn account_of(&self, session: &[u8]) -> Option<AccountView> {
        let name = self.sessions.account(session, Instant::now())?;
        self.accounts.get(&name)
    }

    /// The token that a request has.
    fn token_of(&self, headers: &HeaderMap) -> Option<Holder> {
        let given = headers.get(header::AUTHORIZATION)?;
        let token = bearer(given.as_bytes());
        let holder = token.and_then(|token| {
            let holder = self.holder(token);
            holder.or_else(|| self.grants.holder(token, Instant::now()))
        });
        holder.or_else(|| {
            // Clients of api.video send their key so.
            let (key, _) = basic(headers).filter(|(_, password)| password.is_empty())?;
            self.holder(key.as_bytes())
        })
    }

    /// Whose token that is, of those that stay.
    fn holder(&self, token: &[u8]) -> Option<Holder> {
        let known = self.known.get();
        let mut tokens = known.tokens.iter();
        if tokens.any(|known| same(known.reveal().as_bytes(), token)) {
            return Some(Holder::Configured);
        }
        let token = self.api_tokens.find(token)?;
        Some(Holder::Token(token.id))
    }

    /// The name, role and reach of who holds something.
    fn worth(&self, holder: &Holder) -> Option<(Option<String>, Role, Reach)> {
        match holder {
            Holder::Configured => Some((None, Role::Admin, Reach::All)),
            Holder::Token(id) => {
                let token = self.api_tokens.get(id)?;
                let reach = match token.applications {
                    none if none.is_empty() => Reach::All,
                    some => Reach::Applications(some.into()),
                };
                Some((Some(token.name), token.role, reach))
            }
        }
    }
}

/// The token of `Bearer TOKEN`, or of a bare `TOKEN` as Ant Media's clients send it.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let token = match value.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"Bearer ") => rest,
        _ => value,
    };
    let token = token.trim_ascii();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    async fn manage(address: &str, headers: &[(&'static str, &str)]) -> Result<(), Denied> {
        let auth = Auth::new(vec!["0123456789abcdef".into()]);
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let origin = Origin {
            address: address.parse().unwrap(),
            secure: false,
        };
        let visit = Visit {
            origin,
            headers: Some(&headers),
            takes_cookies: true,
            changes: true,
            application: None,
        };
        auth.identify(&visit).await.map(|identity| {
            assert_eq!(identity.role, Role::Admin);
        })
    }

    #[tokio::test]
    async fn a_local_caller_manages_without_a_token() {
        for host in [
            "localhost:5080",
            "127.0.0.1:5080",
            "[::1]:5080",
            "LOCALHOST",
            "panel.localhost",
        ] {
            assert_eq!(
                manage("127.0.0.1:4000", &[("host", host)]).await,
                Ok(()),
                "{host}"
            );
        }
        assert_eq!(manage("[::1]:4000", &[("host", "localhost")]).await, Ok(()));
        assert_eq!(
            manage("[::ffff:127.0.0.1]:4000", &[("host", "localhost")]).await,
            Ok(())
        );
        let same = [
            ("host", "localhost"),
            ("origin", "http://localhost:5080"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(manage("127.0.0.1:4000", &same).await, Ok(()));
    }

    #[tokio::test]
    async fn whoever_only_looks_local_does_not() {
        let cases: [&[(&'static str, &str)]; 10] = [
            &[],
            &[("host", "example.com")],
            &[("host", "localhost.example.com")],
            &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")],
            &[("host", "localhost"), ("x-forwarded-prefix", "/x")],
            &[("host", "localhost"), ("forwarded", "for=127.0.0.1")],
            &[("host", "localhost"), ("via", "1.1 proxy")],
            &[("host", "localhost"), ("origin", "https://evil.example")],
            &[("host", "localhost"), ("origin", "null")],
            &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
        ];
        for headers in cases {
            assert_eq!(
                manage("127.0.0.1:4000", headers).await,
                Err(Denied::NotLocal),
                "{headers:?}"
            );
        }
        assert_eq!(
            manage("192.168.1.2:4000", &[("host", "localhost")]).await,
            Err(Denied::NotLocal)
        );
    }

    #[tokio::test]
    async fn tokens_are_checked_before_the_place() {
        for value in [
            "Bearer 0123456789abcdef",
            "bearer 0123456789abcdef",
            "0123456789abcdef",
            // The token as user, without a password.
            "Basic MDEyMzQ1Njc4OWFiY2RlZjo=",
        ] {
            assert_eq!(
                manage("10.0.0.1:1", &[("authorization", value)]).await,
                Ok(()),
                "{value}"
            );
        }
        for value in [
            "Bearer wrong",
            "Bearer ",
            "Basic eDp5",
            "Basic eDo=",
            "Basic Og==",
            // The token as user, with some password.
            "Basic MDEyMzQ1Njc4OWFiY2RlZjp4",
            "Bearer 0123456789abcdeg",
        ] {
            let headers = [("authorization", value), ("host", "localhost")];
            assert_eq!(
                manage("127.0.0.1:1", &headers).await,
                Err(Denied::Token),
                "{value}"
            );
        }
    }
}
