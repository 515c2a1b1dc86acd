//! RTMP: takes publishers and serves players on one port, and publishes to other servers. The protocol
//! itself is `protocols/rtmp`.

mod address;
mod link;
mod player;
mod server;
mod sink;

use super::{BoxFuture, Context, Feed, Listening, Protocol};
use crate::config::{CONNECTIONS, CONNECTIONS_RULE, Config, ConfigError, Listen, duration};
use crate::net::listen;
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Table `[rtmp]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on; empty for none.
    pub listen: Listen,
    /// Connections at a time.
    pub max_connections: usize,
    /// A publisher that sends nothing for so long is disconnected.
    #[serde(with = "duration")]
    pub publisher_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen(Some(([0u16; 8], 1935).into())),
            max_connections: 10_000,
            publisher_timeout: Duration::from_secs(30),
        }
    }
}

/// The adapter.
#[derive(Debug)]
pub struct Rtmp {
    settings: Settings,
}

impl Rtmp {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let settings: Settings = config.section("rtmp")?;
        if !CONNECTIONS.contains(&settings.max_connections) {
            return Err(config.error("rtmp.max_connections", CONNECTIONS_RULE));
        }
        Ok(Self { settings })
    }
}

impl Protocol for Rtmp {
    fn name(&self) -> &'static str {
        "rtmp"
    }

    fn listen(self: Arc<Self>, context: Arc<Context>) -> io::Result<Vec<Listening>> {
        let Some(address) = self.settings.listen.0 else {
            return Ok(Vec::new());
        };
        let listener = listen::tcp(address)?;
        let listening = Listening {
            protocol: "rtmp",
            address: listener.local_addr()?,
        };
        tokio::spawn(server::serve(listener, self.settings.clone(), context));
        Ok(vec![listening])
    }
    fn pushes(&self, scheme: &str) -> bool {
        scheme == "rtmp"
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(sink::push(url, feed))
    }
}
