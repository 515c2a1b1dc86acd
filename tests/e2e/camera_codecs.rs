//! Every codec that cameras send, from GStreamer's RTSP server over TCP and over UDP at once, and out again by RTSP, where
//! ffprobe decodes it.

use crate::support::camera::{camera, pull_as};
use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;
use serde_json::Value;

/// What ffprobe finds in two seconds: the codec of each stream, and how many frames it decoded.
#[track_caller]
fn found(url: &str) -> Vec<(String, u64)> {
    let mut ffprobe = tool("ffprobe");
    ffprobe
        .args([
            "-v",
            "error",
            "-of",
            "json",
            "-show_streams",
            "-count_frames",
        ])
        .args(["-rtsp_transport", "tcp", "-read_intervals", "%+2", url]);
    let finished = Peer::start(&mut ffprobe).finish(seconds(40));
    let probed: Value = serde_json::from_str(&finished.stdout).unwrap();
    let streams = probed["streams"]
        .as_array()
        .unwrap_or_else(|| panic!("{url}: {}", finished.stderr));
    let streams = streams.iter().map(|stream| {
        let frames = stream["nb_read_frames"]
            .as_str()
            .and_then(|frames| frames.parse().ok());
        let name = stream["codec_name"].as_str().unwrap_or_default();
        (name.to_owned(), frames.unwrap_or(0))
    });
    streams.collect()
}

#[track_caller]
fn comes_through(video: &str, audio: &str, codecs: &[(&str, u64)]) {
    let server = Server::start();
    for transport in ["tcp", "udp"] {
        // One for each: a second client ends GStreamer's server now and then.
        let (_camera, port) = camera(0, &[video, audio]);
        let url = format!("rtsp://127.0.0.1:{port}/cam#transport={transport}");
        pull_as(&server, transport, &url);
        server.wait_live(transport);
        let found = found(&server.rtsp_url(transport));
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<_> = codecs.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected, "over {transport}");
        for ((name, frames), (_, least)) in found.iter().zip(codecs) {
            assert!(
                frames >= least,
                "{frames} frames of {name} over {transport}"
            );
        }
    }
}

#[test]
fn h264_and_latm() {
    comes_through("h264", "latm", &[("h264", 30), ("aac", 50)]);
}

#[test]
fn h264_and_l16() {
    comes_through("h264", "l16", &[("h264", 30), ("pcm_s16be", 10)]);
}

#[test]
fn h264_and_mp3() {
    // So it calls MPEG audio of any layer.
    comes_through("h264", "mp3", &[("h264", 30), ("mp2", 40)]);
}

#[test]
fn h264_and_ac3() {
    comes_through("h264", "ac3", &[("h264", 30), ("ac3", 30)]);
}

#[test]
fn h265_and_opus() {
    comes_through("h265", "opus", &[("hevc", 30), ("opus", 50)]);
}

#[test]
fn vp8_and_pcmu() {
    comes_through("vp8", "pcmu", &[("vp8", 30), ("pcm_mulaw", 10)]);
}

#[test]
fn vp9_and_g722() {
    // The camera's encoder is slow on a machine that does other things.
    comes_through("vp9", "g722", &[("vp9", 10), ("adpcm_g722", 10)]);
}

#[test]
fn jpeg_and_g726() {
    comes_through("jpeg", "g726", &[("mjpeg", 30), ("adpcm_g726le", 5)]);
}

#[test]
fn a_transport_stream_is_taken_apart() {
    comes_through("ts", "none", &[("h264", 30), ("aac", 50)]);
}

#[test]
fn h264_and_klv() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klv");
    // One triplet: an identifier, a length, a value.
    let triplet = [&[0x06, 0x0e, 0x2b, 0x34][..], &[1; 12], &[4], b"data"].concat();
    std::fs::write(&file, triplet).unwrap();
    // It has no name for these data.
    comes_through(
        "h264",
        &format!("klv={}", file.display()),
        &[("h264", 30), ("", 0)],
    );
}
