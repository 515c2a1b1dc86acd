//! The shared port: who calls, and which connection a datagram is for.
//!
//! A stranger costs nothing until it has sent back the cookie that its address was given, and no answer is
//! longer than what it answers. After that it is a request, and somebody decides. Sessions are not kept here,
//! only their numbers, so that each can run where it wants.

#[cfg(test)]
mod tests;

use crate::handshake::{Extensions, Handshake, Kind, MAGIC};
use crate::options::Options;
use crate::packet::{Body, MAX_PACKET, Packet};
use crate::reject::Reject;
use crate::sequence::Sequence;
use crate::session::{Agreed, Session, answer, hello, judge, socket_id};
use crate::timing::micros;
use hmac::{Hmac, Mac};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha1::Sha1;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long one cookie is given out. It is good for one more of these times (section 4.3.1.1.2).
const COOKIE: Duration = Duration::from_secs(60);

/// How long a request waits for a decision before its caller may ask anew.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses that may ask within one second.
const MAX_RECENT: usize = 4_096;

/// Answers that wait to be sent.
const MAX_ANSWERS: usize = 64;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections.
    pub connections: usize,
    /// Connections from one address. Of IPv6 an address is a network of 64 bits here, and wherever addresses are counted:
    /// that is what one customer has.
    pub per_address: usize,
    /// Requests that wait for a decision.
    pub requests: usize,
    /// Requests from one address that wait, and requests with an encrypted key that it may make a second:
    /// each costs a key derivation of about a millisecond.
    pub requests_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            per_address: 1_024,
            requests: 128,
            requests_per_address: 32,
        }
    }
}

/// Names a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u32);

/// Somebody calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to accept or to reject.
    pub id: RequestId,
    /// Who.
    pub peer: SocketAddr,
    /// What it wants; empty when it does not say.
    pub stream_id: String,
    /// It has a passphrase.
    pub encrypted: bool,
    /// Its version of SRT: major, minor, patch.
    pub version: (u8, u8, u8),
}

/// Where a datagram belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the session of this number.
    Session(u32),
    /// Nowhere: it was for the listener itself, or for nobody.
    Done,
}

/// What a listener wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerOutput {
    /// One datagram was appended to the buffer: send it there.
    Transmit(SocketAddr),
    /// Decide about this.
    Request(Request),
    /// Nothing until there is input.
    Idle,
}

struct Pending {
    peer: SocketAddr,
    request: Handshake,
    at: (Instant, u32),
}

/// What a caller asks for.
#[derive(Debug)]
pub struct Asked {
    request: Handshake,
    at: (Instant, u32),
}

/// A caller that may be let in, and on which terms.
pub struct Judged {
    options: Options,
    extensions: Extensions,
    agreed: Agreed,
}

impl Asked {
    /// Whether the caller may be let in on these terms. With a passphrase this derives a key, which takes milliseconds: what
    /// others wait for should not be held meanwhile.
    ///
    /// # Errors
    /// Why not. The caller has not been told.
    pub fn judge(&self, options: Options) -> Result<Judged, Reject> {
        let (extensions, agreed) = answer(&self.request, &options, self.at)?;
        Ok(Judged {
            options,
            extensions,
            agreed,
        })
    }
}

/// The shared port.
pub struct Listener {
    start: Instant,
    secret: [u8; 32],
    random: StdRng,
    id: u32,
    limits: Limits,
    pending: HashMap<RequestId, Pending>,
    /// By the caller's address and socket.
    callers: HashMap<(SocketAddr, u32), u32>,
    sessions: HashMap<u32, (SocketAddr, u32)>,
    /// Connections by [`network`].
    addresses: HashMap<IpAddr, usize>,
    /// Requests of the current second, by [`network`].
    recent: (Instant, HashMap<IpAddr, usize>),
    answers: VecDeque<(SocketAddr, Vec<u8>)>,
    requests: VecDeque<Request>,
    next: u32,
}

impl Listener {
    /// `seed` has to be random and secret.
    pub fn new(now: Instant, limits: Limits, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        Self {
            start: now,
            secret: random.random(),
            id: socket_id(&mut random),
            random,
            limits,
            pending: HashMap::new(),
            callers: HashMap::new(),
            sessions: HashMap::new(),
            addresses: HashMap::new(),
            recent: (now, HashMap::new()),
            answers: VecDeque::new(),
            requests: VecDeque::new(),
            next: 0,
        }
    }

    /// Takes a datagram.
    pub fn handle_input(&mut self, now: Instant, peer: SocketAddr, datagram: &[u8]) -> Route {
        if datagram.len() > MAX_PACKET {
            return Route::Done;
        }
        let Ok(packet) = Packet::parse(datagram) else {
            return Route::Done;
        };
        if packet.destination != 0 {
            let known = self.sessions.get(&packet.destination);
            // From another address it is somebody who guesses.
            return match known {
                Some((address, _)) if *address == peer => Route::Session(packet.destination),
                _ => Route::Done,
            };
        }
        if let Body::Handshake(bytes) = packet.body
            && let Ok(handshake) = Handshake::parse(bytes)
        {
            match handshake.kind {
                Kind::Induction => self.induction(now, peer, &handshake),
                Kind::Conclusion => return self.conclusion(now, peer, handshake, packet.timestamp),
                _ => {}
            }
        }
        Route::Done
    }

    fn induction(&mut self, now: Instant, peer: SocketAddr, request: &Handshake) {
        let cookie = self.cookie(now, peer, 0);
        let response = Handshake {
            extension: MAGIC,
            mtu: request.mtu,
            ..hello(
                &Options::default(),
                Kind::Induction,
                self.id,
                cookie,
                request.initial,
            )
        };
        self.answer(now, peer, request.socket, &response);
    }

    fn conclusion(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        request: Handshake,
        timestamp: u32,
    ) -> Route {
        let fresh = [0, 1].map(|age| self.cookie(now, peer, age));
        if !fresh.contains(&request.cookie) {
            return Route::Done;
        }
        // It has missed our answer.
        if let Some(id) = self.callers.get(&(peer, request.socket)) {
            return Route::Session(*id);
        }
        self.pending
            .retain(|_, pending| now < pending.at.0 + PATIENCE);
        let waits =
            |pending: &Pending| pending.peer == peer && pending.request.socket == request.socket;
        if self.pending.values().any(waits) {
            return Route::Done;
        }
        if let Some(reason) = judge(&request).or_else(|| self.full(now, network(peer.ip()))) {
            self.refuse(now, peer, &request, reason);
            return Route::Done;
        }
        self.next = self.next.wrapping_add(1);
        let id = RequestId(self.next);
        let extensions = &request.extensions;
        let version = extensions
            .hello
            .map_or(0, |hello| hello.version)
            .to_be_bytes();
        let [_, major, minor, patch] = version;
        self.requests.push_back(Request {
            id,
            peer,
            stream_id: extensions.stream_id.clone().unwrap_or_default(),
            encrypted: extensions.key_material.is_some(),
            version: (major, minor, patch),
        });
        let at = (now, timestamp);
        self.pending.insert(id, Pending { peer, request, at });
        Route::Done
    }

    /// Whether there is room for one more.
    fn full(&mut self, now: Instant, address: IpAddr) -> Option<Reject> {
        let limits = self.limits;
        let own = self.addresses.get(&address).copied().unwrap_or(0);
        if self.sessions.len() >= limits.connections || own >= limits.per_address {
            return Some(Reject::RESOURCE);
        }
        if now.saturating_duration_since(self.recent.0) >= Duration::from_secs(1) {
            self.recent = (now, HashMap::new());
        }
        let waiting = self
            .pending
            .values()
            .filter(|pending| network(pending.peer.ip()) == address);
        let waiting = waiting.count();
        // All of them had a cookie, so that they are no more than the addresses that are really there. Whoever is known
        // already is not shut out by them.
        if self.recent.1.len() >= MAX_RECENT && !self.recent.1.contains_key(&address) {
            return Some(Reject::BACKLOG);
        }
        let recent = self.recent.1.entry(address).or_default();
        *recent += 1;
        let many = *recent > limits.requests_per_address || waiting >= limits.requests_per_address;
        (many || self.pending.len() >= limits.requests).then_some(Reject::BACKLOG)
    }

    /// What a caller asks for, to be judged apart from the listener; none when it has given up.
    pub fn asked(&self, id: RequestId) -> Option<Asked> {
        let Pending { request, at, .. } = self.pending.get(&id)?;
        Some(Asked {
            request: request.clone(),
            at: *at,
        })
    }

    /// Judges a caller and lets it in, on these terms.
    ///
    /// # Errors
    /// When the passphrases do not match, or the caller has given up: it has been told.
    pub fn accept(
        &mut self,
        now: Instant,
        id: RequestId,
        options: Options,
    ) -> Result<Session, Reject> {
        let asked = self.asked(id).ok_or(Reject::TIMEOUT)?;
        match asked.judge(options) {
            Ok(judged) => self.admit(now, id, judged),
            Err(reason) => {
                self.reject(now, id, reason);
                Err(reason)
            }
        }
    }

    /// Lets a caller in that has been judged. Its session is connected from the beginning; it is handed what
    /// [`Self::handle_input`] routes to its number, until [`Self::remove`].
    ///
    /// # Errors
    /// When the caller has given up.
    pub fn admit(
        &mut self,
        now: Instant,
        id: RequestId,
        judged: Judged,
    ) -> Result<Session, Reject> {
        let Pending { peer, request, .. } = self.pending.remove(&id).ok_or(Reject::TIMEOUT)?;
        let Judged {
            options,
            extensions,
            agreed,
        } = judged;
        let mut own = socket_id(&mut self.random);
        while self.sessions.contains_key(&own) {
            own = socket_id(&mut self.random);
        }
        let mut response = hello(
            &options,
            Kind::Conclusion,
            own,
            request.cookie,
            request.initial,
        );
        response.encryption = request.encryption;
        response.mtu = agreed.mtu;
        response.extension = extensions.field();
        response.extensions = extensions;
        self.sessions.insert(own, (peer, request.socket));
        self.callers.insert((peer, request.socket), own);
        *self.addresses.entry(network(peer.ip())).or_default() += 1;
        let random = StdRng::from_rng(&mut self.random);
        Ok(Session::accepted(
            now, own, options, random, agreed, response,
        ))
    }

    /// Turns a caller away.
    pub fn reject(&mut self, now: Instant, id: RequestId, reason: Reject) {
        if let Some(pending) = self.pending.remove(&id) {
            self.refuse(now, pending.peer, &pending.request, reason);
        }
    }

    /// Forgets a session that is over.
    pub fn remove(&mut self, session: u32) {
        let Some((peer, socket)) = self.sessions.remove(&session) else {
            return;
        };
        self.callers.remove(&(peer, socket));
        let address = network(peer.ip());
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// What is to be done next. One datagram at most is appended to `out`.
    pub fn poll_output(&mut self, out: &mut Vec<u8>) -> ListenerOutput {
        if let Some((peer, answer)) = self.answers.pop_front() {
            out.extend_from_slice(&answer);
            return ListenerOutput::Transmit(peer);
        }
        let next = self.requests.pop_front();
        next.map_or(ListenerOutput::Idle, ListenerOutput::Request)
    }

    fn refuse(&mut self, now: Instant, peer: SocketAddr, request: &Handshake, reason: Reject) {
        let response = Handshake {
            // Callers of version 4 compare it.
            version: request.version.min(5),
            kind: Kind::Reject(reason),
            extensions: Extensions::default(),
            encryption: 0,
            extension: 0,
            initial: request.initial,
            ..hello(
                &Options::default(),
                Kind::Done,
                self.id,
                request.cookie,
                Sequence::default(),
            )
        };
        self.answer(now, peer, request.socket, &response);
    }

    fn answer(&mut self, now: Instant, peer: SocketAddr, destination: u32, response: &Handshake) {
        // Whoever does not drain a listener answers nobody.
        if self.answers.len() >= MAX_ANSWERS {
            return;
        }
        let (mut bytes, mut packet) = (Vec::new(), Vec::new());
        response.write(&mut bytes);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "timestamps wrap"
        )]
        let timestamp = micros(self.start, now) as u32;
        let body = Body::Handshake(&bytes);
        Packet {
            timestamp,
            destination,
            body,
        }
        .write(&mut packet);
        self.answers.push_back((peer, packet));
    }

    /// The cookie of an address, of now or some [`COOKIE`]s ago.
    fn cookie(&self, now: Instant, peer: SocketAddr, age: u64) -> u32 {
        let period = (now.saturating_duration_since(self.start).as_secs() / COOKIE.as_secs())
            .wrapping_sub(age);
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.secret) else {
            return 0;
        };
        match peer.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&peer.port().to_be_bytes());
        mac.update(&period.to_be_bytes());
        let code: [u8; 20] = mac.finalize().into_bytes().into();
        let [a, b, c, d, ..] = code;
        let cookie = u32::from_be_bytes([a, b, c, d]);
        // Zero is what a caller has that was given none.
        cookie.max(1)
    }
}

/// Whose an address is: of IPv6 the network of 64 bits, out of which one customer takes as many as it likes.
const fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}
