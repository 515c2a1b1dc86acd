//! Clients of RTMP and HTTP-FLV with code of their own: librtmp and rtmpdump, VLC, and an ffmpeg that knows Enhanced
//! RTMP.

use crate::browser::watch;
use crate::hls::vlc;
use crate::support::clips::Clip;
use crate::support::media::{Seen, gstreamer_publishing, publish};
use crate::support::peer::Peer;
use crate::support::rtmp::Client;
use crate::support::server::Server;
use crate::support::tools::{newer_ffmpeg, tool};
use crate::support::{seconds, wait_until};
use flv::file::{TagKind, header, tag};
use rtmp::client::Event;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[test]
fn librtmp_publishes_and_rtmpdump_plays() {
    let server = Server::start();
    let location = format!("location={} live=1", server.rtmp_url("cam"));
    let mut publishing = gstreamer_publishing(&["rtmpsink", &location]);
    let publisher = Peer::start(&mut publishing);
    server.wait_live("cam");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cam.flv");
    let mut rtmpdump = tool("rtmpdump");
    rtmpdump
        .args([
            "--live",
            "--quiet",
            "--rtmp",
            &server.rtmp_url("cam"),
            "--subscribe",
            "cam",
        ])
        .args(["--pageUrl", "http://page/", "--flv"])
        .arg(&file);
    let player = Peer::start(&mut rtmpdump);
    wait_until("enough has been written", seconds(30), || {
        let written = file.metadata().is_ok_and(|file| file.len() > 100_000);
        written && Seen::of(&decoded(&file)).pictures > 50
    });
    player.signal("INT");
    player.finish(seconds(10));
    let seen = Seen::of(&decoded(&file));
    assert!(seen.distinct > 50 && seen.sound > 1.5, "{seen:?}");
    drop(publisher);
}

#[test]
fn vlc_plays_over_rtmp_and_http() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for url in [
        server.rtmp_url("cam"),
        server.url("/LiveApp/streams/cam.flv"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let finished = Peer::start(&mut vlc(folder.path(), &url, 6)).finish(seconds(60));
        let shown = std::fs::read_dir(folder.path()).unwrap().flatten();
        let shown = shown.filter(|file| {
            file.path()
                .extension()
                .is_some_and(|ending| ending == "png")
        });
        let shown = shown.count();
        assert!(shown > 2, "{url}: {shown} pictures\n{}", finished.stderr);
    }
}

/// Codecs of Enhanced RTMP, as one publishes and plays them who has an implementation of his own.
#[test]
fn a_newer_ffmpeg_publishes_and_plays_the_codecs_of_enhanced_rtmp() {
    for (name, codecs, four_ccs) in [
        (
            "hevc-opus",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -c:a libopus -ac 2",
            "hvc1,Opus",
        ),
        (
            "av1-flac",
            "-c:v libsvtav1 -preset 12 -g 25 -c:a flac -ac 2 -sample_fmt s16",
            "av01,fLaC",
        ),
        (
            "vp9-ac3",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 500k -c:a ac3 -ac 2",
            "vp09,ac-3",
        ),
        (
            "h264-eac3",
            "-c:v libx264 -preset ultrafast -g 25 -c:a eac3 -ac 6",
            "avc1,ec-3",
        ),
    ] {
        let server = Server::start();
        let file = clip(name, &format!("{PICTURE} {TONE} {codecs}"));
        let mut ffmpeg = publishing(&file);
        ffmpeg
            .args(["-rtmp_enhanced_codecs", four_ccs])
            .arg(server.rtmp_url("cam"));
        let mut publisher = Peer::start(&mut ffmpeg);
        server.wait_live("cam");
        for url in [
            server.rtmp_url("cam"),
            server.url("/LiveApp/streams/cam.flv"),
        ] {
            let finished = newer_decoding(&url, &["-t", "3"]);
            let seen = Seen::of(&finished);
            assert!(
                seen.distinct > 60 && (seen.sound - 3.0).abs() < 0.6,
                "{name} from {url}: {seen:?}\n{}",
                finished.stderr
            );
        }
        assert!(publisher.is_running(), "{}", publisher.stderr.text());
    }
}

/// AV1 and Opus in Enhanced FLV; Debian's Chromium decodes no H.265.
#[test]
fn mpegts_js_plays_av1_and_opus() {
    let server = Server::start();
    let codecs = "-c:v libaom-av1 -usage realtime -cpu-used 8 -b:v 300k -g 25 -c:a libopus -ac 2";
    let file = clip("av1-opus", &format!("{PICTURE} {TONE} {codecs}"));
    let mut ffmpeg = publishing(&file);
    ffmpeg
        .args(["-rtmp_enhanced_codecs", "av01,Opus"])
        .arg(server.rtmp_url("cam"));
    let _publisher = Peer::start(&mut ffmpeg);
    server.wait_live("cam");
    let source = server.url("/LiveApp/streams/cam.flv");
    watch(
        &server,
        "/healthz",
        &["--mpegts", &source, "--seconds", "4"],
    );
}

/// Two video and two audio tracks in one connection. All are there by RTSP, and by RTMP for who says that he reads
/// them; others get the first of each.
#[test]
fn tracks_beyond_the_first_are_taken_and_sent_on() {
    let (server, edge) = (Server::start(), Server::start());
    let tracks = format!(
        "{PICTURE} -f lavfi -i testsrc=size=160x90:rate=25 {TONE} -f lavfi -i sine=frequency=880:sample_rate=48000 \
         -map 0 -map 1 -map 2 -map 3 -c:v libx264 -preset ultrafast -g 25 -bf 0 -c:a aac"
    );
    let file = clip("multitrack", &tracks);
    let mut ffmpeg = publishing(&file);
    let _publisher = Peer::start(ffmpeg.arg(server.rtmp_url("cam")));
    server.wait_live("cam");
    wait_until("all tracks are there", seconds(20), || {
        count(&server.rtsp_url("cam")) == 4
    });
    assert_eq!(count(&server.rtmp_url("cam")), 2);
    let body = serde_json::json!({
        "type": "streamSource", "streamId": "edge", "streamUrl": server.rtmp_url("cam"),
    });
    edge.rest("POST", "/create?autoStart=true", &body.to_string());
    edge.wait_live("edge");
    wait_until("all tracks are there", seconds(20), || {
        count(&edge.rtsp_url("edge")) == 4
    });

    // The bytes of our connection as a file, read by ffmpeg.
    let (mut client, _) = Client::play(server.rtmp, "LiveApp", "cam");
    let mut bytes = header(true, true).to_vec();
    let deadline = Instant::now() + seconds(20);
    let (mut first, mut last) = (None, 0);
    while first.is_none_or(|first| last < first + 3_000) {
        let (kind, time, body) = match client.next(deadline).unwrap().expect("media in time") {
            Event::Video { timestamp, payload } => (TagKind::Video, timestamp, payload),
            Event::Audio { timestamp, payload } => (TagKind::Audio, timestamp, payload),
            _ => continue,
        };
        if time > 0 {
            first.get_or_insert(time);
        }
        last = last.max(time);
        let tag = tag(kind, time, &[], body).unwrap();
        bytes.extend_from_slice(tag.head());
        bytes.extend_from_slice(tag.payload());
        bytes.extend_from_slice(tag.trailer());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tracks.flv");
    std::fs::write(&file, bytes).unwrap();
    let finished = newer_decoding(&file.to_string_lossy(), &[]);
    for stream in 0..4 {
        let frames = finished.stdout.lines();
        let frames = frames.filter(|line| line.starts_with(&format!("{stream},")));
        let frames = frames.count();
        assert!(
            frames > 40,
            "track {stream}: {frames} frames\n{}",
            finished.stderr
        );
    }
}

/// How many tracks ffprobe finds.
#[track_caller]
fn count(url: &str) -> usize {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args([
        "-v",
        "error",
        "-show_entries",
        "stream=index",
        "-of",
        "csv=p=0",
    ]);
    if url.starts_with("rtsp:") {
        ffprobe.args(["-rtsp_transport", "tcp"]);
    }
    let finished = Peer::start(ffprobe.arg(url)).finish(seconds(40));
    finished.stdout.lines().count()
}

pub(crate) const PICTURE: &str = "-f lavfi -i testsrc2=size=320x180:rate=25";
pub(crate) const TONE: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000";

/// Six seconds, made by the newer ffmpeg and kept in the build folder; MP4, because ffmpeg begins some FLV not again.
pub(crate) fn clip(name: &str, arguments: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("clip-enhanced-2-{name}.mp4"));
    if !file.is_file() {
        let unfinished = folder.join(format!("{name}-{}.tmp", std::process::id()));
        let mut ffmpeg = newer_ffmpeg();
        ffmpeg
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments.split_whitespace())
            .args(["-t", "6", "-pix_fmt", "yuv420p", "-f", "mp4"])
            .arg(&unfinished);
        let made = Peer::start(&mut ffmpeg).finish(seconds(120));
        assert!(made.status.success(), "{}", made.stderr);
        std::fs::rename(unfinished, &file).unwrap();
    }
    file
}

/// The newer ffmpeg publishing all tracks of a file without end; the URL comes last.
pub(crate) fn publishing(file: &Path) -> std::process::Command {
    let mut ffmpeg = newer_ffmpeg();
    ffmpeg
        .args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"])
        .arg(file)
        .args(["-map", "0", "-c", "copy", "-f", "flv"])
        .args(["-flvflags", "no_duration_filesize"]);
    ffmpeg
}

/// What the newer ffmpeg makes of a URL or file.
#[track_caller]
pub(crate) fn newer_decoding(url: &str, length: &[&str]) -> crate::support::peer::Finished {
    let mut ffmpeg = newer_ffmpeg();
    ffmpeg
        .args(["-nostdin", "-v", "warning", "-i", url])
        .args(length)
        .args(["-map", "0", "-f", "framecrc", "-"]);
    let finished = Peer::start(&mut ffmpeg).finish(seconds(60));
    assert!(finished.status.success(), "{}", finished.stderr);
    finished
}

#[track_caller]
fn decoded(file: &Path) -> crate::support::peer::Finished {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "fatal", "-i"])
        .arg(file)
        .args(["-map", "0", "-f", "framecrc", "-"]);
    Peer::start(&mut ffmpeg).finish(seconds(30))
}
