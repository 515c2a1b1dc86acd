//! A whole session description, and reading it.
//!
//! Real devices leave out lines that have to be there, end lines with a bare LF, put blanks where there are
//! none, count in floating point, write names in Latin-1 and let garbage follow. A line that cannot be read
//! is passed over; only a text without any media section, or an unreadable `m=` line, is no description.

use crate::section::{Connection, Direction, Media};
use std::net::{IpAddr, Ipv4Addr};

/// Longest description, in bytes. Those of cameras have 200 to 2,000.
pub const MAX_DESCRIPTION: usize = 64 << 10;

/// Most media sections; more are left out.
pub const MAX_MEDIA: usize = 32;

/// Longest name of a session that is kept, in bytes.
const MAX_NAME: usize = 256;

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Who made it; the default where it does not say, or not in a way that can be read.
    pub origin: Origin,
    /// The session's name; empty where there is none.
    pub name: String,
    /// `a=control` of the whole session.
    pub control: Option<String>,
    /// The media sections, in order.
    pub media: Vec<Media>,
}

/// Who made a description (RFC 8866 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A number that differs between sessions of the same maker.
    pub id: u64,
    /// Grows when the description changes.
    pub version: u64,
    /// The maker's address.
    pub address: IpAddr,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            id: 0,
            version: 0,
            address: Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

/// Why a text is no session description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// Longer than [`MAX_DESCRIPTION`].
    #[error("the session description has {0} bytes, more than {MAX_DESCRIPTION}")]
    TooLong(usize),
    /// There is no media section: an error page, or nothing at all.
    #[error("the session description has no media section")]
    NoMedia,
    /// An `m=` line that does not say what is sent.
    #[error("line {line} of the session description: m= line without a protocol")]
    Media {
        /// From 1.
        line: usize,
    },
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// A [`DescriptionError`] when it is none at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptionError> {
        if bytes.len() > MAX_DESCRIPTION {
            return Err(DescriptionError::TooLong(bytes.len()));
        }
        // Names in Latin-1 are the usual reason why it is not UTF-8.
        let text = String::from_utf8_lossy(bytes);
        let mut description = Self {
            origin: Origin::default(),
            name: String::new(),
            control: None,
            media: Vec::new(),
        };
        // What stands above all sections holds for each that does not say otherwise.
        let mut connection = None;
        let mut direction = None;
        let mut left_out = false;
        let end = if text.contains('\n') { '\n' } else { '\r' };
        for (index, line) in text.split(end).enumerate() {
            let Some((kind, value)) = split_line(line) else {
                continue;
            };
            if kind == 'm' {
                left_out = description.media.len() >= MAX_MEDIA;
                if !left_out {
                    let line = index + 1;
                    let media = Media::parse(value).ok_or(DescriptionError::Media { line })?;
                    description.media.push(media);
                }
                continue;
            }
            match (kind, description.media.last_mut()) {
                _ if left_out => {}
                ('c', Some(media)) => media.connection = Connection::parse(value),
                ('c', None) => connection = Connection::parse(value),
                ('a', Some(media)) => media.attribute(value),
                ('a', None) => {
                    let (name, value) = split_attribute(value);
                    if name.eq_ignore_ascii_case("control") {
                        description.control = control(value);
                    } else if let Some(found) = Direction::parse(name) {
                        direction = Some(found);
                    }
                }
                ('o', None) => description.origin = Origin::parse(value).unwrap_or_default(),
                ('s', None) => description.name = name(value),
                _ => {}
            }
        }
        if description.media.is_empty() {
            return Err(DescriptionError::NoMedia);
        }
        for media in &mut description.media {
            media.connection = media.connection.or(connection);
            media.direction = media.direction.or(direction);
            media.complete();
        }
        Ok(description)
    }
}

impl Origin {
    /// `USER ID VERSION IN IP4 ADDRESS`. `None` for the many ways in which it is written wrong: without an
    /// address, with negative or broken numbers; nothing depends on it.
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace().skip(1);
        let id = words.next()?.parse().ok()?;
        let version = words.next()?.parse().ok()?;
        let address = words.nth(2)?.parse().ok()?;
        Some(Self {
            id,
            version,
            address,
        })
    }
}

/// The letter of a line and its value. Blanks around the letter are not legal, and occur.
fn split_line(line: &str) -> Option<(char, &str)> {
    let (kind, value) = trimmed(line).split_once('=')?;
    let mut letters = kind.trim_end().chars();
    let kind = letters.next()?.to_ascii_lowercase();
    (letters.next().is_none()).then_some((kind, value.trim_start()))
}

/// A text without what may stand around it and means nothing.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}

/// Name and value of an attribute; a flag's value is empty.
pub(crate) fn split_attribute(attribute: &str) -> (&str, &str) {
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    (name.trim(), value.trim())
}

/// The value of `a=control`, without the quotes that some put around it.
pub(crate) fn control(value: &str) -> Option<String> {
    let value =
        value.trim_matches(|c: char| c == '"' || trimmed(c.encode_utf8(&mut [0; 4])).is_empty());
    let good = !value.is_empty() && !value.chars().any(char::is_control);
    good.then(|| value.to_owned())
}

fn name(value: &str) -> String {
    let mut name = String::new();
    for character in value.chars().filter(|c| !c.is_control()) {
        if name.len() + character.len_utf8() > MAX_NAME {
            break;
        }
        name.push(character);
    }
    // What is written for a session without a name (RFC 8866 section 5.3).
    match trimmed(&name) {
        "-" => String::new(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Description {
        Description::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_description_by_the_book() {
        let text = "v=0\r\no=- 12 3 IN IP4 192.0.2.7\r\ns=Gate\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
            a=control:*\r\na=range:npt=now-\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
            a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n";
        let description = parse(text);
        assert_eq!((description.origin.id, description.origin.version), (12, 3));
        assert_eq!(description.origin.address, IpAddr::from([192, 0, 2, 7]));
        assert_eq!(description.name, "Gate");
        assert_eq!(description.control.as_deref(), Some("*"));
        let [video, audio] = &description.media[..] else {
            panic!("{description:?}");
        };
        assert_eq!(
            (video.kind.as_str(), video.protocol.as_str()),
            ("video", "RTP/AVP")
        );
        assert_eq!(video.formats[0].name, "H264");
        assert_eq!(audio.control.as_deref(), Some("trackID=1"));
        assert_eq!(audio.formats[0].name, "PCMA");
    }

    /// What devices send, all of which is a video section with control `track1`.
    #[test]
    fn quirks() {
        let rest = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:track1\n";
        let heads = [
            "",
            "v=0\n",
            "\n\n  v=0\r\n",
            "\u{feff}v=0\r\n",
            "v=0\ns=\n",
            "v=0\no=- 0 0 IN IP4\ns=x\n",
            "v=0\no=- 1.5 -3 IN IP4 127.0.0.1\n",
            "v=0\no=-\n",
            "v=0\nc=IN \n",
            "v=0\nc=IN IP4\n",
            "v = 0\nS=Loud\n",
            "v=0\nb=AS\nt=\nz\n=\nab=c\n",
            "HTTP garbage in front\n",
        ];
        assert_eq!(parse(&rest.replace('\n', "\r")).media, parse(rest).media);
        for head in heads {
            for tail in [
                "",
                "\0\0",
                "\r\n\r\n",
                "$\u{1}\0\u{2}ab",
                "a=",
                "a=control",
                "e=<>",
            ] {
                let text = format!("{head}{rest}{tail}");
                let description = parse(&text);
                assert_eq!(description.media.len(), 1, "{text:?}");
                let control = description.media[0].control.as_deref();
                assert_eq!(control, Some("track1"), "{text:?}");
            }
        }
    }

    #[test]
    fn names_need_not_be_utf8_and_are_short() {
        let description = Description::parse(b"v=0\ns=Caf\xe9\nm=video 0 RTP/AVP 26\n").unwrap();
        assert_eq!(description.name, "Caf\u{fffd}");
        let long = format!("s={}\nm=video 0 RTP/AVP 26\n", "ö".repeat(500));
        assert_eq!(parse(&long).name.len(), MAX_NAME);
    }

    #[test]
    fn what_stands_above_holds_below() {
        let text = "c=IN IP4 239.1.2.3/16\na=sendonly\na=CONTROL: \"rtsp://h/s\"\n\
            m=video 5000 RTP/AVP 26\nm=audio 6000 RTP/AVP 0\nc=IN IP4 239.1.2.4\na=recvonly\n";
        let description = parse(text);
        assert_eq!(description.control.as_deref(), Some("rtsp://h/s"));
        let connection = description.media[0].connection.unwrap();
        assert_eq!(
            (connection.address, connection.ttl),
            ([239, 1, 2, 3].into(), Some(16))
        );
        assert_eq!(description.media[0].direction, Some(Direction::SendOnly));
        let connection = description.media[1].connection.unwrap();
        assert_eq!(
            (connection.address, connection.ttl),
            ([239, 1, 2, 4].into(), None)
        );
        assert_eq!(description.media[1].direction, Some(Direction::ReceiveOnly));
    }

    #[test]
    fn what_is_no_description() {
        let cases = [
            ("", DescriptionError::NoMedia),
            ("v=0\r\ns=x\r\n", DescriptionError::NoMedia),
            ("<html>a=b</html>", DescriptionError::NoMedia),
            ("v=0\r\nm=\r\n", DescriptionError::Media { line: 2 }),
            ("v=0\ns=-\nm=video 0\n", DescriptionError::Media { line: 3 }),
        ];
        for (text, error) in cases {
            assert_eq!(Description::parse(text.as_bytes()), Err(error), "{text:?}");
        }
        let long = vec![b'a'; MAX_DESCRIPTION + 1];
        let error = DescriptionError::TooLong(long.len());
        assert_eq!(Description::parse(&long), Err(error));
    }

    #[test]
    fn sections_have_a_bound() {
        let text = "m=video 0 RTP/AVP 26\na=control:x\n".repeat(MAX_MEDIA + 5) + "a=control:y\n";
        let description = parse(&text);
        assert_eq!(description.media.len(), MAX_MEDIA);
        let last = description.media.last().unwrap();
        assert_eq!(last.control.as_deref(), Some("x"));
    }
}
