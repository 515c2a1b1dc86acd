//! RTMP, plain and over TLS: takes publishers and serves players on one port, plays and publishes at other
//! servers. The protocol itself is `protocols/rtmp`.

mod address;
mod link;
mod options;
mod player;
mod server;
mod sink;
mod source;

use super::{BoxFuture, Context, Feed, ListenError, Listening, Protocol, Target, not_carried};
use crate::config::{CONNECTIONS, CONNECTIONS_RULE, Config, ConfigError, Listen, duration};
use crate::hub::Current;
use crate::net::accepting::Accepting;
use media::Track;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Table `[rtmp]` or `[rtmps]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on; empty for none. Port 1935 or 1936 of all addresses unless told otherwise.
    pub listen: Option<Listen>,
    /// Connections at a time.
    pub max_connections: usize,
    /// A publisher that sends nothing for so long is disconnected.
    #[serde(with = "duration")]
    pub publisher_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            max_connections: 10_000,
            publisher_timeout: Duration::from_secs(30),
        }
    }
}

/// The adapter, once plain and once over TLS.
#[derive(Debug)]
pub struct Rtmp {
    /// `rtmp` or `rtmps`: the table, and the scheme of URLs.
    name: &'static str,
    is_secure: bool,
    settings: Current<Settings>,
    accepting: Accepting,
}

impl Rtmp {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self::of("rtmp", Self::settings(config, "rtmp")?))
    }

    /// Over TLS, with the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn secure(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self::of("rtmps", Self::settings(config, "rtmps")?))
    }

    fn settings(config: &Config, name: &str) -> Result<Settings, ConfigError> {
        let settings: Settings = config.section(name)?;
        if !CONNECTIONS.contains(&settings.max_connections) {
            let key = format!("{name}.max_connections");
            return Err(config.error(&key, CONNECTIONS_RULE));
        }
        Ok(settings)
    }

    fn of(name: &'static str, settings: Settings) -> Self {
        Self {
            name,
            is_secure: name == "rtmps",
            settings: Current::new(settings),
            accepting: Accepting::default(),
        }
    }
}

impl Protocol for Rtmp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        // RTMP over TLS is no other.
        let carried = not_carried(flv::muxer::is_carried(track), track);
        (self.name == "rtmp").then_some(carried)
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move {
            let settings = self.settings.get();
            let port = if self.is_secure { 1936 } else { 1935 };
            let everywhere = Listen(Some(([0u16; 8], port).into()));
            let wanted = settings.listen.unwrap_or(everywhere);
            let tls = self
                .is_secure
                .then(|| TlsAcceptor::from(context.certificate.server_config(&[])));
            let settings = Settings::clone(&settings);
            let serve = |listener, places| server::serve(listener, places, tls, settings, context);
            let address = self.accepting.at(wanted.0, serve).await?;
            let listening = address.map(|address| Listening {
                protocol: self.name,
                address,
            });
            Ok(listening.into_iter().collect())
        })
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        self.settings.set(Self::settings(config, self.name)?);
        Ok(Vec::new())
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == self.name
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        let parsed = address::Address::parse(url);
        parsed.map(drop).map_err(|error| error.to_string())
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(source::pull(url, target))
    }

    fn pushes(&self, scheme: &str) -> bool {
        scheme == self.name
    }

    fn check_push(&self, url: &str) -> Result<(), String> {
        let address = address::Address::parse(url);
        address.map(drop).map_err(|error| error.to_string())
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(sink::push(url, feed))
    }
}
