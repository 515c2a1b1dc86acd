//! A disk in memory, of which a power cut leaves what was synced and whatever else it likes; with as much room as a test
//! gives it, and a clock that follows tokio's.

use super::{Host, HostFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// What a power cut does to bytes that were written and not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// They are as if they had never been written.
    Lost,
    /// The file has its length, and zeros in their place.
    Zeros,
    /// They are there all the same.
    Kept,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Up to here, both are the same.
    same: usize,
}

type Shared = Arc<Mutex<Contents>>;

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, Shared>,
    synced_names: BTreeMap<PathBuf, Shared>,
    /// Files that can be neither opened nor removed.
    refused: BTreeSet<PathBuf>,
    /// Bytes that all files may have together.
    capacity: u64,
    /// So many changes more are done; all others fail.
    changes_left: Option<u64>,
    changes: u64,
    /// The clock said this then.
    clock: Option<(tokio::time::Instant, SystemTime)>,
}

/// The disk. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Debug)]
struct MemoryFile {
    disk: Memory,
    contents: Shared,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Memory {
    pub(crate) fn new() -> Self {
        let some_day = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let state = State {
            capacity: u64::MAX,
            clock: Some((tokio::time::Instant::now(), some_day)),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The clock on the wall says this now, and goes on as tokio's does.
    pub(crate) fn set_clock(&self, now: SystemTime) {
        lock(&self.0).clock = Some((tokio::time::Instant::now(), now));
    }

    pub(crate) fn set_capacity(&self, bytes: u64) {
        lock(&self.0).capacity = bytes;
    }

    /// A file can be neither opened nor removed, or can be again.
    pub(crate) fn refuse(&self, path: &Path, refused: bool) {
        let mut state = lock(&self.0);
        match refused {
            true => state.refused.insert(path.to_owned()),
            false => state.refused.remove(path),
        };
    }

    /// The power fails before the change of that number.
    pub(crate) fn fail_after(&self, changes: u64) {
        let mut state = lock(&self.0);
        state.changes_left = Some(changes);
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> u64 {
        lock(&self.0).changes
    }

    /// What is found when the power is back.
    pub(crate) fn after_power_cut(&self, cut: Cut) -> Self {
        let state = lock(&self.0);
        let found = Self::new();
        let mut new = lock(&found.0);
        for (path, contents) in &state.synced_names {
            let Contents { now, synced, .. } = lock(contents).clone();
            let mut bytes = synced;
            match cut {
                Cut::Lost => {}
                Cut::Zeros if now.len() > bytes.len() => bytes.resize(now.len(), 0),
                Cut::Zeros => {}
                Cut::Kept => bytes = now,
            }
            let contents = Contents {
                same: bytes.len(),
                now: bytes.clone(),
                synced: bytes,
            };
            let contents = Arc::new(Mutex::new(contents));
            new.names.insert(path.clone(), contents.clone());
            new.synced_names.insert(path.clone(), contents);
        }
        drop(new);
        found
    }

    pub(crate) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let contents = lock(&self.0).names.get(path).cloned()?;
        let bytes = lock(&contents).now.clone();
        Some(bytes)
    }

    /// Every file and its length.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = lock(&self.0);
        let files = state.names.iter();
        files
            .map(|(path, contents)| (path.clone(), lock(contents).now.len() as u64))
            .collect()
    }

    fn used(state: &State) -> u64 {
        let files = state.names.values();
        files.map(|contents| lock(contents).now.len() as u64).sum()
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = lock(&self.0);
        match &mut state.changes_left {
            Some(0) => return Err(io::Error::other("the power has failed")),
            Some(left) => *left -= 1,
            None => {}
        }
        state.changes += 1;
        Ok(state)
    }

    fn file(&self, contents: Shared) -> Box<dyn HostFile> {
        Box::new(MemoryFile {
            disk: self.clone(),
            contents,
        })
    }
}

impl Host for Memory {
    fn now(&self) -> SystemTime {
        let clock = lock(&self.0).clock;
        clock.map_or(SystemTime::UNIX_EPOCH, |(since, at)| at + since.elapsed())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn HostFile>> {
        let mut state = self.change()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let contents = Shared::default();
        state.names.insert(path.to_owned(), contents.clone());
        drop(state);
        Ok(self.file(contents))
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<Box<dyn HostFile>> {
        let state = lock(&self.0);
        if state.refused.contains(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let found = state.names.get(path).cloned();
        drop(state);
        let contents = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(contents))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let contents = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), contents);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if state.refused.contains(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let removed = state.names.remove(path);
        removed
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A folder is there as long as something is in it.
    fn exists(&self, path: &Path) -> bool {
        let state = lock(&self.0);
        state.names.keys().any(|name| name.starts_with(path))
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let state = lock(&self.0);
        let mut found: Vec<PathBuf> = state
            .names
            .keys()
            .filter_map(|path| {
                let first = path.strip_prefix(folder).ok()?.components().next()?;
                Some(folder.join(first))
            })
            .collect();
        found.dedup();
        found
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let State {
            names,
            synced_names,
            ..
        } = &mut *state;
        synced_names.retain(|path, _| path.parent() != Some(folder));
        let inside = names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        synced_names.extend(inside.map(|(path, contents)| (path.clone(), contents.clone())));
        Ok(())
    }

    fn room(&self, _folder: &Path) -> io::Result<u64> {
        let state = lock(&self.0);
        Ok(state.capacity.saturating_sub(Self::used(&state)))
    }
}

impl HostFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.contents).now.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let contents = lock(&self.contents);
        let at = usize::try_from(at).unwrap();
        let found = contents.now.get(at..at + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let state = self.disk.change()?;
        let room = state.capacity.saturating_sub(Memory::used(&state));
        let mut contents = lock(&self.contents);
        let at = usize::try_from(at).unwrap();
        let end = at + bytes.len();
        let more = end.saturating_sub(contents.now.len()) as u64;
        // A full disk takes what fits.
        let taken = bytes.len()
            - usize::try_from(more.saturating_sub(room))
                .unwrap()
                .min(bytes.len());
        if contents.now.len() < at + taken {
            contents.now.resize(at + taken, 0);
        }
        contents.now[at..at + taken].copy_from_slice(&bytes[..taken]);
        contents.same = contents.same.min(at);
        match taken == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let _state = self.disk.change()?;
        let length = usize::try_from(length).unwrap();
        let mut contents = lock(&self.contents);
        contents.same = contents.same.min(length).min(contents.now.len());
        contents.now.resize(length, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let _state = self.disk.change()?;
        let mut contents = lock(&self.contents);
        let Contents { now, synced, same } = &mut *contents;
        synced.truncate(*same);
        synced.extend_from_slice(&now[*same..]);
        *same = now.len();
        Ok(())
    }
}
