//! Recordings that run, and those that are complete.
//!
//! What is to be recorded stands in the broadcast; a recording begins when it is asked for or when its
//! stream is published, and ends with the stream. Every file has its document in the store from its first
//! byte on, so that what a killed server left is found and completed (`recovery`).

mod export;
pub mod hls;
mod library;
mod recovery;
mod remote;
mod retention;
mod running;
mod storage;
mod timeline;
pub mod vod;

pub use export::{Export, ExportFailure};
pub use library::{ImportError, Upload, UploadError};
pub use running::Paused;
pub use timeline::{Recorded, Timeline};

use super::news::{Outlet, What};
use super::{Control, ControlError};
use crate::config::Record;
use crate::config::record::{Format, Plan};
use crate::hub::{Current, Stream, StreamName};
use crate::net::objects::Bucket;
use crate::record::host::{Host, Machine};
use crate::record::{Finished, name};
use crate::store::{self, Store, StoreError};
use running::{Files, Progress};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vod::Vod;

/// A recording that has begun: its file's ID, and when.
pub type Begun = (String, SystemTime);

/// Exports whose index is made at a time. Each may take a hundred megabytes for it.
const EXPORTS: usize = 4;

/// A file that could not be removed is left alone for so long by what makes room.
const STUCK: Duration = Duration::from_secs(300);

/// Where recordings go, and how.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of all.
    pub folder: PathBuf,
    /// What is recorded, how files are cut, and how long they are kept.
    pub settings: Current<Record>,
    /// The disk and the clock.
    pub host: Arc<dyn Host>,
    /// Where complete recordings are copied to.
    pub objects: Option<Bucket>,
}

impl Place {
    /// That folder of this machine.
    pub fn new(folder: PathBuf, settings: Record) -> Self {
        Self {
            folder,
            settings: Current::new(settings),
            host: Arc::new(Machine),
            objects: None,
        }
    }

    /// With that bucket for copies.
    pub fn with_objects(self, objects: Option<Bucket>) -> Self {
        Self { objects, ..self }
    }
}

/// Recordings by stream, and complete ones by application and ID. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recordings {
    place: Place,
    store: Store,
    running: Arc<Mutex<HashMap<StreamName, Running>>>,
    vods: Arc<Mutex<BTreeMap<String, Vod>>>,
    /// By stream, the files that have to stay on the disk: they are shown while its source is gone.
    needed: Arc<Mutex<HashMap<StreamName, String>>>,
    /// By key, until when those are left alone whose files could not be removed.
    stuck: Arc<Mutex<HashMap<String, Instant>>>,
    exports: Arc<Semaphore>,
    outlet: Outlet,
    /// Held while a change goes to the store, so that what was deleted stays so.
    writing: Arc<tokio::sync::Mutex<()>>,
    /// Something may be to do in the object storage.
    news: Arc<Notify>,
}

#[derive(Clone, Debug)]
struct Running {
    stream: Arc<Stream>,
    stop: CancellationToken,
    /// How it gets on; closed when all is complete.
    progress: watch::Receiver<Progress>,
}

impl Recordings {
    /// With what the store knows.
    pub(super) fn new(place: Place, store: &Store, outlet: Outlet) -> Result<Self, StoreError> {
        let vods: BTreeMap<String, Vod> = store.all(store::Kind::Vods)?.into_iter().collect();
        Ok(Self {
            place,
            store: store.clone(),
            running: Arc::default(),
            vods: Arc::new(Mutex::new(vods)),
            needed: Arc::default(),
            stuck: Arc::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            outlet,
            writing: Arc::default(),
            news: Arc::default(),
        })
    }

    /// How a stream is recorded that begins to be.
    pub(super) fn plan(&self, name: &StreamName) -> Plan {
        self.place.settings.get().plan(name)
    }

    pub(super) fn is_running(&self, name: &StreamName) -> bool {
        let running = lock(&self.running);
        running
            .get(name)
            .is_some_and(|running| !running.stop.is_cancelled())
    }

    /// How the recording of a stream gets on, while there is one.
    fn progress(&self, name: &StreamName) -> Progress {
        let running = lock(&self.running);
        let progress = running.get(name).map(|running| running.progress.borrow());
        progress
            .map(|progress| progress.clone())
            .unwrap_or_default()
    }

    /// A file of its application is needed on the disk for a stream; or none any longer.
    pub(super) fn need(&self, name: &StreamName, file: Option<&str>) {
        let mut needed = lock(&self.needed);
        match file {
            Some(file) => needed.insert(name.clone(), file.to_owned()),
            None => needed.remove(name),
        };
    }

    /// Whether a stream needs the file of a recording on the disk.
    fn is_needed(&self, vod: &Vod) -> bool {
        let needed = lock(&self.needed);
        let mut needed = needed.iter();
        needed.any(|(name, file)| name.app() == vod.app && *file == vod.file)
    }

    /// Records a stream until it ends or this is stopped. Where nothing can be written, that is an error, unless the
    /// recording is to wait for it.
    async fn start(
        &self,
        stream: Arc<Stream>,
        title: Option<String>,
        chosen: Option<String>,
        format: Option<Format>,
        waits: bool,
    ) -> Result<Begun, ControlError> {
        let name = stream.name().clone();
        let mut plan = self.plan(&name);
        plan.format = format.unwrap_or(plan.format);
        let stop = CancellationToken::new();
        let (shown, progress) = watch::channel(Progress::default());
        {
            let mut all = lock(&self.running);
            let busy = all.get(&name).is_some_and(|running| {
                Arc::ptr_eq(&running.stream, &stream) && !running.stop.is_cancelled()
            });
            if busy {
                return Err(ControlError::RecordingState(name));
            }
            let running = Running {
                stream: stream.clone(),
                stop: stop.clone(),
                progress,
            };
            all.insert(name.clone(), running);
        }
        let (first, begun) = oneshot::channel();
        let recordings = self.clone();
        tokio::spawn(async move {
            let files = Files {
                recordings: &recordings,
                name: &name,
                plan,
                title,
                chosen,
                waits,
                stop: &stop,
                shown: &shown,
            };
            files.record(stream, first).await;
            let mut all = lock(&recordings.running);
            if all
                .get(&name)
                .is_some_and(|running| running.progress.same_channel(&shown.subscribe()))
            {
                all.remove(&name);
            }
        });
        match begun.await {
            Ok(Ok(begun)) => Ok(begun),
            Ok(Err(words)) => Err(ControlError::Recording(words)),
            Err(_) => Err(ControlError::Recording("the stream is over".into())),
        }
    }

    /// Ends a recording and waits until its file is complete.
    pub(super) async fn stop(&self, name: &StreamName) -> Result<Option<Begun>, ControlError> {
        let running = lock(&self.running).get(name).cloned();
        let Some(mut running) = running.filter(|running| !running.stop.is_cancelled()) else {
            return Err(ControlError::RecordingState(name.clone()));
        };
        running.stop.cancel();
        while running.progress.changed().await.is_ok() {}
        let last = running.progress.borrow().file.clone();
        Ok(last)
    }

    /// A store that cannot be written makes no recording unknown before the next start.
    async fn keep(&self, vod: &Vod) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        lock(&self.vods).insert(vod.key(), vod.clone());
        self.store.put(store::Kind::Vods, &vod.key(), vod).await
    }

    /// Changes what is known of a recording, unless it has been deleted.
    async fn change(
        &self,
        key: &str,
        change: impl FnOnce(&mut Vod),
    ) -> Result<Option<Vod>, StoreError> {
        let _writing = self.writing.lock().await;
        let changed = lock(&self.vods).get_mut(key).map(|vod| {
            change(vod);
            vod.clone()
        });
        if let Some(vod) = &changed {
            self.store.put(store::Kind::Vods, key, vod).await?;
        }
        Ok(changed)
    }

    async fn forget(&self, key: &str) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        lock(&self.vods).remove(key);
        self.store.remove(store::Kind::Vods, key).await
    }

    /// The file of a recording is complete, or had nothing in it.
    async fn complete(&self, mut vod: Vod, finished: &Finished) -> Result<(), StoreError> {
        if finished.samples == 0 {
            if let Err(error) = self.remove(finished.path.clone()).await {
                tracing::warn!(file = vod.file, %error, "cannot remove an empty recording");
            }
            return self.forget(&vod.key()).await;
        }
        vod.finished = Some(self.place.host.now());
        vod.duration = finished.duration;
        vod.spans = finished.spans.clone();
        vod.bytes = finished.bytes;
        self.keep(&vod).await?;
        self.news.notify_one();
        self.outlet.tell(What::Recorded(vod.into()));
        Ok(())
    }

    fn path(&self, vod: &Vod) -> PathBuf {
        self.folder(&vod.app).join(&vod.file)
    }

    fn folder(&self, app: &str) -> PathBuf {
        self.place.folder.join(app)
    }

    async fn remove(&self, path: PathBuf) -> std::io::Result<()> {
        let host = self.place.host.clone();
        let removed = tokio::task::spawn_blocking(move || host.remove(&path));
        removed.await.map_err(std::io::Error::other)?
    }

    /// Removes the file of a recording, if it is there.
    async fn remove_file(&self, vod: &Vod) -> std::io::Result<()> {
        let removed = match self.remove(self.path(vod)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        let mut stuck = lock(&self.stuck);
        match removed {
            Ok(()) => stuck.remove(&vod.key()),
            Err(_) => stuck.insert(vod.key(), Instant::now() + STUCK),
        };
        removed
    }

    /// Whether its file could not be removed a short time ago.
    fn is_stuck(&self, vod: &Vod) -> bool {
        let stuck = lock(&self.stuck);
        let until = stuck.get(&vod.key());
        until.is_some_and(|until| *until > Instant::now())
    }

    /// Deletes a complete recording and its file; the file first, since the store may need the room. One whose file cannot
    /// be removed stays known. What the object storage has of it follows.
    async fn delete(&self, vod: &Vod) -> Result<(), ControlError> {
        if !vod.is_remote
            && let Err(error) = self.remove_file(vod).await
        {
            let words = format!("{} cannot be removed: {error}", vod.file);
            return Err(std::io::Error::new(error.kind(), words).into());
        }
        if self.place.objects.is_none() {
            return Ok(self.forget(&vod.key()).await?);
        }
        // Its copy may have been begun just now.
        let changed = self
            .change(&vod.key(), |vod| vod.is_unwanted = true)
            .await?;
        if changed.is_some_and(|vod| vod.stored.is_none()) {
            return Ok(self.forget(&vod.key()).await?);
        }
        self.news.notify_one();
        Ok(())
    }
}

impl Control {
    /// Where recordings go, and how many bytes have room there.
    pub async fn recordings_room(&self) -> (PathBuf, std::io::Result<u64>) {
        let recordings = &self.shared.recordings;
        (recordings.place.folder.clone(), recordings.room().await)
    }

    /// Other rules for recordings, for those that begin from now on; how long they are kept holds for all at once. Streams
    /// that are live begin to be recorded where that is the rule now.
    pub fn set_record(&self, settings: Record) {
        self.shared.recordings.place.settings.set(settings);
        for stream in self.shared.hub.list() {
            self.record_if_asked(&stream);
        }
    }

    /// Asks for a broadcast to be recorded, or no longer. A live stream's recording begins or ends now, and
    /// the file is told; another one's is remembered. `file` and `format` are of the recording that begins now.
    ///
    /// # Errors
    /// When there is no such broadcast or stream, it is in that state already, the file cannot be made, or
    /// what was asked cannot be kept.
    pub async fn set_recording(
        &self,
        name: &StreamName,
        record: bool,
        file: Option<&str>,
        format: Option<Format>,
    ) -> Result<Option<Begun>, ControlError> {
        let view = self
            .get(name)
            .ok_or_else(|| ControlError::Unknown(name.clone()))?;
        let stream = self.shared.hub.get(name);
        let live = stream.filter(|_| view.stream.as_ref().is_some_and(|stream| stream.ready));
        let begun = match live {
            Some(stream) if record => {
                let title = view.broadcast.name;
                let file = file.map(str::to_owned);
                let recordings = &self.shared.recordings;
                let started = recordings.start(stream, title, file, format, false);
                Some(started.await?)
            }
            Some(_) => self.shared.recordings.stop(name).await?,
            None => None,
        };
        self.change_asked(name, |broadcast| {
            broadcast.record = Some(record);
            Ok(())
        })
        .await?;
        Ok(begun)
    }

    /// A stream has been published: records it, if that has been asked for or is the rule.
    pub(super) fn record_if_asked(&self, stream: &Arc<Stream>) {
        let kept = self.lock().get(stream.name()).cloned();
        let recordings = self.shared.recordings.clone();
        let rule = || recordings.plan(stream.name()).always;
        let asked = kept.as_ref().and_then(|broadcast| broadcast.record);
        if !asked.unwrap_or_else(rule) {
            return;
        }
        let title = kept.and_then(|broadcast| broadcast.name);
        let stream = stream.clone();
        tokio::spawn(async move {
            // Its publisher may only have come back.
            match recordings
                .start(stream.clone(), title, None, None, true)
                .await
            {
                Ok(_) | Err(ControlError::RecordingState(_)) => {}
                Err(error) => {
                    tracing::error!(stream = %stream.name(), %error, "the stream is not recorded");
                }
            }
        });
    }

    /// Waits until no recording runs, for the end of the process.
    pub async fn recordings_done(&self, limit: Duration) {
        let wait = async {
            while !lock(&self.shared.recordings.running).is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, wait).await.is_err() {
            tracing::warn!("a recording is not complete; the next start completes it");
        }
    }

    /// Complete recordings of an application, oldest first.
    pub fn vods(&self, app: &str) -> Vec<Vod> {
        let all = lock(&self.shared.recordings.vods);
        let mut vods: Vec<Vod> = all
            .values()
            .filter(|vod| vod.app == app && vod.is_listed())
            .cloned()
            .collect();
        drop(all);
        vods.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        vods
    }

    /// A complete recording.
    pub fn vod(&self, app: &str, id: &str) -> Option<Vod> {
        let all = lock(&self.shared.recordings.vods);
        let vod = all.get(&format!("{app}/{id}")).cloned();
        vod.filter(Vod::is_listed)
    }

    /// Where the file of that name is, if it can be that of a complete recording of the application.
    pub fn vod_path(&self, app: &str, file: &str) -> Option<PathBuf> {
        name::is_file(file).then(|| self.shared.recordings.folder(app).join(file))
    }

    /// ID of the stream that is in the file of that name, as far as is known; otherwise the name without its ending.
    pub fn vod_stream(&self, app: &str, file: &str) -> String {
        let all = lock(&self.shared.recordings.vods);
        let mut vods = all.values();
        let vod = vods.find(|vod| vod.app == app && vod.file == file);
        let id = vod.map(|vod| vod.stream_id.clone());
        let base = file.rsplit_once('.').map_or(file, |(base, _)| base);
        id.filter(|id| !id.is_empty())
            .unwrap_or_else(|| base.to_owned())
    }

    /// Deletes a recording and its file. False when there is none.
    ///
    /// # Errors
    /// When the file cannot be removed, or the store cannot be written.
    pub async fn delete_vod(&self, app: &str, id: &str) -> Result<bool, ControlError> {
        let Some(vod) = self.vod(app, id) else {
            return Ok(false);
        };
        self.shared.recordings.delete(&vod).await?;
        Ok(true)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
