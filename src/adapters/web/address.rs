//! What the URL of a stream over HTTP says. Options are its fragment, which is never sent: `#program=3`,
//! `#tls_verify=0`.

use crate::net::tls::Check;
use url::Url;

/// Where a stream is. Not `Debug`: it may hold a password.
pub(super) struct Address {
    /// Without its fragment.
    pub(super) url: Url,
    /// `HOST` or `HOST:PORT`, for people.
    pub(super) place: String,
    /// What the server has to prove over TLS.
    pub(super) check: Check,
    /// The number of the program, of a transport stream.
    pub(super) program: Option<u16>,
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
        let (mut check, mut program) = (Check::default(), None);
        let options = url.fragment().unwrap_or_default().split('&');
        for option in options.filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if let Some(read) = Check::option(key, value) {
                check = read.map_err(|error| error.to_string())?;
            } else if key == "program" {
                let number = value.parse();
                program = Some(number.map_err(|_| format!("program cannot be {value:?}"))?);
            } else {
                return Err(format!(
                    "{key:?} is no option; known are program, tls_verify, tls_fingerprint"
                ));
            }
        }
        url.set_fragment(None);
        Ok(Self {
            url,
            place,
            check,
            program,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_off_the_url() {
        let address = Address::parse("https://u:p@host:8443/a?b=c#program=3&tls_verify=0").unwrap();
        assert_eq!(address.url.as_str(), "https://u:p@host:8443/a?b=c");
        assert_eq!((&*address.place, address.program), ("host:8443", Some(3)));
        let plain = Address::parse(" http://host/live.ts ").unwrap();
        assert_eq!((&*plain.place, plain.program), ("host", None));
        for (text, words) in [
            ("http://u:secret@", "cannot be read"),
            ("http://u:secret@h/#mode=x", "\"mode\" is no option"),
            ("http://u:secret@h/#program=x", "program cannot be \"x\""),
        ] {
            let refused = Address::parse(text).err().unwrap();
            assert!(
                refused.contains(words) && !refused.contains("secret"),
                "{refused}"
            );
        }
    }
}
