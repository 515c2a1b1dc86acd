//! What is received: media and control packets, each once.

use super::keys::{Cipher, From, counter_iv, gcm_iv};
use super::{ENCRYPTED, KeyingMaterial, RTCP_CLEAR, clear_len};
use rtc_crypto::{CryptoError, RTCCrypto};
use smallvec::SmallVec;

/// Most sources whose packets are told apart; packets of further ones are not opened.
const MAX_SOURCES: usize = 16;

/// Length of the field behind the packet that carries its index.
const INDEX: usize = 4;

/// Indices that are told apart behind the highest, in words of 64: of control packets, and of media, of which some are
/// sent again.
const CONTROL_WORDS: usize = 1;
const MEDIA_WORDS: usize = 16;

/// The receiving half of a session's protection.
pub(crate) struct Inbound {
    rtp: Cipher,
    rtcp: Cipher,
    /// What was received, by SSRC.
    media: Vec<(u32, Window<MEDIA_WORDS>)>,
    control: SmallVec<[(u32, Window<CONTROL_WORDS>); 2]>,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("protected packet of {0} bytes is too short")]
    Short(usize),
    #[error("protected packet is not authentic")]
    NotAuthentic,
    #[error("protected packet was seen before, or is of one source too many")]
    Replayed,
}

impl Inbound {
    /// For packets from that end.
    pub(crate) fn new(
        crypto: &dyn RTCCrypto,
        material: &KeyingMaterial,
        from: From,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            rtp: material.rtp(crypto, from)?,
            rtcp: material.rtcp(crypto, from)?,
            media: Vec::new(),
            control: SmallVec::new(),
        })
    }

    /// The packet in a protected datagram of media. Nothing is kept of one that is not authentic.
    pub(crate) fn rtp(&mut self, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
        let short = OpenError::Short(datagram.len());
        // The length of padding is encrypted, so that this is no whole packet yet.
        let [_, _, s0, s1, _, _, _, _, ssrc @ ..] =
            *datagram.first_chunk::<{ rtp::HEADER_LEN }>().ok_or(short)?;
        let (sequence, ssrc) = (u16::from_be_bytes([s0, s1]), u32::from_be_bytes(ssrc));
        let known = self.media.iter().position(|(of, _)| *of == ssrc);
        let window = known.and_then(|known| self.media.get(known));
        let index = match window {
            Some((_, window)) => extended(window.highest, sequence),
            None => u64::from(sequence),
        };
        let fresh = match window {
            Some((_, window)) => window.is_fresh(index),
            None => self.media.len() < MAX_SOURCES,
        };
        if !fresh {
            return Err(OpenError::Replayed);
        }
        let plain = open_rtp(&mut self.rtp, ssrc, index, datagram).ok_or(short)??;
        match known.and_then(|known| self.media.get_mut(known)) {
            Some((_, window)) => window.mark(index),
            None => self.media.push((ssrc, Window::new(index))),
        }
        Ok(plain)
    }

    /// The compound in a protected datagram of control packets.
    pub(crate) fn rtcp(&mut self, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
        let short = OpenError::Short(datagram.len());
        let ssrc = datagram.get(4..8).and_then(|ssrc| ssrc.first_chunk());
        let ssrc = u32::from_be_bytes(*ssrc.ok_or(short)?);
        let (plain, index) = open_rtcp(&mut self.rtcp, ssrc, datagram).ok_or(short)??;
        // Marked only once the packet is known to be authentic.
        let index = u64::from(index);
        let room = self.control.len() < MAX_SOURCES;
        match self.control.iter_mut().find(|(of, _)| *of == ssrc) {
            Some((_, window)) if window.is_fresh(index) => window.mark(index),
            None if room => self.control.push((ssrc, Window::new(index))),
            _ => return Err(OpenError::Replayed),
        }
        Ok(plain)
    }
}

/// The index of a packet whose lower 16 bits are known, near the highest that came (RFC 3711 section 3.3.1). Nobody says
/// how often the number had wrapped before the first packet: not at all.
fn extended(highest: u64, sequence: u16) -> u64 {
    let step = i64::from(sequence.wrapping_sub(highest as u16) as i16);
    let index = highest.saturating_add_signed(step);
    // Before the first round there is none.
    if step < 0 && highest < step.unsigned_abs() {
        u64::from(sequence)
    } else {
        index
    }
}

/// The plain packet; `None` when it is too short.
fn open_rtp(
    cipher: &mut Cipher,
    ssrc: u32,
    index: u64,
    datagram: &[u8],
) -> Option<Result<Vec<u8>, OpenError>> {
    let not_authentic = Some(Err(OpenError::NotAuthentic));
    match cipher {
        Cipher::Gcm { aead, salt } => {
            let (packet, tag) = datagram.split_last_chunk::<16>()?;
            let mut plain = packet.to_vec();
            let (head, body) = plain.split_at_mut_checked(clear_len(packet)?)?;
            let iv = gcm_iv(*salt, ssrc, index);
            let opened = aead.open_in_place(&iv, head, body, tag);
            opened.map_or(not_authentic, |()| Some(Ok(plain)))
        }
        Cipher::CounterMode { stream, mac, salt } => {
            let (packet, tag) = datagram.split_last_chunk::<10>()?;
            let wraps = ((index >> 16) as u32).to_be_bytes();
            let mut actual = [0; 20];
            mac.sign(&[packet, &wraps], &mut actual).ok()?;
            if !rtc_crypto::constant_time_eq(actual.first_chunk::<10>()?, tag) {
                return not_authentic;
            }
            let mut plain = packet.to_vec();
            let (_, body) = plain.split_at_mut_checked(clear_len(packet)?)?;
            stream
                .apply_keystream(&counter_iv(*salt, ssrc, index), body)
                .ok()?;
            Some(Ok(plain))
        }
    }
}

/// The plain compound and its index; `None` when it is too short.
fn open_rtcp(
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

/// Which of the last indices were received, 64 of them in each word (RFC 3711 section 3.3.2).
struct Window<const WORDS: usize> {
    highest: u64,
    /// Bit `n` of the whole stands for the index that is `n` modulo its size.
    seen: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    const SIZE: u64 = 64 * WORDS as u64;

    fn new(index: u64) -> Self {
        let mut window = Self {
            highest: index,
            seen: [0; WORDS],
        };
        window.set(index, true);
        window
    }

    /// Whether an index was not received yet, as far as is known.
    fn is_fresh(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) if behind >= Self::SIZE => false,
            Some(_) => {
                let (word, bit) = Self::place(index);
                self.seen.get(word).is_some_and(|seen| seen & bit == 0)
            }
        }
    }

    /// An index was received.
    fn mark(&mut self, index: u64) {
        let ahead = index.saturating_sub(self.highest);
        if ahead >= Self::SIZE {
            self.seen = [0; WORDS];
        } else {
            for between in 1..=ahead {
                self.set(self.highest.saturating_add(between), false);
            }
        }
        self.highest = self.highest.max(index);
        self.set(index, true);
    }

    fn set(&mut self, index: u64, received: bool) {
        let (word, bit) = Self::place(index);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen = if received { *seen | bit } else { *seen & !bit };
        }
    }

    const fn place(index: u64) -> (usize, u64) {
        let place = index % Self::SIZE;
        ((place / 64) as usize, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_counts_once() {
        let mut window = Window::<1>::new(10);
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
            assert_eq!(window.is_fresh(index), fresh, "{index}");
            if fresh {
                window.mark(index);
            }
        }
    }

    #[test]
    fn wide_windows_remember_more() {
        let mut window = Window::<16>::new(5);
        for index in (6..3_000).filter(|index| index % 3 != 0) {
            assert!(window.is_fresh(index), "{index}");
            window.mark(index);
        }
        for index in 0..3_000 {
            let remembered = index > 2_999 - 1_024;
            assert_eq!(
                window.is_fresh(index),
                remembered && index % 3 == 0,
                "{index}"
            );
        }
    }

    #[test]
    fn numbers_wrap_in_both_directions() {
        let cases = [
            (5, 4, 4),
            (5, 65_535, 65_535),
            (65_535, 0, 65_536),
            (65_536, 65_535, 65_535),
            (65_536 + 40_000, 39_000, 65_536 + 39_000),
            (0x2_0005, 0xfffe, 0x1_fffe),
        ];
        for (highest, sequence, expected) in cases {
            assert_eq!(
                extended(highest, sequence),
                expected,
                "{highest} {sequence}"
            );
        }
    }
}
