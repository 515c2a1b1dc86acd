//! The handshake packet and its extensions (section 3.2.1).

use crate::packet::word;
use crate::reject::Reject;
use crate::sequence::Sequence;

/// Longest stream id, in bytes.
pub const MAX_STREAM_ID: usize = 512;

/// What stands in the extension field of a listener's induction, so that SRT is told from UDT (section 4.3.1.1).
pub(crate) const MAGIC: u16 = 0x4a17;

/// Fields in front of the extensions.
const FIXED: usize = 48;

/// Most extensions of one handshake that are looked at.
const MAX_EXTENSIONS: usize = 16;

/// The version that we claim: the draft is of 1.5.
pub(crate) const SRT_VERSION: u32 = 0x0001_0500;

/// Bits of [`Hello::flags`].
pub(crate) mod flags {
    /// TSBPD in both directions, encryption understood, too late packets are dropped, periodic NAK, the
    /// retransmission bit.
    pub(crate) const OURS: u32 = 0x3f;
    /// Bytes without boundaries.
    pub(crate) const STREAM: u32 = 0x40;
}

/// Why bytes are no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Bytes there were.
    #[error("{0} bytes are too short for a handshake")]
    Short(usize),
    /// An extension, and how long it was.
    #[error("extension {kind} of {length} bytes is too short or too long")]
    Extension {
        /// Its type.
        kind: u16,
        /// Its length in bytes, as it says.
        length: usize,
    },
    /// There are more of them than any peer sends.
    #[error("more than 16 extensions")]
    Many,
    /// It has to be text.
    #[error("extension {0} is not UTF-8")]
    Text(u16),
}

/// What a handshake is for (section 3.2.1, Handshake Type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first of a rendezvous.
    Wave,
    /// The first of a caller, and its answer.
    Induction,
    /// With the extensions.
    Conclusion,
    /// The last of a rendezvous.
    Agreement,
    /// Not sent by anybody.
    Done,
    /// There will be no connection.
    Reject(Reject),
    /// Any other value.
    Other(u32),
}

impl Kind {
    const fn from_value(value: u32) -> Self {
        match value {
            0 => Self::Wave,
            1 => Self::Induction,
            0xffff_ffff => Self::Conclusion,
            0xffff_fffe => Self::Agreement,
            0xffff_fffd => Self::Done,
            code if Reject::is_reject(code) => Self::Reject(Reject(code)),
            other => Self::Other(other),
        }
    }

    const fn value(self) -> u32 {
        match self {
            Self::Wave => 0,
            Self::Induction => 1,
            Self::Conclusion => 0xffff_ffff,
            Self::Agreement => 0xffff_fffe,
            Self::Done => 0xffff_fffd,
            Self::Reject(Reject(code)) | Self::Other(code) => code,
        }
    }
}

/// A handshake's control information field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// 4 or 5.
    pub version: u32,
    /// Advertised key length in bytes, divided by 8; zero for none.
    pub encryption: u16,
    /// Which extensions there are, or the magic number, or 2 of a caller's induction.
    pub extension: u16,
    /// Number of the sender's first data packet.
    pub initial: Sequence,
    /// Largest datagram, IP and UDP headers included, in bytes.
    pub mtu: u32,
    /// Packets that may be under way.
    pub window: u32,
    /// What it is for.
    pub kind: Kind,
    /// The sender's socket.
    pub socket: u32,
    /// Proves that the sender has seen the listener's answer, or decides who begins a rendezvous.
    pub cookie: u32,
    /// Address of the receiver, which nobody looks at.
    pub address: [u8; 16],
    /// The extensions.
    pub extensions: Extensions,
}

/// The handshake extension message (section 3.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Whether it is the responder's.
    pub response: bool,
    /// Version of the library: major, minor, patch in a byte each.
    pub version: u32,
    /// What the peer can and wants.
    pub flags: u32,
    /// Latency as a receiver and as a sender, in milliseconds.
    pub latency: (u16, u16),
}

/// The extensions that are known. Unknown ones are skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Version, flags, latency.
    pub hello: Option<Hello>,
    /// The key material, or the state of one word that stands for it.
    pub key_material: Option<Vec<u8>>,
    /// The key material is an answer.
    pub key_response: bool,
    /// What the caller wants.
    pub stream_id: Option<String>,
    /// Name of the congestion control, if it is not the usual one.
    pub congestion: Option<String>,
    /// A packet filter's configuration.
    pub filter: Option<String>,
    /// The connection belongs to a group.
    pub group: bool,
}

impl Handshake {
    /// Reads it.
    ///
    /// # Errors
    /// When it is too short, or an extension is not what its type says.
    pub fn parse(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let short = || HandshakeError::Short(bytes.len());
        let (fixed, extensions) = bytes.split_at_checked(FIXED).ok_or_else(short)?;
        let field = |index| word(fixed, index).ok_or_else(short);
        let types = field(1)?;
        let kind = Kind::from_value(field(5)?);
        let version = field(0)?;
        Ok(Self {
            version,
            encryption: high(types),
            extension: low(types),
            initial: Sequence::new(field(2)?),
            mtu: field(3)?,
            window: field(4)?,
            kind,
            socket: field(6)?,
            cookie: field(7)?,
            address: fixed
                .get(32..)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(short)?,
            // Handshakes of other kinds and versions have none, whatever follows.
            extensions: if version == 5 && kind == Kind::Conclusion {
                Extensions::parse(extensions)?
            } else {
                Extensions::default()
            },
        })
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let types = u32::from(self.encryption) << 16 | u32::from(self.extension);
        let words = [
            self.version,
            types,
            self.initial.value(),
            self.mtu,
            self.window,
            self.kind.value(),
            self.socket,
            self.cookie,
        ];
        for word in words {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.address);
        self.extensions.write(out);
    }
}

impl Extensions {
    fn parse(mut bytes: &[u8]) -> Result<Self, HandshakeError> {
        let mut all = Self::default();
        for count in 0.. {
            let Some(head) = word(bytes, 0) else { break };
            if count == MAX_EXTENSIONS {
                return Err(HandshakeError::Many);
            }
            let (kind, length) = (high(head), usize::from(low(head)) * 4);
            let wrong = HandshakeError::Extension { kind, length };
            let body = bytes.get(4..).unwrap_or_default();
            let (content, rest) = body.split_at_checked(length).ok_or(wrong)?;
            all.take(kind, content, wrong)?;
            bytes = rest;
        }
        Ok(all)
    }

    fn take(
        &mut self,
        kind: u16,
        content: &[u8],
        wrong: HandshakeError,
    ) -> Result<(), HandshakeError> {
        let field = |index| word(content, index).ok_or(wrong);
        match kind {
            1 | 2 => {
                let latency = field(2)?;
                self.hello = Some(Hello {
                    response: kind == 2,
                    version: field(0)?,
                    flags: field(1)?,
                    latency: (high(latency), low(latency)),
                });
            }
            3 | 4 => {
                // Bounded by the packet; its own lengths are checked where it is read.
                self.key_material = Some(content.to_vec());
                self.key_response = kind == 4;
            }
            5 => self.stream_id = Some(text(content, kind, wrong)?),
            6 => self.congestion = Some(text(content, kind, wrong)?),
            7 => self.filter = Some(text(content, kind, wrong)?),
            8 => self.group = true,
            _ => {}
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(hello) = self.hello {
            head(out, if hello.response { 2 } else { 1 }, 3);
            let latency = u32::from(hello.latency.0) << 16 | u32::from(hello.latency.1);
            for word in [hello.version, hello.flags, latency] {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
        if let Some(message) = &self.key_material {
            head(
                out,
                if self.key_response { 4 } else { 3 },
                message.len() / 4,
            );
            out.extend_from_slice(message);
        }
        let texts = [
            (5, &self.stream_id),
            (6, &self.congestion),
            (7, &self.filter),
        ];
        for (kind, text) in texts {
            if let Some(text) = text {
                head(out, kind, text.len().div_ceil(4));
                for chunk in text.as_bytes().chunks(4) {
                    let mut word = [0; 4];
                    for (to, from) in word.iter_mut().rev().zip(chunk) {
                        *to = *from;
                    }
                    out.extend_from_slice(&word);
                }
            }
        }
        if self.group {
            head(out, 8, 2);
            out.extend_from_slice(&[0; 8]);
        }
    }

    /// The extension field that says what there is (section 3.2.1, "Handshake Extension Flags").
    pub(crate) const fn field(&self) -> u16 {
        let config = self.stream_id.is_some() || self.congestion.is_some() || self.filter.is_some();
        self.hello.is_some() as u16
            | (self.key_material.is_some() as u16) << 1
            | (config as u16) << 2
    }

    /// Whether there is something that is not done here.
    pub(crate) fn refused(&self) -> Option<Reject> {
        let stream = self
            .hello
            .is_some_and(|hello| hello.flags & flags::STREAM != 0);
        let other = |name: &String| name != "live";
        if stream {
            Some(Reject::MESSAGE_API)
        } else if self.congestion.as_ref().is_some_and(other) {
            Some(Reject::CONGESTION)
        } else if self
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.is_empty())
        {
            Some(Reject::FILTER)
        } else if self.group {
            Some(Reject::GROUP)
        } else {
            None
        }
    }
}

fn head(out: &mut Vec<u8>, kind: u16, words: usize) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&u16::try_from(words).unwrap_or(u16::MAX).to_be_bytes());
}

const fn high(word: u32) -> u16 {
    (word >> 16) as u16
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn low(word: u32) -> u16 {
    word as u16
}

/// Text as words of little endian, filled up with zeros (section 3.2.1.3).
fn text(content: &[u8], kind: u16, wrong: HandshakeError) -> Result<String, HandshakeError> {
    if content.len() > MAX_STREAM_ID {
        return Err(wrong);
    }
    let mut bytes: Vec<u8> = content
        .chunks(4)
        .flat_map(|word| word.iter().rev())
        .copied()
        .collect();
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.map_or(0, |end| end + 1));
    String::from_utf8(bytes).map_err(|_| HandshakeError::Text(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn conclusion() -> Handshake {
        Handshake {
            version: 5,
            encryption: 2,
            extension: 7,
            initial: Sequence::new(5),
            mtu: 1_500,
            window: 8_192,
            kind: Kind::Conclusion,
            socket: 77,
            cookie: 99,
            address: [1; 16],
            extensions: Extensions {
                hello: Some(Hello {
                    response: false,
                    version: SRT_VERSION,
                    flags: flags::OURS,
                    latency: (120, 80),
                }),
                key_material: Some(vec![9; 8]),
                key_response: true,
                stream_id: Some("read:live/ä".to_owned()),
                congestion: Some("live".to_owned()),
                filter: Some("fec".to_owned()),
                group: true,
            },
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let written = conclusion();
        let mut bytes = Vec::new();
        written.write(&mut bytes);
        assert_eq!(Handshake::parse(&bytes), Ok(written));
        // The first letters of the stream id, turned round.
        assert!(bytes.windows(8).any(|bytes| bytes == b"daervil:"));
        for length in 0..FIXED {
            assert_eq!(
                Handshake::parse(&bytes[..length]),
                Err(HandshakeError::Short(length))
            );
        }
        for length in FIXED + 4..bytes.len() {
            // Whole extensions may be missing, not parts of them.
            if let Ok(read) = Handshake::parse(&bytes[..length]) {
                assert_ne!(read, conclusion());
            }
        }
    }

    #[test]
    fn what_lies_is_refused() {
        let fixed = |extensions: &[u8]| {
            let mut bytes = Vec::new();
            Handshake {
                extensions: Extensions::default(),
                ..conclusion()
            }
            .write(&mut bytes);
            bytes.extend_from_slice(extensions);
            Handshake::parse(&bytes)
        };
        let extension = |kind, length| Err(HandshakeError::Extension { kind, length });
        assert_eq!(fixed(&[0, 5, 0xff, 0xff, 1]), extension(5, 0x3fffc));
        assert_eq!(fixed(&[0, 1, 0, 1, 0, 0, 0, 0]), extension(1, 4));
        assert_eq!(
            fixed(&[0, 5, 0, 1, 0xff, 0xff, 0xff, 0xff]),
            Err(HandshakeError::Text(5))
        );
        let mut long = vec![0, 5, 0, 129];
        long.extend([b'a'; 516]);
        assert_eq!(fixed(&long), extension(5, 516));
        assert_eq!(fixed(&[0, 9, 0, 0].repeat(17)), Err(HandshakeError::Many));
        assert!(fixed(&[0, 9, 0, 0].repeat(16)).is_ok());
    }

    #[test]
    fn what_is_not_done_is_named() {
        let mut extensions = conclusion().extensions;
        assert_eq!(extensions.refused(), Some(Reject::FILTER));
        extensions.filter = None;
        assert_eq!(extensions.refused(), Some(Reject::GROUP));
        extensions.group = false;
        assert_eq!(extensions.refused(), None);
        extensions.congestion = Some("file".to_owned());
        assert_eq!(extensions.refused(), Some(Reject::CONGESTION));
        if let Some(hello) = &mut extensions.hello {
            hello.flags |= flags::STREAM;
        }
        assert_eq!(extensions.refused(), Some(Reject::MESSAGE_API));
    }
}
