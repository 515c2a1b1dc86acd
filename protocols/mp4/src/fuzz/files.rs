//! Whole files: written in both forms and read again, and read whatever they are.

use super::tracks::{self, KEY};
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

/// The same of a file whose samples are encrypted.
pub(super) fn read_with_key(file: &Bytes, key: [u8; 16], cut: usize, steps: usize) -> Found {
    let mut found = Found::default();
    let mut reader = Reader::new(file.len() as u64);
    reader.set_key(key);
    drive(&mut reader, file, cut, steps, &mut found);
    found
}

/// Reads an initialisation section and the segments behind it.
pub fn read_in_segments(section: &Bytes, segments: &[Bytes], steps: usize) -> Found {
    drive_segments(section, segments, None, steps)
}

/// The same of encrypted samples. The key comes with the section and with each segment, as in HLS.
pub(super) fn read_in_segments_with_key(
    section: &Bytes,
    segments: &[Bytes],
    key: [u8; 16],
    steps: usize,
) -> Found {
    drive_segments(section, segments, Some(key), steps)
}

fn drive_segments(
    section: &Bytes,
    segments: &[Bytes],
    key: Option<[u8; 16]>,
    steps: usize,
) -> Found {
    let mut found = Found::default();
    let mut reader = Reader::in_segments(section.len() as u64);
    key.into_iter().for_each(|key| reader.set_key(key));
    drive(&mut reader, section, 0, steps, &mut found);
    for segment in segments {
        key.into_iter().for_each(|key| reader.set_key(key));
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
        let behind = units.get((number + 1) * size.max(1)..).unwrap_or_default();
        let samples = tracks.iter().filter_map(|track| {
            let own = |unit: &&AccessUnit| unit.track == track.id;
            let samples: Vec<&AccessUnit> = part.iter().filter(own).collect();
            let first = samples.first()?.dts;
            // The last of all ends at once.
            let next = behind
                .iter()
                .find(own)
                .or_else(|| samples.last().copied())?;
            let ends = samples.iter().skip(1).copied().chain([next]);
            let lasting = samples.iter().zip(ends).map(|(unit, next)| {
                let duration = next.dts.saturating_sub(unit.dts);
                Sample::new(unit, duration as u32)
            });
            Some((track, first, lasting.collect()))
        });
        let samples: Vec<(&Track, i64, Vec<Sample>)> = samples.collect();
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

pub(super) fn units(mut data: &[u8]) -> Vec<AccessUnit> {
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

/// Input: which answer is cut in half (1 byte), then a file. What is read of it, with a key too, can be written, and has
/// the same payloads then.
pub fn reader(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let file = Bytes::copy_from_slice(data);
    let (section, segments) = segments(&file);
    read_in_segments_with_key(&section, &segments, KEY, STEPS);
    let found = read_with_key(&file, KEY, usize::from(*cut), STEPS);
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

/// What becomes of a box of an index, where it becomes something else.
type Change<'a> = &'a mut dyn FnMut(&[u8; 4], &Bytes) -> Option<Bytes>;

/// The same file with its index behind the media, as recorders leave it, and changed.
fn behind(plain: &Bytes, change: Change<'_>) -> Bytes {
    let head = boxes::children(plain).map_while(Result::ok);
    let moov = head.into_iter().find(|(kind, _)| kind == b"moov");
    let moov = moov.map(|(_, body)| body).unwrap_or_default();
    let mut out = tracks::changed(plain, &mut |kind, body| match kind {
        b"moov" => Bytes::new(),
        _ => tracks::boxed(kind, body),
    })
    .to_vec();
    // The head of the media has become shorter, too.
    let nearer = plain.len() - out.len();
    out.extend(tracks::boxed(b"moov", &index(&moov, nearer as u64, change)));
    out.into()
}

fn index(body: &Bytes, nearer: u64, change: Change<'_>) -> Bytes {
    tracks::changed(body, &mut |kind, body| match kind {
        b"trak" | b"mdia" | b"minf" | b"stbl" => tracks::boxed(kind, &index(body, nearer, change)),
        b"co64" => {
            let (head, places) = body.split_at_checked(8).unwrap_or((body, &[]));
            let places = places.as_chunks().0.iter().flat_map(|place| {
                let place = u64::from_be_bytes(*place).saturating_sub(nearer);
                (place as u32).to_be_bytes()
            });
            tracks::boxed(b"stco", &[head, &Vec::from_iter(places)].concat())
        }
        kind => change(kind, body).unwrap_or_else(|| tracks::boxed(kind, body)),
    })
}

/// Sizes of 16 bits.
fn compact(kind: &[u8; 4], body: &Bytes) -> Option<Bytes> {
    let sizes = body.get(12..).filter(|_| kind == b"stsz")?;
    let sizes = sizes.as_chunks::<4>().0.iter();
    let mut out = vec![0, 0, 0, 0, 0, 0, 0, 16];
    out.extend((sizes.len() as u32).to_be_bytes());
    out.extend(sizes.flat_map(|[.., high, low]| [*high, *low]));
    Some(tracks::boxed(b"stz2", &out))
}

/// Edits of both kinds, in version 0, behind the header of a track.
fn edited(kind: &[u8; 4], body: &Bytes) -> Option<Bytes> {
    if kind != b"tkhd" {
        return (kind == b"edts").then(Bytes::new);
    }
    let mut list = BytesMut::new();
    list.put_u32(0);
    list.put_u32(4);
    for (duration, media_time) in [(900, -1), (1_800, 40), (90, -1), (1_800, 80)] {
        list.put_u32(duration);
        list.put_i32(media_time);
        list.put_u32(1 << 16);
    }
    let edts = tracks::boxed(b"edts", &tracks::boxed(b"elst", &list));
    Some([tracks::boxed(kind, body), edts].concat().into())
}

/// Files as others write them: of each codec, encrypted or not, and with what they leave out or say otherwise.
fn others() -> Vec<(&'static str, Bytes)> {
    const NAMES: [&str; 27] = [
        "h264-aac",
        "h264-aac-fragmented",
        "h264-aac-encrypted",
        "h265-sbr",
        "h265-sbr-fragmented",
        "h265-sbr-encrypted",
        "av1-opus",
        "av1-opus-fragmented",
        "av1-opus-encrypted",
        "vp9-surround",
        "vp9-surround-fragmented",
        "vp9-surround-encrypted",
        "mp3-ac3",
        "mp3-ac3-fragmented",
        "mp3-ac3-encrypted",
        "eac3-flac",
        "eac3-flac-fragmented",
        "eac3-flac-encrypted",
        "g711-h264",
        "g711-h264-fragmented",
        "g711-h264-encrypted",
        "klv-onvif",
        "klv-onvif-fragmented",
        "klv-onvif-encrypted",
        "mu-law-mp3",
        "mu-law-mp3-fragmented",
        "mu-law-mp3-encrypted",
    ];
    let files = tracks::files();
    let mut all: Vec<(&str, Bytes)> = NAMES.into_iter().zip(files.iter().cloned()).collect();
    let mut patched = |name: &'static str, of: usize, changes: &[(&[u8; 4], &[u8; 4])]| {
        let mut file = files.get(of).map(|file| file.to_vec()).unwrap_or_default();
        for (old, new) in changes {
            let place = file.windows(4).position(|window| window == *old);
            let place = place.and_then(|place| file.get_mut(place..place + 4));
            if let Some(place) = place {
                place.copy_from_slice(*new);
            }
        }
        all.push((name, file.into()));
    };
    // Configurations that are in the samples, or nowhere.
    patched("no-avcc", 0, &[(b"avcC", b"free")]);
    patched("bare-av1", 6, &[(b"av1C", b"free")]);
    patched("bare-vp9", 9, &[(b"vpcC", b"free")]);
    patched("bare-ac3", 12, &[(b"dac3", b"free")]);
    patched("bare-eac3", 15, &[(b"dec3", b"free")]);
    // Key frames and others as libvpx begins them, where those of VP9 were.
    let vp8: [(&[u8; 4], &[u8; 4]); 3] = [
        (&[0x82, 0x49, 0x83, 0x42], &[0x30, 0x55, 0, 0x9d]),
        (&[0, 0x13, 0xf0, 0x0b], &[0x01, 0x2a, 0x40, 0x01]),
        (&[0x84, 0x92, 0x60, 0xd0], &[0xd1, 0x06, 0, 0x26]),
    ];
    patched("vp8", 10, &[&[(b"vp09", b"vp08")], &vp8[..], &vp8].concat());
    patched("quicktime-mp3", 12, &[(b"mp4a", b".mp3")]);
    patched("cenc", 2, &[(b"cbcs", b"cenc")]);
    patched("no-frma", 2, &[(b"frma", b"free")]);
    patched("no-tenc", 2, &[(b"tenc", b"free")]);
    patched("twice", 2, &[(b"avc1", b"encv")]);
    patched("lost-senc", 5, &[(b"senc", b"free")]);
    patched("no-number", 0, &[(b"tkhd", b"free")]);
    patched("no-clock", 0, &[(b"mdhd", b"free")]);
    all
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
    let mut seeds = vec![
        ("files", "both", records),
        ("files", "pictures", [&[1][..], &idr, &b, &p].concat()),
        ("files", "sound", [&[9][..], &sound, &sound].concat()),
        ("reader", "plain", file(&plain)),
        ("reader", "behind", file(&behind(&plain, &mut |_, _| None))),
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
    ];
    // What is no more than in an index goes on in fragments.
    let (_, fragments) = segments(&fragmented(&tracks, &units, 3));
    let goes_on = [&plain[..], &fragments.concat()].concat();
    seeds.push(("reader", "goes-on", file(&goes_on)));
    seeds.push((
        "reader",
        "compact-sizes",
        file(&behind(&plain, &mut compact)),
    ));
    seeds.push(("reader", "edits", file(&behind(&plain, &mut edited))));
    for (name, of_it) in others() {
        seeds.push(("reader", name, file(&of_it)));
    }
    seeds
}
