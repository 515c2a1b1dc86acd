//! What other people's software makes of our files: ffmpeg encodes, we carry it over FLV into fragments,
//! ffprobe counts and ffmpeg decodes. Both tools have to be there.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use flv::demuxer::{Demuxer, Event};
use flv::file::{Reader, TagKind};
use media::{AccessUnit, Track};
use mp4::fragment::{self, Run, Sample};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a tool; it has to succeed and to say nothing on stderr.
fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{tool} is needed for this test: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{tool} {arguments:?}: {} {stderr}",
        output.status
    );
    output.stdout
}

/// Three seconds of moving pictures with B-frames, and sound, as FLV.
fn encode() -> Vec<u8> {
    let arguments = "-v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=3 \
        -f lavfi -i sine=frequency=440:sample_rate=44100:duration=3 \
        -c:v libx264 -preset veryfast -bf 2 -g 25 -pix_fmt yuv420p -threads 1 \
        -c:a aac -b:a 64k -f flv pipe:1";
    run("ffmpeg", &arguments.split_whitespace().collect::<Vec<_>>())
}

fn demux(file: &[u8]) -> Vec<(Track, Vec<AccessUnit>)> {
    let (mut reader, mut demuxer) = (Reader::new(), Demuxer::new());
    reader.push(file).unwrap();
    let mut tracks: Vec<(Track, Vec<AccessUnit>)> = Vec::new();
    while let Some(tag) = reader.pull() {
        match tag.kind {
            TagKind::Video => demuxer.push_video(tag.timestamp, tag.body).unwrap(),
            TagKind::Audio => demuxer.push_audio(tag.timestamp, tag.body).unwrap(),
            TagKind::Script => {}
        }
        match demuxer.pull() {
            Some(Event::Track(track)) => tracks.push((track, Vec::new())),
            Some(Event::Unit(unit)) => {
                let (_, units) = tracks
                    .iter_mut()
                    .find(|(track, _)| track.id == unit.track)
                    .unwrap();
                units.push(unit);
            }
            None => {}
        }
    }
    tracks
}

/// All samples of a track; the last one lasts as long as the one before.
fn samples(units: &[AccessUnit]) -> Vec<Sample> {
    let durations = units
        .windows(2)
        .map(|pair| u32::try_from(pair[1].dts - pair[0].dts).unwrap());
    let last = durations.clone().last().unwrap();
    units
        .iter()
        .zip(durations.chain([last]))
        .map(|(unit, duration)| Sample::new(unit, duration))
        .collect()
}

/// An initialization section and fragments of about a tenth of the file.
fn mux(tracks: &[(Track, Vec<AccessUnit>)]) -> Vec<u8> {
    const FRAGMENTS: usize = 10;
    let declared: Vec<Track> = tracks.iter().map(|(track, _)| track.clone()).collect();
    let mut file = mp4::init::write(&declared).unwrap().to_vec();
    let samples: Vec<Vec<Sample>> = tracks.iter().map(|(_, units)| samples(units)).collect();
    for number in 0..FRAGMENTS {
        let part = |length: usize| number * length / FRAGMENTS..(number + 1) * length / FRAGMENTS;
        let runs: Vec<Run<'_>> = tracks
            .iter()
            .zip(&samples)
            .map(|((track, units), samples)| Run {
                track,
                base_decode_time: u64::try_from(units[part(units.len()).start].dts).unwrap(),
                samples: &samples[part(samples.len())],
            })
            .collect();
        file.extend_from_slice(&fragment::STYP);
        file.extend(fragment::write(number as u32 + 1, &runs));
    }
    file
}

fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Packets of each stream, as ffprobe counts them.
fn packets(path: &Path) -> Vec<(String, usize)> {
    let arguments =
        "-v error -count_packets -show_entries stream=codec_name,nb_read_packets -of csv=p=0";
    let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
    arguments.push(path.to_str().unwrap());
    let text = String::from_utf8(run("ffprobe", &arguments)).unwrap();
    text.lines()
        .map(|line| {
            let (codec, count) = line.split_once(',').unwrap();
            (codec.to_owned(), count.parse().unwrap())
        })
        .collect()
}

/// The hash of everything decoded from one kind of stream.
fn decoded(path: &Path, stream: &str) -> String {
    let path = path.to_str().unwrap();
    let arguments = ["-v", "error", "-i", path, "-map", stream];
    let output = ["-fps_mode", "passthrough", "-f", "md5", "pipe:1"];
    String::from_utf8(run("ffmpeg", &[&arguments[..], &output].concat())).unwrap()
}

/// Decoding and presentation times in seconds, as ffprobe reads them, from the first on.
fn times(path: &Path, stream: &str) -> Vec<(f64, f64)> {
    let arguments = [
        "-v",
        "error",
        "-select_streams",
        stream,
        "-show_entries",
        "packet=dts_time,pts_time",
        "-of",
        "csv=p=0",
    ];
    let text = run(
        "ffprobe",
        &[&arguments[..], &[path.to_str().unwrap()]].concat(),
    );
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| {
            let mut times = line.split(',').map(|time| time.parse::<f64>().unwrap());
            (times.next().unwrap(), times.next().unwrap())
        })
        .collect()
}

#[test]
fn fragments_are_read_and_decoded_as_what_went_in() {
    let source = encode();
    let original = write("original.flv", &source);
    let tracks = demux(&source);
    let file = write("fragments.mp4", &mux(&tracks));

    assert_eq!(packets(&file), packets(&original));
    assert_eq!(packets(&file)[0], ("h264".to_owned(), 75));
    for stream in ["0:v", "0:a"] {
        assert_eq!(
            decoded(&file, stream),
            decoded(&original, stream),
            "{stream}"
        );
    }
    for stream in ["v", "a"] {
        let (ours, theirs) = (times(&file, stream), times(&original, stream));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            // FLV rounds to milliseconds.
            let near = |a: f64, b: f64| (a - b).abs() < 0.0021;
            assert!(
                near(ours.0, theirs.0) && near(ours.1, theirs.1),
                "{stream}: {ours:?} {theirs:?}"
            );
        }
    }
}

#[test]
fn each_track_alone_is_a_cmaf_track() {
    let source = encode();
    let original = write("original-both.flv", &source);
    for (track, stream) in demux(&source).iter().zip(["0:v", "0:a"]) {
        let name = format!("track-{}.mp4", track.0.id.0);
        let file = write(&name, &mux(std::slice::from_ref(track)));
        assert_eq!(packets(&file)[0].1, track.1.len());
        assert_eq!(
            decoded(&file, stream),
            decoded(&original, stream),
            "{stream}"
        );
    }
}
