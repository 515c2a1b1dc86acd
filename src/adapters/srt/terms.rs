//! On what terms publishers and players are let in: latency and passphrase, for all streams or for one.

use super::Settings;
use crate::config::Secret;
use crate::hub::{Applications, StreamName};
use srt::{Options, Passphrase};
use std::collections::HashMap;
use std::time::Duration;

/// Packets of a player that wait to be delivered: it has nothing to say that anybody hears.
const OF_PLAYERS: usize = 256;

/// Longest latency that the handshake can carry, in a round number.
const MAX_LATENCY: Duration = Duration::from_secs(60);

/// The terms of all streams.
#[derive(Debug)]
pub(super) struct Terms {
    common: Term,
    streams: HashMap<StreamName, Term>,
}

#[derive(Clone, Debug)]
struct Term {
    latency: Duration,
    publish: Option<Passphrase>,
    read: Option<Passphrase>,
}

impl Terms {
    /// As the settings have them.
    ///
    /// # Errors
    /// The key of what cannot be used, and what it has to be.
    pub(super) fn new(
        settings: &Settings,
        applications: &Applications,
    ) -> Result<Self, (String, String)> {
        let common = Term {
            latency: latency("srt", settings.latency)?,
            publish: passphrase("srt.publish_passphrase", &settings.publish_passphrase)?,
            read: passphrase("srt.read_passphrase", &settings.read_passphrase)?,
        };
        let mut streams = HashMap::new();
        for (text, own) in &settings.streams {
            let key = format!("srt.streams.{text}");
            let name = applications.resolve(text);
            let name = name.map_err(|error| (key.clone(), error.to_string()))?;
            let mut term = common.clone();
            if let Some(own) = own.latency {
                term.latency = latency(&key, own.0)?;
            }
            if let Some(own) = &own.publish_passphrase {
                term.publish = passphrase(&format!("{key}.publish_passphrase"), own)?;
            }
            if let Some(own) = &own.read_passphrase {
                term.read = passphrase(&format!("{key}.read_passphrase"), own)?;
            }
            streams.insert(name, term);
        }
        Ok(Self { common, streams })
    }

    /// What a publisher or player of that stream is offered.
    pub(super) fn of(&self, name: &StreamName, publishes: bool) -> Options {
        let term = self.streams.get(name).unwrap_or(&self.common);
        let passphrase = if publishes { &term.publish } else { &term.read };
        let options = Options {
            latency: term.latency,
            passphrase: passphrase.clone(),
            ..Options::default()
        };
        match publishes {
            true => options,
            false => Options {
                receive_buffer: OF_PLAYERS,
                ..options
            },
        }
    }

    /// The latency where nothing else is said.
    pub(super) const fn latency(&self) -> Duration {
        self.common.latency
    }
}

fn latency(table: &str, latency: Duration) -> Result<Duration, (String, String)> {
    if latency > MAX_LATENCY {
        return Err((format!("{table}.latency"), "must be 60s at most".to_owned()));
    }
    Ok(latency)
}

fn passphrase(key: &str, secret: &Secret) -> Result<Option<Passphrase>, (String, String)> {
    match secret.reveal() {
        "" => Ok(None),
        text => match Passphrase::new(text) {
            Ok(passphrase) => Ok(Some(passphrase)),
            Err(_) => Err((key.to_owned(), "must have 10 to 79 bytes".to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_stream_may_have_terms_of_its_own() {
        let settings = settings(
            r#"
            latency = "200ms"
            publish_passphrase = "for everybody"
            [streams."LiveApp/cam"]
            latency = "2s"
            read_passphrase = "for this one"
            [streams.door]
            publish_passphrase = ""
            "#,
        );
        let terms = Terms::new(&settings, &Applications::standard()).unwrap();
        let of = |id: &str, publishes| {
            let options = terms.of(&StreamName::new("LiveApp", id).unwrap(), publishes);
            (options.latency.as_millis(), options.passphrase)
        };
        let secret = |text| Some(Passphrase::new(text).unwrap());
        assert_eq!(of("any", true), (200, secret("for everybody")));
        assert_eq!(of("any", false), (200, None));
        assert_eq!(of("cam", true), (2_000, secret("for everybody")));
        assert_eq!(of("cam", false), (2_000, secret("for this one")));
        assert_eq!(of("door", true), (200, None));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        let cases = [
            ("latency = '70s'", "srt.latency"),
            ("read_passphrase = 'short'", "srt.read_passphrase"),
            ("streams.'a/b'.latency = '1s'", "srt.streams.a/b"),
            (
                "streams.a.publish_passphrase = 'short'",
                "srt.streams.a.publish_passphrase",
            ),
        ];
        for (text, key) in cases {
            let refused = Terms::new(&settings(text), &Applications::standard()).unwrap_err();
            assert_eq!(refused.0, key);
            assert!(!refused.1.contains("short"));
        }
    }
}
