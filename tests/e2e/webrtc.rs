//! WebRTC by WHEP: Chromium plays it with sound, falls back to HLS where there is none, and bad requests are
//! told what is wrong with them.

use crate::browser::watch;
use crate::support::http;
use crate::support::server::Server;

const OFFER: &[(&str, &str)] = &[("Content-Type", "application/sdp")];

#[test]
fn the_servers_own_stream_plays_with_sound() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=webrtc";
    let facts = watch(&server, path, &["--seconds", "6"]);
    assert_eq!(facts["player"], "webrtc", "{facts}");
    assert!(facts["startMs"].as_f64().unwrap() < 6_000.0, "{facts}");
}

#[test]
fn without_webrtc_the_page_plays_hls() {
    let server = Server::with(&["--demo", "--set", "webrtc.listen="]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=webrtc,hls";
    let facts = watch(&server, path, &["--seconds", "4"]);
    assert_eq!(facts["player"], "hls", "{facts}");
}

#[test]
fn requests_that_cannot_be_answered_are_told_why() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let session = "/LiveApp/whep/demo/0123456789abcdef";
    for (method, path, headers, body, status) in [
        ("POST", "/LiveApp/whep/nobody", OFFER, "v=0", 404),
        ("POST", "/Other/whep/demo", OFFER, "v=0", 404),
        ("POST", "/LiveApp/whep/a..b", OFFER, "v=0", 404),
        ("POST", "/LiveApp/whep/demo", &[], "v=0", 415),
        ("POST", "/LiveApp/whep/demo", OFFER, "", 400),
        ("POST", "/LiveApp/whep/demo", OFFER, "nonsense", 400),
        ("GET", "/LiveApp/whep/demo", &[], "", 405),
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
