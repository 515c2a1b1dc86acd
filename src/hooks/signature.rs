//! Signatures, by which a receiver knows that a request is ours, and not an old one sent again.

use axum::http::{HeaderName, HeaderValue};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// `t=SECONDS,v1=HEX`: when it was sent, and the HMAC-SHA256 of `SECONDS.BODY`.
pub const SIGNATURE: HeaderName = HeaderName::from_static("millstream-signature");

/// HMAC-SHA256 (RFC 2104) of the pieces one behind the other, in hexadecimal digits.
pub fn hmac(key: &[u8], pieces: &[&[u8]]) -> String {
    // Keys may be of any length; that this one is refused cannot happen.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    for piece in pieces {
        mac.update(piece);
    }
    let mut text = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The header's value for what is sent at that time, in seconds since 1970.
pub(super) fn sign(key: &[u8], seconds: u64, body: &[u8]) -> Option<HeaderValue> {
    let time = seconds.to_string();
    let code = hmac(key, &[time.as_bytes(), b".", body]);
    HeaderValue::try_from(format!("t={time},v1={code}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        assert_eq!(
            hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hmac(
                &[0xaa; 131],
                &[b"Test Using Larger Than Block-Size Key - Hash Key First"]
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        let value = sign(b"Jefe", 1_700_000_000, b"{}").unwrap();
        let expected = hmac(b"Jefe", &[b"1700000000.{}"]);
        assert_eq!(value, format!("t=1700000000,v1={expected}"));
    }
}
