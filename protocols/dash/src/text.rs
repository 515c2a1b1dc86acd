//! The pieces that descriptions are written with. Each is safe by itself: whatever it is given, it does not end the
//! attribute that it stands in.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

/// The value of an attribute. What XML 1.0 does not allow at all (most controls) becomes a space.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                    f.write_char(' ')?;
                }
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// `xs:duration` in seconds, to the microsecond and rounded down: `PT2.5S`.
pub(crate) struct Length(pub(crate) Duration);

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "PT{}", self.0.as_secs())?;
        match self.0.subsec_micros() {
            0 => f.write_char('S'),
            micros => {
                let digits = format!("{micros:06}");
                write!(f, ".{}S", digits.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_hold_anything() {
        let cases = [
            ("cam_1.mp4", "cam_1.mp4"),
            ("a&b<c>\"d'", "a&amp;b&lt;c&gt;&quot;d'"),
            ("line\nbreak\u{0}\u{ffff}é", "line break  é"),
        ];
        for (text, escaped) in cases {
            assert_eq!(Escaped(text).to_string(), escaped);
        }
    }

    #[test]
    fn durations_are_in_seconds() {
        let cases = [
            (0, "PT0S"),
            (2_000_000, "PT2S"),
            (500_000, "PT0.5S"),
            (3_600_000_001, "PT3600.000001S"),
        ];
        for (micros, text) in cases {
            assert_eq!(Length(Duration::from_micros(micros)).to_string(), text);
        }
    }
}
