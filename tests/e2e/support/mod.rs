//! What the tests share. Read [`server::Server`] first, then [`media`], which makes publishers and players.

pub(crate) mod camera;
pub(crate) mod certificate;
pub(crate) mod clips;
pub(crate) mod fake_camera;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod liar;
pub(crate) mod limit;
pub(crate) mod lines;
pub(crate) mod media;
pub(crate) mod nginx;
pub(crate) mod peer;
pub(crate) mod playlist;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod rtmp;
pub(crate) mod server;
pub(crate) mod srt;
pub(crate) mod srt_ends;
pub(crate) mod tools;
pub(crate) mod turn;
pub(crate) mod watched;
pub(crate) mod weather;

pub(crate) use ports::free_port;
use std::time::{Duration, Instant};

/// A number of seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Asks again and again until there is an answer; fails the test with `what` when there is none in time.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As [`wait_for`], for a condition.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut ask: impl FnMut() -> bool) {
    wait_for(what, limit, || ask().then_some(()));
}
