//! Where a player can reach the UDP port: the candidates of an answer.

use crate::net::udp::Socket;
use axum::http::{HeaderMap, header, uri::Authority};
use std::net::{IpAddr, SocketAddr};

/// Most candidates in an answer: each costs the player checks.
const MAX: usize = 16;

/// The candidates for a player that asked from `peer`, the most likely ones first.
pub(super) fn candidates(
    socket: &Socket,
    public: &[IpAddr],
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Vec<SocketAddr> {
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
    let all = public
        .iter()
        .copied()
        .chain(asked(headers).filter(|ip| !ip.is_loopback() || local))
        .chain(reachable);
    let mut candidates: Vec<IpAddr> = Vec::new();
    for ip in all {
        let announced = public.contains(&ip);
        if !candidates.contains(&ip) && (announced || socket.takes(ip)) {
            candidates.push(ip);
        }
    }
    candidates.truncate(MAX);
    let port = socket.address().port();
    candidates
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
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
fn interfaces() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let mut ips: Vec<_> = found.iter().map(if_addrs::Interface::ip).collect();
    ips.retain(|ip| match ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified(),
    });
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
        let public: IpAddr = "198.51.100.7".parse().unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let far = SocketAddr::from(([203, 0, 113, 9], 1));
        let socket = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let of = |headers: HeaderMap, peer| -> Vec<IpAddr> {
            let candidates = candidates(&socket, &[public], &headers, peer);
            candidates.iter().map(SocketAddr::ip).collect()
        };
        let here = of(host("localhost:5080"), local);
        assert_eq!(here[0], public);
        assert!(here.contains(&local.ip()), "{here:?}");
        let there = of(host("192.0.2.1:5080"), far);
        assert_eq!(there[..2], [public, "192.0.2.1".parse().unwrap()]);
        assert!(!there.iter().any(IpAddr::is_loopback), "{there:?}");
        let v6 = of(host("[2001:db8::1]:5080"), far);
        assert_eq!(v6[1], "2001:db8::1".parse::<IpAddr>().unwrap());

        let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let only = candidates(&socket, &[], &host("192.0.2.1"), local);
        assert_eq!(only, [socket.address()]);
    }
}
