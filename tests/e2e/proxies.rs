//! nginx and Caddy in front of the server, as docs/guide/proxies.md has their files: at the root of a site and below a
//! folder, with TLS at the proxy. Everything over HTTP goes through.

use crate::browser::node;
use crate::support::media::{Seen, decoding};
use crate::support::peer::Peer;
use crate::support::playlist::{Media, renditions};
use crate::support::proxy::{Place, Proxy};
use crate::support::server::Server;
use crate::support::{limit, seconds};
use serde_json::Value;

/// As Chromium writes it.
const OFFER: &str = include_str!("../../protocols/webrtc/tests/offers/chromium.sdp");

const PASSWORD: &str = "known behind the proxy";

#[test]
fn nginx_at_the_root() {
    let server = server();
    all_of_it(&server, &Proxy::nginx(Place::Root, server.http));
}

#[test]
fn nginx_below_a_folder() {
    let server = server();
    all_of_it(&server, &Proxy::nginx(Place::Folder, server.http));
}

#[test]
fn caddy_at_the_root() {
    let server = server();
    all_of_it(&server, &Proxy::caddy(Place::Root, server.http));
}

#[test]
fn caddy_below_a_folder() {
    let server = server();
    all_of_it(&server, &Proxy::caddy(Place::Folder, server.http));
}

#[track_caller]
fn server() -> Server {
    let password = format!("auth.admin_password={PASSWORD}");
    let trusted = "http.trusted_proxies=[\"127.0.0.1\", \"::1\"]";
    let server = Server::with(&["--demo", "--set", &password, "--set", trusted]);
    server.wait_live("demo");
    server
}

#[track_caller]
fn all_of_it(server: &Server, proxy: &Proxy) {
    signs_in(proxy);
    events_come_at_once(proxy);
    low_latency_hls(proxy);
    sessions_of_whep(proxy);
    websockets(proxy);
    for path in ["/LiveApp/streams/demo.m3u8", "/LiveApp/streams/demo.flv"] {
        let mut ffmpeg = decoding(&proxy.url(path), 3);
        let seen = Seen::of(&Peer::start(&mut ffmpeg).finish(seconds(60)));
        assert!(seen.pictures > 40, "{path}: {seen:?}");
    }
    for order in ["webrtc", "hls"] {
        let _place = limit::BROWSER.take();
        let page = format!("/LiveApp/play.html?id=demo&playOrder={order}");
        let mut play = node(server);
        play.args(["play.mjs", "--seconds", "3", "--wait-playing", "60"])
            .args(["--url", &proxy.url(&page)]);
        let played = Peer::start(&mut play).finish(seconds(120));
        assert!(
            played.status.success(),
            "{order}: {}\n{}\n{}",
            played.stdout,
            played.stderr,
            server.log.text()
        );
        assert!(
            played.stdout.contains(&format!("\"player\":\"{order}\"")),
            "{}",
            played.stdout
        );
    }
}

/// With a status behind what is answered.
const STATUS: [&str; 2] = ["--write-out", "\n%{http_code}"];

/// Behind a proxy nobody is local. Who signs in has a cookie for TLS alone, and is known by the address that the proxy tells.
#[track_caller]
fn signs_in(proxy: &Proxy) {
    let ready = proxy.ask(&[&proxy.url("/readyz")]);
    assert_eq!(ready, "ok\n");
    let streams = proxy.url("/api/v1/streams");
    let refused = proxy.ask(&[STATUS[0], STATUS[1], &streams]);
    assert!(
        refused.ends_with("\n403") || refused.ends_with("\n401"),
        "{refused}"
    );
    let session = proxy.url("/api/v1/session");
    let (ours, json) = (
        "X-Requested-With: millstream",
        "Content-Type: application/json",
    );
    let credentials = format!("{{\"name\":\"admin\",\"password\":\"{PASSWORD}\"}}");
    let call = [
        "--include",
        "--header",
        ours,
        "--header",
        json,
        "--data",
        &credentials,
        &session,
    ];
    let signed_in = proxy.ask(&call).to_lowercase();
    assert!(
        signed_in.contains("set-cookie: __host-millstream="),
        "{signed_in}"
    );
    assert!(signed_in.contains("; secure"), "{signed_in}");
    let listed = proxy.ask(&[&streams]);
    assert!(listed.contains("\"demo\""), "{listed}");
    // As a page of this server does: the proxy must not change what it is told apart by.
    let authority = proxy
        .url("")
        .split('/')
        .take(3)
        .collect::<Vec<_>>()
        .join("/");
    let origin = format!("Origin: {authority}");
    let make = proxy.url("/LiveApp/rest/v2/broadcasts/create");
    let body = r#"{"streamId":"made"}"#;
    let made = proxy.ask(&[
        "--header", ours, "--header", json, "--header", &origin, "--data", body, &make,
    ]);
    assert!(made.contains("\"streamId\":\"made\""), "{made}");
    let done: Value = serde_json::from_str(&proxy.ask(&[&proxy.url("/api/v1/audit")])).unwrap();
    assert!(
        done[0]["from"].as_str().unwrap().starts_with("127.0.0.2"),
        "{done}"
    );
    assert_eq!(done[0]["who"], "admin", "{done}");
}

/// The first event is there while the answer goes on.
#[track_caller]
fn events_come_at_once(proxy: &Proxy) {
    let mut events = proxy.curl(&["--no-buffer", &proxy.url("/api/v1/events")]);
    let mut events = Peer::start(&mut events);
    for words in ["event: all", "event: change"] {
        let come = events
            .stdout
            .wait_for(seconds(40), |line| line.starts_with(words).then_some(()));
        assert!(come.is_some(), "no {words}: {}", events.stdout.text());
    }
    assert!(events.is_running());
}

/// A playlist that is asked for before there is what it is to have.
#[track_caller]
fn low_latency_hls(proxy: &Proxy) {
    let at = proxy.url("/LiveApp/streams/demo.m3u8");
    let multivariant = proxy.ask(&["--fail", &at]);
    let rendition = renditions(&multivariant).remove(0);
    let at = beside(&at, &rendition);
    let open = Media::parse(&proxy.ask(&["--fail", &at])).open_number();
    let sign = if at.contains('?') { '&' } else { '?' };
    let at = format!("{at}{sign}_HLS_msn={}&_HLS_part=0", open + 1);
    let waited = proxy.ask(&["--fail", &at]);
    let now = Media::parse(&waited).open_number();
    assert!(now > open, "{open} {now}\n{waited}");
}

/// An address in a playlist, which is relative to its own.
fn beside(playlist: &str, address: &str) -> String {
    assert!(
        !address.starts_with('/') && !address.contains("://"),
        "{address}"
    );
    let (folder, _) = playlist.rsplit_once('/').unwrap();
    format!("{folder}/{address}")
}

/// The address that a session of WHEP gets is one at which it can be ended.
#[track_caller]
fn sessions_of_whep(proxy: &Proxy) {
    let at = proxy.url("/LiveApp/whep/demo");
    let offer = [
        "--header",
        "Content-Type: application/sdp",
        "--data-binary",
        OFFER,
    ];
    let answer = proxy.ask(&["--include", offer[0], offer[1], offer[2], offer[3], &at]);
    let location = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location")
            .then_some(value.trim())
    });
    let location = location.unwrap_or_else(|| panic!("no location: {answer}"));
    let host: Vec<&str> = at.split('/').take(3).collect();
    let session = match location.starts_with('/') {
        true => format!("{}{location}", host.join("/")),
        false => location.to_owned(),
    };
    assert!(session.starts_with(&at), "{session}");
    let ended = proxy.ask(&[STATUS[0], STATUS[1], "--request", "DELETE", &session]);
    assert!(ended.ends_with("\n200"), "{ended}");
    let again = proxy.ask(&[STATUS[0], STATUS[1], "--request", "DELETE", &session]);
    assert!(again.ends_with("\n404"), "{again}");
}

/// FLV over a WebSocket begins.
#[track_caller]
fn websockets(proxy: &Proxy) {
    let headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut curl = proxy.curl(&["--http1.1", "--include", "--no-buffer", "--max-time", "4"]);
    for header in headers {
        curl.args(["--header", header]);
    }
    curl.arg(proxy.url("/LiveApp/streams/demo.flv"));
    // It is curl that ends it.
    let answer = curl.output().unwrap().stdout;
    let head = String::from_utf8_lossy(&answer);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(answer.windows(3).any(|bytes| bytes == b"FLV"));
    assert!(answer.len() > 20_000, "{} bytes", answer.len());
}
