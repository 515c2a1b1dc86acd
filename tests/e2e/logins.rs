//! Players that have to prove who they are: how they are asked over HTTP, and that a login in a URL is enough for all
//! that follows from it.

use crate::browser::watch;
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{Seen, decode, decoding, publish};
use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;

const PLAYERS: [&str; 2] = ["--set", "auth.players=[\"joe:a b&c\"]"];
const LOGIN: &str = "user=joe&pass=a%20b%26c";

#[test]
fn players_over_http_are_asked_for_a_login() {
    let server = Server::with(&PLAYERS);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let sdp = [("Content-Type", "application/sdp")];
    for (method, path, headers) in [
        ("GET", "/LiveApp/streams/cam.m3u8", &[][..]),
        ("GET", "/LiveApp/streams/cam/video.m3u8", &[]),
        ("GET", "/LiveApp/streams/cam.flv", &[]),
        ("GET", "/LiveApp/streams/cam.live.ts", &[]),
        ("POST", "/LiveApp/whep/cam", &sdp),
    ] {
        for query in ["", "?user=joe&pass=wrong"] {
            let path = format!("{path}{query}");
            let refused = request(server.http, method, &path, headers, b"v=0");
            assert_eq!(refused.status, 401, "{path}: {}", refused.text());
            let challenge = refused.header("WWW-Authenticate");
            assert!(challenge.starts_with("Basic realm="), "{path}: {challenge}");
        }
    }
    let basic = [("Authorization", "Basic am9lOmEgYiZj")];
    for path in [
        "/LiveApp/streams/cam.m3u8",
        "/LiveApp/streams/cam/video.m3u8",
    ] {
        let granted = request(server.http, "GET", path, &basic, b"");
        assert_eq!(granted.status, 200, "{}", granted.text());
        // It is not written into what others may see.
        assert!(!granted.text().contains("joe"), "{}", granted.text());
    }
}

/// ffmpeg asks for what playlists name as it stands there.
#[test]
fn a_login_in_the_url_is_enough_for_players() {
    let server = Server::with(&PLAYERS);
    let _publisher = publish(&server, "cam", Clip::Standard);
    for path in ["cam.flv", "cam.live.ts"] {
        let url = server.url(&format!("/LiveApp/streams/{path}?{LOGIN}"));
        decode(&url, 3).assert_about(3.0, 30.0);
    }
    // Of HLS ffmpeg has complaints of its own.
    let url = server.url(&format!("/LiveApp/streams/cam.m3u8?{LOGIN}"));
    let player = Peer::start(&mut decoding(&url, 3));
    let seen = Seen::of(&player.finish(seconds(40)));
    assert!(seen.pictures > 80 && seen.sound > 2.5, "{seen:?}");
    decode(&format!("{}?{LOGIN}", server.rtmp_url("cam")), 2).assert_about(2.0, 30.0);
    assert!(
        !server.log.text().contains("a%20b"),
        "{}",
        server.log.text()
    );
}

#[test]
fn a_login_in_the_link_is_enough_for_the_page() {
    let server = Server::with(&PLAYERS);
    let _publisher = publish(&server, "cam", Clip::Standard);
    for order in ["hls", "webrtc"] {
        let page = format!("/LiveApp/play.html?id=cam&playOrder={order}&{LOGIN}");
        let facts = watch(&server, &page, &["--seconds", "4"]);
        assert_eq!(facts["player"], order, "{facts}");
    }
    // Without, the browser asks the viewer.
    let page = "/LiveApp/play.html?id=cam&playOrder=hls";
    let answers = ["--user", "joe", "--password", "a b&c", "--seconds", "4"];
    watch(&server, page, &answers);
    let wrong = [
        "--user",
        "joe",
        "--password",
        "wrong",
        "--expect-text",
        "Not allowed",
    ];
    watch(&server, page, &wrong);
}

/// mpegts.js, over HTTP and over WebSocket.
#[test]
fn mpegts_js_plays_with_a_login() {
    let server = Server::with(&PLAYERS);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let http = server.url(&format!("/LiveApp/streams/cam.flv?{LOGIN}"));
    for source in [http.clone(), http.replacen("http:", "ws:", 1)] {
        watch(
            &server,
            "/healthz",
            &["--mpegts", &source, "--seconds", "4"],
        );
    }
}
