//! Whole files: written in both forms and read again, and read whatever they are.

use super::{audio_track, video_track};
use crate::fragment::{self, Run, Sample};
use crate::index::Plain;
use crate::reader::{Fault, MAX_FRAGMENT, MAX_MOVIE, MAX_SAMPLE, Reader, Step};
use crate::{boxes, init};
use bytes::{BufMut, Bytes, BytesMut};
use media::{AccessUnit, Track, TrackId};

/// Most steps that a file of a fuzzer is read for.
const STEPS: usize = 4_096;

/// What was read of a file, until its end or the end of patience.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order in which they came; a changed one comes again.
    pub tracks: Vec<Track>,
    /// All of them.
    pub units: Vec<AccessUnit>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// The end was reached.
    pub is_whole: bool,
}

/// Reads a file that is in memory. Every `cut`th answer to a request is cut in half, if that is not 0.
pub fn read(file: &Bytes, cut: usize, steps: usize) -> Found {
    let mut found = Found::default();
    drive(
        &mut Reader::new(file.len() as u64),
        file,
        cut,
        steps,
        &mut found,
    );
    found
}

/// Reads an initialisation section and the segments behind it.
pub fn read_in_segments(section: &Bytes, segments: &[Bytes], steps: usize) -> Found {
    let mut found = Found::default();
    let mut reader = Reader::in_segments(section.len() as u64);
    drive(&mut reader, section, 0, steps, &mut found);
    for segment in segments {
        reader.next_segment(segment.len() as u64);
        drive(&mut reader, segment, 0, steps, &mut found);
    }
    found
}

/// What stands before the first fragment of a file, and the fragments.
pub fn segments(file: &Bytes) -> (Bytes, Vec<Bytes>) {
    let mut cuts = Vec::new();
    let mut at = 0;
    while let Some(header) = file.get(at..).and_then(boxes::Header::read) {
        if &header.kind == b"moof" {
            cuts.push(at);
        }
        let size = header.size.and_then(|size| usize::try_from(size).ok());
        let Some(next) = size.and_then(|size| at.checked_add(size)) else {
            break;
        };
        at = next;
    }
    let first = cuts.first().copied().unwrap_or(file.len());
    let ends = cuts.iter().skip(1).copied().chain([file.len()]);
    let segments = cuts
        .iter()
        .zip(ends)
        .map(|(cut, end)| file.slice(*cut..end));
    (file.slice(..first), segments.collect())
}

/// Lets a reader go to its end, or to the end of patience.
fn drive(reader: &mut Reader, file: &Bytes, cut: usize, steps: usize, found: &mut Found) {
    let length = file.len() as u64;
    let mut answers = 0;
    found.is_whole = false;
    for _ in 0..steps {
        match reader.poll() {
            Step::Read { at, length: wanted } => {
                let end = at.checked_add(wanted as u64).expect("a place in the file");
                assert!(wanted > 0 && end <= length, "asks for {at}, {wanted}");
                let most = MAX_MOVIE.max(MAX_FRAGMENT).max(MAX_SAMPLE.into());
                assert!(wanted as u64 <= most);
                answers += 1;
                let half = cut > 0 && answers % cut == 0;
                let end = if half { at + wanted as u64 / 2 } else { end };
                reader.supply(file.slice(at as usize..end as usize));
            }
            Step::Track(track) => found.tracks.push(track),
            Step::Unit(unit) => {
                let known = found.tracks.iter().any(|track| track.id == unit.track);
                assert!(known, "a unit before its track");
                found.units.push(unit);
            }
            Step::Fault(fault) => found.faults.push(fault),
            Step::End => {
                found.is_whole = true;
                break;
            }
        }
    }
}

/// A file with its index in front.
pub fn plain(tracks: &[Track], units: &[AccessUnit]) -> Bytes {
    let mut plain = Plain::new(tracks, |_| 0).expect("tracks that are carried");
    let mut media = BytesMut::new();
    for unit in units {
        if plain.push(unit) {
            media.put_slice(&unit.payload);
        }
    }
    let mut file = BytesMut::from(&plain.finish().expect("an index")[..]);
    file.put_slice(&media);
    file.freeze()
}

/// A file in fragments of so many units.
pub fn fragmented(tracks: &[Track], units: &[AccessUnit], size: usize) -> Bytes {
    let mut file = BytesMut::from(&init::write(tracks).expect("tracks that are carried")[..]);
    for (number, part) in units.chunks(size.max(1)).enumerate() {
        let samples = tracks.iter().map(|track| {
            let own = part.iter().filter(|unit| unit.track == track.id);
            let own = own.map(|unit| (unit.dts, Sample::new(unit, 0)));
            (track, own.collect::<Vec<_>>())
        });
        let samples = samples.filter(|(_, samples)| !samples.is_empty());
        let samples: Vec<(&Track, i64, Vec<Sample>)> = samples
            .map(|(track, mut samples)| {
                let times: Vec<i64> = samples.iter().map(|(dts, _)| *dts).collect();
                for (pair, (_, sample)) in times.windows(2).zip(&mut samples) {
                    let [one, next] = pair else { continue };
                    sample.duration = (next - one) as u32;
                }
                let first = times.first().copied().unwrap_or_default();
                (
                    track,
                    first,
                    samples.into_iter().map(|(_, sample)| sample).collect(),
                )
            })
            .collect();
        let runs: Vec<Run<'_>> = samples
            .iter()
            .map(|(track, first, samples)| Run {
                track,
                base_decode_time: *first as u64,
                samples,
            })
            .collect();
        file.put_slice(&fragment::write(number as u32 + 1, &runs));
    }
    file.freeze()
}

/// Input: units in a fragment (1 byte), then units: flags (bit 0 sound, 1 random access, 2 disposable), time since the
/// one before of the track (2 bytes), how much later it is presented (2 bytes), length (1 byte), payload. Written in
/// both forms, they are read as what they are; fragments one by one too.
pub fn files(data: &[u8]) {
    let Some((size, data)) = data.split_first() else {
        return;
    };
    let tracks = [video_track(), audio_track()];
    let units = units(data);
    let fragmented = fragmented(&tracks, &units, usize::from(*size));
    let (section, segments) = segments(&fragmented);
    for (found, is_plain) in [
        (read(&plain(&tracks, &units), 0, usize::MAX), true),
        (read(&fragmented, 0, usize::MAX), false),
        (read_in_segments(&section, &segments, usize::MAX), false),
    ] {
        assert_eq!(found.faults, []);
        assert_eq!(found.tracks, tracks);
        let mut shifts = Vec::new();
        for track in &tracks {
            let of = |units: &[AccessUnit]| -> Vec<AccessUnit> {
                let own = units.iter().filter(|unit| unit.track == track.id);
                own.cloned().collect()
            };
            let (mut expected, found) = (of(&units), of(&found.units));
            if let (Some(one), Some(other)) = (expected.first(), found.first()) {
                // A plain file begins with what is shown first.
                let shift = other.dts - one.dts;
                assert!(is_plain || shift == 0);
                shifts.push(track.timebase.rescale(shift, media::Timebase::MICROS));
                for unit in &mut expected {
                    unit.dts += shift;
                    unit.pts += shift;
                }
            }
            assert_eq!(found, expected);
        }
        if let [one, other] = shifts[..] {
            // A tick of the pictures.
            assert!((one - other).abs() <= 1_001, "{one} {other}");
        }
    }
}

fn units(mut data: &[u8]) -> Vec<AccessUnit> {
    let mut times = [0i64; 2];
    let mut units = Vec::new();
    while let Some(([flags, d1, d0, o1, o0, length], rest)) = data.split_first_chunk() {
        let length = usize::from(*length).min(rest.len());
        let (bytes, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        data = rest;
        let is_sound = flags & 1 != 0;
        let [video, audio] = &mut times;
        let time = if is_sound { audio } else { video };
        let dts = *time;
        // Times grow.
        *time += i64::from(u16::from_be_bytes([*d1, *d0])) + 1;
        let (key, disposable) = (flags & 2 != 0, flags & 6 == 4);
        let (offset, payload) = if is_sound {
            (0, [&[0x21], bytes].concat())
        } else {
            let kind = match (key, disposable) {
                (true, _) => 0x65,
                (false, true) => 0x01,
                (false, false) => 0x41,
            };
            let size = bytes.len() as u32 + 2;
            let nal = [&size.to_be_bytes()[..], &[kind, 0x88], bytes].concat();
            (u16::from_be_bytes([*o1, *o0]).into(), nal)
        };
        units.push(AccessUnit {
            track: TrackId(is_sound.into()),
            dts,
            pts: dts + offset,
            random_access: is_sound || key,
            disposable: !is_sound && disposable,
            discontinuity: false,
            capture: None,
            payload: payload.into(),
        });
    }
    units
}

/// Input: which answer is cut in half (1 byte), then a file. What is read of it can be written, and has the same
/// payloads then.
pub fn reader(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let file = Bytes::copy_from_slice(data);
    let (section, segments) = segments(&file);
    read_in_segments(&section, &segments, STEPS);
    let found = read(&file, usize::from(*cut), STEPS);
    // Of a track that changes, a file holds what it was first.
    let mut tracks = found.tracks.clone();
    tracks.retain(|track| {
        let mut alike = found.tracks.iter().filter(|other| other.id == track.id);
        alike.next().is_some() && alike.next().is_none()
    });
    if tracks.is_empty() || init::write(&tracks).is_err() {
        return;
    }
    // A sample without bytes is none.
    let kept = |unit: &&AccessUnit| {
        !unit.payload.is_empty() && tracks.iter().any(|track| track.id == unit.track)
    };
    let units: Vec<AccessUnit> = found.units.iter().filter(kept).cloned().collect();
    let again = read(&plain(&tracks, &units), 0, 4 * STEPS);
    assert!(again.is_whole);
    for track in &tracks {
        let payloads = |units: &[AccessUnit]| -> Vec<Bytes> {
            let own = units.iter().filter(|unit| unit.track == track.id);
            own.map(|unit| unit.payload.clone()).collect()
        };
        assert_eq!(payloads(&again.units), payloads(&units));
    }
}

/// Inputs to start from: target, name, bytes.
pub(super) fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let unit = |flags: u8, step: u16, offset: u16, payload: &[u8]| {
        let mut bytes = vec![flags];
        bytes.extend(step.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.push(payload.len() as u8);
        bytes.extend(payload);
        bytes
    };
    let (idr, p, b) = (
        unit(2, 39, 80, &[1, 2, 3]),
        unit(0, 39, 80, &[4, 5]),
        unit(4, 39, 0, &[6]),
    );
    let sound = unit(1, 1_023, 0, &[7, 8, 9]);
    let records = [
        &[3][..],
        &idr,
        &sound,
        &p,
        &b,
        &sound,
        &sound,
        &idr,
        &p,
        &sound,
    ]
    .concat();
    let (tracks, units) = ([video_track(), audio_track()], units(&records[1..]));
    let file = |bytes: &[u8]| [&[0], bytes].concat();
    let plain = plain(&tracks, &units);
    // The index behind the media, as recorders leave it.
    let head = boxes::Header::read(&plain).and_then(|header| header.size);
    let (ftyp, rest) = plain.split_at(head.expect("a box") as usize);
    let head = boxes::Header::read(rest).and_then(|header| header.size);
    let (moov, mdat) = rest.split_at(head.expect("a box") as usize);
    let behind = [ftyp, mdat, moov].concat();
    vec![
        ("files", "both", records),
        ("files", "pictures", [&[1][..], &idr, &b, &p].concat()),
        ("files", "sound", [&[9][..], &sound, &sound].concat()),
        ("reader", "plain", file(&plain)),
        ("reader", "behind", file(&behind)),
        (
            "reader",
            "fragmented",
            file(&fragmented(&tracks, &units, 3)),
        ),
        ("reader", "cut", file(&plain[..plain.len() - 9])),
        (
            "reader",
            "failing",
            [&[7], &fragmented(&tracks, &units, 4)[..]].concat(),
        ),
    ]
}
