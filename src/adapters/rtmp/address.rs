//! Where to publish or to play from: the parts of an RTMP URL.

use super::options::{OptionError, Options};
use rtmp::client::auth::Login;
use url::Url;

/// The port of URLs of `rtmp` without one.
const PLAIN_PORT: u16 = 1935;

/// The port of URLs of `rtmps` without one: that of HTTPS, which platforms use, because firewalls let it pass.
const SECURE_PORT: u16 = 443;

/// Secrets shorter than this are not looked for in the words of a server: they would be found everywhere.
const SHORTEST_SECRET: usize = 4;

/// Longest text of a server that is passed on, in characters.
const MAX_WORDS: usize = 300;

/// `rtmp[s]://[user:password@]host[:port]/app/key[#options]`, taken apart. It has no `Debug`, because it holds secrets.
#[derive(Clone)]
pub(super) struct Address {
    /// Name or address, an IPv6 address without its brackets.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// Application: all of the path up to its last slash.
    pub(super) app: String,
    /// What is published: the rest, with its query.
    pub(super) key: String,
    /// The URL without user and key, as the server is told.
    pub(super) tc_url: String,
    /// Over TLS.
    pub(super) is_secure: bool,
    /// What the fragment says.
    pub(super) options: Options,
    user: Option<String>,
    /// User and password, decoded.
    login: Option<(String, String)>,
}

/// Why a text is no such URL. None of the words come from the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// Neither `rtmp://` nor `rtmps://`.
    #[error("the URL does not begin with rtmp:// or rtmps://")]
    Scheme,
    /// Nothing between the slashes.
    #[error("the URL has no host")]
    Host,
    /// Something behind the colon that is no port.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// Nothing to publish as.
    #[error("the URL has no stream key; it is rtmp://host/application/key")]
    Key,
    /// An option that cannot be used.
    #[error(transparent)]
    Option(#[from] OptionError),
}

impl Address {
    /// Takes a URL apart. The key is what follows the last slash of the path; where the path has no second
    /// segment but a query with a slash in it, the query belongs to the application (`app?token=x/key`).
    pub(super) fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(AddressError::Scheme)?;
        let is_secure = scheme.eq_ignore_ascii_case("rtmps");
        if !is_secure && !scheme.eq_ignore_ascii_case("rtmp") {
            return Err(AddressError::Scheme);
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (scheme, default_port) = match is_secure {
            true => ("rtmps", SECURE_PORT),
            false => ("rtmp", PLAIN_PORT),
        };
        let (authority, path) = rest.split_once('/').ok_or(AddressError::Key)?;
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place, default_port)?;
        let query = path.find('?').unwrap_or(path.len());
        let before_query = path.get(..query).unwrap_or(path);
        let slash = before_query
            .rfind('/')
            .or_else(|| path.rfind('/'))
            .ok_or(AddressError::Key)?;
        let (app, key) = path.split_at_checked(slash).ok_or(AddressError::Key)?;
        let key = key.trim_start_matches('/');
        if app.is_empty() || key.is_empty() {
            return Err(AddressError::Key);
        }
        let shown_host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let tc_url = if port == default_port {
            format!("{scheme}://{shown_host}/{app}")
        } else {
            format!("{scheme}://{shown_host}:{port}/{app}")
        };
        let decoded = |text: &str| {
            let text = percent_encoding::percent_decode_str(text);
            text.decode_utf8_lossy().into_owned()
        };
        let login = user.as_deref().and_then(|user| user.split_once(':'));
        let login = login.map(|(user, password)| (decoded(user), decoded(password)));
        Ok(Self {
            host,
            port,
            app: app.to_owned(),
            key: key.to_owned(),
            tc_url,
            is_secure,
            options: Options::parse(fragment)?,
            user,
            login,
        })
    }

    /// Who logs in, where the URL says so.
    pub(super) fn login(&self) -> Option<Login<'_>> {
        let (user, password) = self.login.as_ref()?;
        Some(Login { user, password })
    }

    /// Where a server sends us that asks to be connected to once more (Enhanced RTMP v2, "Reconnect Request"): to this
    /// URL, which may be relative to the one that it was told, or to itself. Key and options stay the same.
    ///
    /// # Errors
    /// In words, when the URL cannot be used.
    pub(super) fn moved(&self, tc_url: Option<&str>) -> Result<Self, String> {
        let Some(tc_url) = tc_url else {
            return Ok(self.clone());
        };
        let base = Url::parse(&self.tc_url).and_then(|base| base.join(tc_url));
        let base = base.map_err(|_| "the server sends us to what is no URL".to_owned())?;
        let moved = format!("{}/{}", base.as_str().trim_end_matches('/'), self.key);
        let moved =
            Self::parse(&moved).map_err(|error| format!("the server sends us on: {error}"))?;
        if self.is_secure && !moved.is_secure {
            return Err("the server sends us from rtmps to rtmp".to_owned());
        }
        let is_same_host = moved.host == self.host;
        let (user, login) = match is_same_host && moved.user.is_none() {
            true => (self.user.clone(), self.login.clone()),
            false => (moved.user, moved.login),
        };
        let mut options = self.options.clone();
        options.tc_url = None;
        Ok(Self {
            options,
            user,
            login,
            ..moved
        })
    }

    /// Words of the server, without the secrets that it may have repeated, and not too many of them.
    pub(super) fn scrub(&self, words: &str) -> String {
        let without_query = self.key.split('?').next().unwrap_or_default();
        let query = self.key.split_once('?').map_or("", |(_, query)| query);
        let app_query = self.app.split_once('?').map_or("", |(_, query)| query);
        let user = self.user.as_deref().unwrap_or_default();
        let password = user.split_once(':').map_or("", |(_, password)| password);
        let mut words = words.replace(char::is_control, " ");
        let decoded = self.login.as_ref().map_or("", |(_, password)| password);
        for secret in [
            &self.key,
            without_query,
            query,
            app_query,
            user,
            password,
            decoded,
        ] {
            if secret.len() >= SHORTEST_SECRET {
                words = words.replace(secret, "***");
            }
        }
        words.chars().take(MAX_WORDS).collect()
    }
}

fn host_and_port(place: &str, default_port: u16) -> Result<(String, u16), AddressError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            (host, port.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(AddressError::Host);
    }
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(AddressError::Port)?,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            (
                "rtmp://a/live2/key",
                "a",
                1935,
                "live2",
                "key",
                "rtmp://a/live2",
            ),
            (
                "RTMP://a:1936/app/in/key",
                "a",
                1936,
                "app/in",
                "key",
                "rtmp://a:1936/app/in",
            ),
            (
                "rtmp://a/app/key?a=/b&c=d",
                "a",
                1935,
                "app",
                "key?a=/b&c=d",
                "rtmp://a/app",
            ),
            (
                "rtmp://a/app?t=x/key",
                "a",
                1935,
                "app?t=x",
                "key",
                "rtmp://a/app?t=x",
            ),
            (
                "rtmps://a/app/key#tls_verify=0",
                "a",
                443,
                "app",
                "key",
                "rtmps://a/app",
            ),
            (
                "rtmp://u:p@[::1]:19350/app/key",
                "::1",
                19350,
                "app",
                "key",
                "rtmp://[::1]:19350/app",
            ),
        ];
        for (url, host, port, app, key, tc_url) in cases {
            let address = Address::parse(url)
                .map_err(|error| format!("{url}: {error}"))
                .unwrap();
            let found = (
                &*address.host,
                address.port,
                &*address.app,
                &*address.key,
                &*address.tc_url,
            );
            assert_eq!(found, (host, port, app, key, tc_url), "{url}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused_in_words() {
        let cases = [
            ("http://a/b/c", AddressError::Scheme),
            ("a/b/c", AddressError::Scheme),
            ("rtmp:///app/key", AddressError::Host),
            ("rtmp://[::1/app/key", AddressError::Host),
            ("rtmp://a:0/app/key", AddressError::Port),
            ("rtmp://a:x/app/key", AddressError::Port),
            ("rtmp://a", AddressError::Key),
            ("rtmp://a/app", AddressError::Key),
            ("rtmp://a/app/", AddressError::Key),
            ("rtmp://a//key", AddressError::Key),
        ];
        for (url, error) in cases {
            assert_eq!(Address::parse(url).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn a_server_sends_us_on() {
        let address =
            Address::parse("rtmp://u:p@a:1936/app/key?x=1#tcUrl=rtmp://b/c&ttl=7").unwrap();
        for (tc_url, expected, login) in [
            (None, ("a", 1936, "app"), true),
            (Some("rtmp://other/app2"), ("other", 1935, "app2"), false),
            (Some("rtmps://a/app2/"), ("a", 443, "app2"), true),
            (
                Some("//192.0.2.7:1937/app"),
                ("192.0.2.7", 1937, "app"),
                false,
            ),
            (Some("/app3"), ("a", 1936, "app3"), true),
        ] {
            let moved = address.moved(tc_url).unwrap();
            assert_eq!(
                (&*moved.host, moved.port, &*moved.app),
                expected,
                "{tc_url:?}"
            );
            assert_eq!(moved.key, "key?x=1");
            assert_eq!(moved.login().is_some(), login, "{tc_url:?}");
        }
        let secure = Address::parse("rtmps://a/app/key").unwrap();
        for tc_url in ["rtmp://a/app", "http://a/app", "rtmp://", "rtmps://a"] {
            assert!(secure.moved(Some(tc_url)).is_err(), "{tc_url}");
        }
    }

    #[test]
    fn a_server_that_repeats_the_key_does_not_get_it_into_the_log() {
        let address = Address::parse("rtmp://joe:password@a/app/stream-key?sign=abcd").unwrap();
        let words = address
            .scrub("no stream-key?sign=abcd here, stream-key,\nnor sign=abcd of joe:password");
        assert_eq!(words, "no *** here, ***, nor *** of ***");
    }
}
