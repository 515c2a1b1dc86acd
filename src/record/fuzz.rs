//! What the fuzz target of recordings runs: a file that was left in any state is completed, and exported.

use super::host::HostFile;
use super::packets::Packets;
use super::scan::Scan;
use super::{finish, playlist, transport};
use crate::hub::TrackSet;
use bytes::Bytes;
use media::{AccessUnit, Track};
use mp4::fragment::{Capture, Front, Run, Sample, write_behind};
use mp4::index::{Excerpt, PLACEHOLDER, cover};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest file that it makes.
const MAX_LENGTH: usize = 1 << 20;

/// A file in memory.
#[derive(Debug)]
struct Contents(Mutex<Vec<u8>>);

impl Contents {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostFile for Contents {
    fn length(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let contents = self.lock();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at.saturating_add(bytes.len());
        let found = contents.get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut contents = self.lock();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at.saturating_add(bytes.len());
        if end > MAX_LENGTH {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if contents.len() < end {
            contents.resize(end, 0);
        }
        if let Some(place) = contents.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.lock().truncate(length);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Completes a file. Completed again it stays as it is, and an export of all of it lies within it.
pub fn recording(data: &[u8]) {
    if data.len() > MAX_LENGTH {
        return;
    }
    let file = Contents(Mutex::new(data.to_vec()));
    if let Ok(found) = transport::scan(&file) {
        assert!(found.end <= data.len() as u64 && found.end.is_multiple_of(188));
    }
    let Ok((samples, bytes)) = finish::complete_in_place(&file) else {
        return;
    };
    let completed = file.lock().clone();
    assert_eq!(bytes, completed.len() as u64);
    assert_eq!(
        finish::complete_in_place(&file).ok(),
        Some((samples, bytes))
    );
    assert!(*file.lock() == completed);
    let Ok(mut scan) = Scan::new(&file) else {
        return;
    };
    if let Ok(segments) = playlist::segments(&file) {
        let ends = segments.iter().map(|segment| (segment.at, segment.end));
        assert!(ends.clone().all(|(at, end)| at < end && end <= bytes));
        assert!(ends.is_sorted());
    }
    // From afar, a file that is what it says is the same.
    let _ = playlist::segments_from_afar(&file, &[]);
    let Ok(mut excerpt) = Excerpt::new(scan.moov()) else {
        return;
    };
    let begun = excerpt.begin(0, scan.moov(), Duration::from_millis(500), Duration::MAX);
    assert!(begun.is_ok());
    while let Ok(Some(found)) = scan.next_fragment() {
        if excerpt.push(found.at, found.end, &found.moof).is_err() {
            return;
        }
    }
    if let Ok(whole) = excerpt.finish() {
        let pieces = whole.pieces.iter();
        assert!(
            pieces
                .clone()
                .all(|piece| piece.at.saturating_add(piece.length) <= bytes)
        );
        let media: u64 = pieces.map(|piece| piece.length).sum();
        assert_eq!(media + whole.head.len() as u64, whole.length);
    }
}

/// Files as they are left, as (name, bytes).
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let track: Track = mp4::fuzz::video_track();
    let Ok(init) = mp4::init::write(std::slice::from_ref(&track)) else {
        return Vec::new();
    };
    let ftyp = mp4::boxes::Header::read(&init).and_then(|header| header.size);
    let ftyp = usize::try_from(ftyp.unwrap_or(0)).unwrap_or(0);
    let (ftyp, moov) = init.split_at_checked(ftyp).unwrap_or((&init, &[]));
    let mut left = [ftyp, &PLACEHOLDER, moov].concat();
    for number in 0..3u64 {
        let sample = |random_access| Sample {
            duration: 40,
            composition_offset: 40,
            random_access,
            disposable: false,
            payload: Bytes::from_static(b"picture"),
        };
        let run = Run {
            track: &track,
            base_decode_time: number * 400,
            samples: &[sample(true), sample(false)],
        };
        let capture = Capture {
            track: &track,
            media_time: number * 400,
            since_1970: Duration::from_secs(1_795_000_000 + number),
        };
        let front = Front {
            capture: Some(capture),
            ..Front::default()
        };
        left.extend_from_slice(&write_behind(front, 1, &[run]));
    }
    let cut = left.get(..left.len().saturating_sub(5)).unwrap_or_default();
    let mut complete = left.clone();
    let head = cover(ftyp.len() as u64, left.len() as u64);
    let place = ftyp.len()..ftyp.len().saturating_add(head.len());
    if let Some(place) = complete.get_mut(place) {
        place.copy_from_slice(&head);
    }
    vec![
        ("transport", transport_stream(track)),
        ("cut", cut.to_vec()),
        ("left", left),
        ("without_index", complete),
    ]
}

/// A recording that is a transport stream, of some pictures.
fn transport_stream(track: Track) -> Vec<u8> {
    let mut unit = AccessUnit {
        track: track.id,
        dts: 0,
        pts: 40,
        random_access: true,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::from_static(b"\0\0\0\x02\x65\0"),
    };
    let mut packets = Packets::new(&TrackSet {
        generation: 0,
        tracks: vec![track],
    });
    packets.set_epoch(Some(Duration::from_secs(1_795_000_000)));
    let mut out = Vec::new();
    for _ in 0..4 {
        out.extend(packets.push(&unit));
        unit.dts += 500;
        unit.pts += 500;
    }
    out.extend(packets.finish());
    out.concat()
}
