//! SRT: takes publishers and serves players on one UDP port, pulls from and pushes to other ends, as caller,
//! listener or rendezvous. The protocol itself is `protocols/srt`; what it carries is made and read by
//! [`crate::transport`].
//!
//! A `link` joins one session to a socket. The port (`port`) decides about callers (`admission`), hands datagrams
//! over to their links (`inbox`), and has each connection served on a shard (`server`). A link of our own has a socket
//! of its own (`remote`). `feed` sends a stream through a link.

mod address;
mod admission;
mod connections;
mod feed;
mod inbox;
mod link;
mod outbox;
mod port;
mod remote;
mod server;
mod terms;

use super::{BoxFuture, Connection, Context, Feed, ListenError, Listening, Protocol, Target};
use crate::config::{CONNECTIONS, CONNECTIONS_RULE, Config, ConfigError, Listen, Secret, duration};
use crate::hub::Current;
use crate::net::udp::Socket;
use crate::transport::Packagings;
use connections::Connections;
use media::Track;
use port::Port;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terms::Terms;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Table `[srt]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// UDP address to listen on; empty for none.
    pub listen: Listen,
    /// Connections at a time.
    pub max_connections: usize,
    /// From a message's origin until it is delivered, where the far side does not ask for more.
    #[serde(with = "duration")]
    pub latency: Duration,
    /// What publishers have to know; empty for no encryption.
    pub publish_passphrase: Secret,
    /// What players have to know; empty for no encryption.
    pub read_passphrase: Secret,
    /// A publisher that sends nothing for so long is disconnected.
    #[serde(with = "duration")]
    pub publisher_timeout: Duration,
    /// What is different for a stream, by its name `APP/ID`.
    pub streams: BTreeMap<String, StreamSettings>,
}

/// Table `[srt.streams."APP/ID"]`. What is not set is as for all streams.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSettings {
    /// As `srt.latency`.
    pub latency: Option<Latency>,
    /// As `srt.publish_passphrase`.
    pub publish_passphrase: Option<Secret>,
    /// As `srt.read_passphrase`.
    pub read_passphrase: Option<Secret>,
}

/// A duration that may be left out.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Latency(#[serde(with = "duration")] pub Duration);

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen(Some(([0u16; 8], 4200).into())),
            max_connections: 4_096,
            latency: Duration::from_millis(120),
            publish_passphrase: Secret::from(""),
            read_passphrase: Secret::from(""),
            publisher_timeout: Duration::from_secs(30),
            streams: BTreeMap::new(),
        }
    }
}

/// The adapter.
#[derive(Debug)]
pub struct Srt {
    settings: Current<Settings>,
    terms: Current<Terms>,
    open: Mutex<Option<Open>>,
    packagings: Arc<Packagings>,
    connections: Arc<Connections>,
}

/// A port that takes callers.
#[derive(Debug)]
struct Open {
    /// The address that was asked for.
    wanted: SocketAddr,
    address: SocketAddr,
    /// It takes no more; its connections go on. So it is when this is dropped.
    _closing: DropGuard,
}

impl Srt {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let (settings, terms) = Self::settings(config)?;
        Ok(Self {
            settings: Current::new(settings),
            terms: Current::new(terms),
            open: Mutex::default(),
            packagings: Arc::default(),
            connections: Arc::default(),
        })
    }

    fn settings(config: &Config) -> Result<(Settings, Terms), ConfigError> {
        let settings: Settings = config.section("srt")?;
        if !CONNECTIONS.contains(&settings.max_connections) {
            return Err(config.error("srt.max_connections", CONNECTIONS_RULE));
        }
        let terms = Terms::new(&settings, &config.applications());
        let terms = terms.map_err(|(key, message)| config.error(&key, &message))?;
        Ok((settings, terms))
    }
}

impl Protocol for Srt {
    fn name(&self) -> &'static str {
        "srt"
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(Packagings::carries(track))
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move {
            let wanted = self.settings.get().listen.0;
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match wanted {
                None => *open = None,
                Some(wanted) if open.as_ref().is_some_and(|open| open.wanted == wanted) => {}
                Some(wanted) => {
                    let socket = Socket::bind(wanted)?;
                    let closing = CancellationToken::new();
                    let address = socket.address();
                    let port = Port::new(&self, socket, context, closing.clone());
                    tokio::spawn(port.serve());
                    *open = Some(Open {
                        wanted,
                        address,
                        _closing: closing.drop_guard(),
                    });
                }
            }
            let listening = open.as_ref().map(|open| Listening {
                protocol: "srt",
                address: open.address,
            });
            Ok(listening.into_iter().collect())
        })
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        let before = self.settings.get();
        let (after, terms) = Self::settings(config)?;
        let is_kept = before.listen == after.listen;
        let waits = is_kept && before.max_connections != after.max_connections;
        self.settings.set(after);
        self.terms.set(terms);
        Ok(waits.then_some("max_connections").into_iter().collect())
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == "srt"
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        let parsed = address::Address::parse(url, self.terms.get().latency());
        parsed.map(drop).map_err(|error| error.to_string())
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(remote::pull(self, url, target))
    }

    fn pushes(&self, scheme: &str) -> bool {
        scheme == "srt"
    }

    fn check_push(&self, url: &str) -> Result<(), String> {
        let address = address::Address::parse(url, self.terms.get().latency());
        address.map(drop).map_err(|error| error.to_string())
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(remote::push(self, url, feed))
    }

    fn connections(&self) -> Vec<Connection> {
        self.connections.list()
    }
}
