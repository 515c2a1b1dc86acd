//! Codes that change with time (TOTP, RFC 6238) as Ant Media's subscribers have them: six digits, HMAC-SHA-1.

use data_encoding::BASE32_NOPAD;
use ring::hmac;

/// Digits of a code.
const DIGITS: usize = 6;

/// Longest secret, in bytes, once decoded.
const MAX_SECRET: usize = 256;

/// The bytes of a secret in base32 (RFC 4648 section 6), with or without padding.
pub(super) fn secret(base32: &str) -> Option<Vec<u8>> {
    let bytes = base32.trim_end_matches('=').as_bytes();
    let decoded = BASE32_NOPAD.decode(bytes).ok()?;
    (!decoded.is_empty() && decoded.len() <= MAX_SECRET).then_some(decoded)
}

/// The secret of a subscriber that nobody has registered, from that of its application. Padding makes its length one that
/// needs none in base32.
pub(super) fn derived(of_app: &str, subscriber: &str, stream: &str, kind: &str) -> Vec<u8> {
    let mut text = format!("{of_app}{subscriber}{stream}{kind}");
    while text.len() % 8 != 0 {
        text.push('X');
    }
    text.into_bytes()
}

/// The code at `now` (seconds since 1970), where it changes each `period` seconds.
pub(super) fn code(secret: &[u8], now: u64, period: u64) -> String {
    of_step(secret, now / period.max(1))
}

/// Whether that is the code of now, or of the period before or behind: clocks differ (RFC 6238 section 5.2).
pub(super) fn is_good(secret: &[u8], given: &str, now: u64, period: u64) -> bool {
    let step = now / period.max(1);
    let steps = [step, step.saturating_sub(1), step.saturating_add(1)];
    given.len() == DIGITS
        && steps.iter().fold(false, |found, step| {
            let code = of_step(secret, *step);
            super::digest::same(code.as_bytes(), given.as_bytes()) | found
        })
}

/// RFC 4226 section 5.3.
fn of_step(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes.last().copied().unwrap_or(0) & 0xf);
    let four = bytes.get(at..at + 4).unwrap_or_default();
    let number = four
        .iter()
        .fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of eight digits.
        let secret = b"12345678901234567890";
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(self::code(secret, time, 30), code, "{time}");
            assert!(is_good(secret, code, time + 30, 30));
            assert!(is_good(secret, code, time - 30, 30));
            assert!(!is_good(secret, code, time + 90, 30));
        }
        for wrong in ["", "28708", "2870822", "287083", "abcdef"] {
            assert!(!is_good(secret, wrong, 59, 30), "{wrong}");
        }
    }

    #[test]
    fn secrets() {
        assert_eq!(secret("GEZDGNBV").as_deref(), Some(&b"12345"[..]));
        assert_eq!(secret("MFRGG===").as_deref(), Some(&b"abc"[..]));
        for wrong in ["", "====", "gezdgnbv", "GEZD1NBV", &"A".repeat(1_000)] {
            assert_eq!(secret(wrong), None, "{wrong}");
        }
        assert_eq!(
            derived("secret123", "sub1", "stream1", "publish"),
            b"secret123sub1stream1publishXXXXX"
        );
        assert_eq!(derived("secret", "sub1", "stream1", "publish").len(), 24);
    }
}
