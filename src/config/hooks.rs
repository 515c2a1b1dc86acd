//! Table `[hooks]`: where is told what happens to streams, and how.

use super::{Secret, duration};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// Table `[hooks]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Where Ant Media's events go where neither the broadcast nor its application names a place; it may hold a secret.
    pub url: Option<Secret>,
    /// Key of the signature, at least 16 characters; without, requests are not signed.
    pub secret: Option<Secret>,
    /// How long a receiver has for one request, from the look-up of its name to the status of its answer.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How often what failed is tried again, where the application does not say.
    pub retries: u32,
    /// Pause before the first time; it doubles from one to the next.
    #[serde(with = "duration")]
    pub retry_delay: Duration,
    /// Events that wait for one receiver; beyond, the oldest are dropped.
    pub queue: usize,
    /// Viewers that come and go are told as well.
    pub viewers: bool,
    /// What ONVIF cameras notice is told as well.
    pub cameras: bool,
    /// Where EvoStream's events go; it may hold a secret.
    pub evostream_url: Option<Secret>,
    /// Those of its events that are wanted; none for all.
    pub evostream_events: Vec<String>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            timeout: Duration::from_secs(5),
            retries: 5,
            retry_delay: Duration::from_secs(1),
            queue: 1_000,
            viewers: false,
            cameras: false,
            evostream_url: None,
            evostream_events: Vec::new(),
        }
    }
}

impl Hooks {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let urls = [
            ("hooks.url", &self.url),
            ("hooks.evostream_url", &self.evostream_url),
        ];
        for (key, url) in urls {
            if url.as_ref().is_some_and(|url| !is_url(url.reveal())) {
                return Err((key, "must be a URL of http or https".into()));
            }
        }
        if let Some(secret) = &self.secret
            && secret.reveal().len() < 16
        {
            return Err(("hooks.secret", "needs at least 16 characters".into()));
        }
        let times = Duration::from_millis(100)..=Duration::from_secs(60);
        if !times.contains(&self.timeout) {
            return Err(("hooks.timeout", "must lie between 100ms and 1m".into()));
        }
        if !times.contains(&self.retry_delay) {
            return Err(("hooks.retry_delay", "must lie between 100ms and 1m".into()));
        }
        if self.retries > 20 {
            return Err(("hooks.retries", "must be at most 20".into()));
        }
        if !(1..=100_000).contains(&self.queue) {
            return Err(("hooks.queue", "must lie between 1 and 100000".into()));
        }
        Ok(())
    }
}

/// Whether events can be sent there, as far as the text tells.
pub(super) fn is_url(text: &str) -> bool {
    let url = Url::parse(text).ok();
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        let secret = |text: &str| Some(Secret::from(text));
        let bad = [
            (
                "hooks.url",
                Hooks {
                    url: secret("ftp://a/b"),
                    ..Hooks::default()
                },
            ),
            (
                "hooks.evostream_url",
                Hooks {
                    evostream_url: secret("a"),
                    ..Hooks::default()
                },
            ),
            (
                "hooks.secret",
                Hooks {
                    secret: secret("short"),
                    ..Hooks::default()
                },
            ),
            (
                "hooks.timeout",
                Hooks {
                    timeout: Duration::ZERO,
                    ..Hooks::default()
                },
            ),
            (
                "hooks.retry_delay",
                Hooks {
                    retry_delay: Duration::ZERO,
                    ..Hooks::default()
                },
            ),
            (
                "hooks.retries",
                Hooks {
                    retries: 21,
                    ..Hooks::default()
                },
            ),
            (
                "hooks.queue",
                Hooks {
                    queue: 0,
                    ..Hooks::default()
                },
            ),
        ];
        assert_eq!(Hooks::default().check(), Ok(()));
        for (key, hooks) in bad {
            assert_eq!(hooks.check().map_err(|(key, _)| key), Err(key));
        }
    }
}
