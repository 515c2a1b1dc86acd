//! `millstream probe`: what is in a file or a source, as people and as programs read it.

use crate::support::clips::Clip;
use crate::support::frames::made;
use crate::support::media::publish;
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, program, seconds, wait_for};
use serde_json::Value;
use std::process::Output;

#[track_caller]
fn run(arguments: &[&str]) -> Output {
    let mut command = program::command();
    command.arg("probe").args(arguments);
    program::run_to_end(&mut command, seconds(40))
}

#[track_caller]
fn json(source: &str) -> Value {
    let output = run(&["--json", source]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{source}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn track<'a>(probed: &'a Value, kind: &str) -> &'a Value {
    let tracks = probed["tracks"].as_array().unwrap();
    let track = tracks.iter().find(|track| track["kind"] == kind);
    track.unwrap_or_else(|| panic!("no {kind} in {probed}"))
}

#[test]
fn a_file_is_described() {
    let file = made(
        "probed.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4 \
         -f lavfi -i sine=frequency=440:sample_rate=44100:duration=4 -pix_fmt yuv420p \
         -c:v libx264 -profile:v main -preset veryfast -bf 2 -g 50 -c:a aac",
    );
    let file = file.to_str().unwrap();
    let probed = json(file);
    assert_eq!(probed["container"], "MP4");
    assert_eq!(probed["problems"], serde_json::json!([]));
    let video = track(&probed, "video");
    assert_eq!(
        (&video["codec"], &video["width"]),
        (&"H264".into(), &320.into())
    );
    assert_eq!(video["profile"], "Main 1.3");
    assert_eq!(video["frameRate"], 25.0);
    assert_eq!(
        (&video["bFrames"], &video["gop"]["pictures"]),
        (&true.into(), &50.into())
    );
    assert_eq!(video["outputs"]["webrtc"]["carries"], false);
    let reason = video["outputs"]["webrtc"]["reason"].as_str().unwrap();
    assert!(reason.contains("B-frames"), "{reason}");
    assert_eq!(video["outputs"]["mpegts"]["carries"], true);
    let audio = track(&probed, "audio");
    assert_eq!(
        (&audio["codec"], &audio["profile"]),
        (&"AAC".into(), &"LC".into())
    );
    assert_eq!(audio["sampleRate"], 44_100);
    let output = run(&[file]);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "H264 Main 1.3, 320x240, 25 fps",
        "50 pictures (2 s); B-frames",
        "goes to",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn sources_of_every_protocol_are_described() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let nginx = Nginx::start();
    let mut sending = tool("ffmpeg");
    sending
        .args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"])
        .arg(Clip::Standard.file())
        .args(["-c", "copy", "-f", "flv", &nginx.url("cam")]);
    let _other = Peer::start(&mut sending);
    let udp = format!("udp://127.0.0.1:{}", free_port());
    let mut sending = tool("ffmpeg");
    sending
        .args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"])
        .arg(Clip::Standard.file())
        .args([
            "-c",
            "copy",
            "-f",
            "mpegts",
            &format!("{udp}?pkt_size=1316"),
        ]);
    let _datagrams = Peer::start(&mut sending);
    for url in [
        server.rtmp_url("cam"),
        server.rtsp_url("cam"),
        server.url("/LiveApp/streams/cam.flv"),
        nginx.url("cam"),
        udp,
    ] {
        // Who publishes elsewhere may need a moment.
        let probed = wait_for("an answer", seconds(40), || {
            let output = run(&["--json", &url]);
            let answered = output.status.success();
            answered.then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
        });
        let video = track(&probed, "video");
        assert_eq!(
            (&video["codec"], &video["width"]),
            (&"H264".into(), &640.into()),
            "{url}"
        );
        assert_eq!(video["bFrames"], false, "{url}");
        assert_eq!(track(&probed, "audio")["codec"], "AAC", "{url}");
    }
}

#[test]
fn what_cannot_be_described_is_told_in_a_line() {
    let nobody = format!("rtmp://127.0.0.1:{}/a/b", free_port());
    let silent = format!("udp://127.0.0.1:{}", free_port());
    for (arguments, code, expected) in [
        (&["/none.mp4"][..], 1, "No such file"),
        (&["gopher://a"], 2, "cannot be pulled from"),
        (&[&nobody], 1, "refused"),
        (&["--timeout", "1s", &silent], 1, "nothing came within 1s"),
    ] {
        let output = run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}
