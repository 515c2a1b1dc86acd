//! SRT on the server's port: published and played by ffmpeg, GStreamer and srt-live-transmit, all of which are libsrt
//! below, with every form of stream id, every length of key, and latencies from 20 ms to 4 s.

use crate::network::Elsewhere;
use crate::restream::add;
use crate::support::camera::pull_as;
use crate::support::clips::Clip;
use crate::support::http::get;
use crate::support::media::{
    Seen, decode, decoding, decoding_to_end, packets, probing, publish, start_publishing,
};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::{
    gstreamer_receiving, gstreamer_sending, is_bound, relaying, sending, sending_as,
};
use crate::support::watched::Watched;
use crate::support::{free_port, seconds, wait_for, wait_until};
use serde_json::Value;
use std::net::UdpSocket;
use std::time::Instant;

/// The connections of a broadcast.
#[track_caller]
fn connections(server: &Server, id: &str) -> Vec<Value> {
    let answer = server.rest("GET", &format!("/{id}/connections"), "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

/// Publishes a clip by ffmpeg without end, and waits until the stream is live.
#[track_caller]
fn publish_by_srt(server: &Server, id: &str, options: &str) -> Peer {
    let url = server.srt_url(&format!("publish:LiveApp/{id}{options}"));
    let publisher = Peer::start(&mut sending(&url, Clip::Standard));
    server.wait_live(id);
    publisher
}

#[test]
fn every_form_of_stream_id_is_understood() {
    let server = Server::start();
    let ids = [
        ("a", "publish:LiveApp/a", "read:LiveApp/a"),
        ("b", "publish:b", "request:b"),
        ("c", "c", "#!::r=LiveApp/c"),
        (
            "d",
            "#!::r=LiveApp/d,m=publish",
            "#!::m=request,r=/LiveApp/d,u=me,s=secret",
        ),
        ("e", "#!::u=me,m=publish,r=e,t=stream", "play:LiveApp/e"),
    ];
    let publishers = ids
        .map(|(_, publish, _)| Peer::start(&mut sending(&server.srt_url(publish), Clip::Standard)));
    for (id, ..) in ids {
        server.wait_live(id);
        let broadcast = server.broadcast(id).unwrap();
        assert_eq!(broadcast["publishType"], "SRT", "{broadcast}");
    }
    std::thread::scope(|scope| {
        for (_, _, read) in ids {
            let url = server.srt_url(read);
            scope.spawn(move || decode(&url, 3).assert_about(3.0, 30.0));
        }
    });
    // Others see what came by SRT.
    decode(&server.rtmp_url("a"), 3).assert_about(3.0, 30.0);
    drop(publishers);
}

#[test]
fn who_cannot_be_served_is_told_why() {
    let server = Server::start();
    let _publisher = publish_by_srt(&server, "cam", "");
    let cases = [
        ("read:LiveApp/none", "1404"),
        ("read:other/cam", "1400"),
        ("read:LiveApp/..", "1400"),
        ("#!::r=LiveApp/cam,m=bidirectional", "1400"),
        ("publish:LiveApp/cam", "1409"),
    ];
    for (stream_id, code) in cases {
        let url = server.srt_url(stream_id);
        let mut command = match code {
            "1409" => sending(&url, Clip::Standard),
            _ => decoding(&url, 1),
        };
        let refused = Peer::start(&mut command).finish(seconds(10));
        assert!(!refused.status.success());
        let code = format!("code={code}");
        server.wait_log(seconds(1), &["SRT request refused", &code]);
    }
    assert!(server.broadcast("none").is_none());
}

#[test]
fn keys_of_every_length_are_agreed_on_and_wrong_ones_refused() {
    let server = Server::with(&[
        "--set",
        "srt.publish_passphrase=correct-horse",
        "--set",
        "srt.read_passphrase=battery-staple",
    ]);
    let (publish, read) = ("&passphrase=correct-horse", "&passphrase=battery-staple");
    for (id, length) in [("a", 16), ("b", 24), ("c", 32)] {
        let _publisher = publish_by_srt(&server, id, &format!("{publish}&pbkeylen={length}"));
        let url = server.srt_url(&format!("read:LiveApp/{id}{read}&pbkeylen={length}"));
        decode(&url, 3).assert_about(3.0, 30.0);
        let shown = connections(&server, id);
        let figures = &shown[0]["figures"];
        assert_eq!(figures["packets_received_undecrypt"], 0.0, "{figures}");
    }
    let _publisher = publish_by_srt(&server, "d", publish);
    // Wrong, and none; and one where none is wanted.
    let refused = [("1010", "&passphrase=battery-stable"), ("1011", "")];
    for (code, passphrase) in refused {
        let url = server.srt_url(&format!("read:LiveApp/d{passphrase}"));
        let refused = Peer::start(&mut decoding(&url, 1)).finish(seconds(10));
        assert!(!refused.status.success());
        server.wait_log(seconds(1), &["refused", &format!("code={code}")]);
    }
    assert!(!server.log.text().contains("battery"));
    let plain = Server::start();
    let url = plain.srt_url("publish:LiveApp/e&passphrase=anything-at-all");
    let refused = Peer::start(&mut sending(&url, Clip::Standard)).finish(seconds(10));
    assert!(!refused.status.success());
    plain.wait_log(seconds(1), &["refused", "code=1011"]);
}

#[test]
fn a_stream_may_have_a_passphrase_and_a_latency_of_its_own() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[srt.streams.\"LiveApp/cam\"]\nlatency = \"700ms\"\nread_passphrase = \"battery-staple\"\n";
    std::fs::write(file.path(), text).unwrap();
    let server = Server::with(&["--config", &file.path().display().to_string()]);
    let _publisher = publish_by_srt(&server, "cam", "");
    let url = server.srt_url("read:LiveApp/cam&passphrase=battery-staple");
    decode(&url, 2).assert_about(2.0, 30.0);
    let refused = Peer::start(&mut decoding(&server.srt_url("read:LiveApp/cam"), 1));
    assert!(!refused.finish(seconds(10)).status.success());
    let publisher = &connections(&server, "cam")[0];
    assert_eq!(publisher["figures"]["ms_receive_tsb_pd_delay"], 700.0);
}

#[test]
fn latencies_from_20_ms_to_4_s_are_kept() {
    let server = Server::with(&["--set", "srt.latency=20ms"]);
    std::thread::scope(|scope| {
        for (id, latency) in [("a", 20), ("b", 300), ("c", 4_000)] {
            let server = &server;
            scope.spawn(move || {
                // ffmpeg's number is of microseconds.
                let option = format!("&latency={}", latency * 1_000);
                let _publisher = publish_by_srt(server, id, &option);
                decode(&server.srt_url(&format!("read:LiveApp/{id}{option}")), 3)
                    .assert_about(3.0, 30.0);
                let publisher = &connections(server, id)[0];
                let delay = publisher["figures"]["ms_receive_tsb_pd_delay"].as_f64();
                assert_eq!(delay, Some(f64::from(latency)), "{publisher}");
            });
        }
    });
}

#[test]
fn srt_live_transmit_publishes_and_plays() {
    let server = Server::start();
    let (into, from) = (free_port(), free_port());
    let _relay = Peer::start(&mut relaying(
        &format!("udp://127.0.0.1:{into}"),
        &server.srt_url("#!::r=LiveApp/cam,m=publish"),
    ));
    let url = format!("udp://127.0.0.1:{into}?pkt_size=1316");
    let _sender = Peer::start(&mut sending(&url, Clip::BFrames));
    server.wait_live("cam");
    let receiver = Peer::start(&mut decoding(&format!("udp://127.0.0.1:{from}"), 4));
    // What comes before ffmpeg listens is lost, and its first pictures with it.
    wait_until("ffmpeg listens", seconds(20), || is_bound(from));
    let _player = Peer::start(&mut relaying(
        &server.srt_url("read:LiveApp/cam"),
        &format!("udp://127.0.0.1:{from}"),
    ));
    let seen = Seen::of(&receiver.finish(seconds(40)));
    seen.assert_about(4.0, 30.0);
}

#[test]
fn gstreamer_publishes_and_plays() {
    let server = Server::start();
    let uri = format!("srt://127.0.0.1:{}", server.srt);
    let publisher = gstreamer_sending(&uri, &["streamid=publish:LiveApp/cam", "latency=200"]);
    let _publisher = Peer::start(&mut { publisher });
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 25.0);
    let mut player = gstreamer_receiving(&uri, &["streamid=read:LiveApp/cam"], 200);
    Peer::start(&mut player)
        .finish(seconds(40))
        .without_complaint();
    wait_until("the viewer has left", seconds(10), || {
        server.broadcast("cam").unwrap()["anyoneWatching"] == false
    });
}

#[test]
fn nothing_of_a_stream_that_ends_is_missing() {
    let server = Server::start();
    for (id, latency) in [("a", "20"), ("b", "120"), ("c", "1500")] {
        // Six seconds of three groups of pictures, by RTMP, so that nothing is missing before it is here.
        let publisher = crate::support::media::publish_for(&server, id, Clip::BFrames, 6);
        let url = server.srt_url(&format!("read:LiveApp/{id}&latency={latency}000"));
        let player = Peer::start(&mut decoding_to_end(&url));
        publisher.finish(seconds(30));
        let seen = Seen::of(&player.finish(seconds(30)));
        // The last group is longer by the two that ffmpeg reads ahead.
        assert_eq!(seen.pictures % 60, 2, "{latency} ms: {seen:?}");
        assert!(seen.pictures >= 60, "{latency} ms: {seen:?}");
    }
}

#[test]
fn nothing_that_ffmpeg_sends_is_missing() {
    let server = Server::start();
    // It says goodbye without waiting, so that only what it has sent long before is sure to come.
    let url = server.srt_url("publish:LiveApp/cam");
    let publisher = Peer::start(&mut sending_as(&url, Clip::BFrames, &["-re", "-t", "8"]));
    server.wait_live("cam");
    let mut probe = probing(&server.rtmp_url("cam"), 5);
    let finished = Peer::start(&mut probe).finish(seconds(40));
    let probed = serde_json::from_str(&finished.stdout).unwrap();
    let pictures = packets(&probed, "video");
    let gaps = pictures.windows(2).map(|pair| pair[1].dts - pair[0].dts);
    assert!(
        gaps.clone().all(|gap| (30..=37).contains(&gap)),
        "{:?}",
        gaps.collect::<Vec<_>>()
    );
    assert!(pictures.len() > 90, "{}", pictures.len());
    publisher.finish(seconds(30)).without_complaint();
    server.wait_log(seconds(10), &["SRT publisher finished"]);
}

#[test]
fn the_killed_are_noticed_and_the_stream_goes_on_with_the_next() {
    let server = Server::start();
    let publisher = publish_by_srt(&server, "cam", "");
    let player = Peer::start(&mut decoding(&server.srt_url("read:LiveApp/cam"), 60));
    let watching = |server: &Server| server.broadcast("cam").unwrap()["anyoneWatching"] == true;
    wait_until("the player is counted", seconds(10), || watching(&server));
    let watcher = Peer::start(&mut decoding(&server.rtmp_url("cam"), 12));
    player.kill();
    server.wait_log(seconds(15), &["SRT player has gone", "the peer is silent"]);
    publisher.kill();
    server.wait_log(
        seconds(15),
        &["SRT publisher has gone", "the peer is silent"],
    );
    let _publisher = Peer::start(&mut sending(
        &server.srt_url("publish:LiveApp/cam"),
        Clip::Standard,
    ));
    let seen = Seen::of(&watcher.finish(seconds(60)));
    assert!(seen.pictures > 300, "{seen:?}");
    // A server is asked for its viewers once all have gone.
    wait_until("nobody is counted", seconds(10), || !watching(&server));
}

#[test]
fn a_deleted_broadcast_ends_its_publisher_and_its_players() {
    let server = Server::start();
    let publisher = publish_by_srt(&server, "cam", "");
    let player = Peer::start(&mut decoding(&server.srt_url("read:LiveApp/cam"), 60));
    wait_until("both are shown", seconds(10), || {
        let shown = connections(&server, "cam");
        let has = |state: &str| shown.iter().any(|connection| connection["state"] == state);
        has("publish") && has("read")
    });
    let metrics = get(server.http, "/metrics").text();
    for line in [
        "millstream_srt_conns{state=\"publish\"} 1",
        "millstream_srt_conns{state=\"read\"} 1",
        "millstream_viewers{protocol=\"srt\"} 1",
        "millstream_srt_conns_packets_received_unique{state=\"publish\"}",
        "millstream_srt_conns_ms_rtt{state=\"read\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let deleted = server.rest("DELETE", "/cam", "").json();
    assert_eq!(deleted["success"], true, "{deleted}");
    player.finish(seconds(5));
    publisher.finish(seconds(10));
    wait_until("nobody is left", seconds(5), || {
        !get(server.http, "/metrics").text().contains("srt_conns{")
    });
}

#[test]
fn a_player_that_stands_still_costs_the_others_nothing() {
    let server = Server::start();
    let _publisher = start_publishing(&server, "cam", Clip::Heavy);
    server.wait_live("cam");
    let port = free_port();
    let still = Peer::start(&mut relaying(
        &server.srt_url("read:LiveApp/cam"),
        &format!("udp://127.0.0.1:{port}"),
    ));
    wait_until("it is counted", seconds(10), || {
        connections(&server, "cam").len() == 1
    });
    let before = server.resident_bytes();
    still.signal("STOP");
    decode(&server.srt_url("read:LiveApp/cam"), 6).assert_about(6.0, 30.0);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {} MiB", grown >> 20);
    server.wait_log(seconds(15), &["SRT player has gone", "the peer is silent"]);
}

#[test]
fn who_waits_for_a_stream_gets_it_when_it_comes() {
    let (_camera, port) = crate::support::camera::camera(0, &["h264", "aac"]);
    let server = Server::start();
    let body = format!(
        r#"{{"type":"streamSource","streamId":"cam","streamUrl":"rtsp://127.0.0.1:{port}/cam","autoStartStopEnabled":true}}"#
    );
    assert_eq!(server.rest("POST", "/create", &body).status, 200);
    decode(&server.srt_url("read:LiveApp/cam"), 3).assert_about(3.0, 25.0);
}

#[test]
fn rubbish_and_a_thousand_strangers_are_not_noticed() {
    let watched = Watched::start(8);
    let port = watched.server.srt;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // An induction of an HSv5 caller (section 4.3.1.1.1), from a thousand ports, and what is none.
    let mut induction = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    induction.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 5, 0xdc]);
    induction.extend_from_slice(&[0, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]);
    induction.extend_from_slice(&[0; 16]);
    for number in 0..1_000_u32 {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(&induction, ("127.0.0.1", port)).unwrap();
        let mut rubbish = vec![number as u8; 1 + number as usize];
        socket.send_to(&rubbish, ("127.0.0.1", port)).unwrap();
        if let Some(first) = rubbish.first_mut() {
            *first |= 0x80;
        }
        socket.send_to(&rubbish, ("127.0.0.1", port)).unwrap();
        if number == 0 {
            stranger.set_read_timeout(Some(seconds(5))).unwrap();
            let mut answer = [0; 2_000];
            let (length, _) = stranger.recv_from(&mut answer).unwrap();
            // No longer than what was asked, with a cookie.
            assert!(length <= induction.len() && answer[44..48] != [0; 4]);
        }
    }
    let answered = wait_for("a publisher is let in all the same", seconds(20), || {
        let url = watched.server.srt_url("publish:LiveApp/other");
        let publisher = Peer::start(&mut sending(&url, Clip::Standard));
        watched.server.wait_live("other");
        Some(publisher)
    });
    drop(answered);
    watched.check();
}

#[test]
fn many_play_one_stream() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Small);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            let url = server.srt_url("read:LiveApp/cam");
            scope.spawn(move || decode(&url, 3).assert_about(3.0, 25.0));
        }
    });
}

#[test]
fn what_is_too_long_for_the_way_is_divided() {
    let elsewhere = Elsewhere::new();
    elsewhere.narrows(1_280);
    let listen = format!("srt.listen={}:0", elsewhere.near);
    let server = Server::with(&["--set", &listen]);
    let url = format!("srt://{}:{}?streamid=", elsewhere.near, server.srt);
    let clip = sending(&format!("{url}publish:LiveApp/cam"), Clip::Standard);
    let _publisher = Peer::start(&mut elsewhere.runs(&clip));
    server.wait_live("cam");
    let player = decoding(&format!("{url}read:LiveApp/cam"), 3);
    let seen = Seen::of(&Peer::start(&mut elsewhere.runs(&player)).finish(seconds(40)));
    assert!(seen.pictures > 60 && seen.sound > 2.0, "{seen:?}");
}

#[test]
fn both_families_of_addresses_are_served_on_one_port() {
    let server = Server::with(&["--set", "srt.listen=[::]:0"]);
    let _publisher = publish_by_srt(&server, "cam", "");
    let url = format!("srt://[::1]:{}?streamid=", server.srt);
    decode(&format!("{url}read:LiveApp/cam"), 2).assert_about(2.0, 30.0);
    let _second = Peer::start(&mut sending(
        &format!("{url}publish:LiveApp/six"),
        Clip::Standard,
    ));
    server.wait_live("six");
    decode(&server.srt_url("read:LiveApp/six"), 2).assert_about(2.0, 30.0);
    let shown = connections(&server, "six");
    assert!(
        shown[0]["remoteAddr"].as_str().unwrap().contains("::1"),
        "{shown:?}"
    );
    // And as either end of a source.
    let port = free_port();
    let _far = Peer::start(&mut sending(
        &format!("srt://[::1]:{port}?mode=listener"),
        Clip::Standard,
    ));
    wait_until("ffmpeg listens", seconds(20), || is_bound(port));
    pull_as(&server, "called", &format!("srt://[::1]:{port}"));
    server.wait_live("called");
    let port = free_port();
    pull_as(
        &server,
        "caller",
        &format!("srt://[::1]:{port}?mode=listener"),
    );
    wait_until("it listens", seconds(20), || is_bound(port));
    let _far = Peer::start(&mut sending(
        &format!("srt://[::1]:{port}?mode=caller"),
        Clip::Standard,
    ));
    server.wait_live("caller");
}

#[test]
fn payloads_may_fill_the_mtu_or_be_small() {
    let server = Server::start();
    // Cut where no transport packet ends.
    let _publisher = publish_by_srt(&server, "cam", "&payload_size=1456&pkt_size=1456");
    let port = free_port();
    let far = Peer::start(&mut decoding(
        &format!("srt://127.0.0.1:{port}?mode=listener"),
        4,
    ));
    wait_until("ffmpeg listens", seconds(20), || is_bound(port));
    add(
        &server,
        "cam",
        &format!("srt://127.0.0.1:{port}?pkt_size=500"),
    );
    wait_until("packets are small", seconds(20), || {
        let shown = connections(&server, "cam");
        let mut shown = shown.iter();
        let shown = shown.find(|connection| connection["state"] == "target");
        shown.is_some_and(|shown| {
            let figure = |name: &str| shown["figures"][name].as_f64().unwrap();
            let packets = figure("packets_sent_unique");
            packets > 0.0 && figure("bytes_sent_unique") <= packets * 516.0
        })
    });
    Seen::of(&far.finish(seconds(40)).without_complaint()).assert_about(4.0, 30.0);
    decode(&server.rtmp_url("cam"), 2).assert_about(2.0, 30.0);
}

#[test]
fn keys_change_under_way_in_both_directions() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "[srt]\npublish_passphrase = \"correct-horse\"\n",
    )
    .unwrap();
    let server = Server::with(&["--config", &file.path().display().to_string()]);
    let keys = "passphrase=correct-horse&pbkeylen=32&kmrefreshrate=100&kmpreannounce=40";
    let (into, port, from) = (free_port(), free_port(), free_port());
    let _relay = Peer::start(&mut relaying(
        &format!("udp://127.0.0.1:{into}"),
        &server.srt_url(&format!("publish:LiveApp/cam&{keys}")),
    ));
    let url = format!("udp://127.0.0.1:{into}?pkt_size=1316");
    let _sender = Peer::start(&mut sending(&url, Clip::Standard));
    server.wait_live("cam");
    let _far = Peer::start(&mut relaying(
        &format!("srt://127.0.0.1:{port}?mode=listener&{keys}"),
        &format!("udp://127.0.0.1:{from}"),
    ));
    wait_until("it listens", seconds(20), || is_bound(port));
    let receiver = Peer::start(&mut decoding(&format!("udp://127.0.0.1:{from}"), 12));
    add(&server, "cam", &format!("srt://127.0.0.1:{port}?{keys}"));
    // The last key that was announced was answered and is in use: everything is seen, at the end as well.
    Seen::of(&receiver.finish(seconds(60))).assert_about(12.0, 30.0);
    let shown = connections(&server, "cam");
    for (state, count) in [
        ("publish", "packets_received_km"),
        ("target", "packets_sent_km"),
    ] {
        let mut shown = shown.iter();
        let shown = shown.find(|connection| connection["state"] == state);
        let figures = &shown.unwrap()["figures"];
        assert!(figures[count].as_f64() > Some(3.0), "{figures}");
        assert_eq!(figures["packets_received_undecrypt"], 0.0, "{figures}");
    }
}

/// MediaMTX's names of what its connections of SRT count and measure, but for what depends on its buffers.
const FIGURES: &str = "packets_sent packets_received packets_sent_unique packets_received_unique packets_send_loss \
    packets_received_loss packets_retrans packets_received_retrans packets_sent_ack packets_received_ack \
    packets_sent_nak packets_received_nak packets_sent_km packets_received_km packets_received_belated \
    packets_send_drop packets_received_drop packets_received_undecrypt bytes_sent bytes_received bytes_sent_unique \
    bytes_received_unique bytes_retrans bytes_received_retrans bytes_received_belated bytes_send_drop \
    bytes_received_undecrypt us_packets_send_period packets_flow_window packets_flight_size ms_rtt mbps_send_rate \
    mbps_receive_rate mbps_link_capacity mbps_max_bw packets_send_buf bytes_send_buf ms_send_buf \
    ms_send_tsb_pd_delay packets_receive_buf bytes_receive_buf ms_receive_buf ms_receive_tsb_pd_delay \
    packets_send_loss_rate packets_received_loss_rate";

#[test]
fn connections_are_measured_by_the_names_of_mediamtx() {
    let server = Server::start();
    let _publisher = publish_by_srt(&server, "cam", "");
    let _player = Peer::start(&mut decoding(&server.srt_url("read:LiveApp/cam"), 60));
    // What has to have been counted after some seconds.
    let counted = [
        ("publish", "ms_rtt"),
        ("publish", "mbps_receive_rate"),
        ("publish", "packets_sent_ack"),
        ("publish", "ms_receive_buf"),
        ("read", "ms_rtt"),
        ("read", "mbps_send_rate"),
        ("read", "packets_received_ack"),
        ("read", "packets_flow_window"),
    ];
    wait_until("all is counted", seconds(30), || {
        let shown = connections(&server, "cam");
        counted.iter().all(|(state, name)| {
            let mut shown = shown.iter();
            let shown = shown.find(|connection| connection["state"] == *state);
            shown.is_some_and(|shown| shown["figures"][*name].as_f64() > Some(0.0))
        })
    });
    let metrics = get(server.http, "/metrics").text();
    for connection in connections(&server, "cam") {
        let state = connection["state"].as_str().unwrap();
        for name in FIGURES.split_whitespace() {
            let figure = &connection["figures"][name];
            assert!(figure.is_number(), "{name} is not in {connection}");
            let line = format!("millstream_srt_conns_{name}{{state=\"{state}\"}}");
            assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        }
    }
}

/// What a caller says when it has been given its cookie.
fn conclusion(port: u16) -> (UdpSocket, Vec<u8>) {
    // Not from where the good ones are: what an address may ask for is bounded.
    let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let options = ::srt::Options {
        stream_id: "read:LiveApp/good".to_owned(),
        ..::srt::Options::default()
    };
    let mut session = ::srt::Session::caller(Instant::now(), options, [7; 32]).unwrap();
    let mut said = Vec::new();
    assert_eq!(session.poll_output(&mut said), ::srt::Output::Transmit);
    socket.send(&said).unwrap();
    let mut answer = [0; 2_000];
    let length = socket.recv(&mut answer).unwrap();
    session.handle_input(Instant::now(), &answer[..length]);
    said.clear();
    assert_eq!(session.poll_output(&mut said), ::srt::Output::Transmit);
    (socket, said)
}

#[test]
fn callers_whose_handshakes_lie_cost_the_others_nothing() {
    let watched = Watched::start(8);
    let port = watched.server.srt;
    let url = watched.server.srt_url("read:LiveApp/good");
    let player = Peer::start(&mut decoding(&url, 6));
    let (_, honest) = conclusion(port);
    // Every word behind the header says something else, and every length ends the datagram.
    for at in (16..honest.len()).step_by(2) {
        for change in [1, 0x80, 0xff] {
            let (socket, mut lie) = conclusion(port);
            lie[at] ^= change;
            socket.send(&lie).unwrap();
        }
        let (socket, lie) = conclusion(port);
        socket.send(&lie[..at]).unwrap();
    }
    Seen::of(&player.finish(seconds(40)).without_complaint()).assert_about(6.0, 30.0);
    decode(&url, 2).assert_about(2.0, 30.0);
    watched.check();
}
