//! A recording as HLS (RFC 8216): a playlist of the file's own fragments, by byte ranges. Nothing is written for it.

use super::RecordError;
use super::host::{Host, HostFile};
use super::scan::Scan;
use bytes::Bytes;
use mp4::boxes::Header;
use mp4::index::{Index, IndexError};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A segment ends at the first place to begin at after so long.
const SEGMENT: Duration = Duration::from_millis(3_500);

/// Longest beginning of a file that is read, in bytes.
const MAX_FTYP: u64 = 1_024;

/// Fragments that are one segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) at: u64,
    pub(super) end: u64,
    length: Duration,
    /// When it was, since 1970.
    since_1970: Option<Duration>,
    is_independent: bool,
}

/// What a player has to have before the first segment: the file's `ftyp` and its fragmented `moov`.
///
/// # Errors
/// What the disk says, or that it is no recording of this server.
pub fn init(host: &dyn Host, path: &Path) -> Result<Bytes, RecordError> {
    let file = host.open(path, false)?;
    let scan = Scan::new(&*file)?;
    let mut ftyp = vec![0; usize::try_from(scan.placeholder().min(MAX_FTYP)).unwrap_or(0)];
    file.read_exact_at(&mut ftyp, 0)?;
    let length = Header::read(&ftyp).and_then(|header| header.size);
    if length != Some(scan.placeholder()) {
        return Err(RecordError::Foreign("its beginning is too long".into()));
    }
    Ok([&ftyp[..], scan.moov()].concat().into())
}

/// The playlist. `media` and `init` are what it calls the file and its beginning.
///
/// # Errors
/// What the disk says, or that it is no recording of this server.
pub fn playlist(
    host: &dyn Host,
    path: &Path,
    media: &str,
    init: &str,
) -> Result<String, RecordError> {
    let file = host.open(path, false)?;
    Ok(write(&segments(&*file)?, media, init))
}

pub(super) fn segments(file: &dyn HostFile) -> Result<Vec<Segment>, RecordError> {
    let foreign = |error: IndexError| RecordError::Foreign(error.to_string());
    let mut scan = Scan::new(file)?;
    let mut index = Index::new(scan.moov()).map_err(foreign)?;
    let mut segments: Vec<Segment> = Vec::new();
    while let Some(found) = scan.next_fragment()? {
        let before = index.duration();
        index
            .push(found.at, found.end, &found.moof)
            .map_err(foreign)?;
        let length = index.duration().saturating_sub(before);
        let is_independent = index.is_independent();
        match segments.last_mut() {
            Some(last) if !is_independent || last.length < SEGMENT => {
                last.end = found.end;
                last.length = last.length.saturating_add(length);
            }
            _ => segments.push(Segment {
                at: found.begins,
                end: found.end,
                length,
                since_1970: found.captured.map(|captured| captured.since_1970),
                is_independent,
            }),
        }
    }
    Ok(segments)
}

fn write(segments: &[Segment], media: &str, init: &str) -> String {
    let longest = segments.iter().map(|segment| segment.length).max();
    let longest = longest.unwrap_or_default().as_millis().div_ceil(1_000);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n");
    text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    if segments.iter().all(|segment| segment.is_independent) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    // Writing to a text cannot fail.
    let _ = writeln!(text, "#EXT-X-MAP:URI=\"{init}\"");
    for segment in segments {
        if let Some(since_1970) = segment.since_1970 {
            let at = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_1970);
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{at}");
        }
        let (seconds, bytes) = (
            segment.length.as_secs_f64(),
            segment.end.saturating_sub(segment.at),
        );
        let at = segment.at;
        let _ = writeln!(
            text,
            "#EXTINF:{seconds:.6},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{media}"
        );
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::file::{Wanted, Writer};
    use crate::record::fragments::{Fragments, tests};
    use crate::record::host::Machine;
    use std::sync::Arc;

    #[test]
    fn segments_begin_where_decoders_can_and_are_all_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tracks = tests::tracks();
        let wanted = Wanted {
            folder: folder.path().to_owned(),
            base: "cam".into(),
            ..Wanted::default()
        };
        let mut writer = Writer::create(Arc::new(Machine), &wanted, &tracks.tracks).unwrap();
        let mut fragments = Fragments::new(&tracks);
        fragments.set_epoch(Some(Duration::from_secs(1_795_003_199)));
        for unit in tests::stream(20, 50) {
            if let Some(fragment) = fragments.push(&unit) {
                writer.append(&fragment).unwrap();
            }
        }
        writer.append(&fragments.finish().unwrap()).unwrap();
        let finished = writer.finish().unwrap();
        let path = &finished.path;
        let segments = segments(&*Machine.open(path, false).unwrap()).unwrap();
        assert_eq!(segments.len(), 5, "{segments:?}");
        assert!(segments.iter().all(|segment| segment.is_independent));
        assert!(segments.windows(2).all(|pair| pair[0].end == pair[1].at));
        let total: Duration = segments.iter().map(|segment| segment.length).sum();
        assert!(total.abs_diff(finished.duration) < Duration::from_millis(1));
        let text = playlist(&Machine, path, "cam.mp4", "cam.mp4.init").unwrap();
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n\
                    #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n\
                    #EXT-X-MAP:URI=\"cam.mp4.init\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-18T";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("cam.mp4\n#EXT-X-ENDLIST\n"), "{text}");
        let init = init(&Machine, path).unwrap();
        assert_eq!((&init[4..8], &init[28..32]), (&b"ftyp"[..], &b"moov"[..]));
        std::fs::write(path, b"something else").unwrap();
        assert!(playlist(&Machine, path, "a", "b").is_err());
    }
}
