//! One stream encrypting key at work (sections 6.1.2, 6.2.2 and 6.3.2).

use super::KeyLength;
use super::key_material::SALT;
use crate::packet::HEADER_LEN;
use crate::sequence::Sequence;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, Aes256Gcm, Tag};
use ctr::{Ctr128BE, CtrCore};

/// Bytes of the tag of AES-GCM at the end of a payload.
pub(super) const TAG: usize = 16;

/// A key, its rounds computed.
pub(super) struct Cipher {
    salt: [u8; SALT],
    key: Rounds,
}

enum Rounds {
    Ctr128(Box<Aes128>),
    Ctr192(Box<Aes192>),
    Ctr256(Box<Aes256>),
    Gcm128(Box<Aes128Gcm>),
    Gcm256(Box<Aes256Gcm>),
}

impl Cipher {
    /// `None` for AES-192 with GCM, which libsrt does not know either, and keys of another length than said.
    pub(super) fn new(key: &[u8], length: KeyLength, gcm: bool, salt: [u8; SALT]) -> Option<Self> {
        let key = match (length, gcm) {
            (KeyLength::Aes128, false) => {
                Rounds::Ctr128(Box::new(Aes128::new_from_slice(key).ok()?))
            }
            (KeyLength::Aes192, false) => {
                Rounds::Ctr192(Box::new(Aes192::new_from_slice(key).ok()?))
            }
            (KeyLength::Aes256, false) => {
                Rounds::Ctr256(Box::new(Aes256::new_from_slice(key).ok()?))
            }
            (KeyLength::Aes128, true) => {
                Rounds::Gcm128(Box::new(Aes128Gcm::new_from_slice(key).ok()?))
            }
            (KeyLength::Aes256, true) => {
                Rounds::Gcm256(Box::new(Aes256Gcm::new_from_slice(key).ok()?))
            }
            (KeyLength::Aes192, true) => return None,
        };
        Some(Self { salt, key })
    }

    /// Encrypts the payload of the packet that begins at `start`; a tag is appended.
    pub(super) fn encrypt(
        &self,
        sequence: Sequence,
        packet: &mut Vec<u8>,
        start: usize,
    ) -> Option<()> {
        let whole = packet.get_mut(start..)?;
        let (header, payload) = whole.split_at_mut_checked(HEADER_LEN)?;
        let header = associated(header)?;
        let nonce = self.nonce(sequence);
        let tag = match &self.key {
            Rounds::Gcm128(key) => key.encrypt_in_place_detached(&nonce.into(), &header, payload),
            Rounds::Gcm256(key) => key.encrypt_in_place_detached(&nonce.into(), &header, payload),
            _ => {
                self.keystream(sequence, payload);
                return Some(());
            }
        };
        packet.extend_from_slice(&tag.ok()?);
        Some(())
    }

    /// Decrypts a payload in place; what is not authentic gives `None`.
    pub(super) fn decrypt(
        &self,
        sequence: Sequence,
        header: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<()> {
        let header = associated(header)?;
        let nonce = self.nonce(sequence);
        if !matches!(self.key, Rounds::Gcm128(_) | Rounds::Gcm256(_)) {
            self.keystream(sequence, payload);
            return Some(());
        }
        let end = payload.len().checked_sub(TAG)?;
        let tag: Tag = payload.get(end..)?.iter().copied().collect();
        payload.truncate(end);
        match &self.key {
            Rounds::Gcm128(key) => {
                key.decrypt_in_place_detached(&nonce.into(), &header, payload, &tag)
            }
            Rounds::Gcm256(key) => {
                key.decrypt_in_place_detached(&nonce.into(), &header, payload, &tag)
            }
            _ => return None,
        }
        .ok()
    }

    /// The sequence number stands behind ten bytes; the salt's first 14 go over it, and the last two count
    /// blocks.
    fn keystream(&self, sequence: Sequence, payload: &mut [u8]) {
        let mut iv = self.salt;
        let [.., c0, c1] = &mut iv;
        (*c0, *c1) = (0, 0);
        let number = sequence.value().to_be_bytes();
        for (byte, number) in iv.iter_mut().skip(10).zip(number) {
            *byte ^= number;
        }
        let iv = (&iv).into();
        match &self.key {
            Rounds::Ctr128(key) => {
                Ctr128BE::from_core(CtrCore::inner_iv_init(key.as_ref(), iv))
                    .apply_keystream(payload);
            }
            Rounds::Ctr192(key) => {
                Ctr128BE::from_core(CtrCore::inner_iv_init(key.as_ref(), iv))
                    .apply_keystream(payload);
            }
            Rounds::Ctr256(key) => {
                Ctr128BE::from_core(CtrCore::inner_iv_init(key.as_ref(), iv))
                    .apply_keystream(payload);
            }
            Rounds::Gcm128(_) | Rounds::Gcm256(_) => {}
        }
    }

    /// Of AES-GCM: the sequence number behind eight bytes, and the salt's first 12 over it.
    fn nonce(&self, sequence: Sequence) -> [u8; 12] {
        let mut nonce = [0; 12];
        for (byte, salt) in nonce.iter_mut().zip(self.salt) {
            *byte = salt;
        }
        for (byte, number) in nonce.iter_mut().skip(8).zip(sequence.value().to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }
}

/// What AES-GCM authenticates beside the payload: the header as it was sent first. With the bit for
/// repetitions in it, one nonce would authenticate two packets, which gives the key away.
fn associated(header: &[u8]) -> Option<[u8; HEADER_LEN]> {
    let mut header: [u8; HEADER_LEN] = header.get(..HEADER_LEN)?.try_into().ok()?;
    let [_, _, _, _, flags, ..] = &mut header;
    *flags &= !0x04;
    Some(header)
}
