//! Recordings that are in the object storage alone, as files that can be read: piece by piece, by whoever may wait.

use super::{Recordings, Vod, lock};
use crate::net::objects::{Bucket, MAX_ANSWER, ObjectError};
use crate::record::Span;
use crate::record::export::Afar;
use crate::record::host::HostFile;
use bytes::Bytes;
use std::io;
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;

/// Bytes that are asked for at a time, and kept: what is read next mostly lies among them.
const BLOCK: u64 = MAX_ANSWER as u64;

/// A recording in the storage.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    bucket: Bucket,
    key: String,
    length: u64,
    runtime: Handle,
}

/// One that is read.
#[derive(Debug)]
struct RemoteFile {
    of: Remote,
    /// What was asked for last, and where it is.
    block: Mutex<Option<(u64, Bytes)>>,
}

impl Recordings {
    /// The file of a recording that is in the storage alone. None without a storage that has it.
    pub(super) fn remote(&self, vod: &Vod) -> Option<Remote> {
        let stored = vod.stored.as_ref().filter(|stored| stored.is_whole)?;
        Some(Remote {
            bucket: self.place.objects.clone()?,
            key: stored.key.clone(),
            length: vod.bytes,
            runtime: Handle::try_current().ok()?,
        })
    }

    /// A file of that name, and when it was, where the storage alone has it.
    pub(super) fn afar(&self, app: &str, file: &str) -> Option<(Remote, Vec<Span>)> {
        let all = lock(&self.vods);
        let mut vods = all.values();
        let vod = vods.find(|vod| vod.app == app && vod.file == file && vod.is_listed())?;
        let remote = self.remote(vod).filter(|_| vod.is_remote)?;
        Some((remote, vod.spans.clone()))
    }
}

impl Afar for Remote {
    fn open(&self) -> Box<dyn HostFile> {
        Box::new(RemoteFile {
            of: self.clone(),
            block: Mutex::default(),
        })
    }
}

impl RemoteFile {
    /// The block that holds the byte at `at`.
    fn block(&self, at: u64) -> io::Result<(u64, Bytes)> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |from: u64, bytes: &Bytes| from <= at && at.saturating_sub(from) < bytes.len() as u64;
        if let Some((from, bytes)) = block.as_ref().filter(|(from, bytes)| holds(*from, bytes)) {
            return Ok((*from, bytes.clone()));
        }
        let end = at.saturating_add(BLOCK).min(self.of.length);
        if at >= end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let asked = self.of.bucket.range(&self.of.key, at..end);
        let bytes = self
            .of
            .runtime
            .block_on(asked)
            .map_err(|error| match error {
                ObjectError::NotFound => io::Error::new(io::ErrorKind::NotFound, error),
                error => io::Error::other(error),
            })?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(block.insert((at, bytes)).clone())
    }
}

impl HostFile for RemoteFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.of.length)
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let (mut rest, mut at) = (bytes, at);
        while !rest.is_empty() {
            let (from, block) = self.block(at)?;
            let skipped = usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX);
            let found = block.get(skipped..).unwrap_or_default();
            let count = found.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(found.get(..count).unwrap_or_default());
            rest = later;
            at = at.saturating_add(count as u64);
        }
        Ok(())
    }

    fn write_all_at(&self, _bytes: &[u8], _at: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_length(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
