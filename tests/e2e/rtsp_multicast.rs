//! RTSP by multicast: one sender for all players of a stream, who sit in another network. Needs root and `ip`.

use crate::changes::publish_sound_late;
use crate::network::Elsewhere;
use crate::rtsp::{Talker, field};
use crate::support::clips::Clip;
use crate::support::media::{PLAYER, Seen, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{path_of, python};
use crate::support::{seconds, wait_until};
use std::sync::atomic::Ordering;

#[test]
fn players_of_a_group_share_one_sender() {
    let elsewhere = Elsewhere::new();
    elsewhere.routes_groups();
    let listen = format!("rtsp.listen={}:0", elsewhere.near);
    let udp = format!("rtsp.udp_listen={}:0", elsewhere.near);
    let server = Server::with(&["--set", &listen, "--set", &udp]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let url = format!("rtsp://{}:{}/LiveApp/cam", elsewhere.near, server.rtsp);
    let counted = || server.broadcast("cam").unwrap()["anyoneWatching"] == true;
    let play = |length: &str| {
        let mut ffmpeg = elsewhere.inside(&path_of("ffmpeg"));
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
    let mut player = elsewhere.inside(&python());
    let second = Peer::start(player.args([PLAYER, &url, "protocols=udp-mcast"]));
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
    // One that pauses is sent nothing, and then goes on.
    let mut client = Talker::at(&format!("{}:{}", elsewhere.near, server.rtsp));
    assert!(client.ask("DESCRIBE", &url, &[]).contains("200 OK"));
    let answer = client.ask(
        "SETUP",
        &format!("{url}/trackID=0"),
        &["Transport: RTP/AVP;multicast"],
    );
    let session = format!("Session: {}", field(&answer, "Session").unwrap());
    for _ in 0..2 {
        assert!(client.ask("PLAY", &url, &[&session]).contains("200 OK"));
        let before = sent();
        wait_until("packets go to the group", seconds(10), || {
            sent() > before + 50_000
        });
        assert!(client.ask("PAUSE", &url, &[&session]).contains("200 OK"));
        std::thread::sleep(seconds(1));
        let before = sent();
        std::thread::sleep(seconds(1));
        assert!(sent() - before < 20_000, "{}", sent() - before);
    }
    assert!(client.ask("TEARDOWN", &url, &[&session]).contains("200 OK"));
    // Nothing is sent to nobody.
    let before = sent();
    std::thread::sleep(seconds(1));
    assert!(sent() - before < 20_000, "{}", sent() - before);
}

#[test]
fn sound_that_comes_late_is_sent_to_who_is_told_of_it() {
    let elsewhere = Elsewhere::new();
    elsewhere.routes_groups();
    let listen = format!("rtsp.listen={}:0", elsewhere.near);
    let udp = format!("rtsp.udp_listen={}:0", elsewhere.near);
    // All players of a way share what is cut for the first.
    let one = "streams.shards=1";
    let server = Server::with(&["--set", &listen, "--set", &udp, "--set", one]);
    let with_sound = publish_sound_late(&server, Clip::Standard);
    let url = format!("rtsp://{}:{}/LiveApp/cam", elsewhere.near, server.rtsp);
    let play = |way: &str, length: &str| {
        let mut ffmpeg = elsewhere.inside(&path_of("ffmpeg"));
        ffmpeg
            .args(["-nostdin", "-hide_banner", "-v", "error"])
            .args(["-rtsp_transport", way, "-i", &url])
            .args(["-t", length, "-map", "0", "-f", "framecrc", "-"]);
        Peer::start(&mut ffmpeg)
    };
    let ways = ["udp", "udp_multicast"];
    let before = ways.map(|way| play(way, "90"));
    let lines = |player: &Peer| player.stdout.text().lines().count();
    for player in &before {
        wait_until("pictures", seconds(30), || lines(player) > 20);
    }
    with_sound.store(true, Ordering::Relaxed);
    wait_until("the sound is there", seconds(30), || {
        let playlist = server.get("/LiveApp/streams/cam.m3u8").text();
        playlist.contains("audio.m3u8")
    });
    for way in ways {
        let seen = Seen::of(&play(way, "4").finish(seconds(40)));
        assert!(seen.pictures > 60 && seen.sound > 2.5, "{way}: {seen:?}");
    }
    for player in &before {
        let now = lines(player);
        wait_until("more pictures", seconds(30), || lines(player) > now + 20);
    }
}
