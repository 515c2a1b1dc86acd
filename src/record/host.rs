//! What recordings need of the machine: its disk and its clock. Everything else here goes through this, so that tests can
//! take the disk's room or the power away, and let a day pass.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(test)]
pub(crate) mod memory;

/// The disk and the clock. Every call may block.
pub trait Host: Debug + Send + Sync {
    /// The clock on the wall.
    fn now(&self) -> SystemTime;

    /// Makes a new file, and the folders that lead to it. What stands in it survives a power cut once it is synced, its
    /// name once its folder is.
    ///
    /// # Errors
    /// What the disk says; `AlreadyExists` where there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn HostFile>>;

    /// Opens a file, for writing too if that is wanted.
    ///
    /// # Errors
    /// What the disk says.
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn HostFile>>;

    /// Gives a file another name in its folder, in the place of what has it.
    ///
    /// # Errors
    /// What the disk says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the disk says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a file.
    fn exists(&self, path: &Path) -> bool;

    /// What is in a folder; nothing if it cannot be read.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;

    /// Makes changes of names in a folder survive a power cut.
    ///
    /// # Errors
    /// What the disk says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Bytes that may still be written below a folder, which need not exist.
    ///
    /// # Errors
    /// What the disk says.
    fn room(&self, folder: &Path) -> io::Result<u64>;
}

/// An open file. Every call may block.
pub trait HostFile: Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the disk says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `at` on.
    ///
    /// # Errors
    /// What the disk says; `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `at`.
    ///
    /// # Errors
    /// What the disk says. Part of it may be written then.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts the file off, or makes it longer.
    ///
    /// # Errors
    /// What the disk says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns when contents and length survive a power cut.
    ///
    /// # Errors
    /// What the disk says.
    fn sync(&self) -> io::Result<()>;
}

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Host for Machine {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn HostFile>> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn HostFile>> {
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn list(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn room(&self, folder: &Path) -> io::Result<u64> {
        let mut folder = folder;
        loop {
            match rustix::fs::statvfs(folder) {
                Ok(found) => return Ok(found.f_bavail.saturating_mul(found.f_frsize)),
                Err(error) => match folder.parent() {
                    Some(above) if error == rustix::io::Errno::NOENT => {
                        folder = match above.as_os_str().is_empty() {
                            true => Path::new("."),
                            false => above,
                        };
                    }
                    _ => return Err(error.into()),
                },
            }
        }
    }
}

impl HostFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, at)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, at)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_that_of_the_folder_above_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let room = Machine.room(&folder.path().join("a/b/c")).unwrap();
        assert!(room > 0);
        assert!(Machine.room(Path::new("not-there/at-all")).unwrap() > 0);
    }
}
