//! `Transport` (RFC 2326 section 12.39): how a track may be carried, or is.

use super::{parameters, split_unquoted};
use std::fmt;
use std::net::IpAddr;

/// Most transports of a list that are looked at.
const MAX_TRANSPORTS: usize = 16;

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lower {
    /// Datagrams.
    Udp,
    /// The connection itself.
    Tcp,
}

/// One way in which a track may be carried, or is. Only `RTP/AVP` is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transport {
    /// What carries the packets.
    pub(crate) lower: Lower,
    /// To a group. RFC 2326 wants this where nothing is said; everybody means the contrary.
    pub(crate) multicast: bool,
    /// Channels of RTP and RTCP on the connection.
    pub(crate) interleaved: Option<(u8, u8)>,
    /// Ports of the client.
    pub(crate) client_port: Option<(u16, u16)>,
    /// Ports of the server.
    pub(crate) server_port: Option<(u16, u16)>,
    /// Ports of the group.
    pub(crate) port: Option<(u16, u16)>,
    /// Where the packets go.
    pub(crate) destination: Option<IpAddr>,
    /// Where they come from.
    pub(crate) source: Option<IpAddr>,
    /// How many routers pass on packets to a group.
    pub(crate) ttl: Option<u8>,
    /// The source of the RTP packets.
    pub(crate) ssrc: Option<u32>,
    /// The client sends.
    pub(crate) record: bool,
}

impl Transport {
    /// Without any parameters.
    pub(crate) const fn new(lower: Lower) -> Self {
        Self {
            lower,
            multicast: false,
            interleaved: None,
            client_port: None,
            server_port: None,
            port: None,
            destination: None,
            source: None,
            ttl: None,
            ssrc: None,
            record: false,
        }
    }

    /// Reads a list, the most wanted first. What is not RTP/AVP is left out.
    pub(crate) fn parse_list(value: &str) -> Vec<Self> {
        let list = split_unquoted(value, ',').take(MAX_TRANSPORTS);
        list.filter_map(Self::parse).collect()
    }

    fn parse(value: &str) -> Option<Self> {
        let (profile, rest) = value.split_once(';').unwrap_or((value, ""));
        let lower = match profile.trim().to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVP/UDP" => Lower::Udp,
            "RTP/AVP/TCP" => Lower::Tcp,
            _ => return None,
        };
        let mut transport = Self::new(lower);
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "multicast" => transport.multicast = lower == Lower::Udp,
                "interleaved" => transport.interleaved = pair(value, u8::checked_add),
                "client_port" => transport.client_port = pair(value, u16::checked_add),
                "server_port" => transport.server_port = pair(value, u16::checked_add),
                "port" => transport.port = pair(value, u16::checked_add),
                "destination" => transport.destination = value.parse().ok(),
                "source" => transport.source = value.parse().ok(),
                "ttl" => transport.ttl = value.parse().ok(),
                "ssrc" => transport.ssrc = ssrc(value),
                "mode" => {
                    let mode = value.to_ascii_lowercase();
                    transport.record = mode.contains("record") || mode.contains("receive");
                }
                _ => {}
            }
        }
        Some(transport)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.lower {
            Lower::Udp => "RTP/AVP",
            Lower::Tcp => "RTP/AVP/TCP",
        })?;
        f.write_str(if self.multicast {
            ";multicast"
        } else {
            ";unicast"
        })?;
        if let Some(address) = self.destination {
            write!(f, ";destination={address}")?;
        }
        if let Some(address) = self.source {
            write!(f, ";source={address}")?;
        }
        if let Some((rtp, rtcp)) = self.interleaved {
            write!(f, ";interleaved={rtp}-{rtcp}")?;
        }
        let ports = [
            ("client_port", self.client_port),
            ("server_port", self.server_port),
            ("port", self.port),
        ];
        for (name, ports) in ports {
            if let Some((rtp, rtcp)) = ports {
                write!(f, ";{name}={rtp}-{rtcp}")?;
            }
        }
        if let Some(ttl) = self.ttl {
            write!(f, ";ttl={ttl}")?;
        }
        if let Some(ssrc) = self.ssrc {
            write!(f, ";ssrc={ssrc:08X}")?;
        }
        if self.record {
            f.write_str(";mode=record")?;
        }
        Ok(())
    }
}

/// `FIRST-SECOND`; where the second is missing or cannot be read, it is the next number.
fn pair<T: std::str::FromStr + From<u8> + Copy>(
    value: &str,
    add: impl Fn(T, T) -> Option<T>,
) -> Option<(T, T)> {
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: T = first.trim().parse().ok()?;
    let second = second.trim().parse().ok();
    Some((first, second.or_else(|| add(first, 1.into()))?))
}

/// Eight hexadecimal digits; some write fewer, a prefix, or decimal digits, of which there may be more.
fn ssrc(value: &str) -> Option<u32> {
    let digits = value.trim_start_matches("0x").trim_start_matches("0X");
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    let hexadecimal = u32::from_str_radix(&digits, 16).ok();
    hexadecimal.or_else(|| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let tcp = Transport {
            interleaved: Some((2, 3)),
            ssrc: Some(0x00ab_cdef),
            ..Transport::new(Lower::Tcp)
        };
        let udp = Transport {
            client_port: Some((8_000, 8_001)),
            server_port: Some((9_000, 9_001)),
            source: Some([192, 0, 2, 1].into()),
            record: true,
            ..Transport::new(Lower::Udp)
        };
        let multicast = Transport {
            multicast: true,
            destination: Some([239, 1, 2, 3].into()),
            port: Some((5_000, 5_001)),
            ttl: Some(16),
            ..Transport::new(Lower::Udp)
        };
        let cases = [
            (&tcp, "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=00ABCDEF"),
            (
                &udp,
                "RTP/AVP;unicast;source=192.0.2.1;client_port=8000-8001;server_port=9000-9001;mode=record",
            ),
            (
                &multicast,
                "RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001;ttl=16",
            ),
        ];
        for (transport, text) in cases {
            assert_eq!(transport.to_string(), text);
            assert_eq!(Transport::parse_list(text), std::slice::from_ref(transport));
        }
    }

    #[test]
    fn as_peers_write_it() {
        let tcp = |interleaved, ssrc| Transport {
            interleaved,
            ssrc,
            ..Transport::new(Lower::Tcp)
        };
        let udp = |client_port, record| Transport {
            client_port,
            record,
            ..Transport::new(Lower::Udp)
        };
        let cases = [
            (
                "rtp/avp/tcp; interleaved = 0-1 ;ssrc= 1a",
                tcp(Some((0, 1)), Some(0x1a)),
            ),
            (
                "RTP/AVP/TCP;unicast;interleaved=4;ssrc=4294967295",
                tcp(Some((4, 5)), Some(u32::MAX)),
            ),
            ("RTP/AVP/TCP;interleaved=255;ssrc=?", tcp(None, None)),
            (
                "RTP/AVP/UDP;unicast;client_port=7000;mode=\"RECORD\"",
                udp(Some((7_000, 7_001)), true),
            ),
            (
                "RTP/AVP;client_port=7000-x;mode=PLAY;append;;",
                udp(Some((7_000, 7_001)), false),
            ),
            ("RTP/AVP;client_port=99999", udp(None, false)),
        ];
        for (text, transport) in cases {
            assert_eq!(Transport::parse_list(text), [transport], "{text}");
        }
        let list = "RAW/RAW/UDP;unicast, RTP/SAVP;unicast,RTP/AVP;multicast,RTP/AVP/TCP;x=\"a,b\"";
        let list = Transport::parse_list(list);
        let kinds: Vec<_> = list
            .iter()
            .map(|found| (found.lower, found.multicast))
            .collect();
        assert_eq!(kinds, [(Lower::Udp, true), (Lower::Tcp, false)]);
        assert_eq!(Transport::parse_list(""), []);
    }
}
