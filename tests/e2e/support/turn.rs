//! coturn, a TURN server.

use super::free_port;
use super::peer::Peer;
use super::tools::tool;
use std::path::Path;

/// Starts one for the user `joe` with the password `secret`, with what it keeps in this folder, and gives its port.
#[track_caller]
pub(crate) fn turn_server(folder: &Path) -> (Peer, u16) {
    let port = free_port();
    let mut turn = tool("turnserver");
    turn.args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech"])
        .args(["--user", "joe:secret", "--realm", "test"])
        .args(["--log-file", "stdout", "--simple-log"])
        .args(["--allow-loopback-peers", "--listening-ip", "127.0.0.1"])
        .args(["--relay-ip", "127.0.0.1"])
        .args(["--listening-port", &port.to_string()])
        .arg("--pidfile")
        .arg(folder.join("turn.pid"))
        .arg("--userdb")
        .arg(folder.join("turn.db"))
        .current_dir(folder);
    (Peer::start(&mut turn), port)
}
