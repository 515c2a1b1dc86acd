//! When clock references and tables are due: clocks every 40 ms at most, as broadcasting asks (ETSI TS 101 154 clause
//! 4.1.5; the standard itself allows 100 ms, clause 2.7.2), tables every 100 ms (ETSI TR 101 290).
//!
//! A picture is taken to be on its way until the next one, which comes as much later as it came after the one before.
//! What is due meanwhile stands between its packets.

/// Ticks between two clock references at most.
const CLOCK: i64 = 3_600;

/// Ticks between two that are planned: the next picture may come a little later than the one before did.
const PLANNED: i64 = 3_240;

/// Ticks between two tables.
const TABLES: i64 = 9_000;

/// So much later than the pictures should be, and other tracks bring the clock: 18 ms, so that with each frame of
/// sound one comes in time.
const CLOCK_STALLED: i64 = 1_620;

/// Steps of time beyond this, forwards or backwards, are another clock: 10 s.
const MAX_STEP: i64 = 900_000;

/// The longest interval between pictures that clocks are planned for: 200 ms. What comes meanwhile after all, sound or
/// the next picture of a stream that has become faster, is of a time only the muxer's delay ahead (400 ms), and all of
/// it has to be there when the clock says so (clause 2.4.2.6).
const MAX_INTERVAL: i64 = 18_000;

/// How long a picture is on its way at most: 100 ms. It has to be there before it is decoded, at a constant rate with
/// what that may delay it.
pub(super) const MAX_WAY: i64 = 9_000;

/// What is due before and between the packets of one PES packet.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// When it is sent.
    pub(super) time: i64,
    /// The clock begins anew.
    pub(super) discontinuity: bool,
    /// The tables stand in front.
    pub(super) tables: bool,
    /// The clock of the beginning.
    pub(super) clock: Option<i64>,
    /// Clocks at even distances behind, each with tables in front of it or not.
    pub(super) more: Vec<(i64, bool)>,
}

/// What was sent when.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    last_clock: Option<i64>,
    last_tables: Option<i64>,
    /// The last unit of the track that brings the clock, and until when it is on its way.
    last_unit: Option<i64>,
    covered: i64,
    /// The latest time of all.
    newest: Option<i64>,
    /// That of the first unit, which may still wait for others.
    first: Option<i64>,
    discontinuity: bool,
}

impl Schedule {
    /// Whether a time is on another clock than those before.
    pub(super) fn is_jump(&self, time: i64) -> bool {
        let known = self.newest.or(self.first);
        known.is_some_and(|known| time.saturating_sub(known).abs() > MAX_STEP)
    }

    /// A unit of that time has come.
    pub(super) fn see(&mut self, time: i64) {
        self.first.get_or_insert(time);
    }

    /// What follows is on another clock.
    pub(super) fn restart(&mut self) {
        *self = Self {
            discontinuity: self.last_clock.is_some(),
            ..Self::default()
        };
    }

    /// Tables are due with whatever comes next.
    pub(super) const fn tables_due(&mut self) {
        self.last_tables = None;
    }

    /// Whether the track that brings the clock is so late that others have to.
    pub(super) fn is_stalled(&self, time: i64) -> bool {
        self.last_clock.is_none() || time.saturating_sub(self.covered) > CLOCK_STALLED
    }

    /// What is due with a unit, or with some, of a track that brings the clock or of another.
    pub(super) fn plan(&mut self, time: i64, is_clock: bool, random_access: bool) -> Plan {
        let time = self.newest.map_or(time, |newest| newest.max(time));
        self.newest = Some(time);
        let (interval, count) = if is_clock {
            let step = self.last_unit.map(|last| time.saturating_sub(last));
            self.last_unit = Some(time);
            let step = step.filter(|step| *step > 0).unwrap_or(CLOCK);
            let step = step.min(MAX_INTERVAL);
            self.covered = time.saturating_add(step);
            (step, (step + PLANNED - 1) / PLANNED)
        } else {
            if !self.is_stalled(time) {
                // Tables that have changed stand in front of what they describe.
                let tables = self.last_tables.is_none();
                if tables {
                    self.last_tables = Some(time);
                }
                return Plan {
                    time,
                    tables,
                    ..Plan::default()
                };
            }
            self.covered = self.covered.max(time);
            (CLOCK_STALLED, 1)
        };
        let slot = interval / count;
        let tables = self.tables(time, slot, random_access);
        let clock = self.clock(time).then_some(time);
        let mut more = Vec::new();
        for number in 1..count {
            let at = time.saturating_add(number * interval / count);
            if self.clock(at) {
                more.push((at, self.tables(at, slot, false)));
            }
        }
        Plan {
            time,
            discontinuity: std::mem::take(&mut self.discontinuity),
            tables,
            clock,
            more,
        }
    }

    /// Clocks grow.
    fn clock(&mut self, time: i64) -> bool {
        let grows = self.last_clock.is_none_or(|last| last < time);
        if grows {
            self.last_clock = Some(time);
        }
        grows
    }

    /// Whether tables are due now, or would be late in the next slot.
    fn tables(&mut self, time: i64, slot: i64, wanted: bool) -> bool {
        let late = |last: i64| time.saturating_add(slot).saturating_sub(last) > TABLES;
        let due = wanted || self.last_tables.is_none_or(late);
        if due {
            self.last_tables = Some(time);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clocks and tables of units of one track at these intervals.
    fn sent(interval: i64, count: i64) -> (Vec<i64>, Vec<i64>) {
        let mut schedule = Schedule::default();
        let (mut clocks, mut tables) = (Vec::new(), Vec::new());
        for number in 0..count {
            let plan = schedule.plan(number * interval, true, false);
            tables.extend(plan.tables.then_some(plan.time));
            clocks.extend(plan.clock);
            for (time, with_tables) in plan.more {
                clocks.push(time);
                tables.extend(with_tables.then_some(time));
            }
        }
        (clocks, tables)
    }

    #[test]
    fn a_picture_that_is_a_little_late_leaves_no_gap_in_the_clock() {
        for rate in [24, 25, 30, 50] {
            let mut schedule = Schedule::default();
            let mut clocks = Vec::new();
            for number in 0..100 {
                // The fiftieth comes 4 ms later than it should, and all behind it.
                let time = number * 90_000 / rate + if number < 50 { 0 } else { 360 };
                let plan = schedule.plan(time, true, false);
                clocks.extend(plan.clock);
                clocks.extend(plan.more.iter().map(|(at, _)| *at));
            }
            let steps = clocks.windows(2).map(|pair| pair[1] - pair[0]).skip(1);
            assert!(steps.max().unwrap() <= CLOCK, "{rate}");
        }
    }

    #[test]
    fn clocks_and_tables_are_in_time_whatever_the_rate() {
        // Pictures per second.
        for rate in [5, 10, 15, 24, 25, 30, 50, 60, 120] {
            let (clocks, tables) = sent(90_000 / rate, rate * 4);
            // The first interval is not known yet.
            let known = |times: Vec<i64>| -> Vec<i64> {
                let known = times.into_iter().filter(|time| *time >= 90_000 / rate);
                known.collect()
            };
            let largest = |times: Vec<i64>| {
                let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
                steps.max().unwrap()
            };
            let (clocks, tables) = (known(clocks), known(tables));
            assert!(clocks.is_sorted_by(|a, b| a < b));
            assert!(largest(clocks) <= CLOCK, "{rate}");
            assert!(largest(tables) <= TABLES, "{rate}");
        }
    }

    #[test]
    fn pictures_that_stand_still_leave_the_clock_to_sound() {
        let mut schedule = Schedule::default();
        for number in 0..10 {
            schedule.plan(number * 3_600, true, false);
            assert_eq!(
                schedule.plan(number * 3_600 + 100, false, false).clock,
                None
            );
        }
        // Frames of 1,024 samples at 48 kHz.
        let clocks: Vec<i64> = (20..100)
            .filter_map(|number| schedule.plan(number * 1_920, false, false).clock)
            .collect();
        assert!(clocks.windows(2).all(|pair| pair[1] - pair[0] <= CLOCK));
        assert!(clocks.len() > 70);
        // A picture from before does not turn it back.
        let plan = schedule.plan(100_000, true, false);
        assert!(plan.clock.is_none() && plan.time == 99 * 1_920);
    }

    #[test]
    fn a_restart_is_told_once() {
        let mut schedule = Schedule::default();
        assert!(!schedule.plan(900, true, false).discontinuity);
        assert!(!schedule.is_jump(MAX_STEP + 900) && schedule.is_jump(MAX_STEP + 901));
        schedule.restart();
        let plan = schedule.plan(5, true, false);
        assert!(plan.discontinuity && plan.tables && plan.clock == Some(5));
        assert!(!schedule.plan(3_605, true, false).discontinuity);
    }
}
