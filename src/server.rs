//! Puts the parts together, runs them, and takes them down in order.

mod listeners;
mod reload;

use crate::adapters::{self, Context, Muxers, Protocol};
use crate::api::evostream;
use crate::api::hooks::Announcer;
use crate::auth::{AccountError, Auth, Outward};
use crate::bridge::Bridges;
use crate::config::{Config, ConfigError, Loads, StaticStream};
use crate::control::recordings::Place;
use crate::control::supervisor::Supervisor;
use crate::control::{Control, ControlError, check_static_streams};
use crate::hooks::{Collector, Courier};
use crate::hub::{Current, Hub, StreamName};
use crate::net::acme::{Acme, Proofs};
use crate::net::objects::{Bucket, ObjectError};
use crate::net::policy::Policy;
use crate::net::shard::Shards;
use crate::net::tls::{Connector, Identity, TlsError};
use crate::store::{Store, StoreError};
use crate::telemetry::{Systemd, UNKEPT};
use listeners::Listeners;
use reload::Reload;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Time that readers have to receive the end of their streams when the server shuts down.
const FAREWELL: Duration = Duration::from_millis(500);

/// Time that recordings have to be completed when the server shuts down.
const FINISH_RECORDINGS: Duration = Duration::from_secs(3);

/// Time that webhooks have after all that, when the server shuts down.
const LAST_HOOKS: Duration = Duration::from_secs(1);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The system refused threads, timers or signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// An address cannot be taken.
    #[error("{key}: cannot listen on {error}")]
    Listen {
        /// The configuration's key.
        key: String,
        /// What the system said.
        error: io::Error,
    },
    /// What must survive a restart cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first account cannot be made.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// There is no certificate, or it cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A stream of the configuration cannot be made.
    #[error(transparent)]
    Stream(#[from] ControlError),
    /// What was good a moment ago.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings of the object storage make none.
    #[error("record.s3: {0}")]
    Objects(#[from] ObjectError),
}

/// Where the configuration comes from, to be read again.
pub struct Origin {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Reads all of it: the file, the environment, the command line.
    pub load: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Every protocol with its configuration. Whether they can pull and push what the configuration wants is asked too.
///
/// # Errors
/// What is wrong with a protocol's table, or with a stream.
pub fn protocols(config: &Config) -> Result<Vec<Arc<dyn Protocol>>, ConfigError> {
    let protocols: Result<Vec<_>, _> = adapters::ALL
        .iter()
        .map(|(_, build)| build(config))
        .collect();
    let protocols = protocols?;
    check_static_streams(&protocols, config)?;
    Ok(protocols)
}

/// The streams that the configuration makes.
fn static_streams(config: &Config) -> Result<BTreeMap<StreamName, StaticStream>, ConfigError> {
    let streams = config.static_streams()?.into_iter();
    Ok(streams
        .map(|(name, (_, stream))| (name, stream.clone()))
        .collect())
}

/// Runs the server until it is asked to end by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub fn run(
    config: &Config,
    protocols: Vec<Arc<dyn Protocol>>,
    origin: Origin,
) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(config, protocols, origin));
    // What still runs is a disk write at most, which the store survives.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(
    config: &Config,
    protocols: Vec<Arc<dyn Protocol>>,
    origin: Origin,
) -> Result<(), ServerError> {
    let general = &config.general;
    let store = Store::open(&general.data_dir)?;
    let identity = Identity::open(general)?;
    let settings = general.streams.settings();
    let policy = Policy::new(general.network);
    let connector = Connector::new(general.tls.roots.as_deref())?;
    let outward = Outward {
        policy: policy.clone(),
        connector: connector.clone(),
    };
    let auth = Auth::open(general, &store, outward)?;
    let configured = general.auth.admin_password.as_ref();
    let first = auth.accounts().make_first(configured).await?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let hub = Hub::new(settings);
    let context = Arc::new(Context {
        hub: hub.clone(),
        auth,
        applications: config.applications(),
        shards: Shards::start(if general.streams.shards == 0 {
            cores
        } else {
            general.streams.shards
        })?,
        policy,
        certificate: identity.certificate(),
        proofs: Proofs::default(),
        connector,
        bridges: Bridges::new(Handle::current(), hub),
        muxers: Muxers::new(&general.segments),
        protocols: protocols.clone(),
    });
    let supervisor = Supervisor::new(context.clone(), general.sources);
    let in_data = || general.data_dir.join("recordings");
    let folder = general.record.folder.clone().unwrap_or_else(in_data);
    let objects = objects(config, &context)?;
    let recordings = Place::new(folder, general.record.clone()).with_objects(objects);
    let control = Control::new(
        context.hub.clone(),
        store,
        supervisor,
        protocols.clone(),
        recordings,
        &general.data_dir.join("thumbnails"),
        general.on_demand,
    )?;
    let door = evostream::Door::new(control.clone(), context.clone());
    let hooks = general.hooks.clone();
    let courier = Courier::new(
        hooks.clone(),
        context.policy.clone(),
        context.connector.clone(),
    );
    let collecting = collect(config, &context);
    let hub = &context.hub;
    let announcer = Announcer::new(&control, hub, door, courier.clone(), hooks);
    tokio::spawn(announcer.run());
    control.recover_recordings().await?;
    control.number_all().await?;
    // Before there are sources: the first of them may be live at once.
    tokio::spawn(control.clone().follow_hub());
    control.set_static_streams(&static_streams(config)?).await?;
    control.start_targets();
    control.start_sources();
    tokio::spawn(control.clone().restart_periodically());
    tokio::spawn(control.clone().keep_recordings_in_bounds());
    tokio::spawn(control.clone().keep_recordings_stored());
    tokio::spawn(control.clone().follow_demand());
    if general.hooks.cameras {
        tokio::spawn(control.clone().follow_cameras());
    }
    tokio::spawn(context.muxers.clone().follow(context.hub.clone()));
    let certificate = identity.files();
    tokio::spawn(identity.follow());
    let authority = Current::new(general.acme.clone());
    let (policy, connector) = (context.policy.clone(), context.connector.clone());
    let acme = Acme::new(
        authority.clone(),
        &general.data_dir,
        context.proofs.clone(),
        policy,
        connector,
    );
    tokio::spawn(acme.run());

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;

    let loads = Loads::new(origin.file.clone());
    let mut listeners = Listeners::new(
        context.clone(),
        protocols.clone(),
        control.clone(),
        courier.clone(),
        loads.clone(),
    );
    if let Some(error) = listeners.open(config, None).await.into_iter().next() {
        return Err(error);
    }
    if let Some(address) = listeners.http() {
        greet(address, &protocols, &context);
    }
    if let Some((account, password)) = first {
        // The one time that it can be read; it is no secret from who reads the log of a first start, but from operators.
        tracing::warn!(target: UNKEPT, "sign in as {account} with the password {password} (it is not shown again)");
    }
    for protocol in &protocols {
        for (name, url) in protocol.standing_sources(&context.applications) {
            if let Err(error) = control.pull(&name, &url) {
                tracing::error!(stream = %name, %error, "cannot start a source");
            }
        }
    }
    control.tell_started();

    let systemd = Arc::new(Systemd::from_environment());
    systemd.ready();
    let watched = systemd.clone();
    tokio::spawn(async move { watched.watch().await });
    let reload = Reload {
        systemd: systemd.clone(),
        origin,
        started: config.clone(),
        config: config.clone(),
        context: context.clone(),
        control: control.clone(),
        protocols,
        listeners,
        certificate,
        authority,
        loads,
        waiting: BTreeSet::new(),
        waiting_of_protocols: BTreeSet::new(),
    };
    tokio::spawn(reload.follow(hangup));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("shutting down");
    systemd.stopping();
    let had_streams = !context.hub.list().is_empty();
    control.shut_down().await;
    context.auth.audit().settle().await;
    if had_streams {
        tokio::time::sleep(FAREWELL).await;
        control.recordings_done(FINISH_RECORDINGS).await;
    }
    courier.done(LAST_HOOKS, || control.has_news()).await;
    if let Some((over, collecting)) = collecting {
        drop(over);
        // Whoever collects the log has had enough time by now, or is not there.
        let _ = timeout(LAST_HOOKS, collecting).await;
    }
    Ok(())
}

/// Starts sending the log to a collector, if there is one, until the first of these is dropped.
fn collect(config: &Config, context: &Context) -> Option<(oneshot::Sender<()>, JoinHandle<()>)> {
    let (policy, connector) = (context.policy.clone(), context.connector.clone());
    let collector = Collector::new(&config.general.log, policy, connector)?;
    let (over, ended) = oneshot::channel();
    let collecting = tokio::spawn(collector.run(async { drop(ended.await) }));
    Some((over, collecting))
}

/// The object storage for recordings, if there is one.
fn objects(config: &Config, context: &Context) -> Result<Option<Bucket>, ServerError> {
    let settings = &config.general.record.s3;
    let (policy, connector) = (context.policy.clone(), context.connector.clone());
    let bucket = settings
        .is_on()
        .then(|| Bucket::new(settings, policy, connector));
    Ok(bucket.transpose()?)
}

/// Says what to try.
fn greet(address: SocketAddr, protocols: &[Arc<dyn Protocol>], context: &Context) {
    let host = if address.ip().is_unspecified() {
        "localhost".to_owned()
    } else {
        address.ip().to_string()
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let site = format!("http://{host}:{}", address.port());
    tracing::info!("open {site}/ to see what is live and how to publish");
    for (name, _) in protocols
        .iter()
        .flat_map(|protocol| protocol.standing_sources(&context.applications))
    {
        tracing::info!(
            "open {site}/{}/play.html?id={} to watch {name}",
            name.app(),
            name.id()
        );
    }
}
