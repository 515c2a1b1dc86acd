//! Attribute lists (RFC 8216 section 4.2): `NAME=VALUE`, separated by commas, where quotes hide commas.

use std::time::Duration;

/// A list as it stands behind its tag. What cannot be read is passed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Attributes<'a> {
    /// The value of that name, without its quotes.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        let mut rest = self.0;
        while let Some((key, after)) = rest.split_once('=') {
            let (value, behind) = match after.strip_prefix('"') {
                Some(quoted) => {
                    let (value, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
                    (
                        value,
                        behind.split_once(',').map_or("", |(_, behind)| behind),
                    )
                }
                None => after.split_once(',').unwrap_or((after, "")),
            };
            if key.trim() == name {
                return Some(value.trim());
            }
            rest = behind;
        }
        None
    }

    /// A decimal integer.
    pub(super) fn number(self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// A number of seconds.
    pub(super) fn seconds(self, name: &str) -> Option<Duration> {
        seconds(self.get(name)?)
    }

    /// Whether it is `YES`.
    pub(super) fn is_yes(self, name: &str) -> bool {
        self.get(name) == Some("YES")
    }
}

/// A decimal number of seconds below a day, which no segment reaches.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..86_400.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_commas() {
        let list = Attributes("A=1,B=\"x,A=2=3\",C=YES, D = 0.5 ,E=\"open");
        let cases = [
            ("A", Some("1")),
            ("B", Some("x,A=2=3")),
            ("C", Some("YES")),
            ("D", Some("0.5")),
            ("E", Some("open")),
            ("F", None),
        ];
        for (name, value) in cases {
            assert_eq!(list.get(name), value, "{name}");
        }
        assert!(list.is_yes("C") && !list.is_yes("A"));
        assert_eq!(list.number("A"), Some(1));
        assert_eq!(list.number("B"), None);
        assert_eq!(list.seconds("D"), Some(Duration::from_millis(500)));
        for broken in ["", ",", "=", "A", "\"", "A,B", "==\"\"=,="] {
            assert_eq!(Attributes(broken).get("B"), None, "{broken}");
        }
    }

    #[test]
    fn seconds_are_bounded() {
        assert_eq!(seconds("6"), Some(Duration::from_secs(6)));
        for text in ["-1", "NaN", "inf", "1e300", "86400", "", "a"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
