//! A recording as HLS (RFC 8216): a playlist of the file's own fragments, by byte ranges. Nothing is written for it.

use super::host::HostFile;
use super::outline::Outline;
use super::scan::Scan;
use super::{RecordError, Span};
use bytes::Bytes;
use mp4::boxes::Header;
use mp4::index::{Index, IndexError};
use std::fmt::Write;
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
pub fn init(file: &dyn HostFile) -> Result<Bytes, RecordError> {
    let scan = Scan::new(file)?;
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
pub fn playlist(file: &dyn HostFile, media: &str, init: &str) -> Result<String, RecordError> {
    Ok(write(&segments(file)?, media, init))
}

/// The same of a complete file that is far away, of which is known when it was.
///
/// # Errors
/// As [`playlist`].
pub fn playlist_from_afar(
    file: &dyn HostFile,
    spans: &[Span],
    media: &str,
    init: &str,
) -> Result<String, RecordError> {
    Ok(write(&segments_from_afar(file, spans)?, media, init))
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
        let fragment = Segment {
            at: found.begins,
            end: found.end,
            length: index.duration().saturating_sub(before),
            since_1970: found.captured.map(|captured| captured.since_1970),
            is_independent: index.is_independent(),
        };
        join(&mut segments, fragment);
    }
    Ok(segments)
}

pub(super) fn segments_from_afar(
    file: &dyn HostFile,
    spans: &[Span],
) -> Result<Vec<Segment>, RecordError> {
    let foreign = |error: IndexError| RecordError::Foreign(error.to_string());
    let outline = Outline::read(file)?;
    let mut index = Index::new(&outline.moov).map_err(foreign)?;
    let mut segments: Vec<Segment> = Vec::new();
    for found in &outline.fragments {
        let before = index.duration();
        index.push_fragment(found);
        let mut spans = spans.iter().rev();
        let span = spans.find(|span| span.at <= before);
        let since_1970 = span.map(|span| {
            let into = before.saturating_sub(span.at);
            span.since_1970.saturating_add(into)
        });
        let fragment = Segment {
            at: found.begins,
            end: found.end,
            length: index.duration().saturating_sub(before),
            since_1970,
            is_independent: index.is_independent(),
        };
        join(&mut segments, fragment);
    }
    Ok(segments)
}

/// Adds a fragment to the segment that is being made, or begins another.
fn join(segments: &mut Vec<Segment>, fragment: Segment) {
    match segments.last_mut() {
        Some(last) if !fragment.is_independent || last.length < SEGMENT => {
            last.end = fragment.end;
            last.length = last.length.saturating_add(fragment.length);
        }
        _ => segments.push(fragment),
    }
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
    use crate::record::host::{Host, Machine};
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
        let file = Machine.open(path, false).unwrap();
        let segments = segments(&*file).unwrap();
        assert_eq!(segments.len(), 5, "{segments:?}");
        assert!(segments.iter().all(|segment| segment.is_independent));
        assert!(segments.windows(2).all(|pair| pair[0].end == pair[1].at));
        let total: Duration = segments.iter().map(|segment| segment.length).sum();
        assert!(total.abs_diff(finished.duration) < Duration::from_millis(1));
        // It is the same from afar.
        let afar = segments_from_afar(&*file, &finished.spans).unwrap();
        let places = |segments: &[Segment]| -> Vec<(u64, u64, Duration)> {
            let segments = segments.iter();
            segments
                .map(|segment| (segment.at, segment.end, segment.length))
                .collect()
        };
        assert_eq!(places(&afar), places(&segments));
        for (afar, segment) in afar.iter().zip(&segments) {
            let when = (afar.since_1970.unwrap(), segment.since_1970.unwrap());
            assert!(when.0.abs_diff(when.1) < Duration::from_millis(50));
        }
        let text = playlist(&*file, "cam.mp4", "cam.mp4.init").unwrap();
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n\
                    #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n\
                    #EXT-X-MAP:URI=\"cam.mp4.init\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-18T";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("cam.mp4\n#EXT-X-ENDLIST\n"), "{text}");
        let init = init(&*file).unwrap();
        assert_eq!((&init[4..8], &init[28..32]), (&b"ftyp"[..], &b"moov"[..]));
        std::fs::write(path, b"something else").unwrap();
        let other = Machine.open(path, false).unwrap();
        assert!(playlist(&*other, "a", "b").is_err());
        assert!(segments_from_afar(&*other, &[]).is_err());
    }
}
