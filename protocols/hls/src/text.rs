//! The pieces that playlists are written with. Each is safe by itself: whatever it is given, it ends
//! neither the line nor the quotes that it stands in.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

/// A URI or relative reference, as a line or in quotes. What no URI may contain (controls, spaces, quotes,
/// everything beyond ASCII) is percent-encoded, and so is a number sign at the start, which would make the
/// line a comment.
pub(crate) struct Uri<'a>(pub(crate) &'a str);

impl Display for Uri<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.bytes().enumerate() {
            let plain = byte.is_ascii_graphic() && byte != b'"' && (at, byte) != (0, b'#');
            if plain {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// A quoted-string (RFC 8216 section 4.2) for people, such as a rendition's name: quotes become
/// apostrophes, controls become spaces.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            f.write_char(match char {
                '"' => '\'',
                char if char.is_control() => ' ',
                char => char,
            })?;
        }
        f.write_char('"')
    }
}

/// Seconds with five decimals, the nearest: enough for one sample at 96 kHz.
pub(crate) struct Seconds(pub(crate) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rounded = self.0.as_nanos().saturating_add(5_000) / 10_000;
        write!(f, "{}.{:05}", rounded / 100_000, rounded % 100_000)
    }
}

/// A ratio with three decimals, the nearest.
pub(crate) struct Ratio(pub(crate) u32, pub(crate) u32);

impl Display for Ratio {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (numerator, denominator) = (u64::from(self.0), u64::from(self.1.max(1)));
        let rounded = (numerator * 1_000 + denominator / 2) / denominator;
        write!(f, "{}.{:03}", rounded / 1_000, rounded % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_to_five_decimals() {
        let cases = [
            (Duration::ZERO, "0.00000"),
            (Duration::from_nanos(4_999), "0.00000"),
            (Duration::from_nanos(5_000), "0.00001"),
            (Duration::from_nanos(999_995_000), "1.00000"),
            (Duration::from_millis(2_002), "2.00200"),
            (Duration::from_secs(86_400), "86400.00000"),
            (Duration::MAX, "18446744073709551616.00000"),
        ];
        for (duration, text) in cases {
            assert_eq!(Seconds(duration).to_string(), text);
        }
    }

    #[test]
    fn ratios_are_rounded_to_three_decimals() {
        let cases = [
            ((25, 1), "25.000"),
            ((30_000, 1_001), "29.970"),
            ((60_000, 1_001), "59.940"),
            ((2, 3), "0.667"),
            ((u32::MAX, 0), "4294967295.000"),
        ];
        for ((numerator, denominator), text) in cases {
            assert_eq!(Ratio(numerator, denominator).to_string(), text);
        }
    }

    #[test]
    fn nothing_breaks_out() {
        let cases = [
            ("seg1.m4s?a=b&c#d", "seg1.m4s?a=b&c#d"),
            ("#EXT-X-ENDLIST", "%23EXT-X-ENDLIST"),
            ("a\nb\"c d\u{fc}", "a%0Ab%22c%20d%C3%BC"),
        ];
        for (uri, text) in cases {
            assert_eq!(Uri(uri).to_string(), text);
        }
        assert_eq!(Quoted("a\"b\r\nc\u{fc}").to_string(), "\"a'b  c\u{fc}\"");
    }
}
