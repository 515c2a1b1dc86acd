//! Networks as they are written: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether an address is in it. An address of IPv4 is the same when it is written as one of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let net = text.parse::<IpNet>().ok();
        let net = net.or_else(|| {
            text.parse::<IpAddr>()
                .ok()
                .map(|one| one.to_canonical().into())
        });
        net.map(Self).ok_or_else(|| {
            format!("{text:?} is no network, such as 10.0.0.0/8 or 2001:db8::/32, and no address")
        })
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_what_is_in_them() {
        for (network, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("0.0.0.0/0", "192.0.2.2", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            (" ::1 ", "::1", true),
        ] {
            let range: Cidr = network.parse().unwrap();
            assert_eq!(
                range.contains(address.parse().unwrap()),
                is_in,
                "{network} {address}"
            );
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "::/129",
            "localhost",
            "10.0.0.0/-1",
        ] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }
}
