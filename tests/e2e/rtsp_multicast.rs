//! RTSP by multicast: one sender for all players of a stream, who sit in another network. Needs root and `ip`.

use crate::network::{Elsewhere, ip};
use crate::support::clips::Clip;
use crate::support::media::{Seen, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{path_of, tool};
use crate::support::{seconds, wait_until};
use std::process::Command;

/// A program in the other network.
fn inside(elsewhere: &Elsewhere, program: &str) -> Command {
    let mut command = tool("ip");
    command
        .args(["netns", "exec", &elsewhere.name])
        .arg(path_of(program));
    command
}

#[test]
fn players_of_a_group_share_one_sender() {
    let elsewhere = Elsewhere::new();
    let far = format!("{}b", elsewhere.name);
    ip(&[
        "-n",
        &elsewhere.name,
        "route",
        "add",
        "224.0.0.0/4",
        "dev",
        &far,
    ]);
    let listen = format!("rtsp.listen={}:0", elsewhere.near);
    let udp = format!("rtsp.udp_listen={}:0", elsewhere.near);
    let server = Server::with(&["--set", &listen, "--set", &udp]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let url = format!("rtsp://{}:{}/LiveApp/cam", elsewhere.near, server.rtsp);
    let counted = || server.broadcast("cam").unwrap()["anyoneWatching"] == true;
    let play = |length: &str| {
        let mut ffmpeg = inside(&elsewhere, "ffmpeg");
        ffmpeg
            .args(["-nostdin", "-hide_banner", "-v", "error"])
            .args(["-rtsp_transport", "udp_multicast", "-i", &url])
            .args(["-t", length, "-map", "0", "-f", "framecrc", "-"]);
        Peer::start(&mut ffmpeg)
    };
    let sent = || {
        let file = format!("/sys/class/net/{}a/statistics/tx_bytes", elsewhere.name);
        let text = std::fs::read_to_string(file).unwrap();
        text.trim().parse::<u64>().unwrap()
    };
    let first = play("12");
    wait_until("the first plays", seconds(20), || {
        first.stdout.text().lines().count() > 20
    });
    assert!(counted());
    let mut gst = inside(&elsewhere, "gst-launch-1.0");
    let pipeline = format!(
        "rtspsrc location={url} protocols=udp-mcast name=s s. ! application/x-rtp,media=video ! rtph264depay \
         ! h264parse ! avdec_h264 ! identity eos-after=60 ! fakesink s. ! application/x-rtp,media=audio \
         ! rtpmp4gdepay ! aacparse ! identity eos-after=60 ! fakesink"
    );
    gst.arg("--quiet").args(pipeline.split_whitespace());
    let second = Peer::start(&mut gst);
    let third = play("4");
    let finished = second.finish(seconds(30));
    assert!(finished.status.success(), "{}", finished.stderr);
    let seen = Seen::of(&third.finish(seconds(30)));
    assert!(seen.pictures > 60 && seen.sound > 2.5, "{seen:?}");
    // Three players have been sent little more than what one takes.
    let received = server.broadcast("cam").unwrap()["receivedBytes"]
        .as_u64()
        .unwrap();
    assert!(sent() < received * 3 / 2, "{} of {received}", sent());
    let seen = Seen::of(&first.finish(seconds(30)));
    assert!(seen.pictures > 300 && seen.sound > 10.0, "{seen:?}");
    wait_until("nobody watches", seconds(10), || !counted());
    // Nothing is sent to nobody.
    let before = sent();
    std::thread::sleep(seconds(1));
    assert!(sent() - before < 20_000, "{}", sent() - before);
}
