//! The one seam at which every adapter and the API ask who may do what.
//!
//! Media may be published and played by anyone who reaches the port, until logins are configured for it: then by who
//! proves one, in the protocol's own way, in the query of the URL, or by Basic or Bearer over HTTP; or by who has the
//! stream's key ([`StreamKeys`]). The settings of an application may ask for a token besides ([`Rules`]). Management is answered to an [`Identity`]: an account that has signed in
//! ([`Auth::sign_in`]), a token, of the configuration or made here ([`ApiTokens`]), which may come as Bearer or as the user
//! of Basic, one that was given for such a token ([`Grant`]), or a local caller: from a loopback address, with a loopback
//! name in `Host`, through no proxy, and not from another site's page. How much of it an identity may, its [`Role`] says.

mod accounts;
mod audit;
mod cookie;
mod digest;
mod grants;
mod jwt;
mod keys;
mod origin;
mod password;
mod role;
mod rules;
mod sessions;
mod sign_in;
mod stream_tokens;
mod throttle;
mod tokens;

pub use accounts::{AccountError, AccountView, Accounts};
pub use audit::{Audit, Entry};
pub use grants::{Grant, LIFETIME};
pub use keys::{KEYED_APP, StreamKeys};
pub use origin::Origin;
pub use role::{Identity, Role, Via};
pub use rules::Rules;
pub use sign_in::{SignInError, SignedIn};
pub use stream_tokens::{StreamToken, StreamTokenError, StreamTokens};
pub use tokens::{ApiTokens, TokenError, TokenView};

use crate::config::{self, Cidr, Login, Secret};
use crate::hub::Current;
use crate::store::{Store, StoreError};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use digest::same;
use grants::{Grants, Holder};
use percent_encoding::percent_decode_str;
use rules::Rest;
use sessions::Sessions;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use throttle::Throttle;

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
pub trait Proof: std::fmt::Debug {
    /// Whether the caller is this user and has this password.
    fn proves(&self, user: &str, password: &str) -> bool;
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
    /// The application's calls are not for where they are.
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
    /// It takes more than they have.
    #[error("this needs the role {0}")]
    Role(Role),
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
    pub fn open(general: &config::General, store: &Store) -> Result<Self, StoreError> {
        let config = &general.auth;
        Ok(Self {
            known: Current::new(config.clone()),
            proxies: Current::new(general.http.trusted_proxies.clone()),
            accounts: Accounts::open(store.clone())?,
            api_tokens: ApiTokens::open(store.clone())?,
            audit: Audit::open(store.clone())?,
            stream_tokens: StreamTokens::open(store.clone())?,
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

    /// Whether `caller` may do `action`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, action: Action<'_>, caller: Caller<'_>) -> Result<(), Denied> {
        let known = self.known.get();
        let (logins, needed) = match action {
            Action::Publish(..) => (&known.publishers, Role::Operator),
            Action::Play(..) => (&known.players, Role::Viewer),
        };
        let proven = media(logins, caller);
        let proven = proven.and_then(|()| self.opens(action, caller));
        proven.or_else(|denied| {
            // Who is signed in sees on the pages what is there.
            let session = caller.headers.and_then(cookie::either);
            let account = session.and_then(|session| self.account_of(session));
            let may = account.is_some_and(|account| account.role >= needed);
            may.then_some(()).ok_or(denied)
        })
    }

    /// Whether the caller has the tokens that the application asks for.
    fn opens(&self, action: Action<'_>, caller: Caller<'_>) -> Result<(), Denied> {
        let (app, id, kind) = match action {
            Action::Publish(app, id) => (app, id, rules::PUBLISH),
            Action::Play(app, id) => (app, id, rules::PLAY),
        };
        let rules = self.rules(app);
        let given = || {
            let header = caller.headers.and_then(|headers| {
                let value = headers.get(header::AUTHORIZATION)?;
                bearer(value.as_bytes()).map(<[u8]>::to_vec)
            });
            caller.query.and_then(rules::in_query).or(header)
        };
        if rules.asks_for_jwt(action) && !rules.is_signed(action, given().as_deref()) {
            return Err(Denied::StreamJwt);
        }
        if rules.asks_for_token(action) {
            let stream = format!("{app}/{id}");
            let now = (rules::now(), Instant::now());
            let address = caller.address.ip();
            let tokens = &self.stream_tokens;
            let opens = given()
                .is_some_and(|token| tokens.open_with(&token, (&stream, kind), address, now));
            return opens.then_some(()).ok_or(Denied::StreamToken);
        }
        Ok(())
    }

    /// Who it is that wants to manage.
    ///
    /// # Errors
    /// Why they may not at all.
    pub fn identify(&self, visit: &Visit<'_>) -> Result<Identity, Denied> {
        let address = visit.origin.address.ip();
        let identity = |name, role, via| Identity {
            name,
            role,
            via,
            address,
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
                self.rules(app).rest(address, token)?
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
            let (name, role) = self.by_token(headers).ok_or(denied)?;
            return Ok(identity(name, role, Via::Token));
        }
        let session = cookie::session(headers, visit.origin.secure);
        let session = session.filter(|_| visit.takes_cookies);
        if let Some(account) = session.and_then(|session| self.account_of(session)) {
            let is_ours = origin::is_same_origin(headers) && origin::is_ours(headers);
            if visit.changes && !is_ours {
                return Err(Denied::Forged);
            }
            return Ok(identity(Some(account.name), account.role, Via::Session));
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

    /// The account that a session is of.
    fn account_of(&self, session: &[u8]) -> Option<AccountView> {
        let name = self.sessions.account(session, Instant::now())?;
        self.accounts.get(&name)
    }

    /// The name and role of the token that a request has.
    fn by_token(&self, headers: &HeaderMap) -> Option<(Option<String>, Role)> {
        let given = headers.get(header::AUTHORIZATION)?;
        let token = bearer(given.as_bytes());
        let holder = token.and_then(|token| {
            let holder = self.holder(token);
            holder.or_else(|| self.grants.holder(token, Instant::now()))
        });
        let holder = holder.or_else(|| {
            // Clients of api.video send their key so.
            let (key, _) = basic(headers).filter(|(_, password)| password.is_empty())?;
            self.holder(key.as_bytes())
        });
        self.worth(&holder?)
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

    /// The name and role of who holds something.
    fn worth(&self, holder: &Holder) -> Option<(Option<String>, Role)> {
        match holder {
            Holder::Configured => Some((None, Role::Admin)),
            Holder::Token(id) => {
                let token = self.api_tokens.get(id)?;
                Some((Some(token.name), token.role))
            }
        }
    }
}

/// Whether the caller proves one of these logins, if there are any.
fn media(logins: &[Login], caller: Caller<'_>) -> Result<(), Denied> {
    let mut given = caller.headers.and_then(basic);
    if given.is_none() {
        given = caller.headers.and_then(login_as_token);
    }
    if given.is_none() {
        given = caller.query.and_then(in_query);
    }
    let proves = |login: &Login| {
        let (user, password) = (login.user(), login.password());
        caller
            .proof
            .is_some_and(|proof| proof.proves(user, password))
            || given.as_ref().is_some_and(|(said, proven)| {
                same(user.as_bytes(), said.as_bytes())
                    && same(password.as_bytes(), proven.as_bytes())
            })
    };
    if logins.is_empty() || logins.iter().any(proves) {
        return Ok(());
    }
    Err(Denied::Login)
}

/// User and password of `Basic …` (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(6)?;
    let token = STANDARD.decode(token.trim_ascii()).ok()?;
    let text = String::from_utf8(token).ok()?;
    let (user, password) = text.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case(b"Basic ");
    is_basic.then(|| (user.to_owned(), password.to_owned()))
}

/// User and password of `Bearer USER:PASSWORD` (RFC 6750): all that clients of WHIP and WHEP can send (RFC 9725 section
/// 4.7.1).
fn login_as_token(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let (user, password) = token.trim().split_once(':')?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer");
    is_bearer.then(|| (user.to_owned(), password.to_owned()))
}

/// User and password of `user=…&pass=…`, percent-encoded.
fn in_query(query: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    Some((value("user")?, value("pass")?))
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

    fn manage(address: &str, headers: &[(&'static str, &str)]) -> Result<(), Denied> {
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
        auth.identify(&visit).map(|identity| {
            assert_eq!(identity.role, Role::Admin);
        })
    }

    #[derive(Debug)]
    struct Knows(&'static str);

    impl Proof for Knows {
        fn proves(&self, user: &str, password: &str) -> bool {
            self.0 == format!("{user}:{password}")
        }
    }

    #[test]
    fn media_is_for_everyone_until_there_are_logins() {
        let login = |text: &str| Login::try_from(text.to_owned()).unwrap();
        let open = Auth::default();
        let closed = Auth::default().with_logins(vec![login("joe:a:b")], vec![login("jim:c")]);
        let (publish, play) = (Action::Publish("a", "s"), Action::Play("a", "s"));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Basic amltOmM=".parse().unwrap());
        // What is said, and whether that is enough to publish and to play.
        let cases = [
            (None, None, None, false, false),
            (Some("x=1&user=joe&pass=a%3Ab"), None, None, true, false),
            (Some("user=joe&pass=a"), None, None, false, false),
            (Some("user=joe"), None, None, false, false),
            (None, Some(&headers), None, false, true),
            (
                None,
                None,
                Some(&Knows("joe:a:b") as &dyn Proof),
                true,
                false,
            ),
            (None, None, Some(&Knows("jim:c")), false, true),
        ];
        for (query, headers, proof, publishes, plays) in cases {
            let caller = Caller {
                protocol: "rtsp",
                address: "192.0.2.1:1".parse().unwrap(),
                headers,
                query,
                proof,
            };
            assert_eq!(open.check(publish, caller), Ok(()));
            assert_eq!(
                closed.check(publish, caller).is_ok(),
                publishes,
                "{query:?}"
            );
            assert_eq!(closed.check(play, caller).is_ok(), plays, "{query:?}");
        }
    }

    #[test]
    fn a_local_caller_manages_without_a_token() {
        for host in [
            "localhost:5080",
            "127.0.0.1:5080",
            "[::1]:5080",
            "LOCALHOST",
            "panel.localhost",
        ] {
            assert_eq!(
                manage("127.0.0.1:4000", &[("host", host)]),
                Ok(()),
                "{host}"
            );
        }
        assert_eq!(manage("[::1]:4000", &[("host", "localhost")]), Ok(()));
        assert_eq!(
            manage("[::ffff:127.0.0.1]:4000", &[("host", "localhost")]),
            Ok(())
        );
        let same = [
            ("host", "localhost"),
            ("origin", "http://localhost:5080"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(manage("127.0.0.1:4000", &same), Ok(()));
    }

    #[test]
    fn whoever_only_looks_local_does_not() {
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
                manage("127.0.0.1:4000", headers),
                Err(Denied::NotLocal),
                "{headers:?}"
            );
        }
        assert_eq!(
            manage("192.168.1.2:4000", &[("host", "localhost")]),
            Err(Denied::NotLocal)
        );
    }

    #[test]
    fn tokens_are_checked_before_the_place() {
        for value in [
            "Bearer 0123456789abcdef",
            "bearer 0123456789abcdef",
            "0123456789abcdef",
            // The token as user, without a password.
            "Basic MDEyMzQ1Njc4OWFiY2RlZjo=",
        ] {
            assert_eq!(
                manage("10.0.0.1:1", &[("authorization", value)]),
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
                manage("127.0.0.1:1", &headers),
                Err(Denied::Token),
                "{value}"
            );
        }
    }
}
