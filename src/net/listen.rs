//! Listening sockets, and accepting from them for ever.

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// A TCP listener on `address`. An IPv6 wildcard takes IPv4 as well, and becomes the IPv4 wildcard where
/// the machine has no IPv6.
///
/// # Errors
/// What the system said to the socket, its options, or the address, which is named.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match bind(address) {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && lacks_ipv6(&error) => {
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    };
    listener.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    ) || error.raw_os_error() == Some(97) // EAFNOSUPPORT
}

/// The next connection, without Nagle's delay and with keep-alive probes. No error of `accept` ends the
/// listener: out of descriptors or memory, it waits a little, longer each time, and tries again.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Err(error) = prepare(&socket) {
                    tracing::debug!(%peer, %error, "a new connection was gone at once");
                    continue;
                }
                return (socket, canonical(peer));
            }
            Err(error) => {
                tracing::warn!(%error, retry_in = ?pause, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// What the system keeps of a connection beyond what is on its way. By itself it takes megabytes for a far side that reads
/// slowly, which would then be shown what is a quarter of a minute old before anything is passed over.
const UNSENT: u32 = 256 << 10;

/// Prepares a connection that was made from here: it is given up when the far side acknowledges nothing for
/// the time of `stalled`.
///
/// # Errors
/// What the system says of the socket.
pub fn prepare_client(socket: &TcpStream, stalled: Duration) -> io::Result<()> {
    prepare(socket)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_user_timeout(Some(stalled))
}

/// The address with an IPv4 address written as such, also where it came through an IPv6 socket.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
