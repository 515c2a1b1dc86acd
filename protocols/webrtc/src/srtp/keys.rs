//! Keys: from the handshake's material to the ciphers of one direction (RFC 3711 section 4.3).

use super::{KEY, Profile};
use rtc_crypto::{
    AeadAlgorithm, AeadCipher, CryptoError, HmacAlgorithm, Mac, RTCCrypto, SecretVec, StreamCipher,
    StreamCipherAlgorithm,
};

/// Labels of the derived keys; those of RTCP follow those of RTP.
const RTCP_LABELS: u8 = 3;

/// What the handshake gives both ends: keys, then salts, each the client's first.
pub(crate) struct KeyingMaterial {
    pub(crate) profile: Profile,
    pub(crate) bytes: SecretVec,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    DtlsClient,
    DtlsServer,
}

impl From {
    /// The other end.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::DtlsClient => Self::DtlsServer,
            Self::DtlsServer => Self::DtlsClient,
        }
    }
}

/// What packets of one kind (RTP or RTCP) of one direction are protected with.
pub(super) enum Cipher {
    Gcm {
        aead: Box<dyn AeadCipher>,
        salt: [u8; 12],
    },
    CounterMode {
        stream: Box<dyn StreamCipher>,
        mac: Box<dyn Mac>,
        salt: [u8; 14],
    },
}

impl KeyingMaterial {
    /// The master key and salt of one direction; the salt is filled up with zeros behind it (RFC 7714
    /// section 11).
    fn master(&self, from: From) -> (&[u8], [u8; 14]) {
        let salt_len = self.profile.salt_len();
        let (key_at, salt_at) = match from {
            From::DtlsClient => (0, 2 * KEY),
            From::DtlsServer => (KEY, 2 * KEY + salt_len),
        };
        let bytes = self.bytes.as_ref();
        let key = bytes.get(key_at..key_at + KEY).unwrap_or_default();
        let mut salt = [0; 14];
        let given = bytes.get(salt_at..salt_at + salt_len).unwrap_or_default();
        for (to, from) in salt.iter_mut().zip(given) {
            *to = *from;
        }
        (key, salt)
    }

    /// The cipher for RTP packets.
    pub(super) fn rtp(&self, crypto: &dyn RTCCrypto, from: From) -> Result<Cipher, CryptoError> {
        self.cipher(crypto, from, 0)
    }

    /// The cipher for RTCP packets.
    pub(super) fn rtcp(&self, crypto: &dyn RTCCrypto, from: From) -> Result<Cipher, CryptoError> {
        self.cipher(crypto, from, RTCP_LABELS)
    }

    fn cipher(
        &self,
        crypto: &dyn RTCCrypto,
        from: From,
        labels: u8,
    ) -> Result<Cipher, CryptoError> {
        let (key, master_salt) = self.master(from);
        let derive = |label: u8, out: &mut [u8]| derive(crypto, key, master_salt, label, out);
        let mut key = SecretVec::new(vec![0; KEY]);
        derive(labels, key.as_mut())?;
        match self.profile {
            Profile::AeadAes128Gcm => {
                let mut salt = [0; 12];
                derive(labels + 2, &mut salt)?;
                let aead = crypto.new_aead(AeadAlgorithm::Aes128Gcm, key.as_ref())?;
                Ok(Cipher::Gcm { aead, salt })
            }
            Profile::Aes128CmSha1 => {
                let mut auth = SecretVec::new(vec![0; 20]);
                derive(labels + 1, auth.as_mut())?;
                let mut salt = [0; 14];
                derive(labels + 2, &mut salt)?;
                let stream =
                    crypto.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, key.as_ref())?;
                let mac = crypto.new_hmac(HmacAlgorithm::Sha1, auth.as_ref())?;
                Ok(Cipher::CounterMode { stream, mac, salt })
            }
        }
    }
}

/// Fills `out` with the key of this label: AES in counter mode from the salt with the label in it.
fn derive(
    crypto: &dyn RTCCrypto,
    key: &[u8],
    salt: [u8; 14],
    label: u8,
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let mut iv = [0; 16];
    for (to, from) in iv.iter_mut().zip(salt) {
        *to = from;
    }
    iv[7] ^= label;
    out.fill(0);
    crypto
        .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, key)?
        .apply_keystream(&iv, out)
}

/// The initialization vector of GCM (RFC 7714 sections 8.1 and 9.1). `index` is the 48-bit index of RTP, or
/// the 31-bit index of RTCP.
pub(super) fn gcm_iv(salt: [u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let [_, _, i @ ..] = index.to_be_bytes();
    let s = ssrc.to_be_bytes();
    let plain = [
        0, 0, s[0], s[1], s[2], s[3], i[0], i[1], i[2], i[3], i[4], i[5],
    ];
    let mut iv = salt;
    for (to, from) in iv.iter_mut().zip(plain) {
        *to ^= from;
    }
    iv
}

/// The initialization vector of counter mode (RFC 3711 section 4.1.1).
pub(super) fn counter_iv(salt: [u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let [_, _, i @ ..] = index.to_be_bytes();
    let s = ssrc.to_be_bytes();
    let plain = [
        0, 0, 0, 0, s[0], s[1], s[2], s[3], i[0], i[1], i[2], i[3], i[4], i[5], 0, 0,
    ];
    let mut iv = plain;
    for (to, from) in iv.iter_mut().zip(salt) {
        *to ^= from;
    }
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivation_of_rfc_3711() {
        // Appendix B.3.
        let hex = |text: &str| -> Vec<u8> {
            let pairs = text.as_bytes().chunks(2);
            pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt: [u8; 14] = hex("0EC675AD498AFEEBB6960B3AABE6").try_into().unwrap();
        let provider = rtc_crypto::default_provider().unwrap();
        let cases = [
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
        ];
        for (label, expected) in cases {
            let expected = hex(expected);
            let mut out = vec![0; expected.len()];
            derive(provider.crypto(), &key, salt, label, &mut out).unwrap();
            assert_eq!(out, expected, "label {label}");
        }
    }
}
