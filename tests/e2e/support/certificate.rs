//! Certificates for the far sides of the tests, each its own issuer.

use super::tools::tool;
use std::path::{Path, PathBuf};

/// A certificate with its key, in files.
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// `NAME.pem` and `NAME.key` for a subject of that name, at this machine.
    #[track_caller]
    pub(crate) fn make(folder: &Path, name: &str) -> Self {
        Self::at(folder, name, "IP:127.0.0.1")
    }

    /// The same, at another place: `IP:…` or `DNS:…`.
    #[track_caller]
    pub(crate) fn at(folder: &Path, name: &str, place: &str) -> Self {
        let made = Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let subject = format!("/CN={name}");
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
        let mut openssl = tool("openssl");
        openssl
            .args(["req", "-x509", "-nodes", "-days", "2"])
            .args(key)
            .args(["-subj", &subject])
            .args(["-addext", &format!("subjectAltName={place}")])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate);
        let output = openssl.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        made
    }

    /// Its SHA-256 in hexadecimal digits.
    #[track_caller]
    pub(crate) fn fingerprint(&self) -> String {
        let mut openssl = tool("openssl");
        openssl
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&self.certificate);
        let said = String::from_utf8(openssl.output().unwrap().stdout).unwrap();
        said.trim().split('=').nth(1).unwrap().replace(':', "")
    }

    /// Both files, as `camera.py` takes them.
    pub(crate) fn files(&self) -> String {
        format!("{},{}", self.certificate.display(), self.key.display())
    }
}
