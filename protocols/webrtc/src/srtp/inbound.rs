//! What is received: control packets, each once.

use super::keys::{Cipher, From, counter_iv, gcm_iv};
use super::{ENCRYPTED, KeyingMaterial, RTCP_CLEAR};
use rtc_crypto::{CryptoError, RTCCrypto};
use smallvec::SmallVec;

/// Most sources whose packets are told apart; packets of further ones are not opened.
const MAX_SOURCES: usize = 16;

/// Length of the field behind the packet that carries its index.
const INDEX: usize = 4;

/// The receiving half of a session's protection.
pub(crate) struct Inbound {
    rtcp: Cipher,
    /// What was received, by SSRC.
    windows: SmallVec<[(u32, Window); 2]>,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("SRTCP packet of {0} bytes is too short")]
    Short(usize),
    #[error("SRTCP packet is not authentic")]
    NotAuthentic,
    #[error("SRTCP packet was seen before")]
    Replayed,
}

impl Inbound {
    /// For packets from the client of the handshake.
    pub(crate) fn new(
        crypto: &dyn RTCCrypto,
        material: &KeyingMaterial,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            rtcp: material.rtcp(crypto, From::DtlsClient)?,
            windows: SmallVec::new(),
        })
    }

    /// The compound in a protected datagram.
    pub(crate) fn rtcp(&mut self, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
        let short = OpenError::Short(datagram.len());
        let ssrc = datagram.get(4..8).and_then(|ssrc| ssrc.first_chunk());
        let ssrc = u32::from_be_bytes(*ssrc.ok_or(short)?);
        let (plain, index) = open(&mut self.rtcp, ssrc, datagram).ok_or(short)??;
        // Marked only once the packet is known to be authentic.
        let room = self.windows.len() < MAX_SOURCES;
        let known = self.windows.iter_mut().find(|(of, _)| *of == ssrc);
        let fresh = known.map_or(room, |(_, window)| window.accept(index));
        if fresh && self.windows.iter().all(|(of, _)| *of != ssrc) {
            self.windows.push((ssrc, Window::new(index)));
        }
        fresh.then_some(plain).ok_or(OpenError::Replayed)
    }
}

/// The plain packet and its index; `None` when it is too short.
fn open(
    cipher: &mut Cipher,
    ssrc: u32,
    datagram: &[u8],
) -> Option<Result<(Vec<u8>, u32), OpenError>> {
    let not_authentic = Some(Err(OpenError::NotAuthentic));
    match cipher {
        Cipher::Gcm { aead, salt } => {
            let (rest, field) = datagram.split_last_chunk::<INDEX>()?;
            let (packet, tag) = rest.split_last_chunk::<16>()?;
            let index = u32::from_be_bytes(*field) & !ENCRYPTED;
            let iv = gcm_iv(*salt, ssrc, u64::from(index));
            let mut plain = packet.to_vec();
            let (head, body) = plain.split_at_mut_checked(RTCP_CLEAR)?;
            let opened = if u32::from_be_bytes(*field) & ENCRYPTED != 0 {
                let associated = [&*head, field].concat();
                aead.open_in_place(&iv, &associated, body, tag)
            } else {
                let associated = [packet, field].concat();
                aead.open_in_place(&iv, &associated, &mut [], tag)
            };
            opened.map_or(not_authentic, |()| Some(Ok((plain, index))))
        }
        Cipher::CounterMode { stream, mac, salt } => {
            let (authenticated, tag) = datagram.split_last_chunk::<10>()?;
            let (packet, field) = authenticated.split_last_chunk::<INDEX>()?;
            let mut actual = [0; 20];
            mac.sign(&[authenticated], &mut actual).ok()?;
            if !rtc_crypto::constant_time_eq(actual.first_chunk::<10>()?, tag) {
                return not_authentic;
            }
            let field = u32::from_be_bytes(*field);
            let index = field & !ENCRYPTED;
            let mut plain = packet.to_vec();
            let (_, body) = plain.split_at_mut_checked(RTCP_CLEAR)?;
            if field & ENCRYPTED != 0 {
                let iv = counter_iv(*salt, ssrc, u64::from(index));
                stream.apply_keystream(&iv, body).ok()?;
            }
            Some(Ok((plain, index)))
        }
    }
}

/// Which of the last 64 indices were received (RFC 3711 section 3.3.2).
struct Window {
    highest: u32,
    /// Bit `n` stands for `highest - n`.
    seen: u64,
}

impl Window {
    const fn new(index: u32) -> Self {
        Self {
            highest: index,
            seen: 1,
        }
    }

    /// Marks an index, and says whether it is new.
    fn accept(&mut self, index: u32) -> bool {
        if let Some(ahead) = index.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = index;
            return true;
        }
        let bit = 1u64.checked_shl(self.highest - index).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_counts_once() {
        let mut window = Window::new(10);
        let cases = [
            (10, false),
            (9, true),
            (9, false),
            (12, true),
            (11, true),
            (11, false),
            (200, true),
            (136, false),
            (137, true),
            (12, false),
        ];
        for (index, fresh) in cases {
            assert_eq!(window.accept(index), fresh, "{index}");
        }
    }
}
