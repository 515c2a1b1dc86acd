//! Streams pulled over HTTP: what an answer is, is told by its content, whatever its server calls it.

use crate::support::camera::pull;
use crate::support::clips::Clip;
use crate::support::media::{decode, probe, publish, stream};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, seconds};
use std::path::Path;

/// ffmpeg as a server of two programs, numbers 3 and 9, to whoever comes first.
fn two_programs(port: u16) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-hide_banner", "-v", "error"]);
    let mut input = |clip: &Path| {
        ffmpeg.args(["-re", "-stream_loop", "-1", "-i"]).arg(clip);
    };
    input(&Clip::Standard.file());
    input(&crate::support::frames::made(
        "small.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0",
    ));
    ffmpeg
        .args(["-map", "0:v", "-map", "0:a", "-map", "1:v", "-c", "copy"])
        .args(["-program", "program_num=3:st=0:st=1"])
        .args(["-program", "program_num=9:st=2"])
        .args(["-f", "mpegts", "-listen", "1"])
        .arg(format!("http://127.0.0.1:{port}/"));
    Peer::start(&mut ffmpeg)
}

#[test]
fn a_transport_stream_is_pulled_from_a_server_and_on_from_ours() {
    let (first, second) = (Server::start(), Server::start());
    let port = free_port();
    let _sender = two_programs(port);
    pull(&first, &format!("http://127.0.0.1:{port}/#program=3"));
    first.wait_live("cam");
    pull(&second, &first.url("/LiveApp/streams/cam.live.ts"));
    second.wait_live("cam");
    decode(&second.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
}

#[test]
fn another_program_is_chosen_by_its_number() {
    let server = Server::start();
    let port = free_port();
    let _sender = two_programs(port);
    pull(&server, &format!("http://127.0.0.1:{port}/#program=9"));
    server.wait_live("cam");
    let probed = probe(&server.rtmp_url("cam"), 1);
    assert_eq!(stream(&probed, "video")["width"], 320);
}

#[test]
fn what_cannot_be_pulled_is_told() {
    let (first, second) = (Server::start(), Server::start());
    let _publisher = publish(&first, "cam", Clip::Standard);
    for (path, words) in [
        ("/healthz", "neither FLV nor MPEG-TS"),
        ("/LiveApp/streams/none.flv", "404"),
        (
            "/LiveApp/streams/cam.flv#speed=3",
            "known are program, tls_verify",
        ),
    ] {
        pull(&second, &first.url(path));
        second.wait_log(seconds(20), &[words]);
        second.rest("DELETE", "/cam", "");
    }
}
