//! Publishing by WebRTC: a browser and GStreamer by WHIP, Ant Media's own client by its signalling; what they send is
//! watched by other protocols.

use crate::browser;
use crate::record::{file, probe};
use crate::support::http;
use crate::support::media::{self, Seen, decoding, decoding_to_end, stream};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::python;
use crate::support::{limit, seconds, wait_until};
use serde_json::Value;
use std::process::Command;

#[test]
fn a_browsers_camera_and_microphone_are_seen_heard_and_recorded() {
    let server = Server::with(&["--set", "record.always=true"]);
    let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
    let watch = server.url("/LiveApp/play.html?id=cam&playOrder=webrtc");
    let mut page = page(&server, "/LiveApp/publish.html?id=cam");
    let publisher = Peer::start(page.args(["--watch", &watch, "--seconds", "6"]));
    let live = |line: &str| (line == "live").then_some(());
    assert!(
        publisher.stdout.wait_for(seconds(50), live).is_some(),
        "{}",
        publisher.stderr.text()
    );
    let player = Peer::start(&mut decoding(&server.url("/LiveApp/streams/cam.m3u8"), 4));
    let seen = Seen::of(&player.finish(seconds(60)));
    assert!(seen.pictures > 40, "{seen:?}");
    let finished = publisher.finish(seconds(60)).without_complaint();
    let facts: Value = serde_json::from_str(&finished.stdout["live".len()..]).unwrap();
    let (sent, watched) = (&facts["sent"], &facts["watched"]);
    let codecs: Vec<_> = sent["codecs"].as_array().unwrap().iter().collect();
    assert!(
        codecs.contains(&&"H264".into()) && codecs.contains(&&"opus".into()),
        "{facts}"
    );
    assert!(watched["decodedFrames"].as_f64().unwrap() > 60.0, "{facts}");
    assert!(
        watched["distinctPictures"].as_f64().unwrap() > 6.0,
        "{facts}"
    );
    // The fake microphone beeps.
    assert!(watched["audioRms"].as_f64().unwrap() > 0.001, "{facts}");
    // Stopped by its own button: the stream is over at once.
    server.wait_log(seconds(5), &["WebRTC publisher left", "goodbye"]);
    let is_over = || {
        server
            .broadcast("cam")
            .is_none_or(|cam| cam["status"] != "broadcasting")
    };
    wait_until("the stream is over", seconds(5), is_over);
    // As it came: H.264 and Opus in MP4.
    let recording = file(server.data(), "cam.mp4");
    wait_until("it is recorded", seconds(20), || recording.exists());
    let probed = probe(&recording);
    assert_eq!(stream(&probed, "video")["codec_name"], "h264");
    assert_eq!(stream(&probed, "audio")["codec_name"], "opus");
    let mut whole = decoding_to_end(&recording.to_string_lossy());
    let recorded = Seen::of(&Peer::start(&mut whole).finish(seconds(60)));
    assert!(
        recorded.distinct > 6 && recorded.sound > 2.0,
        "{recorded:?}"
    );
}

/// What a browser publishes is heard wherever RTMP leads: there Opus is made AAC, once for all.
#[test]
fn what_is_published_by_whip_is_heard_over_rtmp() {
    let (server, far) = (Server::start(), Server::start());
    let mut whip = Command::new(python());
    whip.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/whip.py"))
        .arg(server.url("/LiveApp/whip/cam"))
        .args(["60", "h264"]);
    let _publisher = Peer::start(&mut whip);
    server.wait_live("cam");
    let target = format!(r#"{{"endpointUrl":"{}"}}"#, far.rtmp_url("copy"));
    server.rest("POST", "/cam/endpoint", &target);
    far.wait_live("copy");
    for url in [
        server.rtmp_url("cam"),
        server.url("/LiveApp/streams/cam.flv"),
        far.rtmp_url("copy"),
        far.url("/LiveApp/streams/copy.m3u8"),
    ] {
        let seen = Seen::of(&Peer::start(&mut decoding(&url, 4)).finish(seconds(60)));
        assert!(seen.distinct > 60, "{url}: {seen:?}");
        assert!((seen.sound - 4.0).abs() < 0.6, "{url}: {seen:?}");
    }
    let probed = media::probe(&server.rtmp_url("cam"), 2);
    assert_eq!(stream(&probed, "audio")["codec_name"], "aac");
    server.wait_log(seconds(10), &["sound is made AAC", "LiveApp/cam"]);
}

#[test]
fn where_no_datagrams_pass_browsers_publish_and_watch_over_tcp() {
    let server = Server::start();
    let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
    let watch = server.url("/LiveApp/play.html?id=cam&playOrder=webrtc");
    let mut page = page(&server, "/LiveApp/publish.html?id=cam");
    page.args(["--tcp", "--watch", &watch, "--seconds", "4"]);
    let finished = Peer::start(&mut page)
        .finish(seconds(120))
        .without_complaint();
    let facts: Value = serde_json::from_str(&finished.stdout["live".len()..]).unwrap();
    let watched = &facts["watched"];
    assert!(watched["decodedFrames"].as_f64().unwrap() > 40.0, "{facts}");
    assert!(
        watched["distinctPictures"].as_f64().unwrap() > 4.0,
        "{facts}"
    );
    assert!(watched["audioRms"].as_f64().unwrap() > 0.001, "{facts}");
}

#[test]
fn a_camera_that_was_pulled_out_is_opened_again() {
    let server = Server::start();
    let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
    let mut page = page(&server, "/LiveApp/publish.html?id=cam");
    let finished = Peer::start(page.args(["--lost", "--seconds", "1"]))
        .finish(seconds(120))
        .without_complaint();
    assert!(finished.stdout.starts_with("live"), "{}", finished.stdout);
}

#[test]
fn the_page_says_that_the_name_is_taken_and_that_a_login_is_wanted() {
    let server = Server::with(&["--demo", "--set", "auth.publishers=[\"joe:secret\"]"]);
    server.wait_live("demo");
    for (path, state, words) in [
        (
            "/LiveApp/publish.html?id=demo&user=joe&pass=secret",
            "taken",
            "already",
        ),
        (
            "/LiveApp/publish.html?id=cam&user=joe&pass=wrong",
            "refused",
            "user and a password",
        ),
    ] {
        let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
        let finished = Peer::start(page(&server, path).args(["--expect-state", state]))
            .finish(seconds(60))
            .without_complaint();
        assert!(finished.stdout.contains(words), "{}", finished.stdout);
    }
}

#[test]
fn gstreamer_publishes_h264_with_a_token_and_is_watched_by_hls() {
    let server = Server::with(&["--set", "auth.publishers=[\"joe:secret\"]"]);
    let refused = Peer::start(&mut gstreamer(&server, "cam", 1, "h264")).finish(seconds(60));
    assert!(refused.stdout.contains("[401]"), "{}", refused.stdout);
    let publisher = Peer::start(gstreamer(&server, "cam", 14, "h264").arg("joe:secret"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&server.url("/LiveApp/streams/cam.m3u8"), 4));
    let seen = Seen::of(&player.finish(seconds(60)));
    assert!(seen.pictures > 90, "{seen:?}");
    let finished = publisher.finish(seconds(60));
    assert!(
        finished.stdout.contains("[201, 200]"),
        "{} {}",
        finished.stdout,
        finished.stderr
    );
}

#[test]
fn vp8_is_published_and_watched_too() {
    let server = Server::start();
    let publisher = Peer::start(&mut gstreamer(&server, "cam", 10, "vp8"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&server.rtsp_url("cam"), 3));
    let seen = Seen::of(&player.finish(seconds(60)));
    assert!(seen.pictures > 60, "{seen:?}");
    publisher.finish(seconds(60));
}

#[test]
fn ant_medias_own_client_publishes_and_plays() {
    let server = Server::start();
    let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
    let mut node = browser::node(&server);
    node.args([
        "antmedia.mjs",
        "--server",
        server.url("/").trim_end_matches('/'),
    ]);
    let finished = Peer::start(&mut node)
        .finish(seconds(120))
        .without_complaint();
    let facts: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert!(facts["decodedFrames"].as_f64().unwrap() > 50.0, "{facts}");
    assert!(facts["distinctPictures"].as_f64().unwrap() > 5.0, "{facts}");
    assert!(facts["audioRms"].as_f64().unwrap() > 0.001, "{facts}");
}

#[test]
fn requests_of_publishers_that_cannot_be_answered_are_told_why() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    const OFFER: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
    let offer = include_str!("../../protocols/webrtc/tests/offers/chromium.sdp");
    let sends = offer.replace("a=recvonly", "a=sendonly");
    let mut half = sends.clone();
    for name in ["opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"] {
        half = half.replace(name, "other/48000");
    }
    for (method, path, headers, body, status) in [
        ("POST", "/LiveApp/whip/demo", OFFER, sends.as_str(), 409),
        ("POST", "/LiveApp/whip/a..b", OFFER, &sends, 404),
        ("POST", "/Other/whip/cam", OFFER, &sends, 404),
        ("POST", "/LiveApp/whip/cam", OFFER, offer, 406),
        ("POST", "/LiveApp/whip/cam", OFFER, &half, 422),
        ("POST", "/LiveApp/whip/cam", OFFER, "v=0", 400),
        ("POST", "/LiveApp/whip/cam", &[], &sends, 415),
        ("PUT", "/LiveApp/whip/cam", &[], "", 405),
        ("DELETE", "/LiveApp/whip/cam/0123", &[], "", 404),
        ("OPTIONS", "/LiveApp/whip/cam", &[], "", 204),
        ("POST", "/LiveApp/whip/cam", OFFER, &sends, 201),
        ("POST", "/LiveApp/whip/cam", OFFER, &sends, 409),
    ] {
        let answer = http::request(server.http, method, path, headers, body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
}

/// The publish page in a browser with a fake camera.
fn page(server: &Server, path: &str) -> Command {
    let mut node = browser::node(server);
    node.args(["publish.mjs", "--url", &server.url(path)]);
    node
}

/// GStreamer publishing for so many seconds.
fn gstreamer(server: &Server, id: &str, length: u32, codec: &str) -> Command {
    let mut command = Command::new(python());
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/whip.py"))
        .arg(server.url(&format!("/LiveApp/whip/{id}")))
        .args([&length.to_string(), codec]);
    command
}
