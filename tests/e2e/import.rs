//! Streams of other servers' files, and all that the APIs have made, taken to another data folder.

use crate::support::http;
use crate::support::program::{command, run_to_end};
use crate::support::seconds;
use crate::support::server::Server;
use serde_json::json;
use std::path::Path;

/// Runs a command on a data folder; its exit status and what it said.
fn run(arguments: &[&str], data: &Path) -> (Option<i32>, String) {
    let mut command = command();
    command.args(arguments).arg("--data-dir").arg(data);
    let output = run_to_end(&mut command, seconds(20));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn imported_streams_run_and_all_of_a_server_goes_to_another() {
    let camera = Server::with(&["--demo"]);
    camera.wait_live("demo");
    let url = camera.rtsp_url("demo");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (mediamtx, go2rtc) = (path("mediamtx.yml"), path("go2rtc.yaml"));
    let text = format!(
        "rtspAddress: :8554\npaths:\n  cam:\n    source: {url}\n    rtspTransport: tcp\n  house/door:\n    \
         source: {url}\n    sourceOnDemand: yes\n  pi:\n    source: rpiCamera\n"
    );
    std::fs::write(&mediamtx, text).unwrap();
    std::fs::write(
        &go2rtc,
        format!("streams:\n  garden: {url}\npreload:\n  garden:\n"),
    )
    .unwrap();
    let data = path("data");
    let (status, said) = run(&["import", mediamtx.to_str().unwrap()], &data);
    assert_eq!(status, Some(1), "{said}");
    for words in [
        "taken     LiveApp/cam from rtsp://127.0.0.1:",
        "renamed   \"house/door\" is LiveApp/house-door here",
        "mediamtx.yml:10: paths.pi.source: ",
        "mediamtx.yml:1: rtspAddress: ",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let (status, said) = run(&["import", go2rtc.to_str().unwrap()], &data);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(&["import", go2rtc.to_str().unwrap()], &data);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("LiveApp/garden: there is one already"),
        "{said}"
    );

    let mut server = Server::on(&data);
    server.wait_live("cam");
    server.wait_live("garden");
    assert_eq!(server.broadcast("cam").unwrap()["madeBy"], "api");
    assert_eq!(
        server.broadcast("house-door").unwrap()["autoStartStopEnabled"],
        true
    );
    // A server that runs is not worked on, and gives the same itself.
    for arguments in [
        &["import", go2rtc.to_str().unwrap()] as &[&str],
        &["export"],
    ] {
        let (status, said) = run(arguments, &data);
        assert_eq!(status, Some(2));
        assert!(
            said.contains("in use") && said.trim_end().lines().count() == 1,
            "{said}"
        );
    }
    let state = server.get("/api/v1/state").json();
    assert_eq!(state["form"], 1);
    server.stop();
    let (status, exported) = run(&["export"], &data);
    assert_eq!(status, Some(0), "{exported}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&exported).unwrap(),
        state
    );

    // By file into a new folder, and by call into a server that runs.
    let (file, second) = (path("state.json"), path("second"));
    std::fs::write(&file, &exported).unwrap();
    let (status, said) = run(&["import", file.to_str().unwrap()], &second);
    assert_eq!(status, Some(0), "{said}");
    let third = Server::start();
    let restored = http::request(third.http, "PUT", "/api/v1/state", &[], exported.as_bytes());
    let all = json!(["LiveApp/cam", "LiveApp/garden", "LiveApp/house-door"]);
    assert_eq!(restored.json()["made"], all, "{}", restored.text());
    third.wait_live("cam");
    let wrong = b"{\"form\":7,\"broadcasts\":{}}";
    let refused = http::request(third.http, "POST", "/api/v1/state", &[], wrong);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("form 7"), "{}", refused.text());
    let second = Server::on(&second);
    second.wait_live("cam");
    assert_eq!(second.get("/api/v1/state").json(), state);
}
