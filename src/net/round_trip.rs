//! How long the way to the far end of a TCP connection and back is, as the system has measured it.
//!
//! Linux tells it of any connection of this network namespace to whoever asks by both addresses (`sock_diag(7)`), so
//! that nothing has to be kept with the socket, or asked while media flows. Elsewhere it is not known.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// The two ends of a connection: ours, and the far one.
pub type Ends = (SocketAddr, SocketAddr);

/// Both ends of a connection, if it has any more.
pub fn ends(socket: &TcpStream) -> Option<Ends> {
    Some((socket.local_addr().ok()?, socket.peer_addr().ok()?))
}

/// `SOCK_DIAG_BY_FAMILY`, of a request and of its answer.
const BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;

/// `INET_DIAG_INFO`: what is asked for, and the type of the attribute that has it.
const INFO: u8 = 2;

/// Bytes before the attributes of an answer: `struct nlmsghdr`, `struct inet_diag_msg`.
const HEADERS: usize = 16 + 72;

/// Where `tcpi_rtt` is in `struct tcp_info`, in microseconds.
const ROUND_TRIP: usize = 68;

/// The smoothed round trip time of a connection, if there is such a connection and it has been measured.
pub fn of(ends: Ends) -> Option<Duration> {
    let mut answer = [0; 1_024];
    let length = ask(&request(ends), &mut answer)?;
    read(answer.get(..length)?)
}

#[cfg(target_os = "linux")]
fn ask(request: &[u8], answer: &mut [u8]) -> Option<usize> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
        socket_with,
    };
    let kind = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let family = AddressFamily::NETLINK;
    let socket = socket_with(family, kind.0, kind.1, Some(netlink::SOCK_DIAG)).ok()?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&socket, request, SendFlags::empty(), &kernel).ok()?;
    // The kernel has answered before the request returns.
    let (length, _) = recv(&socket, answer, RecvFlags::DONTWAIT).ok()?;
    Some(length)
}

#[cfg(not(target_os = "linux"))]
fn ask(_request: &[u8], _answer: &mut [u8]) -> Option<usize> {
    None
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`, the numbers in the machine's order but for ports and addresses.
fn request((local, peer): Ends) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mut request = Vec::with_capacity(LENGTH as usize);
    request.extend(LENGTH.to_ne_bytes());
    request.extend(BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST.to_ne_bytes());
    // Sequence number and port, which matter to who asks several things.
    request.extend([0; 8]);
    let family = match local.ip() {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    };
    // AF_INET or AF_INET6, IPPROTO_TCP, the attribute that is wanted, padding.
    request.extend([family, 6, 1 << (INFO - 1), 0]);
    // In any state.
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(local.port().to_be_bytes());
    request.extend(peer.port().to_be_bytes());
    for end in [local, peer] {
        match end.ip() {
            IpAddr::V4(address) => {
                request.extend(address.octets());
                request.extend([0; 12]);
            }
            IpAddr::V6(address) => request.extend(address.octets()),
        }
    }
    // On any interface, whatever its cookie.
    request.extend(0u32.to_ne_bytes());
    request.extend([0xff; 8]);
    request
}

/// The time in an answer.
fn read(answer: &[u8]) -> Option<Duration> {
    let kind = answer.get(4..6)?;
    if u16::from_ne_bytes(kind.try_into().ok()?) != BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADERS..)?;
    loop {
        let (head, rest) = attributes.split_at_checked(4)?;
        let length = u16::from_ne_bytes(head.get(..2)?.try_into().ok()?);
        let kind = u16::from_ne_bytes(head.get(2..)?.try_into().ok()?);
        let length = usize::from(length).checked_sub(4)?;
        let value = rest.get(..length)?;
        if kind == u16::from(INFO) {
            let micros = value.get(ROUND_TRIP..ROUND_TRIP + 4)?;
            let micros = u32::from_ne_bytes(micros.try_into().ok()?);
            return (micros > 0).then(|| Duration::from_micros(micros.into()));
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_connection_has_been_measured_and_no_other_is() {
        for place in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(place) else {
                // A machine without IPv6.
                continue;
            };
            let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            for _ in 0..10 {
                near.write_all(b"x").unwrap();
                far.read_exact(&mut [0]).unwrap();
            }
            let ends = (near.local_addr().unwrap(), near.peer_addr().unwrap());
            let measured = of(ends).unwrap();
            assert!(measured < Duration::from_secs(1), "{measured:?}");
            let other = SocketAddr::new(ends.0.ip(), 1);
            assert_eq!(of((other, ends.1)), None);
        }
    }

    #[test]
    fn answers_are_bounded_by_what_they_are() {
        let mut answer = vec![0; HEADERS];
        answer[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        // Another attribute of five bytes, and the one that is looked for.
        for (kind, value) in [(8u16, vec![1; 5]), (2, vec![7; 100])] {
            answer.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            answer.extend(kind.to_ne_bytes());
            answer.extend(&value);
            answer.resize(answer.len().next_multiple_of(4), 0);
        }
        let expected = Duration::from_micros(u64::from(u32::from_ne_bytes([7; 4])));
        assert_eq!(read(&answer), Some(expected));
        for length in 0..HEADERS + 12 + 4 + 72 {
            assert_eq!(read(&answer[..length]), None, "{length}");
        }
        answer[HEADERS] = 0;
        assert_eq!(read(&answer), None);
    }
}
