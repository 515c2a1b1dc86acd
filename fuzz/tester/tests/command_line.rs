//! The program as it is called: what it refuses, lists, and says of servers that are ill.

#![allow(
    clippy::unwrap_used,
    reason = "what cannot be done here is a failed test"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

fn tester(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream-tester"));
    command.args(arguments).output().unwrap()
}

#[test]
fn other_machines_need_a_flag() {
    let output = tester(&["--rtmp", "rtmp://192.0.2.1/live/x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--elsewhere"));
    assert_eq!(tester(&[]).status.code(), Some(2));
}

#[test]
fn cases_are_listed() {
    let output = tester(&["--list", "--only", "abuse"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for class in [
        "half-open",
        "oversized length",
        "stolen session",
        "slow reader",
        "name traversal",
        "state abuse",
    ] {
        assert!(text.contains(class), "{class}");
    }
}

/// A server that shakes hands in its own way: it echoes nothing.
#[test]
fn a_wrong_server_is_found_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut hello = [0; 1_537];
                let _ = socket.read_exact(&mut hello);
                let _ = socket.write_all(&[3; 1 + 2 * 1_536]);
                let _ = socket.read(&mut [0; 4_000]);
            });
        }
    });
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (json, junit) = (folder.join("wrong.json"), folder.join("wrong.xml"));
    let output = tester(&[
        "--rtmp",
        &format!("rtmp://127.0.0.1:{port}/live/x"),
        "--limit",
        "2",
        "--json",
        json.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    // A normal client is not served, so that nothing else is tried.
    assert_eq!(report["cases"][0]["name"], "rtmp.healthy");
    assert_eq!(report["failed"], 1, "{report:#}");
    assert!(std::fs::read_to_string(junit).unwrap().contains("<failure"));
}
