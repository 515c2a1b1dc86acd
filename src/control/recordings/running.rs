//! One recording: file after file, until its stream ends or someone says so. A disk that takes nothing makes it pause.

use super::vod::Vod;
use super::{Begun, Recordings};
use crate::config::record::Plan;
use crate::hub::{Stream, StreamName};
use crate::record::file::{SoFar, Wanted};
use crate::record::{Limits, RecordError, Recorder, Stopped, complete, name};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A disk that took nothing is asked again after so long; twice as long each time it fails soon again.
const PAUSE: Duration = Duration::from_secs(5);

/// But no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A recording that went on for so long was well.
const WELL: Duration = Duration::from_secs(60);

/// How a recording gets on.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The present file, or the last one.
    pub(super) file: Option<Begun>,
    /// What is in the present file, where its writer tells.
    pub(super) so_far: Option<SoFar>,
    /// It waits for the disk.
    pub(super) paused: Option<Paused>,
}

/// A recording that waits for the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Since when.
    pub since: SystemTime,
    /// What the disk said.
    pub reason: String,
}

/// The files of one recording.
pub(super) struct Files<'a> {
    pub(super) recordings: &'a Recordings,
    pub(super) name: &'a StreamName,
    pub(super) plan: Plan,
    pub(super) title: Option<String>,
    pub(super) chosen: Option<String>,
    /// Also its first file waits for the disk.
    pub(super) waits: bool,
    pub(super) stop: &'a CancellationToken,
    pub(super) shown: &'a watch::Sender<Progress>,
}

/// Who asked for the recording, until there is an answer.
type First = Option<oneshot::Sender<Result<Begun, String>>>;

impl Files<'_> {
    /// One file after the other, until the stream ends or someone asks.
    pub(super) async fn record(
        &self,
        stream: Arc<Stream>,
        first: oneshot::Sender<Result<Begun, String>>,
    ) {
        let place = &self.recordings.place;
        let limits = Limits {
            duration: self.plan.duration,
            bytes: self.plan.bytes,
            aligned: self.plan.aligned,
            format: self.plan.format,
            ..Limits::default()
        };
        let mut recorder = Recorder::new(place.host.clone(), stream, limits);
        let mut first = Some(first);
        let mut completing = None;
        let mut pause = PAUSE;
        loop {
            let begun = Instant::now();
            let file = self.record_file(&mut recorder, &mut first, &mut completing);
            let error = match file.await {
                Ok(Stopped::Tracks | Stopped::Full) => continue,
                Ok(Stopped::Ended | Stopped::Asked) | Err(RecordError::Over) => break,
                Ok(Stopped::Failed(error)) => error,
                Err(RecordError::Disk(error)) if first.is_none() || self.waits => error,
                Err(error) => {
                    tracing::error!(stream = %self.name, %error, "the stream is not recorded");
                    answer(&mut first, Err(error.to_string()));
                    break;
                }
            };
            pause = match begun.elapsed() < WELL {
                true => pause,
                false => PAUSE,
            };
            if !self.wait(&mut recorder, &error, pause).await {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if let Some(completing) = completing {
            // A panic in it has been counted, and the next start completes the file.
            let _ = completing.await;
        }
    }

    /// Waits until the disk may take something again. False when there is nothing more to record.
    async fn wait(&self, recorder: &mut Recorder, error: &io::Error, pause: Duration) -> bool {
        let place = &self.recordings.place;
        tracing::error!(stream = %self.name, %error, "the recording pauses: the disk takes no more");
        self.shown.send_modify(|progress| {
            progress.paused = Some(Paused {
                since: place.host.now(),
                reason: error.to_string(),
            });
        });
        loop {
            let rested = tokio::select! {
                () = self.stop.cancelled() => return false,
                rested = recorder.rest(pause) => rested,
            };
            if rested.is_err() {
                return false;
            }
            if self.recordings.has_room().await {
                break;
            }
        }
        tracing::info!(stream = %self.name, "the recording goes on");
        self.shown.send_modify(|progress| progress.paused = None);
        true
    }

    async fn record_file(
        &self,
        recorder: &mut Recorder,
        first: &mut First,
        completing: &mut Option<JoinHandle<()>>,
    ) -> Result<Stopped, RecordError> {
        let place = &self.recordings.place;
        let host = &place.host;
        let chosen = self.chosen.as_deref();
        let base = name::base(self.name, chosen, &self.plan.name, host.now());
        let wanted = Wanted {
            folder: self.recordings.folder(self.name.app()),
            format: self.plan.format,
            taken: self.recordings.stored_names(self.name.app(), &base),
            base,
            free_bytes: place.settings.get().free_bytes,
        };
        let writer = tokio::select! {
            writer = recorder.create(wanted) => writer?,
            () = self.stop.cancelled() => return Ok(Stopped::Asked),
        };
        let title = self.title.clone();
        let vod = Vod::begin(self.name, title, writer.final_name(), host.now());
        if let Err(error) = self.recordings.keep(&vod).await {
            tracing::error!(stream = %self.name, %error, "cannot keep what is known of a recording");
        }
        let begun = (vod.id.clone(), vod.started);
        self.shown.send_modify(|progress| {
            progress.file = Some(begun.clone());
            progress.so_far = Some(writer.so_far());
        });
        answer(first, Ok(begun));
        tracing::info!(stream = %self.name, file = vod.file, "recording");
        let (stopped, writer) = recorder.fill(writer, self.stop).await;
        // The one before is complete by now, or the disk is so slow that nothing more should be asked of it.
        if let Some(before) = completing.take() {
            let _ = before.await;
        }
        let recordings = self.recordings.clone();
        let name = self.name.clone();
        let finish = async move {
            let finished = match writer {
                Some(writer) => complete(writer).await,
                None => Err(io::Error::other("the thread that wrote it has died").into()),
            };
            match finished {
                Ok(finished) => {
                    tracing::info!(
                        stream = %name, file = vod.file, bytes = finished.bytes,
                        seconds = finished.duration.as_secs_f64(), "recorded"
                    );
                    if let Err(error) = recordings.complete(vod, &finished).await {
                        tracing::error!(stream = %name, %error, "cannot keep what is known of a recording");
                    }
                }
                Err(error) => {
                    tracing::error!(stream = %name, file = vod.file, %error, "a recording could not be completed; the next start tries again");
                }
            }
        };
        // The next file begins meanwhile.
        *completing = Some(tokio::spawn(finish));
        Ok(stopped)
    }
}

fn answer(first: &mut First, begun: Result<Begun, String>) {
    if let Some(first) = first.take() {
        // That nobody asks is no fault.
        let _ = first.send(begun);
    }
}
