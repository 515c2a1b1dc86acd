//! What sources cost that cannot be had, and what is left of sources that were started and stopped. The
//! larger cases are a soak: `cargo xtask soak`, with figures.

use crate::support::server::Server;
use crate::support::{free_port, seconds, wait_until};
use serde_json::json;
use std::net::TcpListener;
use std::time::Instant;

/// Growth allowed for each hundred sources.
const GROWTH: u64 = 8 << 20;

/// Makes and starts sources, half of them where nobody listens, half where somebody accepts and is silent.
fn dead_sources(server: &Server, count: usize, silent: &TcpListener) {
    let silent = silent.local_addr().unwrap().port();
    let closed = free_port();
    for number in 0..count {
        let port = if number % 2 == 0 { closed } else { silent };
        let broadcast = json!({
            "streamId": format!("dead-{number}"),
            "type": "streamSource",
            "streamUrl": format!("rtsp://127.0.0.1:{port}/{number}"),
        });
        let path = "/create?autoStart=true";
        let answer = server.rest("POST", path, &broadcast.to_string()).json();
        assert_eq!(answer["success"], true, "{answer}");
    }
}

/// Starts so many and watches them; what they cost is printed.
fn cost_of(count: usize, watched_for: u64) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::with(&["--set", "rtsp.timeout=1s"]);
    let (memory, threads) = (server.resident_bytes(), server.threads());
    dead_sources(&server, count, &silent);
    let refused = |number: usize| {
        let cam = server.broadcast(&format!("dead-{number}")).unwrap();
        cam["lastError"].is_string()
    };
    wait_until("those that are refused know it", seconds(30), || {
        (0..count).step_by(2).all(refused)
    });
    let (begun, cpu) = (Instant::now(), server.cpu_seconds());
    std::thread::sleep(seconds(watched_for));
    let per_minute = (server.cpu_seconds() - cpu) * 60.0 / begun.elapsed().as_secs_f64();
    let grown = server.resident_bytes().saturating_sub(memory);
    eprintln!(
        "{count} dead sources: {per_minute:.2} s of processor time a minute, {} KiB more memory, {} threads more",
        grown >> 10,
        server.threads().saturating_sub(threads),
    );
    assert!(
        grown < GROWTH * (count as u64).div_ceil(100),
        "{} KiB",
        grown >> 10
    );
    // Blocking work has threads of its own for a while, a bounded number whatever the number of sources.
    assert!(
        server.threads() < threads + 32,
        "{} threads",
        server.threads()
    );
    assert_eq!(server.get("/healthz").status, 200);
    let ids: Vec<String> = (0..count).map(|number| format!("dead-{number}")).collect();
    for some in ids.chunks(100) {
        let path = format!("?ids={}", some.join(","));
        let answer = server.rest("DELETE", &path, "").json();
        assert_eq!(answer["success"], true, "{answer}");
    }
    let metrics = server.get("/metrics").text();
    for phase in ["connecting", "live", "pausing"] {
        let line = format!("millstream_sources{{phase=\"{phase}\"}} 0");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

/// Starts and stops one source so often.
fn start_and_stop(cycles: u64) {
    let server = Server::start();
    let broadcast = json!({
        "streamId": "cam",
        "type": "streamSource",
        "streamUrl": format!("rtsp://127.0.0.1:{}/cam", free_port()),
    });
    server.rest("POST", "/create", &broadcast.to_string());
    let call = |operation: &str| {
        let answer = server.rest("POST", &format!("/cam/{operation}"), "").json();
        assert_eq!(answer["success"], true, "{operation}: {answer}");
    };
    let cycle = || {
        call("start");
        call("stop");
    };
    (0..20).for_each(|_| cycle());
    let (memory, threads) = (server.resident_bytes(), server.threads());
    (0..cycles).for_each(|_| cycle());
    let grown = server.resident_bytes().saturating_sub(memory);
    let more = server.threads().saturating_sub(threads);
    eprintln!(
        "{cycles} starts and stops: {} KiB more memory, {more} threads more",
        grown >> 10
    );
    assert!(
        grown < GROWTH && more < 8,
        "{} KiB, {more} threads",
        grown >> 10
    );
    assert_eq!(server.broadcast("cam").unwrap()["status"], "finished");
}

#[test]
fn sources_that_cannot_be_had_cost_little() {
    cost_of(60, 3);
}

#[test]
fn starting_and_stopping_leaves_nothing() {
    start_and_stop(60);
}

#[test]
#[ignore = "a soak"]
fn five_hundred_dead_sources() {
    cost_of(500, 60);
}

#[test]
#[ignore = "a soak"]
fn a_thousand_starts_and_stops() {
    start_and_stop(1_000);
}
