//! What an `rtsp://` URL says: where the camera is, who asks, and how packets shall come.
//!
//! User name and password are the URL's user info, percent-encoded. Options are its fragment, which is never
//! sent: `#transport=udp`.

use percent_encoding::percent_decode_str;
use url::Url;

/// A camera. Not `Debug`: it holds a password.
pub(super) struct Source {
    /// Without user info and fragment.
    pub(super) url: Url,
    /// Decoded.
    pub(super) login: Option<Login>,
    /// How packets come.
    pub(super) transport: Transport,
}

/// Who asks.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// How packets come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    /// Interleaved with the requests on one TCP connection: passes firewalls, loses nothing.
    #[default]
    Tcp,
    /// In datagrams of their own.
    Udp,
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
    #[error("{0:?} is no option; known is transport")]
    UnknownOption(String),
    /// A transport that does not exist.
    #[error("{0:?} is no transport; known are tcp, udp")]
    UnknownTransport(String),
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
        let transport = match url.fragment() {
            Some(fragment) if fragment.contains('@') => return Err(SourceError::Hash),
            Some(fragment) => options(fragment)?,
            None => Transport::default(),
        };
        let login = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            Some(Login {
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
            transport,
        })
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

fn options(fragment: &str) -> Result<Transport, SourceError> {
    let mut transport = Transport::default();
    for option in fragment.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        transport = match (key, value) {
            ("transport", "tcp") => Transport::Tcp,
            ("transport", "udp") => Transport::Udp,
            ("transport", other) => return Err(SourceError::UnknownTransport(other.to_owned())),
            (other, _) => return Err(SourceError::UnknownOption(other.to_owned())),
        };
    }
    Ok(transport)
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
            ("rtsp://cam/a?b=c", "rtsp://cam/a?b=c", None, Transport::Tcp),
            (
                "rtsp://u:p%40s%23@cam:8554/a#transport=udp",
                "rtsp://cam:8554/a",
                Some(("u", "p@s#")),
                Transport::Udp,
            ),
            (
                "rtsp://u@[::1]/#transport=tcp",
                "rtsp://[::1]/",
                Some(("u", "")),
                Transport::Tcp,
            ),
            (
                "rtsp://10.0.0.1/#",
                "rtsp://10.0.0.1/",
                None,
                Transport::Tcp,
            ),
        ];
        for (text, url, login, transport) in cases {
            let source = Source::parse(text).unwrap();
            assert_eq!(source.url.as_str(), url);
            let found = source.login.as_ref();
            let found = found.map(|login| (login.user.as_str(), login.password.as_str()));
            assert_eq!((found, source.transport), (login, transport), "{text}");
        }
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
