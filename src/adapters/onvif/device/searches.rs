//! Answers to who looks for cameras, by multicast of IPv4 and IPv6 on every interface, and by unicast; and what is said to
//! everybody at the beginning and at the end.
//!
//! An answer is longer than its question, and a question may pretend to come from anybody: only neighbours are answered,
//! and so many a second.

use super::Identity;
use super::door::place;
use crate::net::interfaces::{self, Interface};
use onvif::Random;
use onvif::discovery::{GROUP_V4, GROUP_V6, PORT};
use onvif::server::discovery::{MAX_QUESTION, Question, Responder};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Interfaces come and go: they are looked at this often.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// Where a socket has an error, the next datagram is waited for after this.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Most interfaces that are listened on, for each version of IP.
const MAX_INTERFACES: usize = 64;

/// Most answers a second.
const MAX_ANSWERS: u32 = 100;

/// Answers until `closing` is cancelled. What goes wrong is told in the log: the device is there all the same.
pub(super) fn serve(identity: &Identity, address: SocketAddr, closing: CancellationToken) {
    let opened = [open_v4(), open_v6()];
    for error in opened.iter().filter_map(|opened| opened.as_ref().err()) {
        tracing::warn!(%error, port = PORT, "cameras are looked for at a port that cannot be listened on");
    }
    let [v4, v6] = opened.map(Result::ok);
    if v4.is_none() && v6.is_none() {
        return;
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let responder = Responder::new(
        identity.reference.clone(),
        identity.scopes.clone(),
        Random(rand::random()),
        since.unwrap_or_default().as_secs(),
    );
    let answering = Answering {
        responder,
        address,
        v4,
        v6,
        interfaces: Vec::new(),
        left: (Instant::now(), 0),
    };
    tokio::spawn(answering.run(closing));
}

/// Says goodbye when it is dropped.
struct Answering {
    responder: Responder,
    /// Where the device listens.
    address: SocketAddr,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    interfaces: Vec<Interface>,
    /// Answers in the second that began then.
    left: (Instant, u32),
}

impl Answering {
    async fn run(mut self, closing: CancellationToken) {
        let mut looking = interval(LOOKED_AT);
        let mut of_v4 = vec![0; MAX_QUESTION + 1];
        let mut of_v6 = vec![0; MAX_QUESTION + 1];
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                _ = looking.tick() => self.look(),
                received = receive(self.v4.as_ref(), &mut of_v4) => {
                    self.answer(received, &of_v4);
                }
                received = receive(self.v6.as_ref(), &mut of_v6) => {
                    self.answer(received, &of_v6);
                }
            }
        }
    }

    /// Listens on all interfaces, and says hello where it did not before.
    fn look(&mut self) {
        let Ok(found) = interfaces::every() else {
            return;
        };
        if found == self.interfaces {
            return;
        }
        let known = std::mem::replace(&mut self.interfaces, found);
        let new: Vec<_> = self
            .interfaces
            .iter()
            .filter(|one| !known.contains(one))
            .cloned()
            .collect();
        for interface in new.iter().take(MAX_INTERFACES) {
            // It may be joined already, by another of its addresses.
            let _ = match (interface.ip(), interface.index) {
                (IpAddr::V4(ip), _) => self
                    .v4
                    .as_ref()
                    .map(|v4| v4.join_multicast_v4(GROUP_V4, ip)),
                (IpAddr::V6(_), Some(index)) => self
                    .v6
                    .as_ref()
                    .map(|v6| v6.join_multicast_v6(&GROUP_V6, index)),
                (IpAddr::V6(_), None) => None,
            };
            let places = self.places(interface.ip(), interface.ip());
            let is_for_them = !self.address.ip().is_loopback() || interface.is_loopback();
            if is_for_them && !places.is_empty() {
                let hello = self.responder.hello(&places);
                self.tell(interface, &hello);
            }
        }
    }

    /// Says something to everybody on an interface. Nobody has to hear it.
    fn tell(&self, interface: &Interface, message: &str) {
        let bytes = message.as_bytes();
        match (interface.ip(), interface.index, &self.v4, &self.v6) {
            (IpAddr::V4(ip), _, Some(socket), _) => {
                let group = SocketAddr::from((GROUP_V4, PORT));
                let socket = SockRef::from(socket);
                let _ = socket.set_multicast_if_v4(&ip);
                let _ = socket.send_to(bytes, &group.into());
            }
            (IpAddr::V6(_), Some(index), _, Some(socket)) => {
                let group = SocketAddrV6::new(GROUP_V6, PORT, 0, index);
                let socket = SockRef::from(socket);
                let _ = socket.set_multicast_if_v6(index);
                let _ = socket.send_to(bytes, &SocketAddr::from(group).into());
            }
            _ => {}
        }
    }

    fn answer(&mut self, (length, from): (usize, SocketAddr), datagram: &[u8]) {
        let bytes = datagram.get(..length).unwrap_or_default();
        let Some(question) = Question::read(bytes) else {
            return;
        };
        if !interfaces::is_near(&self.interfaces, from.ip()) || !self.may_answer() {
            return;
        }
        let Some(own) = own_address(from) else { return };
        let places = self.places(own, from.ip());
        if places.is_empty() {
            return;
        }
        let Some(answer) = self.responder.answer(&question, &places) else {
            return;
        };
        let socket = if from.is_ipv4() { &self.v4 } else { &self.v6 };
        if let Some(socket) = socket {
            // Who did not get it asks again.
            let _ = SockRef::from(socket).send_to(answer.as_bytes(), &from.into());
        }
    }

    fn may_answer(&mut self) -> bool {
        let (since, count) = &mut self.left;
        if since.elapsed() >= Duration::from_secs(1) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        *count <= MAX_ANSWERS
    }

    /// Where somebody reaches the device who reaches this machine at its address `own`.
    fn places(&self, own: IpAddr, from: IpAddr) -> Vec<String> {
        let is_own = |ip: IpAddr| self.interfaces.iter().any(|interface| interface.ip() == ip);
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() && own.is_ipv6() => return Vec::new(),
            ip if ip.is_unspecified() => own,
            ip if ip.is_loopback() && !is_own(from) && !from.is_loopback() => return Vec::new(),
            ip => ip,
        };
        vec![place(SocketAddr::from((ip, self.address.port())))]
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let bye = self.responder.bye();
        for interface in self.interfaces.iter().take(MAX_INTERFACES) {
            self.tell(interface, &bye);
        }
    }
}

/// The next datagram: its length, and whose it is. Never, without a socket.
async fn receive(socket: Option<&UdpSocket>, datagram: &mut [u8]) -> (usize, SocketAddr) {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    loop {
        match socket.recv_from(datagram).await {
            Ok(received) => return received,
            // It is of an answer that nobody took, as a rule.
            Err(_) => sleep(AFTER_ERROR).await,
        }
    }
}

/// The address of this machine that somebody sees.
fn own_address(from: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = match from {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    // Nothing is sent by that.
    socket.connect(from).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn open_v4() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_multicast_ttl_v4(4)?;
    bound(socket, (Ipv4Addr::UNSPECIFIED, PORT).into())
}

fn open_v6() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    bound(socket, (Ipv6Addr::UNSPECIFIED, PORT).into())
}

/// The port is everybody's who answers to searches.
fn bound(socket: Socket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
