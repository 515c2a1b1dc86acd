//! WebRTC by WHEP: Chromium and GStreamer play it with sound, over bad networks too; the page comes back after
//! whatever happens, falls back to HLS where it must, and bad requests are told what is wrong with them.

use crate::browser::{self, watch};
use crate::network::Elsewhere;
use crate::support::camera::{camera, pull};
use crate::support::clips::Clip;
use crate::support::http::{self, Response};
use crate::support::media::{packets, probe, publish, publish_for};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::python;
use crate::support::turn::turn_server;
use crate::support::{limit, seconds, wait_until};
use serde_json::Value;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

const OFFER: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");

/// As Chromium writes it.
const CHROMIUM: &str = include_str!("../../protocols/webrtc/tests/offers/chromium.sdp");

#[test]
fn the_servers_own_stream_plays_with_sound() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=webrtc";
    let facts = watch(&server, path, &["--seconds", "6"]);
    assert_eq!(facts["player"], "webrtc", "{facts}");
    assert!(facts["startMs"].as_f64().unwrap() < 6_000.0, "{facts}");
    // It may be less than half a millisecond here.
    assert!(facts["latency"].is_number(), "{facts}");
}

#[test]
fn a_published_stream_plays_with_its_aac() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    plays_with_sound(&server);
}

#[test]
fn a_camera_plays_with_its_g711() {
    let (_camera, port) = camera(0, &["h264", "pcma"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    plays_with_sound(&server);
}

/// In the page as it is without parameters.
#[track_caller]
fn plays_with_sound(server: &Server) {
    let facts = watch(server, "/LiveApp/play.html?id=cam", &["--seconds", "5"]);
    assert_eq!(facts["player"], "webrtc", "{facts}");
    let received = |name: &str| facts["webrtc"][name].as_f64().unwrap();
    assert!(received("framesDecoded") > 5.0 * 15.0, "{facts}");
    assert!(received("audioEnergy") > 0.0, "{facts}");
}

#[test]
fn lost_packets_are_sent_again_and_the_picture_keeps_moving() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let path = "/LiveApp/play.html?id=cam&playOrder=webrtc";
    let facts = watch(&server, path, &["--seconds", "12", "--loss", "0.03"]);
    let received = |name: &str| facts["webrtc"][name].as_f64().unwrap();
    assert!(received("nacks") > 0.0, "{facts}");
    assert!(received("retransmitted") > 0.0, "{facts}");
    // Of 360, while others use the machine.
    assert!(received("framesDecoded") > 240.0, "{facts}");
    assert!(received("frozen") < 2.0, "{facts}");
}

#[test]
fn a_publisher_that_says_goodbye_and_starts_again_at_once_is_seen_again() {
    browser::comes_back(Server::start(), "webrtc", browser::goodbye_and_back);
}

#[test]
fn a_publisher_that_is_cut_off_and_returns_in_time_is_seen_again() {
    browser::comes_back(Server::start(), "webrtc", browser::cut_off_for_a_moment);
}

#[test]
fn a_publisher_that_returns_after_the_stream_has_ended_is_seen_again() {
    let server = Server::with(&["--set", "streams.grace=1s"]);
    browser::comes_back(server, "webrtc", browser::cut_off_until_it_has_ended);
}

#[test]
fn a_server_that_is_killed_and_starts_again_is_seen_again() {
    browser::comes_back(Server::start(), "webrtc", |server, publisher, page| {
        let server = server.killed_and_started_again();
        drop(publisher);
        page("has ended");
        let publisher = publish(&server, "cam", Clip::Standard);
        (server, publisher)
    });
}

#[test]
fn without_webrtc_the_page_plays_hls() {
    let server = Server::with(&["--demo", "--set", "webrtc.listen="]);
    server.wait_live("demo");
    let facts = watch(&server, "/LiveApp/play.html?id=demo", &["--seconds", "4"]);
    assert_eq!(facts["player"], "hls", "{facts}");
    assert_eq!(facts["passedOver"], "unsuitable", "{facts}");
}

#[test]
fn b_frames_are_left_to_hls() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let facts = watch(&server, "/LiveApp/play.html?id=cam", &["--seconds", "4"]);
    assert_eq!(facts["player"], "hls", "{facts}");
    let words = ["--expect-text", "B-frames"];
    watch(
        &server,
        "/LiveApp/play.html?id=cam&playOrder=webrtc",
        &words,
    );
}

#[test]
fn h265_is_left_to_hls() {
    let (_camera, port) = camera(0, &["h265", "pcma"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    // Which this browser cannot decode either, and the page says so.
    let words = ["--expect-text", "is sent as H.265"];
    watch(&server, "/LiveApp/play.html?id=cam", &words);
    let words = ["--expect-text", "pictures are H265"];
    watch(
        &server,
        "/LiveApp/play.html?id=cam&playOrder=webrtc",
        &words,
    );
}

#[test]
fn a_stream_that_becomes_h265_is_left_to_hls() {
    let (first, port) = camera(0, &["h264", "pcma"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let _place = limit::BROWSER.take();
    let page = browser::follow(&server, "/LiveApp/play.html?id=cam", 0);
    browser::wait_line(&page, &["moves", r#""player":"webrtc""#]);
    first.kill();
    let (_second, _) = camera(port, &["h265", "pcma"]);
    let left = ["WebRTC viewer left", "the stream has other tracks"];
    server.wait_log(seconds(40), &left);
    // HLS has it, and this browser cannot decode it.
    browser::wait_line(&page, &["is sent as H.265"]);
    let playlist = server.get("/LiveApp/streams/cam.m3u8").text();
    assert!(playlist.contains("hvc1"), "{playlist}");
    assert_eq!(page.stderr.text(), "");
}

#[test]
fn pictures_whose_only_key_frame_is_long_gone_play_from_it() {
    let clip = probe(&Clip::OneKeyFrame.file().to_string_lossy(), Clip::SECONDS);
    let pictures = packets(&clip, "video");
    assert_eq!(pictures.iter().filter(|picture| picture.key).count(), 1);
    let _place = limit::ENCODING_BROWSER.take();
    let server = Server::start();
    let mut publisher = publish_for(&server, "cam", Clip::OneKeyFrame, Clip::SECONDS);
    std::thread::sleep(seconds(4));
    let path = "/LiveApp/play.html?id=cam&playOrder=webrtc";
    // A busy machine may lose much of what a browser begins with.
    let watched = || watch(&server, path, &["--seconds", "5"]);
    let facts = catch_unwind(AssertUnwindSafe(watched)).unwrap_or_else(|_| watched());
    let decoded = facts["webrtc"]["framesDecoded"].as_f64().unwrap();
    assert!(decoded > 5.0 * 15.0, "{facts}");
    assert!(
        publisher.is_running(),
        "the clip was too short for this machine"
    );
}

#[test]
fn a_viewer_that_asks_for_a_key_frame_gets_one_from_a_source_that_can() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let requests = |kind: &str| -> u64 {
        let metrics = server.get("/metrics").text();
        let name = format!("millstream_stream_random_access_{kind} ");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
        count.unwrap().parse().unwrap()
    };
    // Milliseconds from one key frame to the next, of a player that has asked for nothing.
    let steps = || -> Vec<i64> {
        let pictures = packets(&probe(&server.rtmp_url("demo"), 5), "video");
        let keys: Vec<_> = pictures.iter().filter(|picture| picture.key).collect();
        keys.windows(2)
            .map(|pair| pair[1].pts - pair[0].pts)
            .collect()
    };
    let by_itself = steps();
    assert!(
        !by_itself.is_empty() && by_itself.iter().all(|step| *step == 2_000),
        "{by_itself:?}"
    );
    assert_eq!((requests("wanted"), requests("asked")), (0, 0));
    let viewer = Peer::start(gstreamer(&server, "demo", 60).arg("ask"));
    wait_until("requests on their way to the source", seconds(40), || {
        requests("wanted") > 2 && requests("asked") > 2
    });
    let asked_for = steps();
    assert!(asked_for.iter().any(|step| *step < 2_000), "{asked_for:?}");
    drop(viewer);
}

#[test]
fn where_no_datagrams_pass_the_page_plays_hls_until_they_do() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let _place = limit::BROWSER.take();
    let page = browser::follow(&server, "/LiveApp/play.html?id=cam", 9);
    browser::wait_line(
        &page,
        &["moves", r#""player":"hls""#, r#""passedOver":"no_way""#],
    );
    browser::wait_line(
        &page,
        &["moves", r#""player":"webrtc""#, r#""passedOver":"""#],
    );
    assert_eq!(page.stderr.text(), "");
}

/// The browser takes no other way, and is told of this one by the server.
#[test]
fn a_viewer_comes_through_a_turn_server() {
    let folder = tempfile::tempdir().unwrap();
    let (_turn, port) = turn_server(folder.path());
    let server = Server::with(&[
        "--demo",
        "--set",
        &format!(
            "webrtc.ice_servers=[{{ url = \"turn:127.0.0.1:{port}?transport=udp\", username = \"joe\", credential = \"secret\" }}]"
        ),
    ]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=webrtc";
    let facts = watch(&server, path, &["--seconds", "4", "--relayed"]);
    assert_eq!(facts["player"], "webrtc", "{facts}");
    let decoded = facts["webrtc"]["framesDecoded"].as_f64().unwrap();
    assert!(decoded > 60.0, "{facts}");
}

#[test]
fn it_plays_over_ipv6_alone() {
    let server = Server::with(&["--demo", "--set", "webrtc.listen=[::1]:0"]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=webrtc";
    let facts = watch(&server, path, &["--seconds", "4"]);
    assert_eq!(facts["player"], "webrtc", "{facts}");
}

/// As most viewers are: their router gives what they send its own address, and a port that they do not know.
#[test]
fn it_plays_behind_a_router() {
    let street = Elsewhere::new();
    let home = street.home();
    let near = &street.near;
    let server = Server::with(&[
        "--demo",
        "--set",
        &format!("webrtc.listen={near}:0"),
        "--set",
        &format!("https.listen={near}:0"),
    ]);
    server.wait_live("demo");
    let address = format!("{near}:{}", server.port_of("https"));
    let _place = limit::BROWSER.take();
    let mut script = browser::node(&server);
    let page = format!("https://{address}/LiveApp/play.html?id=demo&playOrder=webrtc");
    script.args(["play.mjs", "--url", &page, "--seconds", "5"]);
    let finished = Peer::start(&mut home.inside(&script)).finish(seconds(90));
    assert!(
        finished.status.success(),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    let facts: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(facts["player"], "webrtc", "{facts}");
    server.wait_log(seconds(5), &["playing by WebRTC", &street.address]);
}

#[test]
fn viewers_are_spread_over_shards_and_leave_at_once() {
    let server = Server::with(&["--demo", "--set", "streams.shards=4"]);
    server.wait_live("demo");
    let _place = limit::BROWSER.take();
    let mut script = browser::node(&server);
    script.args(["viewers.mjs", "--url", &server.url("/LiveApp/whep/demo")]);
    let viewers = Peer::start(script.args(["--count", "8"]));
    let watching = viewers
        .stdout
        .wait_for(seconds(40), |line| (line == "watching").then_some(()));
    assert!(watching.is_some(), "{}", viewers.stderr.text());
    let log = server.log.text();
    let shards: HashSet<_> = log
        .lines()
        .filter(|line| line.contains("playing by WebRTC"))
        .filter_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("shard="))
        })
        .collect();
    assert!(shards.len() > 1, "{log}");
    assert_eq!(webrtc_viewers(&server), 8);
    viewers.signal("USR2");
    let finished = viewers.finish(seconds(20)).without_complaint();
    let statuses: Vec<u16> = serde_json::from_str(&finished.stdout["watching".len()..]).unwrap();
    assert_eq!(statuses, [200; 8]);
    wait_until("nobody is counted", seconds(2), || {
        webrtc_viewers(&server) == 0
    });
}

#[test]
fn gstreamer_plays_it() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let finished = Peer::start(&mut gstreamer(&server, "cam", 4)).finish(seconds(40));
    assert!(finished.status.success(), "{}", finished.stderr);
    let seen: Value = serde_json::from_str(&finished.stdout).unwrap();
    let count = |name: &str| seen[name].as_u64().unwrap();
    assert!(count("pictures") >= 100, "{seen}");
    assert!(count("distinct") * 10 >= count("pictures") * 9, "{seen}");
    // As many seconds of sound at 48 kHz as of pictures, and the loudest sample of a tone.
    let seconds_of = [("pictures", 30.0), ("samples", 48_000.0)];
    let [shown, heard] = seconds_of.map(|(name, rate)| count(name) as f64 / rate);
    assert!((shown - heard).abs() < 1.5, "{seen}");
    assert!(count("peak") > 1_000, "{seen}");
    wait_until("it is no longer counted", seconds(2), || {
        webrtc_viewers(&server) == 0
    });
}

/// GStreamer playing a stream for so many seconds.
fn gstreamer(server: &Server, id: &str, length: u32) -> Command {
    let mut command = Command::new(python());
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/whep.py"))
        .arg(server.url(&format!("/LiveApp/whep/{id}")))
        .arg(length.to_string());
    command
}

#[test]
fn a_session_is_a_resource() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| -> Response {
        http::request(server.http, method, path, headers, body.as_bytes())
    };
    let made = ask("POST", "/LiveApp/whep/demo", OFFER, CHROMIUM);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("Content-Type"), "application/sdp");
    let answer = made.text();
    assert!(answer.contains("a=ice-lite"), "{answer}");
    assert!(answer.contains(" typ host tcptype passive"), "{answer}");
    let (session, tag) = (made.header("Location"), made.header("ETag"));
    assert_eq!(webrtc_viewers(&server), 1);
    // It is nobody else's: neither by what its answer shows, nor by a piece, nor below another stream.
    let secret = session.rsplit('/').next().unwrap();
    let ufrag = answer.split("a=ice-ufrag:").nth(1).unwrap();
    let ufrag = ufrag.lines().next().unwrap();
    for guess in [
        &format!("/LiveApp/whep/demo/{ufrag}"),
        &format!("/LiveApp/whep/demo/{}", tag.trim_matches('"')),
        &format!("/LiveApp/whep/demo/{}", &secret[1..]),
        &format!("/LiveApp/whep/demo/{secret}0"),
        &format!("/LiveApp/whep/cam/{secret}"),
        &format!("/live/whep/demo/{secret}"),
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            let answer = ask(method, guess, &[FRAGMENT, ("If-Match", tag)], "");
            assert_eq!(answer.status, 404, "{method} {guess}");
        }
    }
    let candidate = "a=ice-ufrag:KbVy\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    for (method, headers, body, status) in [
        ("GET", &[][..], "", 204),
        ("PATCH", &[FRAGMENT, ("If-Match", tag)], candidate, 204),
        (
            "PATCH",
            &[FRAGMENT, ("If-Match", "\"other\"")],
            candidate,
            412,
        ),
        ("PATCH", &[FRAGMENT, ("If-Match", "*")], "a=mid:0\r\n", 422),
        (
            "PATCH",
            &[FRAGMENT, ("If-Match", "\"*\"")],
            "a=mid:0\r\n",
            422,
        ),
        ("PATCH", OFFER, CHROMIUM, 415),
        ("PUT", &[], "", 405),
        ("DELETE", &[], "", 200),
    ] {
        let answer = ask(method, session, headers, body);
        assert_eq!(answer.status, status, "{method} {headers:?}");
    }
    wait_until("the viewer is gone", seconds(1), || {
        webrtc_viewers(&server) == 0
    });
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(
            ask(method, session, &[FRAGMENT], "").status,
            404,
            "{method}"
        );
    }
}

#[test]
fn requests_that_cannot_be_answered_are_told_why() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    server.rest("POST", "/create", r#"{"streamId":"later"}"#);
    let session = "/LiveApp/whep/demo/0123456789abcdef";
    for (method, path, headers, body, status) in [
        ("POST", "/LiveApp/whep/nobody", OFFER, "v=0", 404),
        ("POST", "/LiveApp/whep/later", OFFER, "v=0", 404),
        ("POST", "/Other/whep/demo", OFFER, "v=0", 404),
        ("POST", "/LiveApp/whep/a..b", OFFER, "v=0", 404),
        ("POST", "/LiveApp/whep/demo", &[], "v=0", 415),
        ("POST", "/LiveApp/whep/demo", OFFER, "", 400),
        ("POST", "/LiveApp/whep/demo", OFFER, "nonsense", 400),
        ("GET", "/LiveApp/whep/demo", &[], "", 200),
        ("PUT", "/LiveApp/whep/demo", &[], "", 405),
        ("DELETE", session, &[], "", 404),
        ("PATCH", session, &[], "", 404),
        ("OPTIONS", "/LiveApp/whep/demo", &[], "", 204),
    ] {
        let response = http::request(server.http, method, path, headers, body.as_bytes());
        assert_eq!(response.status, status, "{method} {path} {body:?}");
        if path.starts_with("/LiveApp/") {
            assert_eq!(response.header("Access-Control-Allow-Origin"), "*");
        }
    }
}

fn webrtc_viewers(server: &Server) -> u64 {
    let stream = ["cam", "demo"].iter().find_map(|id| server.broadcast(id));
    stream.unwrap()["webRTCViewerCount"].as_u64().unwrap()
}
