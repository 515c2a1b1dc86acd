//! What the URL of a transport stream says: `udp://`, `tcp://`, and the names that other servers have for them.
//!
//! Options are the fragment, or the query, where users of ffmpeg have them: `udp://239.1.1.1:5000?localaddr=10.0.0.2`.
//! Those of ffmpeg that mean nothing here are passed over, all others that are not known are an error.

use std::net::IpAddr;
use std::ops::RangeInclusive;

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Datagrams.
    Udp,
    /// One connection.
    Tcp,
}

impl Carrier {
    /// Of a URL with that scheme.
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme.to_ascii_lowercase().as_str() {
            "udp" | "mpegtsudp" => Some(Self::Udp),
            "tcp" | "mpegtstcp" => Some(Self::Tcp),
            _ => None,
        }
    }
}

/// Rates that a stream may be filled up to.
const BITRATE: RangeInclusive<u64> = 64_000..=10_000_000_000;

/// Where a stream comes from, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) carrier: Carrier,
    /// A name or an address, without brackets. May be empty where datagrams are received.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) options: Options,
}

/// What may be said beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Name or address of the interface for groups.
    pub(super) interface: Option<String>,
    /// The only sender to listen to.
    pub(super) source: Option<IpAddr>,
    /// The number of the program.
    pub(super) program: Option<u16>,
    /// Hops that datagrams may take.
    pub(super) ttl: Option<u8>,
    /// Type of service, or traffic class.
    pub(super) tos: Option<u8>,
    /// Bits in a second, filled up with null packets.
    pub(super) bitrate: Option<u64>,
    /// Packets are sent within RTP. What is received is told by its content.
    pub(super) rtp: bool,
}

/// Why a URL was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// None of the schemes.
    #[error("the URL does not begin with udp:// or tcp://")]
    Scheme,
    /// No port, or none that can be.
    #[error("the URL names no port from 1 to 65535")]
    Port,
    /// The address of a sender in front of the `@` that is none.
    #[error("{0:?} in front of @ is no address of a sender")]
    Source(String),
    /// An option that does not exist.
    #[error("{0:?} is no option; known are interface, source, program, ttl, tos, bitrate, rtp")]
    UnknownOption(String),
    /// An option whose value cannot be.
    #[error("{0} cannot be {1:?}")]
    Value(&'static str, String),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(AddressError::Scheme)?;
        let carrier = Carrier::of_scheme(scheme).ok_or(AddressError::Scheme)?;
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = rest.split('/').next().unwrap_or_default();
        let mut options = Options::default();
        let place = match place.rsplit_once('@') {
            // As VLC has it; without a sender it says nothing.
            Some(("", place)) => place,
            Some((source, place)) => {
                let address = source.trim_matches(['[', ']']).parse();
                let refused = |_| AddressError::Source(source.to_owned());
                options.source = Some(address.map_err(refused)?);
                place
            }
            None => place,
        };
        let (host, port) = place.rsplit_once(':').ok_or(AddressError::Port)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        for option in query.split('&').chain(fragment.split('&')) {
            options.set(option)?;
        }
        Ok(Self {
            carrier,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.ok_or(AddressError::Port)?,
            options,
        })
    }

    /// `HOST:PORT`, for people.
    pub(super) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Options {
    fn set(&mut self, option: &str) -> Result<(), AddressError> {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let wrong = |key| AddressError::Value(key, value.to_owned());
        match key {
            "" | "pkt_size" | "buffer_size" | "fifo_size" | "overrun_nonfatal" | "reuse"
            | "timeout" => {}
            "interface" | "localaddr" => self.interface = Some(value.to_owned()),
            "source" | "sources" => {
                self.source = Some(value.parse().map_err(|_| wrong("source"))?);
            }
            "program" => self.program = Some(value.parse().map_err(|_| wrong("program"))?),
            "ttl" => self.ttl = Some(value.parse().map_err(|_| wrong("ttl"))?),
            "tos" => self.tos = Some(value.parse().map_err(|_| wrong("tos"))?),
            "bitrate" => {
                let bits = value.parse().ok().filter(|bits| BITRATE.contains(bits));
                self.bitrate = Some(bits.ok_or_else(|| wrong("bitrate"))?);
            }
            "rtp" => {
                self.rtp = match value {
                    "" | "1" | "true" => true,
                    "0" | "false" => false,
                    _ => return Err(wrong("rtp")),
                };
            }
            other => return Err(AddressError::UnknownOption(other.to_owned())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_several_programs() {
        let cases = [
            ("udp://127.0.0.1:5000", Carrier::Udp, "127.0.0.1", 5_000),
            ("udp://@239.1.1.1:1234", Carrier::Udp, "239.1.1.1", 1_234),
            ("udp://:5000?pkt_size=1316", Carrier::Udp, "", 5_000),
            ("mpegtsudp://[ff15::1]:9/", Carrier::Udp, "ff15::1", 9),
            ("MPEGTSTCP://host:80", Carrier::Tcp, "host", 80),
        ];
        for (url, carrier, host, port) in cases {
            let address = Address::parse(url).unwrap();
            let found = (address.carrier, address.host.as_str(), address.port);
            assert_eq!(found, (carrier, host, port), "{url}");
            assert_eq!(address.options, Options::default());
        }
        let url = "udp://10.0.0.9@232.1.1.1:5000?localaddr=10.0.0.2&ttl=3#tos=184&program=7&bitrate=4000000&rtp";
        let expected = Options {
            interface: Some("10.0.0.2".to_owned()),
            source: Some(IpAddr::from([10, 0, 0, 9])),
            program: Some(7),
            ttl: Some(3),
            tos: Some(184),
            bitrate: Some(4_000_000),
            rtp: true,
        };
        let address = Address::parse(url).unwrap();
        assert_eq!(address.options, expected);
        assert_eq!(address.place(), "232.1.1.1:5000");
        assert_eq!(Address::parse("udp://[::1]:5").unwrap().place(), "[::1]:5");
    }

    #[test]
    fn what_is_refused_is_named() {
        let cases = [
            ("http://a:1", "does not begin with"),
            ("udp://host", "names no port"),
            ("udp://host:0", "names no port"),
            ("udp://me@host:1", "no address of a sender"),
            ("udp://host:1#speed=3", "\"speed\" is no option"),
            ("udp://host:1?ttl=300", "ttl cannot be \"300\""),
            ("udp://host:1#rtp=maybe", "rtp cannot be"),
            ("udp://host:1#bitrate=0", "bitrate cannot be"),
        ];
        for (url, words) in cases {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
    }
}
