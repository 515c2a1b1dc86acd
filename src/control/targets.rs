//! Targets of broadcasts: kept with them, and pushed to while their streams are live.
//!
//! A stream that nobody announced can have targets too; they last as long as it does.

use super::supervisor::TargetState;
use super::{Broadcast, Control, ControlError, Endpoint};
use crate::adapters::Protocol;
use crate::hub::StreamName;
use crate::store;
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Most targets of one stream.
const MAX_TARGETS: usize = 1_000;

/// A target with what is known of it now.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// How it is.
    pub state: TargetState,
}

impl Control {
    /// Starts the targets of all broadcasts that are kept; they wait for their streams.
    pub fn start_targets(&self) {
        for (name, broadcast) in self.lock().clone() {
            for endpoint in &broadcast.endpoints {
                if let Err(error) = self.run_target(&name, endpoint) {
                    tracing::error!(stream = %name, target = ?endpoint, %error, "cannot start a target");
                }
            }
        }
    }

    /// Adds a target; it runs from now on. Returns its ID.
    ///
    /// # Errors
    /// When there is no such broadcast or stream, it is pushed there already, no protocol pushes to such a
    /// URL, its address is forbidden, or it cannot be kept.
    pub async fn add_target(&self, name: &StreamName, url: &str) -> Result<String, ControlError> {
        self.pusher(url)?;
        self.shared.supervisor.policy().check_url(url)?;
        let endpoint = Endpoint {
            id: new_id(),
            url: url.to_owned(),
        };
        self.change_asked(name, |broadcast| {
            let known = &mut broadcast.endpoints;
            if known.iter().any(|known| known.url == url) {
                return Err(ControlError::TargetExists(name.clone()));
            }
            if known.len() >= MAX_TARGETS {
                return Err(ControlError::TargetsFull(known.len()));
            }
            known.push(endpoint.clone());
            Ok(())
        })
        .await?;
        self.run_target(name, &endpoint)?;
        Ok(endpoint.id)
    }

    /// Removes a target and stops it at once, whatever it is doing.
    ///
    /// # Errors
    /// When there is no such broadcast or target, or that cannot be kept.
    pub async fn remove_target(&self, name: &StreamName, id: &str) -> Result<(), ControlError> {
        self.change_asked(name, |broadcast| {
            let before = broadcast.endpoints.len();
            broadcast.endpoints.retain(|endpoint| endpoint.id != id);
            if broadcast.endpoints.len() == before {
                return Err(ControlError::UnknownTarget(name.clone()));
            }
            Ok(())
        })
        .await?;
        self.shared.supervisor.stop_target(name, id);
        Ok(())
    }

    /// Changes what is asked of a broadcast, or of a stream that nobody announced while it lasts.
    pub(super) async fn change_asked(
        &self,
        name: &StreamName,
        change: impl FnOnce(&mut Broadcast) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let kept = self.lock().get(name).cloned();
        if let Some(mut broadcast) = kept {
            let was_standing = self.shared.demand.is_standing(&broadcast);
            change(&mut broadcast)?;
            if !was_standing && self.shared.demand.is_standing(&broadcast) {
                // Wanted anew, it is stopped by hand no longer.
                broadcast.wanted = broadcast.wanted.filter(|wanted| *wanted);
            }
            self.shared
                .store
                .put(store::Kind::Broadcasts, name.as_str(), &broadcast)
                .await?;
            self.lock().insert(name.clone(), broadcast);
            self.reconsider(name);
            return Ok(());
        }
        if self.shared.hub.get(name).is_none() {
            return Err(ControlError::Unknown(name.clone()));
        }
        change(self.lock_passing().entry(name.clone()).or_default())
    }

    pub(super) fn target_views(&self, name: &StreamName, broadcast: &Broadcast) -> Vec<TargetView> {
        let view = |endpoint: &Endpoint| {
            let state = self.shared.supervisor.target_state(name, &endpoint.id);
            TargetView {
                endpoint: endpoint.clone(),
                state: state.unwrap_or_default(),
            }
        };
        broadcast.endpoints.iter().map(view).collect()
    }

    pub(super) fn stop_targets(&self, name: &StreamName, broadcast: &Broadcast) {
        for endpoint in &broadcast.endpoints {
            self.shared.supervisor.stop_target(name, &endpoint.id);
        }
    }

    /// A stream that nobody announced is over, and with it what was asked of it. Its targets say goodbye by
    /// themselves, and wait then for a stream that will not be theirs: they are stopped a little later.
    pub(super) fn forget_passing(&self, name: &StreamName) {
        if self.shared.hub.get(name).is_some() {
            return;
        }
        let Some(broadcast) = self.lock_passing().remove(name) else {
            return;
        };
        let (control, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            control.stop_targets(&name, &broadcast);
        });
    }

    pub(super) fn lock_passing(&self) -> MutexGuard<'_, BTreeMap<StreamName, Broadcast>> {
        self.shared
            .passing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn run_target(&self, name: &StreamName, endpoint: &Endpoint) -> Result<(), ControlError> {
        let protocol = self.pusher(&endpoint.url)?;
        let supervisor = &self.shared.supervisor;
        supervisor.start_target(name, &endpoint.id, &endpoint.url, protocol);
        Ok(())
    }

    fn pusher(&self, url: &str) -> Result<Arc<dyn Protocol>, ControlError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let mut protocols = self.shared.protocols.iter();
        let found = protocols.find(|protocol| protocol.pushes(&scheme));
        found.cloned().ok_or(ControlError::PushScheme(scheme))
    }
}

/// Time that the targets of a stream that is over have to say so.
const FAREWELL: std::time::Duration = std::time::Duration::from_millis(500);

/// As Ant Media Server makes them.
fn new_id() -> String {
    format!("custom{}", super::vod::random_text(6))
}
