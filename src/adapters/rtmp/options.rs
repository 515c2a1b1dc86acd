//! What a URL says besides where: the options in its fragment, which is never sent. Their names are those of
//! EvoStream's `pushStream`, and two more for TLS.

use crate::net::tls::Check;
use percent_encoding::percent_decode_str;
use rtmp::PublishKind;
use socket2::SockRef;
use tokio::net::TcpStream;

/// How a server is to be dealt with.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// What is said instead of the URL's own.
    pub(super) tc_url: Option<String>,
    pub(super) page_url: Option<String>,
    pub(super) swf_url: Option<String>,
    /// What we say that we are.
    pub(super) user_agent: Option<String>,
    /// How a published stream is to be kept.
    pub(super) kind: PublishKind,
    /// Whether chunks are made larger than they are at first.
    pub(super) announces_chunk_size: bool,
    /// Times are sent as they are in the stream, and do not begin at 0.
    pub(super) absolute_times: bool,
    /// What the server has to prove over TLS.
    pub(super) check: Check,
    /// Time to live of IP packets.
    ttl: Option<u8>,
    /// Type of service of IP packets.
    tos: Option<u8>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tc_url: None,
            page_url: None,
            swf_url: None,
            user_agent: None,
            kind: PublishKind::Live,
            announces_chunk_size: true,
            absolute_times: false,
            check: Check::default(),
            ttl: None,
            tos: None,
        }
    }
}

/// Why an option was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    /// It does not exist.
    #[error(
        "{0:?} is no option; known are tcUrl, pageUrl, swfUrl, emulateUserAgent, targetStreamType, \
         sendChunkSizeRequest, rtmpAbsoluteTimestamps, useSourcePts, ttl, tos, tls_verify, tls_fingerprint"
    )]
    Unknown(String),
    /// It has another value than it can have.
    #[error("{0} is {1}")]
    Value(&'static str, &'static str),
    /// One of TLS.
    #[error(transparent)]
    Tls(#[from] crate::net::tls::OptionError),
}

impl Options {
    /// Reads `key=value&…`. Values are percent-decoded.
    pub(super) fn parse(fragment: &str) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for option in fragment.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            if let Some(check) = Check::option(key, &value) {
                options.check = check?;
                continue;
            }
            let text = Some(value.to_string()).filter(|text| !text.is_empty());
            match key {
                "tcUrl" => options.tc_url = text,
                "pageUrl" => options.page_url = text,
                "swfUrl" => options.swf_url = text,
                "emulateUserAgent" => options.user_agent = text,
                "targetStreamType" => {
                    options.kind = match &*value {
                        "live" => PublishKind::Live,
                        "record" => PublishKind::Record,
                        "append" => PublishKind::Append,
                        _ => {
                            let known = "live, record or append";
                            return Err(OptionError::Value("targetStreamType", known));
                        }
                    };
                }
                "sendChunkSizeRequest" => {
                    options.announces_chunk_size = flag("sendChunkSizeRequest", &value)?;
                }
                "rtmpAbsoluteTimestamps" => {
                    options.absolute_times |= flag("rtmpAbsoluteTimestamps", &value)?;
                }
                "useSourcePts" => options.absolute_times |= flag("useSourcePts", &value)?,
                "ttl" => options.ttl = octet("ttl", &value)?,
                "tos" => options.tos = octet("tos", &value)?,
                other => return Err(OptionError::Unknown(other.to_owned())),
            }
        }
        Ok(options)
    }

    /// Sets what concerns the packets of a connection. What the system refuses is not worth a stream.
    pub(super) fn mark(&self, socket: &TcpStream) {
        let is_v6 = socket.peer_addr().is_ok_and(|address| address.is_ipv6());
        let socket = SockRef::from(socket);
        let results = [
            self.ttl.map(|ttl| match is_v6 {
                true => socket.set_unicast_hops_v6(ttl.into()),
                false => socket.set_ttl_v4(ttl.into()),
            }),
            self.tos.map(|tos| match is_v6 {
                true => socket.set_tclass_v6(tos.into()),
                false => socket.set_tos_v4(tos.into()),
            }),
        ];
        for error in results.into_iter().flatten().filter_map(Result::err) {
            tracing::warn!(%error, "the system does not set ttl or tos");
        }
    }
}

fn flag(key: &'static str, value: &str) -> Result<bool, OptionError> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(OptionError::Value(key, "0 or 1")),
    }
}

/// A number of one byte. 256 leaves it to the system, as EvoStream has it.
fn octet(key: &'static str, value: &str) -> Result<Option<u8>, OptionError> {
    match value.parse::<u16>() {
        Ok(256) => Ok(None),
        Ok(number @ 0..=255) => Ok(u8::try_from(number).ok()),
        _ => Err(OptionError::Value(key, "a number from 0 to 255")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_read() {
        let options = Options::parse(
            "tcUrl=rtmp%3A%2F%2Fcdn%2Fapp&pageUrl=http://p&swfUrl=http://s&emulateUserAgent=FMLE/3.0%20x\
             &targetStreamType=append&sendChunkSizeRequest=0&useSourcePts=1&ttl=7&tos=256&tls_verify=0",
        )
        .unwrap();
        assert_eq!(options.tc_url.as_deref(), Some("rtmp://cdn/app"));
        assert_eq!(options.page_url.as_deref(), Some("http://p"));
        assert_eq!(options.swf_url.as_deref(), Some("http://s"));
        assert_eq!(options.user_agent.as_deref(), Some("FMLE/3.0 x"));
        assert_eq!(options.kind, PublishKind::Append);
        assert!(!options.announces_chunk_size && options.absolute_times);
        assert_eq!((options.ttl, options.tos), (Some(7), None));
        assert_eq!(options.check, Check::Off);
        let options = Options::parse("").unwrap();
        assert!(options.announces_chunk_size && !options.absolute_times);
    }

    #[test]
    fn what_is_no_option_is_named() {
        let cases = [
            ("tcurl=x", "\"tcurl\" is no option; known are tcUrl, "),
            ("ttl=300", "ttl is a number from 0 to 255"),
            ("useSourcePts=yes", "useSourcePts is 0 or 1"),
            (
                "targetStreamType=vod",
                "targetStreamType is live, record or append",
            ),
            ("tls_verify=no", "tls_verify is 0 or 1"),
        ];
        for (fragment, words) in cases {
            let error = Options::parse(fragment).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
