//! The UDP sockets of a track: two ports side by side, for RTP and for RTCP.

use crate::net::udp;
use quinn_udp::{Transmit, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Poll, ready};
use tokio::io::{Interest, ReadBuf};
use tokio::net::UdpSocket;

/// How often two free ports side by side are looked for.
const ATTEMPTS: usize = 64;

/// A key frame of a high bit rate comes at once.
const BUFFER: usize = 4 * 1_024 * 1_024;

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
    /// The far ports: where reports come from, and ours go to; packets, where they are pushed.
    far: [Option<SocketAddr>; 2],
    /// What the system can do with many datagrams at once.
    state: UdpSocketState,
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
                    return Self::new(sockets);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn new(sockets: [UdpSocket; 2]) -> io::Result<Self> {
        let [rtp, _] = &sockets;
        Ok(Self {
            state: udp::state(rtp)?,
            sockets,
            from: Vec::new(),
            far: [None; 2],
        })
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
        Self::new([socket(rtp)?, socket(rtcp)?])
    }

    /// The numbers of both ports.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn numbers(&self) -> io::Result<[u16; 2]> {
        let [rtp, rtcp] = &self.sockets;
        Ok([rtp.local_addr()?.port(), rtcp.local_addr()?.port()])
    }

    /// The far side sends from one of these addresses, and from these ports, 0 where they are not known. What others
    /// send is not taken from now on. What is sent goes to the last address.
    pub(super) fn aim(&mut self, from: Vec<IpAddr>, ports: [u16; 2]) {
        let to = from.last().copied();
        self.far = ports.map(|port| Some(SocketAddr::new(to?, port)).filter(|_| port > 0));
        self.from = from;
    }

    /// Lets the packets of a camera pass that [`aim`](Self::aim) has told of.
    pub(super) async fn open(&self) {
        for ((socket, far), opener) in self.sockets.iter().zip(self.far).zip(OPENERS) {
            if let Some(far) = far {
                // It is as good as lost on the way.
                let _ = socket.send_to(opener, far).await;
            }
        }
    }

    /// Sends packets of one size, of which the last may be shorter, to the far port for RTP. Waits for room; what
    /// the network refuses is lost, as anything may be later.
    pub(super) async fn send(&self, packets: &[u8], size: usize) {
        let ([socket, _], [Some(far), _]) = (&self.sockets, self.far) else {
            return;
        };
        let size = size.max(1);
        for part in packets.chunks(size.saturating_mul(self.state.max_gso_segments().max(1))) {
            let out = Transmit {
                destination: far,
                ecn: None,
                contents: part,
                segment_size: (part.len() > size).then_some(size),
                src_ip: None,
            };
            let sent = socket.async_io(Interest::WRITABLE, || {
                self.state.try_send(socket.into(), &out)
            });
            if let Err(error) = sent.await {
                tracing::trace!(peer = %far, %error, "cannot send a datagram");
            }
        }
    }

    /// Sends RTCP to the far port for it, which may be lost.
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
    let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER);
    let _ = SockRef::from(&socket).set_send_buffer_size(BUFFER);
    Ok(socket)
}
