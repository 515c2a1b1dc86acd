//! A recording that is being written.
//!
//! Every call here blocks until the disk has what it was given: at most the fragment that was not handed
//! over is lost, whether the process is killed or the power fails.

use super::name::{UNFINISHED, numbered};
use super::{Finished, RecordError, finish};
use bytes::Bytes;
use media::Track;
use mp4::index::PLACEHOLDER;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Most files of one base name.
const MAX_NUMBER: u32 = 1_000_000;

/// A file of one set of tracks.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    /// Bytes written as a whole; what a failed write left behind them does not count.
    length: u64,
}

impl Writer {
    /// Makes a file of that base name, or the first free one of `base_1`, `base_2` …, in `folder`.
    ///
    /// # Errors
    /// What the disk says, or that MP4 cannot hold the tracks.
    pub fn create(folder: &Path, base: &str, tracks: &[Track]) -> Result<Self, RecordError> {
        let init = mp4::init::write(tracks)?;
        std::fs::create_dir_all(folder)?;
        let (mut file, path) = free_file(folder, base)?;
        let head = with_placeholder(&init);
        file.write_all(&head)?;
        file.sync_data()?;
        sync_folder(folder)?;
        let length = head.len() as u64;
        Ok(Self { file, path, length })
    }

    /// The name under which the file will be found once it is complete.
    pub fn final_name(&self) -> String {
        finish::final_path(&self.path)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Appends a fragment; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the disk says. Nothing more may be appended then.
    pub fn append(&mut self, fragment: &Bytes) -> io::Result<()> {
        self.file.write_all(fragment)?;
        self.file.sync_data()?;
        self.length += fragment.len() as u64;
        Ok(())
    }

    /// Completes the file, also after an append that failed: what it left is cut off. A disk without room
    /// for the index keeps the file as it is, playable, under its final name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self) -> Result<Finished, RecordError> {
        let Self { file, path, length } = self;
        file.set_len(length)?;
        drop(file);
        finish::finish(&path)
    }
}

/// A new file that no other recording has or will have the name of.
fn free_file(folder: &Path, base: &str) -> io::Result<(File, PathBuf)> {
    for number in 0..MAX_NUMBER {
        let path = folder.join(numbered(base, number) + UNFINISHED);
        if finish::final_path(&path).exists() {
            continue;
        }
        match OpenOptions::new().write(true).create_new(true).open(&path) {
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

/// Makes a change of names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
