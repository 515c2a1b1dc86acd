//! Which addresses the server may connect to on somebody's word: a source, a target, and whatever a peer
//! names in its turn.
//!
//! A [`Policy`] judges the address that a name was resolved to, and [`Policy::connect`] connects to that very
//! address, so that a name that is answered differently a moment later (DNS rebinding) gains nothing.
//! [`Policy::check_url`] is the quick answer for whoever sets a URL; what it lets pass is judged all the same
//! when it is connected to.

use super::listen;
use crate::config::Network;
use crate::hub::Current;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Host;

/// Time to find a name's addresses.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for each address to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Where clouds tell a machine its credentials. They are refused whatever the configuration says: nothing
/// there is a stream, and the answers are keys.
const METADATA_V4: [Ipv4Addr; 9] = [
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Azure, Google, Oracle, OpenStack and most others
    Ipv4Addr::new(169, 254, 170, 2),   // AWS, credentials of ECS tasks
    Ipv4Addr::new(169, 254, 170, 23),  // AWS, credentials of EKS pods
    Ipv4Addr::new(169, 254, 0, 23),    // Tencent Cloud
    Ipv4Addr::new(169, 254, 42, 42),   // Scaleway
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
    Ipv4Addr::new(100, 96, 0, 96),     // Volcano Engine
    Ipv4Addr::new(168, 63, 129, 16),   // Azure, host agent
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud Classic
];

/// The same in IPv6.
const METADATA_V6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS, credentials of EKS pods
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // OpenStack
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // Scaleway
];

/// Which addresses may be connected to. Clones share it.
#[derive(Clone, Debug)]
pub struct Policy {
    network: Current<Network>,
}

/// What an address is, where that is why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A cloud tells its machines their credentials there.
    Metadata,
    /// This machine.
    Loopback,
    /// A private or link-local network.
    Private,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the metadata address of a cloud, which is never connected to",
            Self::Loopback => "this machine, which network.loopback excludes",
            Self::Private => "in a private network, which network.private excludes",
        })
    }
}

/// The policy forbids an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {class}")]
pub struct Refused {
    /// Which.
    pub address: IpAddr,
    /// Why.
    pub class: Class,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address that may be connected to.
    #[error("{host} is not connected to: {refused}")]
    Refused {
        /// The name.
        host: String,
        /// About the first of its addresses.
        refused: Refused,
    },
    /// The name could not be looked up.
    #[error("cannot find {host}: {error}")]
    Lookup {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// Name servers are silent.
    #[error("cannot find {0}: its name server does not answer")]
    LookupTimeout(String),
    /// The name exists, without an address.
    #[error("cannot find {0}: it has no address")]
    NoAddress(String),
    /// The last address that was tried did not accept.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The last address that was tried did not answer.
    #[error("cannot connect to {0}: no answer")]
    ConnectTimeout(SocketAddr),
}

impl Policy {
    /// As configured.
    pub fn new(network: Network) -> Self {
        Self {
            network: Current::new(network),
        }
    }

    /// Other networks may be connected to from now on.
    pub fn set(&self, network: Network) {
        self.network.set(network);
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let refuse = |class| Err(Refused { address, class });
        let network = self.network.get();
        // Several forms of IPv6 addresses lead to an IPv4 address.
        let inner = embedded_v4(address);
        if METADATA_V4.iter().any(|known| inner == Some(*known))
            || METADATA_V6.iter().any(|known| address == *known)
        {
            return refuse(Class::Metadata);
        }
        let meant = inner.map_or(address, IpAddr::V4);
        if !network.loopback && (meant.is_loopback() || meant.is_unspecified()) {
            return refuse(Class::Loopback);
        }
        if !network.private && is_private(meant) {
            return refuse(Class::Private);
        }
        Ok(())
    }

    /// Whether a URL, or `[user[:password]@]host[:port][/path]`, names a forbidden address. A name passes: it
    /// is judged by its address when it is connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check_url(&self, url: &str) -> Result<(), Refused> {
        let rest = url.trim();
        let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit('@').next().unwrap_or_default();
        let host = match place.find(']') {
            Some(end) => place.get(..=end).unwrap_or_default(),
            None => place.split(':').next().unwrap_or_default(),
        };
        // It knows the forms that the system takes for addresses as well: 0xa9fea9fe, 2852039166, 127.1.
        match Host::parse(host) {
            Ok(Host::Ipv4(address)) => self.check(address.into()),
            Ok(Host::Ipv6(address)) => self.check(address.into()),
            Ok(Host::Domain(_)) | Err(_) => Ok(()),
        }
    }

    /// The addresses of a name that may be connected to, in the system's order; at least one.
    ///
    /// # Errors
    /// When there is none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        self.admit(host, tokio::net::lookup_host((host, port)))
            .await
    }

    /// Connects to the first address of a name that accepts. The connection is given up when the far side
    /// acknowledges nothing for the time of `stalled`.
    ///
    /// # Errors
    /// When no address may be connected to, or none accepts.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        stalled: Duration,
    ) -> Result<TcpStream, ConnectError> {
        let addresses = self.resolve(host, port).await?;
        connect(host, addresses, stalled).await
    }

    async fn admit<A: Iterator<Item = SocketAddr>>(
        &self,
        host: &str,
        lookup: impl Future<Output = io::Result<A>>,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = || host.to_owned();
        let found = timeout(LOOKUP_TIMEOUT, lookup)
            .await
            .map_err(|_| ConnectError::LookupTimeout(host()))?
            .map_err(|error| ConnectError::Lookup {
                host: host(),
                error,
            })?;
        let mut first_refused = None;
        let mut admitted = Vec::new();
        for address in found {
            match self.check(address.ip()) {
                Ok(()) if admitted.len() < MAX_ADDRESSES => admitted.push(address),
                Ok(()) => break,
                Err(refused) => drop(first_refused.get_or_insert(refused)),
            }
        }
        match (admitted.is_empty(), first_refused) {
            (false, _) => Ok(admitted),
            (true, Some(refused)) => Err(ConnectError::Refused {
                host: host(),
                refused,
            }),
            (true, None) => Err(ConnectError::NoAddress(host())),
        }
    }
}

async fn connect(
    host: &str,
    addresses: Vec<SocketAddr>,
    stalled: Duration,
) -> Result<TcpStream, ConnectError> {
    let mut failure = ConnectError::NoAddress(host.to_owned());
    for address in addresses {
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let prepared = connected.map(|connected| {
            let socket = connected?;
            listen::prepare_client(&socket, stalled)?;
            Ok(socket)
        });
        match prepared {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => failure = ConnectError::Connect { address, error },
            Err(_) => failure = ConnectError::ConnectTimeout(address),
        }
    }
    Err(failure)
}

/// The IPv4 address that an address is, or leads to: mapped (`::ffff:0:0/96`), compatible (`::/96`),
/// translated (NAT64, `64:ff9b::/96`) or tunnelled (6to4, `2002::/16`).
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let address = match address {
        IpAddr::V4(address) => return Some(address),
        IpAddr::V6(address) => address,
    };
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high > 0 => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

/// Private, shared (carrier-grade NAT) and link-local networks.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_private() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            let site_local =
                address.segments().first().copied().unwrap_or_default() & 0xffc0 == 0xfec0;
            address.is_unique_local() || address.is_unicast_link_local() || site_local
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(loopback: bool, private: bool) -> Policy {
        Policy::new(Network { loopback, private })
    }

    fn class(policy: &Policy, address: &str) -> Option<Class> {
        let refused = policy.check(address.parse().unwrap()).err();
        refused.map(|refused| refused.class)
    }

    #[test]
    fn metadata_addresses_are_refused_whatever_their_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::ffff:100.100.100.200",
        ] {
            let found = class(&policy(true, true), address);
            assert_eq!(found, Some(Class::Metadata), "{address}");
        }
        // Where cameras live.
        for address in ["169.254.1.20", "169.254.169.253", "fe80::1", "100.100.1.1"] {
            assert_eq!(class(&policy(true, true), address), None, "{address}");
        }
    }

    #[test]
    fn loopback_and_private_networks_are_as_configured() {
        let cases = [
            (Class::Loopback, "127.0.0.1"),
            (Class::Loopback, "127.9.9.9"),
            (Class::Loopback, "0.0.0.0"),
            (Class::Loopback, "::1"),
            (Class::Loopback, "::"),
            (Class::Loopback, "::ffff:127.0.0.1"),
            (Class::Private, "10.1.2.3"),
            (Class::Private, "172.31.0.1"),
            (Class::Private, "192.168.0.9"),
            (Class::Private, "100.64.0.1"),
            (Class::Private, "169.254.1.20"),
            (Class::Private, "::ffff:10.1.2.3"),
            (Class::Private, "fc00::1"),
            (Class::Private, "fe80::1"),
            (Class::Private, "fec0::1"),
        ];
        for (expected, address) in cases {
            let strict = class(&policy(false, false), address);
            assert_eq!(strict, Some(expected), "{address}");
            assert_eq!(class(&policy(true, true), address), None, "{address}");
            let half = class(&policy(true, false), address);
            let other = (expected == Class::Private).then_some(Class::Private);
            assert_eq!(half, other, "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert_eq!(class(&policy(false, false), address), None, "{address}");
        }
    }

    #[test]
    fn urls_with_forbidden_addresses_are_refused_at_once() {
        for url in [
            "rtsp://169.254.169.254/latest",
            "rtsp://u:p@169.254.169.254:554",
            "rtsp://u@x:p@169.254.169.254",
            "rtmp://[::ffff:169.254.169.254]/live/key",
            "rtmp://[fd00:ec2::254]:1935/live/key",
            "169.254.169.254",
            "admin:pw@169.254.169.254:80/onvif",
            "http://0xA9FEA9FE/",
            "http://2852039166?x",
            "http://0251.0376.0251.0376#y",
            "http://169.254.43518./",
            " rtsp://169.254.169.254",
        ] {
            let refused = policy(true, true).check_url(url).unwrap_err();
            assert_eq!(refused.class, Class::Metadata, "{url}");
        }
        for url in [
            "rtsp://169.254.1.20/1",
            "rtsp://camera.example/169.254.169.254",
            "rtsp://169.254.169.254@10.0.0.1/",
            "rtmp://127.0.0.1/live/key",
            "demo:",
            "",
        ] {
            assert_eq!(policy(true, true).check_url(url), Ok(()), "{url}");
        }
        let refused = policy(false, true).check_url("rtsp://127.1:8554/a");
        assert_eq!(refused.unwrap_err().class, Class::Loopback);
    }

    async fn resolved(policy: &Policy, answer: &[&str]) -> Result<Vec<String>, String> {
        let addresses: Vec<SocketAddr> = answer
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 554))
            .collect();
        let found = policy
            .admit("cam.example", async { Ok(addresses.into_iter()) })
            .await;
        found
            .map(|found| found.iter().map(|found| found.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        let lax = &policy(true, true);
        let refused = resolved(lax, &["169.254.169.254"]).await.unwrap_err();
        assert_eq!(
            refused,
            "cam.example is not connected to: 169.254.169.254 is the metadata address of a cloud, \
             which is never connected to"
        );
        // What may be connected to is, whatever stands beside it.
        let mixed = resolved(lax, &["fd00:ec2::254", "10.0.0.1"]).await;
        assert_eq!(mixed.unwrap(), ["10.0.0.1"]);
        let strict = resolved(&policy(true, false), &["10.0.0.1"]).await;
        assert!(strict.unwrap_err().contains("network.private"));
        let nothing = resolved(lax, &[]).await.unwrap_err();
        assert_eq!(nothing, "cannot find cam.example: it has no address");
        let many = resolved(lax, &["10.0.0.1"; 9]).await.unwrap();
        assert_eq!(many.len(), MAX_ADDRESSES);
    }

    #[tokio::test]
    async fn the_connection_goes_to_the_address_that_was_judged() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The name exists nowhere: whoever looked it up a second time would find nothing.
        let lookup = async { Ok(std::iter::once(address)) };
        let admitted = policy(true, true).admit("rebinding.invalid", lookup).await;
        let stalled = Duration::from_secs(10);
        let socket = connect("rebinding.invalid", admitted.unwrap(), stalled).await;
        assert_eq!(socket.unwrap().peer_addr().unwrap(), address);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_is_not_waited_for_for_ever() {
        let lookup = std::future::pending::<io::Result<std::iter::Empty<SocketAddr>>>();
        let error = policy(true, true).admit("cam", lookup).await.unwrap_err();
        assert!(error.to_string().contains("name server does not answer"));
    }
}
