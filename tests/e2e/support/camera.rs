//! A camera, `camera.py`, and a server that pulls it.

use super::peer::Peer;
use super::seconds;
use super::server::Server;
use super::tools::{python, tool};
use std::process::Command;

/// Starts a camera and returns it with its port; port 0 takes a free one.
#[track_caller]
pub(crate) fn camera(port: u16, arguments: &[&str]) -> (Peer, u16) {
    camera_at("127.0.0.1", &[], port, arguments)
}

/// As [`camera`], at another address, and by way of another program.
#[track_caller]
pub(crate) fn camera_at(
    address: &str,
    by_way_of: &[&str],
    port: u16,
    arguments: &[&str],
) -> (Peer, u16) {
    camera_with(&[("CAMERA_ADDRESS", address)], by_way_of, port, arguments)
}

/// As [`camera`], with these variables of its environment.
#[track_caller]
pub(crate) fn camera_with(
    variables: &[(&str, &str)],
    by_way_of: &[&str],
    port: u16,
    arguments: &[&str],
) -> (Peer, u16) {
    let mut command = match by_way_of {
        [] => Command::new(python()),
        [program, arguments @ ..] => {
            let mut command = tool(program);
            command.args(arguments).arg(python());
            command
        }
    };
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/camera.py"))
        .arg(port.to_string())
        .args(arguments)
        .envs(variables.iter().copied());
    let camera = Peer::start(&mut command);
    let ready = camera.stdout.wait_for(seconds(20), |line| {
        line.strip_prefix("ready ")
            .and_then(|port| port.parse().ok())
    });
    let port = ready.unwrap_or_else(|| panic!("no camera: {}", camera.stderr.text()));
    (camera, port)
}

/// Has the server pull a URL into `LiveApp/cam`.
#[track_caller]
pub(crate) fn pull(server: &Server, url: &str) {
    pull_as(server, "cam", url);
}

/// As [`pull`], into another stream.
#[track_caller]
pub(crate) fn pull_as(server: &Server, id: &str, url: &str) {
    let body =
        format!(r#"{{"type":"streamSource","name":"{id}","streamId":"{id}","streamUrl":"{url}"}}"#);
    let response = server.rest("POST", "/create?autoStart=true", &body);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["success"], true, "{}", response.text());
}
