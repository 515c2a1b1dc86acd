//! Files of other people's encoders without their decoding times: those that are found are the ones that the
//! files have, as ffprobe tells them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests may fail the test, and say what they left out"
)]

use bytes::Bytes;
use media::codec::{h264, h265};
use media::decoding_times::DecodingTimes;
use media::{Codec, Timebase, Track, TrackId};

/// Files, and the most pictures that precede one in decoding order and follow it in output order.
const FILES: [(&str, usize, usize); 6] = [
    ("mp4/mp4ff/mp4/testdata/prog_8s.mp4", 240, 2),
    ("mp4/mp4ff/cmd/mp4ff-nallister/testdata/h264.mp4", 50, 2),
    ("mp4/mp4ff/cmd/mp4ff-nallister/testdata/hevc.mp4", 50, 2),
    ("mp4/mp4ff/mp4/testdata/ed_hevc.mp4", 27, 2),
    (
        "mp4/mp4ff/cmd/mp4ff-mvhevc/testdata/stereo_spatial.mp4",
        10,
        2,
    ),
    ("mp4/go-mp4/sample.mp4", 10, 2),
];

/// A track of a file: its codec, its timebase, and its samples as (DTS, PTS, payload).
struct Video<'a> {
    codec: Codec,
    timebase: Timebase,
    samples: Vec<(i64, i64, &'a [u8])>,
}

/// The children of a box's contents.
fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 8 {
        let size = match number(bytes, 0) as usize {
            0 => bytes.len(),
            1 => u64::from_be_bytes(bytes[8..16].try_into().unwrap()) as usize,
            size => size,
        };
        found.push((&bytes[4..8], &bytes[8..size]));
        bytes = &bytes[size..];
    }
    found
}

/// The contents of the first box along a path.
fn find<'a>(bytes: &'a [u8], path: &str) -> Option<&'a [u8]> {
    path.split('/').try_fold(bytes, |bytes, kind| {
        let mut children = boxes(bytes).into_iter();
        Some(children.find(|(found, _)| *found == kind.as_bytes())?.1)
    })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A table of the sample table: entries of `fields` numbers behind a count.
fn table(samples: &[u8], kind: &str, fields: usize) -> Vec<Vec<u32>> {
    let Some(table) = find(samples, kind) else {
        return Vec::new();
    };
    let entry =
        |index| (0..fields).map(move |field| number(table, 8 + (index * fields + field) * 4));
    let count = number(table, 4) as usize;
    (0..count).map(|index| entry(index).collect()).collect()
}

/// One value for each sample of a table of (count, value).
fn spread(table: &[Vec<u32>]) -> Vec<i64> {
    let runs = table.iter();
    runs.flat_map(|run| std::iter::repeat_n(i64::from(run[1] as i32), run[0] as usize))
        .collect()
}

/// Reads the first video track (ISO/IEC 14496-12 clause 8).
fn video(file: &[u8]) -> Video<'_> {
    let moov = find(file, "moov").unwrap();
    let tracks = boxes(moov).into_iter().filter(|(kind, _)| kind == b"trak");
    let is_video = |track: &&[u8]| find(track, "mdia/hdlr").unwrap()[8..12] == *b"vide";
    let track = tracks.map(|(_, track)| track).find(is_video).unwrap();
    let header = find(track, "mdia/mdhd").unwrap();
    let timescale = number(header, if header[0] == 1 { 20 } else { 12 });
    let samples = find(track, "mdia/minf/stbl").unwrap();

    let entry = &find(samples, "stsd").unwrap()[8..];
    let record = |kind| find(&entry[8 + 78..], kind).map(Bytes::copy_from_slice);
    let codec = match (record("avcC"), record("hvcC")) {
        (Some(record), _) => Codec::H264(h264::Config::parse_avcc(&record).unwrap().0),
        (_, Some(record)) => Codec::H265(h265::Config::parse_hvcc(&record).unwrap().0),
        _ => panic!("neither H.264 nor H.265"),
    };

    let durations = spread(&table(samples, "stts", 2));
    let mut offsets = spread(&table(samples, "ctts", 2));
    offsets.resize(durations.len(), 0);
    let sizes = find(samples, "stsz").unwrap();
    let size = |sample: usize| match number(sizes, 4) {
        0 => number(sizes, 12 + sample * 4) as usize,
        all => all as usize,
    };
    let chunks = table(samples, "stco", 1);
    let runs = table(samples, "stsc", 3);
    let (mut found, mut dts) = (Vec::new(), 0);
    for (index, chunk) in chunks.iter().enumerate() {
        let run = runs.iter().rev().find(|run| run[0] as usize <= index + 1);
        let mut at = chunk[0] as usize;
        for _ in 0..run.unwrap()[1] {
            let sample = found.len();
            let payload = &file[at..at + size(sample)];
            found.push((dts, dts + offsets[sample], payload));
            dts += durations[sample];
            at += payload.len();
        }
    }
    Video {
        codec,
        timebase: Timebase::new(timescale).unwrap(),
        samples: found,
    }
}

#[test]
fn decoding_times_of_files_are_found_again() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: only generated data is tested");
        return;
    };
    for (path, pictures, depth) in FILES {
        let file = std::fs::read(std::path::Path::new(&corpus).join(path)).unwrap();
        let video = video(&file);
        assert_eq!(video.samples.len(), pictures, "{path}");
        let mut times = DecodingTimes::new(&Track {
            id: TrackId(0),
            codec: video.codec,
            timebase: video.timebase,
        });
        let mut shown: Vec<i64> = video.samples.iter().map(|sample| sample.1).collect();
        shown.sort_unstable();
        let mut last = i64::MIN;
        for (index, (dts, pts, payload)) in video.samples.iter().enumerate() {
            let found = times.next(payload, *pts);
            assert!(found > last && found <= *pts, "{path}, {index}: {found}");
            last = found;
            if let Some(place) = index.checked_sub(depth) {
                assert_eq!(found, shown[place], "{path}, {index}: file has {dts}");
            }
        }
    }
}
