//! What the URL of a stream over HTTP says. Options are its fragment, which is never sent: `#program=3`,
//! `#tls_verify=0`.

use crate::adapters::HttpAddress;

/// Where a stream is. Not `Debug`: it may hold a password.
pub(super) struct Address {
    pub(super) at: HttpAddress,
    /// The number of the program, of a transport stream.
    pub(super) program: Option<u16>,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut program = None;
        let at = HttpAddress::parse(text, "program", |key, value| {
            if key != "program" {
                return Ok(false);
            }
            let number = value.parse();
            program = Some(number.map_err(|_| format!("program cannot be {value:?}"))?);
            Ok(true)
        })?;
        Ok(Self { at, program })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_off_the_url() {
        let address = Address::parse("https://u:p@host:8443/a?b=c#program=3&tls_verify=0").unwrap();
        assert_eq!(address.at.url.as_str(), "https://u:p@host:8443/a?b=c");
        assert_eq!(
            (&*address.at.place, address.program),
            ("host:8443", Some(3))
        );
        let plain = Address::parse(" http://host/live.ts ").unwrap();
        assert_eq!((&*plain.at.place, plain.program), ("host", None));
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
