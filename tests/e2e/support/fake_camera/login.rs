//! Whom a camera lets look, worked out apart from the server's own login.

use super::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

/// Who may look, and how that is to be proven.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    /// Values of `WWW-Authenticate`; `{nonce}` is the nonce that holds now.
    pub(crate) challenges: &'static [&'static str],
    /// Which of them has to be met: its first word and, for Digest, SHA-256 in it or not.
    pub(crate) scheme: Scheme,
    /// The realm as it goes into the proof.
    pub(crate) realm: &'static str,
    /// Each nonce holds for so many requests.
    pub(crate) uses: u32,
    /// Not asked for of OPTIONS.
    pub(crate) options_free: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Basic,
    Md5,
    Sha256,
}

impl Login {
    /// Whether the request proves who asks.
    pub(super) fn admits(&self, request: &Request, nonce: &mut (u32, u32)) -> bool {
        let given = request.header("Authorization");
        let (scheme, rest) = given.split_once(' ').unwrap_or_default();
        let Self { user, password, .. } = self;
        if self.scheme == Scheme::Basic {
            let token = STANDARD.encode(format!("{user}:{password}"));
            return scheme == "Basic" && rest == token;
        }
        let value = |name: &str| {
            let (_, value) = rest.split_once(&format!("{name}="))?;
            let value = match value.strip_prefix('"') {
                // What is escaped stays so.
                Some(quoted) => quoted.split("\", ").next()?.trim_end_matches('"'),
                None => value.split(',').next()?,
            };
            Some(value.trim().to_owned())
        };
        let hash = |text: String| match self.scheme {
            Scheme::Sha256 => hexadecimal(&Sha256::digest(text)),
            _ => hexadecimal(&Md5::digest(text)),
        };
        let now = format!("nonce{}", nonce.0);
        let (Some(uri), Some(response)) = (value("uri"), value("response")) else {
            return false;
        };
        let one = hash(format!("{user}:{}:{password}", self.realm));
        let two = hash(format!("{}:{uri}", request.method));
        let expected = match (value(" nc"), value("cnonce")) {
            (Some(count), Some(cnonce)) => hash(format!("{one}:{now}:{count}:{cnonce}:auth:{two}")),
            _ => hash(format!("{one}:{now}:{two}")),
        };
        let good = scheme == "Digest" && response == expected && uri == request.url;
        if good {
            nonce.1 += 1;
            if nonce.1 > self.uses {
                *nonce = (nonce.0 + 1, 0);
                return false;
            }
        }
        good
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
