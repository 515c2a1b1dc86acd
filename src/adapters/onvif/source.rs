//! What an `onvif://` or `onvifs://` URL says: where the camera is, who asks, and which of its streams is wanted.
//!
//! `onvif://user:password@host:port/path?profileIndex=1#profile=best&transport=udp`. Options of the fragment that are
//! not known here are those of the stream's own URL.

use crate::net::tls::{Check, OptionError};
use onvif::profiles::Choice;
use onvif::{Address, AddressError, Credentials};
use url::Url;

/// Over HTTP and HTTPS.
pub(super) const SCHEMES: [&str; 2] = ["onvif", "onvifs"];

/// The URL of a camera for which somebody gives this address; none for a URL of something else.
pub fn camera_url(address: &str) -> Option<String> {
    let (scheme, place) = address.split_once("://").unwrap_or(("http", address));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "onvif" => "onvif",
        "https" | "onvifs" => "onvifs",
        _ => return None,
    };
    Some(format!("{scheme}://{place}"))
}

/// Whether somebody has given `address` for the device that is found at `found`: the same host and port, or a URL of its
/// stream, of which the port says nothing.
pub fn is_address_of(address: &str, found: &str) -> bool {
    let Ok((found, _)) = Address::parse(found) else {
        return false;
    };
    let found = found.device();
    let (known, is_device) = match Address::parse(address) {
        Ok((known, _)) => (known.device().clone(), true),
        Err(_) => match Url::parse(address.trim()) {
            Ok(stream) => (stream, false),
            Err(_) => return false,
        },
    };
    let same_port = known.port_or_known_default() == found.port_or_known_default();
    known.host_str() == found.host_str() && (same_port || !is_device)
}

/// A camera, and what is wanted of it. Not `Debug`: it holds a password.
#[derive(Clone)]
pub struct Source {
    pub(super) address: Address,
    pub(super) credentials: Option<Credentials>,
    pub(super) choice: Choice,
    /// What the camera has to prove over TLS.
    pub(super) check: Check,
    /// Options for the stream's URL.
    pub(super) options: String,
}

/// Why a URL was refused. None of the messages shows the URL: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is no camera's.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An option of TLS.
    #[error(transparent)]
    Tls(#[from] OptionError),
    /// The place in a list of profiles.
    #[error("profileIndex is a number from 0")]
    Index,
}

impl Source {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub fn parse(url: &str) -> Result<Self, SourceError> {
        let (address, credentials) = Address::parse(url)?;
        let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
        let (_, query) = place.split_once('?').unwrap_or((place, ""));
        let mut source = Self {
            address,
            credentials,
            // What Ant Media Server takes where nothing is said.
            choice: Choice::Index(0),
            check: Check::Roots,
            options: String::new(),
        };
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if key == "profileIndex" {
                let index = value.parse().map_err(|_| SourceError::Index)?;
                source.choice = Choice::Index(index);
            }
        }
        for option in fragment.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if key == "profile" {
                source.choice = Choice::parse(value);
            } else if let Some(check) = Check::option(key, value) {
                source.check = check?;
            } else {
                if !source.options.is_empty() {
                    source.options.push('&');
                }
                source.options.push_str(option);
            }
        }
        Ok(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_host_and_port() {
        let cases = [
            ("192.168.1.6", "192.168.1.6", true),
            ("192.168.1.64", "192.168.1.6", false),
            ("192.168.1.6:8080", "192.168.1.6", false),
            ("192.168.1.6:80", "192.168.1.6", true),
            ("http://joe:192.168.1.6@10.0.0.1/", "192.168.1.6", false),
            (
                "onvif://192.168.1.6/x?profileIndex=1#profile=best",
                "192.168.1.6",
                true,
            ),
            ("rtsp://joe:p@192.168.1.6:554/1", "192.168.1.6:8080", true),
            ("rtsp://192.168.1.64/1", "192.168.1.6", false),
            ("https://192.168.1.6", "192.168.1.6", false),
            ("https://192.168.1.6:443/x", "https://192.168.1.6", true),
            ("[fe80::1]:8000", "[fe80:0::1]:8000", true),
            ("", "192.168.1.6", false),
            ("192.168.1.6", "", false),
        ];
        for (address, found, is_known) in cases {
            assert_eq!(is_address_of(address, found), is_known, "{address} {found}");
        }
    }

    #[test]
    fn options_and_profiles() {
        let cases = [
            ("onvif://c", Choice::Index(0), ""),
            ("onvif://c/?profileIndex=2", Choice::Index(2), ""),
            (
                "onvif://u:p@c#profile=best&transport=udp&timeout=5s",
                Choice::Best,
                "transport=udp&timeout=5s",
            ),
            ("onvif://c#profile=main", Choice::Token("main".into()), ""),
        ];
        for (url, choice, options) in cases {
            let source = Source::parse(url).unwrap();
            assert_eq!((source.choice, source.options.as_str()), (choice, options));
        }
        let secure = Source::parse("onvifs://c#tls_verify=0").unwrap();
        assert_eq!(secure.check, Check::Off);
        let wrong = [
            ("onvif://c?profileIndex=x", SourceError::Index),
            (
                "onvif://c#tls_verify=2",
                SourceError::Tls(OptionError::Verify),
            ),
        ];
        for (url, error) in wrong {
            assert_eq!(Source::parse(url).err(), Some(error), "{url}");
        }
    }
}
