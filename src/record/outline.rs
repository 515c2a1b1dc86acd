//! What is in a complete file that is far away: its beginning and its index are read, and nothing of what lies between.

use super::RecordError;
use super::host::HostFile;
use super::scan::{Scan, read_index};
use bytes::Bytes;
use mp4::index::{Fragment, fragments};

/// The fragments of a file, and the `moov` they belong to.
#[derive(Debug)]
pub(super) struct Outline {
    /// The fragmented one, header included.
    pub(super) moov: Bytes,
    pub(super) fragments: Vec<Fragment>,
}

impl Outline {
    /// Blocks.
    ///
    /// # Errors
    /// What the file says, or that it is no complete recording.
    pub(super) fn read(file: &dyn HostFile) -> Result<Self, RecordError> {
        let foreign = |reason: String| RecordError::Foreign(reason);
        let scan = Scan::new(file)?;
        if !scan.is_complete() {
            return Err(foreign("it has no index".into()));
        }
        let index = read_index(file, &scan)?;
        let found = fragments(&index, scan.position());
        Ok(Self {
            moov: scan.moov().clone(),
            fragments: found.map_err(|error| foreign(error.to_string()))?,
        })
    }
}
