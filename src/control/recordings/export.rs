//! Any stretch of time out of a stream's recordings as one file, which is made while it is read.

use super::vod::Vod;
use super::{Control, Recorded};
use crate::config::record::Format;
use crate::hub::StreamName;
use crate::net::pieces::Source;
use crate::record::export::{ExportError, Part, Place, cut, export};
use crate::record::host::HostFile;
use crate::record::name::{self, UNFINISHED};
use mp4::index::Whole;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Most files of one export.
const MAX_PARTS: usize = 10_000;

/// A file that exists only while it is read.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its index, and where its media is.
    pub whole: Whole,
    /// The files that hold it, by the number of the piece's source.
    pub files: Vec<Place>,
    /// When it begins, since 1970.
    pub since_1970: Duration,
}

/// A file that its pieces are read from.
struct Opened(Box<dyn HostFile>);

impl Source for Opened {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, at)
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ExportFailure {
    /// Nothing was recorded then.
    #[error("nothing was recorded then")]
    Nothing,
    /// A bound.
    #[error("the range is too long: it is in more than {MAX_PARTS} files")]
    TooMany,
    /// A file is not here.
    #[error("{0} is in an object storage alone that is not configured any more")]
    Remote(String),
    /// A file is no MP4.
    #[error("{0} is a transport stream: what is in it is not exported as MP4")]
    Transport(String),
    /// Something else.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl Export {
    /// Opens the file of a source.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(&self, source: u32) -> io::Result<Box<dyn Source>> {
        let mut files = self.files.iter();
        let file = files.nth(usize::try_from(source).unwrap_or(usize::MAX));
        match file.ok_or_else(|| io::Error::other("there is no such file"))? {
            Place::Here(path) => Ok(Box::new(open(path)?)),
            Place::Afar(afar) => Ok(Box::new(Opened(afar.open()))),
        }
    }
}

/// Opens a file, which may have got its last name since.
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = path.to_string_lossy();
            File::open(text.strip_suffix(UNFINISHED).ok_or(error)?)
        }
        opened => opened,
    }
}

impl Control {
    /// What was recorded of a stream from and to these times since 1970.
    ///
    /// # Errors
    /// When there is nothing, or no one file can be made of it.
    pub async fn export(
        &self,
        name: &StreamName,
        from: Duration,
        until: Duration,
    ) -> Result<Export, ExportFailure> {
        let recordings = &self.shared.recordings;
        // It is never closed.
        let _permit = recordings.exports.acquire().await;
        let recorded = recordings.recorded(name, from, until).await;
        let is_transport = |vod: &Vod| name::format(&vod.file) == Format::Ts;
        if let Some((found, _)) = recorded.iter().find(|(found, _)| is_transport(&found.vod)) {
            return Err(ExportFailure::Transport(found.vod.file.clone()));
        }
        let mut parts = Vec::with_capacity(recorded.len());
        for (Recorded { vod, span }, path) in recorded {
            let place = match vod.is_remote {
                true => {
                    let remote = recordings.remote(&vod);
                    Place::Afar(Arc::new(remote.ok_or(ExportFailure::Remote(vod.file))?))
                }
                false => Place::Here(path),
            };
            parts.push(Part { place, span });
        }
        let parts = cut(parts, from, until);
        let since_1970 = parts.first().ok_or(ExportFailure::Nothing)?.span.since_1970;
        if parts.len() > MAX_PARTS {
            return Err(ExportFailure::TooMany);
        }
        let host = recordings.place.host.clone();
        let files = parts.iter().map(|part| part.place.clone()).collect();
        let whole = tokio::task::spawn_blocking(move || export(&*host, &parts));
        let whole = whole
            .await
            .unwrap_or_else(|error| Err(ExportError::File(io::Error::other(error).into())))?;
        Ok(Export {
            whole,
            files,
            since_1970,
        })
    }
}
