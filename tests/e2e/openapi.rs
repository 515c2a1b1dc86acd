//! The APIs against their own description: schemathesis makes requests of all kinds, valid and not, from `/openapi.json`.
//! No answer has a status, a type or a form that is not described, and none says that the server failed.

use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::schemathesis;
use std::time::Duration;

/// What has no end, has bodies of its own kind, or is on another port.
const LEFT_OUT: &str =
    r"^/api/v1/(events|log)$|/streams/\{file\}|\{function\}|/whep/|/whip/|/websocket";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance";

#[test]
fn answers_are_as_described() {
    ask(
        &["--phases", "fuzzing", "--max-examples", "3"],
        seconds(120),
    );
}

/// A longer look, at the edges of every parameter and at other values with each run.
#[test]
#[ignore = "takes minutes"]
fn answers_are_as_described_whatever_is_asked() {
    let seed = std::process::id().to_string();
    let more = ["--phases", "coverage,fuzzing", "--max-examples", "60"];
    ask(&[&more[..], &["--seed", &seed]].concat(), seconds(1200));
}

#[track_caller]
fn ask(more: &[&str], limit: Duration) {
    // What is made up as a source or a target must not be connected to.
    let server = Server::with(&[
        "--demo",
        "--set",
        "network.loopback=false",
        "--set",
        "network.private=false",
    ]);
    server.wait_live("demo");
    let mut run = schemathesis();
    run.args(["run", &server.url("/openapi.json"), "--checks", CHECKS])
        // One worker: Python 3.11 reads sources in two threads at once with an error now and then, and hypothesis does.
        .args(["--exclude-path-regex", LEFT_OUT, "--workers", "1"])
        .args(["--request-timeout", "30", "--continue-on-failure"])
        .args(["--suppress-health-check", "all", "--warnings", "off"]);
    if !more.contains(&"--seed") {
        run.args(["--seed", "1"]);
    }
    run.args(more).current_dir(server.folder());
    let finished = Peer::start(&mut run).finish(limit);
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
}
