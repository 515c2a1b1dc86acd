//! HTTP over TLS: both versions of HTTP, players and browsers.

use crate::browser;
use crate::support::media::Seen;
use crate::support::media::decoding;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{limit, seconds, wait_until};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Command;

#[test]
fn who_knows_http_2_gets_it_and_who_does_not_is_served_as_well() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    // Only what is asked for, however many times on one connection.
    let many = server.secure_url("/LiveApp/rest/v2/broadcasts/demo?[1-300]");
    for (version, number) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let mut curl = curl(&[version, "--output", "/dev/null", &many]);
        let output = curl
            .arg("--write-out")
            .arg("%{http_version} %{http_code} %{num_connects}\n")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let told: Vec<_> = told.lines().collect();
        assert_eq!(
            told.len(),
            300,
            "{version}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(told[0], format!("{number} 200 1"));
        assert!(
            told[1..]
                .iter()
                .all(|line| *line == format!("{number} 200 0")),
            "{told:?}"
        );
    }
}

#[test]
fn what_never_ends_goes_over_a_connection_of_its_own() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    for (path, start) in [("demo.flv", &b"FLV\x01"[..]), ("demo.live.ts", &[0x47])] {
        // The client is told so, and asks again by HTTP/1.1.
        let url = server.secure_url(&format!("/LiveApp/streams/{path}"));
        let output = curl(&["--http2", "--max-time", "3", &url])
            .output()
            .unwrap();
        assert!(
            output.stdout.len() > 50_000,
            "{path}: {} bytes, {}",
            output.stdout.len(),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout.starts_with(start), "{path}");
    }
}

#[test]
fn what_a_client_has_begun_is_done_and_noted_when_it_goes_away() {
    let server = Server::start();
    // A camera that does not answer for as long as it may.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let camera = json!({
        "type": "ipCamera", "name": "cam", "streamId": "cam", "ipAddr": deaf.local_addr().unwrap().to_string(),
    });
    let url = server.secure_url("/LiveApp/rest/v2/broadcasts/create?autoStart=true");
    let output = curl(&[
        "--http2",
        "--max-time",
        "1",
        "--json",
        &camera.to_string(),
        &url,
    ])
    .output()
    .unwrap();
    assert_eq!(output.stdout, b"");
    wait_until("it is noted", seconds(60), || {
        let audit = server.get("/api/v1/audit").text();
        audit.contains("POST /LiveApp/rest/v2/broadcasts/create")
    });
}

#[test]
fn players_and_browsers_watch_over_tls() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let mut ffmpeg = decoding(&server.secure_url("/LiveApp/streams/demo.m3u8"), 4);
    let seen = Seen::of(&Peer::start(&mut ffmpeg).finish(seconds(60)));
    assert!(seen.pictures > 60, "{seen:?}");
    for order in ["webrtc", "hls", "dash"] {
        let _place = limit::BROWSER.take();
        let page = format!("/LiveApp/play.html?id=demo&playOrder={order}");
        let finished = browse(&server, &["play.mjs", "--url", &server.secure_url(&page)]);
        assert_eq!(finished["ok"], true, "{order}: {finished}");
    }
}

#[test]
fn the_publish_page_leads_to_where_browsers_give_cameras() {
    let server = Server::start();
    let _places = (limit::ENCODING_BROWSER.take(), limit::BROWSER.take());
    // Not this machine, as far as the browser knows.
    let url = server
        .url("/LiveApp/publish.html?id=cam")
        .replace("127.0.0.1", "camera.example");
    let named = ["--here", "camera.example"];
    let words = "Open this page over HTTPS";
    let arguments = [
        &["play.mjs", "--url", &url, "--expect-text", words][..],
        &named,
    ]
    .concat();
    assert_eq!(browse(&server, &arguments)["ok"], true);
    let watch = server.secure_url("/LiveApp/play.html?id=cam&playOrder=webrtc");
    let url = server
        .secure_url("/LiveApp/publish.html?id=cam")
        .replace("127.0.0.1", "camera.example");
    let arguments = [
        "publish.mjs",
        "--url",
        &url,
        "--watch",
        &watch,
        "--seconds",
        "4",
    ];
    let mut node = browser::node(&server);
    let publisher = Peer::start(node.args([&arguments[..], &named].concat()));
    wait_until("the camera is live", seconds(50), || {
        server
            .broadcast("cam")
            .is_some_and(|cam| cam["status"] == "broadcasting")
    });
    let finished = publisher.finish(seconds(60)).without_complaint();
    let facts: Value = serde_json::from_str(&finished.stdout["live".len()..]).unwrap();
    assert!(
        facts["watched"]["decodedFrames"].as_f64().unwrap() > 40.0,
        "{facts}"
    );
}

fn curl(arguments: &[&str]) -> Command {
    let mut curl = tool("curl");
    curl.args(["--silent", "--show-error", "--insecure"]);
    curl.args(arguments);
    curl
}

/// What a check in the browser prints.
#[track_caller]
fn browse(server: &Server, arguments: &[&str]) -> Value {
    let finished = Peer::start(browser::node(server).args(arguments)).finish(seconds(60));
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr))
}
