//! Segments on the disk, for who goes back further than memory reaches.
//!
//! They lie one behind the other in files that have no name: nothing is left of them when the server ends, however it
//! ends, and the disk has its room back when the last segment of a file is forgotten. Everything here blocks.

use super::Segment;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file takes no further segment beyond so many bytes. Room is given back by whole files.
const FILE_BYTES: u64 = 64 << 20;

/// Writes the segments of one track.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    /// The newest file, and how long it is.
    open: Option<(Arc<File>, u64)>,
}

/// Where a segment is. As long as one of a file is known, the file stays.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<File>,
    start: u64,
}

impl Disk {
    /// In that folder, which is made if it is not there.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, open: None }
    }

    /// Writes a segment that has its parts.
    ///
    /// # Errors
    /// What the system says. The next segment begins another file then.
    pub fn put(&mut self, segment: &Segment) -> io::Result<Place> {
        let (file, start) = match self.open.take() {
            Some((file, length)) if length < FILE_BYTES => (file, length),
            _ => (Arc::new(self.nameless()?), 0),
        };
        let mut slices: Vec<IoSlice<'_>> = segment
            .parts
            .iter()
            .map(|part| IoSlice::new(&part.bytes))
            .collect();
        write_all(&file, &mut slices)?;
        self.open = Some((file.clone(), start.saturating_add(segment.bytes as u64)));
        Ok(Place { file, start })
    }

    fn nameless(&self) -> io::Result<File> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self
            .folder
            .join(format!("segments-{:016x}", rand::random::<u64>()));
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }
}

fn write_all(mut file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Place {
    /// Fills `bytes` with those of the segment from `offset` on.
    ///
    /// # Errors
    /// What the system says; when the segment has not as many.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = self.start.saturating_add(offset);
        self.file.read_exact_at(bytes, start)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.start == other.start
    }
}

impl Eq for Place {}
