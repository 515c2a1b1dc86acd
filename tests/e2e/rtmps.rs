//! RTMP over TLS, pulling by RTMP and HTTP-FLV from another server, and servers that send us on.

use crate::restream::{add, wait_state};
use crate::support::clips::Clip;
use crate::support::media::{decode, publish};
use crate::support::nginx::TlsProxy;
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client, server_that_sends_on};
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use rtmp::client::Event;
use serde_json::json;
use std::process::Command;
use std::time::Instant;

#[test]
fn ffmpeg_publishes_and_plays_over_tls() {
    let server = Server::start();
    let mut publisher = Peer::start(&mut publishing_to(&server.rtmps_url("cam")));
    server.wait_live("cam");
    decode(&server.rtmps_url("cam"), 4).assert_about(4.0, 30.0);
    decode(&server.rtmp_url("cam"), 2).assert_about(2.0, 30.0);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
}

#[test]
fn a_stream_is_pulled_however_the_other_server_offers_it() {
    let (origin, edge) = (Server::start(), Server::start());
    let _publisher = publish(&origin, "cam", Clip::BFrames);
    let secure = origin.rtmps_url("cam");
    for (id, url) in [
        ("rtmp", origin.rtmp_url("cam")),
        ("rtmps", format!("{secure}#tls_verify=0")),
        ("flv", origin.url("/LiveApp/streams/cam.flv")),
    ] {
        pull(&edge, id, &url);
        edge.wait_live(id);
        decode(&edge.rtmp_url(id), 3).assert_about(3.0, 30.0);
    }
    // Its certificate is its own work.
    pull(&edge, "strict", &secure);
    wait_until("a reason", seconds(15), || {
        let strict = edge.broadcast("strict").unwrap();
        let error = strict["lastError"].as_str().unwrap_or_default();
        error.contains("certificate of 127.0.0.1 is not accepted")
    });
}

#[test]
fn a_stream_is_pushed_over_tls() {
    let (here, there) = (Server::start(), Server::start());
    let _publisher = publish(&here, "cam", Clip::Standard);
    let url = format!(
        "{}#tls_verify=0&targetStreamType=record",
        there.rtmps_url("in")
    );
    let body = json!({ "endpointUrl": url }).to_string();
    let answer = here.rest("POST", "/cam/endpoint", &body).json();
    assert_eq!(answer["success"], true, "{answer}");
    there.wait_live("in");
    decode(&there.rtmp_url("in"), 3).assert_about(3.0, 30.0);
}

/// nginx takes TLS off: publishing to us, pushing from us by a name that is checked, and pulling by it.
#[test]
fn rtmp_goes_through_tls_of_nginx_both_ways() {
    let far = Server::start();
    let proxy = TlsProxy::start(far.rtmp);
    let near = Server::with(&["--set", &proxy.trusted()]);
    let doubting = Server::start();
    let _publisher = Peer::start(&mut publishing_to(&proxy.url("cam")));
    far.wait_live("cam");
    decode(&proxy.url("cam"), 2).assert_about(2.0, 30.0);

    pull(&near, "pulled", &proxy.url("cam"));
    near.wait_live("pulled");
    decode(&near.rtmp_url("pulled"), 2).assert_about(2.0, 30.0);
    add(&near, "pulled", &proxy.url("back"));
    far.wait_live("back");
    decode(&far.rtmp_url("back"), 2).assert_about(2.0, 30.0);

    // Who does not trust its authority, and a name that is not in the certificate.
    pull(&doubting, "doubting", &proxy.url("cam"));
    pull(
        &near,
        "unnamed",
        &proxy.url("cam").replace("localhost", "127.0.0.1"),
    );
    for (server, id) in [(&doubting, "doubting"), (&near, "unnamed")] {
        wait_until("a reason", seconds(20), || {
            let broadcast = server.broadcast(id).unwrap();
            let error = broadcast["lastError"].as_str().unwrap_or_default();
            error.contains("is not accepted")
        });
    }
}

/// A server that is about to go asks to be connected to elsewhere.
#[test]
fn a_push_and_a_pull_go_where_the_other_server_sends_them() {
    let (here, there) = (Server::start(), Server::start());
    let _publisher = publish(&here, "cam", Clip::Standard);
    let elsewhere = |server: &Server| format!("rtmp://127.0.0.1:{}/LiveApp", server.rtmp);
    let port = server_that_sends_on(&elsewhere(&there));
    let url = format!("rtmp://127.0.0.1:{port}/app/pushed");
    let target = add(&here, "cam", &url);
    there.wait_live("pushed");
    decode(&there.rtmp_url("pushed"), 2).assert_about(2.0, 30.0);
    // It never failed.
    wait_state(&here, "cam", &target, "broadcasting", seconds(10));
    assert_eq!(
        here.log
            .count(|line| line.contains("once more, as the server asks")),
        1
    );

    let port = server_that_sends_on(&elsewhere(&here));
    pull(
        &there,
        "pulled",
        &format!("rtmp://127.0.0.1:{port}/app/cam"),
    );
    there.wait_live("pulled");
    decode(&there.rtmp_url("pulled"), 2).assert_about(2.0, 30.0);
}

#[test]
fn a_server_that_ends_asks_its_clients_to_come_back() {
    let mut server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let (mut player, answer) = Client::play(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    server.stop();
    let deadline = Instant::now() + seconds(20);
    let mut said = String::new();
    while let Ok(Some(event)) = player.next(deadline) {
        if let Event::Reconnect {
            tc_url,
            description,
        } = event
        {
            assert_eq!(tc_url, None);
            said = description;
        }
    }
    assert_eq!(said, "The server is shutting down.");
}

/// ffmpeg publishing a clip without end.
fn publishing_to(url: &str) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"])
        .arg(Clip::Standard.file())
        .args([
            "-c",
            "copy",
            "-f",
            "flv",
            "-flvflags",
            "no_duration_filesize",
            url,
        ]);
    ffmpeg
}

#[track_caller]
fn pull(server: &Server, id: &str, url: &str) {
    let body = json!({ "type": "streamSource", "streamId": id, "streamUrl": url });
    let created = server.rest("POST", "/create?autoStart=true", &body.to_string());
    assert_eq!(created.status, 200, "{}", created.text());
}
