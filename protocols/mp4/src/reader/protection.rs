//! Samples that are encrypted by a pattern (ISO/IEC 23001-7, scheme `cbcs`), which is what SAMPLE-AES of HLS is in MP4.

use super::movie::children;
use aes::Aes128;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

const BLOCK: usize = 16;

/// Bytes of an entry that says which bytes are clear and how many behind them are not.
const SUBSAMPLE: usize = 6;

/// How the samples of an entry are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protection {
    /// So many blocks are encrypted, and so many behind them are not.
    pattern: (usize, usize),
    /// Bytes of the vector that each sample has of its own; 0 where one holds for all.
    iv_size: usize,
    constant: [u8; BLOCK],
}

/// What is said of one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Auxiliary {
    iv: Option<[u8; BLOCK]>,
    /// Entries as they stand; none where all of the sample is encrypted.
    subsamples: Bytes,
}

/// The format that a sample entry would have without, and how it is encrypted, by its `sinf` box (ISO/IEC 14496-12 clause
/// 8.12).
pub(super) fn read(sinf: &Bytes) -> Result<([u8; 4], Protection), String> {
    let child = |bytes: &Bytes, kind: &[u8; 4]| {
        let mut boxes = children(bytes);
        boxes.find(|(found, _)| found == kind).map(|(_, body)| body)
    };
    let lacks = |what: &str| format!("it is encrypted, and has no {what} box");
    let format = child(sinf, b"frma").ok_or_else(|| lacks("frma"))?;
    let format = *format.first_chunk().ok_or_else(|| lacks("frma"))?;
    let scheme = child(sinf, b"schm").ok_or_else(|| lacks("schm"))?;
    let scheme = scheme.get(4..8).unwrap_or_default();
    if scheme != b"cbcs" {
        let scheme = scheme.escape_ascii();
        return Err(format!("it is encrypted by {scheme}, which is not carried"));
    }
    let tenc = child(sinf, b"schi").and_then(|schi| child(&schi, b"tenc"));
    let tenc = tenc.ok_or_else(|| lacks("tenc"))?;
    let protection = Protection::parse(&tenc);
    let protection = protection.ok_or("it is encrypted, and its tenc box is not whole")?;
    Ok((format, protection))
}

impl Protection {
    /// Reads a `tenc` box (ISO/IEC 23001-7 clause 8.2).
    fn parse(tenc: &Bytes) -> Option<Self> {
        let mut rest = tenc.clone();
        let version = rest.try_get_u32().ok()? >> 24;
        rest.try_get_u8().ok()?;
        let pattern = usize::from(rest.try_get_u8().ok()?);
        let pattern = if version == 0 { 0 } else { pattern };
        let is_protected = rest.try_get_u8().ok()? != 0;
        let iv_size = usize::from(rest.try_get_u8().ok()?);
        if rest.len() < 16 || iv_size > BLOCK {
            return None;
        }
        rest.advance(16);
        let mut constant = [0; BLOCK];
        if is_protected && iv_size == 0 {
            let size = usize::from(rest.try_get_u8().ok()?);
            constant.get_mut(..size)?.copy_from_slice(rest.get(..size)?);
        }
        Some(Self {
            pattern: (pattern >> 4, pattern & 15),
            iv_size,
            constant,
        })
    }

    /// Reads what a `senc` box says (clause 7.2) of so many samples.
    pub(super) fn auxiliaries(
        &self,
        senc: &Bytes,
        count: usize,
        out: &mut VecDeque<Auxiliary>,
    ) -> Option<()> {
        let mut rest = senc.clone();
        let flags = rest.try_get_u32().ok()?;
        let there = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        for _ in 0..there.min(count) {
            let mut iv = [0; BLOCK];
            if rest.len() < self.iv_size {
                return None;
            }
            let own = rest.split_to(self.iv_size);
            iv.get_mut(..self.iv_size)?.copy_from_slice(&own);
            let mut subsamples = Bytes::new();
            if flags & 2 != 0 {
                let length = usize::from(rest.try_get_u16().ok()?) * SUBSAMPLE;
                if rest.len() < length {
                    return None;
                }
                subsamples = rest.split_to(length);
            }
            out.push_back(Auxiliary {
                iv: (self.iv_size > 0).then_some(iv),
                subsamples,
            });
        }
        Some(())
    }

    /// The sample as it was. None where it has not the bytes that are said to be encrypted.
    pub(super) fn open(
        &self,
        key: &[u8; BLOCK],
        auxiliary: &Auxiliary,
        sample: Bytes,
    ) -> Option<Bytes> {
        let iv = auxiliary.iv.unwrap_or(self.constant);
        let mut sample = BytesMut::from(sample);
        if auxiliary.subsamples.is_empty() {
            self.range(key, &iv, &mut sample);
            return Some(sample.freeze());
        }
        let mut at = 0usize;
        let mut entries = auxiliary.subsamples.clone();
        while let (Ok(clear), Ok(closed)) = (entries.try_get_u16(), entries.try_get_u32()) {
            let start = at.checked_add(usize::from(clear))?;
            at = start.checked_add(usize::try_from(closed).ok()?)?;
            self.range(key, &iv, sample.get_mut(start..at)?);
        }
        Some(sample.freeze())
    }

    /// Opens what is encrypted of a range, which begins with the vector (clause 9.6). What is no whole block is clear.
    fn range(&self, key: &[u8; BLOCK], iv: &[u8; BLOCK], range: &mut [u8]) {
        let mut cipher = cbc::Decryptor::<Aes128>::new(key.into(), iv.into());
        let (closed, clear) = self.pattern;
        // No pattern encrypts all.
        let period = closed.saturating_add(clear).max(1);
        let all = closed == 0;
        for (number, block) in range.chunks_exact_mut(BLOCK).enumerate() {
            if all || number % period < closed {
                cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
            }
        }
    }
}
