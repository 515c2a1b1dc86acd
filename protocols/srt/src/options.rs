//! What one connection is to be like.

use crate::crypto::KeyLength;
use std::fmt;
use std::time::Duration;

/// A secret of 10 to 79 bytes that both ends know. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Box<str>);

impl Passphrase {
    /// The length that peers accept.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 10..=79;

    /// Takes it.
    ///
    /// # Errors
    /// When it is shorter or longer than [`Self::LENGTH`].
    pub fn new(text: &str) -> Result<Self, OptionsError> {
        if Self::LENGTH.contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(OptionsError::Passphrase(text.len()))
        }
    }

    pub(crate) const fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Why options cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Its length, in bytes.
    #[error("a passphrase has 10 to 79 bytes, this one {0}")]
    Passphrase(usize),
    /// Its length, in bytes.
    #[error("a stream id has at most 512 bytes, this one {0}")]
    StreamId(usize),
}

/// What one connection is to be like. The two ends may differ: the longer latency holds, and a passphrase
/// must be the same at both.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a caller asks for, of at most 512 bytes; empty for nothing. A listener does not send it.
    pub stream_id: String,
    /// From the origin of a message at the sender until it is delivered (TSBPD delay), up to 65 s.
    pub latency: Duration,
    /// Encrypts, and refuses whoever has another or none.
    pub passphrase: Option<Passphrase>,
    /// What a caller encrypts with; what the listener advertises, or AES-128, when it is not set.
    pub key_length: Option<KeyLength>,
    /// A caller offers AES-GCM, which peers before 1.6 do not know, in place of AES-CTR.
    pub gcm: bool,
    /// Packets after which the key changes.
    pub key_refresh: u32,
    /// Packets in front of a change at which the new key is announced, and after it at which the old one is
    /// forgotten.
    pub key_announce: u32,
    /// Longest payload of one packet, in bytes; longer messages become several. 7 TS packets are the custom.
    pub payload: usize,
    /// Most bytes a second that are sent, headers and repetitions included (section 5.1.1, MAXBW_SET).
    pub max_bandwidth: u64,
    /// Packets that wait for acknowledgement, at most.
    pub buffer: usize,
    /// Packets that wait for delivery, at most: the window that the peer is told of.
    pub receive_buffer: usize,
    /// How long a handshake may take.
    pub connect_timeout: Duration,
    /// How long a peer may be silent.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stream_id: String::new(),
            latency: Duration::from_millis(120),
            passphrase: None,
            key_length: None,
            gcm: false,
            key_refresh: 1 << 24,
            key_announce: 4_000,
            payload: 1_316,
            max_bandwidth: 125_000_000,
            buffer: 8_192,
            receive_buffer: 8_192,
            connect_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// The latency as the handshake carries it, in milliseconds.
    pub(crate) fn latency_ms(&self) -> u16 {
        u16::try_from(self.latency.as_millis()).unwrap_or(u16::MAX)
    }

    /// Checks what cannot be checked by types.
    pub(crate) const fn check(&self) -> Result<(), OptionsError> {
        if self.stream_id.len() > crate::handshake::MAX_STREAM_ID {
            return Err(OptionsError::StreamId(self.stream_id.len()));
        }
        Ok(())
    }
}
