//! A line on a terminal that says how far a copy is.

use super::session::Session;
use crate::hub::Stream;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(200);

/// Characters of the bar.
const WIDTH: usize = 24;

/// Draws until it is dropped, if standard error is a terminal.
pub(super) async fn draw(session: &Session, stream: &Stream, begun: Instant) {
    if !stderr().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        let snapshot = stream.snapshot();
        let length = snapshot.length;
        let report = &session.report;
        let part = match (report.duration(), report.progress()) {
            (Some(whole), _) if !whole.is_zero() => {
                Some(length.as_secs_f64() / whole.as_secs_f64())
            }
            (_, Some((read, bytes))) => Some(read as f64 / bytes as f64),
            _ => None,
        };
        let speed = length.as_secs_f64() / begun.elapsed().as_secs_f64().max(0.001);
        let tracks = snapshot.tracks.tracks.iter();
        let tracks: Vec<&str> = tracks.map(|track| track.codec.name()).collect();
        let line = line(part, length, speed, &tracks.join(" + "));
        // Where it cannot be drawn, nobody misses it.
        let _ = write!(stderr(), "\r{line}\x1b[K");
    }
}

/// Takes the line away.
pub(super) fn clear() {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[K");
    }
}

fn line(part: Option<f64>, length: Duration, speed: f64, tracks: &str) -> String {
    let bar = part.map_or_else(String::new, |part| {
        let part = part.clamp(0.0, 1.0);
        let filled = (part * WIDTH as f64) as usize;
        let (full, empty) = ("█".repeat(filled), "░".repeat(WIDTH - filled));
        format!("{full}{empty} {:3.0} %  ", part * 100.0)
    });
    format!("{bar}{}  {speed:.1}x  {tracks}", clock(length))
}

/// Hours, minutes and seconds.
pub(super) fn clock(length: Duration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let rest = seconds % 60;
    let millis = length.subsec_millis();
    format!("{hours}:{minutes:02}:{rest:02}.{millis:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_fast() {
        let line = line(
            Some(0.5),
            Duration::from_millis(3_723_456),
            12.34,
            "H264 + AAC",
        );
        let bar = format!("{}{}", "█".repeat(12), "░".repeat(12));
        assert_eq!(line, format!("{bar}  50 %  1:02:03.456  12.3x  H264 + AAC"));
        let live = super::line(None, Duration::ZERO, 1.0, "AAC");
        assert_eq!(live, "0:00:00.000  1.0x  AAC");
    }
}
