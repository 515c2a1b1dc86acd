//! Sources and targets by SRT: as caller, as listener and in rendezvous, with libsrt at the other end, which goes and
//! comes back, and does not always know the passphrase.

use crate::restream::{add, wait_state};
use crate::support::camera::pull;
use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::{gstreamer_receiving, gstreamer_sending, is_bound, relaying, sending};
use crate::support::{free_port, seconds, wait_until};

const SECRET: &str = "passphrase=correct-horse&pbkeylen=32";

#[test]
fn a_listener_is_pulled_and_pulled_again_after_it_was_killed() {
    let server = Server::start();
    let port = free_port();
    let url = format!("srt://127.0.0.1:{port}?mode=listener&{SECRET}");
    let start = || Peer::start(&mut sending(&url, Clip::Standard));
    let far = start();
    pull(
        &server,
        &format!("srt://127.0.0.1:{port}?{SECRET}#latency=200ms"),
    );
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
    far.kill();
    server.wait_log(seconds(15), &["the peer is silent"]);
    let _far = start();
    wait_until("it is pulled again", seconds(20), || {
        let broadcast = server.broadcast("cam").unwrap();
        broadcast["status"] == "broadcasting" && broadcast["lastError"].is_null()
    });
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
}

#[test]
fn callers_are_waited_for_and_may_come_again() {
    let server = Server::start();
    let port = free_port();
    pull(
        &server,
        &format!("srt://127.0.0.1:{port}?mode=listener&{SECRET}"),
    );
    let caller = |secret: &str| {
        wait_until("it listens", seconds(20), || is_bound(port));
        Peer::start(&mut sending(
            &format!("srt://127.0.0.1:{port}?{secret}"),
            Clip::Standard,
        ))
    };
    // A wrong passphrase and none are no callers.
    for wrong in ["passphrase=correct-house", "latency=120000"] {
        assert!(!caller(wrong).finish(seconds(10)).status.success());
    }
    server.wait_log(seconds(1), &["SRT request refused", "wrong passphrase"]);
    for _ in 0..2 {
        let far = caller(SECRET);
        server.wait_live("cam");
        decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
        drop(far);
        wait_until("it is waited for again", seconds(20), || {
            server.broadcast("cam").unwrap()["status"] != "broadcasting" && is_bound(port)
        });
    }
}

#[test]
fn gstreamer_is_pulled_whichever_end_calls() {
    let server = Server::start();
    let port = free_port();
    let uri = format!("srt://127.0.0.1:{port}?mode=listener");
    let far = Peer::start(&mut gstreamer_sending(&uri, &["wait-for-connection=true"]));
    pull(&server, &format!("srt://127.0.0.1:{port}"));
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 25.0);
    drop(far);
    let port = free_port();
    let second = Server::start();
    pull(&second, &format!("srt://:{port}?mode=listener"));
    wait_until("it listens", seconds(20), || is_bound(port));
    let uri = format!("srt://127.0.0.1:{port}?mode=caller");
    let _far = Peer::start(&mut gstreamer_sending(&uri, &[]));
    second.wait_live("cam");
    decode(&second.rtmp_url("cam"), 3).assert_about(3.0, 25.0);
}

#[test]
fn two_that_call_meet() {
    let server = Server::start();
    let (port, into) = (free_port(), free_port());
    // Both ends are on one port, and so on two addresses of this machine.
    let far = format!("srt://127.0.0.1:{port}?mode=rendezvous&adapter=127.0.0.2");
    let _relay = Peer::start(&mut relaying(&format!("udp://127.0.0.1:{into}"), &far));
    let url = format!("udp://127.0.0.1:{into}?pkt_size=1316");
    let _sender = Peer::start(&mut sending(&url, Clip::Standard));
    pull(
        &server,
        &format!("srt://127.0.0.2:{port}?mode=rendezvous&adapter=127.0.0.1"),
    );
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
}

#[test]
fn what_is_wrong_with_a_source_is_said_in_words() {
    let server = Server::start();
    let port = free_port();
    let url = format!("srt://127.0.0.1:{port}?mode=listener&{SECRET}");
    let far = Peer::start(&mut sending(&url, Clip::Standard));
    let wait_error = |words: &str| {
        wait_until(words, seconds(20), || {
            let broadcast = server.broadcast("cam").unwrap();
            let error = broadcast["lastError"].as_str().unwrap_or_default();
            assert!(!error.contains("house"), "{error}");
            error.contains(words)
        });
    };
    wait_until("ffmpeg listens", seconds(10), || is_bound(port));
    pull(
        &server,
        &format!("srt://127.0.0.1:{port}?passphrase=correct-house"),
    );
    wait_error("wrong passphrase");
    drop(far);
    wait_error("no answer in time");
    let far = Server::start();
    let change = |url: &str| {
        let body = format!(r#"{{"streamUrl":"{url}"}}"#);
        let changed = server.rest("PUT", "/cam", &body).json();
        assert_eq!(changed["success"], true, "{changed}");
    };
    change(&far.srt_url("read:LiveApp/none"));
    wait_error("there is no such stream");
    change("srt://127.0.0.1:9000?mode=sender");
    wait_error("mode is caller, listener or rendezvous");
}

#[test]
fn a_listener_is_pushed_to_and_pushed_to_again() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let port = free_port();
    let listen = || {
        let url = format!("srt://127.0.0.1:{port}?mode=listener&{SECRET}");
        Peer::start(&mut decoding(&url, 4))
    };
    let far = listen();
    let url = format!("srt://127.0.0.1:{port}?mode=caller&{SECRET}");
    let id = add(&server, "cam", &url);
    Seen::of(&far.finish(seconds(30)).without_complaint()).assert_about(4.0, 30.0);
    let found = wait_state(&server, "cam", &id, "failed", seconds(20));
    assert!(found["lastError"].is_string(), "{found}");
    let far = listen();
    Seen::of(&far.finish(seconds(40)).without_complaint()).assert_about(4.0, 30.0);
    assert!(!server.log.text().contains("horse"));
}

#[test]
fn callers_get_what_is_pushed_to_them() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let port = free_port();
    add(
        &server,
        "cam",
        &format!("srt://:{port}?mode=listener&latency=300"),
    );
    for _ in 0..2 {
        wait_until("it listens", seconds(20), || is_bound(port));
        decode(&format!("srt://127.0.0.1:{port}?mode=caller"), 3).assert_about(3.0, 30.0);
    }
    wait_until("it listens", seconds(20), || is_bound(port));
    let uri = format!("srt://127.0.0.1:{port}?mode=caller");
    Peer::start(&mut gstreamer_receiving(&uri, &[], 200))
        .finish(seconds(40))
        .without_complaint();
}

#[test]
fn one_server_pushes_to_the_next() {
    let (server, far) = (Server::start(), Server::start());
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let id = add(&server, "cam", &far.srt_url("publish:LiveApp/copy"));
    wait_state(&server, "cam", &id, "broadcasting", seconds(10));
    far.wait_live("copy");
    decode(&far.srt_url("read:LiveApp/copy"), 4).assert_about(4.0, 30.0);
    let id = add(&server, "cam", &far.srt_url("publish:other/copy"));
    let found = wait_state(&server, "cam", &id, "failed", seconds(10));
    let error = found["lastError"].as_str().unwrap_or_default();
    assert!(error.contains("the stream id cannot be read"), "{found}");
}
