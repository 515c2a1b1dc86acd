//! A port of a listener, and two callers.

use super::SECRET;
use super::seeds::hello;
use crate::handshake::{Handshake, Kind};
use crate::packet::{Body, Packet};
use crate::{
    Limits, Listener, ListenerOutput, Options, Output, Passphrase, Reject, RequestId, Route,
    Session,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A listener answers no more than it is sent, whatever that is. Steps of a kind (the two highest bits), a length and
/// bytes: datagrams of two callers, who know their cookies; time; and what is done with who calls.
pub fn listener(start: Instant, data: &[u8]) {
    let limits = Limits {
        requests: 4,
        ..Limits::default()
    };
    let mut port = Port {
        now: start,
        listener: Listener::new(start, limits, [1; 32]),
        sessions: Vec::new(),
        decision: 0,
    };
    for (kind, bytes) in datagrams(data) {
        match kind {
            0 | 1 => {
                let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9 + kind));
                let cookie = port.cookie(peer);
                let mut datagram = bytes.to_vec();
                // Where the cookie stands: behind the header and seven words.
                if let Some(place) = datagram.get_mut(44..48) {
                    place.copy_from_slice(&cookie.to_be_bytes());
                }
                port.exchange(peer, &datagram);
            }
            2 => port.now += Duration::from_millis(bytes.len() as u64 * 100),
            _ => port.decision = bytes.first().copied().unwrap_or(0),
        }
    }
}

/// A listener with what it has let in.
struct Port {
    now: Instant,
    listener: Listener,
    sessions: Vec<Session>,
    /// What is done with the next that calls.
    decision: u8,
}

impl Port {
    /// What the listener tells an address in its induction.
    fn cookie(&mut self, peer: SocketAddr) -> u32 {
        let mut induction = Vec::new();
        Packet {
            timestamp: 0,
            destination: 0,
            body: Body::Handshake(&hello(Kind::Induction, 0)),
        }
        .write(&mut induction);
        let answer = self.exchange(peer, &induction);
        let answer = answer.and_then(|answer| Some(Handshake::parse(&answer).ok()?.cookie));
        answer.unwrap_or_default()
    }

    /// Hands a datagram over and takes all that comes of it; gives the handshake that was answered last.
    fn exchange(&mut self, peer: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut sent, mut handshake) = (Vec::new(), 0, None);
        if let Route::Session(id) = self.listener.handle_input(self.now, peer, datagram) {
            let session = self.sessions.iter_mut().find(|session| session.id() == id);
            assert!(session.is_some(), "a way to a session that is no more");
            if let Some(session) = session {
                session.handle_input(self.now, datagram);
                while session.poll_output(&mut out) == Output::Transmit {}
            }
        }
        loop {
            out.clear();
            match self.listener.poll_output(&mut out) {
                ListenerOutput::Transmit(to) => {
                    assert_eq!(to, peer);
                    sent += out.len();
                    if let Ok(packet) = Packet::parse(&out)
                        && let Body::Handshake(bytes) = packet.body
                    {
                        handshake = Some(bytes.to_vec());
                    }
                }
                ListenerOutput::Request(request) => self.decide(request.id),
                ListenerOutput::Idle => break,
            }
        }
        assert!(sent <= datagram.len(), "amplification");
        handshake
    }

    fn decide(&mut self, id: RequestId) {
        let secret = |text| Passphrase::new(text).ok();
        let options = |passphrase| Options {
            passphrase,
            ..Options::default()
        };
        let options = match self.decision % 4 {
            0 => options(None),
            1 | 2 => options(secret(SECRET)),
            _ => return self.listener.reject(self.now, id, Reject::PEER),
        };
        // It costs as much as the answer.
        let asked = self.listener.asked(id).filter(|_| self.decision & 64 != 0);
        let fits = asked.map(|asked| asked.judge(options.clone()));
        let session = self.listener.accept(self.now, id, options);
        if let Some(fits) = fits {
            assert_eq!(fits.err(), session.as_ref().err().copied());
        }
        self.sessions.extend(session.ok());
        // Few are kept.
        let kept = if self.decision > 127 { 0 } else { 2 };
        while self.sessions.len() > kept {
            self.listener.remove(self.sessions.remove(0).id());
        }
    }
}

/// A kind of two bits, a length of 14, and that many bytes.
fn datagrams(data: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<2>()?;
        let head = u16::from_be_bytes(*head);
        let (bytes, after) = after
            .split_at_checked(usize::from(head & 0x3fff))
            .unwrap_or((after, &[]));
        rest = after;
        Some((head >> 14, bytes))
    })
}
