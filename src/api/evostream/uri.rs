//! A URI as the API shows one: taken apart, with everything twice.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// Most parameters that are shown.
const MAX_PARAMETERS: usize = 64;

/// The ports of URIs without one.
const PORTS: [(&str, u16); 9] = [
    ("rtmp", 1935),
    ("rtmps", 443),
    ("rtsp", 554),
    ("rtsps", 322),
    ("http", 80),
    ("https", 443),
    ("whip", 80),
    ("whips", 443),
    ("srt", 4200),
];

/// The parts of a URI. It is not checked: what is missing is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    original: &'a str,
    pub(super) scheme: String,
    user: &'a str,
    password: &'a str,
    /// An IPv6 address without its brackets.
    pub(super) host: &'a str,
    port: Option<u16>,
    /// From its first slash on.
    path: &'a str,
    /// Without the question mark.
    query: &'a str,
}

impl<'a> Uri<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
                (host, port.strip_prefix(':').unwrap_or_default())
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        Self {
            original: text,
            scheme: scheme.to_ascii_lowercase(),
            user,
            password,
            host,
            port: port.parse().ok(),
            path,
            query,
        }
    }

    /// The port that is connected to; 0 where none is known.
    pub(super) fn port(&self) -> u16 {
        let mut usual = PORTS.iter();
        let usual = usual.find(|(scheme, _)| *scheme == self.scheme);
        self.port
            .or_else(|| usual.map(|(_, port)| *port))
            .unwrap_or(0)
    }

    /// The host, where that is an address.
    pub(super) fn literal(&self) -> &'a str {
        match self.host.parse::<IpAddr>() {
            Ok(_) => self.host,
            Err(_) => "",
        }
    }

    /// The object. `ip` is the address that the host has, where that is known.
    pub(super) fn object(&self, ip: &str) -> Value {
        let (before, document) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let mut folder = before.to_owned();
        folder.push_str(if self.path.is_empty() { "" } else { "/" });
        let with_query = |text: &str| match self.query {
            "" => text.to_owned(),
            query => format!("{text}?{query}"),
        };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.to_owned(),
        };
        let port = self
            .port
            .map_or_else(String::new, |port| format!(":{port}"));
        let login = match (self.user, self.password) {
            ("", "") => String::new(),
            (user, "") => format!("{user}@"),
            (user, password) => format!("{user}:{password}@"),
        };
        let full = with_query(self.path);
        json!({
            "document": document,
            "documentPath": folder,
            "documentWithFullParameters": with_query(document),
            "fullDocumentPath": self.path,
            "fullDocumentPathWithParameters": full,
            "fullParameters": self.query,
            "fullUri": format!("{}://{host}{port}{full}", self.scheme),
            "fullUriWithAuth": format!("{}://{login}{host}{port}{full}", self.scheme),
            "host": self.host,
            "ip": ip,
            "originalUri": self.original,
            "parameters": self.parameters(),
            "password": decoded(self.password),
            "port": self.port(),
            "portSpecified": self.port.is_some(),
            "scheme": self.scheme,
            "userName": decoded(self.user),
        })
    }

    fn parameters(&self) -> Map<String, Value> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.take(MAX_PARAMETERS).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), Value::from(decoded(value)))
        });
        pairs.collect()
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_taken_apart() {
        let text = "RTSP://u:p%40q@[::1]:8554/a/b/c?x=1%20&y#z=1";
        let expected = json!({
            "document": "c",
            "documentPath": "/a/b/",
            "documentWithFullParameters": "c?x=1%20&y",
            "fullDocumentPath": "/a/b/c",
            "fullDocumentPathWithParameters": "/a/b/c?x=1%20&y",
            "fullParameters": "x=1%20&y",
            "fullUri": "rtsp://[::1]:8554/a/b/c?x=1%20&y",
            "fullUriWithAuth": "rtsp://u:p%40q@[::1]:8554/a/b/c?x=1%20&y",
            "host": "::1",
            "ip": "::1",
            "originalUri": text,
            "parameters": { "x": "1 ", "y": "" },
            "password": "p@q",
            "port": 8554,
            "portSpecified": true,
            "scheme": "rtsp",
            "userName": "u",
        });
        assert_eq!(Uri::parse(text).object("::1"), expected);
    }

    #[test]
    fn what_is_missing_is_empty() {
        for (text, host, port, path, document) in [
            ("rtmp://a", "a", 1935, "", ""),
            ("rtmps://a/", "a", 443, "/", ""),
            ("mpegtsudp://239.1.1.1:5000", "239.1.1.1", 5000, "", ""),
            ("rtmp://a?b/c", "a", 1935, "", ""),
            ("a/b", "a", 0, "/b", "b"),
            ("", "", 0, "", ""),
            ("x://[", "", 0, "", ""),
        ] {
            let object = Uri::parse(text).object("");
            let found = (
                object["host"].as_str().unwrap(),
                object["port"].as_u64().unwrap(),
                object["fullDocumentPath"].as_str().unwrap(),
                object["document"].as_str().unwrap(),
            );
            assert_eq!(found, (host, port, path, document), "{text}");
        }
    }
}
