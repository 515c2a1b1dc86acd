//! The server seen as a camera, by clients that nobody here wrote: WSDiscovery and onvif-zeep (`onvif_clients.py`), onvif
//! and node-onvif (`tests/browser/recorders.mjs`); and by our own.

use crate::browser::node;
use crate::support::clips::Clip;
use crate::support::media::{decode, publish};
use crate::support::peer::{Finished, Peer};
use crate::support::program;
use crate::support::seconds;
use crate::support::server::{FREE_PORTS, Server};
use crate::support::tools::{onvif_clients, tool};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;

/// A server that is a camera to who knows the password, and its port as one.
fn device(more: &[&str]) -> (Server, u16) {
    let own = [
        "--set",
        "onvif.device.listen=127.0.0.1:0",
        "--set",
        "onvif.device.name=Front & back",
        "--set",
        "auth.players=[\"nvr:s3cret\"]",
    ];
    let server = Server::with(&[&own, more].concat());
    let port = server.port_of("onvif");
    (server, port)
}

#[track_caller]
fn told(finished: &Finished) -> Value {
    let Finished { stdout, stderr, .. } = finished;
    assert!(finished.status.success(), "{stdout}\n{stderr}");
    let line = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{stdout}\n{stderr}"))
}

#[track_caller]
fn client(arguments: &[&str]) -> Value {
    let (python, folder) = onvif_clients();
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/onvif_clients.py"
        ))
        .arg(folder)
        .args(arguments);
    told(&Peer::start(&mut command).finish(seconds(60)))
}

#[track_caller]
fn ask(port: u16, password: &str) -> Value {
    client(&["ask", &port.to_string(), "nvr", password])
}

/// Plays what a profile names, as that user.
#[track_caller]
fn plays(profile: &Value) {
    let url = profile["url"].as_str().unwrap();
    let url = url.replace("rtsp://", "rtsp://nvr:s3cret@");
    decode(&url, 2).assert_about(2.0, 30.0);
}

#[test]
fn a_recorder_finds_it_and_plays_its_streams() {
    let (server, port) = device(&["--set", "onvif.device.streams=[\"LiveApp/door\",\"live\"]"]);
    let _door = publish(&server, "door", Clip::Standard);
    let _hidden = publish(&server, "hidden", Clip::Standard);

    let found = client(&["search", "4"]);
    let place = format!("http://127.0.0.1:{port}/onvif/device_service");
    let all = found.as_array().unwrap();
    let device = all.iter().find(|one| one["places"] == json!([place]));
    let device = device.unwrap_or_else(|| panic!("{found}"));
    assert!(
        device["reference"]
            .as_str()
            .unwrap()
            .starts_with("urn:uuid:")
    );
    let scopes = device["scopes"].as_array().unwrap();
    // It reads the blanks of a name, and leaves the rest as it is.
    let name = "onvif://www.onvif.org/name/Front %26 back";
    assert!(scopes.contains(&name.into()), "{found}");

    let answer = ask(port, "s3cret");
    assert_eq!(answer["manufacturer"], "Millstream", "{answer}");
    assert_eq!(answer["services"].as_array().unwrap().len(), 3, "{answer}");
    assert_eq!(answer["sources"], json!(["LiveApp/door"]), "{answer}");
    assert_eq!(answer["read"], 9, "{answer}");
    let ports = json!({ "HTTP": [port], "RTSP": [server.rtsp] });
    assert_eq!(answer["ports"], ports, "{answer}");
    let [profile] = &answer["profiles"].as_array().unwrap()[..] else {
        panic!("{answer}");
    };
    assert_eq!(profile["token"], "LiveApp/door");
    assert_eq!(
        (&profile["encoding"], &profile["width"], &profile["sound"]),
        (&"H264".into(), &640.into(), &"AAC".into())
    );
    assert_eq!(profile["sizes"], json!([640]), "{answer}");
    let url = format!("rtsp://127.0.0.1:{}/LiveApp/door", server.rtsp);
    assert_eq!(profile["url"], url);
    plays(profile);

    let begun = Instant::now();
    let refused = ask(port, "other");
    let words = refused["fault"]
        .as_str()
        .unwrap_or_else(|| panic!("{refused}"));
    assert!(words.contains("Sender not authorized"), "{refused}");
    assert!(
        begun.elapsed() >= seconds(1),
        "a wrong password is not waited for"
    );
    server.wait_log(seconds(5), &["wrong user or password by ONVIF"]);

    let digest = client(&["digest", &port.to_string(), "nvr", "s3cret"]);
    let expected = json!({ "without": 401, "fault": true, "with": [200, 200], "asked": [1, 0], "profiles": 1 });
    assert_eq!(digest, expected);
    let digest = client(&["digest", &port.to_string(), "nvr", "other"]);
    assert_eq!(digest["with"], json!([401, 401]), "{digest}");
}

#[test]
fn two_other_clients_understand_it() {
    let (server, port) = device(&[]);
    let _door = publish(&server, "door", Clip::Standard);
    let by_node = |password: &str| {
        let mut node = node(&server);
        let port = port.to_string();
        node.args([
            "recorders.mjs",
            "--port",
            &port,
            "--user",
            "nvr",
            "--password",
            password,
        ]);
        told(&Peer::start(&mut node).finish(seconds(60)))
    };
    let facts = by_node("s3cret");
    let url = format!("rtsp://127.0.0.1:{}/LiveApp/door", server.rtsp);
    for client in ["onvif", "nodeOnvif"] {
        let found = &facts[client];
        assert_eq!(found["manufacturer"], "Millstream", "{facts}");
        let [profile] = &found["profiles"].as_array().unwrap()[..] else {
            panic!("{facts}");
        };
        assert_eq!(profile["token"], "LiveApp/door", "{facts}");
        assert_eq!(profile["url"], url, "{facts}");
    }
    assert_eq!(facts["onvif"]["isMedia2"], true, "{facts}");
    assert!(
        facts["onvif"]["clock"].as_f64().unwrap() < 30_000.0,
        "{facts}"
    );
    plays(&facts["nodeOnvif"]["profiles"][0]);
    let refused = by_node("other");
    for client in ["onvif", "nodeOnvif"] {
        assert!(refused[client]["error"].is_string(), "{refused}");
    }
}

#[test]
fn another_millstream_takes_it_for_a_camera() {
    let (server, port) = device(&[]);
    let _door = publish(&server, "door", Clip::Standard);
    let mut discover = program::command();
    discover.args(["discover", "--timeout", "2s", "--json"]);
    let output = program::run_to_end(&mut discover, seconds(20));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let address = format!("127.0.0.1:{port}");
    let mut all = found.as_array().unwrap().iter();
    let device = all.find(|device| device["address"] == address);
    let device = device.unwrap_or_else(|| panic!("{found}"));
    assert_eq!(device["name"], "Front & back", "{found}");

    let other = Server::start();
    let add = |id: &str, password: &str| {
        let body = json!({
            "type": "ipCamera", "name": id, "streamId": id, "ipAddr": address, "username": "nvr", "password": password,
        });
        other
            .rest("POST", "/create?autoStart=true", &body.to_string())
            .json()
    };
    let wrong = add("cam", "other");
    assert_eq!(
        (&wrong["success"], &wrong["errorId"]),
        (&false.into(), &(-2).into()),
        "{wrong}"
    );
    let added = add("cam", "s3cret");
    assert_eq!(added["success"], true, "{added}");
    other.wait_live("cam");
    decode(&other.rtmp_url("cam"), 2).assert_about(2.0, 30.0);
}

/// On a link where there is nothing but a link-local address of IPv6, which is all that some cameras have.
const ALONE: &str = r#"
program=$1 folder=$2
shift 2
# Without it nobody is heard who is on the same machine.
ip link set lo up
ip addr flush dev lo
ip link add near type veth peer name far
for one in near far; do ip link set $one addrgenmode none; ip link set $one up; done
ip addr add fe80::1/64 dev near nodad
"$program" --data-dir "$folder/data" "$@" >"$folder/log" 2>&1 &
server=$!
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    found=$("$program" discover --timeout 2s --json)
    case $found in *fe80*) break ;; esac
done
kill $server
wait $server
cat "$folder/log" >&2
echo "$found"
"#;

#[test]
fn it_is_found_by_a_link_local_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut alone = tool("unshare");
    alone.args(["--net", "sh", "-c", ALONE, "sh"]);
    alone
        .arg(env!("CARGO_BIN_EXE_millstream"))
        .arg(folder.path());
    for key in ["http", "rtmp", "rtmps", "onvif.device"] {
        alone.args(["--set", &format!("{key}.listen=[::]:0")]);
    }
    let free = FREE_PORTS.map(|argument| argument.replace("127.0.0.1:0", "[::]:0"));
    alone.args(free);
    let finished = Peer::start(&mut alone).finish(seconds(60));
    let found: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    let place = found[0]["xaddrs"][0].as_str().unwrap_or_default();
    assert!(
        place.starts_with("http://[fe80::1]:") && place.ends_with("/onvif/device_service"),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
}

#[test]
fn it_is_off_and_has_rules() {
    let refused = |assignment: &str| {
        let mut check = program::command();
        check.args(["check-config", "--set", assignment]);
        let output = program::run_to_end(&mut check, seconds(20));
        assert_eq!(output.status.code(), Some(2), "{assignment}");
        String::from_utf8(output.stderr).unwrap()
    };
    let words = refused("onvif.device.streams=[\"nowhere/a\"]");
    assert!(
        words.contains("is no application, and no stream as APP/ID"),
        "{words}"
    );
    let words = refused("onvif.device.name=");
    assert!(
        words.contains("must have between 1 and 64 characters"),
        "{words}"
    );
    let server = Server::start();
    assert!(!server.log.text().contains("protocol=onvif"));
}
