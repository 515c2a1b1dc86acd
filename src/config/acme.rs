//! Table `[acme]`: a certificate from an authority.

use super::Listen;
use serde::Deserialize;

/// Most names of one certificate (Let's Encrypt's bound).
const MAX_DOMAINS: usize = 100;

/// Longest name, in bytes (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// How a certificate is had from an authority by ACME (RFC 8555).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// The names that the certificate is for; none for no certificate from an authority.
    pub domains: Vec<String>,
    /// The e-mail address that the authority may write to.
    pub contact: Option<String>,
    /// The authority's directory.
    pub directory: String,
    /// Address where the authority finds its proofs, and everybody else the way to HTTPS; empty for none.
    pub listen: Listen,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contact: None,
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            listen: Listen(None),
        }
    }
}

impl Acme {
    /// Whether one is wanted.
    pub const fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_label = |label: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.bytes().all(is_plain)
        };
        let is_name = |name: &str| name.len() <= MAX_NAME && name.split('.').all(is_label);
        if let Some(wrong) = self.domains.iter().find(|name| !is_name(name)) {
            let words = format!(
                "{wrong:?} is no name that can be proved over HTTP: letters, digits, '-' and '.', without a port or '*'"
            );
            return Err(("acme.domains", words));
        }
        if self.domains.len() > MAX_DOMAINS {
            return Err(("acme.domains", format!("has more than {MAX_DOMAINS} names")));
        }
        let is_secure = self.directory.starts_with("https://");
        if !is_secure || url::Url::parse(&self.directory).is_err() {
            return Err((
                "acme.directory",
                "is no URL that begins with https://".to_owned(),
            ));
        }
        match &self.contact {
            Some(contact) if !contact.contains('@') || contact.contains([':', ' ', ',', '?']) => {
                Err(("acme.contact", "is no e-mail address".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        let check = |text: &str| toml::from_str::<Acme>(text).unwrap().check();
        assert_eq!(check(""), Ok(()));
        assert_eq!(
            check("domains = [\"cam.example\", \"a-1.b.example\"]\ncontact = \"me@b.example\""),
            Ok(())
        );
        for (text, key) in [
            ("domains = [\"*.example\"]", "acme.domains"),
            ("domains = [\"cam.example:443\"]", "acme.domains"),
            ("domains = [\"\"]", "acme.domains"),
            ("domains = [\"a..b\"]", "acme.domains"),
            ("directory = \"http://ca.example/\"", "acme.directory"),
            ("directory = \"https://\"", "acme.directory"),
            ("contact = \"mailto:me@b.example\"", "acme.contact"),
            ("contact = \"me\"", "acme.contact"),
        ] {
            assert_eq!(check(text).unwrap_err().0, key, "{text}");
        }
    }
}
