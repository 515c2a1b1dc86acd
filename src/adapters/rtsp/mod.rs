//! RTSP, plain and over TLS: takes publishers and serves players on one port, and pulls cameras.
//!
//! The `listener` accepts, also what comes within HTTP (`tunnel`). A client's `connection` is answered by the `server`. A player on the connection moves to a shard (`player`), one
//! in datagrams is served from there (`datagrams`) over the `sockets` of all, alone or with all who share a group
//! (`multicast`), and its connection goes on beside that (`watcher`); what they get is made by the `cutter`.
//! What a `publisher` sends becomes access units in a `transport::rtp::Receiver`. The `sink` publishes to
//! other servers over a `link`; over such a link too, cameras are talked to (`talk`) whose `speaker` takes sound.
//!
//! A URL becomes a `source::Source`, which a `client` connects to (`wire`) and plays, over the connection itself or
//! over sockets of its own (`ports`). What comes goes through such a receiver too, and becomes the stream once a decoder
//! can start with it (`gate`). What goes wrong is put in words without secrets (`failure`). Nothing is retried here:
//! the supervisor does that.

mod access;
mod client;
mod connection;
mod cutter;
mod datagrams;
mod failure;
mod gate;
mod link;
mod listener;
mod multicast;
mod packets;
mod player;
mod ports;
mod publisher;
mod server;
mod sink;
mod sockets;
mod source;
mod speaker;
mod talk;
mod tunnel;
mod watcher;
mod wire;

use super::{
    BoxFuture, Context, Feed, ListenError, Listening, Loudspeaker, Protocol, TalkError, Target,
    not_carried,
};
use crate::config::{CONNECTIONS, CONNECTIONS_RULE, Config, ConfigError, Listen, duration};
use crate::hub::{Current, StreamName};
use crate::net::accepting::Accepting;
use futures_util::FutureExt;
use link::Link;
use listener::Shared;
use media::{Codec, Track};
use multicast::{Multicast, Range};
use serde::Deserialize;
use sockets::Sockets;
use source::Source;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Table `[rtsp]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on; empty for none.
    pub listen: Listen,
    /// UDP address for RTP packets, with the next port for RTCP; empty for packets on connections alone.
    pub udp_listen: Listen,
    /// Groups that streams are sent to for who asks for multicast, as `ADDRESS/BITS`; empty for none.
    pub multicast_range: String,
    /// The port of a stream's first track in its group; others have the pairs behind it.
    pub multicast_port: u16,
    /// How many routers pass on what is sent to a group.
    pub multicast_ttl: u8,
    /// Connections at a time.
    pub max_connections: usize,
    /// A publisher that sends nothing for so long is disconnected.
    #[serde(with = "duration")]
    pub publisher_timeout: Duration,
    /// A camera has this long to be connected and to describe itself, and again for each request after that.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen(Some(([0u16; 8], 8554).into())),
            udp_listen: Listen(Some(([0u16; 8], 8000).into())),
            multicast_range: "239.192.0.0/16".to_owned(),
            multicast_port: 8_002,
            multicast_ttl: 1,
            max_connections: 10_000,
            publisher_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Table `[rtsps]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecureSettings {
    /// Address to listen on; empty for none.
    pub listen: Listen,
    /// Connections at a time.
    pub max_connections: usize,
    /// A publisher that sends nothing for so long is disconnected.
    #[serde(with = "duration")]
    pub publisher_timeout: Duration,
}

impl Default for SecureSettings {
    fn default() -> Self {
        let Settings {
            max_connections,
            publisher_timeout,
            ..
        } = Settings::default();
        Self {
            listen: Listen(Some(([0u16; 8], 8322).into())),
            max_connections,
            publisher_timeout,
        }
    }
}

/// The adapter; cameras of both schemes are its own.
#[derive(Debug)]
pub struct Rtsp {
    settings: Current<Settings>,
    accepting: Accepting,
    /// Where it listens.
    address: Current<Option<SocketAddr>>,
    /// For datagrams, once it listens.
    sockets: OnceLock<Option<Arc<Sockets>>>,
    multicast: Option<Arc<Multicast>>,
}

/// The listener over TLS. Packets go on its connections alone: in datagrams they would not be encrypted.
#[derive(Debug)]
pub struct Rtsps {
    settings: Current<SecureSettings>,
    accepting: Accepting,
}

impl Rtsp {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let (settings, range) = Self::settings(config)?;
        let Settings {
            multicast_port: port,
            multicast_ttl: ttl,
            ..
        } = settings;
        let multicast = range.map(|range| Arc::new(Multicast::new(range, port, ttl)));
        Ok(Self {
            settings: Current::new(settings),
            accepting: Accepting::default(),
            address: Current::default(),
            sockets: OnceLock::new(),
            multicast,
        })
    }

    fn settings(config: &Config) -> Result<(Settings, Option<Range>), ConfigError> {
        let settings: Settings = config.section("rtsp")?;
        let range = Duration::from_secs(1)..=Duration::from_secs(60);
        if !range.contains(&settings.timeout) {
            return Err(config.error("rtsp.timeout", "must lie between 1s and 60s"));
        }
        if !CONNECTIONS.contains(&settings.max_connections) {
            return Err(config.error("rtsp.max_connections", CONNECTIONS_RULE));
        }
        let Settings {
            multicast_range: range,
            multicast_port: port,
            ..
        } = &settings;
        if port % 2 != 0 || !(1..=multicast::MAX_PORT).contains(port) {
            let rule = "must be even, and lie between 2 and 65472";
            return Err(config.error("rtsp.multicast_port", rule));
        }
        let range = match range.as_str() {
            "" => None,
            text => {
                let range = text.parse::<Range>();
                Some(range.map_err(|rule| config.error("rtsp.multicast_range", rule))?)
            }
        };
        Ok((settings, range))
    }

    /// The sockets for datagrams, which are opened once.
    fn sockets(&self, settings: &Settings) -> Result<Option<Arc<Sockets>>, ListenError> {
        if let Some(open) = self.sockets.get() {
            return Ok(open.clone());
        }
        let sockets = settings.udp_listen.0.map(Sockets::bind).transpose();
        let sockets = sockets.map_err(|error| ListenError {
            key: "udp_listen",
            error,
        })?;
        let sockets = sockets.map(Arc::new);
        if let Some(sockets) = &sockets {
            for socket in [&sockets.rtp, &sockets.rtcp] {
                socket.set_multicast_ttl(settings.multicast_ttl)?;
            }
            tokio::spawn(sockets.clone().receive());
        }
        Ok(self.sockets.get_or_init(|| sockets).clone())
    }
}

impl Rtsps {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            settings: Current::new(Self::settings(config)?),
            accepting: Accepting::default(),
        })
    }

    fn settings(config: &Config) -> Result<SecureSettings, ConfigError> {
        let settings: SecureSettings = config.section("rtsps")?;
        if !CONNECTIONS.contains(&settings.max_connections) {
            return Err(config.error("rtsps.max_connections", CONNECTIONS_RULE));
        }
        Ok(settings)
    }
}

impl Protocol for Rtsps {
    fn name(&self) -> &'static str {
        "rtsps"
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move {
            let settings = self.settings.get();
            let shared = Shared {
                tls: Some(TlsAcceptor::from(context.certificate.server_config(&[]))),
                context,
                sockets: None,
                multicast: None,
                publisher_timeout: settings.publisher_timeout,
            };
            let max_connections = settings.max_connections;
            let serve =
                |listener, places| listener::serve(listener, places, max_connections, shared);
            let address = self.accepting.at(settings.listen.0, serve).await?;
            let listening = address.map(|address| Listening {
                protocol: "rtsps",
                address,
            });
            Ok(listening.into_iter().collect())
        })
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        self.settings.set(Self::settings(config)?);
        Ok(Vec::new())
    }
}

impl Protocol for Rtsp {
    fn name(&self) -> &'static str {
        "rtsp"
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(not_carried(cutter::carries(&track.codec), track))
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move {
            let settings = self.settings.get();
            let sockets = match settings.listen.0 {
                Some(_) => self.sockets(&settings)?,
                None => None,
            };
            let mut listening = Vec::new();
            if let Some(sockets) = &sockets {
                for (protocol, socket) in [("rtp", &sockets.rtp), ("rtcp", &sockets.rtcp)] {
                    let address = socket.address();
                    listening.push(Listening { protocol, address });
                }
            }
            let shared = Shared {
                context,
                tls: None,
                multicast: self.multicast.clone().filter(|_| sockets.is_some()),
                sockets,
                publisher_timeout: settings.publisher_timeout,
            };
            let max_connections = settings.max_connections;
            let serve =
                |listener, places| listener::serve(listener, places, max_connections, shared);
            let address = self.accepting.at(settings.listen.0, serve).await?;
            self.address.set(address);
            if let Some(address) = address {
                let protocol = "rtsp";
                listening.insert(0, Listening { protocol, address });
            }
            Ok(listening)
        })
    }

    fn plays_at(&self) -> Option<(&'static str, SocketAddr)> {
        self.address.get().map(|address| ("rtsp", address))
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        let before = self.settings.get();
        let (after, _) = Self::settings(config)?;
        let of_datagrams = [
            ("udp_listen", before.udp_listen != after.udp_listen),
            (
                "multicast_range",
                before.multicast_range != after.multicast_range,
            ),
            (
                "multicast_port",
                before.multicast_port != after.multicast_port,
            ),
            ("multicast_ttl", before.multicast_ttl != after.multicast_ttl),
        ];
        self.settings.set(after);
        let changed = of_datagrams.iter().filter(|(_, has_changed)| *has_changed);
        Ok(changed.map(|(key, _)| *key).collect())
    }

    fn pushes(&self, scheme: &str) -> bool {
        matches!(scheme, "rtsp" | "rtsps")
    }

    fn check_push(&self, url: &str) -> Result<(), String> {
        let source = Source::parse(url);
        source.map(drop).map_err(|error| error.to_string())
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let source = Source::parse(url).map_err(|error| error.to_string())?;
            sink::push(&source, feed, self.settings.get().timeout).await
        })
    }

    fn pulls(&self, scheme: &str) -> bool {
        matches!(scheme, "rtsp" | "rtsps")
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        let parsed = Source::parse(url);
        parsed.map(drop).map_err(|error| error.to_string())
    }

    fn hears<'a>(
        &'a self,
        url: &'a str,
        name: &'a StreamName,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Codec, TalkError>> {
        Box::pin(async move {
            let source =
                Source::parse(url).map_err(|error| TalkError::Failed(error.to_string()))?;
            let limit = self.settings.get().timeout;
            let speaker = Link::ask_speaker(&source, name, context, limit).await?;
            Ok(speaker.codec)
        })
    }

    fn loudspeaker<'a>(
        &'a self,
        url: &'a str,
        name: &'a StreamName,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Loudspeaker, TalkError>> {
        Box::pin(async move {
            let source =
                Source::parse(url).map_err(|error| TalkError::Failed(error.to_string()))?;
            talk::open(&source, name, context, self.settings.get().timeout).await
        })
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let source = Source::parse(url).map_err(|error| error.to_string())?;
            let pulling = client::pull(&source, target, self.settings.get().timeout);
            // A panic at what a camera sends is logged and counted, and ends this attempt alone: the camera is
            // tried again.
            AssertUnwindSafe(pulling)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(failure::panicked(&source)))
        })
    }
}
