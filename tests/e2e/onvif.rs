//! Cameras by ONVIF: ipycam, which nobody here wrote, and one of our own that answers as oddly as real ones do
//! (`onvif_camera.py`). Both name streams of `camera.py`, at addresses where nobody is.

use crate::support::camera::camera;
use crate::support::certificate::Certificate;
use crate::support::http::Response;
use crate::support::media::decode;
use crate::support::peer::Peer;
use crate::support::program;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::{onvif_simulator, python, tool};
use crate::support::wait_until;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");

/// Starts a script; it and the port that it says it listens at.
#[track_caller]
fn start(folder: &Path, script: &str, arguments: &[&str]) -> (Peer, u16) {
    let mut command = Command::new(python());
    command.arg(format!("{SCRIPTS}/{script}")).args(arguments);
    let peer = Peer::start(command.current_dir(folder));
    let port = peer.stdout.wait_for(seconds(20), |line| {
        line.strip_prefix("ready ")
            .and_then(|port| port.parse().ok())
    });
    let port = port.unwrap_or_else(|| panic!("no camera: {}", peer.stderr.text()));
    (peer, port)
}

#[track_caller]
pub(crate) fn simulator(server: &Server, rtsp_port: u16) -> (Peer, u16) {
    let folder = onvif_simulator();
    let folder = folder.to_str().unwrap();
    let arguments = [folder, "0", &rtsp_port.to_string(), "admin", "pass#1"];
    start(server.folder(), "onvif_simulator.py", &arguments)
}

/// A camera with these quirks that names a stream of that port.
#[track_caller]
pub(crate) fn odd(server: &Server, port: u16, rtsp_port: u16, quirks: &[&str]) -> (Peer, u16) {
    let (port, url) = (
        port.to_string(),
        format!("rtsp://127.0.0.1:{rtsp_port}/cam"),
    );
    let arguments = [&[port.as_str(), &url], quirks].concat();
    start(server.folder(), "onvif_camera.py", &arguments)
}

fn add(server: &Server, id: &str, address: &str, password: &str) -> Value {
    let body = json!({
        "type": "ipCamera", "name": id, "streamId": id, "ipAddr": address, "username": "admin", "password": password,
    });
    let response = server.rest("POST", "/create?autoStart=true", &body.to_string());
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[track_caller]
fn added(server: &Server, id: &str, address: &str) {
    let result = add(server, id, address, "pass#1");
    assert_eq!(
        (&result["success"], &result["dataId"]),
        (&json!(true), &json!(id)),
        "{result}"
    );
}

fn ask(server: &Server, method: &str, call: &str) -> Response {
    server.rest(method, &format!("/cam/ip-camera/{call}"), "")
}

#[track_caller]
fn done(server: &Server, method: &str, call: &str) -> Value {
    let result = ask(server, method, call).json();
    assert_eq!(result["success"], true, "{call}: {result}");
    result
}

#[track_caller]
fn told(camera: &Peer, words: &str) {
    let found = camera
        .stdout
        .wait_for(seconds(20), |line| line.starts_with(words).then_some(()));
    assert!(found.is_some(), "{words}: {}", camera.stdout.text());
}

/// Who has the address of the stream at hand gives that.
#[test]
fn the_address_of_a_stream_is_taken_for_what_it_is() {
    let (_stream, port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    added(&server, "cam", &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    assert!(decode(&server.rtmp_url("cam"), 2).pictures >= 45);
    // What else it can do is asked elsewhere.
    let refused = ask(&server, "GET", "status");
    assert_eq!(refused.status, 409, "{}", refused.text());
    let told = refused.json()["message"].to_string();
    assert!(told.contains("its stream's URL"), "{told}");
    assert!(!server.log.text().contains("pass#1"));
}

#[test]
fn a_camera_is_added_watched_and_moved() {
    let (_stream, rtsp_port) = camera(0, &["h264", "aac", "admin", "pass#1"]);
    let server = Server::start();
    let (motors, port) = simulator(&server, rtsp_port);
    added(&server, "cam", &format!("127.0.0.1:{port}"));
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 2).assert_about(2.0, 25.0);

    let profiles = ask(&server, "GET", "device-profiles").json();
    let url = format!("rtsp://127.0.0.1:{rtsp_port}");
    assert_eq!(
        profiles,
        json!([format!("{url}/cam"), format!("{url}/video_sub")])
    );
    let profiles = ask(&server, "GET", "device-profiles?details=true").json();
    assert_eq!(profiles[1]["video"]["width"], 640, "{profiles}");
    let information = ask(&server, "GET", "information").json();
    assert_eq!(information["manufacturer"], "PythonCam", "{information}");

    done(
        &server,
        "POST",
        "move?valueX=0.5&valueY=-0.25&movement=continuous",
    );
    told(&motors, "continuous 0.5 -0.25");
    done(&server, "POST", "stop-move");
    told(&motors, "stop");
    done(&server, "POST", "move?valueX=0.1&valueZ=0.2");
    told(&motors, "relative 0.1 0 0.2");
    done(
        &server,
        "POST",
        "move?valueX=-1&valueY=1&valueZ=0.5&movement=absolute",
    );
    told(&motors, "absolute -1 1 0.5");
    done(&server, "POST", "move-up");
    told(&motors, "relative 0 0.1");
    let preset = done(&server, "POST", "presets?name=Gate")["dataId"].clone();
    let presets = ask(&server, "GET", "presets").json();
    let named = json!({ "token": preset, "name": "Gate" });
    assert!(presets.as_array().unwrap().contains(&named), "{presets}");
    assert_eq!(ask(&server, "GET", "status").json()["pan"], -1.0);
    done(&server, "POST", "home");
    told(&motors, "goto_home");
    done(
        &server,
        "POST",
        &format!("presets/{}", preset.as_str().unwrap()),
    );
    told(&motors, "goto_preset");
    // Nobody stops it: it is stopped.
    let before = motors.stdout.count(|line| line == "stop");
    done(
        &server,
        "POST",
        "move?valueX=1&movement=continuous&timeout=1",
    );
    // One that is no motion leaves that as it is.
    done(&server, "POST", "move");
    wait_until("the camera stands", seconds(20), || {
        motors.stdout.count(|line| line == "stop") > before
    });
    let unknown = ask(&server, "POST", "move?movement=round").json();
    let words = unknown["message"].as_str().unwrap();
    assert!(words.ends_with("absolute but was round"), "{unknown}");
}

#[test]
fn refusals_have_numbers_and_words() {
    let server = Server::start();
    let (_camera, port) = simulator(&server, 9);
    let wrong = add(&server, "cam", &format!("http://127.0.0.1:{port}"), "other");
    let words = wrong["message"].as_str().unwrap();
    assert!(
        words.contains("does not accept the user name and password"),
        "{wrong}"
    );
    assert_eq!(
        (&wrong["success"], &wrong["errorId"]),
        (&json!(false), &json!(-2))
    );
    let (_late, late) = odd(&server, 0, 9, &["ahead=25260"]);
    let wrong = add(&server, "cam", &format!("127.0.0.1:{late}"), "other");
    let words = wrong["message"].as_str().unwrap();
    assert!(words.ends_with("its clock is 7 h off"), "{wrong}");
    let nobody = add(&server, "cam", "127.0.0.1:9", "pass#1");
    assert_eq!(nobody["errorId"], -1, "{nobody}");
    let page = add(&server, "cam", &server.url("/"), "pass#1");
    let words = page["message"].as_str().unwrap();
    assert!(words.contains("no ONVIF service"), "{page}");
    assert!(server.broadcast("cam").is_none());
    assert_eq!(ask(&server, "POST", "move").json()["success"], false);
    assert_eq!(ask(&server, "GET", "information").status, 404);
}

#[test]
fn what_is_odd_about_cameras() {
    let (_stream, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    let (odd_one, port) = odd(
        &server,
        0,
        rtsp_port,
        &[
            "digest",
            "old",
            "deaf",
            "fast",
            "bare",
            "addressed",
            "ahead=-90000",
        ],
    );
    added(&server, "cam", &format!("127.0.0.1:{port}?profileIndex=1"));
    server.wait_live("cam");
    let profiles = ask(&server, "GET", "device-profiles").json();
    assert_eq!(profiles[1], format!("rtsp://127.0.0.1:{rtsp_port}/cam?sub"));
    // One that is incomplete does not hide the others.
    assert_eq!(profiles.as_array().map(Vec::len), Some(2), "{profiles}");
    let profiles = ask(&server, "GET", "device-profiles?details=true").json();
    assert_eq!(
        (&profiles[2]["token"], &profiles[2]["streamUrl"]),
        (&json!("bare"), &Value::Null),
        "{profiles}"
    );
    let information = ask(&server, "GET", "information").json();
    assert_eq!(information["manufacturer"], "Acme & Co");
    let offset = information["clockOffset"].as_i64().unwrap();
    assert!((-90_010..=-89_990).contains(&offset), "{information}");
    // Of speeds from -100 to 100; a step is a short motion, and who does not stop is given the speed of nothing.
    done(&server, "POST", "move-left");
    told(&odd_one, "ContinuousMove -100 0");
    told(&odd_one, "ContinuousMove 0 0");
    let snapshot = ask(&server, "GET", "snapshot");
    assert_eq!(snapshot.header("content-type"), "image/jpeg");
    assert!(snapshot.body.starts_with(b"\xff\xd8\xff"));
    assert_eq!(ask(&server, "GET", "imaging").json()["brightness"], 50.0);
    let set = server
        .rest("PUT", "/cam/ip-camera/imaging", r#"{"brightness":70}"#)
        .json();
    assert_eq!(set["success"], true, "{set}");
    told(&odd_one, "brightness 70");
    let events = ask(&server, "GET", "events").json();
    assert_eq!(events[0]["topic"], "VideoSource/MotionAlarm", "{events}");
    assert_eq!(events[0]["data"]["State"], "true");
    assert_eq!(
        done(&server, "POST", "reboot")["message"],
        "Rebooting in 3 s"
    );
}

#[test]
fn who_goes_to_a_place_is_not_stopped_for_the_motion_before() {
    let server = Server::start();
    let (camera, port) = odd(&server, 0, 9, &[]);
    added(&server, "cam", &format!("127.0.0.1:{port}"));
    let (other, port) = odd(&server, 0, 9, &[]);
    added(&server, "other", &format!("127.0.0.1:{port}"));
    for place in ["home", "presets/p1"] {
        let motion = "move?valueX=1&movement=continuous&timeout";
        done(&server, "POST", &format!("{motion}=1"));
        done(&server, "POST", place);
        // When another that was moved for longer is stopped, this one would have been.
        let stops = other.stdout.count(|line| line == "Stop");
        let path = format!("/other/ip-camera/{motion}=2");
        let moved = server.rest("POST", &path, "").json();
        assert_eq!(moved["success"], true, "{moved}");
        wait_until("the other camera stands", seconds(20), || {
            other.stdout.count(|line| line == "Stop") > stops
        });
        let stopped = camera.stdout.count(|line| line == "Stop");
        assert_eq!(stopped, 0, "{place}: {}", camera.stdout.text());
    }
}

#[test]
fn a_motion_is_ended_though_its_answer_or_its_end_is_lost() {
    let server = Server::start();
    let continuous = "move?valueX=1&movement=continuous&timeout=60";
    // A step of a camera that knows only speeds is a motion that is ended.
    for (operation, call) in [("ContinuousMove", continuous), ("Stop", "move-left")] {
        let lost = format!("lost={operation}");
        let (camera, port) = odd(&server, 0, 9, &["fast", &lost]);
        added(&server, "cam", &format!("127.0.0.1:{port}"));
        let moved = ask(&server, "POST", call).json();
        let words = moved["message"].as_str().unwrap_or_default();
        assert!(words.starts_with("the camera may be moving"), "{moved}");
        told(&camera, &format!("lost {operation}"));
        wait_until("the camera stands", seconds(20), || {
            camera.stdout.count(|line| line == "Stop") > 0
        });
        server.rest("DELETE", "/cam", "");
    }
}

#[test]
fn a_camera_comes_back_with_another_stream() {
    let (first, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    let quirks = ["media2", "faults", "ahead=100"];
    let (onvif, port) = odd(&server, 0, rtsp_port, &quirks);
    added(
        &server,
        "cam",
        &format!("http://127.0.0.1:{port}/onvif/device_service"),
    );
    server.wait_live("cam");
    let (second, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    onvif.kill();
    let (_onvif, _) = odd(&server, port, rtsp_port, &quirks);
    first.kill();
    let watched = second
        .stdout
        .wait_for(seconds(60), |line| line.starts_with("play").then_some(()));
    assert!(watched.is_some(), "{:?}", server.broadcast("cam"));
    server.wait_live("cam");
    // Another password is tried at once, and told where it does not fit.
    let changed = server.rest("PUT", "/cam", r#"{"password":"other"}"#).json();
    assert_eq!(changed["success"], true);
    wait_until("the refusal is told", seconds(30), || {
        let error = server.rest("GET", "/cam/ip-camera-error", "").json();
        let words = error["message"].as_str().unwrap_or_default();
        words.contains("user name and password")
    });
    server.rest("PUT", "/cam", r#"{"password":"pass#1"}"#);
    server.wait_live("cam");
}

#[test]
fn who_does_not_wait_for_events_loses_none_of_those_behind() {
    let server = Server::start();
    let (camera, port) = odd(&server, 0, 9, &["slow"]);
    added(&server, "cam", &format!("127.0.0.1:{port}"));
    let noticed = || {
        let events = ask(&server, "GET", "events").json();
        assert_eq!(events[0]["topic"], "VideoSource/MotionAlarm", "{events}");
    };
    noticed();
    // By HTTP/2 an answer that nobody waits for is not made.
    let url = server.secure_url("/LiveApp/rest/v2/broadcasts/cam/ip-camera/events");
    let mut curl = tool("curl");
    curl.args(["--silent", "--insecure", "--http2", "--max-time", "1", &url]);
    assert_eq!(curl.output().unwrap().stdout, b"");
    noticed();
    let subscribes = |line: &str| line == "CreatePullPointSubscription";
    let count = camera.stdout.count(subscribes);
    assert_eq!(count, 1, "{}", camera.stdout.text());
}

#[test]
fn a_camera_that_has_other_profiles_now_is_asked_for_them() {
    let server = Server::start();
    let (before, port) = odd(&server, 0, 9, &["tokens=1"]);
    added(&server, "cam", &format!("127.0.0.1:{port}"));
    done(&server, "POST", "move?valueX=1");
    told(&before, "RelativeMove 1 0");
    before.kill();
    let (after, _) = odd(&server, port, 9, &["tokens=2", "fast"]);
    let presets = ask(&server, "GET", "presets").json();
    assert_eq!(presets[0]["token"], "p1", "{presets}");
    // In its own scale, which is another too.
    done(
        &server,
        "POST",
        "move?valueX=1&movement=continuous&timeout=1",
    );
    told(&after, "ContinuousMove 100 0");
    // What is refused for another reason is told.
    let unknown = ask(&server, "POST", "presets/p2").json();
    let words = unknown["message"].as_str().unwrap_or_default();
    assert!(words.contains("InvalidArgVal"), "{unknown}");
}

#[test]
fn a_camera_without_a_password_tells_and_takes_settings() {
    let (_stream, rtsp_port) = camera(0, &["h264", "none"]);
    let server = Server::start();
    let (camera, port) = odd(&server, 0, rtsp_port, &["open"]);
    let body = json!({
        "type": "ipCamera", "name": "cam", "streamId": "cam", "ipAddr": format!("localhost:{port}#profile=smallest"),
    });
    let result = server.rest("POST", "/create?autoStart=true", &body.to_string());
    assert_eq!(result.json()["success"], true, "{}", result.text());
    server.wait_live("cam");
    told(&camera, "stream of sub");
    let network = ask(&server, "GET", "network").json();
    let interface = json!({
        "name": "eth0", "hardwareAddress": "00:11:22:33:44:55", "addresses": ["192.168.255.9/24"], "dhcp": true,
    });
    assert_eq!(network, json!([interface]));
    let users = ask(&server, "GET", "users").json();
    assert_eq!(
        users,
        json!([{ "name": "admin", "level": "Administrator" }])
    );
    let encoders = ask(&server, "GET", "encoders").json();
    assert_eq!(encoders[1]["token"], "e-sub", "{encoders}");
    let change = r#"{"width":320,"height":180,"bitrate":512}"#;
    let set = server.rest("PUT", "/cam/ip-camera/encoders/e-sub", change);
    assert_eq!(set.json()["success"], true, "{}", set.text());
    told(&camera, "encoder 320 180 512");
    let presets = ask(&server, "GET", "presets").json();
    assert_eq!(presets, json!([{ "token": "p1", "name": "Gate" }]));
    done(&server, "DELETE", "presets/p1");
    told(&camera, "RemovePreset p1");
    done(&server, "PUT", "home");
    told(&camera, "SetHomePosition");
}

#[test]
fn a_camera_takes_an_old_digest_and_is_chosen_by_token() {
    let (_stream, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    let (camera, port) = odd(&server, 0, rtsp_port, &["md5", "media2"]);
    added(
        &server,
        "cam",
        &format!("onvif://127.0.0.1:{port}#profile=sub"),
    );
    server.wait_live("cam");
    told(&camera, "stream of sub");
    let change = r#"{"width":320,"height":180,"bitrate":512}"#;
    let set = server.rest("PUT", "/cam/ip-camera/encoders/e", change);
    assert_eq!(set.json()["success"], true, "{}", set.text());
    told(&camera, "encoder 320 180 512");
    // Another of its profiles is another broadcast, beside it.
    let address = format!("onvif://127.0.0.1:{port}#profile=main");
    added(&server, "whole", &address);
    server.wait_live("whole");
    told(&camera, "stream of main");
    assert_eq!(server.broadcast("cam").unwrap()["status"], "broadcasting");
}

#[test]
fn over_tls_with_its_own_certificate() {
    let (_stream, rtsp_port) = camera(0, &["h264", "none", "admin", "pass#1"]);
    let server = Server::start();
    let certificate = Certificate::make(server.folder(), "camera");
    let tls = format!("tls={}", certificate.files());
    let (_camera, port) = odd(&server, 0, rtsp_port, &["digest", &tls]);
    let plain = add(
        &server,
        "cam",
        &format!("https://127.0.0.1:{port}"),
        "pass#1",
    );
    let words = plain["message"].as_str().unwrap();
    assert!(
        words.contains("certificate of 127.0.0.1 is not accepted"),
        "{plain}"
    );
    let pinned = format!(
        "https://127.0.0.1:{port}#tls_fingerprint={}",
        certificate.fingerprint()
    );
    added(&server, "cam", &pinned);
    server.wait_live("cam");
}

#[test]
fn cameras_are_found() {
    let server = Server::start();
    let (_camera, port) = simulator(&server, 9);
    let address = format!("198.51.100.1:{port}");
    let found = server.rest("GET", "/onvif-devices", "").json();
    assert!(
        found.as_array().unwrap().contains(&json!(address)),
        "{found}"
    );
    let found = server.rest("GET", "/onvif-devices?details=true", "").json();
    let device = found
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["address"] == address);
    assert_eq!(device.unwrap()["added"], false, "{found}");
    let mut discover = program::command();
    discover.args(["discover", "--timeout", "2s", "--json"]);
    let output = program::run_to_end(&mut discover, seconds(20));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let device = found
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["address"] == address);
    let name = device.unwrap()["name"].as_str().unwrap();
    assert!(name.contains("Simulated"), "{found}");
}
