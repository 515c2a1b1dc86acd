//! Tables below `[auth]`: who may publish and play one application or stream, and who else is asked about it.

use super::{Applications, Cidr, Login, Secret, duration, hooks};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tables `[auth.rights.APP]` and `[auth.rights."APP/ID"]`: what is there holds in the place of what is said for all.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// Who may publish; empty for anyone.
    pub publishers: Option<Vec<Login>>,
    /// Who may play; empty for anyone.
    pub players: Option<Vec<Login>>,
    /// From where may be published; empty for anywhere.
    pub publish_networks: Option<Vec<Cidr>>,
    /// From where may be played; empty for anywhere.
    pub play_networks: Option<Vec<Cidr>>,
}

/// Table `[auth.webhook]`: who is asked about those who prove no login of the configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AuthWebhook {
    /// Where; it may hold a secret. Nobody is asked without.
    pub url: Option<Secret>,
    /// Who does not answer in this time says no.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a yes holds for the same question.
    #[serde(with = "duration")]
    pub cache: Duration,
    /// What is asked about.
    pub actions: Vec<AskedAction>,
}

/// What may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskedAction {
    /// Publishing a stream.
    Publish,
    /// Playing a stream or a recording.
    Play,
}

impl Default for AuthWebhook {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(30),
            actions: vec![AskedAction::Publish, AskedAction::Play],
        }
    }
}

impl AuthWebhook {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self
            .url
            .as_ref()
            .is_some_and(|url| !hooks::is_url(url.reveal()))
        {
            let message = "must be a URL of http or https";
            return Err(("auth.webhook.url", message.into()));
        }
        let times = Duration::from_millis(100)..=Duration::from_secs(30);
        if !times.contains(&self.timeout) {
            let message = "must lie between 100ms and 30s";
            return Err(("auth.webhook.timeout", message.into()));
        }
        if self.cache > Duration::from_hours(1) {
            return Err(("auth.webhook.cache", "must be at most 1h".into()));
        }
        Ok(())
    }
}

/// Whether each of these tables is of an application or a stream that can be.
pub(super) fn check_rights(
    rights: &BTreeMap<String, Rights>,
    applications: &Applications,
) -> Result<(), String> {
    let is_known = |name: &str| {
        let app = name.split('/').next().unwrap_or_default();
        let is_stream = || {
            let found = applications.resolve(name);
            found.is_ok_and(|found| found.as_str() == name)
        };
        applications.contains(app) && (app == name || is_stream())
    };
    match rights.keys().find(|name| !is_known(name)) {
        Some(name) => Err(format!(
            "{name:?} is no application, and no stream of one (APP/ID)"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        let good = AuthWebhook::default();
        assert_eq!(good.check(), Ok(()));
        for (key, bad) in [
            (
                "auth.webhook.url",
                AuthWebhook {
                    url: Some(Secret::from("ftp://a")),
                    ..good.clone()
                },
            ),
            (
                "auth.webhook.timeout",
                AuthWebhook {
                    timeout: Duration::from_secs(31),
                    ..good.clone()
                },
            ),
            (
                "auth.webhook.cache",
                AuthWebhook {
                    cache: Duration::from_secs(3_601),
                    ..good
                },
            ),
        ] {
            assert_eq!(bad.check().map_err(|(key, _)| key), Err(key));
        }
        let applications = Applications::standard();
        for (name, good) in [
            ("LiveApp", true),
            ("live/cam", true),
            ("LiveApp/", false),
            ("other", false),
            ("other/cam", false),
            ("LiveApp/../x", false),
            ("", false),
        ] {
            let rights = BTreeMap::from([(name.to_owned(), Rights::default())]);
            assert_eq!(check_rights(&rights, &applications).is_ok(), good, "{name}");
        }
    }
}
