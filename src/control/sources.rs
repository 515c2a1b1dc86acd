//! Sources of broadcasts: started and stopped on demand of the API, and again after a restart of the server.

use super::supervisor::{Route, SourcePhase};
use super::{Broadcast, Control, ControlError, View};
use crate::adapters::{Connection, Protocol, puller};
use crate::hub::StreamName;
use crate::net::policy::Refused;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Control {
    /// Starts every source that nobody has stopped, in the applications whose settings ask for it. Those on demand
    /// wait for who wants them.
    pub fn start_sources(&self) {
        let kept = self.lock().clone();
        for (name, broadcast) in kept {
            let starts = broadcast.wanted != Some(false)
                && !broadcast.auto_start_stop
                && !broadcast.sources().is_empty();
            let is_asked =
                broadcast.standing || self.settings(name.app()).start_stream_fetcher_automatically;
            if !starts || !is_asked {
                continue;
            }
            match self.start_source(&name) {
                Ok(()) | Err(ControlError::Active(_)) => {}
                Err(error) => {
                    tracing::error!(stream = %name, %error, "cannot start a source");
                }
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

    /// Keeps a new broadcast and starts to pull it.
    ///
    /// # Errors
    /// As [`Control::create`], and when no protocol pulls from its URLs. Then nothing has changed.
    pub async fn add_source(
        &self,
        name: StreamName,
        broadcast: Broadcast,
    ) -> Result<View, ControlError> {
        self.routes(&name, &broadcast.sources())?;
        let view = self.create(name.clone(), broadcast).await?;
        self.start(&name).await?;
        Ok(view)
    }

    /// Stops a source and forgets its broadcast, but for targets that it has: they wait for a stream of that name.
    ///
    /// # Errors
    /// When there is no such broadcast, or the store cannot be written.
    pub async fn remove_source(&self, name: &StreamName) -> Result<(), ControlError> {
        let targets = {
            let _writing = self.shared.writing.lock().await;
            let kept = self.lock().get(name).cloned();
            let kept = kept.ok_or_else(|| ControlError::Unknown(name.clone()))?;
            super::refuse_by_file(name, &kept)?;
            if !kept.endpoints.is_empty() {
                let left = Broadcast {
                    implied: true,
                    created: kept.created,
                    endpoints: kept.endpoints,
                    ..Broadcast::default()
                };
                self.keep(name, &left).await?;
                self.lock().insert(name.clone(), left);
            }
            self.lock().get(name).is_some_and(|left| left.implied)
        };
        if !targets {
            return self.delete(name).await;
        }
        self.hold_for_slate(name, None);
        self.halt(name);
        self.shared.hub.stop(name);
        self.shared.hub.withdraw(name);
        Ok(())
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
            let protocol = pulled_by(&self.shared.protocols, url)?;
            let url = url.clone();
            Ok(Route { url, protocol })
        };
        urls.iter().map(route).collect()
    }

    fn run_source(&self, name: &StreamName, routes: Vec<Route>) -> Result<(), ControlError> {
        let is_once = self.lock().get(name).is_some_and(|kept| kept.once);
        let once = is_once.then(CancellationToken::new);
        let guard = once.clone().map(CancellationToken::drop_guard);
        if !self.shared.supervisor.start(name, routes, guard) {
            return Err(ControlError::Active(name.clone()));
        }
        if let Some(over) = once {
            let (control, name) = (self.clone(), name.clone());
            tokio::spawn(async move {
                over.cancelled().await;
                // It may have been begun again.
                if control.shared.supervisor.state(&name).is_none() {
                    control.forget_source(&name).await;
                }
            });
        }
        Ok(())
    }

    async fn forget_source(&self, name: &StreamName) {
        match self.remove_source(name).await {
            Ok(()) | Err(ControlError::Unknown(_)) => {}
            Err(error) => tracing::error!(stream = %name, %error, "cannot forget a source"),
        }
    }
}

/// The protocol that pulls a URL.
pub(super) fn pulled_by(
    protocols: &[Arc<dyn Protocol>],
    url: &str,
) -> Result<Arc<dyn Protocol>, ControlError> {
    puller(protocols, url).ok_or_else(|| {
        let scheme = url.split(':').next().unwrap_or_default();
        ControlError::Scheme(scheme.to_ascii_lowercase())
    })
}
