//! The certificate that listeners show, and following its files.

use super::certificate::{self, Files, TlsError, Validity};
use super::provider;
use crate::config::General;
use crate::hub::Current;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The files of the server's certificate and key.
#[derive(Debug)]
pub struct Identity {
    files: Current<Files>,
    certificate: Certificate,
    /// The files as they were when they were last read.
    seen: Stamp,
}

/// The certificate, with its key, that new connections are shown.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Shown>);

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// What changes when one of the files does.
type Stamp = [Option<(SystemTime, u64, u64)>; 2];

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

impl Certificate {
    /// One that is kept nowhere, for a process whose listeners nobody has to know again.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn temporary() -> Result<Self, TlsError> {
        let certified = certificate::temporary()?;
        Ok(Self(Arc::new(Shown(RwLock::new(Arc::new(certified))))))
    }

    /// Until when it is valid, and who vouches for it; none where it cannot be read.
    pub fn validity(&self) -> Option<Validity> {
        let shown = self.0.0.read().unwrap_or_else(PoisonError::into_inner);
        Validity::of(shown.end_entity_cert().ok()?)
    }

    /// What a listener needs, for clients of these protocols (ALPN), the best first; none for any.
    pub fn server_config(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider());
        #[expect(clippy::expect_used, reason = "ring has both versions of TLS")]
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("the versions of TLS that ring has");
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(self.0.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

impl Identity {
    /// Reads the configured files. Where none are configured, reads what is kept in `data_dir`, and makes it
    /// if that is the first time.
    ///
    /// # Errors
    /// When there is no certificate in the end.
    pub fn open(general: &General) -> Result<Self, TlsError> {
        let files = Files::of(general, &general.data_dir)?;
        let seen = stamp(&files);
        let certified = files.load()?;
        Ok(Self {
            files: Current::new(files),
            certificate: Certificate(Arc::new(Shown(RwLock::new(Arc::new(certified))))),
            seen,
        })
    }

    /// The files, to be replaced by others.
    pub fn files(&self) -> Current<Files> {
        self.files.clone()
    }

    /// The certificate, whatever it will be.
    pub fn certificate(&self) -> Certificate {
        self.certificate.clone()
    }

    /// Reads the files again whenever they have changed, for ever. What cannot be used is told once, and the
    /// old certificate stays.
    pub async fn follow(mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Files may be on a disk that is slow to answer.
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(identity) => self = identity,
                Err(_) => return,
            }
        }
    }

    /// Reads the files again if they have changed.
    pub(super) fn look(&mut self) {
        let files = self.files.get();
        let now = stamp(&files);
        if now == self.seen {
            return;
        }
        self.seen = now;
        match files.load() {
            Ok(certified) => {
                let shown = self.certificate.0.0.write();
                *shown.unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                tracing::info!(
                    certificate = %files.certificate.display(),
                    "new connections are shown the changed certificate"
                );
            }
            Err(error) => tracing::warn!(
                %error,
                "the changed certificate cannot be used; the one before it stays in use"
            ),
        }
    }
}

fn stamp(files: &Files) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some((modified, metadata.len(), metadata.ino()))
    })
}
