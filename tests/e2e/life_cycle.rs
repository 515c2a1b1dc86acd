//! A source on demand, from its first viewer to its last, by every protocol that plays. What a protocol brings
//! is its [`Row`].

use crate::browser;
use crate::cameras::seen_over_hls;
use crate::rtsp::decode_by;
use crate::support::camera::camera;
use crate::support::http::{get, request};
use crate::support::media::{decode, decoding};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::server::Server;
use crate::support::{seconds, wait_until};
use rtmp::client::Event;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// The camera's pictures per second.
const RATE: f64 = 25.0;

/// How a protocol plays `LiveApp/cam`.
struct Row {
    /// Comes, sees some seconds of moving pictures, and leaves.
    watch: fn(&Server),
    /// Comes, and is told in the protocol's own words that it has to come again.
    come_again: fn(&Server),
}

const RTMP: Row = Row {
    watch: |server| decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE),
    come_again: |server| {
        let (_client, answer) = Client::play(server.rtmp, "LiveApp", "cam");
        assert_eq!(
            answer,
            Answer::Rejected("NetStream.Play.StreamNotFound".into())
        );
        server.wait_log(seconds(1), &["RTMP request refused", "is starting"]);
    },
};

const RTSP: Row = Row {
    watch: |server| decode_by(&server.rtsp_url("cam"), "tcp", 4).assert_about(4.0, RATE),
    come_again: |server| {
        let mut socket = TcpStream::connect(("127.0.0.1", server.rtsp)).unwrap();
        let url = server.rtsp_url("cam");
        let request = format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"RTSP/1.0 503");
    },
};

const FLV: Row = Row {
    watch: |server| decode(&server.url("/LiveApp/streams/cam.flv"), 4).assert_about(4.0, RATE),
    come_again: |server| come_again_over_http(server, "GET", "/LiveApp/streams/cam.flv"),
};

const HLS: Row = Row {
    watch: |server| seen_over_hls(server).assert_about(4.0, RATE),
    come_again: |server| come_again_over_http(server, "GET", "/LiveApp/streams/cam.m3u8"),
};

const WEBRTC: Row = Row {
    watch: |server| {
        let path = "/LiveApp/play.html?id=cam&playOrder=webrtc";
        let facts = browser::watch(server, path, &["--seconds", "4"]);
        assert_eq!(facts["player"], "webrtc", "{facts}");
    },
    come_again: |server| come_again_over_http(server, "POST", "/LiveApp/whep/cam"),
};

const MPEG_TS: Row = Row {
    watch: |server| {
        let url = server.url("/LiveApp/streams/cam.live.ts");
        decode(&url, 4).assert_about(4.0, RATE);
    },
    come_again: |server| come_again_over_http(server, "GET", "/LiveApp/streams/cam.live.ts"),
};

const SRT: Row = Row {
    watch: |server| decode(&server.srt_url("read:LiveApp/cam"), 4).assert_about(4.0, RATE),
    // Let in after a while, as callers do not wait for so long, and told goodbye.
    come_again: |server| {
        let url = server.srt_url("read:LiveApp/cam");
        let player = Peer::start(&mut decoding(&url, 4)).finish(seconds(20));
        assert_eq!(player.stdout, "");
        server.wait_log(seconds(1), &["SRT request refused", "is starting"]);
    },
};

#[test]
fn by_rtmp() {
    life_cycle(&RTMP);
}

#[test]
fn by_rtsp() {
    life_cycle(&RTSP);
}

#[test]
fn by_http_flv() {
    life_cycle(&FLV);
}

#[test]
fn by_hls() {
    life_cycle(&HLS);
}

#[test]
fn by_mpeg_ts() {
    life_cycle(&MPEG_TS);
}

#[test]
fn by_srt() {
    life_cycle(&SRT);
}

#[test]
fn by_webrtc() {
    life_cycle(&WEBRTC);
}

#[test]
fn a_source_that_never_answers_holds_nobody_for_long() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = on_demand(deaf.local_addr().unwrap().port());
    std::thread::scope(|scope| {
        for row in [&RTMP, &FLV, &RTSP, &HLS, &MPEG_TS, &SRT, &WEBRTC] {
            let server = &server;
            scope.spawn(move || {
                let begun = Instant::now();
                (row.come_again)(server);
                let held = begun.elapsed();
                assert!(held > seconds(8) && held < seconds(14), "{held:?}");
            });
        }
        // The page says so before it is told, which takes 10 s.
        scope.spawn(|| {
            let path = "/LiveApp/play.html?id=cam";
            let expected = ["--expect-text", "Starting…", "--wait-playing", "8"];
            browser::watch(&server, path, &expected)
        });
    });
    assert_eq!(server.broadcast("cam").unwrap()["status"], "preparing");
}

#[test]
fn a_probe_starts_it_and_does_not_keep_it() {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = on_demand(port);
    for _ in 0..3 {
        let response = request(server.http, "HEAD", "/LiveApp/streams/cam.m3u8", &[], b"");
        assert_eq!(response.status, 200);
        let live = server.broadcast("cam").unwrap();
        assert_eq!(live["hlsViewerCount"], 0, "{live}");
    }
    wait_stopped(&server, &camera);
}

#[test]
fn fifty_viewers_at_once_start_one_source() {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = on_demand(port);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let response = get(server.http, "/LiveApp/streams/cam.m3u8");
                assert_eq!(response.status, 200, "{}", response.text());
            });
        }
    });
    assert_eq!(count(&camera, "play"), 1);
}

#[test]
fn a_player_that_leaves_while_it_waits_is_waited_for_no_longer() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = on_demand(deaf.local_addr().unwrap().port());
    let mut player = Client::connect(server.rtmp, "LiveApp");
    player.session.play(Instant::now(), "cam").unwrap();
    while let Some(event) = player.next(Instant::now() + seconds(1)).unwrap() {
        assert!(!matches!(event, Event::Rejected { .. }), "{event:?}");
    }
    server.wait_status("cam", "preparing");
    drop(player);
    // It would be nearly twice as long if it were held to the end.
    wait_until("the source is given up", seconds(15), || {
        server.broadcast("cam").unwrap()["status"] == "created"
    });
}

#[test]
fn a_source_that_is_no_longer_on_demand_stays() {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = on_demand(port);
    let probe = request(server.http, "HEAD", "/LiveApp/streams/cam.m3u8", &[], b"");
    assert_eq!(probe.status, 200);
    let changed = server.rest("PUT", "/cam", r#"{"autoStartStopEnabled":false}"#);
    assert_eq!(changed.json()["success"], true, "{}", changed.text());
    // Longer than the linger time: there is nothing to wait for.
    std::thread::sleep(seconds(4));
    assert_eq!(server.broadcast("cam").unwrap()["status"], "broadcasting");
    let changed = server.rest("PUT", "/cam", r#"{"autoStartStopEnabled":true}"#);
    assert_eq!(changed.json()["success"], true, "{}", changed.text());
    wait_stopped(&server, &camera);
}

/// Two viewers, one after the other has gone.
#[track_caller]
fn life_cycle(row: &Row) {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = on_demand(port);
    for run in 1..=2 {
        std::thread::scope(|scope| {
            let viewer = scope.spawn(|| (row.watch)(&server));
            wait_until("the viewer is counted", seconds(30), || {
                let cam = server.broadcast("cam").unwrap();
                cam["status"] == "broadcasting" && cam["anyoneWatching"] == true
            });
            viewer.join().unwrap();
        });
        wait_stopped(&server, &camera);
        assert_eq!(count(&camera, "play"), run);
        assert_eq!(server.broadcast("cam").unwrap()["anyoneWatching"], false);
    }
}

/// A server with `LiveApp/cam`, pulled on demand from a camera on that port.
#[track_caller]
fn on_demand(port: u16) -> Server {
    let server = Server::with(&["--set", "on_demand.linger=2s"]);
    let body = format!(
        r#"{{"type":"streamSource","streamId":"cam","streamUrl":"rtsp://127.0.0.1:{port}/cam","autoStartStopEnabled":true}}"#
    );
    let created = server.rest("POST", "/create", &body).json();
    assert_eq!(created["autoStartStopEnabled"], true, "{created}");
    assert_eq!(created["status"], "created", "{created}");
    server
}

/// Waits until the source has been stopped, and the camera knows it.
#[track_caller]
fn wait_stopped(server: &Server, camera: &Peer) {
    // An HLS player that has left is noticed by its silence.
    wait_until("the source stops", seconds(40), || {
        server.broadcast("cam").unwrap()["status"] == "finished"
    });
    wait_until("the camera is left", seconds(10), || {
        count(camera, "closed") >= count(camera, "play")
    });
}

#[track_caller]
fn come_again_over_http(server: &Server, method: &str, path: &str) {
    let headers = [("Content-Type", "application/sdp")];
    let response = request(server.http, method, path, &headers, b"v=0");
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.header("Retry-After"), "1");
    assert_eq!(response.json()["error"], "starting");
}

/// How often the camera has said that word.
fn count(camera: &Peer, word: &str) -> usize {
    camera.stdout.count(|line| line == word)
}
