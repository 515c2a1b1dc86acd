//! `millstream remux`: every format of files to every other, nothing lost, as ffmpeg reads both.

use crate::support::clips::Clip;
use crate::support::frames::{Codecs, assert_alike, frames, made};
use crate::support::media::{decode, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, program, seconds, wait_until};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

const AVC: Codecs = Codecs {
    video: "h264",
    audio: "aac",
};
const HEVC: Codecs = Codecs {
    video: "hevc",
    audio: "aac",
};
const AV1: Codecs = Codecs {
    video: "av1",
    audio: "opus",
};
const AVC_OPUS: Codecs = Codecs {
    video: "h264",
    audio: "opus",
};

/// A picture and a tone of three seconds.
const SIGNAL: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=3 \
    -f lavfi -i sine=frequency=440:sample_rate=48000:duration=3 -pix_fmt yuv420p";
const X264: &str = "-c:v libx264 -preset ultrafast -g 25";

#[track_caller]
fn remux<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    let mut command = program::command();
    command.arg("remux").args(arguments);
    let output = program::run_to_end(&mut command, seconds(60));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{errors}");
    output
}

fn text(output: &Output) -> String {
    let (out, errors) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(errors)
}

/// Copies all of it.
#[track_caller]
fn copy(from: &Path, to: &Path) {
    let output = remux([from, to]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// Copies `from` to each of these formats, and compares what ffmpeg reads of both. FLV with what this ffmpeg does not
/// read in it is copied once more, to what it does.
#[track_caller]
fn to_all(from: &Path, codecs: Codecs, endings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for ending in endings {
        let to = folder.path().join(format!("out.{ending}"));
        copy(from, &to);
        let rounding = if *ending == "flv" { 0.001 } else { 0.0 };
        if *ending == "flv" && codecs != AVC {
            let again = folder.path().join("again.mp4");
            copy(&to, &again);
            assert_alike(from, &again, codecs, rounding);
        } else {
            assert_alike(from, &to, codecs, rounding);
        }
        if *ending == "mp4" {
            // The index stands in front.
            let head = std::fs::read(&to).unwrap();
            let place = |kind: &[u8]| head.windows(4).position(|window| window == kind);
            assert!(place(b"moov").unwrap() < place(b"mdat").unwrap());
        }
    }
}

/// The same clip in these formats, as ffmpeg writes them.
fn formats(name: &str, arguments: &str, endings: &[(&str, &str)]) -> Vec<PathBuf> {
    let first = made(&format!("{name}.mp4"), &format!("{SIGNAL} {arguments}"));
    let source = first.display();
    let others = endings.iter().map(|(ending, options)| {
        made(
            &format!("{name}{ending}"),
            &format!("-i {source} -c copy {options}"),
        )
    });
    std::iter::once(first.clone()).chain(others).collect()
}

const ALL: &[&str] = &["ts", "flv", "mp4", "m4s", "m3u8"];
const FRAGMENTED: (&str, &str) = (
    "-fragmented.mp4",
    "-movflags frag_keyframe+empty_moov+default_base_moof",
);
/// Offsets from the start of the file, and decoding times behind presentation times made up for.
const OLD_FRAGMENTS: (&str, &str) = (
    "-old-fragments.mp4",
    "-movflags frag_keyframe+negative_cts_offsets -use_editlist 0",
);

#[test]
fn h264_and_aac_go_everywhere() {
    let made = formats(
        "avc",
        &format!("{X264} -bf 0 -c:a aac"),
        &[(".ts", ""), (".flv", ""), FRAGMENTED],
    );
    for from in made {
        to_all(&from, AVC, ALL);
    }
}

#[test]
fn b_frames_keep_their_order() {
    let made = formats(
        "avc-b",
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -c:a aac",
        &[(".ts", ""), (".flv", ""), FRAGMENTED],
    );
    for from in &made {
        to_all(from, AVC, ALL);
    }
    // Packets of 192 bytes, as Blu-ray has them, where ffmpeg has no type for AAC.
    let long = formats(
        "avc-b-ac3",
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -c:a ac3",
        &[("-192.ts", "-f mpegts -mpegts_m2ts_mode 1")],
    );
    let codecs = Codecs {
        audio: "ac3",
        ..AVC
    };
    to_all(&long[1], codecs, &["ts", "mp4"]);
    // ffmpeg itself reads other times there: those of its index it takes to be late, those of its fragments not. Without
    // an edit list its sound is late by what the encoder puts in front.
    let old = formats("avc-b", "", &[OLD_FRAGMENTS]);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.mp4");
    copy(&old[1], &to);
    let codecs = Codecs { audio: "", ..AVC };
    assert_alike(&made[0], &to, codecs, 0.0);
}

#[test]
fn h265_goes_everywhere() {
    let made = formats(
        "hevc",
        "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25 -tag:v hvc1 -c:a aac",
        &[(".ts", ""), FRAGMENTED],
    );
    for from in made {
        to_all(&from, HEVC, ALL);
    }
}

#[test]
fn av1_goes_where_there_is_a_mapping() {
    let made = formats(
        "av1",
        "-c:v libaom-av1 -cpu-used 8 -g 25 -c:a libopus",
        &[FRAGMENTED],
    );
    for from in &made {
        to_all(from, AV1, &["flv", "mp4", "m4s", "m3u8"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.ts");
    let output = remux([&made[0], &to]);
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output);
    assert!(
        words.contains("AV1 cannot be carried in MPEG-TS"),
        "{words}"
    );
    assert!(!to.exists());
}

#[test]
fn opus_goes_everywhere() {
    let made = formats(
        "opus",
        &format!("{X264} -bf 0 -c:a libopus"),
        &[(".ts", ""), FRAGMENTED],
    );
    for from in made {
        to_all(&from, AVC_OPUS, ALL);
    }
}

#[test]
fn other_sound_is_kept_in_mp4() {
    for (codec, options) in [
        ("ac3", "-c:a ac3"),
        ("eac3", "-c:a eac3"),
        ("mp3", "-c:a libmp3lame"),
        ("flac", "-c:a flac -strict -2"),
    ] {
        let from = made(
            &format!("sound-{codec}.mp4"),
            &format!("{SIGNAL} {X264} -bf 0 {options}"),
        );
        let codecs = Codecs {
            video: "h264",
            audio: codec,
        };
        to_all(&from, codecs, &["mp4", "m4s"]);
    }
    let vp9 = made(
        "vp9.mp4",
        &format!("{SIGNAL} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a aac"),
    );
    let codecs = Codecs {
        video: "vp9",
        audio: "aac",
    };
    to_all(&vp9, codecs, &["mp4", "m4s"]);
}

#[test]
fn data_goes_with_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (from, to) = (path("klv.ts"), path("out.ts"));
    let mut gst = tool("gst-launch-1.0");
    let pipeline = format!(
        "mpegtsmux name=mux ! filesink location={} \
         videotestsrc num-buffers=75 ! video/x-raw,framerate=25/1,width=320,height=240 \
         ! x264enc tune=zerolatency key-int-max=25 ! mux. \
         fakesrc num-buffers=3 sizetype=fixed sizemax=64 filltype=pattern format=time datarate=64 \
         ! meta/x-klv,parsed=true ! mux.",
        from.display()
    );
    gst.arg("--quiet").args(pipeline.split_whitespace());
    Peer::start(&mut gst)
        .finish(seconds(40))
        .without_complaint();
    copy(&from, &to);
    let codecs = Codecs {
        video: "h264",
        audio: "",
    };
    assert_alike(&from, &to, codecs, 0.0);
    let (before, after) = (frames(&from, "d", "klv").0, frames(&to, "d", "klv").0);
    assert_eq!((before.len(), after.len()), (3, 3));
    let moved = after[0].pts - before[0].pts;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.hash, after.hash);
        assert!((after.pts - before.pts - moved).abs() < 1e-4, "{after:?}");
    }
    // What has no place for it says so.
    let output = remux([&from, &path("out.flv")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("(KLV) is left out, 3 access units"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_recording_with_a_gap_keeps_it() {
    let from = made(
        "gap.mp4",
        &format!(
            "{SIGNAL} {X264} -bf 0 -c:a aac -vf setpts=PTS+gte(N\\,40)*30/TB -af asetpts=PTS+gte(N\\,70)*30/TB -vsync passthrough"
        ),
    );
    to_all(&from, AVC, ALL);
}

#[test]
fn damaged_files_give_what_they_have() {
    let made = formats(
        "avc-b",
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -c:a aac",
        &[
            (".ts", ""),
            (".flv", ""),
            FRAGMENTED,
            ("-faststart.mp4", "-movflags faststart"),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let damaged = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let to = folder.path().join("out.ts");
    let copied = |from: &Path, expected: &str| {
        let output = remux([from, &to]);
        let words = text(&output);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(expected), "{words}");
        frames(&to, "v", "h264").0.len()
    };
    // Cut off in the middle.
    for (file, expected) in made[1..]
        .iter()
        .zip(["", "cut off within", "cut off", "cut off"])
    {
        let bytes = std::fs::read(file).unwrap();
        let name = format!("cut-{}", file.file_name().unwrap().display());
        let cut = damaged(&name, &bytes[..bytes.len() / 2 + 7]);
        let pictures = copied(&cut, expected);
        assert!((20..75).contains(&pictures), "{name}: {pictures}");
    }
    // Packets missing, and noise in their place.
    let mut bytes = std::fs::read(&made[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3_000].fill(0x55);
    let pictures = copied(&damaged("noise.ts", &bytes), "lost:");
    assert!((40..75).contains(&pictures), "{pictures}");
    // The index lies about where the samples are.
    let mut bytes = std::fs::read(&made[4]).unwrap();
    let table = bytes
        .windows(4)
        .position(|window| window == b"stco")
        .unwrap();
    bytes[table + 12] = 0x7f;
    let pictures = copied(&damaged("lies.mp4", &bytes), "behind the end of the file");
    assert!((1..76).contains(&pictures), "{pictures}");
}

#[test]
fn what_cannot_be_used_is_told_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let avc = made("avc.mp4", &format!("{SIGNAL} {X264} -bf 0 -c:a aac"));
    let avc = avc.to_str().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("text.ts"), "some words").unwrap();
    std::fs::write(path("list.ts"), "#EXTM3U\n").unwrap();
    std::fs::create_dir(path("list")).unwrap();
    let input = path("list/0.m4s");
    std::fs::copy(avc, &input).unwrap();
    for (from, to, code, expected) in [
        (avc, &*path("a.mkv"), 2, "none of .ts, .flv, .mp4, .m4s"),
        (&input, &path("list.m3u8"), 2, "where its segments would be"),
        (avc, avc, 2, "it is the input"),
        (avc, "gopher://a/b", 2, "cannot be pushed to"),
        ("gopher://a/b", &path("a.ts"), 2, "cannot be pulled from"),
        (&path("none.ts"), &path("a.ts"), 1, "No such file"),
        (
            &path("text.ts"),
            &path("a.ts"),
            1,
            "no MPEG transport stream",
        ),
        (&path("list.ts"), &path("a.ts"), 1, "playlist"),
        (avc, &path("none/a.ts"), 1, "No such file"),
    ] {
        let output = remux([from, to]);
        let words = text(&output);
        assert_eq!(output.status.code(), Some(code), "{from} {to}: {words}");
        assert!(words.contains(expected), "{from} {to}: {words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
    let output = remux(["--duration", "soon", avc, "a.ts"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn playlists_and_their_segments_are_read_whole() {
    const B_FRAMES: &str = "-c:v libx264 -preset veryfast -g 25 -bf 3 -c:a aac";
    let hls = "-f hls -hls_time 1 -hls_list_size 0";
    let fmp4 = format!("{hls} -hls_segment_type fmp4 -hls_fmp4_init_filename fmp4-init.mp4");
    let made = formats(
        "avc-b",
        B_FRAMES,
        &[
            ("-ts.m3u8", hls),
            ("-fmp4.m3u8", &fmp4),
            ("-ranges.m3u8", &format!("{hls} -hls_flags single_file")),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    // It does not say that it is over, and packets are counted anew in each segment.
    let open = folder.path().join("open.m3u8");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(&made[0]);
    ffmpeg.args(
        "-c copy -f segment -segment_time 1 -segment_list_flags live -segment_list".split(' '),
    );
    ffmpeg.arg(&open).arg(folder.path().join("open%d.ts"));
    Peer::start(&mut ffmpeg)
        .finish(seconds(30))
        .without_complaint();
    for from in made[1..].iter().chain([&open]) {
        for ending in ["mp4", "m3u8"] {
            let to = folder.path().join(format!("out.{ending}"));
            copy(from, &to);
            // The edit lists of ffmpeg's fragments count milliseconds.
            assert_alike(&made[0], &to, AVC, 0.001);
        }
    }
    // What was written is read again.
    let (written, to) = (folder.path().join("out.m3u8"), folder.path().join("out.ts"));
    copy(&written, &to);
    assert_alike(&made[0], &to, AVC, 0.001);
    let playlist = std::fs::read_to_string(&written).unwrap();
    assert!(playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
    // Without one of its segments it is not whole.
    std::fs::remove_file(folder.path().join("out/0.m4s")).unwrap();
    let output = remux([&written, &folder.path().join("rest.mp4")]);
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output);
    assert!(words.contains("out/0.m4s: No such file"), "{words}");
}

#[test]
fn pictures_of_another_size_are_a_discontinuity_of_the_playlist() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n".to_owned();
    for (size, name) in [("320x240", "small"), ("640x360", "large")] {
        let from = made(
            &format!("{name}.ts"),
            &format!("{} {X264} -bf 0 -c:a aac", SIGNAL.replace("320x240", size)),
        );
        std::fs::copy(from, path(&format!("{name}.ts"))).unwrap();
        list += &format!("#EXT-X-DISCONTINUITY\n#EXTINF:3,\n{name}.ts\n");
    }
    std::fs::write(path("both.m3u8"), list + "#EXT-X-ENDLIST\n").unwrap();
    let to = path("out.m3u8");
    copy(&path("both.m3u8"), &to);
    let playlist = std::fs::read_to_string(&to).unwrap();
    assert_eq!(playlist.matches("#EXT-X-MAP").count(), 2, "{playlist}");
    assert_eq!(
        playlist.matches("#EXT-X-DISCONTINUITY\n").count(),
        1,
        "{playlist}"
    );
    // ffmpeg keeps to the first initialisation section of a playlist, so it reads what is copied on.
    let back = path("back.ts");
    copy(&to, &back);
    decode(back.to_str().unwrap(), 6).assert_about(6.0, 25.0);
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "debug", "-i"]).arg(&back);
    ffmpeg.args(["-an", "-f", "null", "-"]);
    let output = program::run_to_end(&mut ffmpeg, seconds(30));
    let errors = String::from_utf8_lossy(&output.stderr);
    for size in ["320x240", "640x360"] {
        assert!(errors.contains(size), "{size}: {errors}");
    }
    assert_eq!(frames(&back, "v", "h264").0.len(), 150);
}

#[test]
fn a_duration_is_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let from = made("avc.mp4", &format!("{SIGNAL} {X264} -bf 0 -c:a aac"));
    let to = folder.path().join("out.mp4");
    let output = remux([Path::new("--duration"), Path::new("1s"), &from, &to]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(frames(&to, "v", "h264").0.len(), 25);
    assert!((46..=48).contains(&frames(&to, "a", "aac").0.len()));
}

#[test]
fn streams_are_copied_between_servers_and_files() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let folder = tempfile::tempdir().unwrap();
    for (number, url) in [
        server.rtmp_url("cam"),
        server.rtsp_url("cam"),
        server.url("/LiveApp/streams/cam.flv"),
    ]
    .into_iter()
    .enumerate()
    {
        let to = folder.path().join(format!("{number}.mp4"));
        let output = remux([
            OsStr::new("--duration"),
            OsStr::new("3s"),
            OsStr::new(&url),
            to.as_os_str(),
        ]);
        assert_eq!(output.status.code(), Some(0), "{url}: {}", text(&output));
        decode(to.to_str().unwrap(), 2).assert_about(2.0, 30.0);
    }
    // From a file to a server, at the speed of its times.
    let mut command = program::command();
    command
        .args(["remux", "--realtime"])
        .arg(Clip::Standard.file());
    command.arg(server.rtmp_url("file"));
    let sender = Peer::start(&mut command);
    server.wait_live("file");
    decode(&server.rtmp_url("file"), 2).assert_about(2.0, 30.0);
    drop(sender);
}

#[test]
fn a_file_is_sent_as_datagrams_without_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let from = made("avc.mp4", &format!("{SIGNAL} {X264} -bf 0 -c:a aac"));
    let to = folder.path().join("received.ts");
    let url = format!("udp://127.0.0.1:{}", free_port());
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args([
        "-nostdin",
        "-v",
        "error",
        "-i",
        &format!("{url}?timeout=5000000"),
    ]);
    ffmpeg.args(["-t", "2", "-c", "copy"]).arg(&to);
    let receiver = Peer::start(&mut ffmpeg);
    wait_until("the receiver has enough", seconds(40), || {
        let output = remux([from.as_os_str(), OsStr::new(&url)]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        to.metadata().is_ok_and(|about| about.len() > 20_000)
    });
    drop(receiver);
}

#[test]
fn an_interrupted_copy_is_a_whole_file() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.mp4");
    let mut command = program::command();
    command.args(["remux", &server.rtmp_url("cam")]).arg(&to);
    let copying = Peer::start(&mut command);
    let media = folder.path().join("out.mp4.part");
    wait_until("media is written", seconds(20), || {
        media.metadata().is_ok_and(|about| about.len() > 1_000_000)
    });
    copying.signal("INT");
    let finished = copying.finish(seconds(10));
    assert!(
        finished.stdout.contains("interrupted"),
        "{}",
        finished.stdout
    );
    assert!(!media.exists());
    decode(to.to_str().unwrap(), 2).assert_about(2.0, 30.0);
}

/// Files of others, where there are some.
#[test]
fn recorded_streams_survive_a_copy() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        eprintln!("MILLSTREAM_CORPUS is not set: no recorded streams are copied");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut copied = 0;
    for name in ["codec", "mp4", "hls", "dash", "av"] {
        for file in files_below(&Path::new(&corpus).join(name)) {
            let ending = file.extension().and_then(OsStr::to_str);
            if !matches!(ending, Some("ts" | "mp4" | "m4s" | "flv")) {
                continue;
            }
            let to = folder.path().join("out.mp4");
            let output = remux([&file, &to]);
            let words = text(&output);
            // What is no whole file of a stream is told so, and ends the copy alone.
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "{file:?}: {words}");
            if code == Some(0) {
                copied += 1;
                let again = folder.path().join("again.m4s");
                copy(&to, &again);
            }
        }
    }
    assert!(copied > 0, "nothing of the corpus could be copied");
}

/// All files in a folder and those in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
