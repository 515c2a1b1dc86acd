//! What an application asks of those who want something there: the part of its settings that concerns access, under Ant
//! Media Server's names.

use super::Action;
use super::jwt::{self, Claims, MIN_KEY};
use crate::config::{Cidr, Secret};
use serde::Deserialize;
use std::net::IpAddr;
use std::time::SystemTime;
use url::Url;

/// Networks, with commas between.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct Networks(Vec<Cidr>);

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let texts = text.split(',').map(str::trim);
        let networks = texts.filter(|text| !text.is_empty()).map(str::parse);
        networks.collect::<Result<_, _>>().map(Self)
    }
}

/// Where a set of keys is published; none where the text is empty.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct KeySetUrl(Option<Url>);

impl std::fmt::Debug for KeySetUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl TryFrom<String> for KeySetUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let url = Url::parse(&text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match url {
            Some(url) => Ok(Self(Some(url))),
            None => Err("jwksURL must be a URL of http or https".to_owned()),
        }
    }
}

/// Seconds for which a code is good where nobody says, and at least.
const PERIOD: u64 = 60;
const MIN_PERIOD: u64 = 10;

/// The rules of one application. Without settings there are none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rules {
    #[serde(rename = "remoteAllowedCIDR")]
    remote_allowed_cidr: Option<Networks>,
    ip_filter_enabled: Option<bool>,
    #[serde(rename = "allowedPublisherCIDR")]
    allowed_publisher_cidr: Option<Networks>,
    #[serde(rename = "allowedPlayerCIDR")]
    allowed_player_cidr: Option<Networks>,
    jwt_control_enabled: Option<bool>,
    jwt_secret_key: Option<Secret>,
    #[serde(rename = "jwksURL")]
    jwks_url: Option<KeySetUrl>,
    jwt_issuer: Option<String>,
    jwt_audience: Option<String>,
    publish_jwt_control_enabled: Option<bool>,
    play_jwt_control_enabled: Option<bool>,
    jwt_stream_secret_key: Option<Secret>,
    publish_token_control_enabled: Option<bool>,
    play_token_control_enabled: Option<bool>,
    enable_time_token_for_publish: Option<bool>,
    enable_time_token_for_play: Option<bool>,
    time_token_secret_for_publish: Option<Secret>,
    time_token_secret_for_play: Option<Secret>,
    time_token_period: Option<u64>,
}

/// What the REST API of an application makes of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// They are who they are otherwise.
    AsElsewhere,
    /// They have a token of the application.
    Signed,
    /// It takes more than being on this machine.
    NotByPlace,
}

/// What an application knows of codes that change with time.
#[derive(Clone, Debug)]
pub struct TimeTokens {
    pub(super) play_secret: Option<Secret>,
    pub(super) publish_secret: Option<Secret>,
    /// Seconds for which a code is good.
    pub(super) period: u64,
}

impl TimeTokens {
    /// The secret of those who have none of their own.
    pub(super) fn secret(&self, kind: &str) -> Option<&str> {
        let secret = match kind {
            PLAY => &self.play_secret,
            _ => &self.publish_secret,
        };
        let secret = secret.as_ref().map(Secret::reveal);
        secret.filter(|secret| !secret.is_empty())
    }
}

impl Rules {
    /// From all settings of an application.
    ///
    /// # Errors
    /// What is wrong with one of those that concern access.
    pub fn read(settings: serde_json::Value) -> Result<Self, String> {
        let rules: Self = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        let (of_rest, of_streams) = (&rules.jwt_secret_key, &rules.jwt_stream_secret_key);
        for (enabled, key, name) in [
            (rules.jwt_control_enabled, of_rest, "jwtSecretKey"),
            (
                rules.publish_jwt_control_enabled,
                of_streams,
                "jwtStreamSecretKey",
            ),
            (
                rules.play_jwt_control_enabled,
                of_streams,
                "jwtStreamSecretKey",
            ),
        ] {
            let length = key.as_ref().map_or(0, |key| key.reveal().len());
            // Where keys are published none need be shared.
            let may_be_none = length == 0 && rules.key_set().is_some();
            if enabled == Some(true) && length < MIN_KEY && !may_be_none {
                return Err(format!("{name} needs at least {MIN_KEY} bytes"));
            }
        }
        if rules
            .time_token_period
            .is_some_and(|period| period < MIN_PERIOD)
        {
            return Err(format!("timeTokenPeriod is at least {MIN_PERIOD} seconds"));
        }
        Ok(rules)
    }

    /// Whether the REST API of the application is for callers from there.
    pub(super) fn admits_calls(&self, address: IpAddr) -> bool {
        let networks = self.remote_allowed_cidr.as_ref();
        let networks = networks.filter(|_| self.ip_filter_enabled != Some(false));
        networks.is_none_or(|Networks(networks)| {
            networks.is_empty() || networks.iter().any(|network| network.contains(address))
        })
    }

    /// From where somebody may do something; empty for anywhere.
    pub(super) fn networks(&self, action: Action<'_>) -> &[Cidr] {
        let networks = match action {
            Action::Publish(..) => &self.allowed_publisher_cidr,
            Action::Play(..) => &self.allowed_player_cidr,
        };
        networks.as_ref().map_or(&[], |Networks(networks)| networks)
    }

    /// The shared key of its REST API, which may be empty, where that takes signed tokens.
    pub(super) fn rest_key(&self) -> Option<&[u8]> {
        let key = self.jwt_secret_key.as_ref();
        let key = key.map_or(&[][..], |key| key.reveal().as_bytes());
        (self.jwt_control_enabled == Some(true)).then_some(key)
    }

    /// Where the set of keys is that tokens may be signed with.
    pub(super) fn key_set(&self) -> Option<&Url> {
        self.jwks_url.as_ref()?.0.as_ref()
    }

    /// Whether a signed token comes from whom, and is for whom, the settings name.
    pub(super) fn accepts(&self, claims: &Claims) -> bool {
        let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        named(&self.jwt_issuer).is_none_or(|issuer| claims.iss.as_deref() == Some(&*issuer))
            && named(&self.jwt_audience).is_none_or(|audience| claims.aud.has(&audience))
    }

    /// Whether one-time tokens are asked for.
    pub(super) fn asks_for_token(&self, action: Action<'_>) -> bool {
        let enabled = match action {
            Action::Publish(..) => self.publish_token_control_enabled,
            Action::Play(..) => self.play_token_control_enabled,
        };
        enabled == Some(true)
    }

    /// Whether signed tokens are asked for.
    pub(super) fn asks_for_jwt(&self, action: Action<'_>) -> bool {
        let enabled = match action {
            Action::Publish(..) => self.publish_jwt_control_enabled,
            Action::Play(..) => self.play_jwt_control_enabled,
        };
        enabled == Some(true)
    }

    /// What codes that change with time are checked with, where they are asked for.
    pub(super) fn asks_for_code(&self, action: Action<'_>) -> Option<TimeTokens> {
        let enabled = match action {
            Action::Publish(..) => self.enable_time_token_for_publish,
            Action::Play(..) => self.enable_time_token_for_play,
        };
        (enabled == Some(true)).then(|| self.time_tokens())
    }

    /// What codes that change with time are made with.
    pub fn time_tokens(&self) -> TimeTokens {
        TimeTokens {
            play_secret: self.time_token_secret_for_play.clone(),
            publish_secret: self.time_token_secret_for_publish.clone(),
            period: self.time_token_period.unwrap_or(PERIOD),
        }
    }

    /// A signed token for a stream; none without a key that is long enough.
    pub fn sign(&self, stream: &str, kind: &str, expires: u64) -> Option<String> {
        let key = self.stream_key();
        (key.len() >= MIN_KEY).then(|| jwt::sign(stream, kind, expires, key))
    }

    /// The shared key of tokens for streams, which may be empty.
    pub(super) fn stream_key(&self) -> &[u8] {
        let key = self.jwt_stream_secret_key.as_ref();
        key.map_or(&[], |key| key.reveal().as_bytes())
    }
}

/// What a token is for, in Ant Media's words.
pub(super) const PUBLISH: &str = "publish";
pub(super) const PLAY: &str = "play";

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn settings_that_cannot_be_are_refused() {
        for (settings, good) in [
            (json!({}), true),
            (
                json!({"hlsTime": "2", "remoteAllowedCIDR": "127.0.0.1, 10.0.0.0/8"}),
                true,
            ),
            (json!({"remoteAllowedCIDR": "", "jwtSecretKey": null}), true),
            (json!({"remoteAllowedCIDR": "10.0.0.0/40"}), false),
            (json!({"allowedPublisherCIDR": "10.0.0.0/8"}), true),
            (json!({"allowedPlayerCIDR": "10.0.0.0/8 ::1"}), false),
            (json!({"jwksURL": ""}), true),
            (json!({"jwksURL": "file:///etc/passwd"}), false),
            (
                json!({"jwtControlEnabled": true, "jwksURL": "https://id.example/keys"}),
                true,
            ),
            (
                json!({"jwtControlEnabled": true, "jwksURL": "https://id.example/keys", "jwtSecretKey": "short"}),
                false,
            ),
            (json!({"enableTimeTokenForPlay": true}), true),
            (json!({"timeTokenPeriod": 9}), false),
            (json!({"timeTokenPeriod": -1}), false),
            (json!({"jwtControlEnabled": "yes"}), false),
            (json!({"jwtControlEnabled": true}), false),
            (
                json!({"jwtControlEnabled": true, "jwtSecretKey": "short"}),
                false,
            ),
            (
                json!({"jwtControlEnabled": true, "jwtSecretKey": KEY}),
                true,
            ),
            (
                json!({"playJwtControlEnabled": true, "jwtSecretKey": KEY}),
                false,
            ),
            (
                json!({"playJwtControlEnabled": true, "jwtStreamSecretKey": KEY}),
                true,
            ),
        ] {
            assert_eq!(Rules::read(settings.clone()).is_ok(), good, "{settings}");
        }
    }
}
