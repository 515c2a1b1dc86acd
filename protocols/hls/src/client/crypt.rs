//! AES-128 as HLS has it: cipher block chaining over the whole segment, with PKCS #7 padding (RFC 8216 section 4.3.2.4).

use aes::Aes128;
use aes::cipher::{BlockDecryptMut, KeyIvInit, block_padding::Pkcs7};
use bytes::Bytes;

/// A key.
pub(super) type Secret = [u8; 16];

/// The key in a file: its first 16 bytes.
pub(super) fn secret(file: &[u8]) -> Option<Secret> {
    file.first_chunk().copied()
}

/// The vector of a segment that is given none: its number.
pub(super) fn iv_of(sequence: u64) -> [u8; 16] {
    u128::from(sequence).to_be_bytes()
}

/// The plain bytes, if these are whole blocks that end in a padding.
pub(super) fn decrypt(secret: &Secret, iv: [u8; 16], bytes: &[u8]) -> Option<Bytes> {
    let mut plain = bytes.to_vec();
    let cipher = cbc::Decryptor::<Aes128>::new(secret.into(), &iv.into());
    let length = cipher.decrypt_padded_mut::<Pkcs7>(&mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_decrypted_and_padding_is_taken_off() {
        let secret = core::array::from_fn(|at| at as u8);
        for plain in [&b"sixteen bytes ok"[..], b"short", b""] {
            use aes::cipher::{BlockEncryptMut, KeyIvInit};
            let cipher = cbc::Encryptor::<Aes128>::new(&secret.into(), &iv_of(7).into());
            let encrypted = cipher.encrypt_padded_vec_mut::<Pkcs7>(plain);
            assert_eq!(
                decrypt(&secret, iv_of(7), &encrypted).as_deref(),
                Some(plain)
            );
            assert_ne!(
                decrypt(&secret, iv_of(8), &encrypted).as_deref(),
                Some(plain)
            );
            let cut = &encrypted[..encrypted.len() - 1];
            assert_eq!(decrypt(&secret, iv_of(7), cut), None);
        }
        assert_eq!(decrypt(&secret, iv_of(7), b""), None);
    }
}
