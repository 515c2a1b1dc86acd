//! Fragments of session descriptions, by which ICE begins anew within a session (RFC 8840, RFC 9725 section 4.3.3).

use super::OfferError;
use super::answer::write_candidates;
use super::offer::token;
use crate::ice::{Candidate, Credentials};
use std::fmt::Write;

/// Longest fragment, in bytes.
const MAX_FRAGMENT: usize = 32 * 1_024;

/// What a fragment says of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Its new ICE user name.
    pub(crate) ufrag: String,
    /// The bundle and the first section in it, which the answer repeats.
    head: Vec<String>,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// When it names no user and password, or is no fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_FRAGMENT {
            return Err(OfferError::TooLong(text.len()));
        }
        let mut fragment = Self::default();
        let mut has_password = false;
        for (number, line) in (1..).zip(text.lines()) {
            let Some((kind, value)) = line.split_once('=') else {
                if line.is_empty() {
                    continue;
                }
                let what = "a line of a session description is LETTER=VALUE";
                return Err(OfferError::Malformed { line: number, what });
            };
            let (name, said) = value.split_once(':').unwrap_or((value, ""));
            let repeated = match (kind, name) {
                ("a", "ice-ufrag") => {
                    fragment.ufrag = token(said).unwrap_or_default();
                    false
                }
                ("a", "ice-pwd") => {
                    has_password = !said.is_empty();
                    false
                }
                ("a", "group" | "mid") => true,
                (kind, _) => kind == "m",
            };
            let is_plain = !line.bytes().any(|byte| byte.is_ascii_control());
            if repeated && is_plain && fragment.head.len() < 3 {
                fragment.head.push(line.to_owned());
            }
        }
        match () {
            () if fragment.ufrag.is_empty() => Err(OfferError::Missing("a=ice-ufrag")),
            () if !has_password => Err(OfferError::Missing("a=ice-pwd")),
            () => Ok(fragment),
        }
    }

    /// The answer to it.
    pub(crate) fn answer(&self, credentials: &Credentials, candidates: &[Candidate]) -> String {
        let mut out = String::with_capacity(512);
        // Writing to a String does not fail.
        let _ = self.write(credentials, candidates, &mut out);
        out
    }

    fn write(
        &self,
        credentials: &Credentials,
        candidates: &[Candidate],
        out: &mut String,
    ) -> std::fmt::Result {
        write!(out, "a=ice-lite\r\n")?;
        for line in &self.head {
            write!(out, "{line}\r\n")?;
        }
        let Credentials { ufrag, password } = credentials;
        write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n")?;
        write_candidates(out, candidates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::Transport;

    /// That of RFC 9725 section 4.3.3.
    const RESTART: &str = "a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:ysXw\r\n\
        a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";

    #[test]
    fn the_answer_repeats_the_section() {
        let fragment = Fragment::parse(RESTART).unwrap();
        assert_eq!(fragment.ufrag, "ysXw");
        let credentials = Credentials {
            ufrag: "us".to_owned(),
            password: "secret".to_owned(),
        };
        let candidates = [Transport::Udp, Transport::Tcp].map(|transport| Candidate {
            transport,
            address: ([198, 51, 100, 1], 39_132).into(),
            is_relayed: false,
        });
        let expected = "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
            a=mid:0\r\na=ice-ufrag:us\r\na=ice-pwd:secret\r\n\
            a=candidate:1 1 udp 2130706431 198.51.100.1 39132 typ host\r\n\
            a=candidate:2 1 tcp 1520434943 198.51.100.1 39132 typ host tcptype passive\r\na=end-of-candidates\r\n";
        assert_eq!(fragment.answer(&credentials, &candidates), expected);
    }

    #[test]
    fn what_is_no_restart() {
        let long = "a=b\n".repeat(MAX_FRAGMENT / 4 + 1);
        for (text, error) in [
            ("", OfferError::Missing("a=ice-ufrag")),
            (
                "a=ice-ufrag:a b\na=ice-pwd:x",
                OfferError::Missing("a=ice-ufrag"),
            ),
            ("a=ice-ufrag:abcd\n", OfferError::Missing("a=ice-pwd")),
            (&long, OfferError::TooLong(long.len())),
            (
                "a=mid:0\nnonsense",
                OfferError::Malformed {
                    line: 2,
                    what: "a line of a session description is LETTER=VALUE",
                },
            ),
        ] {
            assert_eq!(Fragment::parse(text), Err(error), "{text:.40?}");
        }
    }
}
