//! What an `srt://` URL says: the far side, which end calls, and on what terms.
//!
//! Options stand in the query, as ffmpeg and the tools of libsrt have them, or in the fragment. Those of these programs
//! that mean nothing here are passed over, all others that are not known are an error.

use percent_encoding::percent_decode_str;
use srt::{KeyLength, Options, OptionsError, Passphrase};
use std::net::IpAddr;
use std::time::Duration;

/// Longest latency that the handshake can carry.
const MAX_LATENCY: Duration = Duration::from_millis(65_535);

/// What one packet can carry where the path takes 1,500 bytes.
const PAYLOAD: std::ops::RangeInclusive<usize> = 188..=1_456;

/// Longest time that is waited for anything.
const MAX_TIME: Duration = Duration::from_secs(3_600);

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// We call.
    Caller,
    /// We wait for a call, on the URL's port.
    Listener,
    /// Both ends call.
    Rendezvous,
}

/// A far side. Not `Debug`: it holds secrets.
pub(super) struct Address {
    /// Empty for a listener on all addresses. An IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) mode: Mode,
    pub(super) options: Options,
    /// The address of this machine that we call from.
    pub(super) local: Option<IpAddr>,
    /// The number of the program that is taken; otherwise the first.
    pub(super) program: Option<u16>,
}

/// Why a text is no such URL. None of the words hold a value of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("the URL does not begin with srt://")]
    Scheme,
    #[error("the URL names no host to call")]
    Host,
    #[error("the URL names no port from 1 to 65535")]
    Port,
    #[error(
        "{0:?} is no option; known are mode, streamid, latency, passphrase, pbkeylen, connect_timeout, timeout, \
         maxbw, pkt_size, kmrefreshrate, kmpreannounce, adapter, program"
    )]
    Unknown(String),
    #[error("mode is caller, listener or rendezvous")]
    Mode,
    #[error("latency is a duration such as 200ms, or a number of milliseconds, up to 65535")]
    Latency,
    #[error("{0} is a duration such as 5s, up to 1h")]
    Time(&'static str),
    #[error("pbkeylen is 16, 24 or 32")]
    KeyLength,
    #[error("adapter is an address of this machine")]
    Adapter,
    #[error("{0} is a number, and not that one")]
    Number(&'static str),
    #[error("{0} is not UTF-8")]
    Text(&'static str),
    #[error(transparent)]
    Options(#[from] OptionsError),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(url: &str, latency: Duration) -> Result<Self, AddressError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(AddressError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("srt") {
            return Err(AddressError::Scheme);
        }
        let (place, options) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        let place = place.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').ok_or(AddressError::Port)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let host = host.trim_matches(['[', ']']);
        let mut address = Self {
            host: host.to_owned(),
            port: port.ok_or(AddressError::Port)?,
            mode: if host.is_empty() {
                Mode::Listener
            } else {
                Mode::Caller
            },
            options: Options {
                latency,
                ..Options::default()
            },
            local: None,
            program: None,
        };
        // A stream id of the form #!:: may stand in the query as it is.
        for option in options.replace("#!::", "%23!::").split(['&', '#']) {
            address.set(option)?;
        }
        if address.host.is_empty() && address.mode != Mode::Listener {
            return Err(AddressError::Host);
        }
        Ok(address)
    }

    /// `HOST:PORT`, for people.
    pub(super) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn set(&mut self, option: &str) -> Result<(), AddressError> {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let text = |what| {
            let decoded = percent_decode_str(value).decode_utf8();
            decoded.map_err(|_| AddressError::Text(what))
        };
        match key {
            // Of ffmpeg and libsrt, for what is always so here, or decided by the system.
            ""
            | "transtype"
            | "tlpktdrop"
            | "tsbpdmode"
            | "nakreport"
            | "messageapi"
            | "smoother"
            | "congestion"
            | "linger"
            | "ffs"
            | "fc"
            | "mss"
            | "sndbuf"
            | "rcvbuf"
            | "send_buffer_size"
            | "recv_buffer_size"
            | "snddropdelay"
            | "lossmaxttl"
            | "iptos"
            | "ipttl"
            | "inputbw"
            | "oheadbw"
            | "minversion"
            | "enforced_encryption"
            | "payload_type" => {}
            "mode" => {
                self.mode = match value {
                    "caller" | "client" => Mode::Caller,
                    "listener" | "server" => Mode::Listener,
                    "rendezvous" => Mode::Rendezvous,
                    _ => return Err(AddressError::Mode),
                };
            }
            "streamid" | "srt_streamid" => self.options.stream_id = text("streamid")?.into_owned(),
            "passphrase" => self.options.passphrase = Some(Passphrase::new(&text("passphrase")?)?),
            "pbkeylen" => {
                let length = value.parse().ok().and_then(KeyLength::from_bytes);
                self.options.key_length = Some(length.ok_or(AddressError::KeyLength)?);
            }
            "latency" | "rcvlatency" | "peerlatency" => self.options.latency = latency(value)?,
            // Milliseconds with both programs.
            "connect_timeout" | "conntimeo" => {
                let time = time(value, Duration::from_millis);
                self.options.connect_timeout = time.ok_or(AddressError::Time("connect_timeout"))?;
            }
            "peeridletimeo" => {
                let time = time(value, Duration::from_millis);
                self.options.idle_timeout = time.ok_or(AddressError::Time("peeridletimeo"))?;
            }
            // Microseconds with ffmpeg, which has -1 for none.
            "timeout" | "rw_timeout" if value != "-1" => {
                let time = time(value, Duration::from_micros);
                self.options.idle_timeout = time.ok_or(AddressError::Time("timeout"))?;
            }
            "timeout" | "rw_timeout" => {}
            "maxbw" => {
                let rate: i64 = number(value, "maxbw")?;
                // Zero and less is what the program thinks best.
                if let Ok(rate @ 1..) = u64::try_from(rate) {
                    self.options.max_bandwidth = rate;
                }
            }
            "pkt_size" | "payload_size" | "payloadsize" => {
                let size = value.parse().ok().filter(|size| PAYLOAD.contains(size));
                self.options.payload = size.ok_or(AddressError::Number("pkt_size"))?;
            }
            "kmrefreshrate" => {
                self.options.key_refresh = number(value, "kmrefreshrate")?;
            }
            "kmpreannounce" => {
                self.options.key_announce = number(value, "kmpreannounce")?;
            }
            "adapter" | "localaddr" => {
                self.local = Some(value.parse().map_err(|_| AddressError::Adapter)?);
            }
            "program" => {
                self.program = Some(number(value, "program")?);
            }
            other => return Err(AddressError::Unknown(other.to_owned())),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(value: &str, key: &'static str) -> Result<T, AddressError> {
    value.parse().map_err(|_| AddressError::Number(key))
}

/// A bare number is milliseconds, as libsrt has it; one that cannot be is microseconds, as ffmpeg has it.
fn latency(value: &str) -> Result<Duration, AddressError> {
    let of_number = |number| match Duration::from_millis(number) {
        millis if millis <= MAX_LATENCY => millis,
        _ => Duration::from_micros(number),
    };
    let latency = time(value, of_number).filter(|latency| *latency <= MAX_LATENCY);
    latency.ok_or(AddressError::Latency)
}

/// A duration with its unit, or a number.
fn time(value: &str, of_number: impl FnOnce(u64) -> Duration) -> Option<Duration> {
    let time = match value.parse() {
        Ok(number) => Some(of_number(number)),
        Err(_) => humantime::parse_duration(value).ok(),
    };
    time.filter(|time| *time <= MAX_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let latency = Duration::from_millis(120);
        let cases = [
            ("srt://a:1", ("a", 1, Mode::Caller, "", 120)),
            (
                "SRT://[::1]:4200/?streamid=read:live/a&latency=300",
                ("::1", 4200, Mode::Caller, "read:live/a", 300),
            ),
            (
                "srt://a:1?streamid=#!::r=a,m=publish#latency=2s",
                ("a", 1, Mode::Caller, "#!::r=a,m=publish", 2_000),
            ),
            (
                "srt://a:1?streamid=%23!::r=a%2Cm=request",
                ("a", 1, Mode::Caller, "#!::r=a,m=request", 120),
            ),
            // As ffmpeg has it, and as people have it.
            ("srt://a:1?latency=200000", ("a", 1, Mode::Caller, "", 200)),
            (
                "srt://a:1#streamid=a?b&rcvlatency=1s",
                ("a", 1, Mode::Caller, "a?b", 1_000),
            ),
            ("srt://:9000", ("", 9000, Mode::Listener, "", 120)),
            (
                "srt://b:9000#mode=rendezvous",
                ("b", 9000, Mode::Rendezvous, "", 120),
            ),
        ];
        for (url, expected) in cases {
            let address = Address::parse(url, latency)
                .map_err(|error| format!("{url}: {error}"))
                .unwrap();
            let found = (
                &*address.host,
                address.port,
                address.mode,
                &*address.options.stream_id,
                address.options.latency.as_millis(),
            );
            assert_eq!(found, expected, "{url}");
        }
        let url = "srt://a:1?passphrase=correct%20horse&pbkeylen=32&kmrefreshrate=99&transtype=live&timeout=-1#program=3";
        let secret = Address::parse(url, latency).ok().unwrap();
        assert_eq!((secret.program, secret.options.key_refresh), (Some(3), 99));
        assert_eq!(
            secret.options.passphrase,
            Some(Passphrase::new("correct horse").unwrap())
        );
        assert_eq!(secret.options.key_length, Some(KeyLength::Aes256));
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        let cases = [
            ("http://a:1", AddressError::Scheme),
            ("srt://a", AddressError::Port),
            ("srt://a:0", AddressError::Port),
            ("srt://:1?mode=caller", AddressError::Host),
            ("srt://a:1?mode=x", AddressError::Mode),
            ("srt://a:1?latency=70s", AddressError::Latency),
            ("srt://a:1?timeout=2h", AddressError::Time("timeout")),
            ("srt://a:1?pkt_size=9000", AddressError::Number("pkt_size")),
            ("srt://a:1?latency=x", AddressError::Latency),
            (
                "srt://a:1?kmrefreshrate=-1",
                AddressError::Number("kmrefreshrate"),
            ),
            ("srt://a:1?pbkeylen=8", AddressError::KeyLength),
            (
                "srt://a:1?passphrase=short",
                AddressError::Options(OptionsError::Passphrase(5)),
            ),
            ("srt://a:1?streamid=%ff", AddressError::Text("streamid")),
            ("srt://a:1?x=y", AddressError::Unknown("x".to_owned())),
        ];
        for (url, error) in cases {
            assert_eq!(
                Address::parse(url, Duration::ZERO).err(),
                Some(error),
                "{url}"
            );
        }
    }
}
