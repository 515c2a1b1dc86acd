//! What a command has of the server: the hub, the protocols, and nothing that listens.

use super::CommandError;
use crate::adapters::file::{self, Files, Report, SCHEME};
use crate::adapters::{Context, Muxers, Protocol, Target};
use crate::auth::Auth;
use crate::bridge::Bridges;
use crate::config::Config;
use crate::hub::ring::Bounds;
use crate::hub::{Hub, Offline, Settings, StreamName};
use crate::net::acme::Proofs;
use crate::net::policy::Policy;
use crate::net::redacted::Redacted;
use crate::net::shard::Shards;
use crate::net::tls::{Certificate, Connector};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// What a stream may hold; its publisher waits before that.
const MEMORY: usize = 128 << 20;

/// The hub and the protocols of one command.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    pub(super) report: Arc<Report>,
    silence: Duration,
}

/// One end of the stream: who reads or writes it, and where.
pub(super) struct End {
    protocol: Arc<dyn Protocol>,
    url: String,
    /// The path, of a file.
    pub(super) path: Option<String>,
}

impl End {
    /// For people, without secrets.
    pub(super) fn name(&self) -> String {
        match &self.path {
            Some(path) => path.clone(),
            None => Redacted(&self.url).to_string(),
        }
    }

    /// The protocol, for people.
    pub(super) fn protocol(&self) -> &dyn Protocol {
        &*self.protocol
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Session {
    /// Sets up a hub for streams that are worked on so.
    pub(super) fn new(config: &Config, offline: Offline) -> Result<Self, CommandError> {
        let failed = |error: &dyn std::fmt::Display| CommandError::Failed(error.to_string());
        let general = &config.general;
        let settings = Settings {
            bounds: Bounds {
                ring_bytes: MEMORY,
                reader_bytes: MEMORY,
                reader_time: Duration::MAX,
            },
            grace: Duration::ZERO,
            offline: Some(offline),
            ..general.streams.settings()
        };
        let protocols = crate::server::protocols(config);
        let mut protocols = protocols.map_err(|error| CommandError::Unusable(error.to_string()))?;
        let report = Arc::<Report>::default();
        protocols.push(Arc::new(Files::new(report.clone())));
        let hub = Hub::new(settings);
        let context = Context {
            hub: hub.clone(),
            auth: Auth::new(Vec::new()),
            applications: config.applications(),
            shards: Shards::start(1).map_err(|error| failed(&error))?,
            policy: Policy::new(general.network),
            proofs: Proofs::default(),
            certificate: Certificate::temporary().map_err(|error| failed(&error))?,
            connector: Connector::new(general.tls.roots.as_deref())
                .map_err(|error| failed(&error))?,
            bridges: Bridges::new(Handle::current(), hub),
            muxers: Muxers::new(&general.segments),
            protocols: protocols.clone(),
        };
        Ok(Self {
            context: Arc::new(context),
            protocols,
            report,
            silence: general.sources.silence,
        })
    }

    /// Who reads that, a URL or a path.
    pub(super) fn source(&self, name: &str) -> Result<End, CommandError> {
        let claimed = self.end(name, "pulled from", |protocol, _| protocol.claims(name));
        claimed.or_else(|_| {
            self.end(name, "pulled from", |protocol, scheme| {
                protocol.pulls(scheme)
            })
        })
    }

    /// Who writes that, a URL or a path.
    pub(super) fn target(&self, name: &str) -> Result<End, CommandError> {
        self.end(name, "pushed to", |protocol, scheme| {
            protocol.pushes(scheme)
        })
    }

    fn end(
        &self,
        name: &str,
        what: &str,
        takes: impl Fn(&dyn Protocol, &str) -> bool,
    ) -> Result<End, CommandError> {
        let scheme = name.split_once("://").map(|(scheme, _)| scheme);
        let scheme = scheme.filter(|scheme| !scheme.contains('/') && !Path::new(name).exists());
        let (scheme, path) = match scheme {
            Some(scheme) if !name.starts_with(SCHEME) => (scheme.to_ascii_lowercase(), None),
            _ => (
                SCHEME.trim_end_matches(':').to_owned(),
                Some(file::path(name)),
            ),
        };
        let mut protocols = self.protocols.iter();
        let protocol = protocols.find(|protocol| takes(&***protocol, &scheme));
        let Some(protocol) = protocol else {
            let words = format!("URLs of {scheme}:// cannot be {what}");
            return Err(CommandError::Unusable(words));
        };
        Ok(End {
            protocol: protocol.clone(),
            url: match path {
                Some(path) => format!("{SCHEME}{}", path.display()),
                None => name.to_owned(),
            },
            path: path.map(|path| path.display().to_string()),
        })
    }

    /// What the source is published as.
    pub(super) fn target_stream(&self) -> Result<Arc<Target>, CommandError> {
        let name = StreamName::new("LiveApp", "stream");
        let name = name.map_err(|error| CommandError::Failed(error.to_string()))?;
        Ok(Arc::new(Target::new(self.context.clone(), name)))
    }

    /// Pulls until the source is over, fails, or is silent for too long. Files are never silent: they wait for who
    /// reads them.
    pub(super) async fn pull(&self, source: &End, target: &Target) -> Result<(), String> {
        tokio::select! {
            pulled = source.protocol.pull(&source.url, target) => match pulled {
                Err(_) if target.is_over() => Ok(()),
                pulled => pulled,
            },
            words = silent(target, self.silence), if source.path.is_none() => Err(words),
        }
    }
}

/// Completes when a source that has connected has sent nothing for `limit`.
async fn silent(target: &Target, limit: Duration) -> String {
    target.has_connected().await;
    let connected = Instant::now();
    loop {
        let quiet = match target.silence() {
            Ok(silence) => silence.unwrap_or_else(|| connected.elapsed()),
            // It is about to say so itself.
            Err(_) => return std::future::pending().await,
        };
        match limit.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
            Some(rest) => sleep(rest).await,
            None => return format!("the source sent nothing for {} s", limit.as_secs()),
        }
    }
}
