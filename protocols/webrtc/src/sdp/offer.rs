//! Reading an offer.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Longest offer, in bytes. Those of browsers have 3 to 12 kB.
const MAX_OFFER: usize = 128 * 1_024;

/// Most media sections.
const MAX_SECTIONS: usize = 64;

/// Most payload formats in one section: there are 128 payload types.
const MAX_FORMATS: usize = 128;

/// Most addresses of the peer.
const MAX_CANDIDATES: usize = 64;

/// A session description, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The media sections, in order.
    pub media: Vec<Media>,
    /// Names of the sections that share one transport (RFC 9143); empty if none do.
    pub bundle: Vec<String>,
    /// Where the author may be, by UDP, with the priority of each (RFC 8839 section 5.1). Names are left out.
    pub candidates: Vec<(SocketAddr, u32)>,
}

/// One media section, with what stood above all of them filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// `video`, `audio`, `application`.
    pub kind: String,
    /// 0 in a section that is not wanted.
    pub port: u16,
    /// Such as `UDP/TLS/RTP/SAVPF`.
    pub protocol: String,
    /// The formats as they stand in the first line.
    pub format_list: String,
    /// The RTP payload formats, the most wanted first.
    pub formats: Vec<Format>,
    /// The section's name (RFC 5888).
    pub mid: Option<String>,
    /// Who sends.
    pub direction: Direction,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// Control packets that are no compound (RFC 5506).
    pub rtcp_rsize: bool,
    /// ICE user name of the peer.
    pub ufrag: Option<String>,
    /// ICE password of the peer.
    pub password: Option<String>,
    /// SHA-256 of the peer's certificate, in upper case.
    pub fingerprint: Option<String>,
    /// Who begins the DTLS handshake.
    pub setup: Option<Setup>,
    /// Numbers of header extensions, and their names (RFC 8285).
    pub extensions: Vec<(u8, String)>,
}

/// An RTP payload format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Its number in packets, from 0 to 127.
    pub payload_type: u8,
    /// The name, such as `H264`; empty for a static payload type that is not described.
    pub name: String,
    /// Ticks per second of its timestamps.
    pub clock_rate: u32,
    /// Number of channels; 1 where it does not say.
    pub channels: u8,
    /// Parameters as `name=value`, separated by semicolons.
    pub parameters: String,
    /// Feedback the receiver gives, such as `nack` and `nack pli`.
    pub feedback: Vec<String>,
}

/// Who sends in a section, as its author sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    #[default]
    SendReceive,
    /// The author.
    SendOnly,
    /// The other.
    ReceiveOnly,
    /// Nobody.
    Inactive,
}

/// Who begins the DTLS handshake (RFC 4145 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The author.
    Active,
    /// The other.
    Passive,
    /// Whoever the other says.
    Either,
}

/// Why an offer cannot be answered with media.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is longer than any real one.
    #[error("the offer has {0} bytes")]
    TooLong(usize),
    /// Not a session description.
    #[error("line {line} of the offer: {what}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No section asks for video or audio that the stream has, in a codec that it has.
    #[error("the offer asks for nothing that this stream has: {0}")]
    NothingInCommon(String),
    /// The offer takes pictures, and none in the stream's codec.
    #[error("the stream's pictures are {0}, and the offer takes {1}")]
    OtherCodec(&'static str, String),
    /// No section sends video or audio in a codec that is carried.
    #[error("the offer sends nothing that is carried here: {0}")]
    NothingCarried(String),
    /// Who publishes sends two tracks of one kind, or over several transports.
    #[error("the offer sends more than one track of {0}, or not all in one bundle")]
    TooMany(String),
    /// Who publishes sends something in a codec that is carried, and something in none.
    #[error("not all that the offer sends is carried here: {0}")]
    NotAll(String),
    /// Something that every WebRTC offer has is missing.
    #[error("the offer has no {0}")]
    Missing(&'static str),
    /// Each end leaves it to the other to begin the DTLS handshake.
    #[error("the peer's a=setup leaves the DTLS handshake to this end, which waits for it")]
    Setup,
    /// No random numbers, no session.
    #[error("no session could be made: {0}")]
    System(String),
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// When it is not a session description at all. What is unknown in it is passed over.
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_OFFER {
            return Err(OfferError::TooLong(text.len()));
        }
        let mut offer = Self::default();
        // What stands above all sections, and holds for each that does not say otherwise.
        let mut above = Media::default();
        for (index, line) in text.lines().enumerate() {
            let malformed = |what| OfferError::Malformed {
                line: index + 1,
                what,
            };
            let line = line.trim_end();
            if index == 0 && line != "v=0" {
                return Err(malformed("a session description begins with v=0"));
            }
            if let Some(rest) = line.strip_prefix("m=") {
                if offer.media.len() >= MAX_SECTIONS {
                    return Err(malformed("too many media sections"));
                }
                let section = Media::parse(rest, &above).ok_or_else(|| malformed("bad m= line"))?;
                offer.media.push(section);
            } else if let Some(attribute) = line.strip_prefix("a=") {
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                if name == "candidate" {
                    offer.candidate(value);
                }
                match offer.media.last_mut() {
                    Some(section) => section.attribute(name, value),
                    None if name == "group" => offer.group(value),
                    None => above.attribute(name, value),
                }
            }
        }
        if offer.media.is_empty() {
            return Err(OfferError::Missing("media section"));
        }
        Ok(offer)
    }

    fn candidate(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace().skip(1);
        let (component, transport) = (words.next(), words.next().unwrap_or_default());
        let priority = words.next().and_then(|priority| priority.parse().ok());
        let ip = words.next().and_then(|ip| ip.parse::<IpAddr>().ok());
        let port = words.next().and_then(|port| port.parse().ok());
        let (Some(priority), Some(ip), Some(port)) = (priority, ip, port) else {
            return;
        };
        let candidate = (SocketAddr::new(ip.to_canonical(), port), priority);
        let is_ours = component == Some("1") && transport.eq_ignore_ascii_case("udp");
        let known = self.candidates.contains(&candidate);
        if is_ours && port != 0 && !known && self.candidates.len() < MAX_CANDIDATES {
            self.candidates.push(candidate);
        }
    }

    fn group(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        if words.next() == Some("BUNDLE") && self.bundle.is_empty() {
            self.bundle = words.take(MAX_SECTIONS).map(str::to_owned).collect();
        }
    }
}

impl Media {
    fn parse(line: &str, above: &Self) -> Option<Self> {
        // The answer repeats its words, and a carriage return within one would end the line there.
        if line.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let mut words = line.splitn(4, ' ');
        let kind = words.next()?.to_owned();
        // A number of ports may follow the port.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?.to_owned();
        let format_list = words.next().unwrap_or_default().to_owned();
        let mut section = Self {
            kind,
            port,
            protocol,
            ..above.clone()
        };
        if section.is_rtp() {
            let numbers = format_list.split_ascii_whitespace().take(MAX_FORMATS);
            let types = numbers.filter_map(|number| number.parse().ok().filter(|n| *n < 128));
            section.formats = types
                .map(|payload_type| Format {
                    payload_type,
                    ..Format::default()
                })
                .collect();
        }
        section.format_list = format_list;
        Some(section)
    }

    /// Whether media of this section would come in RTP packets as WebRTC has them.
    pub fn is_rtp(&self) -> bool {
        // Some clients leave out what carries it.
        self.protocol.ends_with("RTP/SAVPF") || self.protocol.ends_with("RTP/SAVP")
    }

    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "mid" => self.mid = token(value),
            "sendrecv" => self.direction = Direction::SendReceive,
            "sendonly" => self.direction = Direction::SendOnly,
            "recvonly" => self.direction = Direction::ReceiveOnly,
            "inactive" => self.direction = Direction::Inactive,
            "rtcp-mux" => self.rtcp_mux = true,
            "rtcp-rsize" => self.rtcp_rsize = true,
            "ice-ufrag" => self.ufrag = token(value),
            "ice-pwd" => self.password = token(value),
            "setup" => {
                self.setup = match value {
                    "active" => Some(Setup::Active),
                    "passive" => Some(Setup::Passive),
                    "actpass" => Some(Setup::Either),
                    _ => None,
                }
            }
            "fingerprint" => {
                let (hash, print) = value.split_once(' ').unwrap_or_default();
                if hash.eq_ignore_ascii_case("sha-256") {
                    self.fingerprint = Some(print.trim().to_ascii_uppercase());
                }
            }
            "rtpmap" => self.rtpmap(value),
            "fmtp" => {
                if let Some((format, parameters)) = self.described(value)
                    && !parameters.bytes().any(|byte| byte.is_ascii_control())
                {
                    format.parameters = parameters.to_owned();
                }
            }
            "rtcp-fb" => self.feedback(value),
            "extmap" => self.extension(value),
            _ => {}
        }
    }

    fn rtpmap(&mut self, value: &str) {
        let Some((format, map)) = self.described(value) else {
            return;
        };
        let mut parts = map.split('/');
        format.name = parts.next().and_then(token).unwrap_or_default();
        let rate = parts.next().and_then(|rate| u32::from_str(rate).ok());
        format.clock_rate = rate.unwrap_or(0);
        let channels = parts.next().and_then(|channels| channels.parse().ok());
        format.channels = channels.unwrap_or(1);
    }

    fn feedback(&mut self, value: &str) {
        /// Kinds of feedback that are told apart.
        const MAX_FEEDBACK: usize = 32;
        let (number, kind) = value.split_once(' ').unwrap_or_default();
        let all = number == "*";
        let formats = self.formats.iter_mut();
        for format in formats.filter(|format| all || number.parse() == Ok(format.payload_type)) {
            if format.feedback.len() < MAX_FEEDBACK {
                format.feedback.push(kind.trim().to_owned());
            }
        }
    }

    fn extension(&mut self, value: &str) {
        /// Ids that one byte of header can carry.
        const MAX_EXTENSIONS: usize = 14;
        let mut words = value.split_ascii_whitespace();
        // A direction may follow the number.
        let id = words
            .next()
            .and_then(|id| id.split('/').next()?.parse().ok());
        if let (Some(id), Some(name)) = (id, words.next().and_then(token))
            && self.extensions.len() < MAX_EXTENSIONS
        {
            self.extensions.push((id, name));
        }
    }

    /// The format an attribute's value begins with, and the rest of the value.
    fn described<'a>(&mut self, value: &'a str) -> Option<(&mut Format, &'a str)> {
        let (number, rest) = value.split_once(' ')?;
        let payload_type: u8 = number.parse().ok()?;
        let mut formats = self.formats.iter_mut();
        let format = formats.find(|format| format.payload_type == payload_type)?;
        Some((format, rest.trim()))
    }
}

impl Format {
    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.parameters.split(';');
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(found, _)| found.trim().eq_ignore_ascii_case(name))?;
        Some(found.1.trim())
    }

    /// Whether the receiver gives this feedback.
    pub fn gives(&self, feedback: &str) -> bool {
        self.feedback.iter().any(|given| given == feedback)
    }
}

/// A value that may be repeated in an answer: one word of printable ASCII.
pub(super) fn token(value: &str) -> Option<String> {
    let good = !value.is_empty()
        && value.len() <= 256
        && value.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_holds_below() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
            a=ice-ufrag:abc\r\na=ice-pwd:def\r\na=setup:actpass\r\n\
            a=fingerprint:SHA-256 ab:cd\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:0\r\na=recvonly\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10; useinbandfec=1\r\n\
            a=rtcp-fb:* nack\r\na=rtcp-fb:111 transport-cc\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96 300 x\r\na=mid:1\r\na=ice-ufrag:other\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        let offer = Offer::parse(text).unwrap();
        assert_eq!(offer.bundle, ["0", "1"]);
        let [audio, video, data] = &offer.media[..] else {
            panic!("{offer:?}");
        };
        assert_eq!(audio.direction, Direction::ReceiveOnly);
        assert_eq!(audio.setup, Some(Setup::Either));
        assert_eq!(audio.fingerprint.as_deref(), Some("AB:CD"));
        assert_eq!(audio.ufrag.as_deref(), Some("abc"));
        let opus = &audio.formats[0];
        assert_eq!((opus.name.as_str(), opus.clock_rate), ("opus", 48_000));
        assert_eq!(opus.parameter("useinbandfec"), Some("1"));
        assert!(opus.gives("nack") && opus.gives("transport-cc") && !opus.gives("nack pli"));
        assert_eq!(audio.formats[1].payload_type, 0);
        assert_eq!(video.ufrag.as_deref(), Some("other"));
        assert_eq!(video.formats.len(), 1);
        assert!(data.formats.is_empty() && !data.is_rtp());
        assert_eq!(data.format_list, "webrtc-datachannel");
    }

    #[test]
    fn what_is_no_offer() {
        let cases = [
            ("", OfferError::Missing("media section")),
            ("v=0\r\n", OfferError::Missing("media section")),
            (
                "<html>",
                OfferError::Malformed {
                    line: 1,
                    what: "a session description begins with v=0",
                },
            ),
            (
                "v=0\r\nm=video 9 UDP/TLS\rRTP/SAVPF 96\r\n",
                OfferError::Malformed {
                    line: 2,
                    what: "bad m= line",
                },
            ),
            (
                "v=0\r\nm=video x y z",
                OfferError::Malformed {
                    line: 2,
                    what: "bad m= line",
                },
            ),
        ];
        for (text, error) in cases {
            assert_eq!(Offer::parse(text), Err(error), "{text:?}");
        }
        let long = "v".repeat(MAX_OFFER + 1);
        assert_eq!(Offer::parse(&long), Err(OfferError::TooLong(long.len())));
    }

    #[test]
    fn addresses_are_read_and_those_that_are_of_no_use_are_not() {
        let text = "v=0\na=candidate:1 1 UDP 7 ::ffff:192.0.2.1 9 typ host\nm=video 9 UDP/TLS/RTP/SAVPF 96\n\
            a=candidate:2 1 udp 5 2001:db8::1 10 typ srflx raddr 0.0.0.0 rport 0\n\
            a=candidate:2 2 udp 5 192.0.2.3 10 typ host\n\
            a=candidate:3 1 tcp 5 192.0.2.3 9 typ host tcptype passive\n\
            a=candidate:4 1 udp 5 name.local 9 typ host\na=candidate:5 1 udp x 192.0.2.3 9\na=candidate:\n";
        let offer = Offer::parse(text).unwrap();
        let expected = [("192.0.2.1:9", 7), ("[2001:db8::1]:10", 5)];
        let expected = expected.map(|(address, priority)| (address.parse().unwrap(), priority));
        assert_eq!(offer.candidates, expected);
    }

    #[test]
    fn values_that_would_break_an_answer_are_not_kept() {
        let text = "v=0\nm=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:a b\na=ice-ufrag:\n";
        let offer = Offer::parse(text).unwrap();
        assert_eq!((&offer.media[0].mid, &offer.media[0].ufrag), (&None, &None));
    }
}
