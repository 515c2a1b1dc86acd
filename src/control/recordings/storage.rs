//! Complete recordings go to an object storage, and what is deleted here goes there as well.
//!
//! What is to be done stands in the documents of the recordings ([`Stored`]), so that a server that was killed goes on
//! where it was: a part that the storage has is not sent again.

use super::vod::{Origin, Stored, Vod};
use super::{Control, Recordings, lock};
use crate::config::S3;
use crate::net::objects::{Bucket, ObjectError};
use crate::record::name::media_type;
use crate::store::StoreError;
use axum::http::Method;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

/// How often it is looked whether there is something to do that nobody told of.
const PERIOD: Duration = Duration::from_secs(5);

/// What failed is tried again after so long; twice as long each time.
const PAUSE: Duration = Duration::from_secs(5);

/// But no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Most parts of an object.
const MAX_PARTS: u64 = 10_000;

/// Largest part, in bytes: that much of a file is in memory.
const MAX_PART: u64 = 64 << 20;

/// Why a recording is not in the storage.
#[derive(Debug, thiserror::Error)]
enum StorageError {
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("its file: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its file is longer than {MAX_PARTS} parts of {MAX_PART} bytes")]
    TooLong,
    #[error("it has been deleted meanwhile")]
    Deleted,
}

impl Control {
    /// Copies complete recordings to the object storage, and deletes there what was deleted here. Runs for ever.
    pub async fn keep_recordings_stored(self) {
        let recordings = self.shared.recordings.clone();
        let Some(bucket) = recordings.place.objects.clone() else {
            return;
        };
        let most = recordings.place.settings.get().s3.uploads;
        let mut running: JoinSet<(String, Result<(), StorageError>)> = JoinSet::new();
        let mut busy = HashSet::new();
        let mut later: HashMap<String, (Instant, Duration)> = HashMap::new();
        loop {
            let now = Instant::now();
            while running.len() < most {
                let waits = |key: &String| {
                    busy.contains(key) || later.get(key).is_some_and(|(until, _)| *until > now)
                };
                let Some(vod) = recordings.next_to_store(waits) else {
                    break;
                };
                let key = vod.key();
                busy.insert(key.clone());
                let (recordings, bucket) = (recordings.clone(), bucket.clone());
                running.spawn(async move {
                    let done = recordings.settle_stored(&bucket, &key).await;
                    (key, done)
                });
            }
            tokio::select! {
                Some(done) = running.join_next() => {
                    // A panic in it has been counted; what it was at stays busy until the next start.
                    let Ok((key, result)) = done else { continue };
                    busy.remove(&key);
                    match result {
                        Ok(()) | Err(StorageError::Deleted) => {
                            later.remove(&key);
                        }
                        Err(error) => {
                            let pause = later.get(&key).map_or(PAUSE, |(_, pause)| *pause * 2);
                            let pause = pause.min(LONGEST_PAUSE);
                            tracing::warn!(recording = key, %error, again_in = ?pause, "a recording is not in the object storage as it should be");
                            later.insert(key, (Instant::now() + pause, pause));
                        }
                    }
                }
                () = recordings.news.notified() => {}
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Where the object storage has the file of that name, if it has all of it.
    pub async fn vod_link(&self, app: &str, file: &str, method: &Method) -> Option<Url> {
        let recordings = &self.shared.recordings;
        let bucket = recordings.place.objects.as_ref()?;
        let key = {
            let all = lock(&recordings.vods);
            let mut vods = all.values();
            let vod = vods.find(|vod| vod.app == app && vod.file == file && vod.is_listed())?;
            let stored = vod.stored.as_ref().filter(|stored| stored.is_whole)?;
            stored.key.clone()
        };
        let link = bucket.link(&key, method.clone()).await;
        link.inspect_err(|error| tracing::error!(file, %error, "no link to a recording"))
            .ok()
    }
}

impl Recordings {
    /// The oldest recording of which something is to be done in the storage.
    fn next_to_store(&self, waits: impl Fn(&String) -> bool) -> Option<Vod> {
        let all = lock(&self.vods);
        let open = all.iter().filter(|(_, vod)| vod.is_to_be_stored());
        let open = open.filter(|(key, _)| !waits(key));
        open.map(|(_, vod)| vod)
            .min_by_key(|vod| vod.finished)
            .cloned()
    }

    /// Names of files of an application that begin so and are in the storage, whether they are on the disk or not.
    pub(super) fn stored_names(&self, app: &str, base: &str) -> Vec<String> {
        let all = lock(&self.vods);
        let stored = all.values().filter(|vod| vod.stored.is_some());
        let stored = stored.filter(|vod| vod.app == app && vod.file.starts_with(base));
        stored.map(|vod| vod.file.clone()).collect()
    }

    /// Knows of files that were removed right before the server was killed. Where not even the folder is there, the disk may
    /// not be mounted yet; what was taken to be gone then is found again.
    pub(super) async fn find_remote(&self) -> Result<(), StoreError> {
        let vods: Vec<Vod> = lock(&self.vods).values().cloned().collect();
        for vod in vods {
            let is_whole = vod.stored.as_ref().is_some_and(|stored| stored.is_whole);
            let host = &self.place.host;
            let is_gone = || is_whole && host.exists(&self.folder(&vod.app));
            let is_remote = !host.exists(&self.path(&vod)) && (vod.is_remote || is_gone());
            if is_remote != vod.is_remote {
                self.change(&vod.key(), |vod| vod.is_remote = is_remote)
                    .await?;
            }
        }
        Ok(())
    }

    /// Brings the storage to what is wanted of a recording.
    async fn settle_stored(&self, bucket: &Bucket, key: &str) -> Result<(), StorageError> {
        let vod = lock(&self.vods).get(key).cloned();
        let vod = vod.ok_or(StorageError::Deleted)?;
        if vod.is_unwanted {
            return self.forget_stored(bucket, &vod).await;
        }
        let begun = Instant::now();
        self.copy(bucket, &vod).await?;
        self.change(key, |vod| {
            if let Some(stored) = &mut vod.stored {
                stored.is_whole = true;
                stored.upload = None;
                stored.parts = Vec::new();
                stored.since = Some(SystemTime::now());
            }
        })
        .await?;
        tracing::info!(
            app = vod.app,
            file = vod.file,
            bytes = vod.bytes,
            seconds = begun.elapsed().as_secs_f64(),
            "a recording is in the object storage"
        );
        if self.place.settings.get().s3.delete_local && !self.is_needed(&vod) {
            self.drop_local(&vod).await?;
        }
        Ok(())
    }

    /// Removes the file of a recording that the storage has.
    pub(super) async fn drop_local(&self, vod: &Vod) -> Result<(), StoreError> {
        if let Err(error) = self.remove_file(vod).await {
            tracing::warn!(file = vod.file, %error, "the file of a recording cannot be removed");
            return Ok(());
        }
        self.change(&vod.key(), |vod| vod.is_remote = true).await?;
        Ok(())
    }

    async fn forget_stored(&self, bucket: &Bucket, vod: &Vod) -> Result<(), StorageError> {
        if let Some(stored) = &vod.stored {
            if let Some(upload) = &stored.upload {
                bucket.abort(&stored.key, upload).await?;
            }
            bucket.remove(&stored.key).await?;
        }
        Ok(self.forget(&vod.key()).await?)
    }

    async fn copy(&self, bucket: &Bucket, vod: &Vod) -> Result<(), StorageError> {
        let settings = &self.place.settings.get().s3;
        let path = self.path(vod);
        let length = tokio::fs::metadata(&path).await?.len();
        let stored = match &vod.stored {
            Some(stored) => stored.clone(),
            None => {
                let stored = Stored {
                    key: object_key(settings, vod),
                    part_bytes: part_bytes(settings, length)?,
                    ..Stored::default()
                };
                self.change_stored(vod, |now| *now = stored.clone()).await?
            }
        };
        let kind = media_type(&vod.file);
        if length <= stored.part_bytes {
            let bytes = read(path, 0, length).await?;
            return Ok(bucket.put(&stored.key, kind, bytes).await?);
        }
        let sent = self.copy_parts(bucket, vod, stored.clone(), path, length, kind);
        match sent.await {
            Err(StorageError::Object(ObjectError::NotFound)) => {
                // The upload is not there any more: it is done, or has to begin anew.
                if bucket
                    .length(&stored.key)
                    .await
                    .is_ok_and(|there| there == length)
                {
                    return Ok(());
                }
                self.change_stored(vod, |stored| {
                    stored.upload = None;
                    stored.parts = Vec::new();
                })
                .await?;
                Err(ObjectError::NotFound.into())
            }
            sent => sent,
        }
    }

    async fn copy_parts(
        &self,
        bucket: &Bucket,
        vod: &Vod,
        mut stored: Stored,
        path: PathBuf,
        length: u64,
        kind: &'static str,
    ) -> Result<(), StorageError> {
        let upload = match stored.upload.take() {
            Some(upload) => upload,
            None => {
                let upload = bucket.begin(&stored.key, kind).await?;
                let kept = self.change_stored(vod, |stored| {
                    stored.upload = Some(upload.clone());
                    stored.parts = Vec::new();
                });
                if let Err(error) = kept.await {
                    // What nobody remembers would be paid for ever.
                    let _ = bucket.abort(&stored.key, &upload).await;
                    return Err(error);
                }
                stored.parts = Vec::new();
                upload
            }
        };
        let count = length.div_ceil(stored.part_bytes.max(1));
        for index in stored.parts.len() as u64..count {
            let at = index.saturating_mul(stored.part_bytes);
            let bytes = read(
                path.clone(),
                at,
                stored.part_bytes.min(length.saturating_sub(at)),
            );
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let part = bucket.part(&stored.key, &upload, index, bytes.await?);
            let part = part.await?;
            stored.parts.push(part.clone());
            self.change_stored(vod, |stored| stored.parts.push(part))
                .await?;
        }
        Ok(bucket.complete(&stored.key, &upload, &stored.parts).await?)
    }

    /// Changes what is known of a recording's copy, unless the recording is not wanted any more.
    async fn change_stored(
        &self,
        vod: &Vod,
        change: impl FnOnce(&mut Stored),
    ) -> Result<Stored, StorageError> {
        let key = vod.key();
        let changed = self.change(&key, |vod| {
            change(vod.stored.get_or_insert_default());
        });
        let changed = changed.await?.filter(|vod| !vod.is_unwanted);
        changed
            .and_then(|vod| vod.stored)
            .ok_or(StorageError::Deleted)
    }
}

impl Vod {
    /// There is something to do of it in the storage.
    fn is_to_be_stored(&self) -> bool {
        let is_whole = self.stored.as_ref().is_some_and(|stored| stored.is_whole);
        let is_ours = self.finished.is_some() && self.origin != Origin::Imported;
        self.is_unwanted || (is_ours && !is_whole)
    }
}

fn object_key(settings: &S3, vod: &Vod) -> String {
    let prefix = settings.prefix.trim_end_matches('/');
    match prefix.is_empty() {
        true => format!("{}/{}", vod.app, vod.file),
        false => format!("{prefix}/{}/{}", vod.app, vod.file),
    }
}

/// As configured, or as large as the number of parts demands.
fn part_bytes(settings: &S3, length: u64) -> Result<u64, StorageError> {
    let needed = length.div_ceil(MAX_PARTS);
    match needed <= MAX_PART {
        true => Ok(settings.part_bytes.max(needed)),
        false => Err(StorageError::TooLong),
    }
}

async fn read(path: PathBuf, at: u64, length: u64) -> io::Result<Bytes> {
    let reading = move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        File::open(path)?.read_exact_at(&mut bytes, at)?;
        Ok(bytes.into())
    };
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_and_cut_so_that_they_fit() {
        let settings: S3 = toml::from_str("prefix = \"a/b/\"").unwrap();
        let vod = Vod {
            app: "live".into(),
            file: "cam.mp4".into(),
            ..Vod::default()
        };
        assert_eq!(object_key(&settings, &vod), "a/b/live/cam.mp4");
        assert_eq!(object_key(&S3::default(), &vod), "live/cam.mp4");
        for (length, expected) in [(0, 8 << 20), (1 << 36, 8 << 20), (100 << 30, 10_737_419)] {
            assert_eq!(part_bytes(&settings, length).unwrap(), expected);
        }
        assert!(part_bytes(&settings, 1 << 40).is_err());
    }

    #[test]
    fn what_is_to_be_done_is_known_by_the_document_alone() {
        let complete = Vod {
            finished: Some(SystemTime::UNIX_EPOCH),
            ..Vod::default()
        };
        let stored = |is_whole| {
            Some(Stored {
                is_whole,
                ..Stored::default()
            })
        };
        let cases = [
            (Vod::default(), false),
            (complete.clone(), true),
            (
                Vod {
                    origin: Origin::Imported,
                    ..complete.clone()
                },
                false,
            ),
            (
                Vod {
                    stored: stored(false),
                    ..complete.clone()
                },
                true,
            ),
            (
                Vod {
                    stored: stored(true),
                    ..complete.clone()
                },
                false,
            ),
            (
                Vod {
                    stored: stored(true),
                    is_unwanted: true,
                    ..complete
                },
                true,
            ),
        ];
        for (vod, expected) in cases {
            assert_eq!(vod.is_to_be_stored(), expected, "{vod:?}");
        }
    }
}
