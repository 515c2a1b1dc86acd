//! Estimates over time: the round trip, the peer's clock, and rates.

use std::time::{Duration, Instant};

/// Between two full acknowledgements (section 4.8.1), called SYN.
pub(crate) const ACK_INTERVAL: Duration = Duration::from_millis(10);

/// Round-trip time and its variance as long as nothing has been measured, in microseconds (section 4.10).
const ASSUMED_RTT: u32 = 100_000;
const ASSUMED_VARIANCE: u32 = 50_000;

/// Round-trip time and its variance, in microseconds (section 4.10).
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    pub(crate) rtt: u32,
    pub(crate) variance: u32,
    pub(crate) measured: bool,
}

impl RoundTrip {
    /// More than anything that a network does, and little enough to be calculated with.
    const MAX: u32 = 30_000_000;

    pub(crate) const fn new() -> Self {
        Self {
            rtt: ASSUMED_RTT,
            variance: ASSUMED_VARIANCE,
            measured: false,
        }
    }

    /// Takes a sample. The first one replaces what was assumed, as libsrt does since 1.5.
    pub(crate) fn sample(&mut self, rtt: u32) {
        let rtt = rtt.min(Self::MAX);
        if !self.measured {
            (self.rtt, self.variance, self.measured) = (rtt, rtt / 2, true);
            return;
        }
        let distance = self.rtt.abs_diff(rtt);
        self.variance = (self.variance * 3 + distance) / 4;
        self.rtt = (self.rtt * 7 + rtt) / 8;
    }

    /// Takes what the peer has made of its samples. Section 4.10 averages these once more, but the variance of
    /// averages is next to nothing: who only sends would wait for longer than there is reason to before it sends
    /// again, and over a bad line lose one try of three.
    pub(crate) fn adopt(&mut self, rtt: u32, variance: u32) {
        // As long as it has measured nothing, it says what it assumes.
        if (rtt, variance) != (ASSUMED_RTT, ASSUMED_VARIANCE) {
            let [rtt, variance] = [rtt, variance].map(|time| time.min(Self::MAX));
            (self.rtt, self.variance, self.measured) = (rtt, variance, true);
        }
    }

    /// RTT + 4 · RTTVar.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_micros(u64::from(self.rtt) + 4 * u64::from(self.variance))
    }

    /// RTT - 4 · RTTVar: what was sent before that may have been missed again. A peer may say what it will of the round
    /// trip, but reports losses no more often than every 10 ms.
    pub(crate) fn least(&self) -> Duration {
        let least = self.rtt.saturating_sub(self.variance.saturating_mul(4));
        Duration::from_micros(u64::from(least)).max(ACK_INTERVAL)
    }

    /// Between two periodic loss reports (section 4.8.2).
    pub(crate) fn nak_interval(&self) -> Duration {
        (self.patience() / 2).max(Duration::from_millis(20))
    }
}

/// Samples after which the clock is corrected: about 10 s of acknowledgements.
const DRIFT_SAMPLES: i64 = 1_000;

/// Most of a correction that goes to the drift; the rest goes to the base.
const MAX_DRIFT: i64 = 5_000;

/// When a message is due, from the peer's timestamps (section 4.5.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeBase {
    /// When this end's microseconds began.
    start: Instant,
    /// Our microseconds when the peer's clock showed zero.
    base: i64,
    drift: i64,
    sum: i64,
    count: i64,
    first_rtt: Option<i64>,
}

impl TimeBase {
    /// From the handshake packet with the extensions: it came at `now` and showed `timestamp` (section 4.5.1.1).
    pub(crate) fn new(start: Instant, now: Instant, timestamp: u32) -> Self {
        Self {
            start,
            base: micros(start, now) - i64::from(timestamp),
            drift: 0,
            sum: 0,
            count: 0,
            first_rtt: None,
        }
    }

    /// When a message of this (long) timestamp is due.
    pub(crate) fn due(&self, timestamp: i64, latency: Duration) -> Instant {
        let latency = i64::try_from(latency.as_micros()).unwrap_or(0);
        let at = self
            .base
            .saturating_add(self.drift)
            .saturating_add(timestamp)
            .saturating_add(latency);
        // What a hostile timestamp can name is within a few hundred thousand years.
        let after = Duration::from_micros(u64::try_from(at).unwrap_or(0));
        self.start.checked_add(after).unwrap_or(self.start)
    }

    /// The peer's clock showed this (long) timestamp `now`, after half a round trip (section 4.7).
    pub(crate) fn sample(&mut self, now: Instant, timestamp: i64, rtt: u32) {
        let rtt = i64::from(rtt);
        let longer = (rtt - *self.first_rtt.get_or_insert(rtt)) / 2;
        let drift = micros(self.start, now)
            .saturating_sub(self.base)
            .saturating_sub(timestamp)
            .saturating_sub(longer);
        self.sum = self.sum.saturating_add(drift);
        self.count += 1;
        if self.count < DRIFT_SAMPLES {
            return;
        }
        let average = self.sum / self.count;
        (self.sum, self.count) = (0, 0);
        self.drift = average.clamp(-MAX_DRIFT, MAX_DRIFT);
        self.base = self.base.saturating_add(average - self.drift);
    }
}

/// Microseconds from `start` to `now`.
pub(crate) fn micros(start: Instant, now: Instant) -> i64 {
    i64::try_from(now.saturating_duration_since(start).as_micros()).unwrap_or(i64::MAX)
}

/// Packets and bytes a second, over the last whole second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    since: Instant,
    packets: u32,
    bytes: u32,
    /// Packets and bytes a second.
    pub(crate) last: (u32, u32),
}

impl Rate {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            packets: 0,
            bytes: 0,
            last: (0, 0),
        }
    }

    pub(crate) fn count(&mut self, now: Instant, bytes: usize) {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= Duration::from_secs(1) {
            let millis = u64::try_from(elapsed.as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
            let per_second =
                |count: u32| u32::try_from(u64::from(count) * 1_000 / millis).unwrap_or(u32::MAX);
            self.last = (per_second(self.packets), per_second(self.bytes));
            (self.since, self.packets, self.bytes) = (now, 0, 0);
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes = self
            .bytes
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What the link could carry: packets whose numbers are multiples of 16 and the next ones are sent back to
/// back, and the time between them at arrival is the link's doing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capacity {
    probe: Option<(u32, Instant)>,
    /// Mean time between the packets of a pair, in nanoseconds.
    between: Option<u64>,
}

impl Capacity {
    pub(crate) fn packet(&mut self, now: Instant, number: u32) {
        if number & 15 == 0 {
            self.probe = Some((number, now));
        } else if let Some((first, at)) = self.probe.take()
            && first + 1 == number
        {
            let between = now.saturating_duration_since(at).as_nanos();
            // Both may be read with one call, which says nothing.
            let between = u64::try_from(between).unwrap_or(u64::MAX);
            if (1_000..1_000_000_000).contains(&between) {
                let mean = self.between.unwrap_or(between);
                self.between = Some((mean * 7 + between) / 8);
            }
        }
    }

    /// Packets a second; zero when it is not known.
    pub(crate) fn packets(&self) -> u32 {
        self.between.map_or(0, |between| {
            u32::try_from(1_000_000_000 / between.max(1)).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_clock_is_followed() {
        let start = Instant::now();
        let mut base = TimeBase::new(start, start, 0);
        let latency = Duration::from_millis(120);
        // Its clock is slow: a millisecond a second.
        let mut now = start;
        for sample in 0..100_000_i64 {
            let timestamp = sample * 9_990;
            now = start + Duration::from_micros(u64::try_from(sample * 10_000).unwrap());
            base.sample(now, timestamp, 20_000);
        }
        let due = base.due(99_999 * 9_990, latency);
        let error = due.max(now + latency) - due.min(now + latency);
        // As late as the last correction, at most.
        assert!(error < Duration::from_millis(25), "{error:?}");
    }

    #[test]
    fn round_trips() {
        let mut trip = RoundTrip::new();
        assert_eq!(trip.nak_interval(), Duration::from_millis(150));
        trip.sample(10_000);
        assert_eq!((trip.rtt, trip.variance), (10_000, 5_000));
        for _ in 0..100 {
            trip.sample(u32::MAX);
        }
        assert!(trip.rtt <= RoundTrip::MAX);
        assert!(trip.least() > Duration::from_secs(29));
        // The peer's own figures stay as they are, and what it only assumes is none.
        trip.adopt(50_000, 5_000);
        trip.adopt(ASSUMED_RTT, ASSUMED_VARIANCE);
        assert_eq!(trip.least(), Duration::from_millis(30));
        assert_eq!(trip.nak_interval(), Duration::from_millis(35));
        trip.adopt(u32::MAX, u32::MAX);
        assert_eq!(trip.least(), ACK_INTERVAL);
        assert!(trip.patience() <= Duration::from_secs(150));
    }
}
