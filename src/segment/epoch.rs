//! What time it was on the clock on the wall at media time 0.

use media::{AccessUnit, Timebase};
use std::time::{Duration, SystemTime};

/// Times of capture that differ by less are one: a sender's reports tremble.
const TREMBLE: Duration = Duration::from_millis(10);

/// A time of capture that lies further ahead of arrival than this, or so long behind it, is by a clock that is wrong: some
/// cameras tell their own time for that of the world.
const AHEAD: Duration = Duration::from_secs(5);
const BEHIND: Duration = Duration::from_secs(120);

/// Learns it from access units: by when they were captured, where their source says so, or else by when they
/// arrived. The one that came with the least delay comes nearest.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    captured: Option<Duration>,
    arrived: Option<Duration>,
}

impl Epoch {
    /// Takes an access unit that arrived at `now`. One behind a seam begins anew: media time runs on over an
    /// interruption, and the clock on the wall does too.
    pub(super) fn learn(&mut self, unit: &AccessUnit, timebase: Timebase, now: SystemTime) {
        if unit.discontinuity {
            *self = Self::default();
        }
        let presented = timebase.duration(unit.pts);
        let before = |time: SystemTime| {
            let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
            since_1970.unwrap_or_default().saturating_sub(presented)
        };
        let is_right = |capture: &SystemTime| match now.duration_since(*capture) {
            Ok(behind) => behind <= BEHIND,
            Err(ahead) => ahead.duration() <= AHEAD,
        };
        if let Some(capture) = unit.capture.filter(is_right) {
            let found = before(capture);
            let known = self
                .captured
                .filter(|known| known.abs_diff(found) < TREMBLE);
            self.captured = known.or(Some(found));
        }
        let found = before(now);
        self.arrived = Some(self.arrived.map_or(found, |known| known.min(found)));
    }

    /// Since 1970, where the source has told times of capture.
    pub(super) const fn captured(&self) -> Option<Duration> {
        self.captured
    }

    /// How long after capture access units have arrived at best, as far as the source tells.
    pub(super) fn lag(&self) -> Duration {
        let lag = self.arrived.zip(self.captured);
        lag.map_or(Duration::ZERO, |(arrived, captured)| {
            arrived.saturating_sub(captured)
        })
    }

    /// Since 1970; none before the first access unit.
    pub(super) fn get(&self) -> Option<Duration> {
        self.captured.or(self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::TrackId;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(1_700_000_000_000 + millis)
    }

    /// Learns from a unit that is presented, was captured and arrived at these milliseconds.
    fn learn(epoch: &mut Epoch, pts: i64, captured: Option<u64>, arrived: u64, seam: bool) {
        let unit = AccessUnit {
            track: TrackId(0),
            dts: pts - 40,
            pts,
            random_access: true,
            disposable: false,
            discontinuity: seam,
            capture: captured.map(|millis| SystemTime::UNIX_EPOCH + at(millis)),
            payload: Bytes::new(),
        };
        let now = SystemTime::UNIX_EPOCH + at(arrived);
        epoch.learn(&unit, Timebase::MILLIS, now);
    }

    #[test]
    fn a_clock_that_tells_local_time_is_not_believed() {
        let hours = 8 * 3_600_000;
        let mut epoch = Epoch::default();
        learn(&mut epoch, 1_000, Some(1_000 + hours), 1_200, false);
        assert_eq!((epoch.captured(), epoch.get()), (None, Some(at(200))));
        learn(&mut epoch, hours as i64, Some(1_000), hours + 1_200, false);
        assert_eq!(epoch.captured(), None);
        learn(&mut epoch, 2_000, Some(2_000), 2_200, true);
        assert_eq!(epoch.captured(), Some(at(0)));
    }

    #[test]
    fn the_least_delay_tells_until_capture_does() {
        let mut epoch = Epoch::default();
        assert_eq!(epoch.get(), None);
        for (pts, arrived, expected) in [
            (1_000, 1_300, 300),
            (1_040, 1_240, 200),
            (1_080, 1_500, 200),
        ] {
            learn(&mut epoch, pts, None, arrived, false);
            assert_eq!(epoch.get(), Some(at(expected)));
        }
        for (captured, expected) in [(1_250, 130), (1_295, 130), (1_360, 160)] {
            let pts = if captured == 1_360 {
                1_200
            } else {
                1_120 + (captured - 1_250) / 45 * 40
            };
            learn(&mut epoch, pts as i64, Some(captured), 1_500, false);
            assert_eq!(epoch.get(), Some(at(expected)), "{captured}");
        }
        // What has no time of capture changes nothing then.
        learn(&mut epoch, 1_240, None, 1_250, false);
        assert_eq!(epoch.get(), Some(at(160)));
    }

    #[test]
    fn behind_a_seam_it_is_learnt_anew() {
        let mut epoch = Epoch::default();
        learn(&mut epoch, 1_000, Some(1_100), 1_200, false);
        learn(&mut epoch, 1_040, None, 9_240, true);
        assert_eq!(epoch.get(), Some(at(8_200)));
    }
}
