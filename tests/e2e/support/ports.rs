//! Ports for the tests: for whoever has to be told a number before it can listen.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Above those that programs have of their own, and below those that Linux gives to whoever asks for any: a port from
/// there may be another socket's by the time that it is to be listened on.
const PLACES: std::ops::Range<u16> = 16_000..32_000;

/// A port of this machine that nobody has now, by TCP or UDP, and that this run has not given before.
#[track_caller]
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Runs beside each other begin in different places.
    let begin = (std::process::id() % 160) as u16 * 100;
    for _ in PLACES {
        let place = GIVEN.fetch_add(1, Ordering::Relaxed).wrapping_add(begin);
        let port = PLACES.start + place % (PLACES.end - PLACES.start);
        let everywhere = ("0.0.0.0", port);
        if TcpListener::bind(everywhere).is_ok() && UdpSocket::bind(everywhere).is_ok() {
            return port;
        }
    }
    panic!("no port of {PLACES:?} is free")
}
