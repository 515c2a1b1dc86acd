//! Any stretch of time out of a stream's recordings as one file, which is made while it is read.

use super::Control;
use super::vod::Vod;
use crate::config::record::Format;
use crate::hub::StreamName;
use crate::record::export::{ExportError, Part, cut, export};
use crate::record::name::{self, UNFINISHED};
use mp4::index::Whole;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most files of one export.
const MAX_PARTS: usize = 10_000;

/// A file that exists only while it is read.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its index, and where its media is.
    pub whole: Whole,
    /// The files that hold it, by the number of the piece's source.
    pub files: Vec<PathBuf>,
    /// When it begins, since 1970.
    pub since_1970: Duration,
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
    #[error("{0} is in the object storage alone")]
    Remote(String),
    /// A file is no MP4.
    #[error("{0} is a transport stream: what is in it is not exported as MP4")]
    Transport(String),
    /// Something else.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl Export {
    /// Opens the file of a source, which may have got its last name since.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(path: &Path) -> io::Result<File> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = path.to_string_lossy();
                File::open(text.strip_suffix(UNFINISHED).ok_or(error)?)
            }
            opened => opened,
        }
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
        if let Some((remote, _)) = recorded.iter().find(|(recorded, _)| recorded.vod.is_remote) {
            return Err(ExportFailure::Remote(remote.vod.file.clone()));
        }
        let is_transport = |vod: &Vod| name::format(&vod.file) == Format::Ts;
        if let Some((found, _)) = recorded.iter().find(|(found, _)| is_transport(&found.vod)) {
            return Err(ExportFailure::Transport(found.vod.file.clone()));
        }
        let parts = recorded.into_iter().map(|(recorded, path)| Part {
            path,
            span: recorded.span,
        });
        let parts = cut(parts.collect(), from, until);
        let since_1970 = parts.first().ok_or(ExportFailure::Nothing)?.span.since_1970;
        if parts.len() > MAX_PARTS {
            return Err(ExportFailure::TooMany);
        }
        let host = recordings.place.host.clone();
        let files = parts.iter().map(|part| part.path.clone()).collect();
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
