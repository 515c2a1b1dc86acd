//! The UDP sockets of a track: two ports side by side, for RTP and for RTCP.

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// How often two free ports side by side are looked for.
const ATTEMPTS: usize = 64;

/// A key frame of a high bit rate comes at once.
const RECEIVE_BUFFER: usize = 4 * 1_024 * 1_024;

/// Sent to the camera's ports, so that firewalls between let its packets pass: an RTP packet without payload, and an
/// empty receiver report.
const OPENERS: [&[u8]; 2] = [
    &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0x80, 201, 0, 1, 0, 0, 0, 0],
];

/// Both sockets of a track.
#[derive(Debug)]
pub(super) struct Ports {
    sockets: [UdpSocket; 2],
    /// Whose datagrams are taken; of a group anyone's.
    from: Vec<IpAddr>,
    /// Where the camera's reports come from, and ours go to.
    far: [Option<SocketAddr>; 2],
}

/// Which track a datagram is of, whether it is RTCP, and how long it is.
pub(super) type Received = (usize, bool, usize);

impl Ports {
    /// Two ports of this address of ours, the first of them even (RFC 3550 section 11).
    ///
    /// # Errors
    /// When the system has none.
    pub(super) fn bind(local: IpAddr) -> io::Result<Self> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for _ in 0..ATTEMPTS {
            let any = bound(SocketAddr::new(local, 0), false)?;
            let port = any.local_addr()?.port();
            let pair = match port % 2 {
                0 => bound(SocketAddr::new(local, port.saturating_add(1)), false)
                    .map(|odd| [any, odd]),
                _ => bound(SocketAddr::new(local, port - 1), false).map(|even| [even, any]),
            };
            match pair {
                Ok(sockets) => {
                    return Ok(Self {
                        sockets,
                        from: Vec::new(),
                        far: [None; 2],
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The ports of a group, joined on the interface with this address of ours.
    ///
    /// # Errors
    /// When the group cannot be joined.
    pub(super) fn join(local: IpAddr, group: IpAddr, ports: [u16; 2]) -> io::Result<Self> {
        let socket = |port| -> io::Result<UdpSocket> {
            // Bound to the group itself, so that nothing else comes in.
            let socket = bound(SocketAddr::new(group, port), true)?;
            match (group, local) {
                (IpAddr::V4(group), IpAddr::V4(local)) => socket.join_multicast_v4(group, local)?,
                (IpAddr::V4(group), _) => socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?,
                (IpAddr::V6(group), _) => socket.join_multicast_v6(&group, 0)?,
            }
            Ok(socket)
        };
        let [rtp, rtcp] = ports;
        Ok(Self {
            sockets: [socket(rtp)?, socket(rtcp)?],
            from: Vec::new(),
            far: [None; 2],
        })
    }

    /// The numbers of both ports.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn numbers(&self) -> io::Result<[u16; 2]> {
        let [rtp, rtcp] = &self.sockets;
        Ok([rtp.local_addr()?.port(), rtcp.local_addr()?.port()])
    }

    /// The camera sends from one of these addresses, and from these ports, 0 where they are not known. What others
    /// send is not taken from now on. Reports go to the last address.
    pub(super) async fn open(&mut self, from: Vec<IpAddr>, ports: [u16; 2]) {
        let Some(to) = from.last().copied() else {
            return;
        };
        self.from = from;
        for ((socket, far), (port, opener)) in self
            .sockets
            .iter()
            .zip(&mut self.far)
            .zip(ports.into_iter().zip(OPENERS))
        {
            if port > 0 {
                let address = SocketAddr::new(to, port);
                *far = Some(address);
                // It is as good as lost on the way.
                let _ = socket.send_to(opener, address).await;
            }
        }
    }

    /// Sends RTCP to the camera, which may be lost.
    pub(super) async fn report(&self, report: &[u8]) {
        let ([_, socket], [_, far]) = (&self.sockets, self.far);
        if let Some(far) = far {
            let _ = socket.send_to(report, far).await;
        }
    }
}

/// The next datagram of any track. Safe to cancel; never ends where there are no ports.
pub(super) async fn receive(ports: &[Option<Ports>], buffer: &mut [u8]) -> io::Result<Received> {
    std::future::poll_fn(|context| {
        for (track, pair) in ports.iter().enumerate() {
            let Some(pair) = pair else {
                continue;
            };
            for (socket, control) in pair.sockets.iter().zip([false, true]) {
                loop {
                    let mut into = ReadBuf::new(buffer);
                    let from = match socket.poll_recv_from(context, &mut into) {
                        Poll::Pending => break,
                        // An answer that a port of the camera's is closed, to a report of ours.
                        Poll::Ready(Err(error))
                            if error.kind() == io::ErrorKind::ConnectionRefused =>
                        {
                            continue;
                        }
                        ready => ready!(ready)?,
                    };
                    let from = from.ip().to_canonical();
                    if pair.from.is_empty() || pair.from.contains(&from) {
                        return Poll::Ready(Ok((track, control, into.filled().len())));
                    }
                }
            }
        }
        Poll::Pending
    })
    .await
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if shared {
        // Others on this machine may listen to the group too.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    // The system gives what it allows.
    let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}
