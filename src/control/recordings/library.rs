//! Files that others bring: uploaded, or imported from a folder.

use super::vod::{Origin, Vod, random_text};
use super::{Control, ControlError, Recordings, file_name, lock};
use crate::record::name::{ENDING, UNFINISHED, foreign, numbered};
use bytes::Bytes;
use mp4::reader::{Reader, Step};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncWriteExt;

/// What a file is called while it is uploaded. The next start removes it.
const UPLOADING: &str = ".upload";

/// Folders within folders that are imported.
const MAX_DEPTH: usize = 16;

/// Most files that one call imports.
const MAX_IMPORTED: usize = 10_000;

/// Most entries of folders that one call looks at.
const MAX_LOOKED: usize = 1_000_000;

/// So many bytes of an upload are written before it is looked whether there is room for more.
const LOOK_AFTER: u64 = 16 << 20;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Its name has no ending of a media file.
    #[error("notSupportedFileType")]
    Kind,
    /// It is longer than `record.upload_bytes`, or the disk has no room for it.
    #[error("the file is too long for this server, or its disk")]
    TooLong,
    /// It has the name of an MP4 and is none.
    #[error("the file is no MP4: {0}")]
    NotMp4(String),
    /// The disk said no.
    #[error("the file could not be written")]
    Disk(#[from] io::Error),
    /// What is known of it cannot be kept.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Why a folder is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It lies in none of `record.import`, or is no folder.
    #[error("the folder is not one that may be imported")]
    NotAllowed,
    /// What is known of a file cannot be kept.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A file that is being uploaded. One that is dropped is gone.
#[derive(Debug)]
pub struct Upload {
    recordings: Recordings,
    vod: Vod,
    ending: &'static str,
    path: PathBuf,
    file: tokio::fs::File,
    looked: u64,
    is_done: bool,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_done
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a part of an upload stays");
        }
    }
}

impl Upload {
    /// Writes the next bytes.
    ///
    /// # Errors
    /// When there are too many, or the disk says no.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        let settings = self.recordings.place.settings.get();
        self.vod.bytes = self.vod.bytes.saturating_add(bytes.len() as u64);
        if self.vod.bytes > settings.upload_bytes {
            return Err(UploadError::TooLong);
        }
        if self.vod.bytes >= self.looked {
            self.looked = self.vod.bytes.saturating_add(LOOK_AFTER);
            let free_bytes = settings.free_bytes.saturating_add(LOOK_AFTER);
            if self
                .recordings
                .room()
                .await
                .is_ok_and(|room| room < free_bytes)
            {
                return Err(UploadError::TooLong);
            }
        }
        self.file.write_all(bytes).await?;
        Ok(())
    }

    /// The file is whole. Returns its ID.
    ///
    /// # Errors
    /// When it is not what its name says, or cannot be kept.
    pub async fn finish(mut self, metadata: Option<String>) -> Result<String, UploadError> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        if [ENDING, ".mov"].contains(&self.ending) {
            let path = self.path.clone();
            let looked = tokio::task::spawn_blocking(move || duration(&path));
            self.vod.duration = looked.await.map_err(io::Error::other)??;
        }
        let path = self.recordings.path(&self.vod);
        tokio::fs::rename(&self.path, &path).await?;
        self.is_done = true;
        self.vod.metadata = metadata;
        self.vod.finished = Some(SystemTime::now());
        let kept = self.recordings.keep(&self.vod).await;
        kept.map_err(ControlError::from)?;
        self.recordings.news.notify_one();
        Ok(self.vod.id.clone())
    }
}

impl Control {
    /// Begins a file of that name, as its owner calls it.
    ///
    /// # Errors
    /// When it is of no known kind, or the disk says no.
    pub async fn upload(&self, app: &str, title: &str) -> Result<Upload, UploadError> {
        let (ending, _) = foreign(title).ok_or(UploadError::Kind)?;
        let recordings = self.shared.recordings.clone();
        let id = random_text(24);
        let vod = Vod {
            app: app.to_owned(),
            file: format!("{id}{ending}"),
            id,
            origin: Origin::Uploaded,
            title: Some(file_name(Path::new(title))),
            started: SystemTime::now(),
            ..Vod::default()
        };
        let folder = recordings.folder(app);
        tokio::fs::create_dir_all(&folder).await?;
        let path = folder.join(format!("{}{UPLOADING}", vod.file));
        let file = tokio::fs::File::create_new(&path).await?;
        Ok(Upload {
            recordings,
            vod,
            ending,
            path,
            file,
            looked: 0,
            is_done: false,
        })
    }

    /// Makes the media files in a folder, and in those in it, known to an application. They stay where they are. Returns
    /// how many were not known before.
    ///
    /// # Errors
    /// When the folder is not one of those that may be imported.
    pub async fn import(&self, app: &str, folder: &str) -> Result<usize, ImportError> {
        let recordings = &self.shared.recordings;
        let folder = recordings.allowed(folder)?;
        let known: BTreeSet<PathBuf> = lock(&recordings.vods)
            .values()
            .filter(|vod| vod.app == app)
            .filter_map(|vod| vod.source.clone())
            .collect();
        let links = recordings.folder(app);
        let imported = tokio::task::spawn_blocking(move || {
            let mut walk = Walk {
                known: &known,
                most: MAX_IMPORTED,
                looks: MAX_LOOKED,
                found: Vec::new(),
            };
            walk.look(&folder, 0);
            let linked = walk.found.into_iter().filter_map(|(path, ending, base)| {
                let vod = link(&links, &path, ending, &base);
                vod.inspect_err(|error| {
                    tracing::warn!(path = %path.display(), %error, "a file is not imported");
                })
                .ok()
            });
            linked.collect::<Vec<Vod>>()
        });
        let imported = imported.await.unwrap_or_default();
        for vod in &imported {
            let vod = Vod {
                app: app.to_owned(),
                ..vod.clone()
            };
            let kept = recordings.keep(&vod).await;
            kept.map_err(ControlError::from)?;
        }
        Ok(imported.len())
    }

    /// Forgets what was imported from a folder and those in it. The files stay. Returns how many there were.
    ///
    /// # Errors
    /// When a link to one cannot be removed, or the store cannot be written.
    pub async fn forget_imported(&self, app: &str, folder: &str) -> Result<usize, ControlError> {
        let recordings = &self.shared.recordings;
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
        let gone: Vec<Vod> = lock(&recordings.vods)
            .values()
            .filter(|vod| vod.app == app && vod.origin == Origin::Imported)
            .filter(|vod| {
                let source = vod.source.as_ref();
                source.is_some_and(|source| source.starts_with(&folder))
            })
            .cloned()
            .collect();
        for vod in &gone {
            recordings.delete(vod).await?;
        }
        Ok(gone.len())
    }
}

impl Recordings {
    /// The folder as it is, if it may be imported.
    fn allowed(&self, folder: &str) -> Result<PathBuf, ImportError> {
        let folder = std::fs::canonicalize(folder).map_err(|_| ImportError::NotAllowed)?;
        let settings = self.place.settings.get();
        let mut allowed = settings.import.iter();
        let is_allowed = allowed.any(|root| {
            let root = std::fs::canonicalize(root);
            root.is_ok_and(|root| folder.starts_with(root))
        });
        match is_allowed && folder.is_dir() {
            true => Ok(folder),
            false => Err(ImportError::NotAllowed),
        }
    }

    /// Removes what is left of uploads that were cut off.
    pub(super) fn forget_uploads(&self) {
        let host = &self.place.host;
        for app in host.list(&self.place.folder) {
            for path in host.list(&app) {
                if file_name(&path).ends_with(UPLOADING) {
                    // What cannot be removed is tried again at the next start.
                    let _ = host.remove(&path);
                }
            }
        }
    }
}

/// A walk through folders, for media files that are not known yet.
struct Walk<'a> {
    known: &'a BTreeSet<PathBuf>,
    /// So many are found at most.
    most: usize,
    /// So many entries may still be looked at.
    looks: usize,
    /// Path, ending, and the name of its recording.
    found: Vec<(PathBuf, &'static str, String)>,
}

impl Walk<'_> {
    /// Looks into a folder and those in it. Links are not followed.
    fn look(&mut self, folder: &Path, depth: usize) {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let entries = entries.take(self.looks).filter_map(Result::ok);
        let mut entries: Vec<_> = entries.collect();
        self.looks = self.looks.saturating_sub(entries.len());
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if self.found.len() >= self.most {
                return;
            }
            let path = entry.path();
            if kind.is_dir() && depth < MAX_DEPTH {
                self.look(&path, depth + 1);
            } else if kind.is_file()
                && !self.known.contains(&path)
                && let Some((ending, base)) = foreign(&file_name(&path))
                && !base.is_empty()
            {
                self.found.push((path, ending, base));
            }
        }
    }
}

/// Gives a file a name among an application's recordings.
fn link(folder: &Path, path: &Path, ending: &str, base: &str) -> io::Result<Vod> {
    std::fs::create_dir_all(folder)?;
    let metadata = path.metadata()?;
    for number in 0..u32::MAX {
        let file = numbered(base, number) + ending;
        let place = folder.join(&file);
        let unfinished = folder.join(format!("{file}{UNFINISHED}"));
        // Once it is complete, a recording takes this name, whatever has it.
        let is_taken = || unfinished.symlink_metadata().is_ok();
        if is_taken() {
            continue;
        }
        match std::os::unix::fs::symlink(path, &place) {
            // It has begun meanwhile.
            Ok(()) if is_taken() => std::fs::remove_file(&place)?,
            Ok(()) => {
                let changed = metadata.modified().unwrap_or_else(|_| SystemTime::now());
                let is_mp4 = [ENDING, ".mov"].contains(&ending);
                return Ok(Vod {
                    id: random_text(24),
                    origin: Origin::Imported,
                    title: Some(file_name(path)),
                    file,
                    started: changed,
                    finished: Some(SystemTime::now()),
                    // One that cannot be read may be one that players read.
                    duration: match is_mp4 {
                        true => duration(path).unwrap_or_default(),
                        false => Duration::ZERO,
                    },
                    bytes: metadata.len(),
                    source: Some(path.to_owned()),
                    ..Vod::default()
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many files of that name"))
}

/// How long an MP4 is; zero where it does not say so.
fn duration(path: &Path) -> Result<Duration, UploadError> {
    let file = File::open(path)?;
    let mut reader = Reader::new(file.metadata()?.len());
    loop {
        match reader.poll() {
            Step::Read { at, length } => {
                let mut bytes = vec![0; length];
                let read = file.read_exact_at(&mut bytes, at);
                reader.supply(match read {
                    Ok(()) => bytes.into(),
                    Err(_) => Bytes::new(),
                });
            }
            Step::Track(_) | Step::Unit(_) => return Ok(reader.duration().unwrap_or_default()),
            Step::Fault(fault) => match reader.duration() {
                Some(duration) => return Ok(duration),
                None => return Err(UploadError::NotMp4(fault.to_string())),
            },
            Step::End => return Err(UploadError::NotMp4("it has no tracks".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_file_that_is_being_written_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (film, links) = (folder.path().join("film.mp4"), folder.path().join("live"));
        std::fs::write(&film, b"a film").unwrap();
        std::fs::create_dir(&links).unwrap();
        std::fs::write(links.join("film.mp4.tmp_extension"), b"recorded").unwrap();
        let names = [(); 2].map(|()| link(&links, &film, ENDING, "film").unwrap().file);
        assert_eq!(names, ["film_1.mp4", "film_2.mp4"]);
        assert!(links.join("film.mp4").symlink_metadata().is_err());
        assert_eq!(std::fs::read(links.join("film_1.mp4")).unwrap(), b"a film");
    }

    #[test]
    fn a_walk_finds_what_is_not_known_within_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("c")).unwrap();
        for name in ["a.mp4", "b.mp4", "c/c.mp4", "d.mp4", "e.txt", "f.mp4"] {
            std::fs::write(path(name), b"").unwrap();
        }
        let known = BTreeSet::from([path("a.mp4"), path("b.mp4")]);
        let found = |known: &BTreeSet<PathBuf>, most, looks| -> Vec<String> {
            let mut walk = Walk {
                known,
                most,
                looks,
                found: Vec::new(),
            };
            walk.look(folder.path(), 0);
            walk.found.into_iter().map(|(.., base)| base).collect()
        };
        assert_eq!(found(&BTreeSet::new(), 2, 100), ["a", "b"]);
        // The next call goes on where this one ended.
        assert_eq!(found(&known, 2, 100), ["c", "d"]);
        assert_eq!(found(&known, 100, 100), ["c", "d", "f"]);
        assert!(found(&known, 100, 0).is_empty());
        // What is in the folder uses them up.
        assert_eq!(found(&known, 100, 6), ["d", "f"]);
    }
}
