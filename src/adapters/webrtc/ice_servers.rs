//! Servers for STUN and TURN that players and publishers are told of: for those who reach this server in no other way.

use crate::config::Secret;
use axum::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// Servers that there may be: each is a line in every answer.
pub(super) const MOST: usize = 8;

/// Bytes of a URL, a user name or a credential.
const LONGEST: usize = 256;

/// A server, as the configuration has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Described")]
pub struct IceServer {
    url: String,
    login: Option<(String, Secret)>,
    link: HeaderValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    url: String,
    username: Option<String>,
    credential: Option<String>,
}

impl TryFrom<Described> for IceServer {
    type Error = &'static str;

    fn try_from(described: Described) -> Result<Self, Self::Error> {
        let Described {
            url,
            username,
            credential,
        } = described;
        let (scheme, host) = url.split_once(':').unwrap_or_default();
        let is_relay = matches!(scheme, "turn" | "turns");
        if !is_relay && !matches!(scheme, "stun" | "stuns") || host.is_empty() || !is_plain(&url) {
            return Err("an ICE server is stun:HOST:PORT or turn:HOST:PORT?transport=udp");
        }
        let login = match (username, credential) {
            (Some(username), Some(credential)) => Some((username, credential)),
            (None, None) if !is_relay => None,
            _ => return Err("a TURN server has a username and a credential"),
        };
        let mut link = format!("<{url}>; rel=\"ice-server\"");
        if let Some((username, credential)) = &login {
            if !is_plain(username) || !is_plain(credential) {
                return Err(
                    "username and credential are of up to 256 visible ASCII characters but quotes",
                );
            }
            link += &format!(
                "; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
            );
        }
        let mut link = HeaderValue::try_from(link).map_err(|_| "not an ICE server")?;
        link.set_sensitive(true);
        Ok(Self {
            url,
            login: login.map(|(username, credential)| (username, credential.as_str().into())),
            link,
        })
    }
}

/// Whether it may stand between quotes and angle brackets as it is.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_plain)
}

/// Tells of them as RFC 9725 section 4.6 has it.
pub(super) fn link(servers: &[IceServer], headers: &mut HeaderMap) {
    for server in servers {
        headers.append(header::LINK, server.link.clone());
    }
}

/// Tells Ant Media's clients of one: they take no more.
pub(super) fn message(servers: &[IceServer]) -> Value {
    let first = servers.first();
    let mut message = json!({
        "command": "iceServerConfig",
        "stunServerUri": first.map_or("", |server| &server.url),
    });
    if let Some((username, credential)) = first.and_then(|server| server.login.as_ref()) {
        message["turnServerUsername"] = username.as_str().into();
        message["turnServerCredential"] = credential.reveal().into();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(table: &str) -> Result<IceServer, toml::de::Error> {
        toml::from_str(table)
    }

    #[test]
    fn they_are_told_of_in_links_and_messages() {
        let servers = [
            "url = 'turn:turn.example:3478?transport=tcp'\nusername = 'u'\ncredential = 'pw'",
            "url = 'stun:stun.example'",
        ]
        .map(|table| server(table).unwrap());
        let mut headers = HeaderMap::new();
        link(&servers, &mut headers);
        let links: Vec<_> = headers.get_all(header::LINK).iter().collect();
        let expected = [
            "<turn:turn.example:3478?transport=tcp>; rel=\"ice-server\"; username=\"u\"; credential=\"pw\"; \
             credential-type=\"password\"",
            "<stun:stun.example>; rel=\"ice-server\"",
        ];
        assert_eq!(links, expected);
        assert!(!format!("{servers:?}").contains("pw"));
        let expected = json!({
            "command": "iceServerConfig",
            "stunServerUri": "turn:turn.example:3478?transport=tcp",
            "turnServerUsername": "u",
            "turnServerCredential": "pw",
        });
        assert_eq!(message(&servers), expected);
        let nothing = json!({ "command": "iceServerConfig", "stunServerUri": "" });
        assert_eq!(message(&[]), nothing);
    }

    #[test]
    fn what_is_none_is_refused() {
        for table in [
            "url = 'http://example'",
            "url = 'stun:'",
            "url = 'stun'",
            "url = 'stun:a>, <b'",
            "url = 'turn:example'",
            "url = 'turn:example'\nusername = 'u'",
            "url = 'turn:example'\nusername = 'a\"b'\ncredential = 'c'",
            "url = 'stun:example'\nother = 1",
        ] {
            assert!(server(table).is_err(), "{table}");
        }
    }
}
