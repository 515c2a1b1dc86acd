//! A UDP socket for many peers: many datagrams with one system call, where the system can do that.
//!
//! The runtime is asked about reading alone. It would otherwise be woken by every datagram that has left, for
//! there is room again then, and that costs more than the sending.

use bytes::Bytes;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Ipv6DontFrag;
use quinn_udp::{RecvMeta, UdpSocketState};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use socket2::{Domain, Protocol, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes that the system is asked to hold in each direction; it may allow less.
const BUFFER: usize = 4 << 20;

/// Most bytes of datagrams that the system puts together because they come from one sender to one address.
const RECEIVE: usize = 64 << 10;

/// How many of those are taken with one system call.
pub(super) const TOGETHER: usize = 8;

/// How long a full socket is left alone when the system cannot tell when there is room.
const FULL: Duration = Duration::from_millis(5);

/// A bound socket. All addresses that go in and out of it are canonical: IPv4 is written as IPv4.
#[derive(Debug)]
pub struct Socket {
    inner: Arc<UdpSocket>,
    /// Once it has been waited for.
    registered: OnceLock<AsyncFd<Arc<UdpSocket>>>,
    state: UdpSocketState,
    address: SocketAddr,
}

/// Datagrams to be sent to one peer.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The address of this machine they are sent from; unspecified where the system may choose.
    pub source: IpAddr,
    /// Where they go.
    pub destination: SocketAddr,
    /// All of them, one after the other.
    pub contents: &'a [u8],
    /// The size of each but the last, which may be shorter; one datagram without.
    pub segment_size: Option<usize>,
}

/// Datagrams that came together from one sender.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals<'a> {
    /// Where they came from.
    pub source: SocketAddr,
    /// The address of this machine they were sent to.
    pub destination: SocketAddr,
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Arrivals<'a> {
    /// One by one, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.stride.max(1))
    }
}

/// A received datagram.
#[derive(Debug)]
pub struct Datagram {
    /// When it was taken from the system.
    pub at: Instant,
    /// Where it came from.
    pub source: SocketAddr,
    /// The address of this machine it was sent to.
    pub destination: SocketAddr,
    /// What it holds.
    pub bytes: Bytes,
}

impl Socket {
    /// Binds the address. The IPv6 wildcard takes IPv4 as well, and becomes the IPv4 wildcard where the
    /// machine has no IPv6.
    ///
    /// # Errors
    /// What the system said, with the address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let wildcard = address.is_ipv6() && address.ip().is_unspecified();
        let bound = match bind(address) {
            Err(_) if wildcard => bind((Ipv4Addr::UNSPECIFIED, address.port()).into()),
            result => result,
        };
        bound.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    }

    /// A bound socket that does not block.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self {
            state: state(&socket)?,
            address: socket.local_addr()?,
            inner: Arc::new(socket),
            registered: OnceLock::new(),
        })
    }

    /// As many routers pass on what is sent to a group.
    ///
    /// # Errors
    /// What the system said.
    pub fn set_multicast_ttl(&self, ttl: u8) -> io::Result<()> {
        socket2::SockRef::from(&*self.inner).set_multicast_ttl_v4(ttl.into())
    }

    /// Where it is bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until there is room to send.
    pub async fn writable(&self) {
        // Registered for as long as it is waited for.
        let socket = self.inner.try_clone();
        match socket.and_then(tokio::net::UdpSocket::from_std) {
            // An error shows itself when something is sent.
            Ok(socket) => drop(socket.writable().await),
            Err(_) => tokio::time::sleep(FULL).await,
        }
    }

    /// Sends as much of this as fits, and gives how many bytes of `contents` that was: all, unless the
    /// socket is full. What the network refuses counts as sent, as anything that gets lost later does.
    pub fn send(&self, transmit: &Batch<'_>, from: usize) -> usize {
        let length = transmit.contents.len();
        let segment = transmit.segment_size.unwrap_or(length).max(1);
        let mut batch = segment.saturating_mul(self.state.max_gso_segments().max(1));
        let mut sent = from;
        while let Some(rest) = transmit
            .contents
            .get(sent..)
            .filter(|rest| !rest.is_empty())
        {
            let part = rest.get(..batch).unwrap_or(rest);
            let ours = transmit.source;
            let out = quinn_udp::Transmit {
                destination: self.outward(transmit.destination),
                ecn: None,
                contents: part,
                segment_size: (part.len() > segment).then_some(segment),
                src_ip: (!ours.is_unspecified()).then(|| self.outward_ip(ours)),
            };
            match self.state.try_send((&*self.inner).into(), &out) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return sent,
                // The system divides one that is too long for the way, and none of many that it was given together.
                Err(_) if part.len() > segment => {
                    batch = segment;
                    continue;
                }
                Err(error) => {
                    tracing::trace!(peer = %transmit.destination, %error, "cannot send a datagram");
                }
                Ok(()) => {}
            }
            sent += part.len();
        }
        length
    }

    /// Waits for datagrams and gives them to `take`, without delay: [`Inflow`](super::inflow::Inflow) costs less where
    /// there is some time.
    ///
    /// # Errors
    /// What the system said; the socket can be used further.
    pub async fn receive(
        &self,
        buffer: &mut Vec<u8>,
        mut take: impl FnMut(Datagram),
    ) -> io::Result<()> {
        let registered = match self.registered.get() {
            Some(registered) => registered,
            None => {
                let new = self.register()?;
                self.registered.get_or_init(|| new)
            }
        };
        let mut meta = [RecvMeta::default(); TOGETHER];
        let count = registered
            .async_io(Interest::READABLE, |_| self.try_receive(buffer, &mut meta))
            .await?;
        let at = Instant::now();
        for arrivals in self.arrivals(buffer, meta.get(..count).unwrap_or_default()) {
            for datagram in arrivals.iter() {
                take(Datagram {
                    at,
                    source: arrivals.source,
                    destination: arrivals.destination,
                    bytes: Bytes::copy_from_slice(datagram),
                });
            }
        }
        Ok(())
    }

    /// Has the runtime woken when something comes.
    pub(super) fn register(&self) -> io::Result<AsyncFd<Arc<UdpSocket>>> {
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe, for types that change their descriptor, which this one does not"
        )]
        AsyncFd::with_interest(self.inner.clone(), Interest::READABLE)
    }

    /// Takes datagrams that are there with one system call: what they hold lies in `buffer`, and `meta` says what is
    /// where, for as many as are counted.
    pub(super) fn try_receive(
        &self,
        buffer: &mut Vec<u8>,
        meta: &mut [RecvMeta; TOGETHER],
    ) -> io::Result<usize> {
        if buffer.len() < TOGETHER * RECEIVE {
            // What is not written to takes no memory.
            *buffer = vec![0; TOGETHER * RECEIVE];
        }
        let (parts, _) = buffer.as_chunks_mut::<RECEIVE>();
        let mut parts = parts.iter_mut();
        let mut slices: [IoSliceMut<'_>; TOGETHER] = std::array::from_fn(|_| {
            let part: &mut [u8] = parts.next().map_or(&mut [], |part| part);
            IoSliceMut::new(part)
        });
        self.state.recv((&*self.inner).into(), &mut slices, meta)
    }

    /// What [`Self::try_receive`] has put there.
    pub(super) fn arrivals<'a>(
        &self,
        buffer: &'a [u8],
        meta: &'a [RecvMeta],
    ) -> impl Iterator<Item = Arrivals<'a>> + use<'a> {
        let bound = self.address;
        let parts = meta.iter().zip(buffer.chunks(RECEIVE));
        parts.map(move |(meta, part)| {
            let ip = meta.dst_ip.unwrap_or_else(|| bound.ip());
            Arrivals {
                source: SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port()),
                destination: SocketAddr::new(ip.to_canonical(), bound.port()),
                bytes: part.get(..meta.len).unwrap_or_default(),
                stride: meta.stride,
            }
        })
    }

    /// As this socket wants it.
    fn outward(&self, address: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.outward_ip(address.ip()), address.port())
    }

    const fn outward_ip(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) if self.address.is_ipv6() => IpAddr::V6(Ipv4Addr::to_ipv6_mapped(&ip)),
            ip => ip,
        }
    }

    /// Whether datagrams of this family reach it.
    pub fn takes(&self, ip: IpAddr) -> bool {
        match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => ip.is_ipv4(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => true,
            own => own == ip,
        }
    }
}

/// What sends and receives by a socket many datagrams at once. It is made for QUIC, which wants none to be divided (RFC 9000
/// section 14); here the system divides those that are too long for the way, as it does for everybody else.
///
/// # Errors
/// What the system said.
pub fn state<S: AsFd>(socket: &S) -> io::Result<UdpSocketState> {
    let state = UdpSocketState::new(socket.into())?;
    // A system that does not know these has not set them.
    let _ = set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT);
    if socket2::SockRef::from(socket).local_addr()?.is_ipv6() {
        let _ = set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::WANT);
        let _ = setsockopt(socket, Ipv6DontFrag, &false);
    }
    Ok(state)
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Less is fewer datagrams that wait, no error.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Socket::new(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn segments_arrive_one_by_one_over_both_families() {
        let server = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let far = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let source = SocketAddr::from((Ipv4Addr::LOCALHOST, server.address().port()));
        let contents: Vec<u8> = (0..250).collect();
        let transmit = Batch {
            source: source.ip(),
            destination: far.address(),
            contents: &contents,
            segment_size: Some(100),
        };
        server.writable().await;
        assert_eq!(server.send(&transmit, 0), 250);
        let (mut buffer, mut got) = (Vec::new(), Vec::new());
        while got.len() < 3 {
            let receive = far.receive(&mut buffer, |datagram| got.push(datagram));
            receive.await.unwrap();
        }
        let sizes: Vec<_> = got.iter().map(|datagram| datagram.bytes.len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert_eq!(got[0].source, source);
        assert_eq!(got[0].destination, far.address());
    }

    #[tokio::test]
    async fn addresses_are_canonical() {
        let server = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.send_to(b"x", ("127.0.0.1", server.address().port()))
            .unwrap();
        let (mut buffer, mut got) = (Vec::new(), Vec::new());
        let receive = server.receive(&mut buffer, |datagram| got.push(datagram));
        receive.await.unwrap();
        assert_eq!(got[0].source, far.local_addr().unwrap());
        let expected = SocketAddr::from((Ipv4Addr::LOCALHOST, server.address().port()));
        assert_eq!(got[0].destination, expected);
    }
}
