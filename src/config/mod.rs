//! The configuration: one TOML file, environment variables over it, `--set` over both.
//!
//! The file is checked on its own first, so that an error names its line; then the overrides are laid over
//! it and the whole is checked again. Tables of protocols are kept as they are: each adapter reads its own
//! with [`Config::section`], so that this module knows no protocol.

pub mod duration;
pub mod hooks;
pub mod record;

mod access;
mod acme;
mod cidr;
mod loads;
mod s3;
mod source;
mod stream;

pub use access::{AskedAction, AuthWebhook, Rights};
pub use acme::Acme;
pub use cidr::Cidr;
pub use hooks::Hooks;
pub use loads::{Load, Loads};
pub use record::Record;
pub use s3::S3;
pub use source::{Overrides, load};
pub use stream::StaticStream;

use crate::hub::ring::Bounds;
use crate::hub::{Applications, Settings, StreamName, Takeover};
use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Connections that a listener may be told to hold at a time.
pub const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;

/// The same in words.
pub const CONNECTIONS_RULE: &str = "must lie between 1 and 1000000";

/// Why a configuration cannot be used: one sentence that says what and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// What belongs to no protocol.
    pub general: General,
    /// The tables of protocols, by name.
    sections: toml::Table,
    origins: source::Origins,
}

/// Settings that belong to no protocol.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct General {
    /// Folder of everything that must survive a restart.
    pub data_dir: PathBuf,
    /// Applications that exist; the first is the default one.
    pub applications: Vec<String>,
    /// Logging.
    pub log: Log,
    /// The HTTP listener.
    pub http: Http,
    /// The HTTPS listener.
    pub https: Https,
    /// Who may manage the server.
    pub auth: Auth,
    /// Bounds and rules of every stream.
    pub streams: Streams,
    /// Streams that the file makes, by `APP/ID`, or `ID` in the default application.
    pub stream: BTreeMap<String, StaticStream>,
    /// How streams are cut for HLS and DASH.
    pub segments: Segments,
    /// How sources are kept running.
    pub sources: Sources,
    /// What may be connected to.
    pub network: Network,
    /// Sources that run while somebody watches.
    pub on_demand: OnDemand,
    /// Recordings.
    pub record: Record,
    /// Webhooks.
    pub hooks: Hooks,
    /// Certificates.
    pub tls: Tls,
    /// A certificate from an authority.
    pub acme: Acme,
    /// The API of EvoStream.
    pub evostream: EvoStream,
}

/// Table `[log]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,millstream::net=debug`.
    pub level: String,
    /// Address of a collector of OpenTelemetry (OTLP over HTTP), which gets the log too; it may hold a secret.
    pub otlp: Option<Secret>,
    /// Headers that it wants, for keys and tokens.
    pub otlp_headers: BTreeMap<String, Secret>,
}

impl Log {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self
            .otlp
            .as_ref()
            .is_some_and(|url| !hooks::is_url(url.reveal()))
        {
            return Err(("log.otlp", "must be a URL of http or https".into()));
        }
        let is_header = |(name, value): (&String, &Secret)| {
            HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value.reveal()).is_ok()
        };
        if !self.otlp_headers.iter().all(is_header) {
            return Err((
                "log.otlp_headers",
                "must be names and values of headers".into(),
            ));
        }
        Ok(())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Table `[http]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address to listen on; empty for none.
    pub listen: Listen,
    /// Connections at a time.
    pub max_connections: usize,
    /// Proxies of which it is believed where a request comes from.
    pub trusted_proxies: Vec<Cidr>,
}

/// Table `[https]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Https {
    /// Address to listen on; empty for none.
    pub listen: Listen,
    /// Connections at a time.
    pub max_connections: usize,
}

/// Table `[auth]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// The password of the account `admin` that the first start makes, or its Argon2 hash.
    pub admin_password: Option<Secret>,
    /// A session that was not used for so long is over.
    #[serde(with = "duration")]
    pub session_idle: Duration,
    /// A session is over after so long in any case.
    #[serde(with = "duration")]
    pub session_lifetime: Duration,
    /// Bearer tokens that may manage the server from anywhere, at least 16 characters each.
    pub tokens: Vec<Secret>,
    /// Who may publish; empty for anyone.
    pub publishers: Vec<Login>,
    /// Who may play; empty for anyone.
    pub players: Vec<Login>,
    /// From where may be published; empty for anywhere.
    pub publish_networks: Vec<Cidr>,
    /// From where may be played; empty for anywhere.
    pub play_networks: Vec<Cidr>,
    /// What holds for one application or stream, by `APP` and `APP/ID`.
    pub rights: BTreeMap<String, Rights>,
    /// Who is asked about those who prove nothing.
    pub webhook: AuthWebhook,
}

/// A user and a password, `USER:PASSWORD` in the configuration. It prints as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Login {
    user: String,
    password: String,
}

impl Login {
    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password. For comparing, never for showing.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl TryFrom<String> for Login {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(Self {
                user: user.to_owned(),
                password: password.to_owned(),
            }),
            _ => Err("a login is USER:PASSWORD"),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Table `[streams]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// Most streams at a time.
    pub max: usize,
    /// Memory of a stream for its recent access units, in bytes.
    pub memory_bytes: usize,
    /// Bytes a reader may fall behind before it is moved to the next random access point.
    pub reader_bytes: usize,
    /// Time a reader may fall behind before it is moved to the next random access point.
    #[serde(with = "duration")]
    pub reader_time: Duration,
    /// When a second publisher of a name replaces the first: `silent`, `always`, `never`.
    pub takeover: Takeover,
    /// A publisher that has sent nothing for so long is silent.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// How long a stream waits for a publisher that was cut off.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// Threads for fan-out; 0 for one per core.
    pub shards: usize,
}

/// Table `[segments]`: how a stream is cut, once, for HLS and DASH.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Segments {
    /// A segment ends at the first random access point after this long.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// Longest part, for low latency.
    #[serde(with = "duration")]
    pub part: Duration,
    /// Segments in a playlist, at least.
    pub listed: usize,
    /// How far players can go back; streams are cut from their beginning on where this is not 0.
    #[serde(with = "duration")]
    pub window: Duration,
    /// Memory for the segments of one track, in bytes.
    pub memory_bytes: usize,
    /// Folder for older segments; without, all are in memory.
    pub folder: Option<PathBuf>,
    /// Room there for the segments of one track, in bytes.
    pub folder_bytes: u64,
    /// How long a stream goes on being cut after the last request.
    #[serde(with = "duration")]
    pub linger: Duration,
}

/// Table `[network]`: what sources, targets and whatever else is named by a URL may be. Metadata addresses of
/// clouds are refused in any case.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// This machine.
    pub loopback: bool,
    /// Private and link-local networks, where cameras live.
    pub private: bool,
}

/// Table `[on_demand]`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct OnDemand {
    /// How long a source goes on without a viewer.
    #[serde(with = "duration")]
    pub linger: Duration,
    /// Endpoints count as viewers.
    pub restreams: bool,
    /// Recordings count as viewers.
    pub recordings: bool,
}

/// Table `[tls]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// File with the server's certificate and those between it and a root.
    pub certificate: Option<PathBuf>,
    /// File with its key.
    pub key: Option<PathBuf>,
    /// File with authorities that are trusted besides the known ones, where the server connects to others.
    pub roots: Option<PathBuf>,
}

/// Table `[evostream]`: the API of EvoStream.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct EvoStream {
    /// Address to answer HTTP on; empty for none.
    pub listen: Listen,
    /// Address to answer lines with JSON on; empty for none.
    pub cli_listen: Listen,
}

/// Table `[sources]`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// A source that has sent nothing for so long is connected again.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// Attempts to connect to one host at a time.
    pub connecting_per_host: usize,
    /// While a fallback runs, the first URL is tried so often.
    #[serde(with = "duration")]
    pub probe: Duration,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse()
            .map(|address| Self(Some(address)))
            .map_err(|_| {
                serde::de::Error::custom(format!(
                    "{text:?} is not an address with a port, such as [::]:5080 or 127.0.0.1:5080"
                ))
            })
    }
}

/// A text that must not be shown: it prints as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// The text itself. For comparing and sending, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Default for General {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            applications: Applications::standard().names().to_vec(),
            log: Log::default(),
            http: Http::default(),
            https: Https::default(),
            auth: Auth::default(),
            streams: Streams::default(),
            stream: BTreeMap::new(),
            segments: Segments::default(),
            sources: Sources::default(),
            network: Network::default(),
            on_demand: OnDemand::default(),
            record: Record::default(),
            hooks: Hooks::default(),
            tls: Tls::default(),
            acme: Acme::default(),
            evostream: EvoStream::default(),
        }
    }
}

impl Default for EvoStream {
    fn default() -> Self {
        let on = |port| Listen(Some(SocketAddr::from(([127, 0, 0, 1], port))));
        Self {
            listen: on(7777),
            cli_listen: on(1112),
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            admin_password: None,
            session_idle: Duration::from_hours(24),
            session_lifetime: Duration::from_hours(24 * 30),
            tokens: Vec::new(),
            publishers: Vec::new(),
            players: Vec::new(),
            publish_networks: Vec::new(),
            play_networks: Vec::new(),
            rights: BTreeMap::new(),
            webhook: AuthWebhook::default(),
        }
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(2),
            part: Duration::from_millis(500),
            listed: 7,
            window: Duration::ZERO,
            memory_bytes: 128 << 20,
            folder: None,
            folder_bytes: 16 << 30,
            linger: Duration::from_secs(30),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".into(),
            otlp: None,
            otlp_headers: BTreeMap::new(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Listen(Some(SocketAddr::from(([0u16; 8], 5080)))),
            max_connections: 20_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Https {
    fn default() -> Self {
        Self {
            listen: Listen(Some(SocketAddr::from(([0u16; 8], 5443)))),
            max_connections: 20_000,
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            loopback: true,
            private: true,
        }
    }
}

impl Default for OnDemand {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(10),
            restreams: false,
            recordings: false,
        }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(10),
            connecting_per_host: 4,
            probe: Duration::from_secs(15),
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        let Settings {
            bounds,
            max_streams,
            takeover,
            silence,
            grace,
            offline: _,
        } = Settings::default();
        let Bounds {
            ring_bytes,
            reader_bytes,
            reader_time,
        } = bounds;
        Self {
            max: max_streams,
            memory_bytes: ring_bytes,
            reader_bytes,
            reader_time,
            takeover,
            silence,
            grace,
            shards: 0,
        }
    }
}

impl Streams {
    /// What the hub needs of it.
    pub const fn settings(&self) -> Settings {
        Settings {
            bounds: Bounds {
                ring_bytes: self.memory_bytes,
                reader_bytes: self.reader_bytes,
                reader_time: self.reader_time,
            },
            max_streams: self.max,
            takeover: self.takeover,
            silence: self.silence,
            grace: self.grace,
            offline: None,
        }
    }
}

/// A playlist lists all of the window, and is made anew for each part.
const MAX_WINDOW: Duration = Duration::from_hours(12);

impl Segments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let duration = Duration::from_millis(500)..=Duration::from_secs(30);
        if !duration.contains(&self.duration) {
            return Err(("segments.duration", "must lie between 500ms and 30s".into()));
        }
        if !(Duration::from_millis(100)..=self.duration).contains(&self.part) {
            let message = "must lie between 100ms and segments.duration";
            return Err(("segments.part", message.into()));
        }
        if !(3..=1_000).contains(&self.listed) {
            return Err(("segments.listed", "must lie between 3 and 1000".into()));
        }
        if self.window > MAX_WINDOW {
            return Err(("segments.window", "must be at most 12h".into()));
        }
        if self.folder_bytes < 1 << 20 {
            return Err(("segments.folder_bytes", "must be at least 1048576".into()));
        }
        if self.memory_bytes < 1 << 20 {
            return Err(("segments.memory_bytes", "must be at least 1048576".into()));
        }
        Ok(())
    }
}

impl Auth {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.tokens.iter().any(|token| token.reveal().len() < 16) {
            return Err(("auth.tokens", "a token needs at least 16 characters".into()));
        }
        let password = self.admin_password.as_ref().map(Secret::reveal);
        if password.is_some_and(|password| !(8..=256).contains(&password.len())) {
            let message = "a password has 8 to 256 bytes";
            return Err(("auth.admin_password", message.into()));
        }
        let minute = Duration::from_secs(60);
        if !(minute..=Duration::from_hours(24 * 365)).contains(&self.session_lifetime) {
            let message = "must lie between 1m and 365d";
            return Err(("auth.session_lifetime", message.into()));
        }
        if !(minute..=self.session_lifetime).contains(&self.session_idle) {
            let message = "must lie between 1m and auth.session_lifetime";
            return Err(("auth.session_idle", message.into()));
        }
        self.webhook.check()
    }
}

impl Sources {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let seconds = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
        if !seconds(1, 600).contains(&self.silence) {
            return Err(("sources.silence", "must lie between 1s and 10m".into()));
        }
        if !(1..=1_000).contains(&self.connecting_per_host) {
            let message = "must lie between 1 and 1000";
            return Err(("sources.connecting_per_host", message.into()));
        }
        if !seconds(1, 3_600).contains(&self.probe) {
            return Err(("sources.probe", "must lie between 1s and 1h".into()));
        }
        Ok(())
    }
}

impl General {
    /// Rules that types alone do not say; errors as (key, message).
    fn check(&self) -> Result<(), (&'static str, String)> {
        let applications = Applications::new(self.applications.clone())
            .map_err(|error| ("applications", error.to_string()))?;
        access::check_rights(&self.auth.rights, &applications)
            .map_err(|message| ("auth.rights", message))?;
        if !CONNECTIONS.contains(&self.http.max_connections) {
            return Err(("http.max_connections", CONNECTIONS_RULE.into()));
        }
        if !CONNECTIONS.contains(&self.https.max_connections) {
            return Err(("https.max_connections", CONNECTIONS_RULE.into()));
        }
        self.segments.check()?;
        self.sources.check()?;
        self.record.check()?;
        self.log.check()?;
        self.hooks.check()?;
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => return Err(("tls.certificate", "needs tls.key as well".into())),
            (None, Some(_)) => return Err(("tls.key", "needs tls.certificate as well".into())),
            (Some(_), Some(_)) if self.acme.is_on() => {
                let words =
                    "there is one certificate: without tls.certificate, or without acme.domains";
                return Err(("acme.domains", words.into()));
            }
            _ => {}
        }
        self.acme.check()?;
        self.auth.check()
    }
}

impl Config {
    /// The streams that the file makes, by name, each with its key there.
    ///
    /// # Errors
    /// A name that breaks the rules, or that two of them have.
    pub fn static_streams(
        &self,
    ) -> Result<BTreeMap<StreamName, (&str, &StaticStream)>, ConfigError> {
        let applications = self.applications();
        let mut streams = BTreeMap::new();
        for (key, stream) in &self.general.stream {
            let error = |words: &str| self.error(&format!("stream.{key}"), words);
            let name = applications.resolve(key);
            let name = name.map_err(|broken| error(&broken.to_string()))?;
            let before = streams.insert(name, (key.as_str(), stream));
            if let Some((other, _)) = before {
                return Err(error(&format!("is the same stream as {other}")));
            }
        }
        Ok(streams)
    }

    /// Sets a key in the table of a protocol, over everything else.
    pub fn set(&mut self, name: &str, key: &str, value: impl Into<toml::Value>) {
        let section = self
            .sections
            .entry(name)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(section) = section.as_table_mut() {
            section.insert(key.to_owned(), value.into());
        }
    }

    /// Whether the tables of a protocol are the same in both.
    pub fn has_same_section(&self, other: &Self, name: &str) -> bool {
        self.sections.get(name) == other.sections.get(name)
    }

    /// An error about a key, with where it was set.
    pub fn error(&self, key: &str, message: &str) -> ConfigError {
        self.origins.place(key, message)
    }

    /// The table of a protocol, in the type that its adapter gives it; defaults where there is none.
    ///
    /// # Errors
    /// What is wrong with it, with the key.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, ConfigError> {
        let Some(value) = self.sections.get(name) else {
            return Ok(T::default());
        };
        source::typed(value.clone(), &[]).map_err(|(key, message)| {
            let key = if key.is_empty() {
                name.to_owned()
            } else {
                format!("{name}.{key}")
            };
            self.origins.place(&key, &message)
        })
    }

    /// The applications, which [`load`] has checked.
    pub fn applications(&self) -> Applications {
        Applications::new(self.general.applications.clone())
            .unwrap_or_else(|_| Applications::standard())
    }
}
