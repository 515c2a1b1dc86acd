//! Where a request comes from: the machine, the page, and the proxies between.

use crate::config::Cidr;
use axum::http::{HeaderMap, header};
use std::net::{IpAddr, SocketAddr};

/// What our pages send with what changes something. A page of another site cannot, without being asked first.
const REQUESTED_WITH: &str = "millstream";

/// Headers that a proxy adds: the caller behind it may be anyone.
const FORWARDING: [&str; 7] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

/// Addresses that a request may have been passed through; more are not looked at.
const MAX_HOPS: usize = 16;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address, behind proxies that are trusted; the far end of the connection otherwise.
    pub address: SocketAddr,
    /// Whether it came by TLS.
    pub secure: bool,
}

impl Origin {
    /// Of a request that came from `peer`. Only what trusted proxies say is believed.
    pub fn new(peer: SocketAddr, secure: bool, headers: &HeaderMap, trusted: &[Cidr]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
        let direct = Self {
            address: peer,
            secure,
        };
        if !is_trusted(peer.ip()) {
            return direct;
        }
        let secure = text(headers, "x-forwarded-proto").map_or(secure, |said| said == "https");
        // Each proxy adds the address that it was called from at the end: the last one that is no proxy of ours is
        // the caller, and what stands before it may be made up.
        let fields = headers.get_all("x-forwarded-for").iter();
        let hops = fields.filter_map(|field| field.to_str().ok());
        let hops: Vec<&str> = hops.flat_map(|field| field.split(',')).collect();
        let mut address = peer;
        for hop in hops.iter().rev().take(MAX_HOPS) {
            let Some(hop) = hop_address(hop.trim()) else {
                break;
            };
            address = SocketAddr::new(hop, peer.port());
            if !is_trusted(hop) {
                break;
            }
        }
        Self { address, secure }
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn hop_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Some(address) = bare.and_then(|text| text.parse::<IpAddr>().ok()) {
        return Some(address.to_canonical());
    }
    let address = text.parse::<SocketAddr>().ok()?;
    Some(address.ip().to_canonical())
}

/// Whether the caller is on this machine: a loopback address, no proxy, a loopback name in `Host`, and no page of
/// another site.
pub(super) fn is_local(address: SocketAddr, headers: &HeaderMap) -> bool {
    let forwarded = FORWARDING.iter().any(|name| headers.contains_key(*name))
        || headers
            .keys()
            .any(|name| name.as_str().starts_with("x-forwarded-"));
    let text = |name| text(headers, name);
    let same_site = matches!(text("sec-fetch-site"), None | Some("same-origin" | "none"));
    // `null`, the origin of sandboxed pages and files, is no loopback name.
    let local_origin = text("origin").is_none_or(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| is_loopback_name(authority))
    });
    address.ip().to_canonical().is_loopback()
        && !forwarded
        && same_site
        && local_origin
        && text("host").is_some_and(is_loopback_name)
}

/// Whether a browser sent this without saying for which page: an old one, with a GET. What changes something by GET
/// must not come from there. (PowerShell says that it is a browser.)
pub(super) fn is_unsaid(headers: &HeaderMap) -> bool {
    let agent = text(headers, header::USER_AGENT.as_str());
    agent.is_some_and(|agent| agent.starts_with("Mozilla/") && !agent.contains("PowerShell"))
        && text(headers, "sec-fetch-site").is_none()
        && text(headers, "origin").is_none()
}

/// Whether a request comes from a page of this server.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    // Browsers say this to HTTPS and to loopback addresses, and `Origin` to all with what is no GET.
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(headers, "origin").and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| {
        let host = text(headers, header::HOST.as_str());
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    })
}

/// Whether a page of another site sent this.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let speaks = headers.contains_key("sec-fetch-site") || headers.contains_key("origin");
    speaks && !is_same_origin(headers)
}

/// Whether a request has the header that our pages send.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    text(headers, "x-requested-with") == Some(REQUESTED_WITH)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or("?"))
}

/// Whether `host[:port]` names this machine whatever a name server says.
fn is_loopback_name(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<Cidr> = ["10.0.0.0/8", "::1"]
            .map(|text| text.parse().unwrap())
            .into();
        let said = |hops| headers(&[("x-forwarded-for", hops), ("x-forwarded-proto", "https")]);
        for (peer, hops, address, secure) in [
            ("192.0.2.9:7", "198.51.100.1", "192.0.2.9:7", false),
            ("10.0.0.1:7", "198.51.100.1", "198.51.100.1:7", true),
            (
                "[::ffff:10.0.0.1]:7",
                "198.51.100.1",
                "198.51.100.1:7",
                true,
            ),
            // What the caller made up stands first.
            (
                "10.0.0.1:7",
                "127.0.0.1, 198.51.100.1",
                "198.51.100.1:7",
                true,
            ),
            (
                "10.0.0.1:7",
                "198.51.100.1, 10.0.0.2",
                "198.51.100.1:7",
                true,
            ),
            ("10.0.0.1:7", "10.0.0.3,10.0.0.2", "10.0.0.3:7", true),
            ("[::1]:7", "[2001:db8::1]:99", "[2001:db8::1]:7", true),
            ("10.0.0.1:7", "unknown", "10.0.0.1:7", true),
            ("10.0.0.1:7", "198.51.100.1, nonsense", "10.0.0.1:7", true),
        ] {
            let origin = Origin::new(peer.parse().unwrap(), false, &said(hops), &trusted);
            let expected = Origin {
                address: address.parse().unwrap(),
                secure,
            };
            assert_eq!(origin, expected, "{peer} {hops}");
        }
        let nothing = Origin::new("10.0.0.1:7".parse().unwrap(), true, &headers(&[]), &trusted);
        assert!(nothing.secure);
    }

    #[test]
    fn whose_page_it_is() {
        for (pairs, same, foreign) in [
            (&[("sec-fetch-site", "same-origin")][..], true, false),
            (&[("sec-fetch-site", "same-site")], false, true),
            (&[("sec-fetch-site", "cross-site")], false, true),
            (&[("sec-fetch-site", "none")], false, true),
            (
                &[("origin", "http://cam.lan:5080"), ("host", "cam.lan:5080")],
                true,
                false,
            ),
            (
                &[("origin", "http://cam.lan:3000"), ("host", "cam.lan:5080")],
                false,
                true,
            ),
            (&[("origin", "null"), ("host", "null")], false, true),
            (&[("host", "cam.lan:5080")], false, false),
            // The first counts where it is there: the second may be what a proxy left.
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://a"),
                    ("host", "a"),
                ],
                false,
                true,
            ),
        ] {
            let headers = headers(pairs);
            assert_eq!(is_same_origin(&headers), same, "{pairs:?}");
            assert_eq!(is_foreign(&headers), foreign, "{pairs:?}");
        }
        assert!(is_ours(&headers(&[("x-requested-with", "millstream")])));
        assert!(!is_ours(&headers(&[(
            "x-requested-with",
            "XMLHttpRequest"
        )])));
    }
}
