//! When what a file holds was, on the clock on the wall: stretches without a gap.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A hole of so much media time, or a clock that is so much later than the media, is a gap.
const GAP: Duration = Duration::from_secs(1);

/// A clock that goes back by less was only read late before: what comes first may have waited in memory.
const LATE: Duration = Duration::from_secs(15);

/// Most stretches of a file; then the last one goes on.
const MAX_SPANS: usize = 1_000;

/// Media without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where in the file it begins.
    pub at: Duration,
    /// When it was, since 1970.
    pub since_1970: Duration,
    /// How long it is.
    pub length: Duration,
}

impl Span {
    /// When it ends, since 1970.
    pub const fn until_1970(&self) -> Duration {
        self.since_1970.saturating_add(self.length)
    }
}

/// The stretches of one file, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    /// A fragment: where in the file it begins and ends, and when it was, if it says so.
    pub(super) fn push(&mut self, at: Duration, end: Duration, since_1970: Option<Duration>) {
        let is_full = self.0.len() >= MAX_SPANS;
        let Some(last) = self.0.last_mut() else {
            if let Some(since_1970) = since_1970 {
                let length = end.saturating_sub(at);
                self.0.push(Span {
                    at,
                    since_1970,
                    length,
                });
            }
            return;
        };
        let expected = last.since_1970.saturating_add(at.saturating_sub(last.at));
        let now = since_1970.unwrap_or(expected);
        let hole = at.saturating_sub(last.at.saturating_add(last.length));
        let apart = hole > GAP || now > expected + GAP || now + LATE < expected;
        if apart && !is_full {
            self.0.push(Span {
                at,
                since_1970: now,
                length: end.saturating_sub(at),
            });
            return;
        }
        last.since_1970 = last.since_1970.saturating_sub(expected.saturating_sub(now));
        last.length = last.length.max(end.saturating_sub(last.at));
    }

    pub(super) fn into_list(self) -> Vec<Span> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragments as (begins, ends, wall) in milliseconds, to spans likewise as (begins, length, wall).
    fn spans(fragments: &[(u64, u64, u64)]) -> Vec<(u64, u64, u64)> {
        let millis = Duration::from_millis;
        let mut spans = Spans::default();
        for &(at, end, wall) in fragments {
            spans.push(millis(at), millis(end), Some(millis(wall)));
        }
        let number = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let list = spans.into_list().into_iter();
        list.map(|span| {
            (
                number(span.at),
                number(span.length),
                number(span.since_1970),
            )
        })
        .collect()
    }

    #[test]
    fn gaps_and_clocks_that_jump_divide_and_nothing_else_does() {
        // What waited in memory at first, and a little drift.
        let steady = [
            (0, 900, 52_000),
            (900, 1_800, 51_500),
            (1_800, 2_700, 52_450),
        ];
        assert_eq!(spans(&steady), [(0, 2_700, 50_600)]);
        // An encoder was gone for 7 seconds: media goes on, the clock has.
        let gone = [
            (0, 1_000, 50_000),
            (1_000, 2_000, 51_000),
            (2_000, 3_000, 59_000),
        ];
        assert_eq!(spans(&gone), [(0, 2_000, 50_000), (2_000, 1_000, 59_000)]);
        // A disk that was too slow: both have.
        let slow = [(0, 1_000, 50_000), (6_000, 7_000, 56_000)];
        assert_eq!(spans(&slow), [(0, 1_000, 50_000), (6_000, 1_000, 56_000)]);
        // The clock is set back by an hour.
        let back = [(0, 1_000, 9_000_000), (1_000, 2_000, 5_401_000)];
        assert_eq!(
            spans(&back),
            [(0, 1_000, 9_000_000), (1_000, 1_000, 5_401_000)]
        );
    }

    #[test]
    fn a_file_that_says_nothing_has_none_and_their_number_is_bounded() {
        let mut silent = Spans::default();
        silent.push(Duration::ZERO, GAP, None);
        assert_eq!(silent.into_list(), []);
        let many: Vec<_> = (0..3_000)
            .map(|n| (n * 5_000, n * 5_000 + 10, n * 5_000))
            .collect();
        assert_eq!(spans(&many).len(), MAX_SPANS);
    }
}
