//! `Range` (RFC 2326 section 12.29): which part of a stream is meant.

use std::fmt;
use std::time::Duration;

/// A part of a stream. Live streams have none but from now on; that is what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// Normal play time, from a time, or from now on where there is none, to another, or for ever.
    Npt(Option<Duration>, Option<Duration>),
    /// Of a clock or in frames: `clock` and `smpte`, as they were written.
    Other(String),
}

impl Range {
    /// From now on.
    pub(crate) const NOW: Self = Self::Npt(None, None);

    /// Reads a range; `None` when it is none.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        // A time at which to start may follow.
        let value = value.split(';').next().unwrap_or_default().trim();
        let (unit, range) = value.split_once('=')?;
        let (unit, range) = (unit.trim().to_ascii_lowercase(), range.trim());
        if unit == "clock" || unit.starts_with("smpte") {
            return Some(Self::Other(value.to_owned()));
        }
        if unit != "npt" {
            return None;
        }
        let (from, to) = range.split_once('-').unwrap_or((range, ""));
        let from = match from.trim() {
            "now" => None,
            "" => Some(Duration::ZERO),
            time => Some(play_time(time)?),
        };
        let to = match to.trim() {
            "" => None,
            time => Some(play_time(time)?),
        };
        Some(Self::Npt(from, to))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Npt(from, to) = self else {
            let Self::Other(text) = self else {
                return Ok(());
            };
            return f.write_str(text);
        };
        match from {
            None => f.write_str("npt=now-")?,
            Some(from) => write!(f, "npt={:.3}-", from.as_secs_f64())?,
        }
        match to {
            None => Ok(()),
            Some(to) => write!(f, "{:.3}", to.as_secs_f64()),
        }
    }
}

/// Seconds with a fraction, or hours, minutes and seconds between colons.
fn play_time(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut parts = 0;
    for part in text.split(':') {
        let value: f64 = part.trim().parse().ok()?;
        seconds = seconds * 60.0 + value;
        parts += 1;
    }
    (parts <= 3).then_some(())?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let npt = |from: Option<u64>, to: Option<u64>| {
            let millis = |time: Option<u64>| time.map(Duration::from_millis);
            Some(Range::Npt(millis(from), millis(to)))
        };
        let cases = [
            ("npt=now-", Some(Range::NOW)),
            ("npt=0.000-", npt(Some(0), None)),
            (
                "NPT = 10 - 20.5;time=19970123T143720Z",
                npt(Some(10_000), Some(20_500)),
            ),
            ("npt=-20", npt(Some(0), Some(20_000))),
            ("npt=1:00:00.5-", npt(Some(3_600_500), None)),
            ("npt=now", Some(Range::NOW)),
            (
                "clock=19961108T142300Z-",
                Some(Range::Other("clock=19961108T142300Z-".to_owned())),
            ),
            (
                "smpte-25=10:07:00-",
                Some(Range::Other("smpte-25=10:07:00-".to_owned())),
            ),
            ("npt=x-", None),
            ("npt=1:2:3:4-", None),
            ("npt=1e400-", None),
            ("npt=-1--2", None),
            ("bytes=0-", None),
            ("", None),
        ];
        for (text, range) in cases {
            assert_eq!(Range::parse(text), range, "{text}");
            if let Some(range) = range {
                assert_eq!(Range::parse(&range.to_string()), Some(range));
            }
        }
    }
}
