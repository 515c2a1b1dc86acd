//! What an `rtsp://` or `rtsps://` URL says: where the camera is, who asks, and how packets shall come.
//!
//! User name and password are the URL's user info, percent-encoded. Options are its fragment, which is never
//! sent: `#transport=udp`, `#httpProxy=self`, `#tls_verify=0`.

use crate::net::tls::{Check, OptionError};
use percent_encoding::percent_decode_str;
use rtsp::auth::Credentials;
use std::net::SocketAddr;
use url::Url;

/// A camera. Not `Debug`: it holds a password.
#[derive(Clone)]
pub(super) struct Source {
    /// Without user info and fragment.
    pub(super) url: Url,
    /// Who asks, decoded.
    pub(super) login: Option<Credentials>,
    /// How packets come, where that is told: [`Transport::default`] is tried first.
    pub(super) transport: Option<Transport>,
    /// The HTTP proxy that a tunnel goes through.
    pub(super) proxy: Option<SocketAddr>,
    /// What the camera has to prove over TLS.
    pub(super) check: Check,
}

/// How packets come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    /// Interleaved with the requests on one TCP connection: passes firewalls, loses nothing.
    #[default]
    Tcp,
    /// In datagrams of their own.
    Udp,
    /// In datagrams to a group that the camera names.
    Multicast,
    /// As over TCP, within a pair of HTTP connections.
    Http,
}

/// Why a URL was refused. None of the messages shows the URL: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SourceError {
    /// No URL at all.
    #[error("the URL cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// No `rtsp://HOST`.
    #[error("the URL names no host")]
    NoHost,
    /// The fragment is the rest of a password.
    #[error("a # in the user name or password has to be written %23")]
    Hash,
    /// The user info is not UTF-8 once decoded.
    #[error("user name and password are not UTF-8")]
    NotUtf8,
    /// An option that does not exist.
    #[error("{0:?} is no option; known are transport, httpProxy, tls_verify, tls_fingerprint")]
    UnknownOption(String),
    /// A transport that does not exist.
    #[error("{0:?} is no transport; known are tcp, udp, multicast, http")]
    UnknownTransport(String),
    /// A proxy that is none.
    #[error("httpProxy is self or IP:PORT")]
    Proxy,
    /// An option of TLS.
    #[error(transparent)]
    Tls(#[from] OptionError),
    /// Packets in datagrams would not be encrypted.
    #[error("over TLS packets come with the requests: transport is tcp or http")]
    Encrypted,
    /// A URL of another scheme, as a camera may name one.
    #[error("{0:?} is not rtsp or rtsps")]
    Scheme(String),
}

impl Source {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, SourceError> {
        let mut url = Url::parse(text.trim())?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(SourceError::NoHost);
        }
        let is_tls = match url.scheme() {
            "rtsp" => false,
            "rtsps" => true,
            other => return Err(SourceError::Scheme(other.to_owned())),
        };
        let options = match url.fragment() {
            Some(fragment) if fragment.contains('@') => return Err(SourceError::Hash),
            Some(fragment) => options(fragment)?,
            None => Options::default(),
        };
        let datagrams = matches!(
            options.transport,
            Some(Transport::Udp | Transport::Multicast)
        );
        if is_tls && datagrams {
            return Err(SourceError::Encrypted);
        }
        let login = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            Some(Credentials {
                user: decoded(url.username())?,
                password: decoded(url.password().unwrap_or_default())?,
            })
        };
        url.set_fragment(None);
        // These fail for URLs without a host alone.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| SourceError::NoHost)?;
        Ok(Self {
            url,
            login,
            transport: options.transport,
            proxy: options.proxy,
            check: options.check,
        })
    }

    /// Where the camera says that its stream is. It is asked there as here; but who asks is told to no other host.
    ///
    /// # Errors
    /// What is wrong with the location, without showing it.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, SourceError> {
        let to = Self::parse(self.url.join(location.trim())?.as_str())?;
        let same_host = to.url.host() == self.url.host();
        let is_tls = self.is_tls() || to.is_tls();
        let kept = |transport: &Transport| {
            !is_tls || !matches!(transport, Transport::Udp | Transport::Multicast)
        };
        Ok(Self {
            login: to
                .login
                .or_else(|| self.login.clone().filter(|_| same_host)),
            transport: self.transport.filter(kept),
            proxy: self.proxy,
            check: self.check.clone(),
            url: to.url,
        })
    }

    /// Whether the connection is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "rtsps"
    }

    /// The host, as names are looked up.
    pub(super) fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_matches(['[', ']'])
    }

    /// The port of requests; within HTTP that is usually another.
    pub(super) fn port(&self, transport: Transport) -> u16 {
        let usual = match (transport, self.is_tls()) {
            (Transport::Http, false) => 80,
            (Transport::Http, true) => 443,
            (_, false) => 554,
            (_, true) => 322,
        };
        self.url.port().unwrap_or(usual)
    }

    /// `HOST` or `HOST:PORT`, for people. Paths are left out, because cameras take passwords there too.
    pub(super) fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Texts that no message may hold: what the camera answers may repeat what it was asked.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let login = self.login.iter();
        login
            .map(|login| login.password.as_str())
            .chain([self.url.path()])
            .chain(self.url.query())
            .collect()
    }
}

#[derive(Default)]
struct Options {
    transport: Option<Transport>,
    proxy: Option<SocketAddr>,
    check: Check,
}

fn options(fragment: &str) -> Result<Options, SourceError> {
    let mut options = Options::default();
    for option in fragment.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        if let Some(check) = Check::option(key, value) {
            options.check = check?;
            continue;
        }
        match (key, value) {
            ("transport", name) => {
                options.transport = Some(match name {
                    "tcp" => Transport::Tcp,
                    "udp" => Transport::Udp,
                    "multicast" => Transport::Multicast,
                    "http" => Transport::Http,
                    other => return Err(SourceError::UnknownTransport(other.to_owned())),
                });
            }
            ("httpProxy", "") => {}
            ("httpProxy", place) => {
                options.transport = Some(Transport::Http);
                if !place.eq_ignore_ascii_case("self") {
                    let place = place.parse().map_err(|_| SourceError::Proxy)?;
                    options.proxy = Some(place);
                }
            }
            (other, _) => return Err(SourceError::UnknownOption(other.to_owned())),
        }
    }
    Ok(options)
}

fn decoded(text: &str) -> Result<String, SourceError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| SourceError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_and_options_are_taken_off_the_url() {
        let cases = [
            ("rtsp://cam/a?b=c", "rtsp://cam/a?b=c", None, None),
            (
                "rtsp://u:p%40s%23@cam:8554/a#transport=udp",
                "rtsp://cam:8554/a",
                Some(("u", "p@s#")),
                Some(Transport::Udp),
            ),
            (
                "rtsps://u@[::1]/#transport=tcp&tls_verify=0",
                "rtsps://[::1]/",
                Some(("u", "")),
                Some(Transport::Tcp),
            ),
            ("rtsp://10.0.0.1/#", "rtsp://10.0.0.1/", None, None),
            (
                "rtsp://10.0.0.1/#httpProxy=10.0.0.9:8080",
                "rtsp://10.0.0.1/",
                None,
                Some(Transport::Http),
            ),
        ];
        for (text, url, login, transport) in cases {
            let source = Source::parse(text).unwrap();
            assert_eq!(source.url.as_str(), url);
            let found = source.login.as_ref();
            let found = found.map(|login| (login.user.as_str(), login.password.as_str()));
            assert_eq!((found, source.transport), (login, transport), "{text}");
        }
        let proxied = Source::parse("rtsp://10.0.0.1/#httpProxy=10.0.0.9:8080").unwrap();
        assert_eq!(proxied.proxy, "10.0.0.9:8080".parse().ok());
        let tunnelled = Source::parse("rtsp://10.0.0.1/#httpProxy=self").unwrap();
        assert_eq!(
            (tunnelled.proxy, tunnelled.port(Transport::Http)),
            (None, 80)
        );
    }

    #[test]
    fn passwords_do_not_follow_a_redirect_to_another_host() {
        let source = Source::parse("rtsp://u:p@cam/a#transport=udp").unwrap();
        let cases = [
            ("rtsp://cam:8554/b", "rtsp://cam:8554/b", true),
            ("/c", "rtsp://cam/c", true),
            ("rtsp://other/b", "rtsp://other/b", false),
        ];
        for (location, url, keeps) in cases {
            let to = source.redirected(location).unwrap();
            assert_eq!((to.url.as_str(), to.login.is_some()), (url, keeps));
            assert_eq!(to.transport, Some(Transport::Udp));
        }
        assert!(source.redirected("http://cam/").is_err());
        assert_eq!(source.redirected("rtsps://cam/").unwrap().transport, None);
    }

    #[test]
    fn a_refused_url_is_told_by_what_is_wrong_and_never_shown() {
        let cases = [
            ("rtsp:///a", "names no host"),
            ("rtsp://u:12#3456@cam/", "written %23"),
            ("rtsp://u:secret@cam:99999/", "cannot be read"),
            ("rtsp://u:secret@cam/#mode=x", "\"mode\" is no option"),
            (
                "rtsp://u:secret@cam/#transport=sctp",
                "\"sctp\" is no transport",
            ),
            ("rtsp://u:%ffsecret@cam/", "not UTF-8"),
            ("rtsps://u:secret@cam/#transport=udp", "over TLS"),
            ("rtsp://u:secret@cam/#httpProxy=proxy", "self or IP:PORT"),
            ("http://u:secret@cam/", "not rtsp or rtsps"),
        ];
        for (text, words) in cases {
            let error = Source::parse(text).err().unwrap().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(
                !error.contains("secret") && !error.contains("3456"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_place_holds_no_path() {
        for (text, place) in [
            ("rtsp://u:p@cam/user=a_password=b", "cam"),
            ("rtsp://[::1]:8554/", "[::1]:8554"),
        ] {
            assert_eq!(Source::parse(text).unwrap().place(), place);
        }
    }
}
