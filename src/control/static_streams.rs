//! Streams that the configuration file makes: broadcasts as all others, of which the file says what they are.
//!
//! They are kept in the store for what is remembered of them (numbers, when they were live). What the file says no longer
//! goes when it is read the next time; what it says as before is not touched.

use super::sources::pulled_by;
use super::targets::{MAX_TARGETS, check_place, new_id};
use super::{Broadcast, Control, ControlError, Endpoint, Kind};
use crate::adapters::Protocol;
use crate::config::{Config, ConfigError, Secret, StaticStream};
use crate::hub::StreamName;
use crate::net::policy::Policy;
use crate::store;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

/// Most streams of one file.
const MAX_STREAMS: usize = 10_000;

/// Whether the streams of a configuration can be had: by their URLs, as far as these tell.
///
/// # Errors
/// What is wrong with one, and where.
pub fn check(protocols: &[Arc<dyn Protocol>], config: &Config) -> Result<(), ConfigError> {
    let policy = Policy::new(config.general.network);
    let streams = config.static_streams()?;
    if streams.len() > MAX_STREAMS {
        let words = format!("{} streams are too many: {MAX_STREAMS}", streams.len());
        return Err(config.error("stream", &words));
    }
    for (key, stream) in streams.values() {
        let error = |of: &str, words: &str| config.error(&format!("stream.{key}.{of}"), words);
        for url in &stream.source {
            let checked = pulled_by(protocols, url.reveal());
            let protocol = checked.map_err(|why| error("source", &why.to_string()))?;
            let checked = policy.check_url(url.reveal());
            checked.map_err(|why| error("source", &why.to_string()))?;
            let checked = protocol.check_pull(url.reveal());
            checked.map_err(|why| error("source", &why))?;
        }
        if stream.on_demand && stream.source.is_empty() {
            return Err(error("on_demand", "needs a source as well"));
        }
        let mut urls = HashSet::new();
        for url in stream.targets.iter().map(Secret::reveal) {
            let checked = check_place(protocols, &policy, url);
            checked.map_err(|why| error("targets", &why.to_string()))?;
            if !urls.insert(url) {
                return Err(error("targets", "the same URL is there twice"));
            }
        }
        if urls.len() > MAX_TARGETS {
            return Err(error("targets", &format!("{MAX_TARGETS} are the most")));
        }
        let key = stream.stream_key.as_ref();
        if key.is_some_and(|key| key.reveal().len() < 8) {
            return Err(error("stream_key", "needs at least 8 characters"));
        }
    }
    Ok(())
}

impl Control {
    /// Makes the streams of the configuration what it says now. Those that it says the same of as before are not touched.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub async fn set_static_streams(
        &self,
        streams: &BTreeMap<StreamName, StaticStream>,
    ) -> Result<(), ControlError> {
        let _writing = self.shared.writing.lock().await;
        let known: BTreeMap<StreamName, Broadcast> = self.lock().clone();
        let mut changed: Vec<(&StreamName, Broadcast)> = Vec::new();
        for (name, stream) in streams {
            let before = known.get(name);
            if before.is_some_and(|before| !before.by_file && !before.implied) {
                tracing::warn!(stream = %name, "the configuration file says from now on what this stream is, which the API made");
            }
            let after = self.said(before, stream).await?;
            if before != Some(&after) {
                changed.push((name, after));
            }
        }
        let kept = changed.iter().map(|(name, after)| (name.as_str(), after));
        let kind = store::Kind::Broadcasts;
        self.shared.store.put_all(kind, kept).await?;
        for (name, after) in changed {
            self.lock().insert(name.clone(), after.clone());
            self.follow_change(name, known.get(name), &after);
        }
        let gone = known.iter().filter(|(_, kept)| kept.by_file);
        for (name, before) in gone.filter(|(name, _)| !streams.contains_key(name)) {
            self.drop_static(name, before).await?;
        }
        Ok(())
    }

    /// The broadcast that a stream of the file is, with what is remembered of it.
    async fn said(
        &self,
        before: Option<&Broadcast>,
        stream: &StaticStream,
    ) -> Result<Broadcast, ControlError> {
        let mut after = before.cloned().unwrap_or_else(|| Broadcast {
            created: SystemTime::now(),
            ..Broadcast::default()
        });
        describe(&mut after, stream);
        after.by_file = true;
        let mut known = std::mem::take(&mut after.endpoints);
        for url in &stream.targets {
            let place = known.iter().position(|known| known.url == url.reveal());
            let endpoint = match place {
                Some(place) => known.swap_remove(place),
                None => self.identified(Endpoint::to(url.reveal())).await?,
            };
            let by_file = true;
            after.endpoints.push(Endpoint {
                by_file,
                ..endpoint
            });
        }
        // Those of the API stay.
        known.retain(|endpoint| !endpoint.by_file);
        after.endpoints.append(&mut known);
        if after.kind.is_pulled() && after.number == 0 {
            after.number = self.numbers(1).await?.start;
        }
        if before.is_none_or(|before| *before != after) {
            // What was stopped was another.
            after.wanted = None;
        }
        Ok(after)
    }

    /// Has what runs be what is asked for. For who holds the right to write.
    pub(super) fn follow_change(
        &self,
        name: &StreamName,
        before: Option<&Broadcast>,
        after: &Broadcast,
    ) {
        let none = Broadcast::default();
        let before = before.unwrap_or(&none);
        let is_same = |one: &Endpoint, other: &Endpoint| {
            (&one.id, &one.url, one.paused) == (&other.id, &other.url, other.paused)
        };
        let is_in = |all: &Broadcast, one: &Endpoint| all.endpoints.iter().any(|e| is_same(e, one));
        for gone in before.endpoints.iter().filter(|one| !is_in(after, one)) {
            self.shared.supervisor.stop_target(name, &gone.id);
        }
        for new in after.endpoints.iter().filter(|one| !is_in(before, one)) {
            if let Err(error) = self.run_target(name, new) {
                tracing::error!(stream = %name, target = ?new, %error, "cannot start a target");
            }
        }
        if before.stream_key != after.stream_key {
            let keys = &self.shared.keys;
            before.stream_key.iter().for_each(|key| keys.remove(key));
            if let Some(key) = &after.stream_key {
                keys.insert(key, name);
            }
        }
        if let Err(error) = self.follow_sources(name, before, after) {
            tracing::error!(stream = %name, %error, "cannot start a source");
        }
        self.reconsider(name);
        self.follow_recording(name, before, after);
        self.follow_slate(name, before, after);
    }

    fn follow_sources(
        &self,
        name: &StreamName,
        before: &Broadcast,
        after: &Broadcast,
    ) -> Result<(), ControlError> {
        let (old, new) = (before.sources(), after.sources());
        let runs = self.shared.supervisor.state(name).is_some();
        if new.is_empty() {
            if self.halt(name) {
                self.shared.hub.stop(name);
            }
            return Ok(());
        }
        if runs && old != new {
            return self.restart_source(name);
        }
        let is_wanted = after.wanted.unwrap_or(after.standing) && !after.auto_start_stop;
        match !runs && is_wanted {
            true => self.start_source(name),
            false => Ok(()),
        }
    }

    fn follow_recording(&self, name: &StreamName, before: &Broadcast, after: &Broadcast) {
        let Some(stream) = self.shared.hub.get(name) else {
            return;
        };
        if before.record == after.record {
            return;
        }
        let rule = || self.shared.recordings.plan(name).always;
        if after.record.unwrap_or_else(rule) {
            return self.record_if_asked(&stream);
        }
        let (control, name) = (self.clone(), name.clone());
        // That it is not recorded is what was asked for.
        tokio::spawn(async move { control.shared.recordings.stop(&name).await.map(drop) });
    }

    /// The file says nothing of a stream any more. Who publishes it may go on, and targets of the API stay. For who holds
    /// the right to write.
    async fn drop_static(&self, name: &StreamName, before: &Broadcast) -> Result<(), ControlError> {
        let (theirs, others): (Vec<_>, Vec<_>) = before
            .endpoints
            .iter()
            .cloned()
            .partition(|endpoint| endpoint.by_file);
        let left = Broadcast {
            implied: true,
            created: before.created,
            endpoints: others,
            ..Broadcast::default()
        };
        let (store, kind) = (&self.shared.store, store::Kind::Broadcasts);
        if left.endpoints.is_empty() {
            store.remove(kind, name.as_str()).await?;
            self.lock().remove(name);
        } else {
            self.keep(name, &left).await?;
            self.lock().insert(name.clone(), left);
        }
        for endpoint in theirs {
            self.shared.supervisor.stop_target(name, &endpoint.id);
        }
        if let Some(key) = &before.stream_key {
            self.shared.keys.remove(key);
        }
        self.shared.cameras.forget(name);
        self.hold_for_slate(name, None);
        if self.halt(name) {
            self.shared.hub.stop(name);
        }
        self.shared.hub.withdraw(name);
        let picture = before.thumbnail.as_deref();
        self.shared.pictures.forget(picture).await;
        tracing::info!(stream = %name, "the configuration file makes this stream no longer");
        Ok(())
    }
}

/// The broadcast that such a stream is, for one that nothing is known of yet.
pub fn imported(stream: &StaticStream) -> Broadcast {
    let mut broadcast = Broadcast {
        created: SystemTime::now(),
        ..Broadcast::default()
    };
    describe(&mut broadcast, stream);
    let targets = stream.targets.iter().map(|url| Endpoint {
        id: new_id(),
        ..Endpoint::to(url.reveal())
    });
    broadcast.endpoints = targets.collect();
    broadcast
}

/// Has a broadcast be what is said of a stream, its targets apart.
fn describe(broadcast: &mut Broadcast, stream: &StaticStream) {
    let text = |secret: &Secret| secret.reveal().to_owned();
    let mut sources = stream.source.iter().map(text);
    let first = sources.next();
    let is_camera = first.as_deref().is_some_and(is_camera);
    broadcast.kind = match first {
        None => Kind::LiveStream,
        Some(_) if is_camera => Kind::IpCamera,
        Some(_) => Kind::StreamSource,
    };
    (broadcast.ip_addr, broadcast.stream_url) = match is_camera {
        true => (first, None),
        false => (None, first),
    };
    broadcast.fallback_urls = sources.collect();
    (broadcast.username, broadcast.password) = (None, None);
    broadcast.auto_start_stop = stream.on_demand;
    broadcast.name.clone_from(&stream.name);
    broadcast.record = stream.record;
    broadcast.slate.clone_from(&stream.slate);
    broadcast.stream_key = stream.stream_key.as_ref().map(text);
    (broadcast.standing, broadcast.implied) = (true, false);
}

fn is_camera(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    ["onvif", "onvifs"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}
