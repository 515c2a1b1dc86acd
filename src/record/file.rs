//! A recording that is being written.
//!
//! Every call here blocks until the disk has what it was given: at most the fragment that was not handed
//! over is lost, whether the process is killed or the power fails.

use super::host::{Host, HostFile};
use super::name::{self, UNFINISHED};
use super::spans::Spans;
use super::{Finished, RecordError, finish};
use crate::config::record::Format;
use bytes::Bytes;
use media::Track;
use mp4::index::PLACEHOLDER;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most files of one base name.
const MAX_NUMBER: u32 = 1_000_000;

/// Where a file goes.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Its folder, which need not exist.
    pub folder: PathBuf,
    /// What it is.
    pub format: Format,
    /// Its name without ending; the first free one of `base_1`, `base_2` … where that is in use.
    pub base: String,
    /// Names that are in use although no file there has them, with their ending.
    pub taken: Vec<String>,
    /// Room that the disk keeps, in bytes.
    pub free_bytes: u64,
}

/// A file of one set of tracks.
#[derive(Debug)]
pub struct Writer {
    host: Arc<dyn Host>,
    file: Box<dyn HostFile>,
    path: PathBuf,
    /// Bytes written as a whole; what a failed write left behind them does not count.
    length: u64,
    /// Nothing is written that leaves less room than this, in bytes.
    free_bytes: u64,
    so_far: SoFar,
}

/// What is in a file that is being written, so that nobody has to read all of it to know.
pub type SoFar = Arc<Mutex<Option<Finished>>>;

impl Writer {
    /// Makes a file.
    ///
    /// # Errors
    /// What the disk says, or that MP4 cannot hold the tracks.
    pub fn create(
        host: Arc<dyn Host>,
        wanted: &Wanted,
        tracks: &[Track],
    ) -> Result<Self, RecordError> {
        let Wanted {
            folder, free_bytes, ..
        } = wanted;
        let head = match wanted.format {
            Format::Mp4 => with_placeholder(&mp4::init::write(tracks)?),
            Format::Ts if tracks.is_empty() => return Err(mp4::init::Error::NoTracks.into()),
            Format::Ts => Vec::new(),
        };
        check_room(&*host, folder, *free_bytes)?;
        let (file, path) = free_file(&*host, wanted)?;
        let made = file
            .write_all_at(&head, 0)
            .and_then(|()| file.sync())
            .and_then(|()| host.sync_folder(folder))
            // The folder may be new itself.
            .and_then(|()| {
                folder
                    .parent()
                    .map_or(Ok(()), |above| host.sync_folder(above))
            });
        if let Err(error) = made {
            // It holds nothing. That it stays is no harm: the next start removes it.
            let _ = host.remove(&path);
            return Err(error.into());
        }
        let length = head.len() as u64;
        Ok(Self {
            host,
            file,
            path,
            length,
            free_bytes: *free_bytes,
            so_far: SoFar::default(),
        })
    }

    /// The name under which the file will be found once it is complete.
    pub fn final_name(&self) -> String {
        finish::final_path(&self.path)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// What is in it, as it grows.
    pub fn so_far(&self) -> SoFar {
        self.so_far.clone()
    }

    /// Tells what is in it by now. A transport stream is completed from that without reading it.
    pub(super) fn know(&self, (samples, duration, spans): (usize, Duration, Spans)) {
        let known = Finished {
            path: self.path.clone(),
            bytes: self.length,
            duration,
            samples,
            spans: spans.into_list(),
        };
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Bytes so far.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Appends a fragment; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the disk says; `StorageFull` also where it would have too little room. Nothing more may be appended then.
    pub fn append(&mut self, fragment: &Bytes) -> io::Result<()> {
        let needed = self.free_bytes.saturating_add(fragment.len() as u64);
        check_room(&*self.host, &self.path, needed)?;
        self.file.write_all_at(fragment, self.length)?;
        self.file.sync()?;
        self.length += fragment.len() as u64;
        Ok(())
    }

    /// Completes the file, also after an append that failed: what it left is cut off. A disk without room
    /// for the index keeps the file as it is, playable, under its final name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self) -> Result<Finished, RecordError> {
        self.file.set_length(self.length)?;
        drop(self.file);
        let so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let known = so_far.clone();
        drop(so_far);
        match known.filter(|known| known.bytes == self.length) {
            Some(known) if name::format(&known.path.to_string_lossy()) == Format::Ts => {
                let path = finish::final_path(&self.path);
                finish::rename(&*self.host, &self.path, Finished { path, ..known })
            }
            _ => finish::finish(&*self.host, &self.path),
        }
    }
}

/// A disk that does not tell its room is taken to have some.
fn check_room(host: &dyn Host, path: &Path, needed: u64) -> io::Result<()> {
    match host.room(path) {
        Ok(room) if room < needed => {
            let words = format!("{room} bytes are free, less than the {needed} that have to be");
            Err(io::Error::new(io::ErrorKind::StorageFull, words))
        }
        _ => Ok(()),
    }
}

/// A new file that no other recording has or will have the name of.
fn free_file(host: &dyn Host, wanted: &Wanted) -> io::Result<(Box<dyn HostFile>, PathBuf)> {
    for number in 0..MAX_NUMBER {
        let complete = name::complete(&wanted.base, number, wanted.format);
        let last = wanted.folder.join(&complete);
        if wanted.taken.contains(&complete) || host.exists(&last) {
            continue;
        }
        let path = wanted.folder.join(complete + UNFINISHED);
        match host.create(&path) {
            // The one that had this name got its last name meanwhile, in whose place this one would be put.
            Ok(_) if host.exists(&last) => {
                // It holds nothing, and is no harm where it stays.
                let _ = host.remove(&path);
            }
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many files of that name"))
}

/// `ftyp`, the placeholder for the head of the data, and the rest.
fn with_placeholder(init: &Bytes) -> Vec<u8> {
    let ftyp = mp4::boxes::Header::read(init).and_then(|header| header.size);
    let ftyp = usize::try_from(ftyp.unwrap_or(0)).unwrap_or(usize::MAX);
    let (before, behind) = init.split_at_checked(ftyp).unwrap_or((init, &[]));
    [before, &PLACEHOLDER, behind].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fragments::tests;
    use crate::record::host::memory::Memory;
    use std::time::SystemTime;

    /// A disk on which a file is completed right before another of its name is made.
    #[derive(Debug)]
    struct Racing(Memory);

    impl Host for Racing {
        fn now(&self) -> SystemTime {
            self.0.now()
        }

        fn create(&self, path: &Path) -> io::Result<Box<dyn HostFile>> {
            if self.0.exists(path) {
                self.0.rename(path, &finish::final_path(path))?;
            }
            self.0.create(path)
        }

        fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn HostFile>> {
            self.0.open(path, write)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.0.rename(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            self.0.remove(path)
        }

        fn exists(&self, path: &Path) -> bool {
            self.0.exists(path)
        }

        fn list(&self, folder: &Path) -> Vec<PathBuf> {
            self.0.list(folder)
        }

        fn sync_folder(&self, folder: &Path) -> io::Result<()> {
            self.0.sync_folder(folder)
        }

        fn room(&self, folder: &Path) -> io::Result<u64> {
            self.0.room(folder)
        }
    }

    #[test]
    fn a_file_that_is_completed_meanwhile_keeps_its_name() {
        let disk = Memory::new();
        let unfinished = Path::new("/r/live/cam.mp4.tmp_extension");
        let file = disk.create(unfinished).unwrap();
        file.write_all_at(b"recorded before", 0).unwrap();
        let wanted = Wanted {
            folder: "/r/live".into(),
            base: "cam".into(),
            ..Wanted::default()
        };
        let host = Arc::new(Racing(disk.clone()));
        let writer = Writer::create(host, &wanted, &tests::tracks().tracks).unwrap();
        assert_eq!(writer.final_name(), "cam_1.mp4");
        assert!(!disk.exists(unfinished));
        writer.finish().unwrap();
        let before = disk.read(Path::new("/r/live/cam.mp4"));
        assert_eq!(before.as_deref(), Some(&b"recorded before"[..]));
        assert!(disk.exists(Path::new("/r/live/cam_1.mp4")));
    }
}
