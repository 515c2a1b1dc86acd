//! Protocols at the edge: each folder joins a sans-IO crate of `protocols/` to sockets and to the hub.
//!
//! An adapter is a [`Protocol`], and one line in [`ALL`]. It knows no other adapter.

pub mod dash;
pub mod demo;
pub mod file;
pub mod flv;
pub mod hls;
pub mod mpegts;
pub mod onvif;
pub mod rtmp;
pub mod rtsp;
pub mod srt;
pub mod web;
pub mod webrtc;

mod content;
mod flv_intake;
mod flv_media;
mod http_address;
mod muxer;
mod passing;
mod receiver;
mod refusal;
mod segmented;
mod storing;
mod talk;
mod target;

pub(crate) use content::Content;
pub(crate) use flv_intake::FlvIntake;
pub(crate) use flv_media::FlvMedia;
pub(crate) use http_address::HttpAddress;
pub use muxer::Muxers;
pub(crate) use receiver::Receiver;
pub(crate) use refusal::refusal;
pub use talk::{Call, Loudspeaker, Microphone, TalkError};
pub use target::Target;

use crate::auth::Auth;
use crate::bridge::Bridges;
use crate::config::{Config, ConfigError};
use crate::hub::ring::Bounds;
use crate::hub::{Applications, Hub, Reader, Stream, StreamName, Unavailable};
use crate::net::acme::Proofs;
use crate::net::policy::Policy;
use crate::net::round_trip::{self, Ends};
use crate::net::shard::Shards;
use crate::net::tls::{Certificate, Connector};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use bytes::Bytes;
use media::{Codec, Track};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Every protocol: its name, which is its table in the configuration, and how it is made from that.
pub const ALL: &[(&str, Build)] = &[
    ("rtmp", |config| Ok(Arc::new(rtmp::Rtmp::new(config)?))),
    ("rtmps", |config| Ok(Arc::new(rtmp::Rtmp::secure(config)?))),
    ("flv", |config| Ok(Arc::new(flv::Flv::new(config)?))),
    ("web", |config| Ok(Arc::new(web::Web::new(config)?))),
    ("hls", |config| {
        config.section::<NoSettings>("hls")?;
        Ok(Arc::new(hls::Hls))
    }),
    ("dash", |config| {
        config.section::<NoSettings>("dash")?;
        Ok(Arc::new(dash::Dash))
    }),
    ("rtsp", |config| Ok(Arc::new(rtsp::Rtsp::new(config)?))),
    ("srt", |config| Ok(Arc::new(srt::Srt::new(config)?))),
    ("rtsps", |config| Ok(Arc::new(rtsp::Rtsps::new(config)?))),
    ("webrtc", |config| {
        Ok(Arc::new(webrtc::WebRtc::new(config)?))
    }),
    ("mpegts", |config| {
        Ok(Arc::new(mpegts::Mpegts::new(config)?))
    }),
    ("onvif", |config| Ok(Arc::new(onvif::Onvif::new(config)?))),
    ("demo", |config| Ok(Arc::new(demo::Demo::new(config)?))),
];

/// The table of a protocol whose settings stand elsewhere: what is written there by mistake is told.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Makes a protocol from its configuration.
pub type Build = fn(&Config) -> Result<Arc<dyn Protocol>, ConfigError>;

/// Words for a track that an output has no form for.
pub(crate) fn not_carried(carried: bool, track: &Track) -> Result<(), String> {
    let words = || format!("there is no form for {}", track.codec.name());
    carried.then_some(()).ok_or_else(words)
}

/// A future that is owned and may change threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The names in [`ALL`].
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// What adapters have in common.
#[derive(Debug)]
pub struct Context {
    /// Streams.
    pub hub: Hub,
    /// Who may do what.
    pub auth: Auth,
    /// Applications that exist.
    pub applications: Applications,
    /// Threads for fan-out.
    pub shards: Shards,
    /// What may be connected to.
    pub policy: Policy,
    /// What listeners for TLS show.
    pub certificate: Certificate,
    /// What proves to an authority that a name is this server's.
    pub proofs: Proofs,
    /// TLS with other servers.
    pub connector: Connector,
    /// Streams with Opus for sound.
    pub bridges: Bridges,
    /// Streams as segments.
    pub muxers: Muxers,
    /// All protocols, for one that only finds out which other has the stream.
    pub protocols: Vec<Arc<dyn Protocol>>,
}

impl Context {
    /// Bounds of memory for what begins now.
    pub fn bounds(&self) -> Bounds {
        self.hub.bounds()
    }
}

/// Who pulls a URL.
pub fn puller(protocols: &[Arc<dyn Protocol>], url: &str) -> Option<Arc<dyn Protocol>> {
    let scheme = url.split(':').next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let claimed = protocols.iter().find(|protocol| protocol.claims(url));
    let found = claimed.or_else(|| protocols.iter().find(|protocol| protocol.pulls(&scheme)));
    found.cloned()
}

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What it carries, for the log.
    pub protocol: &'static str,
    /// Where, with the port that was taken for 0.
    pub address: SocketAddr,
}

/// Why a protocol does not listen.
#[derive(Debug)]
pub struct ListenError {
    /// The key of its table that names the address.
    pub key: &'static str,
    /// What the system said.
    pub error: io::Error,
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        Self {
            key: "listen",
            error,
        }
    }
}

/// One protocol at the edge of the server.
pub trait Protocol: Send + Sync + 'static {
    /// Its name, as in [`ALL`].
    fn name(&self) -> &'static str;

    /// Opens its listeners and serves them from now on. After [`Protocol::adopt`], moves those whose addresses have
    /// changed; connections that exist go on.
    ///
    /// # Errors
    /// When an address cannot be taken.
    fn listen(
        self: Arc<Self>,
        _context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Has its table be what it is in `config`, for what begins from now on. Returns the keys of the table that have
    /// changed and hold from the next start of the server on.
    ///
    /// # Errors
    /// What is wrong with the table. Then nothing has changed.
    fn adopt(&self, _config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        Ok(Vec::new())
    }

    /// Where its streams are played by their names, while it listens for players that name them in URLs
    /// `SCHEME://HOST:PORT/APP/ID`: the scheme, and where.
    fn plays_at(&self) -> Option<(&'static str, SocketAddr)> {
        None
    }

    /// Whether a URL is this protocol's by more than its scheme, whoever else pulls from URLs of that.
    fn claims(&self, _url: &str) -> bool {
        false
    }

    /// Whether it can pull from URLs of this scheme.
    fn pulls(&self, _scheme: &str) -> bool {
        false
    }

    /// Whether a URL that is its to pull from can be, as far as its text tells.
    ///
    /// # Errors
    /// What is wrong with it, in words that hold no secret of it.
    fn check_pull(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    /// Pulls from `url` into the stream that `target` stands for, until it ends or fails. What fails is said
    /// in words that hold no secret of the URL. Dropping the future stops at once.
    ///
    /// Connecting has time limits of the protocol's own; [`Target::connected`] ends it. That nothing comes
    /// after that is noticed by whoever called.
    fn pull<'a>(&'a self, _url: &'a str, _target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err(format!(
            "{} cannot pull",
            self.name()
        ))))
    }

    /// Whether it can push to URLs of this scheme.
    fn pushes(&self, _scheme: &str) -> bool {
        false
    }

    /// Whether a URL of one of its schemes can be pushed to, as far as its text tells.
    ///
    /// # Errors
    /// What is wrong with it, in words that hold no secret of it.
    fn check_push(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    /// Pushes the stream of `feed` to `url` until the stream ends, or this fails. What fails is said in
    /// words that hold no secret of the URL. Dropping the future stops at once.
    fn push<'a>(&'a self, _url: &'a str, _feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err(format!(
            "{} cannot push",
            self.name()
        ))))
    }

    /// What the loudspeaker of the camera takes from whose `url` a stream is pulled.
    fn hears<'a>(
        &'a self,
        _url: &'a str,
        _name: &'a StreamName,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Codec, TalkError>> {
        Box::pin(std::future::ready(Err(self.is_deaf())))
    }

    /// Opens the way to that loudspeaker, for who watches the stream of that name.
    fn loudspeaker<'a>(
        &'a self,
        _url: &'a str,
        _name: &'a StreamName,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Loudspeaker, TalkError>> {
        Box::pin(std::future::ready(Err(self.is_deaf())))
    }

    /// Why no camera is talked to by this protocol.
    fn is_deaf(&self) -> TalkError {
        let words = format!("a camera that is pulled by {} takes no sound", self.name());
        TalkError::Deaf(words)
    }

    /// Begins to listen to who calls, in a form that becomes `takes`; none where that is not this protocol's.
    fn microphone(&self, _call: Call<'_>, _takes: &Codec) -> Option<Result<Microphone, TalkError>> {
        None
    }

    /// Whether players or targets of this protocol get a track, or why not; none where the protocol sends nothing.
    /// `reordered` says that pictures are shown in another order than they are decoded in.
    fn carries(&self, _track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        None
    }

    /// Answers a request for a file below `/APP/streams/`, if the file is one of this protocol's.
    fn file(
        self: Arc<Self>,
        _context: &Arc<Context>,
        _request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        None
    }

    /// The words behind `/APP/` below which [`Protocol::serve`] answers requests.
    fn services(&self) -> &'static [&'static str] {
        &[]
    }

    /// Answers a request below `/APP/SERVICE/`.
    fn serve(self: Arc<Self>, _context: &Arc<Context>, _request: ServiceRequest) -> FileResponse {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Box::pin(std::future::ready(Ok(response)))
    }

    /// Its connections, where each has figures of its own.
    fn connections(&self) -> Vec<Connection> {
        Vec::new()
    }

    /// Streams that exist without being asked for, as (stream, source URL).
    fn standing_sources(&self, _applications: &Applications) -> Vec<(StreamName, String)> {
        Vec::new()
    }
}

impl fmt::Debug for dyn Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A connection, and what is measured of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// No other of its protocol has or will have it.
    pub number: u64,
    /// The stream that it carries.
    pub stream: StreamName,
    /// What it does, as a label: `publish`, `read`, `source`, `target`.
    pub state: &'static str,
    /// The far end.
    pub address: SocketAddr,
    /// Since when it exists.
    pub since: SystemTime,
    /// Figures by name. A name begins with the unit: counts of `packets_` and `bytes_`, else a present value.
    pub figures: Vec<(&'static str, f64)>,
}

/// The answer to a [`FileRequest`] or a [`ServiceRequest`]; where it needs a stream that is not to be had, why.
pub type FileResponse = BoxFuture<'static, Result<Response<Body>, Unavailable>>;

/// A GET or HEAD request for a file below `/APP/streams/`.
#[derive(Clone, Debug)]
pub struct FileRequest {
    /// GET or HEAD.
    pub method: Method,
    /// The application, which exists.
    pub app: String,
    /// The path behind `/APP/streams/`, percent-decoded.
    pub path: String,
    /// The query as sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The far end of the connection.
    pub peer: SocketAddr,
}

/// A request below `/APP/SERVICE/`, whatever its method but OPTIONS.
#[derive(Clone, Debug)]
pub struct ServiceRequest {
    /// What is to be done.
    pub method: Method,
    /// The application, which exists.
    pub app: String,
    /// The word behind the application: one of the protocol's own.
    pub service: &'static str,
    /// The path behind `/APP/SERVICE/`, percent-decoded.
    pub path: String,
    /// The query as sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The far end of the connection.
    pub peer: SocketAddr,
    /// The body, of bounded length.
    pub body: Bytes,
}

/// The stream that a target is sent.
#[derive(Debug)]
pub struct Feed {
    /// The rest of the server.
    pub context: Arc<Context>,
    /// The stream, which is ready.
    pub stream: Arc<Stream>,
    /// What is told of the sending.
    pub progress: Arc<Progress>,
}

impl Feed {
    /// Reads the stream from its newest random access point, and never makes it wait.
    pub fn reader(&self) -> Reader {
        Reader::new(self.stream.clone())
    }
}

/// How far one attempt to push has come. Whoever pushes writes it, whoever asks reads it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Since when.
    live: OnceLock<(Instant, SystemTime)>,
    /// Cancelled then.
    went_live: CancellationToken,
    access_units: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    rate: Mutex<Rate>,
    trip: Mutex<Option<Trip>>,
}

/// How the way to the far side and back is known.
#[derive(Clone, Copy, Debug)]
enum Trip {
    /// The system measures that connection.
    Connection(Ends),
    /// The protocol has measured it.
    Measured(Duration),
}

/// Time over which the rate of a target is measured.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Bytes in the time since `since`, and the rate before that.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    since: Option<Instant>,
    bytes: u64,
    /// Bits in a second; none while nothing has been measured.
    before: Option<u64>,
}

impl Rate {
    fn add(&mut self, bytes: u64, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= RATE_WINDOW {
            *self = Self {
                since: Some(now),
                bytes: 0,
                before: self.present(now),
            };
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Of the time that has been measured so far.
    fn present(&self, now: Instant) -> Option<u64> {
        let millis = now.duration_since(self.since?).as_millis();
        let bits = u128::from(self.bytes) * 8_000;
        u64::try_from(bits.checked_div(millis)?).ok()
    }

    /// What was measured last, unless nothing has come for longer than that takes.
    fn bits_per_second(&self, now: Instant) -> u64 {
        let is_new = self
            .since
            .is_some_and(|since| now.duration_since(since) < RATE_WINDOW);
        let before = self.before.filter(|_| is_new);
        before.or_else(|| self.present(now)).unwrap_or(0)
    }
}

impl Progress {
    /// The far side takes media from now on.
    pub fn set_live(&self) {
        if self.live.set((Instant::now(), SystemTime::now())).is_ok() {
            self.went_live.cancel();
        }
    }

    /// Completes when the far side takes media.
    pub async fn has_gone_live(&self) {
        self.went_live.cancelled().await;
    }

    /// Whether the far side takes media.
    pub fn is_live(&self) -> bool {
        self.live.get().is_some()
    }

    /// For how long the far side has taken media, if it has taken any.
    pub fn ran(&self) -> Option<Duration> {
        self.live.get().map(|(since, _)| since.elapsed())
    }

    /// Since when the far side takes media.
    pub fn live_since(&self) -> Option<SystemTime> {
        self.live.get().map(|(_, since)| *since)
    }

    /// So many access units have been handed to the system, as so many bytes.
    pub fn sent(&self, access_units: u64, bytes: u64) {
        self.access_units.fetch_add(access_units, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.add(bytes, Instant::now());
    }

    /// Bits in a second that are sent now, over about two seconds.
    pub fn bits_per_second(&self) -> u64 {
        let rate = *self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.bits_per_second(Instant::now())
    }

    /// So many access units have been passed over because the far side was too slow.
    pub fn skipped(&self, access_units: u64) {
        self.skipped.fetch_add(access_units, Ordering::Relaxed);
    }

    /// The far side is reached over that connection from now on.
    pub fn set_connection(&self, ends: Option<Ends>) {
        *self.trip.lock().unwrap_or_else(PoisonError::into_inner) = ends.map(Trip::Connection);
    }

    /// The way to the far side and back has been measured.
    pub fn set_round_trip(&self, time: Duration) {
        let trip = Some(Trip::Measured(time));
        *self.trip.lock().unwrap_or_else(PoisonError::into_inner) = trip;
    }

    /// How long the way to the far side and back is, where that is known. It asks the system, which answers at once.
    pub fn round_trip(&self) -> Option<Duration> {
        let trip = *self.trip.lock().unwrap_or_else(PoisonError::into_inner);
        match trip? {
            Trip::Connection(ends) => round_trip::of(ends),
            Trip::Measured(time) => Some(time),
        }
    }

    /// Access units sent, bytes sent, access units passed over.
    pub fn counts(&self) -> (u64, u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (
            load(&self.access_units),
            load(&self.bytes),
            load(&self.skipped),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_that_of_about_two_seconds() {
        let progress = Progress::default();
        assert_eq!(progress.bits_per_second(), 0);
        for _ in 0..100 {
            progress.sent(1, 12_500);
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        let rate = progress.bits_per_second();
        assert!((950_000..=1_050_000).contains(&rate), "{rate}");
        // A far side that takes nothing.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(progress.bits_per_second() < 50_000);
    }
}
