//! A user and a password in the header of an envelope (WS-Security UsernameToken Profile 1.0 section 3.1).

use crate::xml::escape;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_auth::Credentials;
use media::DateTime;
use sha1::{Digest, Sha1};
use std::time::SystemTime;

const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PROFILE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";
const MESSAGE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0";

/// The header: the password is proven by a digest of it, a nonce and the camera's time.
pub(crate) fn header(credentials: &Credentials, nonce: &[u8], created: SystemTime) -> String {
    let created = DateTime(created).to_string();
    let digest = digest(nonce, &created, &credentials.password);
    let nonce = STANDARD.encode(nonce);
    let user = escape(&credentials.user);
    format!(
        "<w:Security xmlns:w=\"{WSSE}\" xmlns:u=\"{WSU}\" s:mustUnderstand=\"1\"><w:UsernameToken>\
         <w:Username>{user}</w:Username>\
         <w:Password Type=\"{PROFILE}#PasswordDigest\">{digest}</w:Password>\
         <w:Nonce EncodingType=\"{MESSAGE}#Base64Binary\">{nonce}</w:Nonce>\
         <u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )
}

/// `Base64(SHA-1(nonce + created + password))`.
pub(crate) fn digest(nonce: &[u8], created: &str, password: &str) -> String {
    let hash = Sha1::new()
        .chain_update(nonce)
        .chain_update(created)
        .chain_update(password);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the ONVIF Application Programmer's Guide, section 6.1.1.3.
    #[test]
    fn example_of_the_guide() {
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        let found = digest(&nonce, "2010-09-16T07:50:45Z", "userpassword");
        assert_eq!(found, "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
    }

    #[test]
    fn the_password_is_not_in_the_header() {
        let credentials = Credentials {
            user: "a&b".to_owned(),
            password: "s3cret".to_owned(),
        };
        let header = header(&credentials, &[1; 16], SystemTime::UNIX_EPOCH);
        assert!(header.contains("<w:Username>a&amp;b</w:Username>"));
        assert!(header.contains("<u:Created>1970-01-01T00:00:00.000Z</u:Created>"));
        assert!(!header.contains("s3cret"));
    }
}
