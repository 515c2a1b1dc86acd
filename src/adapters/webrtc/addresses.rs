//! Where a player can reach the port, by UDP and by TCP: the candidates of an answer.

use crate::net::interfaces::{self, Interface};
use crate::net::udp::Socket;
use axum::http::{HeaderMap, header, uri::Authority};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::net::{IpAddr, SocketAddr};
use webrtc::{Candidate, Transport};

/// Most addresses in an answer: each costs the player checks.
const MAX: usize = 16;

/// An address at which players reach the port from outside, and the port there where it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

impl<'de> Deserialize<'de> for PublicAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let alone = text.parse().map(|ip| (ip, None));
        let with_port = || {
            let address: Option<SocketAddr> = text.parse().ok();
            address.map(|address| (address.ip(), Some(address.port())))
        };
        let read = alone.ok().or_else(with_port);
        let (ip, port) = read
            .filter(|(ip, port)| !ip.is_unspecified() && !ip.is_multicast() && *port != Some(0))
            .ok_or_else(|| {
                let form = "such as 203.0.113.7, 203.0.113.7:8189 or [2001:db8::1]:8189";
                D::Error::custom(format!(
                    "{text:?} is no address that players can send to, {form}"
                ))
            })?;
        Ok(Self { ip, port })
    }
}

/// The candidates for a player that asked from `peer`, the most likely ones first.
pub(super) fn candidates(
    socket: &Socket,
    transports: &[Transport],
    public: &[PublicAddress],
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Vec<Candidate> {
    let own = socket.address().ip();
    let local = peer.ip().is_loopback();
    let interfaces = if own.is_unspecified() {
        interfaces()
    } else {
        vec![own]
    };
    let reachable = interfaces
        .into_iter()
        .filter(|ip| local || !ip.is_loopback() || own == *ip);
    // A name in `Host` says nothing here, an address is where the player found us.
    let own = asked(headers)
        .filter(|ip| !ip.is_loopback() || local)
        .chain(reachable)
        .filter(|ip| socket.takes(*ip));
    let port = socket.address().port();
    let announced = public.iter().map(|public| {
        let port = public.port.unwrap_or(port);
        SocketAddr::new(public.ip, port)
    });
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in announced.chain(own.map(|ip| SocketAddr::new(ip, port))) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(MAX);
    let of = |transport: &Transport| {
        let transport = *transport;
        let candidate = move |address: &SocketAddr| Candidate {
            transport,
            address: *address,
            is_relayed: false,
        };
        addresses.iter().map(candidate)
    };
    transports.iter().flat_map(of).collect()
}

/// The address in `Host`.
fn asked(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let host = headers.get(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let ip = authority.and_then(|authority| {
        let host = authority.host();
        let host = host.strip_prefix('[').unwrap_or(host);
        host.strip_suffix(']')
            .unwrap_or(host)
            .parse::<IpAddr>()
            .ok()
    });
    ip.map(|ip| ip.to_canonical())
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast())
        .into_iter()
}

/// The addresses of this machine that a candidate can name: link-local ones need a zone, which it cannot.
pub(super) fn interfaces() -> Vec<IpAddr> {
    let found = interfaces::routed().unwrap_or_default();
    let mut ips: Vec<_> = found.iter().map(Interface::ip).collect();
    ips.retain(|ip| !ip.is_unspecified());
    // Loopback first, where it is of use at all.
    ips.sort_by_key(|ip| (!ip.is_loopback(), ip.is_ipv6()));
    ips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn candidates_are_what_the_player_can_reach() {
        let host = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, value.parse().unwrap());
            headers
        };
        let public = PublicAddress {
            ip: "198.51.100.7".parse().unwrap(),
            port: None,
        };
        let forwarded = PublicAddress {
            port: Some(9_000),
            ..public
        };
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let far = SocketAddr::from(([203, 0, 113, 9], 1));
        let socket = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let of = |headers: HeaderMap, peer| -> Vec<IpAddr> {
            let candidates = candidates(&socket, &[Transport::Udp], &[public], &headers, peer);
            let ips = candidates.iter().map(|candidate| candidate.address.ip());
            ips.collect()
        };
        let here = of(host("localhost:5080"), local);
        assert_eq!(here[0], public.ip);
        assert!(here.contains(&local.ip()), "{here:?}");
        let there = of(host("192.0.2.1:5080"), far);
        assert_eq!(there[..2], [public.ip, "192.0.2.1".parse().unwrap()]);
        assert!(!there.iter().any(IpAddr::is_loopback), "{there:?}");
        let v6 = of(host("[2001:db8::1]:5080"), far);
        assert_eq!(v6[1], "2001:db8::1".parse::<IpAddr>().unwrap());

        let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let both = [Transport::Udp, Transport::Tcp];
        let all = candidates(
            &socket,
            &both,
            &[public, forwarded],
            &host("192.0.2.1"),
            local,
        );
        let port = socket.address().port();
        let expected = both.map(|transport| {
            [(public.ip, port), (public.ip, 9_000), (local.ip(), port)].map(|address| Candidate {
                transport,
                address: address.into(),
                is_relayed: false,
            })
        });
        assert_eq!(all, expected.concat());
    }

    #[test]
    fn public_addresses_may_have_a_port() {
        let read = |text: &str| serde_json::from_value::<PublicAddress>(text.into());
        let address = |text| read(text).map(|read| (read.ip.to_string(), read.port)).ok();
        assert_eq!(
            address("203.0.113.7"),
            Some(("203.0.113.7".to_owned(), None))
        );
        assert_eq!(
            address("203.0.113.7:80"),
            Some(("203.0.113.7".to_owned(), Some(80)))
        );
        assert_eq!(
            address("[2001:db8::1]:80"),
            Some(("2001:db8::1".to_owned(), Some(80)))
        );
        assert_eq!(
            address("2001:db8::1"),
            Some(("2001:db8::1".to_owned(), None))
        );
        for wrong in [
            "",
            "example.com",
            "0.0.0.0",
            "[::]:80",
            "203.0.113.7:0",
            "224.0.0.1",
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("such as"), "{wrong}: {error}");
        }
    }
}
