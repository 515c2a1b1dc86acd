//! Puts the parts together, runs them, and takes them down in order.

use crate::adapters::{self, Context, Listening, Muxers, Protocol};
use crate::api::hooks::Announcer;
use crate::api::{Site, evostream};
use crate::auth::{AccountError, Auth};
use crate::bridge::Bridges;
use crate::config::{self, Config, ConfigError, Listen};
use crate::control::Control;
use crate::control::recordings::Place;
use crate::control::supervisor::Supervisor;
use crate::hooks::Courier;
use crate::hub::Hub;
use crate::net::policy::Policy;
use crate::net::tls::{Connector, Identity, TlsError};
use crate::net::{http, https, listen, shard::Shards};
use crate::store::{Store, StoreError};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

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
}

/// Every protocol with its configuration.
///
/// # Errors
/// What is wrong with a protocol's table.
pub fn protocols(config: &Config) -> Result<Vec<Arc<dyn Protocol>>, ConfigError> {
    adapters::ALL
        .iter()
        .map(|(_, build)| build(config))
        .collect()
}

/// Runs the server until it is asked to end by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub fn run(config: &Config, protocols: Vec<Arc<dyn Protocol>>) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(config, protocols));
    // What still runs is a disk write at most, which the store survives.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(config: &Config, protocols: Vec<Arc<dyn Protocol>>) -> Result<(), ServerError> {
    let general = &config.general;
    let store = Store::open(&general.data_dir)?;
    let identity = Identity::open(&general.tls, &general.data_dir)?;
    let settings = general.streams.settings();
    let auth = Auth::open(general, &store)?;
    let configured = general.auth.admin_password.as_ref();
    let first = auth.accounts().make_first(configured).await?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let context = Arc::new(Context {
        hub: Hub::new(settings),
        auth,
        applications: config.applications(),
        shards: Shards::start(if general.streams.shards == 0 {
            cores
        } else {
            general.streams.shards
        })?,
        bounds: settings.bounds,
        policy: Policy::new(general.network),
        certificate: identity.certificate(),
        connector: Connector::new(general.tls.roots.as_deref())?,
        bridges: Bridges::new(Handle::current(), settings.bounds),
        muxers: Muxers::new(&general.segments),
        protocols: protocols.clone(),
    });
    let supervisor = Supervisor::new(context.clone(), general.sources);
    let in_data = || general.data_dir.join("recordings");
    let folder = general.record.folder.clone().unwrap_or_else(in_data);
    let recordings = Place::new(folder, general.record.clone());
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
    let courier = Courier::new(hooks.clone(), context.policy, context.connector.clone());
    let hub = &context.hub;
    let announcer = Announcer::new(&control, hub, door.clone(), courier.clone(), hooks);
    tokio::spawn(announcer.run());
    control.recover_recordings().await?;
    control.number_all().await?;
    control.start_targets();
    control.start_sources();
    tokio::spawn(control.clone().restart_periodically());
    tokio::spawn(control.clone().keep_recordings_in_bounds());
    tokio::spawn(control.clone().follow_hub());
    tokio::spawn(control.clone().follow_demand());
    if general.hooks.cameras {
        tokio::spawn(control.clone().follow_cameras());
    }
    tokio::spawn(context.muxers.clone().follow(context.hub.clone()));
    tokio::spawn(identity.follow());

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let mut all_listening = Vec::new();
    for protocol in &protocols {
        let listening =
            protocol
                .clone()
                .listen(context.clone())
                .map_err(|failed| ServerError::Listen {
                    key: format!("{}.{}", protocol.name(), failed.key),
                    error: failed.error,
                })?;
        for Listening { protocol, address } in &listening {
            tracing::info!(%protocol, %address, "listening");
        }
        all_listening.extend(listening);
    }
    let usual = config::EvoStream::default();
    let at = general.evostream;
    if let Some(listener) = listen_if_free("evostream.listen", at.listen, usual.listen)? {
        let address = listener.local_addr()?;
        tracing::info!(protocol = %"evostream", %address, "listening");
        let serving = http::serve(listener, door.clone(), evostream::http::MAX_CONNECTIONS);
        tokio::spawn(serving);
    }
    let (key, at, usual) = ("evostream.cli_listen", at.cli_listen, usual.cli_listen);
    if let Some(listener) = listen_if_free(key, at, usual)? {
        let address = listener.local_addr()?;
        tracing::info!(protocol = %"evostream-cli", %address, "listening");
        tokio::spawn(evostream::lines::serve(listener, door));
    }
    let http = listener("http", general.http.listen, &mut all_listening)?;
    let https = listener("https", general.https.listen, &mut all_listening)?;
    let site = Site::new(
        context.clone(),
        protocols.clone(),
        control.clone(),
        courier.clone(),
        all_listening,
    );
    if let Some(listener) = https {
        let tls = context.certificate.server_config(&https::PROTOCOLS);
        let (site, limit) = (site.clone().over_tls(), general.https.max_connections);
        tokio::spawn(https::serve(listener, tls.into(), site, limit));
    }
    if let Some(listener) = http {
        let address = listener.local_addr()?;
        tokio::spawn(http::serve(listener, site, general.http.max_connections));
        greet(address, &protocols, &context);
    }
    if let Some((account, password)) = first {
        // The one time that it can be read; it is no secret from who reads the log of a first start.
        tracing::warn!("sign in as {account} with the password {password} (it is not shown again)");
    }
    for protocol in &protocols {
        for (name, url) in protocol.standing_sources(&context.applications) {
            if let Err(error) = control.pull(&name, &url) {
                tracing::error!(stream = %name, %error, "cannot start a source");
            }
        }
    }
    control.tell_started();

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("shutting down");
    let had_streams = !context.hub.list().is_empty();
    control.shut_down().await;
    context.auth.audit().settle().await;
    if had_streams {
        tokio::time::sleep(FAREWELL).await;
        control.recordings_done(FINISH_RECORDINGS).await;
    }
    courier.done(LAST_HOOKS, || control.has_news()).await;
    Ok(())
}

/// Listens for what belongs to no one protocol.
fn listener(
    name: &'static str,
    listen: Listen,
    all: &mut Vec<Listening>,
) -> Result<Option<TcpListener>, ServerError> {
    let Some(address) = listen.0 else {
        return Ok(None);
    };
    let listener = open(&format!("{name}.listen"), address)?;
    let address = listener.local_addr()?;
    tracing::info!(protocol = %name, %address, "listening");
    all.push(Listening {
        protocol: name,
        address,
    });
    Ok(Some(listener))
}

fn open(key: &str, address: SocketAddr) -> Result<TcpListener, ServerError> {
    listen::tcp(address).map_err(|error| ServerError::Listen {
        key: key.to_owned(),
        error,
    })
}

/// As [`open`]; but an address that nobody has chosen is done without where another server has it.
fn listen_if_free(
    key: &str,
    address: Listen,
    usual: Listen,
) -> Result<Option<TcpListener>, ServerError> {
    let Some(wanted) = address.0 else {
        return Ok(None);
    };
    match open(key, wanted) {
        Ok(listener) => Ok(Some(listener)),
        Err(ServerError::Listen { error, .. })
            if address == usual && error.kind() == io::ErrorKind::AddrInUse =>
        {
            tracing::warn!(%error, "{key}: not listening, as another program does");
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
