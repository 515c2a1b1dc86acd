//! WebRTC with other servers: what they have is pulled by WHEP, and published there by WHIP; and aiortc, which nobody here
//! wrote, as each of its four far ends.

use crate::restream::{add, wait_state};
use crate::support::camera::{pull, pull_as};
use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::aiortc;
use crate::support::turn::turn_server;
use crate::support::{limit, seconds};
use serde_json::Value;
use std::process::Command;

/// aiortc does not send from the loopback address alone.
const EVERYWHERE: [&str; 2] = ["--set", "webrtc.listen=[::]:0"];

#[test]
fn one_server_pulls_from_another_and_publishes_to_a_third() {
    let (first, second, third) = (Server::start(), Server::start(), Server::start());
    let _publisher = publish(&first, "cam", Clip::Standard);
    pull(
        &second,
        &first.url("/LiveApp/whep/cam").replace("http", "whep"),
    );
    second.wait_live("cam");
    let whip = third.url("/LiveApp/whip/copy").replace("http", "whip");
    let id = add(&second, "cam", &whip);
    wait_state(&second, "cam", &id, "broadcasting", seconds(20));
    third.wait_live("copy");
    // The sound has been made Opus on its way.
    has_both(&decode(&third.rtsp_url("copy"), 4));
    // Who is stopped says goodbye, and the resource is deleted.
    second.rest(
        "DELETE",
        &format!("/cam/endpoint?endpointServiceId={id}"),
        "",
    );
    third.wait_log(seconds(10), &["WebRTC publisher left", "goodbye"]);
    second.rest("POST", "/cam/stop", "");
    first.wait_log(seconds(10), &["WebRTC viewer left"]);
}

/// A server asks for a key frame every few seconds. A source that makes none is not sent again from its last.
#[test]
fn what_another_server_asks_for_without_need_is_not_sent_twice() {
    let servers = [Server::start(), Server::start()];
    let [server, far] = &servers;
    let _publisher = publish(server, "cam", Clip::OneKeyFrame);
    let whip = far.url("/LiveApp/whip/cam").replace("http", "whip");
    let id = add(server, "cam", &whip);
    wait_state(server, "cam", &id, "broadcasting", seconds(20));
    far.wait_live("cam");
    let count = || {
        servers.each_ref().map(|server| {
            let metrics = server.get("/metrics?streams=1").text();
            let name = "millstream_stream_access_units{stream=\"LiveApp/cam\"} ";
            let count = metrics.lines().find_map(|line| line.strip_prefix(name));
            count.unwrap().parse::<f64>().unwrap()
        })
    };
    let before = count();
    std::thread::sleep(seconds(9));
    let after = count();
    let [published, arrived] = [0, 1].map(|at| after[at] - before[at]);
    // Opus has a few more frames than AAC.
    assert!(
        (0.9..1.2).contains(&(arrived / published)),
        "{published} published, {arrived} arrived"
    );
}

/// Each through a TURN server, and no other way.
#[test]
fn it_pulls_and_publishes_through_a_turn_server() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Server::start(), Server::start());
    let (_turn, port) = turn_server(folder.path());
    let _publisher = publish(&first, "cam", Clip::Standard);
    let through = |url: String, login: &str| {
        let url = url.replace("http", "whep");
        format!("{url}#turn={login}@127.0.0.1:{port}&turn_only=1")
    };
    let source = first.url("/LiveApp/whep/cam");
    pull_as(&second, "wrong", &through(source.clone(), "joe:hidden"));
    second.wait_log(seconds(20), &["the TURN server refuses the login"]);
    assert!(!second.log.text().contains("hidden"));
    pull(&second, &through(source, "joe:secret"));
    second.wait_live("cam");
    let whip = first.url("/LiveApp/whip/copy").replace("http", "whip");
    let whip = format!("{whip}#turn=joe:secret@127.0.0.1:{port}&turn_only=1");
    add(&second, "cam", &whip);
    first.wait_live("copy");
    has_both(&decode(&first.rtsp_url("copy"), 4));
}

#[test]
fn what_another_server_refuses_is_said_in_words_and_b_frames_are_not_sent() {
    let (server, far) = (Server::start(), Server::start());
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let nobody = far.url("/LiveApp/whep/nobody#token=secret");
    pull_as(&server, "other", &nobody.replace("http", "whep"));
    server.wait_log(seconds(20), &["404 Not Found"]);
    let id = add(
        &server,
        "cam",
        &far.url("/LiveApp/whip/copy").replace("http", "whip"),
    );
    let found = wait_state(&server, "cam", &id, "failed", seconds(20));
    let error = found["lastError"].as_str().unwrap_or_default();
    assert!(error.contains("B-frames"), "{found}");
    assert!(!server.log.text().contains("secret"));
}

#[test]
fn aiortc_is_pulled_from_with_a_token() {
    let _place = limit::ENCODING_BROWSER.take();
    let (far, port) = serving(30);
    let server = Server::start();
    pull(&server, &format!("whep://127.0.0.1:{port}/whep#token=word"));
    server.wait_live("cam");
    has_both(&decode(&server.rtsp_url("cam"), 4));
    server.rest("POST", "/cam/stop", "");
    let facts = facts(far);
    assert_eq!(facts["deleted"], true, "{facts}");
}

#[test]
fn aiortc_is_published_to_with_a_token() {
    let _place = limit::ENCODING_BROWSER.take();
    let (far, port) = serving(60);
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let refused = add(
        &server,
        "cam",
        &format!("whip://127.0.0.1:{port}/whip#token=wrong"),
    );
    let found = wait_state(&server, "cam", &refused, "failed", seconds(20));
    let error = found["lastError"].as_str().unwrap_or_default();
    assert!(
        error.contains("401 Unauthorized: a token is wanted"),
        "{found}"
    );
    let id = add(
        &server,
        "cam",
        &format!("whip://127.0.0.1:{port}/whip#token=word"),
    );
    wait_state(&server, "cam", &id, "broadcasting", seconds(20));
    let seen = |line: &str| (line == "seen").then_some(());
    assert!(
        far.stdout.wait_for(seconds(40), seen).is_some(),
        "{}",
        far.stderr.text()
    );
    server.rest(
        "DELETE",
        &format!("/cam/endpoint?endpointServiceId={id}"),
        "",
    );
    let facts = facts(far);
    assert_eq!(facts["deleted"], true, "{facts}");
    saw_both(&facts);
}

#[test]
fn aiortc_plays_and_publishes() {
    let _place = limit::ENCODING_BROWSER.take();
    let server = Server::with(&EVERYWHERE);
    let clip = Clip::Standard.file();
    let mut command = program("publish");
    command
        .args([&server.url("/LiveApp/whip/cam"), "300"])
        .arg(clip);
    let _publisher = Peer::start(&mut command);
    server.wait_live("cam");
    has_both(&decode(&server.rtsp_url("cam"), 3));
    let mut command = program("play");
    command.args([&server.url("/LiveApp/whep/cam"), "6"]);
    saw_both(&facts(Peer::start(&mut command)));
}

fn has_both(seen: &Seen) {
    assert!(seen.pictures > 30 && seen.distinct > 20, "{seen:?}");
    assert!(seen.sound > 2.0, "{seen:?}");
}

fn saw_both(facts: &Value) {
    let count = |name: &str| facts[name].as_u64().unwrap();
    assert!(count("pictures") > 30 && count("distinct") > 20, "{facts}");
    assert!(
        count("samples") > 48_000 && count("peak") > 1_000,
        "{facts}"
    );
}

/// The facts in the last line.
fn facts(far: Peer) -> Value {
    let finished = far.finish(seconds(90));
    let last = finished.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{}{}", finished.stdout, finished.stderr))
}

/// A server of one session, for so many seconds, and its port.
pub(crate) fn serving(length: u32) -> (Peer, u16) {
    let mut command = program("serve");
    command.arg(length.to_string()).arg(Clip::Standard.file());
    let far = Peer::start(&mut command);
    let ready = |line: &str| line.strip_prefix("ready ")?.parse().ok();
    let port = far.stdout.wait_for(seconds(40), ready);
    let port = port.unwrap_or_else(|| panic!("{}", far.stderr.text()));
    (far, port)
}

fn program(what: &str) -> Command {
    let (python, folder) = aiortc();
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/aiortc_peer.py"
        ))
        .arg(folder)
        .arg(what);
    command
}
