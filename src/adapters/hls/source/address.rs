//! What the URL of a presentation says. Options are its fragment, which is never sent: `#height=720`, `#bandwidth=2M`,
//! `#language=de`, `#loop=1`, `#tls_verify=0`, `#header.Referer=https%3A%2F%2Fexample.com`.

use crate::adapters::HttpAddress;
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
    pub(super) at: HttpAddress,
    /// How it is played.
    pub(super) options: Options,
}

/// What the fragment says.
#[derive(Default)]
pub(super) struct Options {
    /// What is chosen of it.
    pub(super) choice: Choice,
    /// Sent with each request.
    pub(super) headers: HeaderMap,
    /// A recording is played again when it has ended.
    pub(super) is_repeated: bool,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut options = Options::default();
        let known = "height, bandwidth, language, loop, header.NAME";
        let at = HttpAddress::parse(text, known, |key, value| options.set(key, value))?;
        Ok(Self { at, options })
    }
}

impl Options {
    /// Whether the option is known.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let wrong = || format!("{key} cannot be {value:?}");
        match key {
            "height" => self.choice.height = Some(value.parse().map_err(|_| wrong())?),
            "bandwidth" => self.choice.bandwidth = Some(bits(value).ok_or_else(wrong)?),
            "language" => self.choice.language = Some(value.to_owned()),
            "loop" => {
                self.is_repeated = match value {
                    "0" => false,
                    "1" => true,
                    _ => return Err(wrong()),
                }
            }
            _ => match key.strip_prefix("header.") {
                Some(name) => self.set_header(name, value)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn set_header(&mut self, name: &str, value: &str) -> Result<(), String> {
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
        let text = "https://u:p@host:8443/a.m3u8?b=c#height=720&bandwidth=2M&language=de&loop=1&tls_verify=0&\
                    header.Referer=https%3A%2F%2Fexample.com";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.at.url.as_str(), "https://u:p@host:8443/a.m3u8?b=c");
        assert_eq!(address.at.place, "host:8443");
        let choice = Choice {
            height: Some(720),
            bandwidth: Some(2_000_000),
            language: Some("de".into()),
        };
        assert_eq!(address.options.choice, choice);
        assert_eq!(
            address.options.headers[header::REFERER],
            "https://example.com"
        );
        assert!(address.options.is_repeated);
        for (fragment, words) in [
            ("loop=yes", "loop cannot be \"yes\""),
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
