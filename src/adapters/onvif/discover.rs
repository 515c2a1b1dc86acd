//! Looks for cameras on every interface, by IPv4 and IPv6.

use crate::net::interfaces;
use onvif::Random;
use onvif::discovery::{self, Found, GROUP_V4, GROUP_V6, MAX_ANSWER, Match, PORT};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use url::{Host, Url};

/// Questions are asked again after this: datagrams get lost.
const AGAIN: Duration = Duration::from_millis(500);

/// How often they are asked.
const TIMES: u32 = 3;

/// Most interfaces that are asked on.
const MAX_INTERFACES: usize = 64;

/// A camera that was found. Nothing of it is known to be true.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Where it is best asked: `host` or `host:port`, or a URL where it wants HTTPS.
    pub address: String,
    /// What it is called.
    pub name: Option<String>,
    /// Who made it, where it says.
    pub manufacturer: Option<String>,
    /// Its model.
    pub hardware: Option<String>,
    /// The profiles of ONVIF that it claims.
    pub profiles: Vec<String>,
    /// All addresses that it names.
    pub xaddrs: Vec<String>,
    /// What it is known by, whatever its address.
    pub reference: String,
}

/// Asks for so long: the cameras that have answered.
///
/// # Errors
/// When no interface can be asked on.
pub async fn discover(time: Duration) -> io::Result<Vec<Device>> {
    let end = Instant::now() + time;
    let probes = discovery::probes(Random(rand::random()));
    let (answers, mut inbox) = tokio::sync::mpsc::channel(64);
    let mut asking = JoinSet::new();
    let mut failure = None;
    for (socket, group) in sockets(&mut failure) {
        let (probes, answers) = (probes.clone(), answers.clone());
        asking.spawn(async move {
            let _ = ask(&socket, group, &probes, &answers, end).await;
        });
    }
    drop(answers);
    if let Some(error) = failure.filter(|_| asking.is_empty()) {
        return Err(error);
    }
    let mut found = Found::default();
    let mut origins: Vec<(Match, IpAddr)> = Vec::new();
    while let Some((from, matches)) = inbox.recv().await {
        for one in matches {
            if found.take(one.clone()) {
                origins.push((one, from));
            }
        }
    }
    let devices = found.into_devices().into_iter().zip(origins);
    Ok(devices
        .map(|(found, (_, from))| device(found, from))
        .collect())
}

type Answers = tokio::sync::mpsc::Sender<(IpAddr, Vec<Match>)>;

async fn ask(
    socket: &UdpSocket,
    group: SocketAddr,
    probes: &[String],
    answers: &Answers,
    end: Instant,
) -> io::Result<()> {
    let mut datagram = vec![0; MAX_ANSWER];
    let mut next = Instant::now();
    let mut rounds = 0;
    loop {
        tokio::select! {
            () = sleep_until(next), if rounds < TIMES => {
                rounds += 1;
                next += AGAIN;
                for probe in probes {
                    socket.send_to(probe.as_bytes(), group).await?;
                }
            }
            received = timeout_at(end, socket.recv_from(&mut datagram)) => {
                let Ok(received) = received else {
                    return Ok(());
                };
                // Errors are of datagrams that nobody took.
                let Ok((length, from)) = received else { continue };
                let bytes = datagram.get(..length).unwrap_or_default();
                if let Ok(matches) = Match::read(bytes)
                    && answers.send((from.ip(), matches)).await.is_err()
                {
                    return Ok(());
                }
            }
        }
    }
}

/// A socket for each interface, and the group that is asked by it.
fn sockets(failure: &mut Option<io::Error>) -> Vec<(UdpSocket, SocketAddr)> {
    let interfaces = interfaces::every().unwrap_or_else(|error| {
        *failure = Some(error);
        Vec::new()
    });
    let mut seen = BTreeSet::new();
    let mut sockets = Vec::new();
    for interface in interfaces {
        let opened = match (interface.ip(), interface.index) {
            (IpAddr::V4(ip), _) => v4(ip),
            // One for each link is enough, whatever addresses it has.
            (IpAddr::V6(_), Some(index)) if seen.insert(index) => v6(index),
            (IpAddr::V6(_), _) => continue,
        };
        match opened {
            Ok(opened) if sockets.len() < MAX_INTERFACES => sockets.push(opened),
            Ok(_) => break,
            Err(error) => *failure = Some(error),
        }
    }
    sockets
}

fn v4(ip: Ipv4Addr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_ttl_v4(4)?;
    socket.bind(&SocketAddr::from((ip, 0)).into())?;
    let group = SocketAddr::from((GROUP_V4, PORT));
    Ok((opened(socket)?, group))
}

fn v6(index: u32) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    socket.set_multicast_if_v6(index)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into())?;
    let group = std::net::SocketAddrV6::new(GROUP_V6, PORT, 0, index);
    Ok((opened(socket)?, group.into()))
}

fn opened(socket: Socket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Of the addresses that a device names, the one that it answered from is best, then any of IPv4.
fn device(found: Match, from: IpAddr) -> Device {
    let urls = found
        .places
        .iter()
        .filter_map(|place| Url::parse(place).ok());
    let rank = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) if IpAddr::V4(ip) == from => 0,
        Some(Host::Ipv6(ip)) if IpAddr::V6(ip) == from => 0,
        Some(Host::Ipv4(ip)) if !ip.is_link_local() => 1,
        _ => 2,
    };
    let best = urls.min_by_key(rank);
    let address = match &best {
        Some(url) => {
            let place = &url[url::Position::BeforeHost..url::Position::AfterPort];
            match url.scheme() {
                "https" => format!("https://{place}"),
                _ => place.to_owned(),
            }
        }
        None => from.to_string(),
    };
    Device {
        address,
        name: found.name,
        manufacturer: found.maker,
        hardware: found.hardware,
        profiles: found.profiles,
        xaddrs: found.places,
        reference: found.reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_answered_is_best() {
        let cases: [(&[&str], &str); 5] = [
            (
                &[
                    "http://169.254.1.2/o",
                    "http://10.0.0.7:8000/o",
                    "http://10.0.0.5/o",
                ],
                "10.0.0.5",
            ),
            (
                &["http://169.254.1.2/o", "http://10.0.0.7:8000/o"],
                "10.0.0.7:8000",
            ),
            (&["https://10.0.0.5/o"], "https://10.0.0.5"),
            (&["http://[fe80::1]:8000/o"], "[fe80::1]:8000"),
            (&["http://"], "10.0.0.5"),
        ];
        for (places, address) in cases {
            let found = Match {
                places: places.iter().map(|&place| place.to_owned()).collect(),
                ..Match::default()
            };
            let device = device(found, "10.0.0.5".parse().unwrap());
            assert_eq!(device.address, address, "{places:?}");
        }
    }
}
