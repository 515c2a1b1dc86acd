//! SRTP and SRTCP: encryption and authentication of packets (RFC 3711, RFC 7714).
//!
//! [`Outbound`] protects what is sent, [`Inbound`] opens what comes. Whoever uses an
//! [`Outbound`] gives every packet its index and never gives two different packets the same: with GCM a
//! repeated index gives the key away.

mod inbound;
mod keys;
mod outbound;

pub(crate) use inbound::{Inbound, OpenError};
pub(crate) use keys::{From, KeyingMaterial};
pub(crate) use outbound::Outbound;

/// How packets are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// SRTP_AEAD_AES_128_GCM (RFC 7714 section 14.2).
    AeadAes128Gcm,
    /// SRTP_AES128_CM_HMAC_SHA1_80 (RFC 5764 section 4.1.2), which every peer knows.
    Aes128CmSha1,
}

/// Length of the master keys, in bytes.
const KEY: usize = 16;

impl Profile {
    /// Its number in `use_srtp`.
    pub(crate) const fn id(self) -> u16 {
        match self {
            Self::Aes128CmSha1 => 0x0001,
            Self::AeadAes128Gcm => 0x0007,
        }
    }

    /// Length of the master salts, in bytes.
    const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes128CmSha1 => 14,
        }
    }

    /// Bytes behind each packet that authenticate it.
    pub(crate) const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 16,
            Self::Aes128CmSha1 => 10,
        }
    }

    /// Bytes to take from the handshake (RFC 5764 section 4.2).
    pub(crate) const fn material_len(self) -> usize {
        2 * (KEY + self.salt_len())
    }
}

/// The bit of an SRTCP index that says that the packet is encrypted.
const ENCRYPTED: u32 = 0x8000_0000;

/// Length of the part of an RTCP packet that stays readable: its header and first SSRC.
const RTCP_CLEAR: usize = 8;

/// Length of what stays readable of a packet of media: the header with its sources and its extension.
fn clear_len(packet: &[u8]) -> Option<usize> {
    let bits = *packet.first()?;
    let fixed = rtp::HEADER_LEN + 4 * usize::from(bits & 0x0f);
    if bits & 0x10 == 0 {
        return Some(fixed);
    }
    let length = packet.get(fixed + 2..)?.first_chunk::<2>()?;
    Some(fixed + 4 + 4 * usize::from(u16::from_be_bytes(*length)))
}
