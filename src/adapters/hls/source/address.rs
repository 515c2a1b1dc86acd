//! What the URL of a presentation says. Options are its fragment, which is never sent: `#height=720`, `#bandwidth=2M`,
//! `#language=de`, `#tls_verify=0`, `#header.Referer=https%3A%2F%2Fexample.com`.

use crate::net::tls::Check;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use hls::client::Choice;
use url::Url;

/// Headers of the user's own.
const MAX_HEADERS: usize = 32;

/// Those that are not the user's to say.
const OURS: [HeaderName; 6] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::RANGE,
    header::ACCEPT_ENCODING,
];

/// Whether a URL over HTTP names a playlist: by its ending.
pub(in super::super) fn is_playlist(url: &str) -> bool {
    Url::parse(url.trim()).is_ok_and(|url| {
        let path = url.path().to_ascii_lowercase();
        matches!(url.scheme(), "http" | "https")
            && (path.ends_with(".m3u8") || path.ends_with(".m3u"))
    })
}

/// Where a presentation is. Not `Debug`: it may hold a password.
pub(super) struct Address {
    /// Without its fragment.
    pub(super) url: Url,
    /// `HOST` or `HOST:PORT`, for people.
    pub(super) place: String,
    /// What servers have to prove over TLS.
    pub(super) check: Check,
    /// What is chosen of it.
    pub(super) choice: Choice,
    /// Sent with each request.
    pub(super) headers: HeaderMap,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim());
        let mut url = url.map_err(|error| format!("the URL cannot be read: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        let place = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let fragment = url.fragment().unwrap_or_default().to_owned();
        url.set_fragment(None);
        let mut address = Self {
            url,
            place,
            check: Check::default(),
            choice: Choice::default(),
            headers: HeaderMap::new(),
        };
        for option in fragment.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            address.set(key, value)?;
        }
        Ok(address)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = || format!("{key} cannot be {value:?}");
        if let Some(check) = Check::option(key, value) {
            self.check = check.map_err(|error| error.to_string())?;
            return Ok(());
        }
        match key {
            "height" => self.choice.height = Some(value.parse().map_err(|_| wrong())?),
            "bandwidth" => self.choice.bandwidth = Some(bits(value).ok_or_else(wrong)?),
            "language" => self.choice.language = Some(value.to_owned()),
            _ => {
                let Some(name) = key.strip_prefix("header.") else {
                    return Err(format!(
                        "{key:?} is no option; known are height, bandwidth, language, header.NAME, tls_verify, \
                         tls_fingerprint"
                    ));
                };
                // The value may be a secret, and is not shown.
                let wrong = || format!("the header {name:?} cannot be sent so");
                let value: Vec<u8> = percent_encoding::percent_decode_str(value).collect();
                let mut value = HeaderValue::from_bytes(&value).map_err(|_| wrong())?;
                value.set_sensitive(true);
                let name: HeaderName = name.parse().map_err(|_| wrong())?;
                if OURS.contains(&name) || self.headers.len() >= MAX_HEADERS {
                    return Err(wrong());
                }
                self.headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// Bits per second, perhaps in thousands or millions.
fn bits(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1_000),
        (at, 'M') => (text.get(..at)?, 1_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_are_known_by_their_names() {
        let cases = [
            ("http://host/live.m3u8", true),
            (" https://u:p@host:8/a/LIVE.M3U8?token=x#height=720", true),
            ("http://host/live.m3u", true),
            ("http://host/live.flv?x=.m3u8", false),
            ("rtmp://host/live.m3u8", false),
            ("live.m3u8", false),
        ];
        for (url, expected) in cases {
            assert_eq!(is_playlist(url), expected, "{url}");
        }
    }

    #[test]
    fn options_are_taken_off_the_url() {
        let text = "https://u:p@host:8443/a.m3u8?b=c#height=720&bandwidth=2M&language=de&tls_verify=0&\
                    header.Referer=https%3A%2F%2Fexample.com";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.url.as_str(), "https://u:p@host:8443/a.m3u8?b=c");
        assert_eq!(address.place, "host:8443");
        let choice = Choice {
            height: Some(720),
            bandwidth: Some(2_000_000),
            language: Some("de".into()),
        };
        assert_eq!(address.choice, choice);
        assert_eq!(address.headers[header::REFERER], "https://example.com");
        for (fragment, words) in [
            ("mode=x", "\"mode\" is no option"),
            ("height=tall", "height cannot be \"tall\""),
            ("bandwidth=99999999999999999999M", "bandwidth cannot be"),
            (
                "header.Host=secret",
                "the header \"Host\" cannot be sent so",
            ),
            ("header.X=%0Asecret", "the header \"X\" cannot be sent so"),
        ] {
            let refused = Address::parse(&format!("http://u:secret@h/a.m3u8#{fragment}"));
            let refused = refused.err().unwrap();
            assert!(
                refused.contains(words) && !refused.contains("secret"),
                "{refused}"
            );
        }
    }
}
