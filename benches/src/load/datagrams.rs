//! Readers of datagrams: what those by WHEP and those of the floor have in common, and the latter.

use super::Shared;
use super::pictures::Pictures;
use super::viewer::Viewer;
use crate::error::{Context as _, Result};
use crate::floor::udp;
use rtc_crypto::AeadAlgorithm;
use socket2::{Domain, Type};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// Bytes that the system is asked to hold for a reader: the readers take turns on one core.
const BUFFER: usize = 4 << 20;

/// How long a reader of the floor waits before it asks again.
const AGAIN: Duration = Duration::from_millis(200);

/// A socket for datagrams to and from `server`.
pub(super) async fn connect(server: SocketAddr) -> Result<UdpSocket> {
    let socket = open(server)?;
    let connected = socket.connect(server).await;
    connected.context("cannot open a UDP socket")?;
    Ok(socket)
}

/// A socket for datagrams from anywhere on the side of `server`. Datagrams come out of it one by one, as browsers
/// read them.
pub(super) fn open(server: SocketAddr) -> Result<UdpSocket> {
    let what = "cannot open a UDP socket";
    let socket = socket2::Socket::new(Domain::for_address(server), Type::DGRAM, None);
    let socket = socket.context(what)?;
    socket.set_nonblocking(true).context(what)?;
    // Less is fewer datagrams that wait: what is lost is counted.
    let _ = socket.set_recv_buffer_size(BUFFER);
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .context(what)?;
    UdpSocket::from_std(socket.into()).context(what)
}

/// Waits for datagrams until `due` at most, and passes on all that are there.
pub(super) async fn receive(
    shared: &Shared,
    socket: &UdpSocket,
    due: Instant,
    take: impl FnMut(&mut [u8]) -> Result<()>,
) -> Result<()> {
    if let Ok(ready) = tokio::time::timeout_at(due.into(), socket.readable()).await {
        ready.context("the socket broke")?;
    }
    drain(shared, socket, take)
}

/// Passes on all datagrams that are there.
pub(super) fn drain(
    shared: &Shared,
    socket: &UdpSocket,
    mut take: impl FnMut(&mut [u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = shared.buffer.borrow_mut();
    loop {
        match socket.try_recv(&mut buffer) {
            Ok(count) => {
                shared.tally.bytes(count);
                take(buffer.get_mut(..count).unwrap_or_default())?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("the socket broke"),
        }
    }
}

/// Takes what the floor sends, encrypted or not.
pub(super) async fn take(shared: &Shared, secret: bool) -> Result<()> {
    let mut pictures = Pictures::new(Viewer::new(&shared.tally));
    let socket = connect(shared.address).await?;
    let port = socket
        .local_addr()
        .context("a socket has no address")?
        .port();
    // A key of its own, as each viewer has.
    let key = u128::from(port).to_be_bytes();
    let provider = rtc_crypto::default_provider().context("no cipher")?;
    let cipher = provider
        .crypto()
        .new_aead(AeadAlgorithm::Aes128Gcm, &key)
        .context("no cipher")?;
    let mut cipher = secret.then_some(cipher);
    let hello = if secret { &key[..] } else { &[0] };
    let mut silent = true;
    loop {
        if silent {
            socket.send(hello).await.context("cannot reach the floor")?;
        }
        receive(shared, &socket, Instant::now() + AGAIN, |datagram| {
            silent = false;
            if let Some(cipher) = &mut cipher {
                let plain = udp::open(cipher.as_mut(), datagram)?;
                pictures.packet(plain);
            } else {
                pictures.packet(datagram);
            }
            Ok(())
        })
        .await?;
    }
}
