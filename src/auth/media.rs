//! Who may publish and play: from where, by which login, and with which token of the application.

use super::passes::Basis;
use super::rules::{self, PLAY, PUBLISH};
use super::subscribers::{MAX_TEXT, Shown};
use super::webhook::{Question, steady};
use super::{Action, Auth, Caller, Denied, Role, bearer, cookie, digest, same};
use crate::config::{self, AskedAction, Cidr, Login, Rights};
use crate::hub::Pass;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::time::Instant;

/// What somebody says of themselves, by whatever way the protocol has.
#[derive(Default)]
struct Given {
    login: Option<(String, String)>,
    token: Option<Vec<u8>>,
}

impl Given {
    fn of(caller: Caller<'_>) -> Self {
        let in_header = caller.headers.and_then(|headers| {
            let basic = basic(headers);
            basic.or_else(|| login_as_token(headers))
        });
        let is_login = in_header.is_some();
        let login = in_header.or_else(|| caller.query.and_then(in_query));
        let login = login.or_else(|| caller.proof.and_then(|proof| proof.told()));
        let token = caller.query.and_then(|query| value(query, "token"));
        let token = token.or_else(|| {
            let headers = caller.headers.filter(|_| !is_login)?;
            let value = headers.get(header::AUTHORIZATION)?;
            bearer(value.as_bytes()).map(<[u8]>::to_vec)
        });
        Self { login, token }
    }
}

impl<'a> Action<'a> {
    /// Application, ID of the stream, and what is wanted, in the words of tokens.
    pub(super) const fn parts(self) -> (&'a str, &'a str, &'static str) {
        match self {
            Self::Publish(app, id) => (app, id, PUBLISH),
            Self::Play(app, id) => (app, id, PLAY),
        }
    }
}

impl Auth {
    /// By which right `caller` may do `action`: to be handed to the viewer or publisher that they become, who has to leave
    /// when it is withdrawn.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn check(&self, action: Action<'_>, caller: Caller<'_>) -> Result<Pass, Denied> {
        self.admits(action, caller.address.ip())?;
        // Who is signed in sees on the pages what is there.
        if let Some(pass) = self.signed_in(action, caller.headers) {
            return Ok(pass);
        }
        let given = Given::of(caller);
        let known = self.known.get();
        let logins = match action {
            Action::Publish(..) => said(&known, action, |rights| rights.publishers.as_ref()),
            Action::Play(..) => said(&known, action, |rights| rights.players.as_ref()),
        };
        let logins = logins.unwrap_or(match action {
            Action::Publish(..) => &known.publishers,
            Action::Play(..) => &known.players,
        });
        if !logins.iter().any(|login| proves(login, &given, caller)) {
            if is_asked(&known.webhook, action) {
                let asked = Asked::new(action, caller, &given);
                let question = asked.question();
                let outward = self.outward.as_ref();
                let asking = self.webhook.ask(&question, &known.webhook, outward);
                asking.await?;
            } else if !logins.is_empty() {
                return Err(Denied::Login);
            }
        }
        self.opens(action, caller, given.token.as_deref()).await
    }

    /// Whether somebody may do that from there, whoever they are.
    ///
    /// # Errors
    /// They may not.
    pub fn admits(&self, action: Action<'_>, from: IpAddr) -> Result<(), Denied> {
        let known = self.known.get();
        let networks = match action {
            Action::Publish(..) => said(&known, action, |rights| rights.publish_networks.as_ref()),
            Action::Play(..) => said(&known, action, |rights| rights.play_networks.as_ref()),
        };
        let networks = networks.unwrap_or(match action {
            Action::Publish(..) => &known.publish_networks,
            Action::Play(..) => &known.play_networks,
        });
        let (app, ..) = action.parts();
        let rules = self.rules(app);
        let is_in = |networks: &[Cidr]| {
            networks.is_empty() || networks.iter().any(|network| network.contains(from))
        };
        match is_in(networks) && is_in(rules.networks(action)) {
            true => Ok(()),
            false => Err(Denied::Network),
        }
    }

    /// Whether the caller proves a login of somebody who may play something, or needs none for that: for who asks
    /// before a stream is named. What they may play, [`Auth::check`] says.
    pub fn plays_something(&self, caller: Caller<'_>) -> bool {
        let known = self.known.get();
        let from = caller.address.ip();
        let networks = &known.play_networks;
        if !networks.is_empty() && !networks.iter().any(|network| network.contains(from)) {
            return false;
        }
        let of_rights = known
            .rights
            .values()
            .filter_map(|rights| rights.players.as_ref());
        let given = Given::of(caller);
        let any = Action::Play("", "");
        let is_asked = is_asked(&known.webhook, any) && given.login.is_some();
        is_asked
            || of_rights.chain([&known.players]).any(|logins| {
                logins.is_empty() || logins.iter().any(|login| proves(login, &given, caller))
            })
    }

    /// Whether somebody else is asked about this, who has to be told user and password as they are.
    pub fn asks_for_password(&self, action: Action<'_>) -> bool {
        is_asked(&self.known.get().webhook, action)
    }

    fn signed_in(&self, action: Action<'_>, headers: Option<&HeaderMap>) -> Option<Pass> {
        let needed = match action {
            Action::Publish(..) => Role::Operator,
            Action::Play(..) => Role::Viewer,
        };
        let session = headers.and_then(cookie::either)?;
        let title = self.passes.note(vec![Basis::Session(digest(session))]);
        let account = self.account_of(session)?;
        (account.role >= needed).then(|| title.pass())
    }

    /// By which right the caller is in who has the tokens that the application asks for.
    async fn opens(
        &self,
        action: Action<'_>,
        caller: Caller<'_>,
        token: Option<&[u8]>,
    ) -> Result<Pass, Denied> {
        let (app, id, kind) = action.parts();
        let rules = self.rules(app);
        if rules.asks_for_jwt(action) && !self.is_signed(&rules, action, token).await {
            return Err(Denied::StreamJwt);
        }
        let stream = format!("{app}/{id}");
        let said = |name| value(caller.query?, name);
        let said = |name| said(name).and_then(|said| String::from_utf8(said).ok());
        let subscriber = said("subscriberId");
        let asks_for_token = rules.asks_for_token(action);
        let was_known = subscriber
            .as_deref()
            .is_some_and(|id| self.subscribers.knows(&stream, id));
        let mut bases = Vec::new();
        // No longer ID can be blocked.
        if let Some(id) = subscriber.clone().filter(|id| id.len() <= MAX_TEXT) {
            bases.push(Basis::Subscriber {
                stream: stream.clone(),
                id,
                kind,
                was_known,
            });
        }
        if asks_for_token {
            bases.push(Basis::StreamToken(stream.clone()));
        }
        let title = (!bases.is_empty()).then(|| self.passes.note(bases));
        // Who says to be somebody is held to it, whether it takes a code or not.
        let is_free = |id: &String| self.subscribers.admits((&stream, id), kind, false);
        if !subscriber.as_ref().is_none_or(is_free) {
            return Err(Denied::Code);
        }
        let address = caller.address.ip();
        let now = (rules::now(), Instant::now());
        let of_app = rules.asks_for_code(action);
        if let Some(of_app) = &of_app {
            let code = said("subscriberCode");
            let opens = subscriber
                .as_ref()
                .zip(code)
                .is_some_and(|(subscriber, code)| {
                    let shown = Shown {
                        app,
                        stream: id,
                        id: subscriber,
                        code: &code,
                        kind,
                        address,
                    };
                    self.subscribers.opens(shown, of_app, now)
                });
            if !opens {
                return Err(Denied::Code);
            }
        }
        if asks_for_token {
            let tokens = &self.stream_tokens;
            let opens =
                token.is_some_and(|token| tokens.open_with(token, (&stream, kind), address, now));
            if !opens {
                return Err(Denied::StreamToken);
            }
        }
        let Some(title) = title else {
            return Ok(Pass::default());
        };
        // Of names that anybody may have made up nothing is kept.
        let is_somebody = of_app.is_some() || was_known;
        Ok(
            match subscriber.filter(|id| is_somebody && id.len() <= MAX_TEXT) {
                Some(id) => title.told((stream, id), kind, caller.protocol),
                None => title.pass(),
            },
        )
    }
}

/// What is said of the stream, or else of its application.
fn said<'a, T>(
    known: &'a config::Auth,
    action: Action<'_>,
    of: impl Fn(&'a Rights) -> Option<&'a T>,
) -> Option<&'a T> {
    let rights = &known.rights;
    if rights.is_empty() {
        return None;
    }
    let (app, id, _) = action.parts();
    let of_stream = rights.get(&format!("{app}/{id}")).and_then(&of);
    of_stream.or_else(|| rights.get(app).and_then(&of))
}

fn is_asked(webhook: &config::AuthWebhook, action: Action<'_>) -> bool {
    let asked = match action {
        Action::Publish(..) => AskedAction::Publish,
        Action::Play(..) => AskedAction::Play,
    };
    webhook.url.is_some() && webhook.actions.contains(&asked)
}

fn proves(login: &Login, given: &Given, caller: Caller<'_>) -> bool {
    let (user, password) = (login.user(), login.password());
    let proof = caller.proof;
    proof.is_some_and(|proof| proof.proves(user, password))
        || given.login.as_ref().is_some_and(|(said, proven)| {
            same(user.as_bytes(), said.as_bytes()) && same(password.as_bytes(), proven.as_bytes())
        })
}

/// What the question is made of.
struct Asked<'a> {
    action: Action<'a>,
    caller: Caller<'a>,
    login: (&'a str, &'a str),
    token: std::borrow::Cow<'a, str>,
    agent: &'a str,
}

impl<'a> Asked<'a> {
    fn new(action: Action<'a>, caller: Caller<'a>, given: &'a Given) -> Self {
        let login = given.login.as_ref();
        let login = login.map(|(user, password)| (user.as_str(), password.as_str()));
        let token = given.token.as_deref().unwrap_or_default();
        let agent = caller
            .headers
            .and_then(|headers| headers.get(header::USER_AGENT));
        Self {
            action,
            caller,
            login: login.unwrap_or_default(),
            token: String::from_utf8_lossy(token),
            agent: agent
                .and_then(|agent| agent.to_str().ok())
                .unwrap_or_default(),
        }
    }

    fn question(&self) -> Question<'_> {
        let (app, id, _) = self.action.parts();
        let (user, password) = self.login;
        Question {
            user,
            password,
            token: &self.token,
            ip: self.caller.address.ip().to_canonical(),
            action: match self.action {
                Action::Publish(..) => "publish",
                Action::Play(..) => "read",
            },
            path: format!("{app}/{id}"),
            protocol: self.caller.protocol,
            query: steady(self.caller.query),
            user_agent: self.agent,
        }
    }
}

/// User and password of `Basic …` (RFC 7617).
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
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
pub(super) fn login_as_token(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let (user, password) = token.trim().split_once(':')?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer");
    is_bearer.then(|| (user.to_owned(), password.to_owned()))
}

/// User and password of `user=…&pass=…`, percent-encoded.
fn in_query(query: &str) -> Option<(String, String)> {
    let text = |name| Some(String::from_utf8_lossy(&value(query, name)?).into_owned());
    Some((text("user")?, text("pass")?))
}

/// A value in a query, percent-decoded.
pub(super) fn value(query: &str, name: &str) -> Option<Vec<u8>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Some(percent_decode_str(value).collect())
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
