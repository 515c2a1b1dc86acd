//! From a file of fragments to one that players seek in, where it lies; also for what a killed server left.

use super::RecordError;
use super::host::{Host, HostFile};
use super::name::{self, UNFINISHED};
use super::scan::Scan;
use super::spans::{Span, Spans};
use super::transport;
use crate::config::record::Format;
use mp4::index::{Index, IndexError, cover};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// When it was: stretches without a gap.
    pub spans: Vec<Span>,
}

/// The name of a file once it is complete.
pub(super) fn final_path(unfinished: &Path) -> PathBuf {
    let name = unfinished
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    unfinished.with_file_name(name.strip_suffix(UNFINISHED).unwrap_or(&name))
}

fn format(path: &Path) -> Format {
    name::format(&path.to_string_lossy())
}

/// Cuts off a fragment that is not whole, adds the index, and gives the file its final name. Where there is
/// no room for the index, the file stays fragmented, which players take as well.
///
/// # Errors
/// What the disk says, or that it is no file of ours. It keeps its name then.
pub fn finish(host: &dyn Host, unfinished: &Path) -> Result<Finished, RecordError> {
    let file = host.open(unfinished, true)?;
    let path = final_path(unfinished);
    let finished = match format(unfinished) {
        Format::Mp4 => {
            let (scanned, bytes) = complete(&*file)?;
            scanned.finished(path, bytes)
        }
        Format::Ts => {
            let found = transport::scan(&*file)?;
            file.set_length(found.end)?;
            file.sync()?;
            found.finished(path)
        }
    };
    drop(file);
    rename(host, unfinished, finished)
}

/// Gives a complete file its final name.
pub(super) fn rename(
    host: &dyn Host,
    unfinished: &Path,
    finished: Finished,
) -> Result<Finished, RecordError> {
    host.rename(unfinished, &finished.path)?;
    if let Some(folder) = finished.path.parent() {
        host.sync_folder(folder)?;
    }
    Ok(finished)
}

/// The same without the name, for one file. Samples in it, and its length.
///
/// # Errors
/// What the disk says, or that it is no file of ours.
pub(super) fn complete_in_place(file: &dyn HostFile) -> Result<(usize, u64), RecordError> {
    let (scanned, bytes) = complete(file)?;
    Ok((scanned.index.samples(), bytes))
}

fn complete(file: &dyn HostFile) -> Result<(Scanned, u64), RecordError> {
    let scanned = scan(file)?;
    let mut bytes = scanned.end;
    if !scanned.is_complete {
        file.set_length(scanned.end)?;
        match add_index(file, &scanned) {
            Ok(end) => bytes = end,
            Err(RecordError::Disk(error)) => {
                tracing::warn!(%error, "a recording gets no index");
                file.set_length(scanned.end)?;
            }
            Err(error) => return Err(error),
        }
        file.sync()?;
    }
    Ok((scanned, bytes))
}

/// What is in a recording, complete or not.
///
/// # Errors
/// What the disk says, or that it is no file of ours.
pub fn inspect(host: &dyn Host, path: &Path) -> Result<Finished, RecordError> {
    let file = host.open(path, false)?;
    if format(path) == Format::Ts {
        return Ok(transport::scan(&*file)?.finished(path.to_owned()));
    }
    let scanned = scan(&*file)?;
    let bytes = scanned.end;
    Ok(scanned.finished(path.to_owned(), bytes))
}

/// What was found in a file.
struct Scanned {
    index: Index,
    spans: Spans,
    /// Where the placeholder stands.
    placeholder: u64,
    /// Behind the last whole fragment.
    end: u64,
    /// The index is there already: the server was killed between that and the new name.
    is_complete: bool,
}

impl Scanned {
    fn finished(self, path: PathBuf, bytes: u64) -> Finished {
        Finished {
            path,
            bytes,
            duration: self.index.duration(),
            samples: self.index.samples(),
            spans: self.spans.into_list(),
        }
    }
}

impl transport::Found {
    fn finished(self, path: PathBuf) -> Finished {
        Finished {
            path,
            bytes: self.end,
            duration: self.duration,
            samples: self.units,
            spans: self.spans.into_list(),
        }
    }
}

/// Reads what the fragments say.
fn scan(file: &dyn HostFile) -> Result<Scanned, RecordError> {
    let foreign = |error: &IndexError| RecordError::Foreign(error.to_string());
    let mut scan = Scan::new(file)?;
    let mut index = Index::new(scan.moov()).map_err(|error| foreign(&error))?;
    let mut spans = Spans::default();
    let mut end = None;
    while let Some(found) = scan.next_fragment()? {
        let before = index.duration();
        match index.push(found.at, found.end, &found.moof) {
            Ok(()) => end = Some(found.end),
            // What a power cut left: the length of the file without all of its contents.
            Err(IndexError::Fragment { .. } | IndexError::Box(_)) => {
                end = end.or(Some(found.begins));
                break;
            }
            Err(error) => return Err(foreign(&error)),
        }
        let captured = found.captured.as_ref();
        let at = captured.and_then(|captured| index.position(captured));
        let since_1970 = at.and(captured).map(|captured| captured.since_1970);
        spans.push(at.unwrap_or(before), index.duration(), since_1970);
    }
    let is_complete = scan.is_complete();
    let end = match is_complete {
        true => file.length()?,
        false => end.unwrap_or_else(|| scan.position()),
    };
    Ok(Scanned {
        index,
        spans,
        placeholder: scan.placeholder(),
        end,
        is_complete,
    })
}

/// Appends the index, and once it is on the disk makes the file a plain one. Returns its length.
fn add_index(file: &dyn HostFile, scanned: &Scanned) -> Result<u64, RecordError> {
    let moov = scanned
        .index
        .write()
        .map_err(|error| RecordError::Foreign(error.to_string()))?;
    file.write_all_at(&moov, scanned.end)?;
    file.sync()?;
    file.write_all_at(
        &cover(scanned.placeholder, scanned.end),
        scanned.placeholder,
    )?;
    Ok(scanned.end.saturating_add(moov.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::file::{Wanted, Writer};
    use crate::record::fragments::{Fragments, tests};
    use crate::record::host::Machine;
    use crate::record::host::memory::{Cut, Memory};
    use bytes::Bytes;
    use std::sync::Arc;

    const NOON: Duration = Duration::from_secs(1_795_000_000);

    fn wanted(folder: &Path) -> Wanted {
        Wanted {
            folder: folder.to_owned(),
            base: "cam".into(),
            ..Wanted::default()
        }
    }

    fn create(folder: &Path) -> Writer {
        let tracks = tests::tracks();
        Writer::create(Arc::new(Machine), &wanted(folder), &tracks.tracks).unwrap()
    }

    /// [`super::finish`] and [`super::inspect`] on this machine.
    fn finish(path: &Path) -> Result<Finished, RecordError> {
        super::finish(&Machine, path)
    }

    fn inspect(path: &Path) -> Result<Finished, RecordError> {
        super::inspect(&Machine, path)
    }

    /// An unfinished file of so many seconds; where each fragment ends.
    fn unfinished(folder: &Path, seconds: i64) -> (Writer, PathBuf, Vec<u64>) {
        let tracks = tests::tracks();
        let mut writer = create(folder);
        let mut fragments = Fragments::new(&tracks);
        fragments.set_epoch(Some(NOON));
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
    fn what_is_told_of_a_file_that_is_written_is_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = create(folder.path());
        let path = folder.path().join("cam.mp4.tmp_extension");
        let mut fragments = Fragments::new(&tests::tracks());
        fragments.set_epoch(Some(NOON));
        let mut writes = |fragments: &Fragments, fragment: &Bytes| {
            writer.append(fragment).unwrap();
            let (units, end, spans) = fragments.known();
            let found = inspect(&path).unwrap();
            assert_eq!(units, found.samples);
            let near = |one: Duration, other: Duration| one.abs_diff(other).as_micros() < 2;
            assert!(near(end, found.duration), "{end:?} {found:?}");
            let spans = spans.into_list();
            assert_eq!(spans.len(), found.spans.len());
            for (told, read) in spans.iter().zip(&found.spans) {
                let is_near = near(told.at, read.at) && near(told.length, read.length);
                assert!(
                    is_near && near(told.since_1970, read.since_1970),
                    "{told:?} {read:?}"
                );
            }
            spans.len()
        };
        for unit in tests::stream(8, 25) {
            // The clock is set an hour forward within.
            if unit.track.0 == 0 && unit.dts == 5_000 {
                fragments.set_epoch(Some(NOON + Duration::from_secs(3_600)));
            }
            if let Some(fragment) = fragments.push(&unit) {
                writes(&fragments, &fragment);
            }
        }
        let last = fragments.finish().unwrap();
        assert_eq!(writes(&fragments, &last), 2);
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
        let make = || create(folder.path());
        let writers = [make(), make()];
        assert_eq!(writers[1].final_name(), "cam_1.mp4");
        for writer in writers {
            writer.finish().unwrap();
        }
        assert_eq!(make().final_name(), "cam_2.mp4");
        // One that is elsewhere has a name too.
        let wanted = Wanted {
            taken: vec!["cam_2.mp4".into()],
            ..wanted(folder.path())
        };
        let tracks = tests::tracks();
        let writer = Writer::create(Arc::new(Machine), &wanted, &tracks.tracks).unwrap();
        assert_eq!(writer.final_name(), "cam_3.mp4");
    }

    #[test]
    fn a_file_tells_when_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, path, _) = unfinished(folder.path(), 4);
        let as_left = inspect(&path).unwrap().spans;
        let finished = writer.finish().unwrap();
        // Its media begins a second after that of the stream.
        let [span] = finished.spans[..] else {
            panic!("{finished:?}")
        };
        let begins = NOON + Duration::from_secs(1);
        assert!(span.since_1970.abs_diff(begins) < Duration::from_millis(1));
        assert_eq!((span.at, span.length), (Duration::ZERO, finished.duration));
        assert_eq!(
            (&as_left, &inspect(&finished.path).unwrap().spans),
            (&finished.spans, &finished.spans)
        );
    }

    /// Writes 3 seconds, the power failing before the change of that number, and returns how many fragments had been
    /// taken.
    fn until_power_fails(disk: &Memory, changes: u64) -> usize {
        disk.fail_after(changes);
        let tracks = tests::tracks();
        let folder = Path::new("/recordings/LiveApp");
        let host = Arc::new(disk.clone());
        let Ok(mut writer) = Writer::create(host, &wanted(folder), &tracks.tracks) else {
            return 0;
        };
        let mut taken = 0;
        let mut fragments = Fragments::new(&tracks);
        for unit in tests::stream(3, 25) {
            if let Some(fragment) = fragments.push(&unit) {
                if writer.append(&fragment).is_err() {
                    return taken;
                }
                taken += 1;
            }
        }
        // Nothing more may be lost by what completes the file.
        let _ = writer.finish();
        taken
    }

    #[test]
    fn a_power_cut_loses_nothing_that_was_taken() {
        let whole = Memory::new();
        let fragments = until_power_fails(&whole, u64::MAX);
        assert!(fragments >= 3);
        let mut lengths = std::collections::BTreeSet::new();
        for changes in 0..=whole.changes() {
            for cut in [Cut::Lost, Cut::Zeros, Cut::Kept] {
                let disk = Memory::new();
                let taken = until_power_fails(&disk, changes);
                let disk = disk.after_power_cut(cut);
                let unfinished = Path::new("/recordings/LiveApp/cam.mp4.tmp_extension");
                let complete = Path::new("/recordings/LiveApp/cam.mp4");
                let found = match disk.exists(unfinished) {
                    true => super::finish(&disk, unfinished),
                    false => super::inspect(&disk, complete),
                };
                let case = format!("{changes} {cut:?}");
                match found {
                    Ok(found) => {
                        let bytes = disk.read(complete).unwrap();
                        assert_eq!(bytes.len() as u64, found.bytes, "{case}");
                        let found = bytes.windows(4).filter(|bytes| *bytes == b"moof").count();
                        // One that was written and not yet known to be there may be.
                        assert!(
                            (taken..=taken + 1).contains(&found),
                            "{case}: {found} {taken}"
                        );
                        lengths.insert(found);
                    }
                    Err(error) => assert_eq!(taken, 0, "{case}: {error}"),
                }
            }
        }
        assert!(lengths.len() >= fragments, "{lengths:?}");
    }
}
