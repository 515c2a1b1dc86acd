//! What should run, and what does.
//!
//! A [`Broadcast`] is a stream that someone asked for by name; it is kept in the store. What runs is known
//! by the hub and by the [`supervisor`], which keeps sources alive. [`Control`] brings the two together and
//! is what every HTTP API is a view of. Streams that nobody asked for but that someone publishes appear as
//! broadcasts too, for as long as they last.

pub mod broadcast;
mod cameras;
mod demand;
mod endpoint;
mod error;
pub mod news;
mod numbers;
pub mod pictures;
pub mod recordings;
pub mod settings;
mod slate;
mod sources;
pub mod state;
mod static_streams;
pub mod supervisor;
mod talk;
pub mod targets;
mod view;
pub mod webhooks;

#[cfg(test)]
mod tests;

pub use broadcast::{Broadcast, Kind, Patch};
pub use cameras::{CameraFailure, Handle};
pub use endpoint::Endpoint;
pub use error::ControlError;
pub use static_streams::{check as check_static_streams, imported};
pub use talk::{Talk, TalkFailure};
pub use targets::check_place as check_target;
pub use view::{Status, View};

use crate::adapters::Protocol;
use crate::auth::{Auth, StreamKeys};
use crate::config::{self, OnDemand};
use crate::hub::{Change, Hub, Snapshot, Stream, StreamName};
use crate::net::redacted::Redacted;
use crate::store::{self, Store, StoreError};
use cameras::Cameras;
use demand::Demand;
use news::{Told, What};
use numbers::Numbers;
use pictures::Pictures;
use recordings::{Place, Recordings, vod};
use settings::AppSettings;
use slate::Slates;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use supervisor::Supervisor;
use talk::Talks;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use webhooks::Webhooks;

/// Most broadcasts that are kept.
const MAX_BROADCASTS: usize = 100_000;

/// Desired and running, together. Clones share all.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    store: Store,
    supervisor: Supervisor,
    protocols: Vec<Arc<dyn Protocol>>,
    broadcasts: Mutex<BTreeMap<StreamName, Broadcast>>,
    /// What was asked of streams that nobody announced; forgotten when they end.
    passing: Mutex<BTreeMap<StreamName, Broadcast>>,
    recordings: Recordings,
    demand: Demand,
    cameras: Cameras,
    talks: Talks,
    numbers: Numbers,
    pictures: Pictures,
    slates: Slates,
    keys: StreamKeys,
    webhooks: Webhooks,
    /// By application.
    settings: Mutex<BTreeMap<String, AppSettings>>,
    settings_changed: Notify,
    /// Held while a change goes to the store, so that changes reach it in order.
    writing: tokio::sync::Mutex<()>,
}

impl Control {
    /// With what the store holds. Recordings go to their place, pictures to that folder.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(
        hub: Hub,
        store: Store,
        supervisor: Supervisor,
        protocols: Vec<Arc<dyn Protocol>>,
        recordings: Place,
        pictures: &Path,
        on_demand: OnDemand,
    ) -> Result<Self, StoreError> {
        let mut broadcasts = BTreeMap::new();
        let keys = supervisor.context().auth.keys().clone();
        for (key, mut broadcast) in store.all::<Broadcast>(store::Kind::Broadcasts)? {
            match key
                .split_once('/')
                .map(|(app, id)| StreamName::new(app, id))
            {
                Some(Ok(name)) => {
                    broadcast.cut_off = broadcast.live;
                    if broadcast.by_file {
                        // The file wants it to run, whoever stopped it before.
                        broadcast.wanted = None;
                    }
                    if broadcast.implied && broadcast.endpoints.is_empty() {
                        // It was there for targets that were to be tried once.
                        continue;
                    }
                    if let Some(key) = &broadcast.stream_key {
                        keys.insert(key, &name);
                    }
                    broadcasts.insert(name, broadcast);
                }
                _ => tracing::warn!(key, "a broadcast in the store has no valid name"),
            }
        }
        let pictures = Pictures::new(pictures);
        let recordings = Recordings::new(recordings, &store, supervisor.outlet().clone())?;
        let numbers = Numbers::new(&store)?;
        let webhooks = Webhooks::new(&store)?;
        let settings: BTreeMap<String, AppSettings> =
            store.all(store::Kind::Settings)?.into_iter().collect();
        for (app, settings) in &settings {
            supervisor.limit_retries(app, settings.endpoint_republish_limit);
            match settings::rules(settings) {
                Ok(rules) => supervisor.context().auth.set_rules(app, rules),
                Err(error) => {
                    tracing::error!(app, error, "what the settings say of access cannot be used");
                }
            }
        }
        let broadcasts = Mutex::new(broadcasts);
        let writing = tokio::sync::Mutex::default();
        Ok(Self {
            shared: Arc::new(Shared {
                hub,
                store,
                supervisor,
                protocols,
                broadcasts,
                passing: Mutex::default(),
                recordings,
                demand: Demand::new(on_demand),
                cameras: Cameras::default(),
                talks: Talks::default(),
                numbers,
                pictures,
                slates: Slates::default(),
                keys,
                webhooks,
                settings: Mutex::new(settings),
                settings_changed: Notify::new(),
                writing,
            }),
        })
    }

    /// Logs what happens to streams from the call on, and remembers when each broadcast was live. Runs for ever.
    pub fn follow_hub(self) -> impl Future<Output = ()> + Send {
        self.hold_slated();
        let changes = self.shared.hub.changes();
        self.follow(changes)
    }

    async fn follow(self, mut changes: Receiver<Change>) {
        let mut told = Told::default();
        loop {
            match changes.recv().await {
                Ok(Change::Published(stream)) => {
                    let snapshot = stream.snapshot();
                    let origin = &snapshot.origin;
                    let (by, from) = (origin.protocol, Redacted(&origin.address));
                    let agent = origin.agent.as_deref().unwrap_or("");
                    tracing::info!(stream = %stream.name(), by, %from, agent, "stream published");
                    if !snapshot.ready {
                        tokio::spawn(tell_tracks(stream.clone()));
                    }
                    self.tell_life(&mut told, &stream);
                    self.mark(stream.name(), |broadcast| {
                        broadcast.started = Some(SystemTime::now());
                        self.settle(stream.name(), broadcast);
                    })
                    .await;
                    self.record_if_asked(&stream);
                }
                Ok(Change::Ended(stream, reason)) => {
                    let Snapshot { since, bytes, .. } = stream.snapshot();
                    let lasted = since.elapsed().unwrap_or_default().as_secs();
                    tracing::info!(stream = %stream.name(), ?reason, lasted, bytes, "stream ended");
                    told.forget(&stream);
                    self.forget_passing(stream.name());
                    self.mark(stream.name(), |broadcast| {
                        self.settle(stream.name(), broadcast);
                    })
                    .await;
                }
                Ok(Change::Interrupted(stream)) => {
                    tracing::info!(stream = %stream.name(), "publisher gone, waiting for it to come back");
                    self.show_slate(&stream);
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "too many changes of streams at once");
                    told.forget_ended();
                    for stream in self.shared.hub.list() {
                        self.tell_life(&mut told, &stream);
                        self.record_if_asked(&stream);
                    }
                    self.settle_all().await;
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Keeps a new broadcast. It gets the targets that wait for a stream of that name, and a number where it has a
    /// source.
    ///
    /// # Errors
    /// When it is to be pulled from a forbidden address, the name is in use, there are too many, or it cannot
    /// be kept.
    pub async fn create(
        &self,
        name: StreamName,
        mut broadcast: Broadcast,
    ) -> Result<View, ControlError> {
        self.check_addresses(&broadcast)?;
        self.check_hook(broadcast.notes.listener_hook_url.as_deref())?;
        let _writing = self.shared.writing.lock().await;
        let known = self.lock().get(&name).cloned();
        let is_known = known.as_ref().is_some_and(|known| !known.implied);
        if is_known || self.shared.hub.get(&name).is_some() {
            return Err(ControlError::Exists(name));
        }
        let count = self.lock().len();
        if count >= MAX_BROADCASTS {
            return Err(ControlError::Full(count));
        }
        if broadcast.kind.is_pulled() {
            broadcast.number = self.numbers(1).await?.start;
        }
        if let Some(known) = known {
            broadcast.endpoints.extend(known.endpoints);
            broadcast.record = broadcast.record.or(known.record);
            broadcast.slate = broadcast.slate.or(known.slate);
        }
        self.keep(&name, &broadcast).await?;
        self.lock().insert(name.clone(), broadcast.clone());
        if let Some(key) = &broadcast.stream_key {
            self.shared.keys.insert(key, &name);
        }
        self.reconsider(&name);
        Ok(self.view(&name, broadcast))
    }

    /// Writes down what is asked of a broadcast, where it is to survive a restart.
    async fn keep(&self, name: &StreamName, broadcast: &Broadcast) -> Result<(), StoreError> {
        let (store, kind) = (&self.shared.store, store::Kind::Broadcasts);
        if !broadcast.once {
            return store.put(kind, name.as_str(), broadcast).await;
        }
        // Of what is tried once, its targets are kept: they wait for a stream of that name.
        let endpoints = broadcast.endpoints.iter();
        let left = Broadcast {
            implied: true,
            created: broadcast.created,
            endpoints: endpoints.filter(|one| !one.once).cloned().collect(),
            ..Broadcast::default()
        };
        match left.endpoints.is_empty() {
            true => store.remove(kind, name.as_str()).await,
            false => store.put(kind, name.as_str(), &left).await,
        }
    }

    /// Other rules for sources, from now on.
    pub fn set_sources(&self, settings: config::Sources) {
        self.shared.supervisor.set(settings);
    }

    /// Who may do what.
    pub fn auth(&self) -> &Auth {
        &self.shared.supervisor.context().auth
    }

    /// One broadcast.
    pub fn get(&self, name: &StreamName) -> Option<View> {
        let kept = self.lock().get(name).cloned();
        match kept {
            Some(broadcast) => Some(self.view(name, broadcast)),
            None => self.shared.hub.get(name).map(|_| self.temporary_view(name)),
        }
    }

    /// All broadcasts of an application, by ID.
    pub fn list(&self, app: &str) -> Vec<View> {
        self.views(|name| name.app() == app)
    }

    /// All broadcasts, by name.
    pub fn list_all(&self) -> Vec<View> {
        self.views(|_| true)
    }

    fn views(&self, is_wanted: impl Fn(&StreamName) -> bool) -> Vec<View> {
        let mut all = self.lock().clone();
        all.retain(|name, _| is_wanted(name));
        let mut views: Vec<View> = Vec::with_capacity(all.len());
        for stream in self.shared.hub.list() {
            if is_wanted(stream.name()) && !all.contains_key(stream.name()) {
                views.push(self.temporary_view(stream.name()));
            }
        }
        views.extend(
            all.into_iter()
                .map(|(name, broadcast)| self.view(&name, broadcast)),
        );
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// Changes what is given of a broadcast. A source that runs is connected anew if where it is pulled from
    /// has changed, and not disturbed otherwise.
    ///
    /// # Errors
    /// When there is none, the file makes it, it would be pulled from a forbidden address or runs and could not be pulled any
    /// more, or it cannot be kept.
    pub async fn update(&self, name: &StreamName, patch: &Patch) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let mut changed = self
            .lock()
            .get(name)
            .cloned()
            .ok_or_else(|| ControlError::Unknown(name.clone()))?;
        refuse_by_file(name, &changed)?;
        let sources_before = changed.sources();
        patch.apply(&mut changed);
        changed.updated = Some(SystemTime::now());
        // Somebody cares for it now.
        changed.implied = false;
        self.check_addresses(&changed)?;
        self.check_hook(patch.notes.listener_hook_url.as_deref())?;
        let sources = changed.sources();
        let moves = sources != sources_before;
        if moves && self.shared.supervisor.state(name).is_some() {
            self.routes(name, &sources)?;
        }
        self.keep(name, &changed).await?;
        self.lock().insert(name.clone(), changed);
        if moves {
            self.restart_source(name)?;
        }
        self.reconsider(name);
        Ok(())
    }

    /// Stops a broadcast and forgets it.
    ///
    /// # Errors
    /// When there is none, the file makes it, or the store cannot be written.
    pub async fn delete(&self, name: &StreamName) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let known = self.get(name);
        let known = known.ok_or_else(|| ControlError::Unknown(name.clone()))?;
        refuse_by_file(name, &known.broadcast)?;
        self.shared
            .store
            .remove(store::Kind::Broadcasts, name.as_str())
            .await?;
        let removed = self.lock().remove(name);
        self.shared.cameras.forget(name);
        self.hold_for_slate(name, None);
        // That nothing ran is no fault here.
        self.halt(name);
        let passing = self.lock_passing().remove(name);
        for broadcast in [removed, passing].into_iter().flatten() {
            self.stop_targets(name, &broadcast);
            if let Some(key) = &broadcast.stream_key {
                self.shared.keys.remove(key);
            }
            self.shared
                .pictures
                .forget(broadcast.thumbnail.as_deref())
                .await;
        }
        self.shared.hub.stop(name);
        self.shared.hub.withdraw(name);
        Ok(())
    }

    /// Ends every source and stream, for the end of the process, and writes down that it did.
    pub async fn shut_down(&self) {
        self.outlet().tell(What::Stopping);
        self.shared.supervisor.stop_all();
        self.shared.hub.close();
        self.settle_all().await;
    }

    /// Whether a broadcast is live is known from now on.
    fn settle(&self, name: &StreamName, broadcast: &mut Broadcast) {
        broadcast.live = self.shared.hub.get(name).is_some();
        broadcast.cut_off = false;
    }

    /// As [`Control::settle`], of all that were live. In one write: there may be many.
    async fn settle_all(&self) {
        let _writing = self.shared.writing.lock().await;
        let mut settled: Vec<(StreamName, Broadcast)> = Vec::new();
        for (name, broadcast) in self
            .lock()
            .iter()
            .filter(|(_, kept)| !kept.cut_off && !kept.once)
        {
            let mut now = broadcast.clone();
            self.settle(name, &mut now);
            if now != *broadcast {
                settled.push((name.clone(), now));
            }
        }
        let documents = settled.iter().map(|(name, now)| (name.as_str(), now));
        let kept = self
            .shared
            .store
            .put_all(store::Kind::Broadcasts, documents);
        if let Err(error) = kept.await {
            tracing::error!(%error, "cannot keep which broadcasts are live");
        }
        self.lock().extend(settled);
    }

    /// Notes something about a kept broadcast.
    async fn mark(&self, name: &StreamName, change: impl FnOnce(&mut Broadcast)) {
        let _writing = self.shared.writing.lock().await;
        self.note(name, change).await;
    }

    /// As [`Control::mark`], for who holds the right to write.
    async fn note(&self, name: &StreamName, change: impl FnOnce(&mut Broadcast)) {
        let Some(before) = self.lock().get(name).cloned() else {
            return;
        };
        let mut broadcast = before.clone();
        change(&mut broadcast);
        if broadcast == before {
            return;
        }
        if let Err(error) = self.keep(name, &broadcast).await {
            tracing::error!(stream = %name, %error, "cannot keep the state of a broadcast");
        }
        self.lock().insert(name.clone(), broadcast);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamName, Broadcast>> {
        self.shared
            .broadcasts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what a stream is made of, once that is known.
async fn tell_tracks(stream: Arc<Stream>) {
    let Ok(tracks) = stream.ready().await else {
        return;
    };
    let words = tracks.tracks.iter().map(|track| {
        let name = track.codec.name();
        match track.codec.size() {
            Some((width, height)) => format!("{name} {width}x{height}"),
            None => name.to_string(),
        }
    });
    let tracks = words.collect::<Vec<_>>().join(", ");
    tracing::info!(stream = %stream.name(), tracks, "stream ready");
}

/// What the configuration file makes is changed there.
fn refuse_by_file(name: &StreamName, broadcast: &Broadcast) -> Result<(), ControlError> {
    match broadcast.by_file {
        true => Err(ControlError::ByFile(name.clone())),
        false => Ok(()),
    }
}
