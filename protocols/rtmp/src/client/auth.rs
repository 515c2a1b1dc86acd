//! Logging in where `connect` is answered by a challenge: the two schemes of Adobe's and Limelight's servers. No
//! specification has them; this is what encoders and those servers do.
//!
//! A server that wants a login rejects `connect` with a description such as
//! `[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :`. The client connects again with
//! `?authmod=adobe&user=NAME` behind the application and is rejected once more, with
//! `?reason=needauth&user=NAME&salt=…&challenge=…&opaque=…`. The third time it sends the response to that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use std::fmt::Write;

/// Why there is no answer to a server that wants a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The URL has none.
    #[error("the server wants a user name and a password")]
    NoLogin,
    /// It was answered.
    #[error("the server does not accept the user name or the password")]
    Refused,
    /// A scheme that is not known.
    #[error("the server wants a login of an unknown kind")]
    Scheme,
}

/// Who logs in.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// User name.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
}

/// The query to put behind the application and the URL of the next `connect`, from the description with which a
/// server rejected one; `None` where it does not want a login. `app` is the application without any query,
/// `random` differs each time.
///
/// # Errors
/// When there is no answer.
pub fn answer(
    description: &str,
    app: &str,
    login: Option<Login<'_>>,
    random: u32,
) -> Option<Result<String, AuthError>> {
    let scheme = ["adobe", "llnw"]
        .into_iter()
        .find(|scheme| description.contains(&format!("authmod={scheme}")));
    let wants_login = description.contains("code=403 need auth");
    let challenge = description.split_once("?reason=");
    if !wants_login && challenge.is_none() && scheme.is_none() {
        return None;
    }
    Some(match (scheme, login, challenge) {
        (_, None, _) => Err(AuthError::NoLogin),
        (None, _, _) => Err(AuthError::Scheme),
        (Some(scheme), Some(login), Some((_, fields))) => {
            if !fields.starts_with("needauth") {
                return Some(Err(AuthError::Refused));
            }
            Ok(match scheme {
                "adobe" => adobe(login, fields, random),
                _ => limelight(login, app, fields, random),
            })
        }
        (Some(scheme), Some(login), None) => Ok(format!("?authmod={scheme}&user={}", login.user)),
    })
}

/// A field of what follows `?reason=`.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = fields.split('&');
    let value = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    // The last one ends with the sentence.
    value.map(|value| value.split([' ', ']']).next().unwrap_or_default())
}

fn adobe(login: Login<'_>, fields: &str, random: u32) -> String {
    let Login { user, password } = login;
    let salt = field(fields, "salt").unwrap_or_default();
    let opaque = field(fields, "opaque");
    let challenge = field(fields, "challenge").unwrap_or_default();
    let own = format!("{random:08x}");
    let secret = STANDARD.encode(digest(&[user, salt, password]));
    let response = digest(&[&secret, opaque.unwrap_or(challenge), &own]);
    let response = STANDARD.encode(response);
    let mut query = format!("?authmod=adobe&user={user}&challenge={own}&response={response}");
    if let Some(opaque) = opaque {
        query.push_str("&opaque=");
        query.push_str(opaque);
    }
    query
}

/// As HTTP Digest (RFC 2617), with fixed realm and method.
fn limelight(login: Login<'_>, app: &str, fields: &str, random: u32) -> String {
    let Login { user, password } = login;
    let nonce = field(fields, "nonce").unwrap_or_default();
    let own = format!("{random:08x}");
    // An application without an instance means the default one.
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    let secret = hex(&digest(&[user, ":live:", password]));
    let what = hex(&digest(&["publish:/", app, instance]));
    let response = [&secret, ":", nonce, ":00000001:", &own, ":auth:", &what];
    let response = hex(&digest(&response));
    format!("?authmod=llnw&user={user}&nonce={nonce}&cnonce={own}&nc=00000001&response={response}")
}

fn digest(parts: &[&str]) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Option<Login<'_>> = Some(Login {
        user: "joe",
        password: "secret",
    });

    /// Computed with another tool.
    const ADOBE_RESPONSE: &str = "gVxIIBQzduqxqCqGgaEOuA==";
    const LIMELIGHT_RESPONSE: &str = "8ce727b3888611632744ed50ae0db369";

    #[test]
    fn adobe_takes_three_steps() {
        let first = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        let step = answer(first, "live", LOGIN, 1);
        assert_eq!(step, Some(Ok("?authmod=adobe&user=joe".into())));
        let second = "[ AccessManager.Reject ] : [ authmod=adobe ] : \
            ?reason=needauth&user=joe&salt=c2FsdA==&challenge=Y2hhbGxlbmdl&opaque=b3BhcXVl";
        let step = answer(second, "live", LOGIN, 0x1234_abcd).unwrap().unwrap();
        assert_eq!(
            step,
            format!(
                "?authmod=adobe&user=joe&challenge=1234abcd&response={ADOBE_RESPONSE}&opaque=b3BhcXVl"
            )
        );
        let third = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=x";
        assert_eq!(
            answer(third, "live", LOGIN, 1),
            Some(Err(AuthError::Refused))
        );
    }

    #[test]
    fn limelight_names_the_instance() {
        let second =
            "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=joe&nonce=abc ]";
        let step = answer(second, "live", LOGIN, 7).unwrap().unwrap();
        assert_eq!(
            step,
            format!(
                "?authmod=llnw&user=joe&nonce=abc&cnonce=00000007&nc=00000001&response={LIMELIGHT_RESPONSE}"
            )
        );
    }

    #[test]
    fn who_has_no_login_is_told_so() {
        let wants = "[ code=403 need auth; authmod=adobe ]";
        assert_eq!(
            answer(wants, "live", None, 1),
            Some(Err(AuthError::NoLogin))
        );
        let other = "[ code=403 need auth; authmod=other ]";
        assert_eq!(
            answer(other, "live", LOGIN, 1),
            Some(Err(AuthError::Scheme))
        );
        assert_eq!(answer("No such application.", "live", LOGIN, 1), None);
    }
}
