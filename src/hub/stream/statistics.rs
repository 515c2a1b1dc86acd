//! What is counted of a stream, and how fast it comes.

use media::AccessUnit;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Time over which rates are measured.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(2);

/// All that sources have sent so far.
#[derive(Debug)]
pub(super) struct Statistics {
    /// When the stream began.
    pub(super) since: SystemTime,
    pub(super) bytes: u64,
    pub(super) access_units: u64,
    /// Media time of the last random access point, and the longest distance between two.
    last_start: Option<i64>,
    pub(super) gop_micros: Option<i64>,
    pub(super) rate: Rate,
    pub(super) packets: Packets,
    pub(super) order: Order,
}

/// In which order the pictures of one publisher come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// The latest presentation time so far, in ticks.
    latest: Option<i64>,
    /// One came that was earlier.
    pub(super) is_reordered: bool,
}

/// What came in the last whole window of [`RATE_WINDOW`] and in the present one, from one publisher.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// None before the first access unit.
    window: Option<Window>,
    /// Bits per second, and media time per time.
    last: Option<(u64, f64)>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    bytes: u64,
    /// Media time at `since`, and the latest so far.
    media: (i64, i64),
}

/// Packets of a source whose transport may lose some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// Those that came, where the source counts them; else 0.
    pub received: u64,
    /// Those that did not come, or too late.
    pub lost: u64,
}

impl Statistics {
    pub(super) fn new() -> Self {
        Self {
            since: SystemTime::now(),
            bytes: 0,
            access_units: 0,
            last_start: None,
            gop_micros: None,
            rate: Rate::default(),
            packets: Packets::default(),
            order: Order::default(),
        }
    }

    /// What comes now is from another source than what came before.
    pub(super) fn new_source(&mut self) {
        self.rate = Rate::default();
        self.order = Order::default();
    }

    /// Counts a unit of that media time; one that `starts` is a random access point.
    pub(super) fn count(&mut self, unit: &AccessUnit, micros: i64, starts: bool) {
        let bytes = unit.payload.len() as u64;
        self.bytes += bytes;
        self.access_units += 1;
        self.rate.count(bytes, micros);
        if starts && let Some(last) = self.last_start.replace(micros) {
            let gop = micros.saturating_sub(last);
            let longest = self.gop_micros.unwrap_or(0);
            self.gop_micros = Some(longest.max(gop));
        }
    }
}

impl Order {
    /// Takes the time at which the next picture is shown.
    pub(super) fn take(&mut self, pts: i64) {
        self.is_reordered |= self.latest.is_some_and(|latest| pts < latest);
        self.latest = self.latest.max(Some(pts));
    }
}

impl Rate {
    fn count(&mut self, bytes: u64, micros: i64) {
        let window = self.window.get_or_insert_with(|| Window {
            since: Instant::now(),
            bytes: 0,
            media: (micros, micros),
        });
        window.bytes += bytes;
        window.media.1 = window.media.1.max(micros);
        if window.since.elapsed() >= RATE_WINDOW {
            self.last = Some(window.rate());
            *window = Window {
                since: Instant::now(),
                bytes: 0,
                media: (window.media.1, window.media.1),
            };
        }
    }

    /// Bits per second and media time per time, of the last whole window; of the first one while it lasts, as
    /// soon as that says something.
    pub(super) fn now(&self) -> Option<(u64, f64)> {
        let first = self.window.as_ref();
        let first = first.filter(|window| window.since.elapsed() >= RATE_WINDOW / 4);
        self.last.or_else(|| first.map(Window::rate))
    }
}

impl Window {
    fn rate(&self) -> (u64, f64) {
        let seconds = self.since.elapsed().as_secs_f64();
        let (from, to) = self.media;
        (
            (self.bytes as f64 * 8.0 / seconds) as u64,
            to.saturating_sub(from) as f64 / 1e6 / seconds,
        )
    }
}
