//! WebRTC: plays streams to browsers with little delay, by WHEP, and takes what they publish, by WHIP. The protocol
//! itself is `protocols/webrtc`.
//!
//! All sessions share one UDP port, and one TCP port of the same number (`tcp`); `http` makes them resources. `whep` turns an offer into a session and hands it to a
//! shard, whose `worker` owns it from then on: it takes the session's datagrams from the `router`, and sends what the
//! stream's `group` on that shard has made, once for all of its sessions. `whip` makes a publisher's session, which is
//! an `ingest` of its own; so is who talks to a camera (`voice`). `signalling` makes both for clients of Ant Media's WebSocket. The other way round, `client` plays
//! what another server has, and publishes there.

mod addresses;
mod client;
mod clock;
mod cutter;
mod delay;
mod formats;
mod group;
mod http;
mod ice_servers;
mod ingest;
mod recent;
mod router;
mod signalling;
mod sink;
mod supply;
mod tcp;
mod told;
mod voice;
mod ways;
mod whep;
mod whip;
mod worker;

#[cfg(test)]
mod tests;

use super::{
    BoxFuture, Call, Context, Feed, FileResponse, ListenError, Listening, Microphone, Protocol,
    ServiceRequest, TalkError, Target,
};
use crate::config::{Config, ConfigError, Listen};
use crate::hub::Current;
use crate::net::udp::Socket;
pub use addresses::PublicAddress;
pub use ice_servers::IceServer;
use media::{Codec, Track};
use router::Router;
use serde::Deserialize;
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, mpsc};
use webrtc::Certificate;

/// Messages that may wait for one shard; datagrams beyond that are lost.
const QUEUE: usize = 4_096;

/// The word behind the application in the address of signalling over WebSocket.
const SIGNALLING: &str = "websocket";

/// Table `[webrtc]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// UDP and TCP address for the media of all sessions; empty for no WebRTC.
    pub listen: Listen,
    /// Addresses at which players reach that port, beside those of this machine: for servers behind NAT.
    pub public_addresses: Vec<PublicAddress>,
    /// Servers for STUN and TURN that players and publishers are told of.
    pub ice_servers: Vec<IceServer>,
    /// Sessions at a time.
    pub max_sessions: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen(Some(([0u16; 8], 8189).into())),
            public_addresses: Vec::new(),
            ice_servers: Vec::new(),
            max_sessions: 10_000,
        }
    }
}

/// The adapter.
#[derive(Debug)]
pub struct WebRtc {
    settings: Current<Settings>,
    /// Set once it listens.
    running: OnceLock<Running>,
}

/// What sessions are made with.
#[derive(Debug)]
struct Running {
    socket: Arc<Socket>,
    certificate: Certificate,
    router: Arc<Router>,
    workers: Vec<mpsc::Sender<worker::Message>>,
}

impl WebRtc {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            settings: Current::new(Self::settings(config)?),
            running: OnceLock::new(),
        })
    }

    fn settings(config: &Config) -> Result<Settings, ConfigError> {
        let settings: Settings = config.section("webrtc")?;
        if !(1..=1_000_000).contains(&settings.max_sessions) {
            let message = "must lie between 1 and 1000000";
            return Err(config.error("webrtc.max_sessions", message));
        }
        if settings.ice_servers.len() > ice_servers::MOST {
            let message = format!("may be at most {}", ice_servers::MOST);
            return Err(config.error("webrtc.ice_servers", &message));
        }
        Ok(settings)
    }

    fn open(&self, context: Arc<Context>) -> Result<Vec<Listening>, ListenError> {
        let settings = self.settings.get();
        let Some(address) = settings.listen.0 else {
            return Ok(Vec::new());
        };
        if let Some(running) = self.running.get() {
            return Ok(vec![Listening {
                protocol: "webrtc",
                address: running.socket.address(),
            }]);
        }
        let (socket, listener) = tcp::bind(address)?;
        let socket = Arc::new(socket);
        let listening = Listening {
            protocol: "webrtc",
            address: socket.address(),
        };
        let max_sessions = settings.max_sessions;
        let router = Arc::new(Router::new(max_sessions));
        let (mut workers, mut starts) = (Vec::new(), Vec::new());
        for _ in 0..context.shards.count() {
            let (messages, inbox) = mpsc::channel(QUEUE);
            workers.push(messages);
            let shared = worker::Shared {
                socket: socket.clone(),
                router: router.clone(),
                bridges: context.bridges.clone(),
                hub: context.hub.clone(),
            };
            starts.push(move || worker::run(shared, inbox));
        }
        let running = Running {
            certificate: Certificate::generate().map_err(io::Error::other)?,
            socket: socket.clone(),
            router: router.clone(),
            workers,
        };
        // Nothing else listens at the same time: it would have found the address taken.
        let _ = self.running.set(running);
        tokio::spawn(async move {
            for start in starts {
                context.shards.spawn(start).await;
            }
            let max = 2 * max_sessions.min(Semaphore::MAX_PERMITS / 2);
            tokio::spawn(tcp::accept(listener, router.clone(), max));
            router::receive(&socket, &router).await;
        });
        Ok(vec![listening])
    }
}

impl Protocol for WebRtc {
    fn name(&self) -> &'static str {
        "webrtc"
    }

    fn carries(&self, track: &Track, reordered: bool) -> Option<Result<(), String>> {
        Some(formats::carries(track, reordered).map_err(|reason| reason.to_string()))
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move { self.open(context) })
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        let before = self.settings.get();
        let after = Self::settings(config)?;
        let of_all = [
            ("listen", before.listen != after.listen),
            ("max_sessions", before.max_sessions != after.max_sessions),
        ];
        self.settings.set(after);
        let is_open = self.running.get().is_some();
        let changed = of_all
            .iter()
            .filter(|(_, has_changed)| is_open && *has_changed);
        Ok(changed.map(|(key, _)| *key).collect())
    }

    fn pulls(&self, scheme: &str) -> bool {
        matches!(scheme, "whep" | "wheps")
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        client::check(url)
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(client::pull(url, target))
    }

    fn pushes(&self, scheme: &str) -> bool {
        matches!(scheme, "whip" | "whips")
    }

    fn check_push(&self, url: &str) -> Result<(), String> {
        client::check(url)
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(client::push(url, feed))
    }

    fn microphone(&self, call: Call<'_>, takes: &Codec) -> Option<Result<Microphone, TalkError>> {
        let running = self.running.get()?;
        Some(voice::listen(self, running, call, takes))
    }

    fn services(&self) -> &'static [&'static str] {
        &[http::WHEP, http::WHIP, SIGNALLING]
    }

    fn serve(self: Arc<Self>, context: &Arc<Context>, request: ServiceRequest) -> FileResponse {
        let context = context.clone();
        Box::pin(async move {
            if request.service == SIGNALLING {
                return Ok(signalling::answer(&self, &context, &request));
            }
            http::answer(&self, &context, &request).await
        })
    }
}
