//! The network interfaces of this machine, and their addresses.

pub use if_addrs::{IfAddr, Interface};

use std::io;
use std::net::IpAddr;

/// Every address of every interface, those of the link alone included: without its zone such a one is of no use to others,
/// but an interface may have no other.
///
/// # Errors
/// What the system said.
pub fn every() -> io::Result<Vec<Interface>> {
    if_addrs::get_if_addrs()
}

/// The addresses that others may be told: those of the link alone are left out.
///
/// # Errors
/// What the system said.
pub fn routed() -> io::Result<Vec<Interface>> {
    let mut all = every()?;
    all.retain(|interface| !is_link_local(interface.ip()));
    Ok(all)
}

/// Whether an address is good on one link alone.
pub const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether an address is in the network of one of the interfaces, or of this machine.
pub fn is_near(interfaces: &[Interface], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_in = |interface: &Interface| match (&interface.addr, ip) {
        (IfAddr::V4(own), IpAddr::V4(ip)) => {
            let mask = own.netmask.to_bits();
            mask != 0 && own.ip.to_bits() & mask == ip.to_bits() & mask
        }
        (IfAddr::V6(own), IpAddr::V6(ip)) => {
            let mask = own.netmask.to_bits();
            mask != 0 && own.ip.to_bits() & mask == ip.to_bits() & mask
        }
        _ => false,
    };
    ip.is_loopback() || is_link_local(ip) || interfaces.iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    fn interface(addr: IfAddr) -> Interface {
        Interface {
            name: "eth0".to_owned(),
            addr,
            index: Some(2),
            oper_status: IfOperStatus::Up,
        }
    }

    #[test]
    fn who_is_near() {
        let v4 = IfAddr::V4(Ifv4Addr {
            ip: "192.0.2.2".parse().unwrap(),
            netmask: "255.255.255.0".parse().unwrap(),
            prefixlen: 24,
            broadcast: None,
        });
        let v6 = IfAddr::V6(Ifv6Addr {
            ip: "fd00::2".parse().unwrap(),
            netmask: "ffff:ffff:ffff:ffff::".parse().unwrap(),
            prefixlen: 64,
            broadcast: None,
        });
        let all = [interface(v4), interface(v6)];
        for (ip, expected) in [
            ("192.0.2.77", true),
            ("::ffff:192.0.2.77", true),
            ("192.0.3.77", false),
            ("127.0.0.5", true),
            ("169.254.1.1", true),
            ("fd00::77", true),
            ("fd00:0:0:1::77", false),
            ("fe80::1", true),
            ("::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(&all, ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn others_are_told_no_address_of_a_link() {
        let routed = routed().unwrap();
        assert!(
            routed
                .iter()
                .all(|interface| !is_link_local(interface.ip()))
        );
        assert!(every().unwrap().len() >= routed.len());
    }
}
