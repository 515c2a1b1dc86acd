//! A media section: what one `m=` line and the lines below it say.

use crate::description::{control, split_attribute};
use crate::format::Format;
use std::net::IpAddr;

/// Most payload formats of a section that are kept; there are 128 payload types.
pub const MAX_FORMATS: usize = 32;

/// One media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// `video`, `audio`, `application`.
    pub kind: String,
    /// Where it is sent; 0 where that is still to be agreed on, as with RTSP.
    pub port: u16,
    /// Such as `RTP/AVP`.
    pub protocol: String,
    /// Where it is sent, or where it comes from; `None` where that is left open.
    pub connection: Option<Connection>,
    /// Who sends; `None` where it does not say, which means both.
    pub direction: Option<Direction>,
    /// `a=control`: the section's URL, or its last part.
    pub control: Option<String>,
    /// The RTP payload formats, the most wanted first.
    pub formats: Vec<Format>,
}

/// A `c=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Of a host or of a multicast group; never the unspecified address, which says nothing.
    pub address: IpAddr,
    /// How many routers may pass packets to the group on.
    pub ttl: Option<u8>,
}

/// Who sends, as the author of the description sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendReceive,
    /// The author.
    SendOnly,
    /// The other: what a camera plays, not what it records.
    ReceiveOnly,
    /// Nobody.
    Inactive,
}

impl Media {
    /// A section of this kind, sent as `format`.
    pub fn new(kind: &str, format: Format) -> Self {
        Self {
            kind: kind.to_owned(),
            protocol: "RTP/AVP".to_owned(),
            formats: vec![format],
            ..Self::default()
        }
    }

    /// Whether its media come in RTP packets.
    pub fn is_rtp(&self) -> bool {
        // RTP/AVP, RTP/AVP/UDP, RTP/AVPF, and what stands in front of it for DTLS.
        self.protocol.to_ascii_uppercase().contains("RTP/")
    }

    /// Reads an `m=` line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let kind = word(words.next()?).to_ascii_lowercase();
        // A number of ports may follow the port. One that cannot be read is one that is still to be agreed on.
        let port = words.next()?.split('/').next()?.parse().unwrap_or(0);
        let protocol = word(words.next()?);
        let mut section = Self {
            kind,
            port,
            protocol,
            ..Self::default()
        };
        // Numbers above 127 fit into no packet.
        let types = words.filter_map(|word| word.parse().ok().filter(|number| *number < 128));
        let is_rtp = section.is_rtp();
        for number in types.filter(|_| is_rtp) {
            let formats = &mut section.formats;
            let known = formats.iter().any(|format| format.payload_type == number);
            if !known && formats.len() < MAX_FORMATS {
                formats.push(Format::described_later(number));
            }
        }
        Some(section)
    }

    /// Reads an `a=` line.
    pub(crate) fn attribute(&mut self, attribute: &str) {
        let (name, value) = split_attribute(attribute);
        match name.to_ascii_lowercase().as_str() {
            "control" => self.control = control(value).or_else(|| self.control.take()),
            "rtpmap" => {
                if let Some((format, map)) = self.described(value) {
                    format.map(map);
                }
            }
            "fmtp" => {
                if let Some((format, parameters)) = self.described(value) {
                    format.parameterize(parameters);
                } else if let [only] = &mut self.formats[..]
                    && only.parameters.is_empty()
                {
                    // Some devices copy the number of another section.
                    let number = value.trim_start_matches(|c: char| c.is_ascii_digit());
                    only.parameterize(number.trim());
                }
            }
            name => self.direction = Direction::parse(name).or(self.direction),
        }
    }

    /// When all lines are read: what is known without them.
    pub(crate) fn complete(&mut self) {
        for format in &mut self.formats {
            format.complete(&self.kind);
        }
        // A number without a description says nothing, but the section must not lose its only one.
        if self.formats.iter().any(|format| !format.name.is_empty()) {
            self.formats.retain(|format| !format.name.is_empty());
        }
    }

    /// The format that an attribute's value begins with, and the rest of the value.
    fn described<'a>(&mut self, value: &'a str) -> Option<(&mut Format, &'a str)> {
        let digits = value.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = value.split_at_checked(digits)?;
        let number: u8 = number.parse().ok().filter(|number| *number < 128)?;
        let rest = rest.trim();
        let known = self
            .formats
            .iter()
            .position(|format| format.payload_type == number);
        let at = match (known, &self.formats[..]) {
            (Some(at), _) => at,
            (None, []) if self.is_rtp() => {
                self.formats.push(Format::described_later(number));
                0
            }
            // Some devices number the only format differently here and in the first line.
            (None, [only]) if only.name.is_empty() && only.payload_type >= 96 => 0,
            _ => return None,
        };
        self.formats.get_mut(at).map(|format| (format, rest))
    }
}

/// A text that has to be one word.
pub(crate) fn word(text: &str) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

impl Connection {
    /// `IN IP4 ADDRESS/TTL/COUNT`.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split_ascii_whitespace().nth(2)?.split('/');
        let address: IpAddr = parts.next()?.parse().ok()?;
        // IPv6 has no TTL there, but a count.
        let ttl = parts.next().filter(|_| address.is_ipv4());
        let ttl = ttl.and_then(|ttl| ttl.parse().ok());
        (!address.is_unspecified()).then_some(Self { address, ttl })
    }
}

impl Direction {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::SendReceive,
            Self::SendOnly,
            Self::ReceiveOnly,
            Self::Inactive,
        ];
        let mut all = all.into_iter();
        all.find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    /// The attribute's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(lines: &[&str]) -> Media {
        let mut section = Media::parse(lines[0]).unwrap();
        for line in &lines[1..] {
            section.attribute(line);
        }
        section.complete();
        section
    }

    #[test]
    fn parameters_with_the_number_of_another_section() {
        let lines = [
            "audio 0 RTP/AVP 104",
            "rtpmap:104 MPEG4-GENERIC/16000",
            "fmtp:97 mode=AAC-hbr; config=1408",
        ];
        let format = &section(&lines).formats[0];
        assert_eq!(
            (format.payload_type, format.parameters.as_str()),
            (104, "mode=AAC-hbr;config=1408")
        );
        // Its own are what counts, wherever they stand.
        let lines = [
            "video 0 RTP/AVP 96",
            "fmtp:97 a=1",
            "rtpmap:96 H264/90000",
            "fmtp:96 b=2",
            "fmtp:98 c=3",
        ];
        assert_eq!(section(&lines).formats[0].parameters, "b=2");
        // With several formats nobody can say whose they are.
        let lines = ["audio 0 RTP/AVP 0 8", "fmtp:97 a=1"];
        assert!(
            section(&lines)
                .formats
                .iter()
                .all(|format| format.parameters.is_empty())
        );
    }

    #[test]
    fn formats_and_what_describes_them() {
        let h264 = ("H264", 90_000, "packetization-mode=1");
        let cases: [(&[&str], _); 8] = [
            (
                &[
                    "video 0 RTP/AVP 96",
                    "rtpmap:96 H264/90000",
                    "fmtp:96 packetization-mode=1",
                ],
                h264,
            ),
            // In any order, with blanks and capitals.
            (
                &[
                    "video 0 RTP/AVP 96",
                    "fmtp:96  packetization-mode=1 ",
                    "RTPMAP: 96 H264 / 90000",
                ],
                h264,
            ),
            // Without a rate, or with one that is none.
            (
                &[
                    "video 0 RTP/AVP 96",
                    "rtpmap:96 H264",
                    "fmtp:96 packetization-mode=1",
                ],
                h264,
            ),
            (
                &[
                    "video 0 RTP/AVP 96",
                    "rtpmap:96 H264/0",
                    "fmtp:96 packetization-mode=1",
                ],
                h264,
            ),
            // Only described below.
            (
                &[
                    "video 0/2 RTP/AVP",
                    "rtpmap:96 H264/90000",
                    "fmtp:96packetization-mode=1",
                ],
                h264,
            ),
            // Numbered differently.
            (
                &[
                    "video x RTP/AVP 97",
                    "rtpmap:96 H264/90000",
                    "fmtp:97 packetization-mode=1",
                ],
                h264,
            ),
            // With a number in front that nothing describes, and one that cannot be.
            (
                &[
                    "video 0 RTP/AVP 98 200 96",
                    "rtpmap:96 H264/90000",
                    "fmtp:96 packetization-mode=1",
                ],
                h264,
            ),
            (&["video 0 RTP/AVP 26"], ("JPEG", 90_000, "")),
        ];
        for (lines, (name, clock_rate, parameters)) in cases {
            let section = section(lines);
            let format = &section.formats[0];
            assert_eq!(
                (format.name.as_str(), format.clock_rate),
                (name, clock_rate),
                "{lines:?}"
            );
            assert_eq!(format.parameters, parameters, "{lines:?}");
            assert_eq!(section.formats.len(), 1);
        }
    }

    #[test]
    fn what_is_not_rtp_has_no_formats() {
        let section = section(&[
            "application 9 DTLS/SCTP 5000",
            "rtpmap:5000 x/1",
            "rtpmap:96 H264/1",
        ]);
        assert!(section.formats.is_empty() && !section.is_rtp());
    }

    #[test]
    fn an_empty_control_does_not_replace_one() {
        let section = section(&[
            "video 0 RTP/AVP 26",
            "control:track1",
            "control:",
            "recvonly",
        ]);
        assert_eq!(section.control.as_deref(), Some("track1"));
        assert_eq!(section.direction, Some(Direction::ReceiveOnly));
    }

    #[test]
    fn connections() {
        let cases = [
            ("IN IP4 239.0.0.1/64/2", Some(("239.0.0.1", Some(64)))),
            ("IN IP6 ff15::101/3", Some(("ff15::101", None))),
            ("IN IP4 192.0.2.1", Some(("192.0.2.1", None))),
            ("IN IP4 0.0.0.0", None),
            ("IN IP4 camera.local", None),
            ("IN ", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let expected = expected.map(|(address, ttl)| Connection {
                address: address.parse().unwrap(),
                ttl,
            });
            assert_eq!(Connection::parse(value), expected, "{value}");
        }
    }

    #[test]
    fn formats_have_a_bound() {
        let numbers: Vec<_> = (96..128)
            .chain(0..96)
            .map(|number: u8| number.to_string())
            .collect();
        let section = Media::parse(&format!("video 0 RTP/AVP {}", numbers.join(" "))).unwrap();
        assert_eq!(section.formats.len(), MAX_FORMATS);
    }
}
