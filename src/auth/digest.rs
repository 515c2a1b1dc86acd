//! Secrets that the server makes, and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest as _, Sha256};

/// What is kept of a secret of 256 bits: nobody finds the secret to it.
pub(super) type Digest = [u8; 32];

/// A new secret: 256 bits as 43 letters, digits, `-` and `_`.
pub(super) fn secret() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The digest of a secret.
pub(super) fn digest(secret: &[u8]) -> Digest {
    Sha256::digest(secret).into()
}

/// Compares in a time that depends on the lengths alone.
pub(super) fn same(known: &[u8], given: &[u8]) -> bool {
    known.len() == given.len() && known.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
