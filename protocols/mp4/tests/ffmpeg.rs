//! What other people's software makes of our files: ffmpeg encodes, we carry it over FLV, or out of ffmpeg's
//! own fragments where FLV cannot hold it, into fragments of ours; ffprobe counts and ffmpeg decodes. Both
//! tools have to be there.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use flv::demuxer::{Demuxer, Event};
use flv::file::{Reader, TagKind};
use media::codec::{h265, opus};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use mp4::fragment::{self, Run, Sample};
use mp4_atom::{Any, Atom, DecodeMaybe, Moov, Traf, Trak};
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
    decoded_with(&[], path, stream)
}

/// The same with options for the file.
fn decoded_with(options: &[&str], path: &Path, stream: &str) -> String {
    let path = path.to_str().unwrap();
    let arguments = [&["-v", "error"], options, &["-i", path, "-map", stream]].concat();
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

/// Two seconds of moving pictures and of sound by these encoders, as fragments.
fn encode_fragments(video: &str, audio: &str) -> Vec<u8> {
    let arguments = format!(
        "-v error -f lavfi -i testsrc2=size=318x178:rate=25:duration=2 \
        -f lavfi -i sine=frequency=440:sample_rate=48000:duration=2 -ac 2 \
        -c:v {video} -pix_fmt yuv420p -c:a {audio} -b:a 64k \
        -f mp4 -movflags +frag_keyframe+delay_moov+default_base_moof pipe:1"
    );
    run("ffmpeg", &arguments.split_whitespace().collect::<Vec<_>>())
}

/// The tracks and access units of fragments, as another implementation reads them.
fn demux_fragments(file: &[u8]) -> Vec<(Track, Vec<AccessUnit>)> {
    let mut rest = file;
    let mut tracks: Vec<(Track, Vec<AccessUnit>)> = Vec::new();
    loop {
        let start = file.len() - rest.len();
        match Any::decode_maybe(&mut rest).unwrap() {
            Some(Any::Moov(Moov { trak, .. })) => {
                tracks = trak.iter().map(|trak| (track(trak), Vec::new())).collect();
            }
            Some(Any::Moof(moof)) => {
                for traf in &moof.traf {
                    let (track, found) = &mut tracks[traf.tfhd.track_id as usize - 1];
                    found.extend(units(track, traf, &file[start..]));
                }
            }
            Some(_) => {}
            None => return tracks,
        }
    }
}

fn track(trak: &Trak) -> Track {
    let mut content = Vec::new();
    let codec = match &trak.mdia.minf.stbl.stsd.codecs[0] {
        mp4_atom::Codec::Hvc1(hvc1) => {
            hvc1.hvcc.encode_body(&mut content).unwrap();
            let (config, length_size) = h265::Config::parse_hvcc(&content.into()).unwrap();
            assert_eq!(length_size, 4);
            Codec::H265(config)
        }
        mp4_atom::Codec::Opus(opus) => {
            opus.dops.encode_body(&mut content).unwrap();
            Codec::Opus(opus::Config::parse_dops(&content).unwrap())
        }
        mp4_atom::Codec::Mp4a(mp4a) => {
            let specific = mp4a.esds.es_desc.dec_config.dec_specific.as_ref().unwrap();
            let config = media::codec::aac::Config::parse(&specific.raw.clone().into());
            Codec::Aac(config.unwrap())
        }
        other => panic!("{other:?}"),
    };
    Track {
        id: TrackId(u16::try_from(trak.tkhd.track_id - 1).unwrap()),
        codec,
        timebase: Timebase::new(trak.mdia.mdhd.timescale).unwrap(),
    }
}

/// The access units of one track in the fragment that begins with `moof`.
fn units(track: &Track, traf: &Traf, moof: &[u8]) -> Vec<AccessUnit> {
    let mut dts = i64::try_from(traf.tfdt.as_ref().unwrap().base_media_decode_time).unwrap();
    let mut units = Vec::new();
    for trun in &traf.trun {
        let mut at = usize::try_from(trun.data_offset.unwrap()).unwrap();
        for sample in trun.samples.iter() {
            let value = |own: Option<u32>, default: Option<u32>| own.or(default).unwrap();
            let size = value(sample.size, traf.tfhd.default_sample_size) as usize;
            let flags = value(sample.flags, traf.tfhd.default_sample_flags);
            let mut unit = AccessUnit {
                track: track.id,
                dts,
                pts: dts + sample.cts.unwrap_or(0),
                random_access: flags & 0x1_0000 == 0,
                disposable: false,
                discontinuity: false,
                capture: None,
                payload: moof[at..at + size].to_vec().into(),
            };
            inspect(track, &mut unit);
            units.push(unit);
            at += size;
            dts += i64::from(value(sample.duration, traf.tfhd.default_sample_duration));
        }
    }
    units
}

/// What we know of a unit ourselves has to be what the encoder's muxer knew.
fn inspect(track: &Track, unit: &mut AccessUnit) {
    match &track.codec {
        Codec::H265(config) => {
            let picture = h265::Picture::inspect(&unit.payload).unwrap();
            assert!(picture.has_slice);
            assert_eq!(picture.random_access, unit.random_access);
            unit.disposable = picture.disposable(&config.video);
        }
        // libopus makes packets of 20 ms.
        Codec::Opus(_) => assert_eq!(opus::duration(&unit.payload), Some(960)),
        _ => {}
    }
}

/// H.265 with B-frames and leading pictures, as `hvc1`.
const X265: &str = "libx265 -preset ultrafast -tag:v hvc1 \
    -x265-params log-level=none:bframes=3:b-adapt=0:open-gop=1:keyint=24:min-keyint=24:pools=1";

#[test]
fn h265_and_opus_are_read_and_decoded_as_what_went_in() {
    // With what comes before the first sample in an edit list, which a live stream does not have.
    let whole = ["-ignore_editlist", "1"];
    for (audio, name) in [("aac", "aac"), ("libopus", "opus")] {
        let source = encode_fragments(X265, audio);
        let original = write(&format!("original-{name}.mp4"), &source);
        let tracks = demux_fragments(&source);
        let video = &tracks[0].1;
        assert_eq!(video.iter().filter(|unit| unit.random_access).count(), 3);
        assert!(video.iter().any(|unit| unit.disposable), "no B-frames");
        let leading = |unit: &AccessUnit| h265::Picture::inspect(&unit.payload).unwrap().leading;
        assert!(
            video.iter().filter_map(leading).count() > 0,
            "no leading pictures"
        );

        let file = write(&format!("h265-{name}.mp4"), &mux(&tracks));
        assert_eq!(packets(&file), packets(&original));
        assert_eq!(packets(&file)[0], ("hevc".to_owned(), 50));
        assert_eq!(packets(&file)[1].0, name);
        for stream in ["0:v", "0:a"] {
            assert_eq!(
                decoded_with(&whole, &file, stream),
                decoded_with(&whole, &original, stream),
                "{name} {stream}"
            );
        }
        // Each track alone, as HLS has them.
        for (track, stream) in tracks.iter().zip(["0:v", "0:a"]) {
            let alone = mux(std::slice::from_ref(track));
            let alone = write(&format!("h265-{name}-{}.mp4", track.0.id.0), &alone);
            assert_eq!(
                decoded_with(&whole, &alone, stream),
                decoded_with(&whole, &original, stream),
                "{name} {stream}"
            );
        }
    }
}

#[test]
fn dropping_what_is_disposable_leaves_the_other_pictures_as_they_were() {
    let frames = |path: &Path| -> Vec<String> {
        let path = path.to_str().unwrap();
        let arguments = ["-v", "error", "-i", path, "-map", "0:v"];
        let output = ["-fps_mode", "passthrough", "-f", "framemd5", "pipe:1"];
        let text = String::from_utf8(run("ffmpeg", &[&arguments[..], &output].concat())).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
            .collect()
    };
    let source = encode_fragments(X265, "aac");
    let (track, mut units) = demux_fragments(&source).swap_remove(0);
    let whole = write("whole.mp4", &mux(&[(track.clone(), units.clone())]));
    let whole = frames(&whole);
    units.retain(|unit| !unit.disposable);
    let dropped = whole.len() - units.len();
    assert!(dropped > 10, "{dropped}");
    let kept = write("kept.mp4", &mux(&[(track, units)]));
    let kept = frames(&kept);
    assert_eq!(kept.len() + dropped, whole.len());
    let mut all = whole.iter();
    assert!(kept.iter().all(|frame| all.any(|found| found == frame)));
}
