//! The certificate that a server shows its viewers, self-signed: what counts is that its fingerprint is the
//! one in the answer.

use rtc_crypto::{HashAlgorithm, RTCCrypto, RTCCryptoProvider};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::fmt::{self, Write};
use std::sync::Arc;

use crate::dtls::PEER;
use crate::srtp::Profile;

/// Largest datagram of a handshake, in bytes; below every path's limit.
const HANDSHAKE_MTU: usize = 1_200;

/// A certificate with its key, for any number of sessions. Cloning shares it.
#[derive(Clone)]
pub struct Certificate(Arc<Identity>);

struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: String,
    /// What a handshake runs with, for each profile: the server's choice is made by offering only that.
    gcm: Arc<HandshakeConfig>,
    counter_mode: Arc<HandshakeConfig>,
    /// As the client, which leaves the choice to the server.
    client: Arc<HandshakeConfig>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no certificate could be made: {0}")]
pub struct CertificateError(String);

impl Certificate {
    /// Makes a new key (ECDSA with P-256) and certificate.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<Self, CertificateError> {
        let provider = rtc_crypto::default_provider().map_err(error)?;
        let names = vec!["webrtc".to_owned()];
        let certificate =
            rtc_dtls::crypto::Certificate::generate_self_signed(names, provider.crypto())
                .map_err(error)?;
        let der = certificate.certificate.first();
        let fingerprint =
            fingerprint(provider.crypto(), der.map_or(&[], |der| der.as_ref())).map_err(error)?;
        let config = |profiles, is_client: bool| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(profiles)
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                // Whose certificate it is, its fingerprint in the offer says.
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_mtu(HANDSHAKE_MTU)
                .build(is_client, is_client.then_some(PEER))
                .map(Arc::new)
                .map_err(error)
        };
        let [gcm, counter_mode] = [
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ];
        let client = config(vec![gcm, counter_mode], true)?;
        let gcm = config(vec![gcm], false)?;
        let counter_mode = config(vec![counter_mode], false)?;
        Ok(Self(Arc::new(Identity {
            provider,
            fingerprint,
            gcm,
            counter_mode,
            client,
        })))
    }

    /// SHA-256 of the certificate as session descriptions have it: upper case, with colons.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    pub(crate) fn crypto(&self) -> &dyn RTCCrypto {
        self.0.provider.crypto()
    }

    /// Fills `out` with random bytes.
    pub(crate) fn random(&self, out: &mut [u8]) -> Result<(), CertificateError> {
        self.0.provider.random().fill(out).map_err(error)
    }

    /// What a client's handshake runs with.
    pub(crate) fn client_handshake(&self) -> Arc<HandshakeConfig> {
        self.0.client.clone()
    }

    pub(crate) fn handshake(&self, profile: Profile) -> Arc<HandshakeConfig> {
        match profile {
            Profile::AeadAes128Gcm => self.0.gcm.clone(),
            Profile::Aes128CmSha1 => self.0.counter_mode.clone(),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate")
            .field(&self.0.fingerprint)
            .finish()
    }
}

/// SHA-256 of a certificate, in upper case with colons.
pub(crate) fn fingerprint(
    crypto: &dyn RTCCrypto,
    der: &[u8],
) -> Result<String, rtc_crypto::CryptoError> {
    let hash = crypto.hash(HashAlgorithm::Sha256, der)?;
    let mut text = String::with_capacity(hash.len() * 3);
    for (index, byte) in hash.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a String does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    Ok(text)
}

fn error(error: impl fmt::Display) -> CertificateError {
    CertificateError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_differ() {
        let (one, two) = (
            Certificate::generate().unwrap(),
            Certificate::generate().unwrap(),
        );
        assert_eq!(one.fingerprint().len(), 95);
        assert_ne!(one.fingerprint(), two.fingerprint());
        assert_eq!(one.fingerprint(), one.clone().fingerprint());
    }
}
