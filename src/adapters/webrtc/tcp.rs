//! Connections of peers whose network passes no datagrams (ICE-TCP, RFC 6544): accepted on the port of the same number, and
//! from there on as good as datagrams, but that what is sent waits where the network is slow.
//!
//! A connection has a [`Link`], by which sessions send. It is closed when its session ends, or has not answered anything
//! on it for [`ADMISSION`].

use super::router::{Home, Router};
use super::worker::Message;
use crate::net::listen;
use crate::net::udp::{Datagram, Socket};
use bytes::Bytes;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use webrtc::framing::{self, Frames};
use webrtc::stun::Binding;
use webrtc::{Path, Transmit, Transport};

/// A connection has so long to bring a check that a session answers.
const ADMISSION: Duration = Duration::from_secs(10);

/// One on which nothing comes for so long is closed: peers check every few seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// One that takes nothing for so long as well.
const STALLED: Duration = Duration::from_secs(15);

/// Bytes that the system is to hold unsent: what waits there cannot be passed over any more.
const UNSENT: u32 = 64 << 10;

/// Once more waits here, the network is too slow, and pictures are passed over.
const SLOW: usize = 128 << 10;

/// More does not wait: what is beyond is lost, as in a network. An access unit has place above `SLOW`.
const MAX_WAITING: usize = 8 << 20;

/// Ports that are tried where any will do: one has to be free for both.
const TRIES: usize = 20;

/// Binds both, to the same port.
///
/// # Errors
/// What the system said.
pub(super) fn bind(address: SocketAddr) -> io::Result<(Socket, TcpListener)> {
    let mut tries = 0;
    loop {
        let socket = Socket::bind(address)?;
        tries += 1;
        match listen::tcp(socket.address()) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && address.port() == 0
                    && tries < TRIES => {}
            listener => return Ok((socket, listener?)),
        }
    }
}

/// Accepts for ever, and serves so many connections at a time; further ones are closed.
pub(super) async fn accept(listener: TcpListener, router: Arc<Router>, max: usize) {
    let places = Arc::new(Semaphore::new(max));
    loop {
        let (stream, peer) = listen::accept(&listener).await;
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::debug!(%peer, "too many connections for WebRTC");
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let reason = match serve(stream, peer, &router).await {
                Ok(()) => "its session is over".to_owned(),
                Err(reason) => reason,
            };
            tracing::debug!(%peer, reason, "a connection for WebRTC ended");
            drop(place);
        });
    }
}

/// The sending end of a connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// A session has answered.
    is_admitted: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Frames, one behind the other.
    bytes: Vec<u8>,
    /// Bytes that have been taken from there and not been written.
    writing: usize,
    is_closed: bool,
}

impl Link {
    /// Sends what the peer is to get by this connection.
    pub(super) fn send(&self, transmit: &Transmit) {
        let mut waiting = self.lock();
        for datagram in transmit.datagrams() {
            if waiting.bytes.len() + datagram.len() > MAX_WAITING {
                break;
            }
            framing::write(datagram, &mut waiting.bytes);
        }
        drop(waiting);
        self.is_admitted.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Whether the peer takes less than it is sent.
    pub(super) fn is_slow(&self) -> bool {
        let waiting = self.lock();
        waiting.bytes.len() + waiting.writing > SLOW
    }

    /// Ends the connection once what waits is written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written next, in place of what has been; none at the end.
    async fn next(&self, written: &mut Vec<u8>) -> Option<()> {
        written.clear();
        self.lock().writing = 0;
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.bytes.is_empty() {
                    std::mem::swap(&mut waiting.bytes, written);
                    waiting.writing = written.len();
                    return Some(());
                }
                if waiting.is_closed {
                    return None;
                }
                // Nothing is kept for who is sent nothing.
                waiting.bytes = Vec::new();
            }
            *written = Vec::new();
            self.changed.notified().await;
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: &Router) -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    let local = stream.local_addr().map_err(words)?;
    let path = Path {
        transport: Transport::Tcp,
        local: SocketAddr::new(local.ip().to_canonical(), local.port()),
        remote: peer,
    };
    // Where the system does not know it, more waits there.
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
    let link = Arc::new(Link::default());
    let (input, output) = stream.into_split();
    let ended = tokio::select! {
        ended = read(input, path, router, &link) => ended,
        ended = write(output, &link) => ended,
    };
    link.close();
    ended
}

/// Passes on what comes.
async fn read(
    mut input: OwnedReadHalf,
    path: Path,
    router: &Router,
    link: &Arc<Link>,
) -> Result<(), String> {
    let begun = Instant::now();
    let mut frames = Frames::default();
    let mut buffer = vec![0; 4 << 10];
    let mut home: Option<Home> = None;
    loop {
        let is_admitted = link.is_admitted.load(Ordering::Relaxed);
        let left = match is_admitted {
            true => SILENCE,
            false => ADMISSION.saturating_sub(begun.elapsed()),
        };
        let came = timeout(left, input.read(&mut buffer)).await;
        let came = came.map_err(|_| "the peer is silent".to_owned())?;
        let count = came.map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("the peer closed it".to_owned());
        }
        frames.push(buffer.get(..count).unwrap_or_default());
        while let Some(packet) = frames.pull().map_err(|error| error.to_string())? {
            if webrtc::is_stun(&packet) {
                let session = Binding::parse(&packet).ok().and_then(|binding| {
                    let ufrag = binding.session();
                    router.named(ufrag)
                });
                home = session.or(home);
            }
            let Some(home) = &home else { continue };
            let message = Message::Datagram(
                home.ufrag.clone(),
                datagram(path, packet),
                Some(link.clone()),
            );
            // Who is behind makes the peer wait.
            if home.inbox.send(message).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn datagram(path: Path, bytes: Bytes) -> Datagram {
    Datagram {
        at: Instant::now(),
        source: path.remote,
        destination: path.local,
        bytes,
    }
}

/// Writes what is to be sent, until the link is closed.
async fn write(mut output: OwnedWriteHalf, link: &Link) -> Result<(), String> {
    let mut bytes = Vec::new();
    while link.next(&mut bytes).await.is_some() {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let wrote = timeout(STALLED, output.write(rest)).await;
            let wrote = wrote.map_err(|_| "the peer takes nothing".to_owned())?;
            let count = wrote.map_err(|error| error.to_string())?;
            rest = rest.get(count..).unwrap_or_default();
            link.lock().writing = rest.len();
        }
    }
    // A peer that has gone needs no goodbye.
    let _ = output.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmit(size: usize) -> Transmit {
        Transmit {
            path: Path {
                transport: Transport::Tcp,
                local: ([127, 0, 0, 1], 1).into(),
                remote: ([127, 0, 0, 1], 2).into(),
            },
            contents: vec![0x80; size].into(),
            segment_size: Some(1_000),
        }
    }

    #[tokio::test]
    async fn both_have_one_port() {
        let (socket, listener) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(socket.address(), listener.local_addr().unwrap());
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_told() {
        let link = Link::default();
        link.send(&transmit(2_500));
        assert!(!link.is_slow());
        let mut bytes = Vec::new();
        link.next(&mut bytes).await.unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[1]), (2_506, 3, 232));
        for _ in 0..1_000 {
            link.send(&transmit(60_000));
        }
        assert!(link.is_slow() && link.lock().bytes.len() <= MAX_WAITING + 2);
        link.next(&mut bytes).await.unwrap();
        // Taken is not written.
        assert!(link.is_slow());
        link.close();
        assert_eq!(link.next(&mut bytes).await, None);
        assert!(!link.is_slow());
    }
}
