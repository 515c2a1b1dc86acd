//! Connecting to servers: their name is sent, their certificate checked.

use super::certificate::{TlsError, certificates};
use super::provider;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a server has to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// That a known authority vouches for its name.
    #[default]
    Roots,
    /// That it has the certificate with this SHA-256 digest, whoever signed it.
    Fingerprint([u8; 32]),
    /// Nothing.
    Off,
}

/// Why a value of an option of TLS was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Neither yes nor no.
    #[error("tls_verify is 0 or 1")]
    Verify,
    /// No digest.
    #[error("tls_fingerprint is the SHA-256 digest of the certificate: 64 hexadecimal digits")]
    Fingerprint,
}

impl Check {
    /// Takes an option of a URL's fragment: `tls_verify=0`, or `tls_fingerprint=` and the SHA-256 digest of
    /// the server's certificate in hexadecimal digits, with or without colons. `None` for any other option.
    pub fn option(key: &str, value: &str) -> Option<Result<Self, OptionError>> {
        Some(match (key, value) {
            ("tls_verify", "0") => Ok(Self::Off),
            ("tls_verify", "1") => Ok(Self::Roots),
            ("tls_verify", _) => Err(OptionError::Verify),
            ("tls_fingerprint", digest) => {
                let digits = digest.replace(':', "");
                let digest = digits.is_ascii().then(|| decode(&digits)).flatten();
                digest
                    .map(Self::Fingerprint)
                    .ok_or(OptionError::Fingerprint)
            }
            _ => return None,
        })
    }
}

fn decode(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Why a connection is not secure.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// What stands for the host can be in no certificate.
    #[error("{0} is no host name that a certificate could be for")]
    Name(String),
    /// The certificate is not what was asked for.
    #[error("the certificate of {host} is not accepted: {error}")]
    Certificate {
        /// The host.
        host: String,
        /// Why.
        error: Error,
    },
    /// Anything else.
    #[error("no TLS with {host}: {error}")]
    Other {
        /// The host.
        host: String,
        /// What happened.
        error: io::Error,
    },
}

/// Makes connections secure.
#[derive(Clone, Debug)]
pub struct Connector {
    roots: Arc<WebPkiServerVerifier>,
}

impl Connector {
    /// Trusts the authorities that browsers trust, and those of the file `more`.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn new(more: Option<&Path>) -> Result<Self, TlsError> {
        let mut store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = more {
            for certificate in certificates(path)? {
                let path = path.to_owned();
                store
                    .add(certificate)
                    .map_err(|error| TlsError::Root { path, error })?;
            }
        }
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
        #[expect(clippy::expect_used, reason = "fails for an empty store alone")]
        let roots = builder.build().expect("there are roots");
        Ok(Self { roots })
    }

    /// What a client needs that makes its connections itself, for servers of these protocols (ALPN).
    pub fn client_config(&self, check: &Check, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let verifier: Arc<dyn ServerCertVerifier> = match check {
            Check::Roots => self.roots.clone(),
            Check::Fingerprint(digest) => Arc::new(Lenient::new(Some(*digest))),
            Check::Off => Arc::new(Lenient::new(None)),
        };
        let builder = ClientConfig::builder_with_provider(provider());
        #[expect(clippy::expect_used, reason = "ring has both versions of TLS")]
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("the versions of TLS that ring has");
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// Does the handshake on a connection to `host`. It has no time limit of its own.
    ///
    /// # Errors
    /// What is wrong with the server or its certificate, in words.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        socket: S,
        check: &Check,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| HandshakeError::Name(host.to_owned()))?;
        let connector = TlsConnector::from(self.client_config(check, &[]));
        connector.connect(name, socket).await.map_err(|error| {
            let host = host.to_owned();
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
            match tls {
                Some(Error::InvalidCertificate(_)) => HandshakeError::Certificate {
                    host,
                    error: tls.cloned().unwrap_or(Error::DecryptError),
                },
                _ => HandshakeError::Other { host, error },
            }
        })
    }
}

/// Accepts one certificate, or any. That the server has its key is checked all the same.
#[derive(Debug)]
struct Lenient {
    fingerprint: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl Lenient {
    fn new(fingerprint: Option<[u8; 32]>) -> Self {
        Self {
            fingerprint,
            provider: provider(),
        }
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found: [u8; 32] = Sha256::digest(certificate).into();
        match self.fingerprint {
            Some(expected) if expected != found => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
