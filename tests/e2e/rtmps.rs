//! RTMP over TLS, and pulling by RTMP and HTTP-FLV from another server.

use crate::support::clips::Clip;
use crate::support::media::{decode, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use serde_json::json;

#[test]
fn ffmpeg_publishes_and_plays_over_tls() {
    let server = Server::start();
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
        ])
        .arg(server.rtmps_url("cam"));
    let mut publisher = Peer::start(&mut ffmpeg);
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

#[track_caller]
fn pull(server: &Server, id: &str, url: &str) {
    let body = json!({ "type": "streamSource", "streamId": id, "streamUrl": url });
    let created = server.rest("POST", "/create?autoStart=true", &body.to_string());
    assert_eq!(created.status, 200, "{}", created.text());
}
