//! A session's packets, on a socket of its own.

use super::address::Address;
use super::relay::Relayed;
use super::resource::Resource;
use crate::adapters::Context;
use crate::adapters::webrtc::addresses::interfaces;
use crate::adapters::webrtc::worker::batch;
use crate::net::udp::{Datagram, Socket};
use std::cell::RefCell;
use std::future::pending;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep_until, timeout};
use webrtc::{AudioFormat, VideoFormat, stun};
use webrtc::{
    Candidate, Certificate, Config, Event, Invitation, OfferError, Output, Path, Session,
    Transport, WallClock,
};

/// Addresses of this machine that are offered.
const MAX_OWN: usize = 8;

/// How often, and how long each time, a STUN server is asked where it sees us.
const QUESTIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_millis(400);

/// A session with another server.
pub(super) struct Link {
    pub(super) session: Session,
    socket: Socket,
    buffer: Vec<u8>,
    relayed: Option<Relayed>,
    due: Option<Instant>,
    /// Dropped last, so that the server hears goodbye before.
    _resource: Resource,
}

/// What is offered.
pub(super) type Invite = fn(Config) -> Result<(Invitation, String), OfferError>;

impl Link {
    /// Asks the server for a session. It is not connected yet.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn open(
        address: &Address,
        context: &Context,
        invite: Invite,
        (video, audio): (Option<VideoFormat>, Option<AudioFormat>),
    ) -> Result<Self, String> {
        let socket = Socket::bind((Ipv6Addr::UNSPECIFIED, 0).into());
        let socket = socket.map_err(|error| error.to_string())?;
        let mut buffer = Vec::new();
        let is_here = matches!(
            address.at.url.host_str(),
            Some("localhost" | "127.0.0.1" | "[::1]")
        );
        let mut candidates = own(&socket, is_here);
        if let Some((host, port)) = &address.stun {
            let resolved = context.policy.resolve(host, *port).await;
            let server = resolved.map_err(|error| error.to_string())?;
            let server = server
                .first()
                .copied()
                .ok_or("the STUN server has no address")?;
            let seen = seen_at(&socket, &mut buffer, server).await;
            candidates.extend(seen.map(udp));
        }
        let mut relayed = None;
        if let Some(turn) = &address.turn {
            let relayed = relayed.insert(Relayed::open(turn, context, &socket, &mut buffer).await?);
            if address.turn_only {
                candidates.clear();
            }
            candidates.push(Candidate {
                is_relayed: true,
                ..udp(relayed.address)
            });
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let config = Config {
            certificate: Certificate::generate().map_err(|error| error.to_string())?,
            candidates,
            video,
            audio,
            wall_clock: WallClock {
                at: Instant::now(),
                since_1970: since_1970.unwrap_or_default(),
            },
        };
        let (invitation, offer) = invite(config).map_err(|error| error.to_string())?;
        let made = Resource::make(address, offer, &context.policy, &context.connector).await?;
        let own = (!address.turn_only).then(|| socket.address());
        let relay = relayed.as_ref().map(|relayed| relayed.address);
        let locals: Vec<SocketAddr> = own.into_iter().chain(relay).collect();
        let peers = RefCell::new(Vec::new());
        let may_be_tried = |peer: SocketAddr| {
            let may = context.policy.check(peer.ip()).is_ok();
            if may {
                peers.borrow_mut().push(peer);
            }
            may
        };
        let session = invitation.accept(&made.answer, &locals, may_be_tried, Instant::now());
        let peers = peers.into_inner();
        if let Some(relayed) = &mut relayed {
            peers.iter().for_each(|peer| relayed.permit(*peer));
        }
        Ok(Self {
            session: session.map_err(|error| format!("the server's answer: {error}"))?,
            socket,
            buffer,
            relayed,
            due: Some(Instant::now()),
            _resource: made,
        })
    }

    /// Waits for datagrams or a deadline, whichever comes first, and has the session take them. Safe to cancel.
    pub(super) async fn wait(&mut self) {
        let Self {
            session,
            socket,
            buffer,
            relayed,
            due,
            ..
        } = self;
        let relay_due = match relayed.as_mut().map(|relayed| relayed.go_on(socket)) {
            Some(Ok(due)) => due,
            // The session ends by itself, if that was its way.
            Some(Err(error)) => {
                tracing::warn!(error, "a way of WebRTC is lost");
                *relayed = None;
                None
            }
            None => None,
        };
        let next = (*due).into_iter().chain(relay_due).min();
        let deadline = async {
            match next {
                Some(due) => sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        let local = socket.address();
        let take = |datagram: Datagram| {
            let mut way = (local, datagram.source, &datagram.bytes[..]);
            if let Some(relayed) = relayed.as_mut()
                && let Some(passed_on) = relayed.take(&datagram)
            {
                let Some((peer, packet)) = passed_on else {
                    return;
                };
                way = (relayed.address, peer, packet);
            }
            let (local, remote, packet) = way;
            let path = Path {
                transport: Transport::Udp,
                local,
                remote,
            };
            session.handle_input(datagram.at, path, packet);
        };
        let received = tokio::select! {
            biased;
            received = socket.receive(buffer, take) => Some(received),
            () = deadline => None,
        };
        let now = Instant::now();
        match received {
            // That nobody is there yet, the system tells as well.
            Some(Err(error)) => tracing::trace!(%error, "a datagram was not received"),
            Some(Ok(())) if due.is_none_or(|due| now < due) => {}
            Some(Ok(())) | None => session.handle_timeout(now),
        }
    }

    /// Sends what the session has to send, and gives what has happened; nothing when it has to be waited for.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => return Some(event),
                // A full socket loses it, as a network would.
                Output::Transmit(transmit) => match &mut self.relayed {
                    Some(relayed) if relayed.address == transmit.path.local => {
                        relayed.send(&self.socket, &transmit);
                    }
                    _ => {
                        self.socket.send(&batch(&transmit), 0);
                    }
                },
                Output::Timeout(due) => {
                    self.due = due;
                    return None;
                }
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.session.close(Instant::now());
        // What is said at the end is said once, and may get lost.
        while self.next().is_some() {}
        if let Some(relayed) = &mut self.relayed {
            relayed.give_back(&self.socket);
        }
    }
}

const fn udp(address: SocketAddr) -> Candidate {
    Candidate {
        transport: Transport::Udp,
        address,
        is_relayed: false,
    }
}

/// Where this machine is, for who may be on it too.
fn own(socket: &Socket, is_here: bool) -> Vec<Candidate> {
    let port = socket.address().port();
    let ips = interfaces().into_iter();
    let ips = ips.filter(|ip| socket.takes(*ip) && (is_here || !ip.is_loopback()));
    let addresses = ips.map(|ip| udp(SocketAddr::new(ip, port)));
    addresses.take(MAX_OWN).collect()
}

/// Where a STUN server sees us; none where it does not say.
async fn seen_at(socket: &Socket, buffer: &mut Vec<u8>, server: SocketAddr) -> Option<SocketAddr> {
    let transaction: [u8; 12] = rand::random();
    let question = stun::question(transaction);
    for _ in 0..QUESTIONS {
        let asked = crate::net::udp::Batch {
            source: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            destination: server,
            contents: &question,
            segment_size: None,
        };
        socket.send(&asked, 0);
        let begun = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(begun.elapsed()) {
            let mut seen = None;
            let take = |datagram: Datagram| {
                let found = stun::seen_at(&datagram.bytes, transaction);
                seen = found.filter(|_| datagram.source == server).or(seen);
            };
            let received = timeout(left, socket.receive(buffer, take)).await;
            if seen.is_some() {
                return seen;
            }
            if received.is_err() {
                break;
            }
        }
    }
    tracing::debug!(%server, "a STUN server does not answer");
    None
}
