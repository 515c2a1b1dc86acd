//! Reads the configuration again, on SIGHUP or when its file has changed, and has the server be what it says.
//!
//! The whole is read and checked first, and refused as a whole where anything is wrong with it. Then each part of the
//! server is given its settings; those that are as before change nothing.

use super::Origin;
use super::listeners::Listeners;
use crate::adapters::{Context, Protocol};
use crate::config::{Acme, Config, ConfigError, General, Loads};
use crate::control::Control;
use crate::hub::Current;
use crate::net::tls::Files;
use crate::telemetry::{self, Systemd};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::Signal;

/// How often the file is looked at. What is written to it is read when it has stayed the same for so long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The configuration of a server that runs.
pub(super) struct Reload {
    pub(super) systemd: Arc<Systemd>,
    pub(super) origin: Origin,
    /// With which the server started.
    pub(super) started: Config,
    /// What holds.
    pub(super) config: Config,
    pub(super) context: Arc<Context>,
    pub(super) control: Control,
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    pub(super) listeners: Listeners,
    pub(super) certificate: Current<Files>,
    pub(super) authority: Current<Acme>,
    pub(super) loads: Loads,
    /// Keys that hold from the next start on.
    pub(super) waiting: BTreeSet<String>,
    /// Those of them that stand in tables of protocols.
    pub(super) waiting_of_protocols: BTreeSet<String>,
}

/// What changes when a file does.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Reload {
    /// Reads it again whenever that is asked for, or the file has changed. Runs for ever.
    pub(super) async fn follow(mut self, mut hangup: Signal) {
        let mut read = stamp(self.origin.file.as_deref()).await;
        let mut seen = read;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                asked = hangup.recv() => {
                    if asked.is_none() {
                        return;
                    }
                    read = stamp(self.origin.file.as_deref()).await;
                    seen = read;
                    self.systemd.reloading();
                    self.reload().await;
                    self.systemd.ready();
                }
                _ = tick.tick() => {
                    let now = stamp(self.origin.file.as_deref()).await;
                    // A file that is not there is about to be: editors write another and put it into its place.
                    if now.is_some() && now != read && now == seen {
                        read = now;
                        self.reload().await;
                    }
                    seen = now;
                }
            }
        }
    }

    async fn reload(&mut self) {
        let config = match self.read() {
            Ok(config) => config,
            Err(error) => {
                // Before the line, so that whoever has read that is told the same by the API.
                self.loads.refused(error.0.clone());
                tracing::error!(%error, "the configuration cannot be used; the one before it stays");
                return;
            }
        };
        let failed = self.apply(&config).await;
        for key in self.waiting.iter() {
            tracing::warn!(
                key,
                "this key has changed, and holds from the next start on"
            );
        }
        for error in &failed {
            tracing::error!(error, "of the configuration this does not hold");
        }
        let error = (!failed.is_empty()).then(|| failed.join("; "));
        self.loads
            .took(error, self.waiting.iter().cloned().collect());
        self.config = config;
        tracing::info!("the configuration was read again, and holds");
    }

    /// Reads and checks all of it.
    fn read(&self) -> Result<Config, ConfigError> {
        let config = (self.origin.load)()?;
        super::protocols(&config)?;
        let general = &config.general;
        telemetry::check(&general.log)?;
        let files = Files::of(general, &self.started.general.data_dir);
        let checked = files.and_then(|files| files.check());
        checked.map_err(|error| config.error("tls.certificate", &error.to_string()))?;
        Ok(config)
    }

    /// Has the server be what the configuration says. Returns what could not be had.
    async fn apply(&mut self, config: &Config) -> Vec<String> {
        let mut failed = Vec::new();
        let (general, before) = (&config.general, &self.config.general);
        let (context, control) = (&self.context, &self.control);
        self.waiting = waiting(&self.started.general, general);
        failed.extend(
            telemetry::set_level(&general.log)
                .err()
                .map(|error| error.0),
        );
        context.applications.replace(&config.applications());
        context.auth.set(general);
        context.policy.set(general.network);
        context.hub.set_settings(general.streams.settings());
        context.muxers.set(&general.segments);
        control.set_sources(general.sources);
        if general.on_demand != before.on_demand {
            control.set_on_demand(general.on_demand).await;
        }
        if general.record != before.record {
            control.set_record(general.record.clone());
        }
        if let Ok(files) = Files::of(general, &self.started.general.data_dir) {
            self.certificate.set(files);
        }
        self.authority.set(general.acme.clone());
        for protocol in &self.protocols {
            let name = protocol.name();
            if !self.config.has_same_section(config, name) {
                match protocol.adopt(config) {
                    Ok(keys) => {
                        let keys = keys.iter().map(|key| format!("{name}.{key}"));
                        self.waiting_of_protocols.extend(keys);
                    }
                    Err(error) => failed.push(error.0),
                }
            }
            if self.started.has_same_section(config, name) {
                let table = format!("{name}.");
                let all = &mut self.waiting_of_protocols;
                all.retain(|key| !key.starts_with(&table));
            }
        }
        self.waiting
            .extend(self.waiting_of_protocols.iter().cloned());
        let unopened = self.listeners.open(config, Some(&self.config)).await;
        failed.extend(unopened.iter().map(ToString::to_string));
        let made = match super::static_streams(config) {
            Ok(streams) => control.set_static_streams(&streams).await,
            Err(error) => {
                failed.push(error.0);
                Ok(())
            }
        };
        failed.extend(made.err().map(|error| error.to_string()));
        failed
    }
}

/// Keys that belong to no protocol and cannot change while the server runs, as far as they have.
fn waiting(started: &General, now: &General) -> BTreeSet<String> {
    let all = [
        (
            "auth.session_idle",
            started.auth.session_idle != now.auth.session_idle,
        ),
        (
            "auth.session_lifetime",
            started.auth.session_lifetime != now.auth.session_lifetime,
        ),
        ("data_dir", started.data_dir != now.data_dir),
        ("hooks", started.hooks != now.hooks),
        ("log.format", started.log.format != now.log.format),
        ("log.otlp", started.log.otlp != now.log.otlp),
        (
            "log.otlp_headers",
            started.log.otlp_headers != now.log.otlp_headers,
        ),
        ("record.folder", started.record.folder != now.record.folder),
        (
            "streams.shards",
            started.streams.shards != now.streams.shards,
        ),
        ("tls.roots", started.tls.roots != now.tls.roots),
    ];
    let changed = all.iter().filter(|(_, has_changed)| *has_changed);
    changed.map(|(key, _)| (*key).to_owned()).collect()
}

async fn stamp(file: Option<&Path>) -> Stamp {
    let metadata = tokio::fs::metadata(file?).await.ok()?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some((modified, metadata.len(), metadata.ino()))
}
