//! Why a handshake is refused, on the wire and in words.

use std::fmt;

/// A rejection reason (section 4.3, "Handshake Rejection Reason Codes"): what the Handshake Type of a
/// refusing answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject(pub u32);

impl Reject {
    /// The peer said no for reasons of its own.
    pub const PEER: Self = Self(1_002);
    /// Too many connections.
    pub const RESOURCE: Self = Self(1_003);
    /// The handshake makes no sense.
    pub const ROGUE: Self = Self(1_004);
    /// Too many handshakes at once.
    pub const BACKLOG: Self = Self(1_005);
    /// Nobody listens any more.
    pub const CLOSE: Self = Self(1_007);
    /// A handshake of version 4, from before SRT 1.3.
    pub const VERSION: Self = Self(1_008);
    /// Both ends of a rendezvous drew the same cookie.
    pub const COOKIE: Self = Self(1_009);
    /// The wrong passphrase.
    pub const BAD_SECRET: Self = Self(1_010);
    /// A passphrase at one end only.
    pub const UNSECURE: Self = Self(1_011);
    /// Stream (buffer) mode, where messages are spoken.
    pub const MESSAGE_API: Self = Self(1_012);
    /// Another congestion control than live.
    pub const CONGESTION: Self = Self(1_013);
    /// A packet filter (FEC).
    pub const FILTER: Self = Self(1_014);
    /// A group of links.
    pub const GROUP: Self = Self(1_015);
    /// No answer in time.
    pub const TIMEOUT: Self = Self(1_016);
    /// A cipher mode that is not spoken, or not wanted.
    pub const CRYPTO: Self = Self(1_017);
    /// The stream is not for this caller (libsrt's access control codes, 1000 above HTTP's).
    pub const FORBIDDEN: Self = Self(1_403);
    /// There is no such stream.
    pub const NOT_FOUND: Self = Self(1_404);
    /// The stream id cannot be read.
    pub const BAD_REQUEST: Self = Self(1_400);
    /// Somebody publishes already.
    pub const CONFLICT: Self = Self(1_409);

    /// Whether a Handshake Type is one of these.
    pub const fn is_reject(kind: u32) -> bool {
        // Above 2000 are the codes that users define.
        kind >= 1_000 && kind < 0x8000_0000
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match *self {
            Self(1_001) => "the peer's system failed",
            Self::PEER => "the peer refused",
            Self::RESOURCE => "too many connections",
            Self::ROGUE => "the handshake makes no sense",
            Self::BACKLOG => "too many handshakes at once",
            Self(1_006) => "the peer's program failed",
            Self::CLOSE => "the peer is closing",
            Self::VERSION => "handshakes before SRT 1.3 are not spoken",
            Self::COOKIE => "both ends drew the same cookie",
            Self::BAD_SECRET => "wrong passphrase",
            Self::UNSECURE => "a passphrase is required, or was not expected",
            Self::MESSAGE_API => "one end wants messages, the other a stream of bytes",
            Self::CONGESTION => "another congestion control than live",
            Self::FILTER => "packet filters are not spoken",
            Self::GROUP => "groups of links are not spoken",
            Self::TIMEOUT => "no answer in time",
            Self::CRYPTO => "another cipher mode",
            Self::BAD_REQUEST => "the stream id cannot be read",
            Self(1_401) => "credentials are required or wrong",
            Self::FORBIDDEN => "not allowed",
            Self::NOT_FOUND => "there is no such stream",
            Self::CONFLICT => "the stream is being published already",
            _ => "refused",
        };
        write!(f, "{words} (code {})", self.0)
    }
}
