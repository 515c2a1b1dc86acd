//! Writing a description, by the book: every line that has to be there, in its order, ended by CR and LF.

use crate::description::Description;
use crate::format::Format;
use crate::section::{Connection, Media, word};
use std::fmt::{Display, Formatter, Result, Write};
use std::net::IpAddr;

impl Display for Description {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let origin = self.origin;
        let (id, version, address) = (origin.id, origin.version, Address(origin.address));
        write!(f, "v=0\r\no=- {id} {version} {address}\r\n")?;
        let name = line(&self.name);
        let name = if name.trim().is_empty() { "-" } else { &name };
        write!(f, "s={name}\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n")?;
        if let Some(control) = &self.control {
            write!(f, "a=control:{}\r\n", line(control))?;
        }
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (kind, port, protocol) = (word(&self.kind), self.port, word(&self.protocol));
        write!(f, "m={kind} {port} {protocol}")?;
        for format in &self.formats {
            write!(f, " {}", format.payload_type)?;
        }
        if self.formats.is_empty() {
            // There has to be something.
            f.write_str(" *")?;
        }
        f.write_str("\r\n")?;
        if let Some(Connection { address, ttl }) = self.connection {
            write!(f, "c={}", Address(address))?;
            if let Some(ttl) = ttl {
                write!(f, "/{ttl}")?;
            }
            f.write_str("\r\n")?;
        }
        for format in &self.formats {
            let number = format.payload_type;
            if !format.name.is_empty() {
                write!(f, "a=rtpmap:{number} {}\r\n", format.rtpmap())?;
            }
            if !format.parameters.is_empty() {
                write!(f, "a=fmtp:{number} {}\r\n", line(&format.parameters))?;
            }
        }
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        if let Some(control) = &self.control {
            write!(f, "a=control:{}\r\n", line(control))?;
        }
        Ok(())
    }
}

impl Format {
    /// `NAME/RATE`, and the number of channels where it is known.
    pub(crate) fn rtpmap(&self) -> String {
        let mut out = format!("{}/{}", word(&self.name), self.clock_rate);
        if let Some(channels) = self.channels {
            // Writing to a String does not fail.
            let _ = write!(out, "/{channels}");
        }
        out
    }
}

/// An address with the words in front of it.
struct Address(IpAddr);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let family = if self.0.is_ipv4() { "IP4" } else { "IP6" };
        write!(f, "IN {family} {}", self.0)
    }
}

/// A text that may come from elsewhere, without what would end its line.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Origin};
    use std::num::NonZeroU8;

    #[test]
    fn by_the_book() {
        let format = Format {
            payload_type: 97,
            name: "opus".to_owned(),
            clock_rate: 48_000,
            channels: NonZeroU8::new(2),
            parameters: "sprop-stereo=1".to_owned(),
        };
        let mut media = Media::new("audio", format);
        media.direction = Some(Direction::SendOnly);
        media.control = Some("trackID=1".to_owned());
        media.connection = Some(Connection {
            address: [239, 0, 0, 1].into(),
            ttl: Some(16),
        });
        let description = Description {
            origin: Origin {
                id: 5,
                version: 1,
                address: "2001:db8::1".parse().unwrap(),
            },
            name: "Gate\r\na=evil".to_owned(),
            control: Some("*".to_owned()),
            media: vec![media],
        };
        let expected = "v=0\r\no=- 5 1 IN IP6 2001:db8::1\r\ns=Gatea=evil\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
            a=control:*\r\nm=audio 0 RTP/AVP 97\r\nc=IN IP4 239.0.0.1/16\r\n\
            a=rtpmap:97 opus/48000/2\r\na=fmtp:97 sprop-stereo=1\r\na=sendonly\r\na=control:trackID=1\r\n";
        let read = Description::parse(expected.as_bytes()).unwrap();
        assert_eq!(read.media, description.media);
    }
}
