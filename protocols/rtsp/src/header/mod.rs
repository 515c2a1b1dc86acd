//! Header fields with a grammar of their own: reading what peers write, and writing them by the book.

mod range;
mod rtp_info;
mod transport;

pub use rtp_info::RtpInfo;

pub(crate) use range::Range;
pub(crate) use transport::{Lower, Transport};

use std::time::Duration;

/// How long a session lives without a sign of its client where the server does not say (RFC 2326 section 12.37).
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest session identifier, in bytes.
const MAX_SESSION: usize = 256;

/// Reads `Session`: the identifier, and how long the session lives without a sign of its client.
pub(crate) fn session(value: &str) -> Option<(&str, Option<Duration>)> {
    let (id, rest) = value.split_once(';').unwrap_or((value, ""));
    let id = id.trim();
    let timeout = parameters(rest).find(|(name, _)| name.eq_ignore_ascii_case("timeout"));
    let timeout = timeout.and_then(|(_, seconds)| seconds.parse().ok());
    let good = !id.is_empty() && id.len() <= MAX_SESSION;
    good.then_some((
        id,
        timeout
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
    ))
}

/// Whether a list such as that of `Public` has this word.
pub(crate) fn lists(value: &str, word: &str) -> bool {
    let words = value.split([',', ' ', ';']);
    words
        .map(str::trim)
        .any(|found| found.eq_ignore_ascii_case(word))
}

/// The parts of a value at `separator`, but for those within quotes.
pub(crate) fn split_unquoted(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// Names and values separated by semicolons; a flag's value is empty.
pub(crate) fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    split_unquoted(value, ';').filter_map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = name.trim();
        (!name.is_empty()).then(|| (name, value.trim().trim_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions() {
        let cases = [
            ("12345678", Some(("12345678", None))),
            (" ab-c ; Timeout = 30 ", Some(("ab-c", Some(30)))),
            ("x;timeout=0", Some(("x", None))),
            ("x;timeout=-1;y", Some(("x", None))),
            (";timeout=60", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let expected = expected.map(|(id, timeout)| (id, timeout.map(Duration::from_secs)));
            assert_eq!(session(value), expected, "{value}");
        }
        assert_eq!(session(&"x".repeat(MAX_SESSION + 1)), None);
    }

    #[test]
    fn lists_of_methods() {
        for value in [
            "OPTIONS, GET_PARAMETER",
            "options,get_parameter",
            "OPTIONS GET_PARAMETER",
        ] {
            assert!(
                lists(value, "GET_PARAMETER") && !lists(value, "PARAMETER"),
                "{value}"
            );
        }
    }

    #[test]
    fn separators_within_quotes_separate_nothing() {
        let parts: Vec<_> = split_unquoted("a,\"b,c\",d", ',').collect();
        assert_eq!(parts, ["a", "\"b,c\"", "d"]);
    }
}
