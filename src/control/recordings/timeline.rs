//! What is recorded of a stream, from when to when, the file that is being written included.

use super::running::Paused;
use super::vod::{Origin, Vod};
use super::{Begun, Control, Recordings, lock};
use crate::hub::StreamName;
use crate::record::host::Host;
use crate::record::{Finished, Span, finish};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

/// A stretch without a gap.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The recording it is in.
    pub vod: Vod,
    /// Where in it, and when it was.
    pub span: Span,
}

/// The recordings of a stream.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// It is being recorded.
    pub recording: bool,
    /// The present file, or the last one since the server started.
    pub file: Option<Begun>,
    /// The recording waits for the disk.
    pub paused: Option<Paused>,
    /// What there is, in the order of time.
    pub recorded: Vec<Recorded>,
}

impl Recordings {
    /// What is recorded of a stream within these times since 1970, and where its files are.
    pub(super) async fn recorded(
        &self,
        name: &StreamName,
        from: Duration,
        until: Duration,
    ) -> Vec<(Recorded, PathBuf)> {
        let of_stream: Vec<Vod> = lock(&self.vods)
            .values()
            .filter(|vod| vod.app == name.app() && vod.stream_id == name.id())
            .filter(|vod| vod.origin == Origin::Stream && !vod.is_unwanted)
            .cloned()
            .collect();
        let mut all = Vec::new();
        for mut vod in of_stream {
            let mut path = self.path(&vod);
            if vod.finished.is_none() {
                let unfinished = self.folder(&vod.app).join(vod.unfinished());
                let found = match self.so_far(name, &vod) {
                    Some(found) => Some(found),
                    None => self.inspect(unfinished.clone(), path.clone()).await,
                };
                let Some(found) = found else {
                    continue;
                };
                if found.path == unfinished {
                    path = unfinished;
                }
                vod.duration = found.duration;
                vod.bytes = found.bytes;
                vod.spans = found.spans;
            }
            for span in spans(&vod) {
                if span.since_1970 < until && span.until_1970() > from {
                    let vod = vod.clone();
                    all.push((Recorded { vod, span }, path.clone()));
                }
            }
        }
        all.sort_by_key(|(recorded, _)| (recorded.span.since_1970, recorded.span.at));
        all
    }

    /// What is in a file that is being written, as far as its writer knows.
    fn so_far(&self, name: &StreamName, vod: &Vod) -> Option<Finished> {
        let progress = self.progress(name);
        let is_it = progress.file.is_some_and(|(id, _)| id == vod.id);
        let so_far = progress.so_far.filter(|_| is_it)?;
        let so_far = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.clone()
    }

    /// What is in a file that is being written, which may get its last name at any moment.
    async fn inspect(&self, unfinished: PathBuf, complete: PathBuf) -> Option<Finished> {
        let host: Arc<dyn Host> = self.place.host.clone();
        let look = move |path: &Path| finish::inspect(&*host, path).ok();
        let found =
            tokio::task::spawn_blocking(move || look(&unfinished).or_else(|| look(&complete)));
        found.await.ok().flatten()
    }
}

/// When a recording was. One that does not know better was from its beginning to its end.
fn spans(vod: &Vod) -> Vec<Span> {
    if !vod.spans.is_empty() {
        return vod.spans.clone();
    }
    let since_1970 = vod.started.duration_since(SystemTime::UNIX_EPOCH);
    vec![Span {
        at: Duration::ZERO,
        since_1970: since_1970.unwrap_or_default(),
        length: vod.duration,
    }]
}

impl Control {
    /// What is recorded of a stream within these times since 1970.
    pub async fn timeline(&self, name: &StreamName, from: Duration, until: Duration) -> Timeline {
        let recordings = &self.shared.recordings;
        let recorded = recordings.recorded(name, from, until).await.into_iter();
        let progress = recordings.progress(name);
        Timeline {
            recording: recordings.is_running(name),
            file: progress.file,
            paused: progress.paused,
            recorded: recorded.map(|(recorded, _)| recorded).collect(),
        }
    }
}
