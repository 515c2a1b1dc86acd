//! What sources cost that cannot be had, and what is left of sources that were started and stopped. The
//! larger cases are a soak: `cargo xtask soak`, with figures.

use crate::support::camera::camera;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::{free_port, seconds, wait_until};
use serde_json::json;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::time::Instant;

/// Growth allowed for each hundred sources.
const GROWTH: u64 = 8 << 20;

/// Connections that [`silent`] keeps: more than are open at a time.
const KEPT: usize = 400;

/// Accepts connections at every address of this machine, as long as the process lives, and never says a word: its
/// port.
fn silent() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = VecDeque::new();
        for connection in listener.incoming().flatten() {
            kept.push_back(connection);
            if kept.len() > KEPT {
                kept.pop_front();
            }
        }
    });
    port
}

/// Where dead sources are.
#[derive(Clone, Copy)]
enum Place {
    /// All on one host.
    OneHost,
    /// Each at an address of its own.
    HostEach,
}

/// Makes and starts sources, half of them where nobody listens, half where somebody accepts and is silent.
fn dead_sources(server: &Server, count: usize, place: Place) {
    let (silent, closed) = (silent(), free_port());
    for number in 0..count {
        let port = if number % 2 == 0 { closed } else { silent };
        let host = match place {
            Place::OneHost => "127.0.0.1".to_owned(),
            Place::HostEach => format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250),
        };
        let broadcast = json!({
            "streamId": format!("dead-{number}"),
            "type": "streamSource",
            "streamUrl": format!("rtsp://{host}:{port}/{number}"),
        });
        let path = "/create?autoStart=true";
        let answer = server.rest("POST", path, &broadcast.to_string()).json();
        assert_eq!(answer["success"], true, "{answer}");
    }
}

/// Starts so many, with more arguments for the server, and watches them; what they cost is printed.
fn cost_of(count: usize, place: Place, arguments: &[&str], watched_for: u64) {
    let server = Server::with(arguments);
    let (memory, threads) = (server.resident_bytes(), server.threads());
    dead_sources(&server, count, place);
    let refused = |number: usize| {
        let cam = server.broadcast(&format!("dead-{number}")).unwrap();
        cam["lastError"].is_string()
    };
    wait_until("those that are refused know it", seconds(120), || {
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

/// A source at each URL, which are started and stopped beside each other, each so often, `until_live` or at once. What
/// is left of it is printed.
fn start_and_stop(urls: &[String], cycles: u64, until_live: bool) {
    let server = Server::start();
    let ids: Vec<String> = (0..urls.len())
        .map(|number| format!("cam-{number}"))
        .collect();
    for (id, url) in ids.iter().zip(urls) {
        let broadcast = json!({ "streamId": id, "type": "streamSource", "streamUrl": url });
        server.rest("POST", "/create", &broadcast.to_string());
    }
    let call = |id: &str, operation: &str| {
        let answer = server
            .rest("POST", &format!("/{id}/{operation}"), "")
            .json();
        assert_eq!(answer["success"], true, "{operation}: {answer}");
    };
    let run = |cycles: u64| {
        std::thread::scope(|scope| {
            for id in &ids {
                scope.spawn(|| {
                    for _ in 0..cycles {
                        call(id, "start");
                        if until_live {
                            server.wait_live(id);
                        }
                        call(id, "stop");
                    }
                });
            }
        });
    };
    run(20 / urls.len() as u64);
    let (memory, threads) = (server.resident_bytes(), server.threads());
    run(cycles);
    let grown = server.resident_bytes().saturating_sub(memory);
    let more = server.threads().saturating_sub(threads);
    eprintln!(
        "{} starts and stops: {} KiB more memory, {more} threads more",
        cycles * urls.len() as u64,
        grown >> 10
    );
    assert!(
        grown < GROWTH && more < 8,
        "{} KiB, {more} threads",
        grown >> 10
    );
    for id in &ids {
        assert_eq!(server.broadcast(id).unwrap()["status"], "finished");
    }
}

/// A URL where nobody listens.
fn closed() -> [String; 1] {
    [format!("rtsp://127.0.0.1:{}/cam", free_port())]
}

/// So many sources that go live, as [`start_and_stop`] has them. Each has a camera of its own: GStreamer's hangs for
/// good when clients of one pipeline come and go beside each other at this rate.
fn start_and_stop_live(sources: usize, cycles: u64) {
    let cameras: Vec<(Peer, u16)> = (0..sources).map(|_| camera(0, &["h264", "aac"])).collect();
    let url = |(_, port): &(Peer, u16)| format!("rtsp://127.0.0.1:{port}/cam");
    let urls: Vec<String> = cameras.iter().map(url).collect();
    start_and_stop(&urls, cycles, true);
}

const SHORT: [&str; 2] = ["--set", "rtsp.timeout=1s"];

#[test]
fn sources_that_cannot_be_had_cost_little() {
    cost_of(60, Place::OneHost, &SHORT, 3);
}

#[test]
fn starting_and_stopping_leaves_nothing() {
    start_and_stop(&closed(), 60, false);
}

#[test]
fn starting_and_stopping_what_goes_live_leaves_nothing() {
    start_and_stop_live(2, 10);
}

#[test]
#[ignore = "a soak"]
fn five_hundred_dead_sources_on_one_host() {
    cost_of(500, Place::OneHost, &SHORT, 60);
}

#[test]
#[ignore = "a soak"]
fn five_hundred_dead_sources_at_an_address_each() {
    cost_of(500, Place::HostEach, &[], 60);
}

#[test]
#[ignore = "a soak"]
fn a_thousand_starts_and_stops() {
    start_and_stop(&closed(), 1_000, false);
}

#[test]
#[ignore = "a soak"]
fn a_thousand_starts_and_stops_of_what_goes_live() {
    start_and_stop_live(5, 200);
}
