//! A wall-clock time as playlists and descriptions write it. A date crate would bring time zones, parsing and
//! locales for this one line; the Gregorian calendar is short.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, SystemTime};

const DAY: u64 = 86_400;

/// The last millisecond that has a year of four digits, from the epoch: 9999-12-31T23:59:59.999Z.
const LAST: Duration = Duration::from_millis(253_402_300_799_999);

/// RFC 3339 in UTC with milliseconds, rounded down. Times before 1970 are written as its first, and times
/// beyond the year 9999, which RFC 3339 cannot hold, as its last millisecond.
#[derive(Clone, Copy, Debug)]
pub struct DateTime(pub SystemTime);

impl Display for DateTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let since_epoch = self
            .0
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .min(LAST);
        let seconds = since_epoch.as_secs();
        let (year, month, day) = date(seconds / DAY);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = since_epoch.subsec_millis();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day that are `days` after 1970-01-01. Whole cycles of 400 years are taken off first,
/// so that the loops are short.
fn date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 400 * 365 + 97;
    let mut year = 1970 + 400 * (days / CYCLE);
    let mut rest = days % CYCLE;
    while rest >= days_of_year(year) {
        rest -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while rest >= days_of_month(year, month) {
        rest -= days_of_month(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        // As `date --utc --date=@SECONDS` gives them.
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, 999, "2000-02-28T23:59:59.999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000Z"),
            (1_709_210_096, 789, "2024-02-29T12:34:56.789Z"),
            (1_735_689_599, 1, "2024-12-31T23:59:59.001Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, 999, "9999-12-31T23:59:59.999Z"),
        ];
        for (seconds, millis, text) in cases {
            let time = SystemTime::UNIX_EPOCH
                + Duration::from_secs(seconds)
                + Duration::from_millis(millis);
            assert_eq!(DateTime(time).to_string(), text);
        }
    }

    #[test]
    fn times_without_a_date_are_held_at_the_ends() {
        let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(DateTime(early).to_string(), "1970-01-01T00:00:00.000Z");
        let late = SystemTime::UNIX_EPOCH + LAST + Duration::from_secs(1);
        assert_eq!(DateTime(late).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = date(0);
        for day in 1..160_000 {
            let (year, month, day) = date(day);
            let next_day = (last.0, last.1, last.2 + 1);
            let next_month = (last.0, last.1 + 1, 1);
            let next_year = (last.0 + 1, 1, 1);
            let expected = if last.2 < days_of_month(last.0, last.1) {
                next_day
            } else if last.1 < 12 {
                next_month
            } else {
                next_year
            };
            assert_eq!((year, month, day), expected);
            last = (year, month, day);
        }
    }
}
