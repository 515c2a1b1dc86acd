//! What is sent: RTP and RTCP packets, encrypted where they are written.

use super::keys::{Cipher, From, counter_iv, gcm_iv};
use super::{ENCRYPTED, KeyingMaterial, RTCP_CLEAR, clear_len};
use bytes::{BufMut, BytesMut};
use rtc_crypto::{CryptoError, RTCCrypto};
use rtp::{HEADER_LEN, Header};

/// The sending half of a session's protection.
pub(crate) struct Outbound {
    rtp: Cipher,
    rtcp: Cipher,
    /// Of the next RTCP packet, whatever its source.
    rtcp_index: u32,
}

impl Outbound {
    /// For packets from this end.
    pub(crate) fn new(
        crypto: &dyn RTCCrypto,
        material: &KeyingMaterial,
        from: From,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            rtp: material.rtp(crypto, from)?,
            rtcp: material.rtcp(crypto, from)?,
            rtcp_index: 0,
        })
    }

    /// Appends the packet of this header and payload, given in parts. The lower 16 bits of `index` are the
    /// sequence number; those above count its wraps.
    ///
    /// # Errors
    /// When the cipher fails; nothing is appended then.
    pub(crate) fn rtp(
        &mut self,
        header: &Header,
        index: u64,
        payload: &[&[u8]],
        out: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        let start = out.len();
        out.put_slice(&header.bytes());
        for part in payload {
            out.put_slice(part);
        }
        let packet = out.get_mut(start..).unwrap_or_default();
        match seal_rtp(&mut self.rtp, header.ssrc, index, HEADER_LEN, packet) {
            Ok((tag, length)) => {
                out.put_slice(tag.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// A whole packet as another sender would protect it, with sources and an extension in its header: for fuzzing.
    pub(crate) fn packet(&mut self, mut packet: Vec<u8>, index: u64) -> Option<Vec<u8>> {
        let [_, _, _, _, _, _, _, _, ssrc @ ..] = *packet.first_chunk::<HEADER_LEN>()?;
        let clear = clear_len(&packet).unwrap_or(HEADER_LEN);
        let ssrc = u32::from_be_bytes(ssrc);
        let (tag, length) = seal_rtp(&mut self.rtp, ssrc, index, clear, &mut packet).ok()?;
        packet.extend(tag.get(..length)?);
        Some(packet)
    }

    /// A compound of control packets, protected.
    ///
    /// # Errors
    /// When the cipher fails, or after 2³¹ packets, which is every second for 68 years.
    pub(crate) fn rtcp(&mut self, mut compound: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        let index = self.rtcp_index;
        if index >= ENCRYPTED {
            return Err(CryptoError::RandomnessFailed);
        }
        self.rtcp_index += 1;
        let ssrc = compound.get(4..8).and_then(|ssrc| ssrc.first_chunk());
        let ssrc = ssrc.map_or(0, |ssrc| u32::from_be_bytes(*ssrc));
        let index_field = (index | ENCRYPTED).to_be_bytes();
        let clear = RTCP_CLEAR.min(compound.len());
        match &mut self.rtcp {
            Cipher::Gcm { aead, salt } => {
                let iv = gcm_iv(*salt, ssrc, u64::from(index));
                let mut tag = [0; 16];
                let (head, body) = compound.split_at_mut(clear);
                let associated = [&*head, &index_field].concat();
                aead.seal_in_place(&iv, &associated, body, &mut tag)?;
                compound.put_slice(&tag);
                compound.put_slice(&index_field);
            }
            Cipher::CounterMode { stream, mac, salt } => {
                let iv = counter_iv(*salt, ssrc, u64::from(index));
                let (_, body) = compound.split_at_mut(clear);
                stream.apply_keystream(&iv, body)?;
                compound.put_slice(&index_field);
                let mut tag = [0; 20];
                mac.sign(&[&compound], &mut tag)?;
                compound.put_slice(tag.first_chunk::<10>().unwrap_or(&[0; 10]));
            }
        }
        Ok(compound)
    }
}

/// Encrypts a packet in place, but for as much of it as stays readable, and gives what goes behind it.
fn seal_rtp(
    cipher: &mut Cipher,
    ssrc: u32,
    index: u64,
    clear: usize,
    packet: &mut [u8],
) -> Result<([u8; 20], usize), CryptoError> {
    let mut tag = [0; 20];
    let (head, body) = packet.split_at_mut(clear.min(packet.len()));
    match cipher {
        Cipher::Gcm { aead, salt } => {
            let iv = gcm_iv(*salt, ssrc, index);
            let tag_out = tag.first_chunk_mut::<16>().map_or(&mut [][..], |tag| tag);
            aead.seal_in_place(&iv, head, body, tag_out)?;
            Ok((tag, 16))
        }
        Cipher::CounterMode { stream, mac, salt } => {
            stream.apply_keystream(&counter_iv(*salt, ssrc, index), body)?;
            let wraps = ((index >> 16) as u32).to_be_bytes();
            mac.sign(&[head, body, &wraps], &mut tag)?;
            Ok((tag, 10))
        }
    }
}
