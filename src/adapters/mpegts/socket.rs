//! UDP sockets: bound to a port or to a group, and those that send to a group.

use super::address::Address;
use crate::net::inflow::Inflow;
use crate::net::{interfaces, udp};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Bytes that the system is asked to hold; it may allow less. A third of a second at 100 Mbit/s.
const BUFFER: usize = 4 << 20;

/// How long datagrams gather before they are read.
const GATHER: Duration = Duration::from_millis(4);

/// A socket that receives what an address says: on the port, whatever address of this machine it is sent to, or of a
/// group.
pub(super) fn receiver(address: &Address) -> io::Result<Inflow> {
    let host: IpAddr = match address.host.as_str() {
        "" => Ipv6Addr::UNSPECIFIED.into(),
        host => host
            .parse()
            .map_err(|_| invalid("a name cannot be listened to; an address can"))?,
    };
    if !host.is_multicast() {
        // Senders use any address of this machine.
        let any = match host {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        return inflow(bind((any, address.port).into(), false)?);
    }
    // Bound to the group, a socket gets nothing that was sent to another on the same port.
    let socket = bind((host, address.port).into(), true)?;
    let interface = interface(address)?;
    let index = interface.as_ref().and_then(|interface| interface.index);
    let own = || {
        let own = interface.as_ref().map(Interface::v4);
        own.unwrap_or(Ok(Ipv4Addr::UNSPECIFIED))
    };
    match (host, address.options.source, index) {
        (IpAddr::V4(group), Some(IpAddr::V4(source)), _) => {
            socket.join_ssm_v4(&source, &group, &own()?)?;
        }
        // It need not have an address of IPv4.
        (IpAddr::V4(group), _, Some(index)) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        (IpAddr::V4(group), _, None) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Address(own()?))?;
        }
        (IpAddr::V6(group), ..) => socket.join_multicast_v6(&group, index.unwrap_or(0))?,
    }
    inflow(socket)
}

fn inflow(socket: Socket) -> io::Result<Inflow> {
    let socket = Arc::new(udp::Socket::new(socket.into())?);
    Ok(Inflow::new(socket, GATHER))
}

/// A socket that sends to `to` as an address says.
pub(super) fn sender(address: &Address, to: SocketAddr) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = bind((any, 0).into(), false)?;
    let options = &address.options;
    let interface = interface(address)?;
    if to.is_ipv4() {
        if let Some(interface) = interface.filter(|_| to.ip().is_multicast()) {
            socket.set_multicast_if_v4(&interface.v4()?)?;
        }
        if let Some(ttl) = options.ttl {
            socket.set_ttl_v4(ttl.into())?;
            socket.set_multicast_ttl_v4(ttl.into())?;
        }
        if let Some(tos) = options.tos {
            socket.set_tos_v4(tos.into())?;
        }
    } else {
        if let Some(index) = interface.as_ref().and_then(|interface| interface.index) {
            socket.set_multicast_if_v6(index)?;
        }
        if let Some(hops) = options.ttl {
            socket.set_unicast_hops_v6(hops.into())?;
            socket.set_multicast_hops_v6(hops.into())?;
        }
        if let Some(class) = options.tos {
            socket.set_tclass_v6(class.into())?;
        }
    }
    socket.connect(&to.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Several programs may listen to one group.
    socket.set_reuse_address(shared)?;
    socket.set_nonblocking(true)?;
    // What the system allows is enough for most.
    let _ = socket.set_recv_buffer_size(BUFFER);
    socket.bind(&address.into())?;
    Ok(socket)
}

/// An interface of this machine.
#[derive(Debug)]
struct Interface {
    v4: Option<Ipv4Addr>,
    index: Option<u32>,
}

impl Interface {
    /// Its address, for what the system wants no number of an interface for.
    fn v4(&self) -> io::Result<Ipv4Addr> {
        self.v4
            .ok_or_else(|| invalid("the interface has no IPv4 address"))
    }
}

/// The interface that an address names, if it names one.
fn interface(address: &Address) -> io::Result<Option<Interface>> {
    let Some(name) = &address.options.interface else {
        return Ok(None);
    };
    named(&interfaces::every()?, name).map(Some)
}

/// The interface of that name or address.
fn named(all: &[interfaces::Interface], name: &str) -> io::Result<Interface> {
    let own: Option<IpAddr> = name.parse().ok();
    let named = all.iter().filter(|interface| match own {
        Some(own) => interface.ip() == own,
        None => interface.name == name,
    });
    let named: Vec<_> = named.collect();
    let first = named
        .first()
        .ok_or_else(|| invalid("there is no such interface"))?;
    let v4 = named.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    Ok(Interface {
        // It is where datagrams come from: one that is good everywhere is better.
        v4: v4.min_by_key(Ipv4Addr::is_link_local),
        index: first.index,
    })
}

fn invalid(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    fn interface(name: &str, index: u32, address: &str) -> interfaces::Interface {
        let addr = match address.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: Ipv4Addr::new(255, 255, 0, 0),
                prefixlen: 16,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: Ipv6Addr::UNSPECIFIED,
                prefixlen: 64,
                broadcast: None,
            }),
        };
        interfaces::Interface {
            name: name.to_owned(),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
        }
    }

    #[test]
    fn an_interface_is_named_or_has_the_address() {
        let all = [
            interface("eth0", 2, "169.254.1.1"),
            interface("eth0", 2, "192.0.2.2"),
            interface("eth1", 3, "fe80::1"),
            interface("eth2", 4, "169.254.2.2"),
        ];
        for (name, index, address) in [
            ("eth0", 2, Some("192.0.2.2")),
            ("169.254.1.1", 2, Some("169.254.1.1")),
            ("eth1", 3, None),
            ("eth2", 4, Some("169.254.2.2")),
        ] {
            let found = named(&all, name).unwrap();
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!((found.index, found.v4), (Some(index), address), "{name}");
            assert_eq!(found.v4().is_ok(), address.is_some(), "{name}");
        }
        let refused = named(&all, "eth3").unwrap_err().to_string();
        assert_eq!(refused, "there is no such interface");
    }
}
