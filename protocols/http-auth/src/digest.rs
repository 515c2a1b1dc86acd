//! The hashes of Digest (RFC 7616 section 3.4).

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    /// What is meant where nothing is said.
    Md5,
    Sha256,
}

impl Algorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut all = [Self::Md5, Self::Sha256].into_iter();
        all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Hexadecimal digits of the hash of all parts with colons between them.
    pub(crate) fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(text)),
            Self::Sha256 => hexadecimal(&Sha256::digest(text)),
        }
    }
}

/// What is proven in `response`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) user: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) password: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    /// Count and client's nonce, where `qop` is `auth`.
    pub(crate) counted: Option<(&'a str, &'a str)>,
}

impl Proof<'_> {
    pub(crate) fn response(&self) -> String {
        let hash = |parts: &[&str]| self.algorithm.hash(parts);
        let secret = hash(&[self.user, self.realm, self.password]);
        let request = hash(&[self.method, self.uri]);
        match self.counted {
            Some((count, cnonce)) => hash(&[&secret, self.nonce, count, cnonce, "auth", &request]),
            None => hash(&[&secret, self.nonce, &request]),
        }
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5.
    #[test]
    fn examples_of_the_standards() {
        let proof = |algorithm| Proof {
            algorithm,
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            counted: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        };
        assert_eq!(
            proof(Algorithm::Md5).response(),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        let sha256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(proof(Algorithm::Sha256).response(), sha256);
        let old = Proof {
            algorithm: Algorithm::Md5,
            realm: "testrealm@host.com",
            password: "Circle Of Life",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            counted: Some(("00000001", "0a4f113b")),
            ..proof(Algorithm::Md5)
        };
        assert_eq!(old.response(), "6629fae49393a05397450978507c4ef1");
    }
}
