//! What a killed server left: files that are not complete, and documents whose files are gone.
//!
//! What has to be completed is found before anything is recorded, so that no file is taken for left that is written now.
//! Completing it may take minutes, since a transport stream is read from its beginning; streams do not wait for it. Names
//! of such files are taken, by their file on the disk, and nobody is shown one before it is complete.

use super::vod::{self, Vod};
use super::{Control, Recordings, file_name, lock};
use crate::record::{finish, name};
use crate::store::StoreError;
use std::path::PathBuf;
use std::time::SystemTime;

/// A recording that has to be completed.
#[derive(Debug)]
pub(super) struct Left {
    path: PathBuf,
    /// It has its last name: the server was killed between that and the last state of the document.
    is_named: bool,
    /// Its document, or a new one.
    vod: Vod,
}

impl Control {
    /// Finds the recordings that a killed server left, and begins to complete them. To be called once, before streams come.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn recover_recordings(&self) -> Result<(), StoreError> {
        let recordings = self.shared.recordings.clone();
        let left = recordings.find_left().await?;
        tokio::spawn(async move { recordings.complete_left(left).await });
        Ok(())
    }
}

impl Recordings {
    /// What is to be completed. Forgets documents whose files are gone.
    pub(super) async fn find_left(&self) -> Result<Vec<Left>, StoreError> {
        self.forget_uploads();
        self.find_remote().await?;
        let host = &self.place.host;
        let mut open: Vec<Vod> = {
            let all = lock(&self.vods);
            let open = all.values().filter(|vod| vod.finished.is_none());
            open.cloned().collect()
        };
        let mut left = Vec::new();
        for folder in host.list(&self.place.folder) {
            let app = file_name(&folder);
            for path in host.list(&folder) {
                let name = file_name(&path);
                let Some(file) = name.strip_suffix(name::UNFINISHED) else {
                    continue;
                };
                let known = open
                    .iter()
                    .position(|vod| vod.app == app && vod.file == file);
                let vod = match known {
                    Some(place) => open.swap_remove(place),
                    None => Vod {
                        app: app.clone(),
                        id: vod::random_text(24),
                        file: file.to_owned(),
                        ..Vod::default()
                    },
                };
                left.push(Left {
                    path,
                    is_named: false,
                    vod,
                });
            }
        }
        for vod in open {
            let path = self.path(&vod);
            if !host.exists(&path) {
                tracing::warn!(app = vod.app, file = vod.file, "a recording is gone");
                self.forget(&vod.key()).await?;
                continue;
            }
            left.push(Left {
                path,
                is_named: true,
                vod,
            });
        }
        Ok(left)
    }

    /// Completes them, one after the other: each may take a hundred megabytes for its index. What cannot be completed is
    /// tried again at the next start.
    pub(super) async fn complete_left(&self, left: Vec<Left>) {
        for Left {
            path,
            is_named,
            mut vod,
        } in left
        {
            let host = self.place.host.clone();
            let read = move || match is_named {
                true => finish::inspect(&*host, &path),
                false => finish::finish(&*host, &path),
            };
            // A panic in it has been counted.
            let Ok(read) = tokio::task::spawn_blocking(read).await else {
                continue;
            };
            let finished = match read {
                Ok(finished) => finished,
                Err(error) => {
                    tracing::error!(app = vod.app, file = vod.file, %error, "a recording that was cut off cannot be completed");
                    continue;
                }
            };
            if vod.stream_id.is_empty() {
                let first = finished.spans.first();
                vod.started = first.map_or_else(
                    || self.place.host.now(),
                    |span| SystemTime::UNIX_EPOCH + span.since_1970,
                );
            }
            tracing::info!(
                app = vod.app,
                file = vod.file,
                seconds = finished.duration.as_secs_f64(),
                "a recording that was cut off has been completed"
            );
            if let Err(error) = self.complete(vod, &finished).await {
                tracing::error!(%error, "cannot keep what is known of a recording");
            }
        }
    }
}
