//! Who has the keys of a session: what an input says is protected as the peer's own, and what the session sends is
//! opened. Small numbers in an input stand for what a peer learns by listening, so that no input has to guess it.

use super::certificate;
use crate::Session;
use crate::srtp::{From, Inbound, KeyingMaterial, Outbound, Profile};
use rtc_crypto::SecretVec;
use rtp::rtcp;
use std::time::Instant;

/// In a compound of an input, numbers of sources from 1 up to here are those of the session's own, in their order.
const SOURCES: usize = 8;

/// The same of times, in 1/65,536 s: how long ago a report was sent.
const AGO: u32 = 0x1_0000;

/// Most sources of the peer whose sequence numbers are extended.
const MAX_SOURCES: usize = 64;

/// The other end of a session that is the server of the handshake.
pub(super) struct Peer {
    out: Outbound,
    inbound: Inbound,
    /// The highest index that was sent of each source.
    highest: Vec<(u32, u64)>,
}

/// What the session has sent.
pub(super) enum Heard {
    /// A compound.
    Control(Vec<rtcp::Packet>),
    /// A packet of media.
    Media(Vec<u8>),
}

/// Keys that are no secret.
pub(super) fn material(profile: Profile) -> KeyingMaterial {
    let bytes = (0..profile.material_len()).map(|at| (at as u8).wrapping_mul(37));
    KeyingMaterial {
        profile,
        bytes: SecretVec::new(bytes.collect()),
    }
}

/// The profile that a byte of an input stands for.
pub(super) fn profile(bytes: &[u8]) -> Profile {
    match bytes.first() {
        Some(byte) if byte & 1 != 0 => Profile::Aes128CmSha1,
        _ => Profile::AeadAes128Gcm,
    }
}

impl Peer {
    pub(super) fn new(profile: Profile) -> Option<Self> {
        let (crypto, material) = (certificate().crypto(), material(profile));
        Some(Self {
            out: Outbound::new(crypto, &material, From::DtlsClient).ok()?,
            inbound: Inbound::new(crypto, &material, From::DtlsServer).ok()?,
            highest: Vec::new(),
        })
    }

    /// A compound of an input as a datagram.
    pub(super) fn control(&mut self, session: &Session, now: Instant, compound: &[u8]) -> Vec<u8> {
        let mut compound = compound.to_vec();
        fill_in(session, now, &mut compound);
        self.out.rtcp(compound).unwrap_or_default()
    }

    /// A packet of an input as a datagram.
    pub(super) fn media(&mut self, packet: &[u8]) -> Vec<u8> {
        let Some([_, _, s0, s1, _, _, _, _, ssrc @ ..]) = packet.first_chunk::<12>() else {
            return packet.to_vec();
        };
        let (sequence, ssrc) = (u16::from_be_bytes([*s0, *s1]), u32::from_be_bytes(*ssrc));
        let known = self.highest.iter_mut().find(|(of, _)| *of == ssrc);
        let index = match known {
            Some((_, highest)) => {
                let index = near(*highest, sequence);
                *highest = index.max(*highest);
                index
            }
            None => u64::from(sequence),
        };
        let is_known = self.highest.iter().any(|(of, _)| *of == ssrc);
        if !is_known && self.highest.len() < MAX_SOURCES {
            self.highest.push((ssrc, index));
        }
        let protected = self.out.packet(packet.to_vec(), index);
        protected.unwrap_or_default()
    }

    /// Opens a datagram of the session: it is well-formed, and no repetition.
    pub(super) fn hear(&mut self, datagram: &[u8]) -> Heard {
        assert!(datagram.len() <= 65_507, "{}", datagram.len());
        if !rtcp::is_rtcp(datagram) {
            let packet = self.inbound.rtp(datagram);
            let packet = packet.unwrap_or_else(|error| panic!("{error}"));
            assert!(rtp::Packet::parse(&packet).is_ok(), "{packet:?}");
            return Heard::Media(packet);
        }
        let compound = self.inbound.rtcp(datagram);
        let compound = compound.unwrap_or_else(|error| panic!("{error}"));
        let packets: Result<Vec<_>, _> = rtcp::packets(&compound).collect();
        let packets = packets.unwrap_or_else(|error| panic!("{error}: {compound:?}"));
        // RFC 3550 section 6.1.
        let begins = matches!(
            packets.first(),
            Some(rtcp::Packet::SenderReport(_) | rtcp::Packet::ReceiverReport(_))
        );
        let mut named = packets.iter();
        let named = named.any(|packet| matches!(packet, rtcp::Packet::Description(_)));
        assert!(begins && named, "{packets:?}");
        Heard::Control(packets)
    }
}

/// The index of this sequence number that is nearest to another index.
pub(super) fn near(index: u64, sequence: u16) -> u64 {
    let step = i64::from(sequence.wrapping_sub(index as u16) as i16);
    let near = index.checked_add_signed(step);
    near.unwrap_or_else(|| u64::from(sequence))
}

/// Puts what the session has told its peer in the place of small numbers, wherever a compound has sources, sequence
/// numbers, which are counted back from the next one, and times of reports.
fn fill_in(session: &Session, now: Instant, compound: &mut [u8]) {
    let sources = session.sources();
    let told = session.told(now);
    let source = |ssrc: u32| {
        let number = usize::try_from(ssrc).unwrap_or(0).wrapping_sub(1);
        sources.get(number).filter(|_| number < SOURCES).copied()
    };
    let mut at = 0;
    while let Some([bits, kind, l0, l1]) = compound.get(at..).and_then(|rest| rest.first_chunk()) {
        let (format, kind) = (bits & 0x1f, *kind);
        let length = 4 + 4 * usize::from(u16::from_be_bytes([*l0, *l1]));
        let end = (at + length).min(compound.len());
        let Some(packet) = compound.get_mut(at..end) else {
            return;
        };
        at = end;
        let blocks = match kind {
            200 => 28,
            201 => 8,
            _ => packet.len(),
        };
        for block in packet
            .get_mut(blocks..)
            .unwrap_or_default()
            .chunks_exact_mut(24)
        {
            change(block, 0, |ssrc| source(ssrc).map_or(ssrc, |(ssrc, _)| ssrc));
            change(block, 16, |ago| match ago {
                1..AGO => told.wrapping_sub(ago),
                _ => ago,
            });
        }
        if !matches!(kind, 205 | 206) {
            continue;
        }
        let mut next = None;
        change(packet, 8, |media| {
            let known = source(media);
            next = known.map(|(_, next)| next);
            known.map_or(media, |(ssrc, _)| ssrc)
        });
        let items = packet.get_mut(12..).unwrap_or_default();
        match (kind, format) {
            (205, 1) => {
                for pair in items.chunks_exact_mut(4) {
                    change(pair, 0, |pair| {
                        let first = (pair >> 16) as u16;
                        let first = next.map_or(first, |next| next.wrapping_sub(first));
                        u32::from(first) << 16 | pair & 0xffff
                    });
                }
            }
            (206, 4) => {
                for request in items.chunks_exact_mut(8) {
                    change(request, 0, |ssrc| {
                        source(ssrc).map_or(ssrc, |(ssrc, _)| ssrc)
                    });
                }
            }
            _ => {}
        }
    }
}

/// Changes a number of 32 bits that stands there.
fn change(bytes: &mut [u8], at: usize, to: impl FnOnce(u32) -> u32) {
    let word = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
    if let Some(word) = word {
        *word = to(u32::from_be_bytes(*word)).to_be_bytes();
    }
}
