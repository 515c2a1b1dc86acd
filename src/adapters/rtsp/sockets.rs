//! The two UDP sockets of all sessions, for RTP and for RTCP, and whose datagrams come in there.
//!
//! A datagram belongs to the connection that has claimed its source: the far end of that connection with a port
//! that it named. All others are passed over.

use crate::net::udp::{Batch, Socket};
use bytes::Bytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Datagrams that may wait for one connection; those beyond are lost.
pub(super) const QUEUE: usize = 2_048;

/// How often two free ports side by side are looked for.
const ATTEMPTS: usize = 64;

/// A datagram for a connection.
#[derive(Debug)]
pub(super) struct Received {
    /// Of which section.
    pub(super) section: usize,
    /// Whether it came to the socket for RTCP.
    pub(super) control: bool,
    /// What it holds.
    pub(super) bytes: Bytes,
}

/// Where those of a connection go. In boxes: a channel has room for some in advance, and most players send nothing.
pub(super) type Inbox = mpsc::Sender<Box<Received>>;

/// Both sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) rtp: Socket,
    pub(super) rtcp: Socket,
    claims: Mutex<HashMap<(SocketAddr, bool), Owner>>,
}

#[derive(Debug)]
struct Owner {
    section: usize,
    inbox: Inbox,
}

/// The sources that a connection has claimed; they are free again when this is dropped.
#[derive(Debug)]
pub(super) struct Claims {
    sockets: Arc<Sockets>,
    sources: Vec<(SocketAddr, bool)>,
}

impl Sockets {
    /// Binds the address for RTP and the next port for RTCP; any two side by side for port 0, the first of them even
    /// (RFC 3550 section 11).
    ///
    /// # Errors
    /// What the system said, with the address.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let any = address.port() == 0;
        let mut attempts = if any { ATTEMPTS } else { 1 };
        let (rtp, rtcp) = loop {
            let rtp = Socket::bind(address)?;
            let port = rtp.address().port();
            let second = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
            attempts -= 1;
            let is_odd = any && port % 2 == 1;
            match Socket::bind(SocketAddr::new(address.ip(), second)) {
                Ok(rtcp) if !is_odd => break (rtp, rtcp),
                Err(error) if attempts == 0 => return Err(error),
                _ if attempts == 0 => return Err(io::ErrorKind::AddrNotAvailable.into()),
                _ => {}
            }
        };
        Ok(Self {
            rtp,
            rtcp,
            claims: Mutex::default(),
        })
    }

    /// The ports for RTP and RTCP.
    pub(super) const fn ports(&self) -> (u16, u16) {
        (self.rtp.address().port(), self.rtcp.address().port())
    }

    /// Claims sources: section, address, and whether it sends RTCP. None if one of them is another connection's.
    pub(super) fn claim(
        self: &Arc<Self>,
        sources: &[(usize, SocketAddr, bool)],
        inbox: &Inbox,
    ) -> Option<Claims> {
        let mut claimed = Claims {
            sockets: self.clone(),
            sources: Vec::new(),
        };
        for (section, address, control) in sources {
            match self.lock().entry((*address, *control)) {
                Entry::Occupied(_) => return None,
                Entry::Vacant(free) => free.insert(Owner {
                    section: *section,
                    inbox: inbox.clone(),
                }),
            };
            claimed.sources.push((*address, *control));
        }
        Some(claimed)
    }

    /// Sends one datagram of RTCP. What the network does not take is lost.
    pub(super) fn send_control(&self, source: IpAddr, destination: SocketAddr, contents: &[u8]) {
        let batch = Batch {
            source,
            destination,
            contents,
            segment_size: None,
        };
        self.rtcp.send(&batch, 0);
    }

    /// Takes datagrams in for ever.
    pub(super) async fn receive(self: Arc<Self>) {
        tokio::join!(
            self.receive_on(&self.rtp, false),
            self.receive_on(&self.rtcp, true)
        );
    }

    async fn receive_on(&self, socket: &Socket, control: bool) {
        let mut buffer = Vec::new();
        loop {
            let take = |datagram: crate::net::udp::Datagram| {
                if let Some(owner) = self.lock().get(&(datagram.source, control)) {
                    // One that is too slow loses datagrams, as it would on the way.
                    let _ = owner.inbox.try_send(Box::new(Received {
                        section: owner.section,
                        control,
                        bytes: datagram.bytes,
                    }));
                }
            };
            if let Err(error) = socket.receive(&mut buffer, take).await {
                tracing::debug!(%error, "cannot receive on a socket of RTSP");
                tokio::task::yield_now().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(SocketAddr, bool), Owner>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let mut claims = self.sockets.lock();
        for source in &self.sources {
            claims.remove(source);
        }
    }
}

/// The address that the system chooses to send from.
pub(super) const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[tokio::test]
    async fn datagrams_reach_who_claimed_their_source_and_nobody_else() {
        let sockets = Arc::new(Sockets::bind("127.0.0.1:0".parse().unwrap()).unwrap());
        tokio::spawn(sockets.clone().receive());
        let [known, unknown] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let source = known.local_addr().unwrap();
        let (inbox, mut received) = mpsc::channel(QUEUE);
        let claims = sockets.claim(&[(1, source, false)], &inbox).unwrap();
        assert!(sockets.claim(&[(0, source, false)], &inbox).is_none());
        unknown.send_to(b"stray", sockets.rtp.address()).unwrap();
        // Its source has been claimed for RTP alone.
        known.send_to(b"stray", sockets.rtcp.address()).unwrap();
        known.send_to(b"ours", sockets.rtp.address()).unwrap();
        let found = received.recv().await.unwrap();
        assert_eq!(
            (found.section, found.control, &found.bytes[..]),
            (1, false, &b"ours"[..])
        );
        drop(claims);
        assert!(sockets.claim(&[(0, source, false)], &inbox).is_some());
    }
}
