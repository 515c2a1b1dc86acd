//! What the URL of another server's stream says: `whep://HOST/PATH` stands for `http`, `wheps` for `https`, and so do `whip`
//! and `whips`. Options are its fragment, which is never sent: `#token=WORD`, `#stun=stun.example.com:3478`,
//! `#turn=USER:PASSWORD@turn.example.com:3478`, `#tls_verify=0`.

use crate::adapters::HttpAddress;
use axum::http::HeaderValue;

/// The port of a STUN or TURN server that names none.
const STUN_PORT: u16 = 3_478;

/// Where a stream is. Not `Debug`: it may hold a password.
pub(super) struct Address {
    pub(super) at: HttpAddress,
    /// `Authorization`.
    pub(super) authorization: Option<HeaderValue>,
    /// Who is asked where this end is seen.
    pub(super) stun: Option<(String, u16)>,
    /// Who gives this end an address.
    pub(super) turn: Option<Turn>,
    /// Packets go through that alone.
    pub(super) turn_only: bool,
}

/// A TURN server, with the login there.
pub(super) struct Turn {
    pub(super) place: (String, u16),
    pub(super) username: String,
    pub(super) password: String,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once(':').unwrap_or_default();
        let http = match scheme.to_ascii_lowercase().as_str() {
            "whep" | "whip" => "http",
            "wheps" | "whips" => "https",
            _ => return Err("the URL is not one of WHEP or WHIP".to_owned()),
        };
        let (mut token, mut stun, mut turn, mut turn_only) = (None, None, None, false);
        let at = HttpAddress::parse(
            &format!("{http}:{rest}"),
            "token, stun, turn, turn_only",
            |key, value| {
                match key {
                    "token" => token = Some(bearer(value)?),
                    "stun" => {
                        let place = stun_server(value);
                        stun = Some(place.ok_or_else(|| format!("stun cannot be {value:?}"))?);
                    }
                    // It may hold a password, and is not shown.
                    "turn" => {
                        turn = Some(turn_server(value).ok_or("turn is not USER:PASSWORD@HOST")?);
                    }
                    "turn_only" => {
                        turn_only = match value {
                            "0" => false,
                            "1" => true,
                            _ => return Err(format!("turn_only cannot be {value:?}")),
                        };
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            },
        )?;
        if turn_only && turn.is_none() {
            return Err("turn_only needs turn".to_owned());
        }
        Ok(Self {
            at,
            authorization: token,
            stun,
            turn,
            turn_only,
        })
    }
}

fn bearer(token: &str) -> Result<HeaderValue, String> {
    let token = percent_encoding::percent_decode_str(token).decode_utf8();
    let value = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
    match value {
        Ok(Ok(mut value)) => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err("token holds what a header cannot".to_owned()),
    }
}

fn turn_server(text: &str) -> Option<Turn> {
    let (login, place) = text.rsplit_once('@')?;
    let (username, password) = login.split_once(':')?;
    let decoded = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8();
        Some(text.ok()?.into_owned())
    };
    Some(Turn {
        place: stun_server(place)?,
        username: decoded(username)?,
        password: decoded(password)?,
    })
}

fn stun_server(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => {
            (host, port.parse().ok()?)
        }
        _ => (text, STUN_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_off_the_url() {
        let address = Address::parse(
            "WHEPS://host:8443/app/whep/cam?a=b#token=x%20y&stun=[2001:db8::1]&tls_verify=0",
        );
        let address = address.unwrap();
        assert_eq!(
            address.at.url.as_str(),
            "https://host:8443/app/whep/cam?a=b"
        );
        assert_eq!(address.authorization.unwrap(), "Bearer x y");
        assert_eq!(address.stun, Some(("2001:db8::1".to_owned(), 3_478)));
        let plain = Address::parse("whip://host/cam").unwrap();
        assert_eq!(
            (plain.at.url.as_str(), plain.stun),
            ("http://host/cam", None)
        );
        let named = Address::parse("whep://host/cam#stun=s.example:99").unwrap();
        assert_eq!(named.stun, Some(("s.example".to_owned(), 99)));
        let relayed = Address::parse("whep://host/cam#turn=u%40x:p%3a:w@[::1]:99").unwrap();
        let turn = relayed.turn.unwrap();
        assert_eq!((turn.place.0.as_str(), turn.place.1), ("::1", 99));
        assert_eq!(
            (turn.username.as_str(), turn.password.as_str()),
            ("u@x", "p::w")
        );
        for (text, words) in [
            ("http://host/cam", "not one of WHEP"),
            ("whep://u:secret@", "cannot be read"),
            (
                "whep://u:secret@h/#mode=x",
                "\"mode\" is no option; known are token, stun, turn, turn_only",
            ),
            ("whep://h/#stun=:x", "stun cannot be"),
            ("whep://h/#stun=", "stun cannot be"),
            ("whep://h/#token=secret%0a", "token holds"),
            ("whep://h/#turn=u:secret", "turn is not"),
            ("whep://h/#turn=u:secret@", "turn is not"),
            ("whep://h/#turn_only=1", "needs turn"),
        ] {
            let refused = Address::parse(text).err().unwrap();
            assert!(
                refused.contains(words) && !refused.contains("secret"),
                "{refused}"
            );
        }
    }
}
