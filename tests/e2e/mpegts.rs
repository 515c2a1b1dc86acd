//! MPEG transport streams: pulled over UDP and TCP, pushed on, and watched over HTTP, with ffmpeg and GStreamer at the
//! far end.

use crate::support::camera::pull;
use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::{free_udp_port, is_bound};
use crate::support::tools::tool;
use crate::support::{http, seconds, wait_until};
use serde_json::json;
use std::net::UdpSocket;

fn live(server: &Server, id: &str) -> String {
    server.url(&format!("/LiveApp/streams/{id}.live.ts"))
}

/// ffmpeg sending a clip without end.
fn sending(url: &str, options: &[&str]) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args([
            "-nostdin",
            "-hide_banner",
            "-v",
            "error",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
        ])
        .arg(Clip::Standard.file())
        .args(["-c", "copy"])
        .args(options)
        .arg(url);
    Peer::start(&mut ffmpeg)
}

#[track_caller]
fn push(server: &Server, url: &str) {
    let body = json!({ "endpointUrl": url }).to_string();
    let answer = server.rest("POST", "/cam/endpoint", &body).json();
    assert_eq!(answer["success"], true, "{answer}");
}

#[test]
fn the_command_of_the_guide_is_pulled_and_watched() {
    let port = free_udp_port();
    let server = Server::start();
    let command = format!(
        "ffmpeg -f lavfi -re -i smptebars=duration=60:size=1280x720:rate=30 -f lavfi -re -i sine=frequency=1000:duration=60:sample_rate=44100 -pix_fmt yuv420p -c:v libx264 -b:v 1000k -g 30 -keyint_min 120 -profile:v baseline -preset veryfast -f mpegts \"udp://127.0.0.1:{port}?pkt_size=1316\""
    );
    let mut shell = tool("sh");
    shell.args(["-c", &format!("exec {command} -nostdin -v error")]);
    let _publisher = Peer::start(&mut shell);
    pull(&server, &format!("udp://127.0.0.1:{port}"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&live(&server, "cam"), 3));
    let finished = player.finish(seconds(40)).without_complaint();
    let seen = Seen::of(&finished);
    // Bars stand still. The sound of the command is MP2.
    assert!(seen.pictures >= 85 && seen.sound > 2.4, "{seen:?}");
}

#[test]
fn a_stream_within_rtp_is_told_by_its_content() {
    let port = free_udp_port();
    let server = Server::start();
    pull(&server, &format!("udp://@:{port}"));
    let _sender = sending(&format!("rtp://127.0.0.1:{port}"), &["-f", "rtp_mpegts"]);
    server.wait_live("cam");
    decode(&live(&server, "cam"), 4).assert_about(4.0, 30.0);
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, 30.0);
}

#[test]
fn a_connection_is_pulled() {
    let port = crate::support::free_port();
    let server = Server::start();
    let _sender = sending(
        &format!("tcp://127.0.0.1:{port}?listen=1"),
        &["-f", "mpegts"],
    );
    pull(&server, &format!("tcp://127.0.0.1:{port}"));
    server.wait_live("cam");
    decode(&live(&server, "cam"), 4).assert_about(4.0, 30.0);
}

#[test]
fn what_is_pushed_on_arrives_whole() {
    let port = free_udp_port();
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let url = format!("udp://127.0.0.1:{port}?fifo_size=100000");
    let receiver = Peer::start(&mut decoding(&url, 4));
    // Datagrams wait for nobody.
    wait_until("ffmpeg listens", seconds(10), || is_bound(port));
    push(
        &server,
        &format!("mpegtsudp://127.0.0.1:{port}#ttl=4&tos=184"),
    );
    let finished = receiver.finish(seconds(40));
    Seen::of(&finished).assert_about(4.0, 30.0);
    // In datagrams of seven packets, at the pace of the stream.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let port = socket.local_addr().unwrap().port();
    push(&server, &format!("udp://127.0.0.1:{port}#rtp"));
    let mut buffer = [0; 2_000];
    for _ in 0..200 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((length, buffer[0], buffer[12]), (1_328, 0x80, 0x47));
    }
}

#[test]
fn gstreamer_watches_over_http() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let mut gst = tool("gst-launch-1.0");
    let pipeline = format!(
        "souphttpsrc location={} num-buffers=60 ! tsdemux name=demux \
         demux. ! queue ! h264parse ! avdec_h264 ! fakesink demux. ! queue ! aacparse ! avdec_aac ! fakesink",
        live(&server, "cam")
    );
    gst.arg("--quiet").args(pipeline.split_whitespace());
    Peer::start(&mut gst)
        .finish(seconds(40))
        .without_complaint();
    wait_until("the viewer has left", seconds(10), || {
        server.broadcast("cam").unwrap()["anyoneWatching"] == false
    });
}

#[test]
fn what_is_not_there_is_told() {
    let server = Server::start();
    let head = |path: &str| http::request(server.http, "HEAD", path, &[], b"").status;
    assert_eq!(head("/LiveApp/streams/none.live.ts"), 404);
    assert_eq!(head("/LiveApp/streams/..live.ts"), 404);
    let _publisher = publish(&server, "cam1", Clip::Standard);
    assert_eq!(head("/LiveApp/streams/cam1.live.ts"), 200);
    pull(&server, "udp://127.0.0.1:1#speed=3");
    server.wait_log(seconds(10), &["is no option; known are interface"]);
}
