//! Millstream seen as a camera: recorders find it (`searches`), ask what there is (`door`), and play that by RTSP
//! (`streams`). Off unless an address is configured.

mod door;
mod searches;
mod streams;

use crate::adapters::{Context, ListenError, Listening};
use crate::config::{CONNECTIONS, CONNECTIONS_RULE, Config, ConfigError, Listen};
use crate::hub::Current;
use crate::net::accepting::Accepting;
use crate::net::http;
use door::Door;
use onvif::server::discovery;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most characters of the name.
const MAX_NAME: usize = 64;

/// Table `[onvif]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    device: DeviceSettings,
}

/// Table `[onvif.device]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeviceSettings {
    /// Address to listen on; empty for none.
    listen: Listen,
    /// Whether it answers to searches.
    discovery: bool,
    /// What it is called.
    name: String,
    /// What is offered: streams as `APP/ID`, and applications; empty for all.
    streams: Vec<String>,
    /// Connections at a time.
    max_connections: usize,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        Self {
            listen: Listen(None),
            discovery: true,
            name: "Millstream".to_owned(),
            streams: Vec::new(),
            max_connections: 256,
        }
    }
}

/// The device.
#[derive(Debug)]
pub(super) struct Device {
    settings: Current<DeviceSettings>,
    accepting: Accepting,
    /// Where it listens, and how it is found, while it is. Searches are answered until this is dropped.
    open: Mutex<Option<(SocketAddr, Option<DropGuard>)>>,
}

/// What it says of itself, the same to everybody.
#[derive(Clone, Debug)]
struct Identity {
    /// As `urn:uuid:…`.
    reference: String,
    scopes: Vec<String>,
    host: String,
}

impl Identity {
    /// Of the device of that name at that port of this machine.
    fn of(settings: &DeviceSettings, port: u16) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let host = read("/proc/sys/kernel/hostname").trim().to_owned();
        let machine = read("/etc/machine-id");
        let machine = [machine.trim().as_bytes(), host.as_bytes()].concat();
        let name = utf8_percent_encode(&settings.name, NON_ALPHANUMERIC);
        let scopes = [
            "type/video_encoder",
            "type/audio_encoder",
            "type/Network_Video_Transmitter",
            "Profile/Streaming",
            "hardware/Millstream",
            &format!("name/{name}"),
        ];
        Self {
            reference: discovery::reference(&machine, &port.to_be_bytes()),
            scopes: scopes
                .map(|scope| format!("onvif://www.onvif.org/{scope}"))
                .to_vec(),
            host,
        }
    }
}

impl Device {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            settings: Current::new(Self::settings(config)?),
            accepting: Accepting::default(),
            open: Mutex::default(),
        })
    }

    fn settings(config: &Config) -> Result<DeviceSettings, ConfigError> {
        let Settings { device } = config.section("onvif")?;
        if !CONNECTIONS.contains(&device.max_connections) {
            return Err(config.error("onvif.device.max_connections", CONNECTIONS_RULE));
        }
        if device.name.is_empty() || device.name.chars().count() > MAX_NAME {
            let rule = "must have between 1 and 64 characters";
            return Err(config.error("onvif.device.name", rule));
        }
        let applications = config.applications();
        for text in &device.streams {
            let is_known = applications.contains(text)
                || (text.contains('/') && applications.resolve(text).is_ok());
            if !is_known {
                let rule = format!("{text:?} is no application, and no stream as APP/ID");
                return Err(config.error("onvif.device.streams", &rule));
            }
        }
        Ok(device)
    }

    /// Listens where its settings say, and no more where they did before.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub(super) async fn listen(
        &self,
        context: Arc<Context>,
    ) -> Result<Vec<Listening>, ListenError> {
        let settings = self.settings.get();
        let door = Door::new(context, self.settings.clone());
        let limit = settings.max_connections;
        let told = door.clone();
        let serve = |listener, places| http::serve(listener, places, door, limit);
        let address = self.accepting.at(settings.listen.0, serve).await;
        let address = address.map_err(|error| ListenError {
            key: "device.listen",
            error,
        })?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Who was told of it before is told that it is gone, which may be under another name.
        *open = None;
        let Some(address) = address else {
            return Ok(Vec::new());
        };
        let identity = Identity::of(&settings, address.port());
        told.set_identity(identity.clone(), address);
        let found = settings.discovery.then(|| {
            let closing = CancellationToken::new();
            searches::serve(&identity, address, closing.clone());
            closing.drop_guard()
        });
        *open = Some((address, found));
        Ok(vec![Listening {
            protocol: "onvif",
            address,
        }])
    }

    /// As [`Protocol::adopt`](crate::adapters::Protocol::adopt).
    pub(super) fn adopt(&self, config: &Config) -> Result<(), ConfigError> {
        self.settings.set(Self::settings(config)?);
        Ok(())
    }
}
