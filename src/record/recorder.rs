//! From a stream to files, one at a time.

use super::file::Writer;
use super::fragments::Fragments;
use super::{Finished, RecordError};
use crate::hub::{Item, Reader, Stream, TrackSet};
use bytes::Bytes;
use media::Kind;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What has come is written after so long, even when its fragment is not full.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Reads one stream into files.
#[derive(Debug)]
pub struct Recorder {
    reader: Reader,
    /// Tracks that have been announced and are in no file yet.
    next: Option<Arc<TrackSet>>,
}

/// Why a file is complete.
#[derive(Debug)]
pub enum Stopped {
    /// The stream has ended.
    Ended,
    /// It was asked for.
    Asked,
    /// Other tracks follow, for another file.
    Tracks,
    /// The disk took no more.
    Failed(io::Error),
}

impl Recorder {
    /// From the stream's newest random access point on.
    pub fn new(stream: Arc<Stream>) -> Self {
        Self {
            reader: Reader::new(stream),
            next: None,
        }
    }

    /// Makes the next file of that base name in `folder`, as soon as its tracks are known.
    ///
    /// # Errors
    /// When the stream is over, or the disk or MP4 cannot take it.
    pub async fn create(&mut self, folder: PathBuf, base: String) -> Result<Writer, RecordError> {
        let tracks = loop {
            if let Some(tracks) = &self.next {
                break tracks.clone();
            }
            match self.reader.next().await {
                Item::Tracks(tracks) => self.next = Some(recorded(&tracks)),
                Item::Ended(_) => return Err(RecordError::Over),
                Item::Unit(_) | Item::Skipped(_) => {}
            }
        };
        blocking(move || Writer::create(&folder, &base, &tracks.tracks)).await
    }

    /// Fills a file that [`Recorder::create`] made, and completes it.
    ///
    /// # Errors
    /// The file could not be completed; it can be tried again when the server starts.
    pub async fn fill(
        &mut self,
        writer: Writer,
        stop: &CancellationToken,
    ) -> (Stopped, Result<Finished, RecordError>) {
        let tracks = self.next.take().unwrap_or_else(|| {
            Arc::new(TrackSet {
                generation: 0,
                tracks: Vec::new(),
            })
        });
        let mut fragments = Fragments::new(&tracks);
        let mut writer = Some(writer);
        let stopped = self.write(&mut writer, &mut fragments, &tracks, stop).await;
        let Some(mut writer) = writer else {
            let gone = io::Error::other("the thread that wrote it has died");
            return (stopped, Err(gone.into()));
        };
        let last = match stopped {
            // What could not be written before will not be written now.
            Stopped::Failed(_) => None,
            _ => fragments.finish(),
        };
        let finished = blocking(move || {
            if let Some(last) = last
                && let Err(error) = writer.append(&last)
            {
                tracing::warn!(file = writer.final_name(), %error, "the end of a recording is lost");
            }
            writer.finish()
        });
        (stopped, finished.await)
    }

    async fn write(
        &mut self,
        writer: &mut Option<Writer>,
        fragments: &mut Fragments,
        tracks: &TrackSet,
        stop: &CancellationToken,
    ) -> Stopped {
        let mut due = None;
        loop {
            let at = due.unwrap_or_else(Instant::now);
            let fragment = tokio::select! {
                () = stop.cancelled() => return Stopped::Asked,
                () = sleep_until(at), if due.is_some() => {
                    due = Some(Instant::now() + LONGEST_WAIT);
                    fragments.flush()
                }
                item = self.reader.next() => match item {
                    Item::Unit(unit) => fragments.push(&unit),
                    Item::Tracks(next) => {
                        let next = recorded(&next);
                        if next.tracks != tracks.tracks {
                            self.next = Some(next);
                            return Stopped::Tracks;
                        }
                        None
                    }
                    Item::Skipped(skip) => {
                        self.reader.stream().note_skip("record", &"disk", &skip);
                        None
                    }
                    Item::Ended(_) => return Stopped::Ended,
                }
            };
            if let Some(fragment) = fragment {
                due = Some(Instant::now() + LONGEST_WAIT);
                if let Err(error) = append(writer, fragment).await {
                    return Stopped::Failed(error);
                }
            }
            if fragments.is_empty() {
                due = None;
            } else {
                due.get_or_insert_with(|| Instant::now() + LONGEST_WAIT);
            }
        }
    }
}

/// The tracks that are recorded: all but data, for which files have no form here.
fn recorded(set: &TrackSet) -> Arc<TrackSet> {
    let tracks = set.tracks.iter();
    let tracks = tracks.filter(|track| track.kind() != Kind::Data);
    Arc::new(TrackSet {
        generation: set.generation,
        tracks: tracks.cloned().collect(),
    })
}

async fn append(writer: &mut Option<Writer>, fragment: Bytes) -> io::Result<()> {
    let Some(mut taken) = writer.take() else {
        return Err(io::Error::other("there is no file"));
    };
    let appended = tokio::task::spawn_blocking(move || {
        let appended = taken.append(&fragment);
        (taken, appended)
    });
    let (taken, appended) = appended.await.map_err(io::Error::other)?;
    *writer = Some(taken);
    appended
}

/// Runs what waits for the disk away from the threads that must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::codec::aac;
    use media::{Codec, Data, Timebase, Track, TrackId};

    #[test]
    fn data_is_not_recorded() {
        let config = aac::Config::low_complexity(48_000, 2).unwrap();
        let sound = Track {
            id: TrackId(0),
            timebase: config.sample_rate,
            codec: Codec::Aac(config),
        };
        let data = Track {
            id: TrackId(1),
            timebase: Timebase::VIDEO,
            codec: Codec::Data(Data::Klv),
        };
        let set = TrackSet {
            generation: 3,
            tracks: vec![sound.clone(), data],
        };
        let recorded = recorded(&set);
        assert_eq!(
            (recorded.generation, &recorded.tracks[..]),
            (3, &[sound][..])
        );
        assert!(mp4::init::write(&recorded.tracks).is_ok());
    }
}
