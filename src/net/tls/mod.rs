//! TLS by rustls: what the server shows to those who connect, and what it wants to see where it connects.
//!
//! An [`Identity`] has the one [`Certificate`] of all listeners: that of the configuration, or a self-signed one
//! that is made at the first start. It is read again when its files change, which connections do not notice.
//! [`Connector`] is the other side: names are sent (SNI) and certificates checked against built-in roots, or
//! as the [`Check`] of a URL says.

mod certificate;
mod client;
mod server;

pub use certificate::{Files, TlsError, Validity, write};
pub use client::{Check, Connector, HandshakeError, OptionError};
pub use server::{Certificate, Identity};

use rustls::crypto::CryptoProvider;
use std::sync::{Arc, LazyLock};

/// The cryptography, made once.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

#[cfg(test)]
pub(crate) mod tests;
