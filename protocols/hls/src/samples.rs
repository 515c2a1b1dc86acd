//! SAMPLE-AES in transport streams and packed audio: some blocks of each sample are encrypted, everything else is clear
//! ("MPEG-2 Stream Encryption Format for HTTP Live Streaming", which RFC 8216 section 4.3.2.4 names).
//!
//! Samples are opened when they have been found, as access units: what finds them is clear.

use aes::Aes128;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use bytes::{BufMut, Bytes, BytesMut};
use media::Codec;
use media::codec::nal;

const BLOCK: usize = 16;

/// A slice of pictures that is no longer is clear.
const SHORTEST_SLICE: usize = 48;

/// Of a slice, so many bytes at the beginning are clear, and so many behind each encrypted block.
const SLICE_HEAD: usize = 32;
const SLICE_GAP: usize = 9 * BLOCK;

/// Of a frame of sound, so many bytes behind its header are clear.
const SOUND_HEAD: usize = 16;

/// What opens the samples of a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SampleKey {
    /// The key.
    pub secret: [u8; 16],
    /// Where each sample, or slice, begins anew.
    pub iv: [u8; 16],
}

impl std::fmt::Debug for SampleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SampleKey")
    }
}

impl SampleKey {
    /// The access unit as it was. What is encrypted in codecs that the format does not tell of stays so.
    pub fn open(&self, codec: &Codec, payload: Bytes) -> Bytes {
        match codec {
            Codec::H264(_) => self.pictures(payload),
            Codec::Aac(_) => self.sound(payload, SOUND_HEAD),
            // Counted from the beginning of the frame, which has no header before it.
            Codec::Ac3(_) => self.sound(payload, SOUND_HEAD),
            _ => payload,
        }
    }

    fn pictures(&self, payload: Bytes) -> Bytes {
        let is_encrypted = |unit: &[u8]| {
            matches!(unit, [head, ..] if matches!(head & 0x1f, 1 | 5))
                && unit.len() > SHORTEST_SLICE
        };
        if !nal::units(&payload).map_while(Result::ok).any(is_encrypted) {
            return payload;
        }
        let mut out = BytesMut::with_capacity(payload.len());
        for unit in nal::units(&payload).map_while(Result::ok) {
            let opened = is_encrypted(unit).then(|| self.slice(unit));
            let unit = opened.as_deref().unwrap_or(unit);
            out.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
            out.put_slice(unit);
        }
        out.freeze()
    }

    /// A slice was protected against start codes once more when it had been encrypted.
    fn slice(&self, unit: &[u8]) -> Vec<u8> {
        let mut unit = nal::unescape(unit);
        let mut cipher = self.cipher();
        let mut rest = unit.get_mut(SLICE_HEAD..).unwrap_or_default();
        while rest.len() > BLOCK {
            let (block, behind) = rest.split_at_mut(BLOCK);
            cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
            let gap = behind.len().min(SLICE_GAP);
            rest = behind.split_at_mut(gap).1;
        }
        unit
    }

    fn sound(&self, payload: Bytes, head: usize) -> Bytes {
        let mut frame = BytesMut::from(payload);
        let mut cipher = self.cipher();
        let rest = frame.get_mut(head..).unwrap_or_default();
        for block in rest.chunks_exact_mut(BLOCK) {
            cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
        }
        frame.freeze()
    }

    fn cipher(&self) -> cbc::Decryptor<Aes128> {
        cbc::Decryptor::<Aes128>::new(&self.secret.into(), &self.iv.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::BlockEncryptMut;
    use media::codec::{aac, h264};

    const KEY: SampleKey = SampleKey {
        secret: [3; 16],
        iv: [9; 16],
    };

    /// Encrypts blocks at these places, one after the other.
    fn encrypt(bytes: &mut [u8], places: &[usize]) {
        let mut cipher = cbc::Encryptor::<Aes128>::new(&KEY.secret.into(), &KEY.iv.into());
        for place in places {
            cipher.encrypt_block_mut(GenericArray::from_mut_slice(&mut bytes[*place..place + 16]));
        }
    }

    fn with_length(unit: &[u8]) -> Vec<u8> {
        [&(unit.len() as u32).to_be_bytes()[..], unit].concat()
    }

    #[test]
    fn slices_are_opened_block_by_block() {
        let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
        let sps = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
        let config = h264::Config::new(sets(sps), sets(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]));
        let codec = Codec::H264(config.unwrap());
        // Blocks at 32 and behind 144 bytes that are clear, but none where 16 bytes or fewer are left.
        for (length, places) in [
            (48, &[][..]),
            (49, &[32][..]),
            (208, &[32]),
            (209, &[32, 192]),
            (400, &[32, 192, 352]),
        ] {
            for head in [0x65, 0x41, 0x06] {
                let mut plain: Vec<u8> = (0..length).map(|at| at as u8 | 1).collect();
                plain[0] = head;
                let mut closed = plain.clone();
                if head != 0x06 {
                    encrypt(&mut closed, places);
                }
                // What the cipher makes may look like the beginning of a unit.
                let escaped = escape(&closed);
                let opened = KEY.open(&codec, with_length(&escaped).into());
                assert_eq!(opened, with_length(&plain), "{length} {head}");
            }
        }
    }

    fn escape(unit: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in unit {
            if *byte <= 3 && out.ends_with(&[0, 0]) {
                out.push(3);
            }
            out.push(*byte);
        }
        out
    }

    #[test]
    fn frames_of_sound_are_opened_behind_their_first_bytes() {
        let codec = Codec::Aac(aac::Config::low_complexity(48_000, 2).unwrap());
        for (length, places) in [(5, &[][..]), (31, &[]), (32, &[16]), (70, &[16, 32, 48])] {
            let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut closed = plain.clone();
            encrypt(&mut closed, places);
            assert_eq!(KEY.open(&codec, closed.into()), plain, "{length}");
        }
    }
}
