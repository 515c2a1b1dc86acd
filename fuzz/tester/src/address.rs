//! The URLs of what is tested, and the rule that this is on this machine unless it is said otherwise.

use std::net::{SocketAddr, ToSocketAddrs};

/// A URL that was taken apart, with the one address that is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) url: String,
    /// Host and port as they were written.
    pub(crate) host: String,
    pub(crate) socket: SocketAddr,
    /// With the slash in front; empty when there is none.
    pub(crate) path: String,
    /// Without the question mark.
    pub(crate) query: String,
}

impl Address {
    /// Reads a URL with one of the schemes and finds its address.
    ///
    /// # Errors
    /// When it is none, its host has no address, or `elsewhere` is not set and one of its addresses is not of this
    /// machine alone.
    pub(crate) fn new(
        url: &str,
        schemes: &[&str],
        port: u16,
        elsewhere: bool,
    ) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{url}: a URL that begins with {}:// is wanted",
                schemes.join(":// or ")
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if !schemes.contains(&scheme) {
            return Err(wrong());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // An address of IPv6 has colons of its own, in brackets.
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let host = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:{port}")
        };
        let found: Vec<SocketAddr> = host
            .to_socket_addrs()
            .map_err(|error| format!("{url}: {error}"))?
            .collect();
        if !elsewhere && let Some(other) = found.iter().find(|found| !found.ip().is_loopback()) {
            return Err(format!(
                "{url} leads to {}, which is not this machine; what may be tested there is said with --elsewhere",
                other.ip()
            ));
        }
        let socket = *found
            .first()
            .ok_or_else(|| format!("{url} leads nowhere"))?;
        Ok(Self {
            url: url.to_owned(),
            host,
            socket,
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }

    /// What stands before the last slash of the path and behind it: application and stream of RTMP.
    pub(crate) fn split_path(&self) -> (&str, &str) {
        let path = self.path.trim_start_matches('/');
        path.rsplit_once('/').unwrap_or((path, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let address = Address::new("rtmp://127.0.0.1/a/b/c?x=1", &["rtmp"], 1935, false);
        let address = address.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(address.socket.to_string(), "127.0.0.1:1935");
        assert_eq!(address.split_path(), ("a/b", "c"));
        assert_eq!(address.query, "x=1");
        let address = Address::new("srt://[::1]:7?streamid=x", &["srt"], 4200, false);
        let address = address.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (address.socket.to_string(), address.path),
            ("[::1]:7".into(), String::new())
        );
    }

    #[test]
    fn other_machines_are_not_tested_by_accident() {
        let other = "rtmp://192.0.2.1/live/x";
        let refused = Address::new(other, &["rtmp"], 1935, false);
        assert!(refused.is_err_and(|error| error.contains("--elsewhere")));
        assert!(Address::new(other, &["rtmp"], 1935, true).is_ok());
        assert!(Address::new("http://127.0.0.1/", &["rtmp"], 1935, false).is_err());
        assert!(Address::new("127.0.0.1", &["rtmp"], 1935, false).is_err());
    }
}
