//! What goes to the disk of a stream's segments: one at a time, beside all else.

use crate::segment::{Disk, Place, Segmenter};
use media::TrackId;
use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

/// A disk that has refused a segment is not tried again for so long.
const DISK_REST: Duration = Duration::from_secs(10);

/// Writes the segments of one stream.
pub(super) struct Storing {
    folder: Option<PathBuf>,
    /// One for each track.
    disks: HashMap<TrackId, Disk>,
    going_on: Option<JoinHandle<Stored>>,
    /// Not before then, as it has just failed.
    not_before: Option<Instant>,
}

/// The disk comes back, unless it has failed.
type Stored = (TrackId, Disk, u64, io::Result<Place>);

impl Storing {
    /// Into that folder; without, nothing.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            disks: HashMap::new(),
            going_on: None,
            not_before: None,
        }
    }

    /// Begins to write the next segment, if there is one and none is being written.
    pub(super) fn begin(&mut self, segmenter: &Segmenter) {
        let waits = self.not_before.is_some_and(|until| Instant::now() < until);
        let Some(folder) = self.folder.as_ref().filter(|_| !waits) else {
            return;
        };
        if self.going_on.is_some() {
            return;
        }
        let Some((track, segment)) = segmenter.next_to_store() else {
            return;
        };
        let known = self.disks.remove(&track);
        let mut disk = known.unwrap_or_else(|| Disk::new(folder.clone()));
        self.going_on = Some(spawn_blocking(move || {
            let place = disk.put(&segment);
            (track, disk, segment.number, place)
        }));
    }

    /// The segment that has been written, with its track and number. Waits for ever while none is. Safe to cancel.
    ///
    /// # Errors
    /// What the disk says. Nothing is tried for a while then.
    pub(super) async fn done(&mut self) -> io::Result<(TrackId, u64, Place)> {
        let Some(going_on) = &mut self.going_on else {
            return pending().await;
        };
        let done = going_on.await;
        self.going_on = None;
        let (track, disk, number, place) = done.map_err(io::Error::other)?;
        self.disks.insert(track, disk);
        if place.is_err() {
            self.not_before = Some(Instant::now() + DISK_REST);
        }
        Ok((track, number, place?))
    }
}
