//! From a file of fragments to one that players seek in, where it lies; also for what a killed server left.

use super::RecordError;
use super::file::sync_folder;
use super::name::{ENDING, UNFINISHED};
use bytes::Bytes;
use mp4::boxes::Header;
use mp4::index::{Index, IndexError, cover};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest `moov` or `moof` that is read, in bytes. Ours are some kilobytes.
const MAX_BOX: u64 = 4 << 20;

/// A complete recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// From its first to the end of its last access unit.
    pub duration: Duration,
    /// Access units.
    pub samples: usize,
}

/// The name of a file once it is complete.
pub(super) fn final_path(unfinished: &Path) -> PathBuf {
    let name = unfinished
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let base = name.strip_suffix(UNFINISHED).unwrap_or(&name);
    unfinished.with_file_name(format!("{base}{ENDING}"))
}

/// Cuts off a fragment that is not whole, adds the index, and gives the file its final name. Where there is
/// no room for the index, the file stays fragmented, which players take as well.
///
/// # Errors
/// What the disk says, or that it is no file of ours. It keeps its name then.
pub fn finish(unfinished: &Path) -> Result<Finished, RecordError> {
    let file = OpenOptions::new().read(true).write(true).open(unfinished)?;
    let scanned = scan(&file)?;
    let mut bytes = scanned.end;
    if !scanned.is_complete {
        file.set_len(scanned.end)?;
        match add_index(&file, &scanned) {
            Ok(end) => bytes = end,
            Err(RecordError::Disk(error)) => {
                tracing::warn!(file = %unfinished.display(), %error, "a recording gets no index");
                file.set_len(scanned.end)?;
            }
            Err(error) => return Err(error),
        }
        file.sync_all()?;
    }
    let path = final_path(unfinished);
    std::fs::rename(unfinished, &path)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(Finished {
        path,
        bytes,
        duration: scanned.index.duration(),
        samples: scanned.index.samples(),
    })
}

/// What is in a complete recording.
///
/// # Errors
/// What the disk says, or that it is no file of ours.
pub fn inspect(path: &Path) -> Result<Finished, RecordError> {
    let scanned = scan(&File::open(path)?)?;
    Ok(Finished {
        path: path.to_owned(),
        bytes: scanned.end,
        duration: scanned.index.duration(),
        samples: scanned.index.samples(),
    })
}

/// What was found in a file.
struct Scanned {
    index: Index,
    /// Where the placeholder stands.
    placeholder: u64,
    /// Behind the last whole fragment.
    end: u64,
    /// The index is there already: the server was killed between that and the new name.
    is_complete: bool,
}

/// Reads the heads of all boxes and what the fragments say; their samples are passed over.
fn scan(file: &File) -> Result<Scanned, RecordError> {
    let length = file.metadata()?.len();
    let foreign = |reason: &str| RecordError::Foreign(reason.to_owned());
    let (ftyp, next) = next_box(file, 0, length)?.ok_or_else(|| foreign("it is too short"))?;
    if &ftyp.kind != b"ftyp" {
        return Err(foreign("it does not begin as one"));
    }
    let placeholder = next;
    let (second, second_end) =
        next_box(file, next, length)?.ok_or_else(|| foreign("it is too short"))?;
    let is_complete = &second.kind == b"mdat";
    // What was fragmented is inside of the one box of data then, behind its head.
    let (mut at, limit) = match &second.kind {
        b"free" => (second_end, length),
        b"mdat" => (placeholder.saturating_add(second.length), second_end),
        _ => return Err(foreign("its second box is another")),
    };
    let (moov, next) = next_box(file, at, limit)?.ok_or_else(|| foreign("it is too short"))?;
    if &moov.kind != b"moov" {
        return Err(foreign("it has no tracks"));
    }
    let mut index =
        Index::new(&read(file, at, next)?).map_err(|error| foreign(&error.to_string()))?;
    at = next;
    while let Some((moof, data)) = next_box(file, at, limit)? {
        let Some((mdat, next)) = next_box(file, data, limit)? else {
            break;
        };
        if (&moof.kind, &mdat.kind) != (b"moof", b"mdat") || data - at > MAX_BOX {
            break;
        }
        match index.push(at, next, &read(file, at, data)?) {
            Ok(()) => at = next,
            // What a power cut left: the length of the file without all of its contents.
            Err(IndexError::Fragment { .. } | IndexError::Box(_)) => break,
            Err(error) => return Err(foreign(&error.to_string())),
        }
    }
    let end = if is_complete { length } else { at };
    Ok(Scanned {
        index,
        placeholder,
        end,
        is_complete,
    })
}

/// Appends the index, and once it is on the disk makes the file a plain one. Returns its length.
fn add_index(file: &File, scanned: &Scanned) -> Result<u64, RecordError> {
    let moov = scanned
        .index
        .write()
        .map_err(|error| RecordError::Foreign(error.to_string()))?;
    file.write_all_at(&moov, scanned.end)?;
    file.sync_data()?;
    file.write_all_at(
        &cover(scanned.placeholder, scanned.end),
        scanned.placeholder,
    )?;
    Ok(scanned.end.saturating_add(moov.len() as u64))
}

/// The header of the box at `at` and where it ends, if all of it lies before `limit`.
fn next_box(file: &File, at: u64, limit: u64) -> io::Result<Option<(Header, u64)>> {
    let mut bytes = [0; 16];
    let left = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
    let count = bytes.len().min(left);
    let head = bytes.get_mut(..count).unwrap_or_default();
    match file.read_exact_at(head, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let header = Header::read(head);
    Ok(header.and_then(|header| {
        let end = at.checked_add(header.size?)?;
        (end <= limit).then_some((header, end))
    }))
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Bytes> {
    let length = to.saturating_sub(from);
    if length > MAX_BOX {
        return Err(io::Error::other("a box is larger than any of ours"));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::file::Writer;
    use crate::record::fragments::{Fragments, tests};

    /// An unfinished file of so many seconds; where each fragment ends.
    fn unfinished(folder: &Path, seconds: i64) -> (Writer, PathBuf, Vec<u64>) {
        let tracks = tests::tracks();
        let mut writer = Writer::create(folder, "cam", &tracks.tracks).unwrap();
        let mut fragments = Fragments::new(&tracks);
        let path = folder.join("cam.mp4.tmp_extension");
        let length = || path.metadata().unwrap().len();
        let mut ends = vec![length()];
        let mut append = |fragment: Option<Bytes>| {
            if let Some(fragment) = fragment {
                writer.append(&fragment).unwrap();
                ends.push(length());
            }
        };
        for unit in tests::stream(seconds, 25) {
            append(fragments.push(&unit));
        }
        append(fragments.finish());
        (writer, path, ends)
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_keeps_its_whole_fragments() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, path, ends) = unfinished(folder.path(), 4);
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        let mut last = 0;
        for cut in (0..whole.len()).step_by(37).chain([whole.len()]) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let finished = match finish(&path) {
                Ok(finished) => finished,
                Err(RecordError::Foreign(_)) if (cut as u64) < ends[0] => continue,
                Err(error) => panic!("{cut}: {error}"),
            };
            let kept = ends.iter().rev().find(|end| **end <= cut as u64).unwrap();
            let file = std::fs::read(&finished.path).unwrap();
            assert_eq!(file.len() as u64, finished.bytes, "{cut}");
            // The fragments stay where they are, and the index stands behind them.
            let head = usize::try_from(ends[0]).unwrap();
            assert!(
                file[head..*kept as usize] == whole[head..*kept as usize],
                "{cut}"
            );
            assert_eq!(
                &file[*kept as usize + 4..*kept as usize + 8],
                b"moov",
                "{cut}"
            );
            assert!(finished.samples >= last, "{cut}");
            last = finished.samples;
            assert_eq!(inspect(&finished.path).unwrap().samples, last);
            std::fs::remove_file(finished.path).unwrap();
        }
        // 100 pictures, and the sound from the first of them on.
        assert!((280..=290).contains(&last), "{last}");
    }

    #[test]
    fn a_server_killed_before_the_last_name_is_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, path, _) = unfinished(folder.path(), 2);
        let first = writer.finish().unwrap();
        let bytes = std::fs::read(&first.path).unwrap();
        std::fs::rename(&first.path, &path).unwrap();
        assert_eq!(finish(&path).unwrap(), first);
        assert!(std::fs::read(&first.path).unwrap() == bytes);
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4.tmp_extension");
        for contents in [
            &b""[..],
            b"hello, hello, hello",
            b"\0\0\0\x08ftyp\0\0\0\x08mdia",
        ] {
            std::fs::write(&path, contents).unwrap();
            assert!(matches!(finish(&path), Err(RecordError::Foreign(_))));
            assert_eq!(std::fs::read(&path).unwrap(), contents);
        }
    }

    #[test]
    fn files_of_one_name_are_numbered_also_while_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let make = || Writer::create(folder.path(), "cam", &tests::tracks().tracks).unwrap();
        let writers = [make(), make()];
        assert_eq!(writers[1].final_name(), "cam_1.mp4");
        for writer in writers {
            writer.finish().unwrap();
        }
        assert_eq!(make().final_name(), "cam_2.mp4");
    }
}
