//! What URLs of sources over HTTP have in common: a place, and options in the fragment, which is never sent.

use crate::net::tls::Check;
use url::Url;

/// Where a source is. Not `Debug`: it may hold a password.
pub(crate) struct HttpAddress {
    /// Without its fragment.
    pub(crate) url: Url,
    /// `HOST` or `HOST:PORT`, for people.
    pub(crate) place: String,
    /// What servers have to prove over TLS.
    pub(crate) check: Check,
}

impl HttpAddress {
    /// Reads a URL. `set` is given the options that are not those of TLS, by key and value, and says whether it knows the
    /// key; `known` are its keys, for people.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(crate) fn parse(
        text: &str,
        known: &str,
        mut set: impl FnMut(&str, &str) -> Result<bool, String>,
    ) -> Result<Self, String> {
        let url = Url::parse(text.trim());
        let mut url = url.map_err(|error| format!("the URL cannot be read: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        let place = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut check = Check::default();
        let options = url.fragment().unwrap_or_default().split('&');
        for option in options.filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if let Some(read) = Check::option(key, value) {
                check = read.map_err(|error| error.to_string())?;
            } else if !set(key, value)? {
                return Err(format!(
                    "{key:?} is no option; known are {known}, tls_verify, tls_fingerprint"
                ));
            }
        }
        url.set_fragment(None);
        Ok(Self { url, place, check })
    }
}
