//! What other people's software makes of our streams, and we of theirs: ffmpeg encodes and muxes, we demux, mux again;
//! ffprobe tells packets and times, ffmpeg decodes. Both tools have to be there.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use media::{AccessUnit, Timebase, Track};
use mpegts::demuxer::{Counts, Demuxer, Event};
use mpegts::muxer::{Config, Muxer};
use mpegts::packet::{Packet, SIZE};
use mpegts::psi::PAT_PID;
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

/// Two seconds of moving pictures and of sound by these encoders, with these options of the muxer.
fn encode(rate: u32, video: &str, audio: &str, muxer: &str) -> Vec<u8> {
    let sample_rate = if audio.contains("opus") {
        48_000
    } else {
        44_100
    };
    let arguments = format!(
        "-v error -f lavfi -i testsrc2=size=320x180:rate={rate}:duration=2 \
        -f lavfi -i sine=frequency=440:sample_rate={sample_rate}:duration=2 -ac 2 \
        -c:v {video} -g 20 -pix_fmt yuv420p -threads 1 -c:a {audio} -b:a 64k -f mpegts {muxer} pipe:1"
    );
    run("ffmpeg", &arguments.split_whitespace().collect::<Vec<_>>())
}

type Tracks = Vec<(Track, Vec<AccessUnit>)>;

fn demux(stream: &[u8]) -> (Tracks, Counts) {
    let mut demuxer = Demuxer::default();
    let mut tracks: Tracks = Vec::new();
    let mut take = |demuxer: &mut Demuxer| {
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => tracks.push((track, Vec::new())),
                Event::Unit(unit) => {
                    let mut tracks = tracks.iter_mut();
                    let (_, units) = tracks.find(|(track, _)| track.id == unit.track).unwrap();
                    units.push(unit);
                }
                Event::Program(_) => {}
                Event::Fault(fault) => panic!("{fault}"),
            }
        }
    };
    for piece in stream.chunks(1_316) {
        demuxer.push(piece);
        take(&mut demuxer);
    }
    demuxer.flush();
    take(&mut demuxer);
    tracks.sort_by_key(|(track, _)| track.id);
    (tracks, demuxer.counts())
}

/// All units in the order of their decoding times, as a stream brings them.
fn mux(tracks: &Tracks) -> Vec<u8> {
    let mut muxer = Muxer::new(Config::default());
    let declared: Vec<Track> = tracks.iter().map(|(track, _)| track.clone()).collect();
    muxer.set_tracks(&declared).unwrap();
    let mut units: Vec<(i64, &AccessUnit)> = Vec::new();
    for (track, of_track) in tracks {
        let ticks = |unit: &AccessUnit| track.timebase.rescale(unit.dts, Timebase::VIDEO);
        units.extend(of_track.iter().map(|unit| (ticks(unit), unit)));
    }
    units.sort_by_key(|(time, _)| *time);
    let mut out = Vec::new();
    let mut time = i64::MIN;
    for (_, unit) in units {
        muxer.push(unit).unwrap();
        while let Some(chunk) = muxer.pull() {
            assert!(chunk.time >= time);
            time = chunk.time;
            out.extend_from_slice(&chunk.data);
        }
    }
    muxer.flush();
    out.extend(std::iter::from_fn(|| muxer.pull()).flat_map(|chunk| chunk.data));
    out
}

fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Presentation and decoding times of the packets of a kind of stream in ticks of 90 kHz, and whether each is a key
/// frame, as ffprobe reads them.
fn packets(path: &Path, stream: &str) -> Vec<(i64, i64, bool)> {
    let path = path.to_str().unwrap();
    let entries = ["-show_entries", "packet=pts,dts,flags", "-of", "csv=p=0"];
    let arguments = [
        &["-v", "error", "-select_streams", stream],
        &entries[..],
        &[path],
    ]
    .concat();
    let text = String::from_utf8(run("ffprobe", &arguments)).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |text: &str| text.parse().unwrap();
            (
                number(fields[0]),
                number(fields[1]),
                fields[2].starts_with('K'),
            )
        })
        .collect()
}

/// The hash of everything decoded from one kind of stream.
fn decoded(path: &Path, stream: &str) -> String {
    let path = path.to_str().unwrap();
    let output = ["-fps_mode", "passthrough", "-f", "md5", "pipe:1"];
    let arguments = [&["-v", "error", "-i", path, "-map", stream], &output[..]].concat();
    String::from_utf8(run("ffmpeg", &arguments)).unwrap()
}

/// Every combination of what is carried, with what the muxers of others can do to it.
const CASES: [(&str, u32, &str, &str, &str); 11] = [
    ("h264-b", 25, "libx264 -preset veryfast -bf 2", "aac", ""),
    (
        "h264-opengop",
        24,
        "libx264 -preset veryfast -bf 3 -x264-params open-gop=1:slices=4",
        "aac",
        "",
    ),
    (
        "h264-low-latency",
        30,
        "libx264 -preset ultrafast -tune zerolatency",
        "aac",
        "-flush_packets 1",
    ),
    ("h264-slow", 5, "libx264 -preset ultrafast", "aac", ""),
    (
        "h264-latm",
        25,
        "libx264 -preset ultrafast",
        "aac",
        "-mpegts_flags latm",
    ),
    (
        "h264-one-frame",
        25,
        "libx264 -preset ultrafast",
        "aac",
        "-pes_payload_size 0",
    ),
    (
        "h265-b",
        25,
        "libx265 -preset ultrafast -x265-params log-level=none:bframes=3:b-adapt=0:open-gop=1:pools=1",
        "aac",
        "",
    ),
    ("h264-mp2", 25, "libx264 -preset ultrafast", "mp2", ""),
    ("h264-ac3", 25, "libx264 -preset ultrafast", "ac3", ""),
    ("h264-eac3", 25, "libx264 -preset ultrafast", "eac3", ""),
    ("h264-opus", 50, "libx264 -preset ultrafast", "libopus", ""),
];

#[test]
fn streams_of_ffmpeg_there_and_back() {
    for (name, rate, video, audio, options) in CASES {
        let source = encode(rate, video, audio, options);
        let original = write(&format!("{name}.ts"), &source);
        let (tracks, counts) = demux(&source);
        assert_eq!(tracks.len(), 2, "{name}");
        let good = Counts {
            packets: counts.packets,
            units: counts.units,
            ..Counts::default()
        };
        assert_eq!(counts, good, "{name}");
        for ((track, units), stream) in tracks.iter().zip(["v", "a"]) {
            let expected = packets(&original, stream);
            assert_eq!(units.len(), expected.len(), "{name} {stream}");
            for (unit, (pts, dts, key)) in units.iter().zip(expected) {
                let ticks = |ticks| track.timebase.rescale_nearest(ticks, Timebase::VIDEO);
                // A sample is two ticks, and ffprobe rounds the length of each frame in a PES packet, of which there
                // are up to eight.
                let near = |ours: i64, theirs: i64| (ticks(ours) - theirs).abs() <= 8;
                assert!(
                    near(unit.pts, pts) && near(unit.dts, dts),
                    "{name} {stream}: {unit:?} {pts} {dts}"
                );
                // ffmpeg flags recovery points of open groups only where it starts.
                assert!(unit.random_access || !key, "{name} {stream} {pts}");
            }
        }

        let ours = mux(&tracks);
        let file = write(&format!("{name}-again.ts"), &ours);
        for stream in ["v", "a"] {
            let (again, before) = (packets(&file, stream), packets(&original, stream));
            assert_eq!(again.len(), before.len(), "{name} {stream}");
            let moved = again[0].1 - before[0].1;
            for (again, before) in again.iter().zip(&before) {
                let near = |a: i64, b: i64| (a - b - moved).abs() <= 8;
                assert!(
                    near(again.0, before.0) && near(again.1, before.1) && again.2 == before.2,
                    "{name} {stream}: {again:?} {before:?} {moved}"
                );
            }
            let map = format!("0:{stream}");
            assert_eq!(
                decoded(&file, &map),
                decoded(&original, &map),
                "{name} {stream}"
            );
        }
        // And what we read of it is what we wrote, but for the one number that all times are moved by.
        let (again, _) = demux(&ours);
        for ((track, units), (track_again, units_again)) in tracks.iter().zip(&again) {
            assert_eq!(track, track_again, "{name}");
            for (unit, unit_again) in units.iter().zip(units_again) {
                assert_eq!(unit.payload, unit_again.payload, "{name}");
                assert_eq!(unit.random_access, unit_again.random_access, "{name}");
            }
        }
        check_intervals(&ours, name);
    }
}

/// Clocks, tables and continuity, as a receiver may demand them.
fn check_intervals(stream: &[u8], name: &str) {
    let (mut first, mut clock): (Option<u64>, Option<u64>) = (None, None);
    let mut tables: Option<u64> = None;
    let mut counters = std::collections::HashMap::new();
    let mut long = 0;
    for bytes in stream.as_chunks::<SIZE>().0 {
        let packet = Packet::parse(bytes).unwrap();
        if packet.payload.is_some() {
            let before = counters.insert(packet.pid, packet.continuity);
            let expected = before.map_or(packet.continuity, |before| (before + 1) % 16);
            assert_eq!(packet.continuity, expected, "{name} {}", packet.pid);
        }
        if let Some(now) = packet.adaptation.clock {
            let step = clock.map_or(0, |before| now - before);
            assert!(
                clock.is_none() || step > 0,
                "{name}: a clock that does not grow"
            );
            // The first distance between pictures is not known.
            let known = *first.get_or_insert(now) + 400 * 27_000 < now;
            // Once where the pictures end before the sound: what the standard allows.
            assert!(
                !known || step <= 100 * 27_000,
                "{name}: {} ms",
                step / 27_000
            );
            long += usize::from(known && step > 40 * 27_000);
            clock = Some(now);
        }
        if packet.pid == PAT_PID {
            let now = clock.unwrap_or(0);
            let step = tables.map_or(0, |before| now - before);
            assert!(
                step <= 140 * 27_000 || tables == Some(0),
                "{name}: {}",
                step / 27_000
            );
            tables = Some(now);
        }
    }
    assert!(long <= 1, "{name}: {long} clocks are late");
}

#[test]
fn packets_with_a_time_in_front_are_found() {
    // ffmpeg describes no AAC here.
    let source = encode(
        25,
        "libx264 -preset ultrafast",
        "aac",
        "-mpegts_m2ts_mode 1",
    );
    let (tracks, counts) = demux(&source);
    assert_eq!(source.len() % 192, 0);
    assert_eq!(counts.packets, source.len() as u64 / 192);
    assert_eq!(tracks[0].1.len(), 50);
}

#[test]
fn damage_costs_what_is_damaged() {
    let source = encode(25, "libx264 -preset ultrafast", "aac", "");
    let (whole, _) = demux(&source);
    let mut packets: Vec<&[u8; SIZE]> = source.as_chunks::<SIZE>().0.iter().collect();
    let middle = packets.len() / 2;
    let at = packets[middle..]
        .iter()
        .position(|bytes| {
            let packet = Packet::parse(bytes).unwrap();
            packet.pid == 0x100
                && !packet.unit_start
                && packet.adaptation == mpegts::packet::Adaptation::default()
        })
        .unwrap();
    packets.remove(middle + at);
    let damaged: Vec<u8> = packets.into_iter().flatten().copied().collect();
    let mut demuxer = Demuxer::default();
    demuxer.push(&damaged);
    demuxer.flush();
    let events: Vec<Event> = std::iter::from_fn(|| demuxer.pull()).collect();
    let faults: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Fault(fault) => Some(fault.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("PID 256: packets are missing"),
        "{faults:?}"
    );
    let count = |tracks: &Tracks| tracks.iter().map(|(_, units)| units.len()).sum::<usize>();
    let left = events
        .iter()
        .filter(|event| matches!(event, Event::Unit(_)))
        .count();
    assert_eq!(left, count(&whole) - 1);
    assert_eq!(demuxer.counts().damaged_units, 1);
}
