//! Subscribers who are blocked while they play or publish, by every protocol; and what is told of their coming and going.

use crate::restream::add;
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::publish;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{python, tool};
use crate::support::{seconds, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// Has codes be asked for in LiveApp, of subscribers with secrets of their own.
#[track_caller]
fn ask_for_codes(server: &Server, right: &str) {
    let settings = json!({ format!("enableTimeTokenFor{right}"): true, "timeTokenPeriod": 36_000 });
    let path = "/rest/v2/applications/settings/LiveApp";
    let body = settings.to_string();
    let answer = request(server.http, "POST", path, &[], body.as_bytes());
    assert_eq!(answer.json()["success"], true, "{}", answer.text());
}

/// Registers a subscriber of a stream, and gives what it has to show.
#[track_caller]
fn register(server: &Server, stream: &str, id: &str, kind: &str) -> String {
    let body = json!({ "subscriberId": id, "b32Secret": "GEZDGNBVGY3TQOJQ", "type": kind });
    let path = format!("/{stream}/subscribers");
    let answer = server.rest("POST", &path, &body.to_string()).json();
    assert_eq!(answer["success"], true, "{answer}");
    let code = server.rest("GET", &format!("{path}/{id}/totp?type={kind}"), "");
    let code = code.json()["dataId"].as_str().unwrap().to_owned();
    format!("subscriberId={id}&subscriberCode={code}")
}

#[track_caller]
fn block(server: &Server, stream: &str, id: &str, kind: &str) {
    let path = format!("/{stream}/subscribers/{id}/block/600/{kind}");
    let answer = server.rest("PUT", &path, "").json();
    assert_eq!(answer["success"], true, "{answer}");
}

/// How many connections a subscriber of a stream has.
#[track_caller]
fn connections(server: &Server, stream: &str, id: &str) -> u64 {
    let path = format!("/{stream}/subscribers/list/0/50");
    let all = server.rest("GET", &path, "").json();
    let all = all.as_array().unwrap();
    let own = all.iter().find(|known| known["subscriberId"] == id);
    let own = own.unwrap_or_else(|| panic!("no {id}: {all:?}"));
    let count = own["currentConcurrentConnections"].as_u64().unwrap();
    assert_eq!(own["connected"], count > 0, "{own}");
    count
}

/// How often each of these has happened: coming or going, and by which protocol.
#[track_caller]
fn events(
    server: &Server,
    stream: &str,
    id: &str,
    kind: &str,
) -> BTreeMap<(String, String), usize> {
    let path = format!("/{stream}/connection-events/0/50?subscriberId={id}");
    let all = server.rest("GET", &path, "").json();
    let mut counts = BTreeMap::new();
    for event in all.as_array().unwrap() {
        assert_eq!(event["streamId"], stream, "{event}");
        assert_eq!(event["subscriberId"], id, "{event}");
        assert_eq!(event["type"], kind, "{event}");
        assert!(
            event["timestamp"].as_u64().unwrap() > 1_700_000_000_000,
            "{event}"
        );
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        *counts
            .entry((text("eventType"), text("eventProtocol")))
            .or_default() += 1;
    }
    counts
}

/// That each protocol has come and gone so often.
fn come_and_gone(protocols: &[(&str, usize)]) -> BTreeMap<(String, String), usize> {
    let both = protocols.iter().flat_map(|(protocol, count)| {
        ["connected", "disconnected"]
            .map(|what| ((what.to_owned(), (*protocol).to_owned()), *count))
    });
    both.collect()
}

/// ffmpeg, playing as long as it is sent something.
fn player(options: &[&str], url: &str) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error"])
        .args(options)
        .args(["-i", url, "-map", "0", "-c", "copy", "-f", "null", "-"]);
    Peer::start(&mut ffmpeg)
}

#[test]
fn who_is_blocked_stops_playing_by_every_protocol() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    ask_for_codes(&server, "Play");
    let shown = register(&server, "cam", "viewer1", "play");
    let other = register(&server, "cam", "viewer2", "play");
    let http = |rest: &str| server.url(&format!("/LiveApp/{rest}?{shown}"));
    let rtmp = |shown: &str| format!("{}?{shown}", server.rtmp_url("cam"));
    let rtsp = format!("{}?{shown}", server.rtsp_url("cam"));
    let srt = format!("srt://127.0.0.1:{}", server.srt);
    let stream_id = format!("read:LiveApp/cam?{shown}");
    let players = [
        player(&[], &rtmp(&shown)),
        player(&["-rtsp_transport", "tcp"], &rtsp),
        player(&["-srt_streamid", &stream_id], &srt),
        player(&[], &http("streams/cam.flv")),
        player(&[], &http("streams/cam.live.ts")),
    ];
    // Nobody tells these that they are sent nothing more.
    let _datagrams = player(&["-rtsp_transport", "udp"], &rtsp);
    let whep = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/whep.py");
    let mut command = Command::new(python());
    command.args([whep, &http("whep/cam"), "600"]);
    let _browser = Peer::start(&mut command);
    let mut stays = player(&[], &rtmp(&other));
    let playlist = format!("/LiveApp/streams/cam.m3u8?{shown}");
    wait_until("all play", seconds(60), || {
        // As players of HLS do.
        let status = server.get(&playlist).status;
        assert_eq!(status, 200);
        connections(&server, "cam", "viewer1") == 8 && connections(&server, "cam", "viewer2") == 1
    });
    block(&server, "cam", "viewer1", "play");
    wait_until("all have gone", seconds(40), || {
        connections(&server, "cam", "viewer1") == 0
    });
    for player in players {
        player.finish(seconds(40));
    }
    let answer = server.get(&playlist);
    assert_eq!(answer.status, 403, "{}", answer.text());
    let protocols = ["flv", "hls", "mpegts", "rtmp", "srt", "webrtc"].map(|name| (name, 1));
    let expected = come_and_gone(&[&protocols[..], &[("rtsp", 2)]].concat());
    assert_eq!(events(&server, "cam", "viewer1", "play"), expected);
    // Another stays.
    assert!(stays.is_running(), "{}", stays.stderr.text());
    assert_eq!(connections(&server, "cam", "viewer2"), 1);
    assert_eq!(events(&server, "cam", "viewer2", "play").len(), 1);
}

#[test]
fn who_is_blocked_stops_publishing_by_every_protocol() {
    let (server, far) = (Server::start(), Server::start());
    ask_for_codes(&server, "Publish");
    let ids = ["rtmp", "rtsp", "srt", "webrtc"];
    let shown: BTreeMap<&str, String> = ids
        .map(|id| (id, register(&server, id, "encoder1", "publish")))
        .into();
    let publisher = |form: &[&str], url: &str| {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-hide_banner", "-v", "error", "-re"])
            .args(["-stream_loop", "-1", "-i"])
            .arg(Clip::Standard.file())
            .args(["-c", "copy", "-f"])
            .args(form)
            .arg(url);
        Peer::start(&mut ffmpeg)
    };
    let srt = format!("srt://127.0.0.1:{}", server.srt);
    let stream_id = format!("publish:LiveApp/srt?{}", shown["srt"]);
    let publishers = [
        publisher(
            &["flv"],
            &format!("{}?{}", server.rtmp_url("rtmp"), shown["rtmp"]),
        ),
        publisher(
            &["rtsp", "-rtsp_transport", "tcp"],
            &format!("{}?{}", server.rtsp_url("rtsp"), shown["rtsp"]),
        ),
        publisher(&["mpegts", "-srt_streamid", &stream_id], &srt),
    ];
    let _source = publish(&far, "cam", Clip::Standard);
    let whip = server.url(&format!("/LiveApp/whip/webrtc?{}", shown["webrtc"]));
    add(&far, "cam", &whip.replace("http", "whip"));
    for id in ids {
        server.wait_live(id);
        assert_eq!(connections(&server, id, "encoder1"), 1);
        // From playing: who publishes stays.
        block(&server, id, "encoder1", "play");
    }
    assert!(
        ids.iter()
            .all(|id| connections(&server, id, "encoder1") == 1)
    );
    for id in ids {
        block(&server, id, "encoder1", "publish");
    }
    wait_until("all have gone", seconds(40), || {
        ids.iter()
            .all(|id| connections(&server, id, "encoder1") == 0)
    });
    for publisher in publishers {
        publisher.finish(seconds(40));
    }
    for id in ids {
        let expected = come_and_gone(&[(id, 1)]);
        assert_eq!(events(&server, id, "encoder1", "publish"), expected);
    }
    wait_until("the streams are over", seconds(40), || {
        let broadcast = |id: &&str| server.broadcast(id);
        let is_live = |found: Value| found["status"] == "broadcasting";
        !ids.iter().filter_map(broadcast).any(is_live)
    });
}
