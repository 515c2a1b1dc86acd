//! One event on its way to one receiver.

use crate::net::tls::Check;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use std::time::Duration;
use url::Url;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A receiver's URL that cannot be used. It is not shown: it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is none.
    #[error("the webhook is no URL of http or https")]
    Url,
    /// Its fragment holds what is no option of TLS.
    #[error(
        "the webhook's URL has an option that is not tls_verify or tls_fingerprint, or a value that these do not take"
    )]
    Option,
}

/// Where events are sent. User and password in the URL are sent as `Authorization: Basic`. Not `Debug`: it may hold
/// secrets.
#[derive(Clone)]
pub struct Address {
    pub(super) url: Url,
    pub(super) check: Check,
}

impl Address {
    /// Reads a URL, whose fragment may have the options of TLS and is never sent.
    ///
    /// # Errors
    /// When it is none of `http` or `https`, or has other options.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim()).map_err(|_| AddressError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(AddressError::Url);
        }
        let mut check = Check::default();
        let options = url.fragment().unwrap_or_default().split('&');
        for option in options.filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let read = Check::option(key, value).ok_or(AddressError::Option)?;
            check = read.map_err(|_| AddressError::Option)?;
        }
        url.set_fragment(None);
        Ok(Self { url, check })
    }

    /// Scheme, host and port: who is behind them is one receiver. Nothing in it is secret.
    pub(super) fn receiver(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// How much it would be missed, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// How things are: a newer one says the same and more, so that one waits of each stream.
    Status,
    /// Of one viewer among many.
    Viewer,
    /// What happened.
    Event,
}

/// When what failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often.
    pub count: u32,
    /// Pause before the first time.
    pub delay: Duration,
    /// Each pause is twice the one before, a minute at most.
    pub doubles: bool,
}

impl Retry {
    /// The pause after so many attempts, if there is another.
    pub(super) fn pause(&self, attempts: u32) -> Option<Duration> {
        if attempts == 0 || attempts > self.count {
            return None;
        }
        let doubled = if self.doubles { attempts - 1 } else { 0 };
        let pause = self.delay.saturating_mul(1 << doubled.min(16));
        Some(pause.min(LONGEST_PAUSE))
    }
}

/// One event as one receiver gets it.
#[derive(Clone)]
pub struct Message {
    /// Where it goes.
    pub to: Address,
    /// What happened, in one word, for the log.
    pub event: &'static str,
    /// Messages of one stream to one receiver keep their order.
    pub stream: String,
    /// Which go where there is no room for all.
    pub weight: Weight,
    /// When what failed is tried again.
    pub retry: Retry,
    /// `Content-Type`.
    pub content_type: HeaderValue,
    /// Sent with it.
    pub headers: HeaderMap,
    /// As it is sent.
    pub body: Bytes,
}

impl Message {
    /// Memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.len() + self.stream.len() + self.to.url.as_str().len()
    }

    /// Whether a newer one of these two makes the other superfluous.
    pub(super) fn replaces(&self, older: &Self) -> bool {
        self.weight == Weight::Status
            && older.weight == Weight::Status
            && (self.event, &self.stream, &self.to.url)
                == (older.event, &older.stream, &older.to.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_http_are_receivers_and_nothing_secret_names_them() {
        let address = Address::parse(" https://u:p@A.example/x?token=y#tls_verify=0 ").unwrap();
        assert_eq!(address.receiver(), "https://a.example");
        assert_eq!(address.check, Check::Off);
        assert_eq!(address.url.as_str(), "https://u:p@a.example/x?token=y");
        for (text, error) in [
            ("", AddressError::Url),
            ("a.example/x", AddressError::Url),
            ("file:///etc/passwd", AddressError::Url),
            ("http://a/#x=1", AddressError::Option),
            ("http://a/#tls_verify=2", AddressError::Option),
        ] {
            assert_eq!(Address::parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn pauses_are_as_many_as_retries() {
        let seconds = |retry: Retry| {
            let pauses = (1..).map_while(move |attempts| retry.pause(attempts));
            pauses.map(|pause| pause.as_secs()).collect::<Vec<_>>()
        };
        let mut retry = Retry {
            count: 8,
            delay: Duration::from_secs(1),
            doubles: true,
        };
        assert_eq!(seconds(retry), [1, 2, 4, 8, 16, 32, 60, 60]);
        (retry.count, retry.doubles) = (3, false);
        assert_eq!(seconds(retry), [1, 1, 1]);
        retry.count = 0;
        assert!(seconds(retry).is_empty());
    }
}
