//! Cameras: GStreamer's RTSP server is pulled, in the codecs and by the transports that cameras use, and
//! comes back by itself whatever happens to it. `camera.py` is the camera.

use crate::support::media::{Seen, decode, decoding, packets, probe};
use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::path_of;
use std::process::Command;

/// The camera's pictures per second.
const RATE: f64 = 25.0;

/// Starts a camera and returns it with its port; port 0 takes a free one.
#[track_caller]
pub(crate) fn camera(port: u16, arguments: &[&str]) -> (Peer, u16) {
    // Debian's GStreamer is bound to Debian's Python, whatever else is in the path.
    let python = ["/usr/bin/python3".into(), path_of("python3")];
    let python = python.iter().find(|python| python.is_file()).unwrap();
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/camera.py"))
        .arg(port.to_string())
        .args(arguments);
    let camera = Peer::start(&mut command);
    let ready = camera.stdout.wait_for(seconds(20), |line| {
        line.strip_prefix("ready ")
            .and_then(|port| port.parse().ok())
    });
    let port = ready.unwrap_or_else(|| panic!("no camera: {}", camera.stderr.text()));
    (camera, port)
}

/// Has the server pull a URL into `LiveApp/cam`.
#[track_caller]
fn pull(server: &Server, url: &str) {
    let body =
        format!(r#"{{"type":"streamSource","name":"cam","streamId":"cam","streamUrl":"{url}"}}"#);
    let response = server.rest("POST", "/create?autoStart=true", &body);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["success"], true, "{}", response.text());
}

/// Decodes four seconds of the stream over HLS.
#[track_caller]
pub(crate) fn seen_over_hls(server: &Server) -> Seen {
    let url = server.url("/LiveApp/streams/cam.m3u8");
    let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(40));
    assert!(finished.status.success(), "{}", finished.stderr);
    Seen::of(&finished)
}

#[track_caller]
fn assert_pictures(seen: &Seen) {
    let moving = seen.distinct * 10 >= seen.pictures * 9;
    assert!(moving && (90..=115).contains(&seen.pictures), "{seen:?}");
}

#[test]
fn h264_and_aac_over_tcp() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
    seen_over_hls(&server).assert_about(4.0, RATE);
    let probed = probe(&server.rtmp_url("cam"), 3);
    let pictures = packets(&probed, "video");
    assert!(pictures.iter().any(|picture| picture.key));
    let orderly = pictures.windows(2).all(|pair| pair[0].dts < pair[1].dts);
    assert!(orderly && pictures.iter().all(|picture| picture.pts == picture.dts));
}

#[test]
fn h265_and_g711_over_tcp() {
    let (_camera, port) = camera(0, &["h265", "pcma"]);
    let server = Server::start();
    pull(
        &server,
        &format!("rtsp://127.0.0.1:{port}/cam#transport=tcp"),
    );
    server.wait_live("cam");
    assert_pictures(&seen_over_hls(&server));
    server.wait_log(seconds(5), &["left out of HLS", "PCMA"]);
}

#[test]
fn h264_and_g711_over_udp() {
    let (_camera, port) = camera(0, &["h264", "pcmu"]);
    let server = Server::start();
    pull(
        &server,
        &format!("rtsp://127.0.0.1:{port}/cam#transport=udp"),
    );
    server.wait_live("cam");
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
}

#[test]
fn b_frames_are_shown_at_their_times() {
    let (_camera, port) = camera(0, &["h264-b", "none"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    // What it learns from.
    std::thread::sleep(seconds(2));
    let probed = probe(&server.rtmp_url("cam"), 5);
    let mut packets = packets(&probed, "video");
    assert!(packets.iter().any(|packet| packet.pts > packet.dts));
    // The memory reaches back to what came before it had learnt.
    let all = packets.split_off(packets.len() / 2);
    assert!(
        all.windows(2).all(|pair| pair[0].dts < pair[1].dts),
        "{all:?}"
    );
    let mut shown: Vec<i64> = all.iter().map(|packet| packet.pts).collect();
    shown.sort_unstable();
    let steps: Vec<i64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // At both ends, pictures belong to others that are not there.
    let within = &steps[3..steps.len() - 3];
    let even = within.iter().all(|step| (38..=42).contains(step));
    assert!(even, "{steps:?}");
}

#[test]
fn a_stream_that_is_not_carried_is_left_out() {
    let (_camera, port) = camera(0, &["h264", "opus"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    server.wait_log(seconds(5), &["LiveApp/cam", "audio/opus"]);
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
}

#[test]
fn a_password_opens_the_camera_and_is_never_told() {
    a_password_opens("digest");
}

#[test]
fn a_camera_that_knows_basic_authentication_alone_is_opened_too() {
    a_password_opens("basic");
}

#[track_caller]
fn a_password_opens(scheme: &str) {
    let (_camera, port) = camera(0, &["h264", "none", "joe", "Se@cret", scheme]);
    let cases = [
        ("joe:Se%40cret@", None),
        (
            "joe:Wr0ngSe%40cret@",
            Some("refuses the user name or password"),
        ),
        ("", Some("asks for a user name and password")),
    ];
    for (login, refusal) in cases {
        let server = Server::start();
        pull(&server, &format!("rtsp://{login}127.0.0.1:{port}/cam"));
        match refusal {
            None => server.wait_live("cam"),
            Some(words) => {
                server.wait_log(seconds(10), &["source failed", words]);
                let status = server.broadcast("cam").unwrap()["status"].clone();
                assert_ne!(status, "broadcasting");
            }
        }
        let log = server.log.text();
        assert!(
            !log.contains("Se@cret") && !log.contains("Se%40cret"),
            "{log}"
        );
    }
}

#[test]
fn a_camera_is_waited_for_and_comes_back_after_a_power_cut() {
    // A port that is free now; the camera takes it later.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_log(seconds(10), &["source failed", "127.0.0.1"]);
    server.wait_status("cam", "preparing");
    let (first, _) = camera(port, &["h264", "aac"]);
    server.wait_live("cam");
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
    let failures = failures(&server);
    first.kill();
    wait_failures(&server, failures + 1);
    let (_second, _) = camera(port, &["h264", "aac"]);
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
}

#[test]
fn a_camera_that_falls_silent_is_connected_again() {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    camera.signal("STOP");
    server.wait_log(seconds(20), &["source failed", "sent nothing for 10 s"]);
    camera.signal("CONT");
    server.wait_status("cam", "broadcasting");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
}

fn failures(server: &Server) -> usize {
    server.log.text().matches("source failed").count()
}

#[track_caller]
fn wait_failures(server: &Server, count: usize) {
    crate::support::wait_until("the server notices", seconds(20), || {
        failures(server) >= count
    });
}
