//! The panel in a real browser, with real streams and a simulated camera. What is done there is in
//! `tests/browser/panel.mjs`.

use crate::browser::node;
use crate::onvif::simulator;
use crate::support::camera::camera;
use crate::support::limit;
use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// Walks through one task; the browser says what was missing.
#[track_caller]
fn walk(server: &Server, url: &str, task: &str, more: &[&str]) {
    let _place = limit::BROWSER.take();
    let mut script = node(server);
    script
        .args(["panel.mjs", "--url", url, "--task", task])
        .args(more);
    let finished = Peer::start(&mut script).finish(seconds(180));
    assert!(
        finished.status.success(),
        "{task}\n{}\n{}",
        finished.stdout,
        finished.stderr
    );
}

#[test]
fn sources_and_restreams() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let (server, other) = (Server::start(), Server::start());
    let source = format!("rtsp://127.0.0.1:{port}/cam");
    let target = other.rtmp_url("copy");
    let more = ["--source", &source, "--target", &target];
    walk(&server, &server.url("/"), "sources", &more);
    other.wait_log(seconds(10), &["LiveApp/copy-moved", "publishing"]);
    assert!(server.broadcast("front-door").is_none());
}

#[test]
fn cameras_are_found_added_and_moved() {
    let (_stream, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    let (motors, port) = simulator(&server, rtsp_port);
    let address = format!("127.0.0.1:{port}");
    walk(&server, &server.url("/"), "cameras", &["--onvif", &address]);
    let told = motors.stdout.text();
    for words in [
        "continuous -0.5 0",
        "continuous 0 0.5",
        "stop",
        "goto_preset",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
}

#[test]
fn recordings_are_made_played_exported_and_deleted() {
    let server = Server::with(&["--demo"]);
    walk(&server, &server.url("/"), "recordings", &[]);
}

#[test]
fn names_that_are_html_do_no_harm() {
    let server = Server::start();
    walk(&server, &server.url("/"), "hostile", &[]);
}

#[test]
fn who_comes_from_elsewhere_signs_in() {
    let token = "a-token-for-the-panel";
    let tokens = format!("auth.tokens=[\"{token}\"]");
    let server = Server::with(&["--demo", "--set", &tokens]);
    let url = server.url("/").replace("127.0.0.1", "panel.test");
    let more = ["--host", "panel.test", "--token", token];
    walk(&server, &url, "sign-in", &more);
}

#[test]
fn accounts_sign_in_and_out() {
    let password = "panel-password";
    let setting = format!("auth.admin_password={password}");
    let server = Server::with(&["--demo", "--set", &setting]);
    let url = server.url("/").replace("127.0.0.1", "panel.test");
    let more = ["--host", "panel.test", "--password", password];
    walk(&server, &url, "accounts", &more);
}

#[test]
fn below_a_folder_of_a_proxy() {
    let server = Server::with(&["--demo"]);
    walk(&server, &server.url("/"), "folder", &[]);
}

#[test]
fn every_section_in_three_widths() {
    let server = Server::with(&["--demo"]);
    walk(&server, &server.url("/"), "looks", &[]);
}

/// The lines of a stream of events, as they come.
fn events(server: &Server, path: &str) -> impl Iterator<Item = String> + use<> {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(seconds(30))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    BufReader::new(socket).lines().map_while(Result::ok)
}

#[test]
fn changes_are_told_as_they_happen() {
    let server = Server::start();
    let mut lines = events(&server, "/api/v1/events");
    let mut until = |words: &str| {
        let found = lines.find(|line| line.contains(words));
        assert!(found.is_some(), "{words} was not told");
    };
    until("event: all");
    let body = r#"{"streamId":"new","name":"<b>","type":"streamSource","streamUrl":"rtsp://u:secret@127.0.0.1:9/x"}"#;
    server.rest("POST", "/create", body);
    until(r#""LiveApp/new":{"app":"LiveApp","id":"new","title":"<b>""#);
    server.rest("POST", "/new/start", "");
    until(r#""lastError":"cannot connect"#);
    server.rest("DELETE", "/new", "");
    until(r#""gone":["LiveApp/new"]"#);

    let mut lines = events(&server, "/api/v1/log?level=info&text=listening");
    let found = lines.find(|line| line.starts_with("data: ")).unwrap();
    assert!(found.contains("protocol=rtmp"), "{found}");
    assert!(!found.contains("stream published"), "{found}");
    assert_eq!(server.get("/api/v1/log?level=loud").status, 400);
    let all = server.get("/api/v1/streams");
    assert_eq!(all.text(), "[]");
    assert!(!server.log.text().contains("secret"));
}

#[test]
fn a_source_is_looked_into_without_being_added() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let server = Server::with(&["--demo"]);
    let probe = |body: &str| {
        crate::support::http::request(server.http, "POST", "/api/v1/probe", &[], body.as_bytes())
    };
    let found = probe(&format!(r#"{{"url":"rtsp://127.0.0.1:{port}/cam"}}"#));
    assert_eq!(found.status, 200, "{}", found.text());
    let found = found.json();
    assert_eq!(found["tracks"][0]["codec"], "H264", "{found}");
    assert_eq!(found["tracks"][0]["outputs"]["webrtc"]["carries"], true);
    for (body, status) in [
        (r#"{"url":"rtsp://127.0.0.1:9/x"}"#, 502),
        (r#"{"url":"/etc/passwd"}"#, 400),
        (r#"{"url":"file:/etc/passwd"}"#, 400),
        (r#"{"url":"rtsp://169.254.169.254/x"}"#, 403),
        ("{}", 400),
        ("", 400),
    ] {
        let refused = probe(body);
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert!(refused.json()["error"].is_string());
    }
    let names = server.get("/api/v1/streams").json();
    assert_eq!(names.as_array().map(Vec::len), Some(1), "{names}");
    let demo = server.get("/api/v1/streams/LiveApp/demo").json();
    assert_eq!(
        (&demo["id"], &demo["bFrames"]),
        (&"demo".into(), &false.into())
    );
    assert_eq!(server.get("/api/v1/streams/LiveApp/none").status, 404);
    let health = server.get("/api/v1/doctor").json();
    let checks = health["checks"].as_array().unwrap();
    assert!(
        checks
            .iter()
            .any(|check| check["check"] == "disk" && check["state"] != "problem"),
        "{health}"
    );
}
