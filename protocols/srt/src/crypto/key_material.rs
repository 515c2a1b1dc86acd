//! The key material message (section 3.2.2).

use super::KeyLength;
use crate::packet::{Key, word};

/// Bytes in front of the salt.
const FIXED: usize = 16;
/// The only length of a salt that is defined.
pub(super) const SALT: usize = 16;
/// Version 1, a key material message, and its signature.
const HEAD: u32 = 0x1220_2900;

/// AES-CTR and AES-GCM in the fields for the cipher and the authentication.
const CTR: [u8; 2] = [2, 0];
const GCM: [u8; 2] = [4, 1];

/// Why a message cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the key material is damaged")]
    Malformed,
    #[error("the cipher of the key material is not spoken")]
    Cipher,
    #[error("the key cannot be unwrapped: wrong passphrase")]
    Secret,
}

/// One that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyMaterial<'a> {
    /// Which keys it has.
    pub(super) keys: Key,
    pub(super) gcm: bool,
    pub(super) length: KeyLength,
    pub(super) salt: [u8; SALT],
    /// The wrapped keys.
    pub(super) wrapped: &'a [u8],
}

impl<'a> KeyMaterial<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let field = |index| word(bytes, index).ok_or(KeyError::Malformed);
        let head = field(0)?;
        let keys = match head & 3 {
            1 => Key::Even,
            2 => Key::Odd,
            3 => Key::Both,
            _ => return Err(KeyError::Malformed),
        };
        if head & 0xffff_ff00 != HEAD {
            return Err(KeyError::Malformed);
        }
        let [cipher, authentication, _, _] = field(2)?.to_be_bytes();
        let gcm = match [cipher, authentication] {
            CTR => false,
            GCM => true,
            _ => return Err(KeyError::Cipher),
        };
        let [_, _, salt, length] = field(3)?.to_be_bytes();
        let length = KeyLength::from_words(length).ok_or(KeyError::Malformed)?;
        if usize::from(salt) * 4 != SALT {
            return Err(KeyError::Malformed);
        }
        // The extension says its length in words; libsrt fills nothing up, but may have.
        let rest = bytes.get(FIXED..).ok_or(KeyError::Malformed)?;
        let (salt, rest) = rest.split_first_chunk().ok_or(KeyError::Malformed)?;
        let count = if keys == Key::Both { 2 } else { 1 };
        let wrapped = rest
            .get(..count * length.bytes() + 8)
            .ok_or(KeyError::Malformed)?;
        Ok(Self {
            keys,
            gcm,
            length,
            salt: *salt,
            wrapped,
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED + SALT + self.wrapped.len());
        let keys = match self.keys {
            Key::Even | Key::None => 1,
            Key::Odd => 2,
            Key::Both => 3,
        };
        out.extend_from_slice(&(HEAD | keys).to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(if self.gcm { &GCM } else { &CTR });
        // The payload is MPEG-TS over SRT.
        out.extend_from_slice(&[2, 0, 0, 0, 4, self.length.words()]);
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(self.wrapped);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for (keys, gcm, length, wrapped) in [
            (Key::Even, false, KeyLength::Aes128, 24),
            (Key::Odd, true, KeyLength::Aes256, 40),
            (Key::Both, false, KeyLength::Aes192, 56),
        ] {
            let wrapped = vec![3; wrapped];
            let written = KeyMaterial {
                keys,
                gcm,
                length,
                salt: [7; SALT],
                wrapped: &wrapped,
            };
            let bytes = written.write();
            assert_eq!(KeyMaterial::parse(&bytes), Ok(written));
            for cut in 0..bytes.len() {
                assert_eq!(KeyMaterial::parse(&bytes[..cut]), Err(KeyError::Malformed));
            }
            for (at, value, error) in [
                (0, 0x11, KeyError::Malformed),
                (2, 0x28, KeyError::Malformed),
                (3, 0, KeyError::Malformed),
                (8, 3, KeyError::Cipher),
                (14, 0, KeyError::Malformed),
                (15, 5, KeyError::Malformed),
            ] {
                let mut wrong = bytes.clone();
                wrong[at] = value;
                assert_eq!(KeyMaterial::parse(&wrong), Err(error), "{at}");
            }
        }
    }
}
