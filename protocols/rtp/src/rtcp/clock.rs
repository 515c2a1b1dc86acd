//! Which wall clock time the timestamps of a source mean, as its sender reports tell (RFC 3550 section 6.4.1).

use super::{NtpTime, SenderInfo};
use std::time::Duration;

/// The wall clock of a source of packets. All sources of one sender share it, so that their tracks can be put
/// in step; whether it is set right is another matter.
#[derive(Clone, Copy, Debug)]
pub struct SourceClock {
    clock_rate: u32,
    report: Option<(NtpTime, u32)>,
}

impl SourceClock {
    /// Of packets on a clock of `clock_rate`; knows nothing before the first report.
    pub const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            report: None,
        }
    }

    /// Takes a sender report of the source. One of a sender without a clock, which says 0, is passed over.
    pub const fn report(&mut self, info: &SenderInfo) {
        if info.ntp.0 != 0 && self.clock_rate > 0 {
            self.report = Some((info.ntp, info.rtp));
        }
    }

    /// The time of a timestamp, which is at most half of the range of 32 bits away from that of the last
    /// report; none before a report.
    pub fn time(&self, timestamp: u32) -> Option<NtpTime> {
        let (ntp, reported) = self.report?;
        let ticks = i64::from(timestamp.wrapping_sub(reported) as i32);
        // Seconds in the upper, fractions in the lower 32 bits; NTP's eras wrap.
        let difference = (i128::from(ticks) << 32).checked_div(i128::from(self.clock_rate))?;
        Some(NtpTime(ntp.0.wrapping_add(difference as u64)))
    }

    /// The time of a timestamp since 1970.
    pub fn since_1970(&self, timestamp: u32) -> Option<Duration> {
        self.time(timestamp).map(NtpTime::to_unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_around_a_report_have_a_time() {
        let mut clock = SourceClock::new(90_000);
        assert_eq!(clock.time(0), None);
        let info = |ntp, rtp| SenderInfo {
            ntp,
            rtp,
            ..SenderInfo::default()
        };
        clock.report(&info(NtpTime(0), 5));
        assert_eq!(clock.time(0), None);
        let start = Duration::from_secs(1_800_000_000);
        clock.report(&info(NtpTime::from_unix(start), u32::MAX - 44_999));
        let cases = [
            (u32::MAX - 44_999, start),
            // Across the wrap of the timestamps.
            (45_000, start + Duration::from_secs(1)),
            (u32::MAX - 134_999, start - Duration::from_secs(1)),
        ];
        for (timestamp, time) in cases {
            assert_eq!(clock.since_1970(timestamp), Some(time));
        }
    }
}
