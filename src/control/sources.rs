//! Sources of broadcasts: started and stopped on demand of the API, and again after a restart of the server.

use super::supervisor::{Route, SourcePhase};
use super::{Broadcast, Control, ControlError};
use crate::adapters::{Connection, puller};
use crate::hub::StreamName;
use crate::net::policy::Refused;
use std::collections::BTreeMap;

impl Control {
    /// Starts every source that nobody has stopped, in the applications whose settings ask for it. Those on demand
    /// wait for who wants them.
    pub fn start_sources(&self) {
        let kept = self.lock().clone();
        for (name, broadcast) in kept {
            let starts = broadcast.wanted != Some(false)
                && !broadcast.auto_start_stop
                && !broadcast.sources().is_empty();
            if starts
                && self.settings(name.app()).start_stream_fetcher_automatically
                && let Err(error) = self.start_source(&name)
            {
                tracing::error!(stream = %name, %error, "cannot start a source");
            }
        }
    }

    /// Starts pulling a broadcast's source. One that runs on demand stops again when nobody watches.
    ///
    /// # Errors
    /// When there is no such broadcast, it has no source, or it runs already.
    pub async fn start(&self, name: &StreamName) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        if self.is_on_demand(name) {
            self.start_watched(name)?;
        } else {
            self.start_source(name)?;
        }
        self.note(name, |broadcast| {
            broadcast.wanted = Some(true);
            self.settle(name, broadcast);
        })
        .await;
        Ok(())
    }

    pub(super) fn start_source(&self, name: &StreamName) -> Result<(), ControlError> {
        let broadcast = self.lock().get(name).cloned();
        let broadcast = broadcast.ok_or_else(|| ControlError::Unknown(name.clone()))?;
        let routes = self.routes(name, &broadcast.sources())?;
        self.run_source(name, routes)
    }

    /// Keeps a source running into a stream until it is stopped.
    ///
    /// # Errors
    /// When it runs already, or no protocol pulls from such a URL.
    pub fn pull(&self, name: &StreamName, url: &str) -> Result<(), ControlError> {
        let routes = self.routes(name, &[url.to_owned()])?;
        self.run_source(name, routes)
    }

    /// Stops a source that is pulled, and disconnects a publisher.
    ///
    /// # Errors
    /// When there is no such broadcast, or nothing was running.
    pub async fn stop(&self, name: &StreamName) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        if self.get(name).is_none() {
            return Err(ControlError::Unknown(name.clone()));
        }
        let pulled = self.halt(name);
        let published = self.shared.hub.stop(name);
        if pulled {
            self.note(name, |broadcast| {
                broadcast.wanted = Some(false);
                self.settle(name, broadcast);
            })
            .await;
        }
        if pulled || published {
            Ok(())
        } else {
            Err(ControlError::NotRunning(name.clone()))
        }
    }

    /// How many sources are in each phase.
    pub fn source_phases(&self) -> BTreeMap<SourcePhase, usize> {
        self.shared.supervisor.phases()
    }

    /// The connections of all protocols that measure them, with the protocol's name.
    pub fn connections(&self) -> Vec<(&'static str, Connection)> {
        let protocols = self.shared.protocols.iter();
        let all = protocols.flat_map(|protocol| {
            let name = protocol.name();
            let connections = protocol.connections().into_iter();
            connections.map(move |connection| (name, connection))
        });
        all.collect()
    }

    /// Connects a source that runs anew, from the first of its URLs. Its readers stay. For who holds the right to
    /// write, so that nobody stops it in between.
    pub(super) fn restart_source(&self, name: &StreamName) -> Result<(), ControlError> {
        let _watched = self.shared.demand.lock();
        if self.shared.supervisor.stop(name) {
            self.start_source(name)?;
        }
        Ok(())
    }

    /// Refuses forbidden addresses as soon as they are written down; names are judged when they are connected
    /// to.
    pub(super) fn check_addresses(&self, broadcast: &Broadcast) -> Result<(), Refused> {
        let policy = self.shared.supervisor.policy();
        let urls = broadcast.stream_url.iter().chain(&broadcast.ip_addr);
        let mut urls = urls.chain(&broadcast.fallback_urls);
        urls.try_for_each(|url| policy.check_url(url))
    }

    /// The protocols that pull from these URLs.
    pub(super) fn routes(
        &self,
        name: &StreamName,
        urls: &[String],
    ) -> Result<Vec<Route>, ControlError> {
        if urls.is_empty() {
            return Err(ControlError::NoSource(name.clone()));
        }
        let route = |url: &String| {
            let protocol = puller(&self.shared.protocols, url).ok_or_else(|| {
                let scheme = url.split(':').next().unwrap_or_default();
                ControlError::Scheme(scheme.to_ascii_lowercase())
            })?;
            let url = url.clone();
            Ok(Route { url, protocol })
        };
        urls.iter().map(route).collect()
    }

    fn run_source(&self, name: &StreamName, routes: Vec<Route>) -> Result<(), ControlError> {
        if self.shared.supervisor.start(name, routes) {
            Ok(())
        } else {
            Err(ControlError::Active(name.clone()))
        }
    }
}
