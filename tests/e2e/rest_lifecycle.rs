//! What the REST API says of a broadcast while it comes, goes, and outlives the process.

use crate::support::clips::Clip;
use crate::support::media::{decoding, publish, publish_for};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::{seconds, wait_until};
use serde_json::json;

#[test]
fn a_broadcast_goes_from_created_to_finished() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam","name":"Door"}"#);
    assert_eq!(server.broadcast("cam").unwrap()["status"], "created");
    let publisher = publish_for(&server, "cam", Clip::Standard, 5);
    let live = server.broadcast("cam").unwrap();
    assert_eq!(
        (&live["name"], &live["zombi"]),
        (&json!("Door"), &json!(false))
    );
    assert_eq!(
        (&live["publishType"], &live["type"]),
        (&json!("RTMP"), &json!("liveStream"))
    );
    assert_eq!(
        (&live["width"], &live["height"]),
        (&json!(640), &json!(360))
    );
    assert!(
        live["startTime"].as_i64().unwrap() >= live["date"].as_i64().unwrap(),
        "{live}"
    );
    assert!(live["receivedBytes"].as_i64().unwrap() > 0, "{live}");
    assert!(
        live["remoteIp"].as_str().unwrap().starts_with("127.0.0.1"),
        "{live}"
    );
    assert_eq!(
        server.rest("GET", "/active-live-stream-count", "").json()["number"],
        1
    );
    let _viewer = Peer::start(&mut decoding(&server.rtmp_url("cam"), 20));
    wait_until("the viewer is counted", seconds(5), || {
        let live = server.broadcast("cam").unwrap();
        live["rtmpViewerCount"] == 1 && live["anyoneWatching"] == true
    });
    let statistics = server.rest("GET", "/cam/broadcast-statistics", "").json();
    assert_eq!(statistics["totalRTMPWatchersCount"], 1, "{statistics}");
    publisher.finish(seconds(15)).without_complaint();
    server.wait_status("cam", "finished");
    let over = server.broadcast("cam").unwrap();
    assert_eq!(
        (&over["rtmpViewerCount"], &over["anyoneWatching"]),
        (&json!(0), &json!(false))
    );
    assert_eq!(
        server.rest("GET", "/active-live-stream-count", "").json()["number"],
        0
    );
}

#[test]
fn a_stream_that_nobody_announced_is_listed_while_it_lasts() {
    let server = Server::start();
    let publisher = publish_for(&server, "guest", Clip::Standard, 4);
    let live = server.broadcast("guest").unwrap();
    assert_eq!(
        (&live["zombi"], &live["status"]),
        (&json!(true), &json!("broadcasting"))
    );
    let list = server.rest("GET", "/list/0/10", "").json();
    assert_eq!(list[0]["streamId"], "guest", "{list}");
    let again = server.rest("POST", "/create", r#"{"streamId":"guest"}"#);
    assert_eq!(again.status, 400, "{}", again.text());
    publisher.finish(seconds(15)).without_complaint();
    wait_until("the guest is gone", seconds(3), || {
        server.broadcast("guest").is_none()
    });
    assert_eq!(server.rest("GET", "/count", "").json()["number"], 0);
}

#[test]
fn stop_and_delete_disconnect_the_publisher() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 60));
    std::thread::sleep(seconds(1));
    let stopped = server.rest("POST", "/cam/stop", "").json();
    assert_eq!(
        (&stopped["success"], &stopped["message"]),
        (&json!(true), &json!("Stream stopped"))
    );
    publisher.finish(seconds(5));
    player.finish(seconds(5)).without_complaint();
    server.wait_status("cam", "finished");
    // The name can be used again at once.
    let publisher = publish(&server, "cam", Clip::Standard);
    let deleted = server.rest("DELETE", "/cam", "").json();
    assert_eq!(deleted["success"], true, "{deleted}");
    publisher.finish(seconds(5));
    assert_eq!(server.broadcast("cam"), None);
}

#[test]
fn what_was_accepted_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::on(&data);
    for number in 0..20 {
        let body = json!({ "streamId": format!("cam-{number}"), "name": format!("No. {number}") });
        assert_eq!(
            server.rest("POST", "/create", &body.to_string()).status,
            200
        );
    }
    server.rest("DELETE", "/cam-3", "");
    let update = server.rest(
        "PUT",
        "/cam-4",
        r#"{"name":"four","description":"changed"}"#,
    );
    assert_eq!(update.json()["success"], true);
    let list = |server: &Server| {
        let mut list = server.rest("GET", "/list/0/50", "").json();
        // It holds the port, which is another one after each start.
        let objects = list.as_array_mut().unwrap().iter_mut();
        objects.for_each(|object| object["rtmpURL"] = json!(null));
        list
    };
    let before = list(&server);
    // Not a moment after the last answer.
    server.kill();
    let server = Server::on(&data);
    let after = list(&server);
    assert_eq!(after, before);
    assert_eq!(after.as_array().unwrap().len(), 19);
    assert_eq!(server.broadcast("cam-4").unwrap()["description"], "changed");
}

#[test]
fn a_live_broadcast_has_ended_unexpectedly_after_a_kill_and_is_finished_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::on(&data);
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let publisher = publish(&server, "cam", Clip::Standard);
    server.kill();
    drop(publisher);
    let server = Server::on(&data);
    let status = |server: &Server| server.broadcast("cam").unwrap()["status"].clone();
    assert_eq!(status(&server), "terminated_unexpectedly");
    let _publisher = publish(&server, "cam", Clip::Standard);
    let mut server = server;
    server.stop();
    let server = Server::on(&data);
    assert_eq!(status(&server), "finished");
}
