//! Streams and files of other people's encoders: every parameter set is read, every picture is known. What
//! is expected is what ffprobe says of the same files.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests may fail the test, and say what they left out"
)]

use bytes::{BufMut, Bytes, BytesMut};
use media::codec::{h265, opus};
use std::path::{Path, PathBuf};

struct Stream {
    path: &'static str,
    size: (u32, u32),
    name: &'static str,
    pictures: usize,
    random_access: usize,
}

const STREAMS: [Stream; 5] = [
    Stream {
        path: "av/srs-bench/avatar.h265",
        size: (768, 320),
        name: "hvc1.1.6.L63.90",
        pictures: 308,
        random_access: 8,
    },
    Stream {
        path: "mp4/mp4ff/hevc/testdata/blackframe.265",
        size: (160, 120),
        name: "hvc1.1.6.L30.90",
        pictures: 3,
        random_access: 1,
    },
    Stream {
        path: "mp4/mp4ff/hevc/testdata/deblocking_disabled.265",
        size: (64, 64),
        name: "hvc1.3.E.L30.90",
        pictures: 1,
        random_access: 1,
    },
    Stream {
        path: "mp4/mp4ff/hevc/testdata/deblocking_offsets.265",
        size: (64, 64),
        name: "hvc1.3.E.L30.90",
        pictures: 1,
        random_access: 1,
    },
    Stream {
        path: "mp4/mp4ff/cmd/mp4ff-pslister/testdata/hevc.265",
        size: (1_920, 1_080),
        name: "hvc1.1.6.L123.90",
        pictures: 50,
        random_access: 1,
    },
];

/// Where the corpus is, if it is there.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("MILLSTREAM_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("MILLSTREAM_CORPUS is not set: only generated data is tested");
    }
    corpus
}

/// The NAL units of a byte stream (ITU-T H.265 annex B).
fn annex_b(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len())
        .filter(|at| stream[*at..].starts_with(&[0, 0, 1]))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let unit = &stream[start + 3..end];
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            &unit[..unit.len() - zeros]
        })
        .collect()
}

/// The contents of all boxes of that kind.
fn boxes<'a>(file: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    let places = (4..file.len()).filter(|at| file[*at..].starts_with(kind));
    places
        .map(|at| {
            let size = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
            &file[at + 4..at - 4 + size as usize]
        })
        .collect()
}

#[test]
fn streams_of_h265_are_read() {
    let Some(corpus) = corpus() else { return };
    for case in STREAMS {
        let bytes = std::fs::read(corpus.join(case.path)).unwrap();
        let units = annex_b(&bytes);
        let of = |kind| -> Vec<Bytes> {
            let header = |unit: &&[u8]| h265::NalHeader::parse(unit).unwrap().kind == kind;
            let sets = units.iter().copied().filter(header);
            sets.take(1).map(Bytes::copy_from_slice).collect()
        };
        let [vps, sps, pps] = [32, 33, 34].map(of);
        let config = h265::Config::new(vps, sps, pps).unwrap();
        let read = h265::Config::parse_hvcc(&config.hvcc());
        assert_eq!(read.as_ref(), Ok(&(config.clone(), 4)), "{}", case.path);
        let video = config.video;

        let (mut pictures, mut random_access) = (0, 0);
        for unit in &units {
            let mut payload = BytesMut::new();
            payload.put_u32(unit.len() as u32);
            payload.put_slice(unit);
            let picture = h265::Picture::inspect(&payload).unwrap();
            // A picture begins with first_slice_segment_in_pic_flag.
            if picture.has_slice && unit[2] & 0x80 != 0 {
                pictures += 1;
                random_access += usize::from(picture.random_access);
            }
        }
        let found = (
            (video.width, video.height),
            &config.rfc6381()[..],
            pictures,
            random_access,
        );
        let expected = (case.size, case.name, case.pictures, case.random_access);
        assert_eq!(found, expected, "{} {:?}", case.path, video.frame_rate);
    }
}

#[test]
fn records_of_other_muxers_are_read() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("mp4/mp4ff/mp4/testdata");
    let read = |path: &Path| std::fs::read(path).unwrap();
    for name in ["hvc1_init.mp4", "ed_hevc.mp4"] {
        let file = read(&folder.join(name));
        let records = boxes(&file, b"hvcC");
        assert!(!records.is_empty(), "{name}");
        for record in records {
            let record = Bytes::copy_from_slice(record);
            let (config, length_size) = h265::Config::parse_hvcc(&record).unwrap();
            assert_eq!(length_size, 4);
            // The record's copy of what the parameter set says.
            assert_eq!(record[1..13], config.video.profile.to_bytes(), "{name}");
            assert_eq!(record[16..19], config.hvcc()[16..19], "{name}");
            for length in 0..record.len() {
                let cut = h265::Config::parse_hvcc(&record.slice(..length));
                assert!(cut.is_err(), "{name}: {length}");
            }
        }
    }
    let file = read(&folder.join("opus.mp4"));
    let records = boxes(&file, b"dOps");
    assert!(!records.is_empty());
    for record in records {
        let config = opus::Config::parse_dops(record).unwrap();
        assert_eq!(config.dops(), record);
    }
}
