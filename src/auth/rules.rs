//! What an application asks of those who want something there: the part of its settings that concerns access, under Ant
//! Media Server's names.

use super::jwt::{self, MIN_KEY};
use super::{Action, Denied};
use crate::config::{Cidr, Secret};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::net::IpAddr;
use std::time::SystemTime;

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

/// The rules of one application. Without settings there are none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rules {
    #[serde(rename = "remoteAllowedCIDR")]
    remote_allowed_cidr: Option<Networks>,
    ip_filter_enabled: Option<bool>,
    jwt_control_enabled: Option<bool>,
    jwt_secret_key: Option<Secret>,
    publish_jwt_control_enabled: Option<bool>,
    play_jwt_control_enabled: Option<bool>,
    jwt_stream_secret_key: Option<Secret>,
    publish_token_control_enabled: Option<bool>,
    play_token_control_enabled: Option<bool>,
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

impl Rules {
    /// From all settings of an application.
    ///
    /// # Errors
    /// What is wrong with one of those that concern access.
    pub fn read(settings: serde_json::Value) -> Result<Self, String> {
        let rules: Self = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        for (enabled, key, name) in [
            (
                rules.jwt_control_enabled,
                &rules.jwt_secret_key,
                "jwtSecretKey",
            ),
            (
                rules.publish_jwt_control_enabled,
                &rules.jwt_stream_secret_key,
                "jwtStreamSecretKey",
            ),
            (
                rules.play_jwt_control_enabled,
                &rules.jwt_stream_secret_key,
                "jwtStreamSecretKey",
            ),
        ] {
            let length = key.as_ref().map_or(0, |key| key.reveal().len());
            if enabled == Some(true) && length < MIN_KEY {
                return Err(format!("{name} needs at least {MIN_KEY} bytes"));
            }
        }
        Ok(rules)
    }

    /// What the application makes of a caller of its REST API.
    pub(super) fn rest(&self, address: IpAddr, token: Option<&[u8]>) -> Result<Rest, Denied> {
        let networks = self.remote_allowed_cidr.as_ref();
        let networks = networks.filter(|_| self.ip_filter_enabled != Some(false));
        if let Some(Networks(networks)) = networks
            && !networks.is_empty()
            && !networks.iter().any(|network| network.contains(address))
        {
            return Err(Denied::Network);
        }
        if self.jwt_control_enabled != Some(true) {
            return Ok(Rest::AsElsewhere);
        }
        let key = self.jwt_secret_key.as_ref().map(Secret::reveal);
        let key = key.unwrap_or_default().as_bytes();
        let is_signed = token.is_some_and(|token| jwt::verify(token, key, now()).is_some());
        Ok(if is_signed {
            Rest::Signed
        } else {
            Rest::NotByPlace
        })
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

    /// Whether this is a signed token for that.
    pub(super) fn is_signed(&self, action: Action<'_>, token: Option<&[u8]>) -> bool {
        let (id, kind) = match action {
            Action::Publish(_, id) => (id, PUBLISH),
            Action::Play(_, id) => (id, PLAY),
        };
        let claims = token.and_then(|token| jwt::verify(token, self.stream_key(), now()));
        claims.is_some_and(|claims| {
            claims.stream_id.as_deref() == Some(id) && claims.kind.as_deref() == Some(kind)
        })
    }

    /// A signed token for a stream; none without a key that is long enough.
    pub fn sign(&self, stream: &str, kind: &str, expires: u64) -> Option<String> {
        let key = self.stream_key();
        (key.len() >= MIN_KEY).then(|| jwt::sign(stream, kind, expires, key))
    }

    fn stream_key(&self) -> &[u8] {
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

/// The token in a query.
pub(super) fn in_query(query: &str) -> Option<Vec<u8>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == "token")?;
    Some(percent_decode_str(token).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

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

    #[test]
    fn who_may_call_the_rest_api_of_an_application() {
        let here = at("192.0.2.1");
        let none = Rules::default();
        assert_eq!(none.rest(here, None), Ok(Rest::AsElsewhere));
        let settings = json!({"remoteAllowedCIDR": "127.0.0.1,10.0.0.0/8"});
        let filtered = Rules::read(settings).unwrap();
        assert_eq!(filtered.rest(here, None), Err(Denied::Network));
        assert_eq!(filtered.rest(at("10.1.1.1"), None), Ok(Rest::AsElsewhere));
        let settings = json!({"remoteAllowedCIDR": "127.0.0.1", "ipFilterEnabled": false});
        let off = Rules::read(settings).unwrap();
        assert_eq!(off.rest(here, None), Ok(Rest::AsElsewhere));
        let settings = json!({"jwtControlEnabled": true, "jwtSecretKey": KEY});
        let signed = Rules::read(settings).unwrap();
        let token = jwt::sign("any", "any", now() + 60, KEY.as_bytes());
        let old = jwt::sign("any", "any", now() - 60, KEY.as_bytes());
        let other = jwt::sign("any", "any", now() + 60, &[7; 32]);
        let rest = |token: &str| signed.rest(here, Some(token.as_bytes()));
        assert_eq!(rest(&token), Ok(Rest::Signed));
        for wrong in [&old, &other, "", "x.y.z"] {
            assert_eq!(rest(wrong), Ok(Rest::NotByPlace), "{wrong}");
        }
        assert_eq!(signed.rest(here, None), Ok(Rest::NotByPlace));
    }

    #[test]
    fn a_signed_token_is_for_one_use_of_one_stream() {
        let settings = json!({
            "publishJwtControlEnabled": true, "playJwtControlEnabled": false, "jwtStreamSecretKey": KEY,
        });
        let rules = Rules::read(settings).unwrap();
        let publish = Action::Publish("LiveApp", "cam");
        assert!(rules.asks_for_jwt(publish) && !rules.asks_for_jwt(Action::Play("LiveApp", "cam")));
        let is_signed =
            |token: Option<String>| rules.is_signed(publish, token.as_deref().map(str::as_bytes));
        let sign = |id, kind| rules.sign(id, kind, now() + 60);
        assert!(is_signed(sign("cam", PUBLISH)));
        assert!(!is_signed(sign("cam", PLAY)) && !is_signed(sign("door", PUBLISH)));
        assert!(!is_signed(None));
        assert_eq!(Rules::default().sign("cam", PUBLISH, now() + 60), None);
    }

    #[test]
    fn a_token_in_a_query() {
        for (query, token) in [
            ("token=a.b-c_d", Some("a.b-c_d")),
            ("x=1&token=a%2Bb&y", Some("a+b")),
            ("tokens=a&token", None),
            ("", None),
        ] {
            let expected = token.map(|token| token.as_bytes().to_vec());
            assert_eq!(in_query(query), expected, "{query}");
        }
    }
}
