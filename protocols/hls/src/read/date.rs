//! `EXT-X-PROGRAM-DATE-TIME`: a date and a time of ISO 8601, as `2010-02-19T14:54:23.031+08:00`.

use std::time::{Duration, SystemTime};

/// The time, if it is one from 1970 to 9999. Without a zone it is UTC.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = seconds.checked_add_signed(-offset(zone)?)?;
    let nanos = format!("{fraction:0<9}");
    let nanos: u32 = nanos.get(..9)?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// Seconds by which the zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, zone) = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'-') => (-1, zone.strip_prefix('-')?),
        Some(_) => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = match zone.split_once(':') {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None => {
            let (hours, minutes) = zone.split_at_checked(2)?;
            let minutes = if minutes.is_empty() { "0" } else { minutes };
            (digits(hours)?, digits(minutes)?)
        }
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60) as i64)
}

/// Days from 1970 to a date of the Gregorian calendar: years are counted from March, so that the day that comes and goes
/// is their last.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    let of_years = year * 365 + year / 4 - year / 100 + year / 400;
    // 1 March of the year 0 is so many days before 1 January 1970.
    (of_years + of_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::DateTime;

    #[test]
    fn dates_are_read_in_all_their_forms() {
        let cases = [
            (
                "2010-02-19T14:54:23.031+08:00",
                Some("2010-02-19T06:54:23.031Z"),
            ),
            ("2010-02-19T14:54:23.031Z", Some("2010-02-19T14:54:23.031Z")),
            (
                "2024-02-29T23:59:59.9999-0130",
                Some("2024-03-01T01:29:59.999Z"),
            ),
            ("2000-12-31T00:00:00", Some("2000-12-31T00:00:00.000Z")),
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00.000Z")),
            ("1970-01-01T00:00:00+01", None),
            ("2026-11-27T08:00:00+01", Some("2026-11-27T07:00:00.000Z")),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59.000Z")),
            ("2010-13-19T14:54:23Z", None),
            ("2010-02-19T24:54:23Z", None),
            ("2010-02-19T14:54:23.x", None),
            ("2010-02-19T14:54:23+é", None),
            ("2010-02-19", None),
            ("-2010-02-19T14:54:23Z", None),
            ("T", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = parse(text).map(|time| DateTime(time).to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
