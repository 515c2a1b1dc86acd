//! Any stretch of time out of recordings as one MP4: nothing is coded anew, and only the index is in memory.

use super::finish::final_path;
use super::host::{Host, HostFile};
use super::outline::Outline;
use super::scan::Scan;
use super::{RecordError, Span};
use bytes::Bytes;
use mp4::index::{Excerpt, ExcerptError, Whole};
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the file of a recording is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On the disk, complete or not.
    Here(PathBuf),
    /// Far away: complete, and to be read in few pieces.
    Afar(Arc<dyn Afar>),
}

/// A file that is far away.
pub trait Afar: Debug + Send + Sync {
    /// To be read, by who may block.
    fn open(&self) -> Box<dyn HostFile>;
}

/// A recording, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its file.
    pub place: Place,
    /// A stretch of it without a gap.
    pub span: Span,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] RecordError),
    /// Its contents do not make one.
    #[error("{error}{}", at(*.since_1970))]
    Excerpt {
        /// What is wrong.
        error: ExcerptError,
        /// Of what was recorded when, since 1970.
        since_1970: Option<Duration>,
    },
}

fn at(since_1970: Option<Duration>) -> String {
    since_1970.map_or_else(String::new, |since_1970| {
        let at = std::time::SystemTime::UNIX_EPOCH + since_1970;
        format!(": {}", humantime::format_rfc3339_millis(at))
    })
}

/// The parts of a stretch of time, from and to so long after 1970, that are in these; they are in the order of time.
pub fn cut(mut parts: Vec<Part>, from: Duration, until: Duration) -> Vec<Part> {
    for Part { span, .. } in &mut parts {
        let late = from.saturating_sub(span.since_1970).min(span.length);
        span.at = span.at.saturating_add(late);
        span.since_1970 = span.since_1970.saturating_add(late);
        span.length = span.length.saturating_sub(late);
        span.length = span.length.min(until.saturating_sub(span.since_1970));
    }
    parts.retain(|part| !part.span.length.is_zero());
    parts
}

/// The index of a file that holds these parts, one after the other, and where its media is: a piece's source is the place
/// of its part. Blocks.
///
/// # Errors
/// What the disk says, or that there is too much, nothing, or a change of the format between the parts.
pub fn export(host: &dyn Host, parts: &[Part]) -> Result<Whole, ExportError> {
    let mut excerpt: Option<Excerpt> = None;
    for (source, part) in parts.iter().enumerate() {
        let since_1970 = part.span.since_1970;
        let wrong = |error| ExportError::Excerpt {
            error,
            since_1970: Some(since_1970),
        };
        let disk = |error| ExportError::File(RecordError::Disk(error));
        let source = u32::try_from(source).unwrap_or(u32::MAX);
        let path = match &part.place {
            Place::Here(path) => path,
            Place::Afar(afar) => {
                let outline = Outline::read(&*afar.open())?;
                let excerpt =
                    begin(&mut excerpt, source, &outline.moov, part.span).map_err(wrong)?;
                for fragment in &outline.fragments {
                    if !excerpt.push_fragment(fragment).map_err(wrong)? {
                        break;
                    }
                }
                continue;
            }
        };
        let file = open(host, path).map_err(disk)?;
        let mut scan = Scan::new(&*file)?;
        let excerpt = begin(&mut excerpt, source, scan.moov(), part.span).map_err(wrong)?;
        while let Some(found) = scan.next_fragment().map_err(disk)? {
            match excerpt.push(found.at, found.end, &found.moof) {
                Ok(true) => {}
                Ok(false) => break,
                // What a power cut left at the end of a file that nobody has completed yet.
                Err(ExcerptError::Index(_)) if !scan.is_complete() => break,
                Err(error) => return Err(wrong(error)),
            }
        }
    }
    let empty = |error| ExportError::Excerpt {
        error,
        since_1970: None,
    };
    let excerpt = excerpt.ok_or_else(|| empty(ExcerptError::Empty))?;
    excerpt.finish().map_err(empty)
}

/// Opens a file, which may have got its last name since it was found.
fn open(host: &dyn Host, path: &Path) -> io::Result<Box<dyn HostFile>> {
    match host.open(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            host.open(&final_path(path), false)
        }
        opened => opened,
    }
}

/// What follows is of that source.
fn begin<'a>(
    excerpt: &'a mut Option<Excerpt>,
    source: u32,
    moov: &Bytes,
    span: Span,
) -> Result<&'a mut Excerpt, ExcerptError> {
    let excerpt = match excerpt {
        Some(excerpt) => excerpt,
        none => none.insert(Excerpt::new(moov)?),
    };
    let until = span.at.saturating_add(span.length);
    excerpt.begin(source, moov, span.at, until)?;
    Ok(excerpt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::file::{Wanted, Writer};
    use crate::record::fragments::{Fragments, tests};
    use crate::record::host::memory::Memory;

    #[test]
    fn a_file_that_has_been_completed_since_is_found() {
        let disk = Memory::new();
        let tracks = tests::tracks();
        let wanted = Wanted {
            folder: "/r/live".into(),
            base: "cam".into(),
            ..Wanted::default()
        };
        let host = Arc::new(disk.clone());
        let mut writer = Writer::create(host, &wanted, &tracks.tracks).unwrap();
        let mut fragments = Fragments::new(&tracks);
        fragments.set_epoch(Some(Duration::from_secs(1_795_000_000)));
        for unit in tests::stream(3, 25) {
            if let Some(fragment) = fragments.push(&unit) {
                writer.append(&fragment).unwrap();
            }
        }
        writer.append(&fragments.finish().unwrap()).unwrap();
        let finished = writer.finish().unwrap();
        let unfinished = finished.path.with_file_name("cam.mp4.tmp_extension");
        let wholes = [unfinished, finished.path].map(|path| {
            let part = Part {
                place: Place::Here(path),
                span: finished.spans[0],
            };
            export(&disk, &[part]).unwrap()
        });
        assert_eq!(wholes[0], wholes[1]);
        // Another that is not there is not found.
        let gone = Part {
            place: Place::Here("/r/live/other.mp4.tmp_extension".into()),
            span: finished.spans[0],
        };
        assert!(matches!(export(&disk, &[gone]), Err(ExportError::File(_))));
    }

    fn part(since: u64, length: u64) -> Part {
        let span = Span {
            at: Duration::from_secs(7),
            since_1970: Duration::from_secs(since),
            length: Duration::from_secs(length),
        };
        Part {
            place: Place::Here(PathBuf::new()),
            span,
        }
    }

    #[test]
    fn parts_are_cut_to_what_is_asked_for() {
        let parts = || vec![part(100, 50), part(150, 50), part(300, 10)];
        let cut = |from, until| -> Vec<(u64, u64, u64)> {
            let parts = cut(
                parts(),
                Duration::from_secs(from),
                Duration::from_secs(until),
            );
            let spans = parts.iter().map(|part| part.span);
            spans
                .map(|span| {
                    (
                        span.at.as_secs(),
                        span.since_1970.as_secs(),
                        span.length.as_secs(),
                    )
                })
                .collect()
        };
        assert_eq!(cut(0, 1_000), [(7, 100, 50), (7, 150, 50), (7, 300, 10)]);
        assert_eq!(cut(120, 160), [(27, 120, 30), (7, 150, 10)]);
        assert_eq!(cut(305, 306), [(12, 305, 1)]);
        for (from, until) in [(0, 100), (200, 300), (310, 400), (120, 110)] {
            assert_eq!(cut(from, until), [], "{from} {until}");
        }
    }
}
