//! A certificate with its key: read from files, or made.

use super::provider;
use crate::config::General;
use crate::net::interfaces;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::extensions::GeneralName;

/// How long a certificate that is made here is valid: browsers ask whoever trusts it each time it changes.
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Its validity begins before it is made, for clients whose clocks are behind.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(86_400);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: no {what} in PEM form: {error}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        error: pem::Error,
    },
    /// Certificate and key cannot be used together.
    #[error("{certificate} and {key} cannot be used: {error}")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// A root certificate cannot be used.
    #[error("{path}: {error}")]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// What was made cannot be kept.
    #[error("cannot write {path}: {error}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The server's certificate and those between it and a root, in PEM.
    pub(super) certificate: PathBuf,
    /// The key of the first, in PEM: PKCS #8, PKCS #1 or SEC 1.
    pub(super) key: PathBuf,
}

impl Files {
    /// Those that are configured; where there are none, those in `data_dir`, for what an authority gives or for the server's own,
    /// which are made if that is the first time.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn of(general: &General, data_dir: &Path) -> Result<Self, TlsError> {
        let settings = &general.tls;
        if let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) {
            return Ok(Self {
                certificate: certificate.clone(),
                key: key.clone(),
            });
        }
        let files = if general.acme.is_on() {
            Self::of_authority(data_dir)
        } else {
            Self {
                certificate: data_dir.join("tls-certificate.pem"),
                key: data_dir.join("tls-key.pem"),
            }
        };
        files.make_if_missing()?;
        Ok(files)
    }

    /// Those for what an authority gives. Certificate and key are in both, and so both change at once.
    pub fn of_authority(data_dir: &Path) -> Self {
        let both = data_dir.join("acme-certificate.pem");
        Self {
            certificate: both.clone(),
            key: both,
        }
    }

    /// Whether the certificate is an authority's, for these names alone, with a third of its life left.
    pub fn are_good_for(&self, names: &[String], now: SystemTime) -> bool {
        let Ok(certified) = self.load() else {
            return false;
        };
        let first = certified.end_entity_cert().ok();
        first.is_some_and(|der| is_good_for(der, names, now))
    }

    /// Puts another certificate, with those between it and a root, and its key in the place of those before, if they can be
    /// used.
    ///
    /// # Errors
    /// When they cannot be used or written: then those before stay.
    pub fn replace(&self, chain: &str, key: &str) -> Result<(), TlsError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let not_pem = |what| {
            move |error| TlsError::Pem {
                path: self.certificate.clone(),
                what,
                error,
            }
        };
        let certificates = certificates.map_err(not_pem("certificate"))?;
        let der = PrivateKeyDer::from_pem_slice(key.as_bytes());
        let der = der.map_err(not_pem("private key"))?;
        CertifiedKey::from_der(certificates, der, &provider())
            .map_err(|error| self.unusable(error))?;
        write(&self.certificate, &format!("{key}\n{chain}"))
    }

    fn unusable(&self, error: rustls::Error) -> TlsError {
        TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            error,
        }
    }

    /// Whether both can be read and belong together.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    /// Reads both.
    ///
    /// # Errors
    /// When one cannot be read, or they do not belong together.
    pub(super) fn load(&self) -> Result<CertifiedKey, TlsError> {
        let chain = certificates(&self.certificate)?;
        let text = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Pem {
            path: self.key.clone(),
            what: "private key",
            error,
        })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| self.unusable(error))
    }

    /// Makes a self-signed certificate and writes both files, unless there is one.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn make_if_missing(&self) -> Result<(), TlsError> {
        if self.certificate.exists() {
            return Ok(());
        }
        let key = KeyPair::generate()?;
        let certificate = parameters().self_signed(&key)?;
        let (key, certificate) = (key.serialize_pem(), certificate.pem());
        if self.key == self.certificate {
            return write(&self.key, &format!("{key}\n{certificate}"));
        }
        // The key first: where there is a certificate, there is its key.
        write(&self.key, &key)?;
        write(&self.certificate, &certificate)
    }
}

/// What people ask of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// It is no longer valid then.
    pub until: SystemTime,
    /// Nobody else vouches for it.
    pub is_self_signed: bool,
}

impl Validity {
    /// Of a certificate in DER; none where it cannot be read.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let until = u64::try_from(certificate.validity().not_after.timestamp());
        Some(Self {
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(until.ok()?),
            is_self_signed: certificate.issuer() == certificate.subject(),
        })
    }
}

/// Whether somebody else vouches for a certificate in DER, for these names alone, and a third of its life is left.
fn is_good_for(der: &[u8], names: &[String], now: SystemTime) -> bool {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
        return false;
    };
    let of = |entry: &GeneralName<'_>| match entry {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    let entries = certificate.subject_alternative_name().ok().flatten();
    let entries = entries.map_or(&[][..], |entries| &entries.value.general_names);
    let has: BTreeSet<_> = entries.iter().filter_map(of).collect();
    let wanted: BTreeSet<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let validity = certificate.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let left = until.saturating_sub(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let is_self_signed = certificate.issuer() == certificate.subject();
    !is_self_signed && has == wanted && left > until.saturating_sub(from) / 3
}

/// A self-signed certificate with its key, kept nowhere.
///
/// # Errors
/// When it cannot be made.
pub(super) fn temporary() -> Result<CertifiedKey, TlsError> {
    let key = KeyPair::generate()?;
    let certificate = parameters().self_signed(&key)?;
    let chain = vec![certificate.der().clone()];
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    CertifiedKey::from_der(chain, key.into(), &provider()).map_err(|error| TlsError::Pair {
        certificate: PathBuf::new(),
        key: PathBuf::new(),
        error,
    })
}

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let not_pem = |error| TlsError::Pem {
        path: path.to_owned(),
        what: "certificate",
        error,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(not_pem)?;
    if found.is_empty() {
        return Err(not_pem(pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read {
        path: path.to_owned(),
        error,
    })
}

/// A file that nobody else may read, complete or not there at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    let unfinished = path.with_extension("new");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| TlsError::Write {
        path: path.to_owned(),
        error,
    })
}

/// For every name and address that this machine is known to have.
fn parameters() -> CertificateParams {
    let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let interfaces = interfaces::routed().unwrap_or_default();
    addresses.extend(interfaces.iter().map(interfaces::Interface::ip));
    addresses.sort_unstable();
    addresses.dedup();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let names = ["localhost", host.trim()];
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Millstream");
    parameters.subject_alt_names = names
        .into_iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| Some(SanType::DnsName(name.try_into().ok()?)))
        .chain(addresses.into_iter().map(SanType::IpAddress))
        .collect();
    let now = SystemTime::now();
    parameters.not_before = (now - CLOCK_DIFFERENCE).into();
    parameters.not_after = (now + VALIDITY).into();
    parameters
}
