//! Targets of broadcasts: kept with them, and pushed to while their streams are live.
//!
//! A stream that nobody announced can have targets too; those of [`Control::add_target`] last as long as it does. What
//! [`Control::push`] adds waits for a stream that need not exist, and is kept with a broadcast that is made for it.

use super::supervisor::{Phase, Sent, TargetState};
use super::{Broadcast, Control, ControlError, Endpoint};
use crate::adapters::Protocol;
use crate::hub::StreamName;
use crate::net::policy::Policy;
use crate::store;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// Most targets of one stream.
pub(super) const MAX_TARGETS: usize = 1_000;

/// Longest URL of a target, in bytes.
const MAX_URL: usize = 8_192;

/// Time that the targets of a stream that is over have to say so.
const FAREWELL: Duration = Duration::from_millis(500);

/// A target with what is known of it now.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// How it is.
    pub state: TargetState,
}

/// Changes to a target: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TargetPatch {
    /// Where to push, and the words in which that was asked for.
    pub place: Option<(String, BTreeMap<String, String>)>,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it stands still.
    pub paused: Option<bool>,
}

/// All targets together.
#[derive(Clone, Debug, Default)]
pub struct TargetTotals {
    /// How many are in each phase, but for those that stand still.
    pub phases: BTreeMap<Phase, usize>,
    /// What those that exist were sent.
    pub sent: Sent,
    /// How often those that exist were connected again.
    pub reconnects: u64,
    /// The longest way to one of them and back, where any is known.
    pub round_trip: Option<Duration>,
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
        let endpoint = self.identified(Endpoint::to(url)).await?;
        let added = endpoint.clone();
        self.change_asked(name, |broadcast| add(name, &mut broadcast.endpoints, added))
            .await?;
        self.run_target(name, &endpoint)?;
        Ok(endpoint.id)
    }

    /// Adds a target as [`Control::add_target`] does, to a stream that need not exist: a broadcast is made for it then.
    /// Number and ID of `wish` are chosen here.
    ///
    /// # Errors
    /// When it is pushed there already, the URL cannot be pushed to or its address is forbidden, or it cannot be kept.
    pub async fn push(&self, name: &StreamName, wish: Endpoint) -> Result<Endpoint, ControlError> {
        self.check_target(&wish.url)?;
        let endpoint = self.identified(wish).await?;
        {
            let _writing = self.shared.writing.lock().await;
            let is_new = !self.lock().contains_key(name);
            let passing = match is_new {
                true => self.imply(name)?,
                false => None,
            };
            let added = endpoint.clone();
            let change = |broadcast: &mut Broadcast| add(name, &mut broadcast.endpoints, added);
            let changed = self.change_kept(name, change).await;
            if changed.is_err() && is_new {
                self.lock().remove(name);
                if let Some(passing) = passing {
                    self.lock_passing().insert(name.clone(), passing);
                    // The stream may have ended meanwhile.
                    self.forget_passing(name);
                }
            }
            changed?;
        }
        self.run_target(name, &endpoint)?;
        Ok(endpoint)
    }

    /// Removes a target and stops it at once, whatever it is doing.
    ///
    /// # Errors
    /// When there is no such broadcast or target, or that cannot be kept.
    pub async fn remove_target(&self, name: &StreamName, id: &str) -> Result<(), ControlError> {
        self.change_asked(name, |broadcast| {
            let place = broadcast.endpoints.iter().position(|known| known.id == id);
            let place = place.ok_or_else(|| ControlError::UnknownTarget(name.clone()))?;
            let removed = broadcast.endpoints.remove(place);
            refuse_by_file(name, &removed)
        })
        .await?;
        self.shared.supervisor.stop_target(name, id);
        self.forget_implied(name).await
    }

    /// Changes a target and nothing else. It is connected anew if where it is pushed to has changed.
    ///
    /// # Errors
    /// As [`Control::push`], and when there is no such target.
    pub async fn change_target(
        &self,
        name: &StreamName,
        id: &str,
        patch: TargetPatch,
    ) -> Result<Endpoint, ControlError> {
        if let Some((url, _)) = &patch.place {
            self.check_target(url)?;
        }
        let mut before = None;
        let mut after = None;
        self.change_asked(name, |broadcast| {
            let url = patch.place.as_ref().map(|(url, _)| url);
            let mut all = broadcast.endpoints.iter();
            if all.any(|other| other.id != id && Some(&other.url) == url) {
                return Err(ControlError::TargetExists(name.clone()));
            }
            let mut all = broadcast.endpoints.iter_mut();
            let endpoint = all.find(|endpoint| endpoint.id == id);
            let endpoint = endpoint.ok_or_else(|| ControlError::UnknownTarget(name.clone()))?;
            before = Some(endpoint.clone());
            if patch.place.is_some() || patch.name.is_some() {
                refuse_by_file(name, endpoint)?;
            }
            if let Some((url, said)) = patch.place {
                (endpoint.url, endpoint.said) = (url, said);
            }
            endpoint.name = patch.name.or_else(|| endpoint.name.take());
            endpoint.paused = patch.paused.unwrap_or(endpoint.paused);
            after = Some(endpoint.clone());
            Ok(())
        })
        .await?;
        let (Some(before), Some(after)) = (before, after) else {
            return Err(ControlError::UnknownTarget(name.clone()));
        };
        if (&before.url, before.paused) != (&after.url, after.paused) {
            self.shared.supervisor.stop_target(name, id);
            self.run_target(name, &after)?;
        }
        Ok(after)
    }

    /// Lets a target stand still, or go on.
    ///
    /// # Errors
    /// When there is no such target, or that cannot be kept.
    pub async fn pause_target(
        &self,
        name: &StreamName,
        id: &str,
        paused: bool,
    ) -> Result<Endpoint, ControlError> {
        let patch = TargetPatch {
            paused: Some(paused),
            ..TargetPatch::default()
        };
        self.change_target(name, id, patch).await
    }

    /// Connects a target anew.
    ///
    /// # Errors
    /// When there is no such target.
    pub fn restart_target(&self, name: &StreamName, id: &str) -> Result<(), ControlError> {
        let asked = self.asked(name);
        let mut endpoints = asked.iter().flat_map(|broadcast| &broadcast.endpoints);
        let endpoint = endpoints.find(|endpoint| endpoint.id == id);
        let endpoint = endpoint.ok_or_else(|| ControlError::UnknownTarget(name.clone()))?;
        self.shared.supervisor.stop_target(name, id);
        self.run_target(name, endpoint)
    }

    /// Puts targets in the place of all that a broadcast has. One that is pushed to the same URL goes on undisturbed,
    /// with its ID and number, under the name that is wished.
    ///
    /// # Errors
    /// As [`Control::push`], and when there is no such broadcast. Then nothing has changed.
    pub async fn set_targets(
        &self,
        name: &StreamName,
        wishes: Vec<Endpoint>,
    ) -> Result<(), ControlError> {
        let mut urls = HashSet::new();
        for wish in &wishes {
            self.check_target(&wish.url)?;
            if !urls.insert(wish.url.as_str()) {
                return Err(ControlError::TargetExists(name.clone()));
            }
        }
        if wishes.len() > MAX_TARGETS {
            return Err(ControlError::TargetsFull(MAX_TARGETS));
        }
        let mut numbers = self.numbers(wishes.len()).await?;
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        self.change_asked(name, |broadcast| {
            let mut before = std::mem::take(&mut broadcast.endpoints);
            for wish in wishes {
                let known = before.iter().position(|known| known.url == wish.url);
                let endpoint = match known.map(|at| before.swap_remove(at)) {
                    Some(known) => Endpoint {
                        name: wish.name,
                        said: wish.said,
                        ..known
                    },
                    None => {
                        let number = numbers.next().unwrap_or(0);
                        let id = new_id();
                        new.push(Endpoint { id, number, ..wish });
                        new.last().cloned().unwrap_or_default()
                    }
                };
                broadcast.endpoints.push(endpoint);
            }
            gone = before;
            gone.iter()
                .try_for_each(|endpoint| refuse_by_file(name, endpoint))
        })
        .await?;
        for endpoint in &gone {
            self.shared.supervisor.stop_target(name, &endpoint.id);
        }
        new.iter()
            .try_for_each(|endpoint| self.run_target(name, endpoint))
    }

    /// Whether a URL can be pushed to, as far as its text tells.
    ///
    /// # Errors
    /// Why not.
    pub fn check_target(&self, url: &str) -> Result<(), ControlError> {
        check_place(&self.shared.protocols, self.shared.supervisor.policy(), url)
    }

    /// All targets together.
    pub fn target_totals(&self) -> TargetTotals {
        let mut totals = TargetTotals::default();
        let mut live = Vec::new();
        self.shared.supervisor.each_target(|state| {
            if state.phase == Phase::Live {
                live.push(state.progress.clone());
            }
            *totals.phases.entry(state.phase).or_default() += 1;
            totals.sent = totals.sent.plus(state.sent());
            totals.reconnects = totals.reconnects.saturating_add(state.reconnects());
        });
        let trips = live.iter().filter_map(|progress| progress.round_trip());
        totals.round_trip = trips.max();
        totals
    }

    /// Changes what is asked of a broadcast, or of a stream that nobody announced while it lasts.
    pub(super) async fn change_asked(
        &self,
        name: &StreamName,
        change: impl FnOnce(&mut Broadcast) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let is_kept = self.lock().contains_key(name);
        if is_kept {
            return self.change_kept(name, change).await;
        }
        if self.shared.hub.get(name).is_none() {
            return Err(ControlError::Unknown(name.clone()));
        }
        change(self.lock_passing().entry(name.clone()).or_default())
    }

    /// Changes what is asked of a broadcast that is kept. For who holds the right to write.
    async fn change_kept(
        &self,
        name: &StreamName,
        change: impl FnOnce(&mut Broadcast) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let kept = self.lock().get(name).cloned();
        let mut broadcast = kept.ok_or_else(|| ControlError::Unknown(name.clone()))?;
        let was_standing = self.shared.demand.is_standing(&broadcast);
        change(&mut broadcast)?;
        if !was_standing && self.shared.demand.is_standing(&broadcast) {
            // Wanted anew, it is stopped by hand no longer.
            broadcast.wanted = broadcast.wanted.filter(|wanted| *wanted);
        }
        self.keep(name, &broadcast).await?;
        self.lock().insert(name.clone(), broadcast);
        self.reconsider(name);
        Ok(())
    }

    pub(super) fn target_views(&self, name: &StreamName, broadcast: &Broadcast) -> Vec<TargetView> {
        let view = |endpoint: &Endpoint| {
            let state = self.shared.supervisor.target_state(name, &endpoint.id);
            let otherwise = || match endpoint.paused {
                true => TargetState::paused(),
                false => TargetState::default(),
            };
            TargetView {
                endpoint: endpoint.clone(),
                state: state.unwrap_or_else(otherwise),
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
        self.hold_for_slate(name, None);
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

    /// What is asked of a broadcast or a stream that nobody announced.
    pub(super) fn asked(&self, name: &StreamName) -> Option<Broadcast> {
        let kept = self.lock().get(name).cloned();
        kept.or_else(|| self.lock_passing().get(name).cloned())
    }

    /// Makes a broadcast that waits for a stream of that name. For who holds the right to write; nothing is written yet.
    /// Returns what was asked of a stream that nobody announced, which is asked of the broadcast from now on.
    fn imply(&self, name: &StreamName) -> Result<Option<Broadcast>, ControlError> {
        let count = self.lock().len();
        if count >= super::MAX_BROADCASTS {
            return Err(ControlError::Full(count));
        }
        let passing = self.lock_passing().remove(name);
        let live = self.shared.hub.get(name);
        let broadcast = Broadcast {
            implied: true,
            created: SystemTime::now(),
            started: live.as_ref().map(|stream| stream.snapshot().since),
            live: live.is_some(),
            ..passing.clone().unwrap_or_default()
        };
        self.lock().insert(name.clone(), broadcast);
        Ok(passing)
    }

    /// A broadcast that is there for its targets goes with the last of them.
    async fn forget_implied(&self, name: &StreamName) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let is_over = |broadcast: &Broadcast| broadcast.implied && broadcast.endpoints.is_empty();
        if self.lock().get(name).is_some_and(is_over) {
            self.shared
                .store
                .remove(store::Kind::Broadcasts, name.as_str())
                .await?;
            self.lock().remove(name);
            self.hold_for_slate(name, None);
        }
        Ok(())
    }

    pub(super) async fn identified(&self, wish: Endpoint) -> Result<Endpoint, ControlError> {
        let number = self.numbers(1).await?.start;
        let id = new_id();
        Ok(Endpoint { id, number, ..wish })
    }

    pub(super) fn run_target(
        &self,
        name: &StreamName,
        endpoint: &Endpoint,
    ) -> Result<(), ControlError> {
        if endpoint.paused {
            return Ok(());
        }
        let protocol = self.pusher(&endpoint.url)?;
        let once = endpoint.once.then(CancellationToken::new);
        let guard = once.clone().map(CancellationToken::drop_guard);
        let supervisor = &self.shared.supervisor;
        supervisor.start_target(name, endpoint, protocol, guard);
        if let Some(over) = once {
            let (control, name, id) = (self.clone(), name.clone(), endpoint.id.clone());
            tokio::spawn(async move {
                over.cancelled().await;
                control.forget_once(&name, &id).await;
            });
        }
        Ok(())
    }

    /// A target that was to be tried once has been. One that stands still, or was begun again, goes on.
    async fn forget_once(&self, name: &StreamName, id: &str) {
        let asked = self.asked(name);
        let mut endpoints = asked.iter().flat_map(|broadcast| &broadcast.endpoints);
        let stands = endpoints.any(|endpoint| endpoint.id == id && endpoint.paused);
        if stands || self.shared.supervisor.target_state(name, id).is_some() {
            return;
        }
        match self.remove_target(name, id).await {
            Ok(()) | Err(ControlError::Unknown(_) | ControlError::UnknownTarget(_)) => {}
            Err(error) => tracing::error!(stream = %name, %error, "cannot forget a target"),
        }
    }

    fn pusher(&self, url: &str) -> Result<Arc<dyn Protocol>, ControlError> {
        pushed_by(&self.shared.protocols, url)
    }
}

/// The protocol that pushes to a URL.
fn pushed_by(
    protocols: &[Arc<dyn Protocol>],
    url: &str,
) -> Result<Arc<dyn Protocol>, ControlError> {
    let scheme = url.split(':').next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let mut protocols = protocols.iter();
    let found = protocols.find(|protocol| protocol.pushes(&scheme));
    found.cloned().ok_or(ControlError::PushScheme(scheme))
}

/// Whether a URL can be pushed to, as far as its text tells.
///
/// # Errors
/// Why not.
pub fn check_place(
    protocols: &[Arc<dyn Protocol>],
    policy: &Policy,
    url: &str,
) -> Result<(), ControlError> {
    if url.len() > MAX_URL
        || url.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    {
        return Err(ControlError::Place(
            "the URL is too long, or holds white space".to_owned(),
        ));
    }
    let protocol = pushed_by(protocols, url)?;
    policy.check_url(url)?;
    protocol.check_push(url).map_err(ControlError::Place)
}

fn add(
    name: &StreamName,
    known: &mut Vec<Endpoint>,
    endpoint: Endpoint,
) -> Result<(), ControlError> {
    if known.iter().any(|known| known.url == endpoint.url) {
        return Err(ControlError::TargetExists(name.clone()));
    }
    if known.len() >= MAX_TARGETS {
        return Err(ControlError::TargetsFull(known.len()));
    }
    known.push(endpoint);
    Ok(())
}

/// What the configuration file says is changed there.
fn refuse_by_file(name: &StreamName, endpoint: &Endpoint) -> Result<(), ControlError> {
    match endpoint.by_file {
        true => Err(ControlError::ByFile(name.clone())),
        false => Ok(()),
    }
}

/// As Ant Media Server makes them.
pub(super) fn new_id() -> String {
    format!("custom{}", super::vod::random_text(6))
}
