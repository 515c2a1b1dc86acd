//! How long ago what is sent was captured, where the source says.
//!
//! Arrivals tremble. Sender reports of sound and pictures, which are told apart, must not tremble with them, or
//! the player would move the one against the other.

use std::time::{Duration, SystemTime};

/// A difference that is taken at once: another source, or a clock that was set.
const STEP: Duration = Duration::from_millis(500);

/// The part of a smaller difference that is followed with each access unit.
const FOLLOW: u32 = 64;

/// The delay of one stream, from capture to here.
#[derive(Debug, Default)]
pub(super) struct Delay(Duration);

impl Delay {
    /// Takes when an access unit was captured, by a clock that says `now`, and gives the delay: none where the
    /// source says nothing, or its clock is ahead of ours.
    pub(super) fn learn(&mut self, now: SystemTime, capture: Option<SystemTime>) -> Duration {
        let found = capture.and_then(|capture| now.duration_since(capture).ok());
        let found = found.unwrap_or_default();
        self.0 = if found.abs_diff(self.0) >= STEP {
            found
        } else if found > self.0 {
            self.0 + (found - self.0) / FOLLOW
        } else {
            self.0 - (self.0 - found) / FOLLOW
        };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_at_once_and_trembling_hardly() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let millis = Duration::from_millis;
        let mut delay = Delay::default();
        assert_eq!(delay.learn(now, None), Duration::ZERO);
        assert_eq!(delay.learn(now, Some(now + millis(90_000))), Duration::ZERO);
        assert_eq!(delay.learn(now, Some(now - millis(700))), millis(700));
        for late in [730, 710, 690, 670].repeat(50) {
            let found = delay.learn(now, Some(now - millis(late)));
            assert!(found.abs_diff(millis(700)) < millis(3), "{found:?}");
        }
        assert_eq!(delay.learn(now, Some(now - millis(90_000))), millis(90_000));
        assert_eq!(delay.learn(now, None), Duration::ZERO);
    }
}
