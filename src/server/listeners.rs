//! Everything that listens, and moves where the configuration says so while connections go on.

use super::ServerError;
use crate::adapters::{Context, Listening, Protocol};
use crate::api::{Site, evostream};
use crate::config::{self, Config, Listen, Loads};
use crate::control::Control;
use crate::hooks::Courier;
use crate::hub::Current;
use crate::net::accepting::Accepting;
use crate::net::acme::Door;
use crate::net::places::Places;
use crate::net::{http, https};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Connections at a time where an authority looks for proofs.
const MAX_ASKING: usize = 64;

/// The listeners of the server.
pub(super) struct Listeners {
    context: Arc<Context>,
    protocols: Vec<Arc<dyn Protocol>>,
    control: Control,
    courier: Courier,
    loads: Loads,
    http: Accepting,
    https: Accepting,
    evostream: Accepting,
    lines: Accepting,
    /// Where an authority looks for proofs.
    acme: Accepting,
    /// Where each protocol listens, by its name.
    open: BTreeMap<&'static str, Vec<Listening>>,
    /// Answers HTTP, plain and over TLS. What it says of the ports is made anew when they change.
    sites: OnceLock<[Current<Site>; 2]>,
}

impl Listeners {
    pub(super) fn new(
        context: Arc<Context>,
        protocols: Vec<Arc<dyn Protocol>>,
        control: Control,
        courier: Courier,
        loads: Loads,
    ) -> Self {
        Self {
            context,
            protocols,
            control,
            courier,
            loads,
            http: Accepting::default(),
            https: Accepting::default(),
            evostream: Accepting::default(),
            lines: Accepting::default(),
            acme: Accepting::default(),
            open: BTreeMap::new(),
            sites: OnceLock::new(),
        }
    }

    /// Opens what `config` names. What is as in `before` is not touched. Each that cannot be opened is told; where it
    /// listened before, it goes on to.
    pub(super) async fn open(
        &mut self,
        config: &Config,
        before: Option<&Config>,
    ) -> Vec<ServerError> {
        let mut failed = Vec::new();
        for protocol in self.protocols.clone() {
            let name = protocol.name();
            if before.is_some_and(|before| before.has_same_section(config, name)) {
                continue;
            }
            match protocol.listen(self.context.clone()).await {
                Ok(listening) => self.note(name, listening),
                Err(error) => failed.push(ServerError::Listen {
                    key: format!("{name}.{}", error.key),
                    error: error.error,
                }),
            }
        }
        let before = before.map(|before| &before.general);
        let general = &config.general;
        if before.is_none_or(|before| before.evostream != general.evostream) {
            failed.extend(self.open_evostream(general.evostream).await.err());
        }
        if before.is_none_or(|before| before.https != general.https) {
            failed.extend(self.open_https(&general.https).await.err());
        }
        if before.is_none_or(|before| before.http != general.http) {
            failed.extend(self.open_http(&general.http).await.err());
        }
        let ports = |general: &config::General| (general.acme.listen, general.https.listen);
        if before.is_none_or(|before| ports(before) != ports(general)) {
            failed.extend(self.open_acme(general.acme.listen).await.err());
        }
        let site = self.make_site();
        let [plain, secure] = self.sites();
        plain.set(site.clone());
        secure.set(site.over_tls());
        failed
    }

    /// Where HTTP is answered, if it is.
    pub(super) fn http(&self) -> Option<SocketAddr> {
        let listening = self.open.get("http")?.first()?;
        Some(listening.address)
    }

    async fn open_evostream(&mut self, settings: config::EvoStream) -> Result<(), ServerError> {
        let usual = config::EvoStream::default();
        let door = evostream::Door::new(self.control.clone(), self.context.clone());
        let lines = door.clone();
        let at = |accepting, address: Listen, usual: Listen| Usual {
            accepting,
            address: address.0,
            usual: usual.0,
        };
        let http = at(&self.evostream, settings.listen, usual.listen);
        let http = http
            .open("evostream.listen", |listener, places| {
                http::serve(listener, places, door, evostream::http::MAX_CONNECTIONS)
            })
            .await;
        let cli = at(&self.lines, settings.cli_listen, usual.cli_listen);
        let cli = cli
            .open("evostream.cli_listen", |listener, places| {
                evostream::lines::serve(listener, places, lines)
            })
            .await;
        // Either may be there without the other, and neither is told of to clients.
        tell("evostream", http?);
        tell("evostream-cli", cli?);
        Ok(())
    }

    async fn open_https(&mut self, settings: &config::Https) -> Result<(), ServerError> {
        let tls = self.context.certificate.server_config(&https::PROTOCOLS);
        let [_, site] = self.sites().clone();
        let limit = settings.max_connections;
        let serve = |listener, places| https::serve(listener, places, tls.into(), site, limit);
        let address = self.https.at(settings.listen.0, serve).await;
        self.opened("https", address)
    }

    async fn open_http(&mut self, settings: &config::Http) -> Result<(), ServerError> {
        let [site, _] = self.sites().clone();
        let limit = settings.max_connections;
        let serve = |listener, places| http::serve(listener, places, site, limit);
        let address = self.http.at(settings.listen.0, serve).await;
        self.opened("http", address)
    }

    async fn open_acme(&mut self, address: Listen) -> Result<(), ServerError> {
        let https = self.open.get("https").and_then(|https| https.first());
        let door = Door {
            proofs: self.context.proofs.clone(),
            https: https.map(|https| https.address.port()),
        };
        let serve = |listener, places| http::serve(listener, places, door, MAX_ASKING);
        let address = self.acme.at(address.0, serve).await;
        self.opened("acme", address)
    }

    fn opened(
        &mut self,
        protocol: &'static str,
        address: io::Result<Option<SocketAddr>>,
    ) -> Result<(), ServerError> {
        let address = address.map_err(|error| ServerError::Listen {
            key: format!("{protocol}.listen"),
            error,
        })?;
        let listening = address.map(|address| Listening { protocol, address });
        self.note(protocol, listening.into_iter().collect());
        Ok(())
    }

    /// Tells of what is new.
    fn note(&mut self, name: &'static str, listening: Vec<Listening>) {
        let before = self.open.get(name);
        for new in &listening {
            if before.is_none_or(|before| !before.contains(new)) {
                tell(new.protocol, Some(new.address));
            }
        }
        self.open.insert(name, listening);
    }

    fn sites(&self) -> &[Current<Site>; 2] {
        self.sites.get_or_init(|| {
            let site = self.make_site();
            [Current::new(site.clone()), Current::new(site.over_tls())]
        })
    }

    fn make_site(&self) -> Site {
        let listening = self.open.values().flatten().cloned().collect();
        Site::new(
            self.context.clone(),
            self.protocols.clone(),
            self.control.clone(),
            self.courier.clone(),
            listening,
            self.loads.clone(),
        )
    }
}

fn tell(protocol: &str, address: Option<SocketAddr>) {
    if let Some(address) = address {
        tracing::info!(%protocol, %address, "listening");
    }
}

/// A listener at an address that nobody may have chosen.
struct Usual<'a> {
    accepting: &'a Accepting,
    address: Option<SocketAddr>,
    usual: Option<SocketAddr>,
}

impl Usual<'_> {
    /// Does without where nobody has chosen the address and another server has it.
    async fn open<F>(
        &self,
        key: &str,
        serve: impl FnOnce(Arc<tokio::net::TcpListener>, Places) -> F,
    ) -> Result<Option<SocketAddr>, ServerError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.accepting.at(self.address, serve).await {
            Ok(address) => Ok(address),
            Err(error)
                if self.address == self.usual && error.kind() == io::ErrorKind::AddrInUse =>
            {
                tracing::warn!(%error, "{key}: not listening, as another program does");
                Ok(None)
            }
            Err(error) => Err(ServerError::Listen {
                key: key.to_owned(),
                error,
            }),
        }
    }
}
