//! Sources by REST: changed while they run, kept over a restart, with fallbacks, and what the API tells of
//! them.

use crate::browser::comes_back_from;
use crate::support::camera::{camera, pull};
use crate::support::clips::Clip;
use crate::support::media::{Seen, decoding, decoding_to_end, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::{free_port, http, seconds, wait_until};
use serde_json::{Value, json};

/// A URL where nothing listens.
fn nowhere() -> String {
    format!("rtsp://127.0.0.1:{}/cam", free_port())
}

#[track_caller]
fn create(server: &Server, broadcast: &Value) {
    let path = "/create?autoStart=true";
    let answer = server.rest("POST", path, &broadcast.to_string()).json();
    assert_eq!(answer["success"], true, "{answer}");
}

#[track_caller]
fn change(server: &Server, broadcast: &Value) -> Value {
    server.rest("PUT", "/cam", &broadcast.to_string()).json()
}

#[test]
fn a_change_of_what_matters_restarts_the_source_and_others_do_not_disturb_it() {
    let (_camera, port) = camera(0, &["h264", "none", "joe", "s3cret"]);
    let server = Server::start();
    pull(&server, &nowhere());
    server.wait_log(seconds(10), &["source failed"]);
    let url = format!("rtsp://127.0.0.1:{port}/cam");
    assert_eq!(
        change(&server, &json!({"streamUrl": "gopher://x/"}))["success"],
        false
    );
    assert_eq!(change(&server, &json!({"streamUrl": url}))["success"], true);
    server.wait_log(seconds(10), &["asks for a user name and password"]);
    let login = json!({"username": "joe", "password": "s3cret"});
    assert_eq!(change(&server, &login)["success"], true);
    server.wait_live("cam");
    let began = server.broadcast("cam").unwrap();
    assert_eq!(began["lastError"], Value::Null, "{began}");
    assert_eq!(began["publishType"], "Pull");
    assert_eq!(began["remoteIp"], "127.0.0.1");
    assert!(
        began["absoluteStartTimeMs"].as_u64().unwrap() > 0,
        "{began}"
    );
    let failures = server.log.text().matches("source failed").count();
    let other = json!({"name": "Door", "description": "front", "streamUrl": url});
    assert_eq!(change(&server, &other)["success"], true);
    let received = || {
        server.broadcast("cam").unwrap()["receivedBytes"]
            .as_u64()
            .unwrap()
    };
    let before = received();
    wait_until("it goes on", seconds(5), || received() > before);
    let now = server.broadcast("cam").unwrap();
    assert_eq!(
        (&now["name"], &now["status"]),
        (&json!("Door"), &json!("broadcasting"))
    );
    assert_eq!(server.log.text().matches("source failed").count(), failures);
    assert!(!server.log.text().contains("s3cret"));
    // What it was started for is over at once, whatever it is doing.
    let stopped = server.rest("POST", "/cam/stop", "").json();
    assert_eq!(stopped["success"], true, "{stopped}");
    assert_eq!(server.broadcast("cam").unwrap()["status"], "finished");
}

#[test]
fn the_last_error_is_told_without_secrets() {
    let server = Server::start();
    let asked = |id: &str| {
        server
            .rest("GET", &format!("/{id}/ip-camera-error"), "")
            .json()
    };
    assert_eq!(
        asked("cam")["message"],
        "Camera is not found with streamId: cam"
    );
    let port = free_port();
    pull(&server, &format!("rtsp://joe:s3cret@127.0.0.1:{port}/cam"));
    wait_until("an error", seconds(10), || asked("cam")["message"] != "");
    let error = asked("cam");
    assert_eq!(error["success"], false);
    let words = error["message"].as_str().unwrap();
    assert!(
        words.contains(&port.to_string()) && !words.contains("s3cret"),
        "{words}"
    );
    assert_eq!(server.broadcast("cam").unwrap()["lastError"], *words);
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("millstream_sources{phase=\"live\"} 0"),
        "{metrics}"
    );
    let (_camera, _) = camera(port, &["h264", "none"]);
    server.wait_live("cam");
    assert_eq!(asked("cam")["success"], true);
}

#[test]
fn settings_are_kept_and_start_what_ran() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = "/rest/v2/applications/settings/LiveApp";
    let call = |server: &Server, method: &str, body: &str| {
        http::request(server.http, method, path, &[], body.as_bytes())
    };
    let server = Server::on(&data);
    let defaults = call(&server, "GET", "").json();
    assert_eq!(defaults["startStreamFetcherAutomatically"], false);
    assert_eq!(defaults["restartStreamFetcherPeriod"], 0);
    for bad in ["{", r#"{"restartStreamFetcherPeriod":-1}"#] {
        assert_eq!(call(&server, "POST", bad).status, 400, "{bad}");
    }
    let unknown = "/rest/v2/applications/settings/nobody";
    assert_eq!(server.get(unknown).status, 404);
    let url = nowhere();
    let made = json!({"streamId": "made", "type": "streamSource", "streamUrl": url});
    server.rest("POST", "/create", &made.to_string());
    for id in ["runs", "stopped"] {
        create(
            &server,
            &json!({"streamId": id, "type": "streamSource", "streamUrl": url}),
        );
    }
    server.rest("POST", "/stopped/stop", "");
    server.kill();
    // The default is Ant Media Server's: nothing starts by itself.
    let server = Server::on(&data);
    assert_eq!(server.broadcast("runs").unwrap()["status"], "finished");
    let asked = r#"{"startStreamFetcherAutomatically":true,"hlsTime":"2",}"#;
    assert_eq!(call(&server, "POST", asked).json()["success"], true);
    let started = server.rest("POST", "/runs/start", "").json();
    assert_eq!(started["success"], true, "{started}");
    server.kill();
    let server = Server::on(&data);
    assert_eq!(call(&server, "GET", "").json()["hlsTime"], "2");
    // All but what was stopped.
    for id in ["runs", "made"] {
        assert_eq!(server.broadcast(id).unwrap()["status"], "preparing");
    }
    assert_eq!(server.broadcast("stopped").unwrap()["status"], "finished");
}

#[test]
fn a_fallback_steps_in_and_the_first_returns_and_viewers_stay() {
    let (first, first_port) = camera(0, &["h264", "aac"]);
    let (_second, second_port) = camera(0, &["h264", "aac"]);
    let server = Server::with(&["--set", "sources.probe=1s"]);
    let url = |port: u16| format!("rtsp://127.0.0.1:{port}/cam");
    create(
        &server,
        &json!({
            "streamId": "cam",
            "type": "streamSource",
            "streamUrl": url(first_port),
            "fallbackStreamUrls": [url(second_port)],
        }),
    );
    server.wait_live("cam");
    let runs_from = |number: u64| {
        wait_until("the other camera has it", seconds(20), || {
            let cam = server.broadcast("cam").unwrap();
            cam["activeSource"] == number && cam["status"] == "broadcasting"
        });
    };
    runs_from(0);
    let plays_at_speed = || {
        wait_until("its speed is 1", seconds(10), || {
            let speed = server.broadcast("cam").unwrap()["speed"].as_f64();
            (0.9..=1.1).contains(&speed.unwrap())
        });
        // The player is to see something of each.
        std::thread::sleep(seconds(2));
    };
    plays_at_speed();
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    wait_until("the player is counted", seconds(10), || {
        server.broadcast("cam").unwrap()["rtmpViewerCount"] == 1
    });
    std::thread::sleep(seconds(2));
    first.kill();
    runs_from(1);
    plays_at_speed();
    let (_first, _) = camera(first_port, &["h264", "aac"]);
    runs_from(0);
    plays_at_speed();
    assert_eq!(server.broadcast("cam").unwrap()["rtmpViewerCount"], 1);
    let fallbacks = &server.broadcast("cam").unwrap()["fallbackStreamUrls"];
    assert_eq!(fallbacks, &json!([url(second_port)]));
    server.rest("POST", "/cam/stop", "");
    let finished = player.finish(seconds(15));
    let complaints = finished.stderr.to_lowercase();
    assert!(!complaints.contains("non-monoton"), "{complaints}");
    let seen = Seen::of(&finished);
    assert!(seen.pictures > 5 * 25, "{seen:?}");
}

#[test]
fn a_camera_that_returns_with_other_parameters_keeps_its_viewers() {
    let (first, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let rtmp = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let url = server.url("/LiveApp/streams/cam.m3u8");
    let hls = Peer::start(&mut decoding_to_end(&url));
    let (server, _second) = comes_back_from(server, first, "hls", |server, first, _| {
        first.kill();
        wait_until("it is noticed", seconds(10), || {
            server.broadcast("cam").unwrap()["status"] != "broadcasting"
        });
        let (second, _) = camera(port, &["h264-small", "aac-44"]);
        server.wait_live("cam");
        wait_until("the smaller picture", seconds(10), || {
            server.broadcast("cam").unwrap()["width"] == 160
        });
        (server, second)
    });
    // Nobody has been sent away: both end with the stream.
    server.rest("POST", "/cam/stop", "");
    for (what, player) in [("RTMP", rtmp), ("HLS", hls)] {
        let seen = Seen::of(&player.finish(seconds(30)));
        assert!(seen.pictures > 15 * 25, "{what}: {seen:?}");
    }
}

#[test]
fn a_camera_that_returns_with_another_codec_is_played_by_who_can() {
    let (first, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let url = server.url("/LiveApp/streams/cam.m3u8");
    // ffmpeg has something to say of each new segment's header.
    let seen = || {
        let finished = Peer::start(&mut decoding(&url, 3)).finish(seconds(40));
        assert!(finished.status.success(), "{}", finished.stderr);
        Seen::of(&finished)
    };
    seen().assert_about(3.0, 25.0);
    first.kill();
    wait_until("it is noticed", seconds(10), || {
        server.broadcast("cam").unwrap()["status"] != "broadcasting"
    });
    let (_second, _) = camera(port, &["h265", "pcma"]);
    server.wait_live("cam");
    let multivariant = || server.get("/LiveApp/streams/cam.m3u8").text();
    wait_until("HLS offers H.265", seconds(20), || {
        multivariant().contains("hvc1")
    });
    let seen = seen();
    assert!(seen.pictures > 60, "{seen:?}");
}

#[test]
fn an_encoder_may_publish_the_name_of_a_pulled_broadcast() {
    let server = Server::start();
    pull(&server, &nowhere());
    let _publisher = publish(&server, "cam", Clip::Standard);
    assert_eq!(server.broadcast("cam").unwrap()["publishType"], "RTMP");
}

#[test]
fn fallbacks_are_checked() {
    let server = Server::start();
    let broadcast = |fallbacks: Value| {
        json!({
            "streamId": "cam",
            "type": "streamSource",
            "streamUrl": nowhere(),
            "fallbackStreamUrls": fallbacks,
        })
        .to_string()
    };
    for bad in [json!(["file:///etc/passwd"]), json!(vec!["rtsp://a/"; 16])] {
        let answer = server.rest("POST", "/create", &broadcast(bad));
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    let made = server.rest("POST", "/create", &broadcast(json!([])));
    assert_eq!(made.status, 200, "{}", made.text());
    let changed = change(&server, &json!({"fallbackStreamUrls": ["x"]}));
    assert_eq!(changed["success"], false, "{changed}");
}
