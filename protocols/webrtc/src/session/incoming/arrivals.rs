//! When the packets of all sources came, for the publisher's estimate of what the way carries.

use rtp::rtcp::{self, MAX_ARRIVALS};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two reports. Browsers raise their rate by what is told here, and wait for it.
const REPORT: Duration = Duration::from_millis(50);

/// A packet that is further from the newest one is of no sequence that is known.
const MAX_STEP: u16 = 2_048;

/// What came since the last report.
#[derive(Debug)]
pub(super) struct Arrivals {
    begun: Instant,
    /// The highest number, with its wraps; what was told reaches up to `told`.
    newest: Option<u64>,
    told: u64,
    /// Since the last report, by their numbers: in units of 250 µs since `begun`.
    times: BTreeMap<u64, i64>,
    /// Of the next report.
    count: u8,
    due: Option<Instant>,
}

impl Arrivals {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            begun: now,
            newest: None,
            told: 0,
            times: BTreeMap::new(),
            count: 0,
            due: None,
        }
    }

    /// The packet of this number came.
    pub(super) fn received(&mut self, now: Instant, number: u16) {
        let newest = self.newest.unwrap_or_else(|| 1 << 16 | u64::from(number));
        let step = number.wrapping_sub(newest as u16) as i16;
        let number = if step.unsigned_abs() <= MAX_STEP {
            newest.saturating_add_signed(step.into())
        } else {
            // Told as one that is alone, which is what is known of it.
            self.times.clear();
            self.told = 0;
            ((newest >> 16) + 1) << 16 | u64::from(number)
        };
        self.newest = Some(newest.max(number));
        if self.told == 0 {
            self.told = number;
        }
        let passed = now.saturating_duration_since(self.begun).as_micros() / 250;
        if self.times.len() < MAX_ARRIVALS / 2 {
            self.times
                .insert(number, i64::try_from(passed).unwrap_or(0));
        }
        self.due.get_or_insert(now + REPORT);
    }

    /// When [`report`](Self::report) is to be asked for.
    pub(super) const fn timeout(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be told now.
    pub(super) fn report(&mut self, now: Instant, sender: u32, media: u32) -> Option<rtcp::Packet> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        let (first, _) = self.times.first_key_value()?;
        let (last, _) = self.times.last_key_value()?;
        // What did not come since the last report is told as well; what comes after it was told is told again.
        let (first, last) = (self.told.min(*first), *last);
        let first = first.max(last.saturating_sub(MAX_ARRIVALS as u64 - 1));
        let times = (first..=last).map(|number| self.times.get(&number).copied());
        let report = rtcp::Arrivals {
            sender,
            media,
            count: self.count,
            first: first as u16,
            times: times.collect(),
        };
        self.count = self.count.wrapping_add(1);
        self.told = self.told.max(last + 1);
        self.times.clear();
        Some(rtcp::Packet::Arrivals(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(arrivals: &mut Arrivals, now: Instant) -> Option<(u8, u16, Vec<Option<i64>>)> {
        match arrivals.report(now, 1, 2)? {
            rtcp::Packet::Arrivals(told) => Some((told.count, told.first, told.times)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_packet_is_told_once_and_what_is_missing_too() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut arrivals = Arrivals::new(start);
        assert_eq!(arrivals.timeout(), None);
        arrivals.received(at(1), 65_534);
        arrivals.received(at(2), 0);
        assert_eq!(report(&mut arrivals, at(50)), None);
        let told = report(&mut arrivals, at(51));
        assert_eq!(told, Some((0, 65_534, vec![Some(4), None, Some(8)])));
        assert_eq!(
            (report(&mut arrivals, at(90)), arrivals.timeout()),
            (None, None)
        );
        // Two are missing, and then the one from before comes after all.
        arrivals.received(at(100), 3);
        let told = report(&mut arrivals, at(150));
        assert_eq!(told, Some((1, 1, vec![None, None, Some(400)])));
        arrivals.received(at(160), 65_535);
        arrivals.received(at(170), 4);
        let told = report(&mut arrivals, at(210)).unwrap();
        assert_eq!((told.0, told.1, told.2.len()), (2, 65_535, 6));
        assert_eq!((told.2[0], told.2[5]), (Some(640), Some(680)));
    }

    #[test]
    fn numbers_that_jump_begin_anew() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.received(start, 7);
        arrivals.received(start, 30_000);
        let told = report(&mut arrivals, start + REPORT);
        assert_eq!(told, Some((0, 30_000, vec![Some(0)])));
    }
}
