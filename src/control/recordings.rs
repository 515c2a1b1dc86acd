//! Recordings that run, and those that are complete.
//!
//! What is to be recorded stands in the broadcast; a recording begins when it is asked for or when its
//! stream is published, and ends with the stream. Every file has its document in the store from its first
//! byte on, so that what a killed server left is found and completed by `Recordings::recover`.

use super::vod::Vod;
use super::{Control, ControlError};
use crate::hub::{Stream, StreamName};
use crate::record::{Finished, RecordError, Recorder, Stopped, finish, name};
use crate::store::{self, Store, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// A recording that has begun: its file's ID, and when.
pub type Begun = (String, SystemTime);

/// Recordings by stream, and complete ones by application and ID. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recordings {
    folder: PathBuf,
    store: Store,
    running: Arc<Mutex<HashMap<StreamName, Running>>>,
    vods: Arc<Mutex<BTreeMap<String, Vod>>>,
}

#[derive(Clone, Debug)]
struct Running {
    stream: Arc<Stream>,
    stop: CancellationToken,
    /// The present file; closed when all is complete.
    file: watch::Receiver<Option<Begun>>,
}

impl Recordings {
    /// With what the store knows.
    pub(super) fn new(folder: &Path, store: &Store) -> Result<Self, StoreError> {
        let vods: BTreeMap<String, Vod> = store.all(store::Kind::Vods)?.into_iter().collect();
        Ok(Self {
            folder: folder.to_owned(),
            store: store.clone(),
            running: Arc::default(),
            vods: Arc::new(Mutex::new(vods)),
        })
    }

    pub(super) fn is_running(&self, name: &StreamName) -> bool {
        let running = lock(&self.running);
        running
            .get(name)
            .is_some_and(|running| !running.stop.is_cancelled())
    }

    /// Records a stream until it ends or this is stopped.
    async fn start(
        &self,
        stream: Arc<Stream>,
        title: Option<String>,
        chosen: Option<&str>,
    ) -> Result<Begun, ControlError> {
        let name = stream.name().clone();
        let base = name::base(&name, chosen);
        let stop = CancellationToken::new();
        let (shown, file) = watch::channel(None);
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
                file,
            };
            all.insert(name.clone(), running);
        }
        let (first, begun) = oneshot::channel();
        let recordings = self.clone();
        tokio::spawn(async move {
            let files = Files {
                recordings: &recordings,
                name: &name,
                title,
                base,
                stop: &stop,
                shown: &shown,
            };
            files.record(stream, first).await;
            let mut all = lock(&recordings.running);
            if all
                .get(&name)
                .is_some_and(|running| running.file.same_channel(&shown.subscribe()))
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
    async fn stop(&self, name: &StreamName) -> Result<Option<Begun>, ControlError> {
        let running = lock(&self.running).get(name).cloned();
        let Some(mut running) = running.filter(|running| !running.stop.is_cancelled()) else {
            return Err(ControlError::RecordingState(name.clone()));
        };
        running.stop.cancel();
        while running.file.changed().await.is_ok() {}
        let last = running.file.borrow().clone();
        Ok(last)
    }

    /// Completes what a killed server left, and forgets documents whose files are gone. To be called once,
    /// before anything is recorded.
    pub(super) async fn recover(&self) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || finish_all(&folder)).await;
        for (app, finished) in found.unwrap_or_default() {
            let file = file_name(&finished.path);
            let known = lock(&self.vods)
                .values()
                .find(|vod| vod.app == app && vod.file == file && vod.finished.is_none())
                .cloned();
            let vod = known.unwrap_or_else(|| Vod {
                app: app.clone(),
                id: super::vod::random_text(24),
                file: file.clone(),
                started: SystemTime::now(),
                ..Vod::default()
            });
            tracing::info!(
                app,
                file,
                seconds = finished.duration.as_secs_f64(),
                "a recording that was cut off has been completed"
            );
            self.complete(vod, &finished).await?;
        }
        let open: Vec<Vod> = lock(&self.vods)
            .values()
            .filter(|vod| vod.finished.is_none())
            .cloned()
            .collect();
        for vod in open {
            // Killed between the file's last name and the document's last state.
            match std::fs::metadata(self.path(&vod)) {
                Ok(_) => match finish::inspect(&self.path(&vod)) {
                    Ok(finished) => self.complete(vod, &finished).await?,
                    Err(error) => {
                        tracing::error!(file = vod.file, %error, "a recording cannot be read");
                    }
                },
                Err(_) => {
                    tracing::warn!(app = vod.app, file = vod.file, "a recording is gone");
                    self.forget(&vod.key()).await?;
                }
            }
        }
        Ok(())
    }

    async fn keep(&self, vod: &Vod) -> Result<(), StoreError> {
        self.store.put(store::Kind::Vods, &vod.key(), vod).await?;
        lock(&self.vods).insert(vod.key(), vod.clone());
        Ok(())
    }

    async fn forget(&self, key: &str) -> Result<(), StoreError> {
        self.store.remove(store::Kind::Vods, key).await?;
        lock(&self.vods).remove(key);
        Ok(())
    }

    /// The file of a recording is complete, or had nothing in it.
    async fn complete(&self, mut vod: Vod, finished: &Finished) -> Result<(), StoreError> {
        if finished.samples == 0 {
            if let Err(error) = std::fs::remove_file(&finished.path) {
                tracing::warn!(file = vod.file, %error, "cannot remove an empty recording");
            }
            return self.forget(&vod.key()).await;
        }
        vod.finished = Some(SystemTime::now());
        vod.duration = finished.duration;
        vod.bytes = finished.bytes;
        self.keep(&vod).await
    }

    fn path(&self, vod: &Vod) -> PathBuf {
        self.folder.join(&vod.app).join(&vod.file)
    }
}

/// The files of one recording.
struct Files<'a> {
    recordings: &'a Recordings,
    name: &'a StreamName,
    title: Option<String>,
    base: String,
    stop: &'a CancellationToken,
    shown: &'a watch::Sender<Option<Begun>>,
}

impl Files<'_> {
    /// One file after the other, until the stream ends, someone asks, or the disk is full.
    async fn record(&self, stream: Arc<Stream>, first: oneshot::Sender<Result<Begun, String>>) {
        let mut recorder = Recorder::new(stream);
        let mut first = Some(first);
        let mut tell = |begun: Result<Begun, String>| {
            if let Some(first) = first.take() {
                // That nobody asks is no fault.
                let _ = first.send(begun);
            }
        };
        loop {
            match self.record_file(&mut recorder, &mut tell).await {
                Ok(Stopped::Tracks) => {}
                Ok(Stopped::Ended | Stopped::Asked) | Err(RecordError::Over) => return,
                Ok(Stopped::Failed(error)) => {
                    tracing::error!(stream = %self.name, %error, "the recording has ended: the disk takes no more");
                    return;
                }
                Err(error) => {
                    tracing::error!(stream = %self.name, %error, "the stream is not recorded");
                    tell(Err(error.to_string()));
                    return;
                }
            }
        }
    }

    async fn record_file(
        &self,
        recorder: &mut Recorder,
        tell: &mut impl FnMut(Result<Begun, String>),
    ) -> Result<Stopped, RecordError> {
        let folder = self.recordings.folder.join(self.name.app());
        let writer = tokio::select! {
            writer = recorder.create(folder, self.base.clone()) => writer?,
            () = self.stop.cancelled() => return Ok(Stopped::Asked),
        };
        let vod = Vod::begin(self.name, self.title.clone(), writer.final_name());
        if let Err(error) = self.recordings.keep(&vod).await {
            tracing::error!(stream = %self.name, %error, "cannot keep what is known of a recording");
        }
        let begun = (vod.id.clone(), vod.started);
        self.shown.send_replace(Some(begun.clone()));
        tell(Ok(begun));
        tracing::info!(stream = %self.name, file = vod.file, "recording");
        let (stopped, finished) = recorder.fill(writer, self.stop).await;
        match finished {
            Ok(finished) => {
                tracing::info!(
                    stream = %self.name, file = vod.file, bytes = finished.bytes,
                    seconds = finished.duration.as_secs_f64(), "recorded"
                );
                if let Err(error) = self.recordings.complete(vod, &finished).await {
                    tracing::error!(stream = %self.name, %error, "cannot keep what is known of a recording");
                }
            }
            Err(error) => {
                tracing::error!(stream = %self.name, file = vod.file, %error, "a recording could not be completed; the next start tries again");
            }
        }
        Ok(stopped)
    }
}

impl Control {
    /// Completes recordings that a killed server left. To be called before streams come.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn recover_recordings(&self) -> Result<(), StoreError> {
        self.shared.recordings.recover().await
    }

    /// Asks for a broadcast to be recorded, or no longer. A live stream's recording begins or ends now, and
    /// the file is told; another one's is remembered.
    ///
    /// # Errors
    /// When there is no such broadcast or stream, it is in that state already, the file cannot be made, or
    /// what was asked cannot be kept.
    pub async fn set_recording(
        &self,
        name: &StreamName,
        record: bool,
        file: Option<&str>,
    ) -> Result<Option<Begun>, ControlError> {
        let view = self
            .get(name)
            .ok_or_else(|| ControlError::Unknown(name.clone()))?;
        let stream = self.shared.hub.get(name);
        let live = stream.filter(|_| view.stream.as_ref().is_some_and(|stream| stream.ready));
        let begun = match live {
            Some(stream) if record => {
                let title = view.broadcast.name;
                Some(self.shared.recordings.start(stream, title, file).await?)
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

    /// A stream has been published: records it, if that has been asked for.
    pub(super) fn record_if_asked(&self, stream: &Arc<Stream>) {
        let broadcast = self.lock().get(stream.name()).cloned();
        let Some(broadcast) = broadcast.filter(|broadcast| broadcast.record == Some(true)) else {
            return;
        };
        let (recordings, stream) = (self.shared.recordings.clone(), stream.clone());
        tokio::spawn(async move {
            // Its publisher may only have come back.
            match recordings.start(stream.clone(), broadcast.name, None).await {
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
            .filter(|vod| vod.app == app && vod.finished.is_some())
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
        vod.filter(|vod| vod.finished.is_some())
    }

    /// Where the file of that name is, if it can be that of a complete recording of the application.
    pub fn vod_path(&self, app: &str, file: &str) -> Option<PathBuf> {
        name::is_file(file).then(|| self.shared.recordings.folder.join(app).join(file))
    }

    /// Deletes a recording and its file. False when there is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_vod(&self, app: &str, id: &str) -> Result<bool, ControlError> {
        let Some(vod) = self.vod(app, id) else {
            return Ok(false);
        };
        let recordings = &self.shared.recordings;
        recordings.forget(&vod.key()).await?;
        let path = recordings.path(&vod);
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::warn!(file = vod.file, %error, "the file of a recording cannot be removed");
        }
        Ok(true)
    }
}

/// Completes every unfinished file below the folder of each application.
fn finish_all(folder: &Path) -> Vec<(String, Finished)> {
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path())
    };
    let mut all = Vec::new();
    for app in entries(folder) {
        for file in entries(&app) {
            if !file_name(&file).ends_with(name::UNFINISHED) {
                continue;
            }
            match finish::finish(&file) {
                Ok(finished) => all.push((file_name(&app), finished)),
                Err(error) => {
                    tracing::error!(file = %file.display(), %error, "a recording that was cut off cannot be completed");
                }
            }
        }
    }
    all
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
