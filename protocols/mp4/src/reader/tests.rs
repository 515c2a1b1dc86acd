//! Files of our own, whole, cut and with tables that lie; files as others write them are read in `tests/e2e`.

use super::entry::{self, Bare, Entry};
use super::{Fault, Reader, Step};
use crate::fuzz::{
    Found, audio_track, fragmented, plain, read, read_in_segments, segments, video_track,
};
use crate::{boxes, init};
use bytes::{BufMut, Bytes, BytesMut};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

fn tracks() -> [Track; 2] {
    [video_track(), audio_track()]
}

/// Two GOPs of six pictures, shown in another order than decoded, with sound.
fn units() -> Vec<AccessUnit> {
    let unit = |track, (dts, pts), random_access, payload: Vec<u8>| AccessUnit {
        track,
        dts,
        pts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: payload.into(),
    };
    let mut units = Vec::new();
    for number in 0..12i64 {
        let is_key = number % 6 == 0;
        let nal = if is_key { 0x65 } else { 0x41 };
        let payload = vec![0, 0, 0, 4, nal, 0x88, number as u8, 1];
        let dts = number * 40;
        let later = [80, 120, 0][number as usize % 3];
        units.push(unit(VIDEO, (dts, dts + later), is_key, payload));
        let dts = number * 1_764;
        units.push(unit(AUDIO, (dts, dts), true, vec![0x21, number as u8]));
    }
    units
}

fn whole(file: &Bytes) -> Found {
    let found = read(file, 0, 10_000);
    assert!(found.is_whole);
    found
}

fn of(units: &[AccessUnit], track: TrackId) -> Vec<AccessUnit> {
    let own = units.iter().filter(|unit| unit.track == track);
    own.cloned().collect()
}

/// The file with the bytes behind the first `name` changed, `at` bytes behind it.
fn patched(file: &Bytes, name: &[u8; 4], at: usize, bytes: &[u8]) -> Bytes {
    let mut file = file.to_vec();
    let place = file.windows(4).position(|window| window == name).unwrap();
    let place = place + 4 + at;
    file[place..place + bytes.len()].copy_from_slice(bytes);
    file.into()
}

#[test]
fn both_forms_are_read_as_they_were_written() {
    for (file, shift) in [
        // The first picture is shown at 80 ms, the sound begins at 0: the file as well.
        (plain(&tracks(), &units()), 0),
        (fragmented(&tracks(), &units(), 5), 0),
    ] {
        let found = whole(&file);
        assert_eq!(found.faults, []);
        assert_eq!(found.tracks, tracks());
        for track in [VIDEO, AUDIO] {
            let mut expected = of(&units(), track);
            for unit in &mut expected {
                unit.dts += shift;
                unit.pts += shift;
            }
            assert_eq!(of(&found.units, track), expected);
        }
        // Tracks come together, whatever their order in the file.
        let micros = found.units.iter().map(|unit| {
            let [video, audio] = tracks();
            let track = if unit.track == VIDEO { video } else { audio };
            track.timebase.rescale(unit.dts, Timebase::MICROS)
        });
        assert!(micros.is_sorted());
    }
}

#[test]
fn segments_behind_one_section_go_on() {
    let (section, fragments) = segments(&fragmented(&tracks(), &units(), 5));
    let found = read_in_segments(&section, &fragments, 1_000);
    assert_eq!(found.faults, []);
    assert_eq!(found.tracks, tracks());
    for track in [VIDEO, AUDIO] {
        assert_eq!(of(&found.units, track), of(&units(), track));
    }
    // A section alone has tracks and nothing else; a segment without one has nothing.
    let found = read_in_segments(&section, &[], 100);
    assert_eq!(
        (found.tracks.len(), found.units.len(), &found.faults[..]),
        (2, 0, &[][..])
    );
    let found = read_in_segments(&Bytes::new(), &fragments, 100);
    assert!(found.units.is_empty() && found.faults.contains(&Fault::NoMovie));
}

#[test]
fn a_reader_says_what_the_file_says_of_itself() {
    let file = plain(&tracks(), &units());
    let mut reader = Reader::new(file.len() as u64);
    while let Step::Read { at, length } = reader.poll() {
        reader.supply(file.slice(at as usize..at as usize + length));
    }
    let duration = reader.duration().unwrap().as_millis();
    assert!((480..=600).contains(&duration), "{duration}");
    assert!(!reader.is_fragmented());
}

#[test]
fn every_cut_gives_what_is_left() {
    for (file, has_index_first) in [
        (plain(&tracks(), &units()), true),
        (fragmented(&tracks(), &units(), 5), false),
    ] {
        let all = whole(&file);
        let mut given = 0;
        for cut in 0..file.len() {
            let found = whole(&file.slice(..cut));
            for track in [VIDEO, AUDIO] {
                let (part, all) = (of(&found.units, track), of(&all.units, track));
                assert!(all.starts_with(&part), "{cut}");
            }
            // Between two fragments nothing shows that there were more.
            let is_told = !found.faults.is_empty();
            assert!(is_told || !has_index_first, "{cut}");
            assert!(found.units.len() >= given, "{cut}");
            given = found.units.len();
        }
        assert!(given > 0);
    }
}

#[test]
fn what_cannot_be_read_is_told_and_passed_over() {
    let file = plain(&tracks(), &units());
    // Every third answer is cut in half.
    let found = read(&file, 7, 10_000);
    assert!(found.is_whole && !found.units.is_empty());
    assert!(found.units.len() < units().len());
    let lost = found.faults.iter().map(|fault| match fault {
        Fault::Samples { count, .. } => *count,
        other => panic!("{other}"),
    });
    assert_eq!(
        lost.sum::<u64>() as usize,
        units().len() - found.units.len()
    );
}

#[test]
fn tables_that_lie() {
    let file = plain(&tracks(), &units());
    let huge = u32::MAX.to_be_bytes();
    type Expected = fn(&Fault) -> bool;
    let samples: Expected = |fault| matches!(fault, Fault::Samples { .. });
    let track: Expected = |fault| matches!(fault, Fault::Track { .. });
    // Box, place behind its version, what stands there, what is told.
    let cases: [(&[u8; 4], usize, &[u8], Expected); 7] = [
        // The size of the first sample, and the number of them.
        (b"stsz", 12, &huge, samples),
        (b"stsz", 8, &3u32.to_be_bytes(), |_| true),
        // All have the same size, and there are so many.
        (b"stsz", 4, &[0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff], samples),
        // The place of the first chunk.
        (b"co64", 8, &huge, samples),
        // No sample in any chunk.
        (b"stsc", 12, &[0; 4], samples),
        // Ticks of no length.
        (b"mdhd", 12, &[0; 4], track),
        // No sample entry.
        (b"stsd", 12, b"mpeg", track),
    ];
    for (name, at, bytes, expected) in cases {
        let found = whole(&patched(&file, name, at, bytes));
        let words = || format!("{} {at}: {:?}", name.escape_ascii(), found.faults);
        assert!(found.faults.iter().all(expected), "{}", words());
        // The sound is none the worse for it.
        assert_eq!(of(&found.units, AUDIO).len(), 12, "{}", words());
    }
    // The same in a fragment: more samples than are described.
    let file = fragmented(&tracks(), &units(), 100);
    let found = whole(&patched(&file, b"trun", 4, &huge));
    assert!(matches!(found.faults[..], [Fault::Fragment { .. }, ..]));
}

#[test]
fn pictures_shown_before_they_are_decoded_are_decoded_earlier() {
    // Offsets of version 1: the first picture at once, another earlier than its time.
    let mut file = plain(&tracks()[..1], &of(&units(), VIDEO)).to_vec();
    let place = file
        .windows(4)
        .position(|window| window == b"ctts")
        .unwrap();
    for row in 0..4 {
        let at = place + 4 + 8 + row * 8 + 4;
        let offset = file[at..at + 4].try_into().unwrap();
        let earlier = i32::from_be_bytes(offset) - 80;
        file[at..at + 4].copy_from_slice(&earlier.to_be_bytes());
    }
    let found = whole(&file.into());
    assert_eq!(found.faults, []);
    for (one, other) in of(&units(), VIDEO).iter().zip(&found.units) {
        assert!(other.pts >= other.dts, "{other:?}");
        let row = one.payload[6];
        if row < 4 {
            assert_eq!(other.pts - other.dts, one.pts - one.dts, "{row}");
        }
    }
}

#[test]
fn what_is_no_file_is_told() {
    let words = |bytes: &[u8]| {
        let found = whole(&Bytes::copy_from_slice(bytes));
        assert!(found.units.is_empty());
        let words: Vec<String> = found.faults.iter().map(Fault::to_string).collect();
        words.join("; ")
    };
    assert_eq!(
        words(b""),
        "there is no moov box that says what the file holds"
    );
    assert!(words(b"\x7f\xff\xff\xff\x01\x02\x03\x04").contains("begins no box"));
    assert!(
        words(b"\0\0\0\x10ftyp\0\0").contains("of the box ftyp at byte 0, 6 bytes are missing")
    );
    // Sizes of 64 bits, and one that goes on to the end.
    assert!(words(b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff").contains("cut off"));
    assert!(words(b"\0\0\0\0mdat").contains("no moov"));
    // A box of its own size alone would never end.
    assert!(words(&[0; 64]).contains("no moov"));
}

#[test]
fn more_than_is_read_is_not_asked_for() {
    let mut reader = Reader::new(1 << 40);
    let mut asked = 0;
    let mut told = Vec::new();
    loop {
        match reader.poll() {
            Step::Read { length, .. } => {
                assert!(length <= 16);
                // Each is a `moov` of 512 MiB.
                let head = [&(512u32 << 20).to_be_bytes()[..], b"moov", &[0; 8]].concat();
                reader.supply(Bytes::from(head).slice(..length));
                asked += 1;
            }
            Step::Fault(fault) => told.push(fault),
            Step::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked, (1u64 << 40) / (512 << 20));
    assert!(matches!(told[0], Fault::TooMuch { at: 0, .. }));
    assert_eq!(told.last(), Some(&Fault::NoMovie));
}

/// An `stsd` of one entry.
fn stsd(kind: &[u8; 4], fields: usize, boxes: &[(&[u8; 4], &[u8])]) -> Bytes {
    let mut body = BytesMut::zeroed(fields);
    for (kind, content) in boxes {
        boxes::put(&mut body, kind, content);
    }
    let mut out = BytesMut::new();
    out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    boxes::put(&mut out, kind, &body);
    out.freeze()
}

#[test]
fn sample_entries_of_several_writers() {
    let in_samples = |bare| Entry::InSamples(bare, 0);
    let aac = Entry::Known(audio_track().codec, 0);
    // MPEG-4 descriptors, with lengths of one byte and of four.
    let esds = |object: u8, specific: &[u8], long: bool| {
        let tagged = |tag: u8, body: &[u8]| {
            let length = body.len() as u8;
            let head = match long {
                true => vec![tag, 0x80, 0x80, 0x80, length],
                false => vec![tag, length],
            };
            [&head[..], body].concat()
        };
        let specific = match specific {
            [] => Vec::new(),
            specific => tagged(5, specific),
        };
        let config = tagged(4, &[&[object, 0x15][..], &[0; 11], &specific].concat());
        let stream = tagged(3, &[&[0, 1, 0][..], &config].concat());
        [&[0; 4][..], &stream].concat()
    };
    let lc = [0x12, 0x10];
    let mut wave = BytesMut::new();
    boxes::put(&mut wave, b"frma", b"mp4a");
    boxes::put(&mut wave, b"esds", &esds(0x40, &lc, true));
    let quicktime = {
        let mut list = stsd(b"mp4a", 44, &[(b"wave", &wave)]).to_vec();
        // Version 1 of a sound description.
        list[8 + 8 + 9] = 1;
        Bytes::from(list)
    };
    let cases: [(Bytes, Entry); 8] = [
        (
            stsd(b"mp4a", 28, &[(b"esds", &esds(0x40, &lc, false))]),
            aac.clone(),
        ),
        (
            stsd(b"mp4a", 28, &[(b"esds", &esds(0x40, &lc, true))]),
            aac.clone(),
        ),
        (quicktime, aac),
        (
            stsd(b"mp4a", 28, &[(b"esds", &esds(0x6b, &[], false))]),
            in_samples(Bare::MpegAudio),
        ),
        (stsd(b".mp3", 28, &[]), in_samples(Bare::MpegAudio)),
        (stsd(b"ac-3", 28, &[]), in_samples(Bare::Ac3)),
        (stsd(b"av01", 78, &[]), in_samples(Bare::Av1)),
        // Lengths of two bytes, and the parameter sets within the pictures.
        (
            stsd(b"avc3", 78, &[(b"avcC", &[1, 66, 0, 30, 0xfd, 0xe0, 0])]),
            Entry::InSamples(Bare::H264, 2),
        ),
    ];
    for (list, expected) in cases {
        assert_eq!(entry::read(&list), [expected], "{list:?}");
    }
    for (list, words) in [
        (stsd(b"avc1", 78, &[]), "no avcC box"),
        (stsd(b"encv", 78, &[]), "encrypted"),
        (stsd(b"tx3g", 8, &[]), "tx3g is not carried"),
        (stsd(b"mp4a", 28, &[]), "no esds box"),
        (stsd(b"mp4a", 28, &[(b"esds", &[0; 9])]), "not whole"),
        (
            stsd(b"mp4a", 28, &[(b"esds", &esds(0xdd, &[], false))]),
            "0xdd is not carried",
        ),
        (stsd(b"avc1", 20, &[]), "no avcC box"),
    ] {
        match &entry::read(&list)[..] {
            [Entry::Unknown(reason)] => assert!(reason.contains(words), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    // Cut anywhere, nothing is made of what is not there.
    let list = stsd(b"mp4a", 28, &[(b"esds", &esds(0x40, &lc, true))]);
    for cut in 0..list.len() {
        assert_eq!(entry::read(&list.slice(..cut)), []);
    }
}

#[test]
fn parameter_sets_within_pictures_make_the_track() {
    let Codec::H264(config) = video_track().codec else {
        panic!("no H.264")
    };
    // As `avc3`: the entry has none, the first picture has.
    let mut units = of(&units(), VIDEO);
    let mut head = Vec::new();
    for set in config.sps.iter().chain(&config.pps) {
        head.extend((set.len() as u32).to_be_bytes());
        head.extend_from_slice(set);
    }
    units[0].payload = [&head[..], &units[0].payload].concat().into();
    let file = plain(&tracks()[..1], &units);
    let record = patched(&file, b"avcC", 5, &[0xe0, 0]);
    let found = whole(&record);
    assert_eq!(found.tracks, [video_track()]);
    assert_eq!(found.units.len(), units.len());
    assert_eq!(found.faults, []);
}

#[test]
fn every_codec_that_is_written_is_read() {
    use media::codec::{ac3, flac, mpeg_audio, opus};
    let rate = Timebase::new(48_000).unwrap();
    // Layer III, 48 kHz, stereo, 128 kbit/s; and 2.0 at 48 kHz and 192 kbit/s.
    let mp3 = [&[0xff, 0xfb, 0x94, 0x00][..], &[0; 380]].concat();
    let mp3_header = mpeg_audio::Header::parse(&mp3).unwrap();
    let dolby = [&[0x0b, 0x77, 0, 0, 0x14, 0x40, 0x43, 0xe1][..], &[0; 760]].concat();
    let mut info = [0u8; 34];
    info[..4].copy_from_slice(&[0x10, 0, 0x10, 0]);
    // 48 kHz, 2 channels, 16 bits.
    info[10..14].copy_from_slice(&[0x0b, 0xb8, 0x02, 0xf0]);
    let codecs = [
        (Codec::MpegAudio(mpeg_audio::Config::of(&mp3_header)), mp3),
        (Codec::Ac3(ac3::Config::of(&dolby).unwrap()), dolby),
        (
            Codec::Flac(flac::Config::parse(&info).unwrap()),
            vec![0xff, 0xf8, 1],
        ),
        (
            Codec::Opus(opus::Config::new(2, 312, 48_000).unwrap()),
            vec![0xfc, 1],
        ),
    ];
    for (codec, payload) in codecs {
        assert!(init::carries(&codec));
        let track = Track {
            id: AUDIO,
            codec,
            timebase: rate,
        };
        let unit = AccessUnit {
            payload: payload.into(),
            ..units()[1].clone()
        };
        let tracks = std::slice::from_ref(&track);
        let found = whole(&plain(tracks, std::slice::from_ref(&unit)));
        assert_eq!(found.faults, [], "{track:?}");
        assert_eq!(found.tracks, [track]);
        assert_eq!(found.units, [unit]);
    }
}
