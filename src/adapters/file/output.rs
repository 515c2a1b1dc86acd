//! Where a file is written: one, or a playlist and what it names.

use super::form::{DURATION, Form};
use super::segments;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// What is gathered for one write, in bytes.
pub(super) const PIECE: usize = 1 << 20;

/// What is written to.
pub(super) struct Output {
    file: File,
    /// The file that is wanted, and the one that is written until that can be.
    path: PathBuf,
    unfinished: Option<PathBuf>,
    /// What has been gathered.
    pub(super) buffer: Vec<u8>,
    /// The files in which it goes on from a place in `buffer` on, by their names in `folder`.
    turns: Vec<(usize, String)>,
    /// Where a playlist has its segments.
    folder: PathBuf,
    /// Where the duration of an FLV file stands.
    duration_at: Option<u64>,
    written: u64,
}

impl Output {
    pub(super) async fn create(path: &Path, form: &Form) -> io::Result<Self> {
        let unfinished = match form {
            Form::Mp4 { .. } | Form::Segments(_) => {
                let mut name = path.as_os_str().to_owned();
                name.push(".part");
                Some(PathBuf::from(name))
            }
            _ => None,
        };
        let folder = segments::folder(path);
        if let Form::Segments(_) = form {
            tokio::fs::create_dir_all(&folder).await?;
            // It would name what is written over.
            match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(Self {
            file: File::create(unfinished.as_deref().unwrap_or(path)).await?,
            path: path.to_owned(),
            unfinished,
            turns: Vec::new(),
            folder,
            buffer: Vec::with_capacity(PIECE + (PIECE >> 2)),
            duration_at: None,
            written: 0,
        })
    }

    /// What follows goes to a file of its own beside the others.
    pub(super) fn turn_to(&mut self, name: String) {
        self.turns.push((self.buffer.len(), name));
    }

    /// Writes what has been gathered, if that is so much.
    pub(super) async fn flush(&mut self, least: usize) -> io::Result<()> {
        if self.buffer.len() < least || self.buffer.is_empty() && self.turns.is_empty() {
            return Ok(());
        }
        if self.written == 0 {
            let name = self.buffer.windows(DURATION.len());
            let found = name.take(512).position(|name| name == DURATION.as_bytes());
            // Behind the name stands the type of the value.
            self.duration_at = found.map(|at| (at + DURATION.len() + 1) as u64);
        }
        let mut written = 0;
        for (end, name) in self.turns.drain(..) {
            let piece = self.buffer.get(written..end).unwrap_or_default();
            self.file.write_all(piece).await?;
            self.file.flush().await?;
            self.file = File::create(self.folder.join(name)).await?;
            written = end;
        }
        let rest = self.buffer.get(written..).unwrap_or_default();
        self.file.write_all(rest).await?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, and what can be known only now.
    pub(super) async fn finish(mut self, form: Form) -> io::Result<()> {
        match form {
            Form::Ts(mut muxer) => {
                muxer.flush();
                while let Some(chunk) = muxer.pull() {
                    self.buffer.extend_from_slice(&chunk.data);
                }
                self.flush(0).await?;
            }
            Form::Flv { last, .. } => {
                self.flush(0).await?;
                if let Some(at) = self.duration_at {
                    let seconds = f64::from(last) / 1_000.0;
                    self.file.seek(io::SeekFrom::Start(at)).await?;
                    self.file.write_all(&seconds.to_be_bytes()).await?;
                }
            }
            Form::Fragmented { mut fragments, .. } => {
                self.buffer
                    .extend_from_slice(&fragments.finish().unwrap_or_default());
                self.flush(0).await?;
            }
            Form::Segments(segments) => {
                let done = segments.finish(&mut self);
                self.flush(0).await?;
                self.file.flush().await?;
                let unfinished = self.unfinished.unwrap_or_default();
                tokio::fs::write(&unfinished, done.playlist(&self.path)).await?;
                return tokio::fs::rename(&unfinished, &self.path).await;
            }
            Form::Mp4 { plain, .. } => {
                self.flush(0).await?;
                self.file.flush().await?;
                let head = plain.map(|plain| plain.finish()).transpose();
                let head = head.map_err(io::Error::other)?.unwrap_or_default();
                let (path, unfinished) = (self.path, self.unfinished.unwrap_or_default());
                let put = move || put_in_front(&head, &unfinished, &path);
                return tokio::task::spawn_blocking(put)
                    .await
                    .map_err(io::Error::other)?;
            }
        }
        self.file.flush().await
    }
}

/// Makes a file of a head and of what has been written before there was one.
fn put_in_front(head: &[u8], media: &Path, path: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    io::Write::write_all(&mut file, head)?;
    io::copy(&mut std::fs::File::open(media)?, &mut file)?;
    std::fs::remove_file(media)
}
