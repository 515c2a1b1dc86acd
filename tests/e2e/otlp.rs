//! The log at a collector of OpenTelemetry, read by OpenTelemetry's own definitions.

use crate::support::clips::Clip;
use crate::support::media::publish;
use crate::support::receiver::{Hook, Receiver};
use crate::support::server::Server;
use crate::support::tools::python;
use crate::support::{seconds, wait_until};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The records of those requests.
fn records(requests: &[Hook]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/otlp");
    let is_there = folder.join("opentelemetry/proto").is_dir();
    assert!(
        is_there,
        "opentelemetry-proto is not installed; `cargo xtask setup` installs it"
    );
    let mut reader = Command::new(python())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/otlp_reader.py"
        ))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = reader.stdin.take().unwrap();
    for request in requests {
        writeln!(input, "{}", request.body).unwrap();
    }
    drop(input);
    let output = reader.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn nothing_of_the_log_is_lost_while_the_collector_is_away() {
    let collector = Receiver::start();
    collector.answer(503);
    let address = format!("log.otlp={}", collector.url("otel"));
    let key = "log.otlp_headers.api-key=sesame-4711";
    let mut server = Server::with(&["--set", &address, "--set", key]);
    let publisher = publish(&server, "cam", Clip::Standard);
    server.wait_live("cam");
    wait_until("a request that is refused", seconds(20), || {
        !collector.hooks().is_empty()
    });
    collector.answer(200);
    // What is answered in between is taken for refused.
    let refused = collector.hooks().len();
    drop(publisher);
    let has =
        |requests: &[Hook], words: &str| requests.iter().any(|hook| hook.body.contains(words));
    wait_until("the end of the publisher", seconds(60), || {
        has(&collector.hooks()[refused..], "publisher gone")
    });
    server.stop();
    // What is said last arrives too.
    assert!(has(&collector.hooks(), "shutting down"));

    let requests = &collector.hooks()[refused..];
    for request in requests {
        assert_eq!(request.path, "/otel/v1/logs");
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("api-key"), "sesame-4711");
        assert!(!request.body.contains("sesame-4711"));
    }
    let records = records(requests);
    assert!(
        records
            .iter()
            .all(|record| record["service"] == "millstream")
    );
    let place = |words: &str| {
        let found = records
            .iter()
            .position(|record| record["body"].as_str().unwrap().starts_with(words));
        found.unwrap_or_else(|| panic!("no {words:?} in {records:?}"))
    };
    // What was said before anyone took it.
    place("listening");
    let published = &records[place("stream published")];
    assert_eq!(
        published["attributes"]["stream"], "LiveApp/cam",
        "{published}"
    );
    assert_eq!(published["level"], "INFO");
    let away = &records[place("the collector does not take the log")];
    assert_eq!(away["level"], "WARN");
    assert!(
        away["attributes"]["error"]
            .as_str()
            .unwrap()
            .contains("503"),
        "{away}"
    );
}
