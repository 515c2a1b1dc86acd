//! Two ends of a connection, and what is between them.

use super::SECRET;
use crate::handshake::Handshake;
use crate::packet::{Body, Packet};
use crate::{
    Limits, Listener, ListenerOutput, Options, Output, Passphrase, Route, Sequence, Session,
};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Datagrams that are under way to one end, at most.
const UNDER_WAY: usize = 512;

/// Two ends stand whatever comes in and whatever becomes of what they send; they come to rest, and what is read was
/// sent, in its order, as long as nothing was made up. A byte for how they meet, then steps: a kind, a length and that
/// many bytes.
pub fn session(start: Instant, data: &[u8]) {
    let Some((&mode, steps)) = data.split_first() else {
        return;
    };
    let Some(mut pair) = Pair::new(start, mode) else {
        return;
    };
    let mut rest = steps;
    while let Some((head, after)) = rest.split_first_chunk::<2>() {
        let [kind, length] = *head;
        // Time has no bytes.
        let count = if kind % 8 == 5 { 0 } else { length };
        let (bytes, after) = after.split_at_checked(count.into()).unwrap_or((after, &[]));
        rest = after;
        let (one, bit) = (usize::from(kind >> 7), kind >> 6 & 1);
        match kind % 8 {
            0 => pair.forge(one, bytes),
            1 | 2 => pair.send(one, bytes, if kind % 8 == 1 { 1 } else { 40 }),
            3 => pair.carry(bytes),
            4 => pair.carry_all(),
            5 => pair.wait(u64::from(length) * if bit == 0 { 1 } else { 100 }),
            6 => pair.raw(one, bytes),
            _ if bit == 0 => pair.ends[one].session.close(pair.now),
            _ => pair.ends[one].session.abort(pair.now),
        }
        pair.rest();
    }
}

/// Two ends of a connection and what is between them.
pub(super) struct Pair {
    now: Instant,
    pub(super) ends: [End; 2],
    /// Nothing was made up and nothing changed on the way.
    pub(super) honest: bool,
}

pub(super) struct End {
    pub(super) session: Session,
    /// Datagrams on their way to it.
    inbox: VecDeque<Vec<u8>>,
    /// What it sent and the other has not read.
    pub(super) sent: VecDeque<Bytes>,
    /// Number of its next packet, as far as others can tell.
    next: Sequence,
}

impl Pair {
    /// As callers and listeners meet, in a rendezvous, or as two callers, who do not expect one another.
    pub(super) fn new(now: Instant, mode: u8) -> Option<Self> {
        let options = |secret: bool| Options {
            passphrase: secret.then(|| Passphrase::new(SECRET).ok()).flatten(),
            gcm: mode % 8 == 3,
            // Messages of more than one packet, and keys that change often: but a key's place is taken by another after
            // more packets than can be under way, as what comes late would be read with the wrong one.
            key_refresh: 160,
            key_announce: 48,
            payload: 100,
            buffer: 64,
            receive_buffer: 64,
            ..Options::default()
        };
        let sessions = match mode % 8 {
            0 | 1 => connected(now, options(false)),
            2 | 3 => connected(now, options(true)),
            4 | 5 => [[2; 32], [3; 32]]
                .map(|seed| Session::rendezvous(now, options(mode % 8 == 5), seed).ok())
                .into(),
            6 => [[2; 32], [3; 32]]
                .map(|seed| Session::caller(now, options(false), seed).ok())
                .into(),
            _ => [
                Session::caller(now, options(true), [2; 32]).ok(),
                Session::rendezvous(now, options(true), [3; 32]).ok(),
            ]
            .into(),
        };
        let (Some(first), Some(second)) = sessions else {
            return None;
        };
        let end = |session| End {
            session,
            inbox: VecDeque::new(),
            sent: VecDeque::new(),
            next: Sequence::default(),
        };
        let mut pair = Self {
            now,
            ends: [first, second].map(end),
            honest: true,
        };
        pair.rest();
        Some(pair)
    }

    /// A packet of the input comes to one end, with the numbers that whoever listens would know: its own count from the
    /// next ones.
    fn forge(&mut self, to: usize, bytes: &[u8]) {
        let Ok(mut packet) = Packet::parse(bytes) else {
            return self.raw(to, bytes);
        };
        let own = self.ends[to].next;
        let others = self.ends[1 - to].next;
        let near = |base: Sequence, number: Sequence| {
            // The low 16 bits, as a signed number.
            let distance = i32::from(number.value() as u16 as i16);
            base.add(distance.cast_unsigned())
        };
        let mut list = Vec::new();
        match &mut packet.body {
            Body::Data(data) => data.sequence = near(others, data.sequence),
            Body::Ack(ack) => ack.next = near(own, ack.next),
            Body::DropRequest { first, last, .. } => {
                (*first, *last) = (near(others, *first), near(others, *last));
            }
            Body::Nak(losses) => {
                for word in losses.chunks_exact(4) {
                    let word = word.try_into().map_or(0, u32::from_be_bytes);
                    let number = near(own, Sequence::new(word)).value();
                    list.extend_from_slice(&(word & 1 << 31 | number).to_be_bytes());
                }
            }
            _ => {}
        }
        if let Body::Nak(losses) = &mut packet.body {
            *losses = &list;
        }
        let mut datagram = Vec::new();
        packet.write(&mut datagram);
        self.raw(to, &datagram);
    }

    /// Bytes of the input come to one end.
    fn raw(&mut self, to: usize, bytes: &[u8]) {
        self.honest = false;
        let session = &mut self.ends[to].session;
        let mut datagram = bytes.to_vec();
        if let Some(place) = datagram.get_mut(12..16) {
            place.copy_from_slice(&session.id().to_be_bytes());
        }
        session.handle_input(self.now, &datagram);
    }

    pub(super) fn send(&mut self, from: usize, bytes: &[u8], times: usize) {
        let message = Bytes::from(bytes.repeat(times));
        let end = &mut self.ends[from];
        if end.session.send(self.now, &message).is_ok() {
            end.sent.push_back(message);
        }
    }

    /// Each byte is the fate of the next datagram to one end.
    pub(super) fn carry(&mut self, fates: &[u8]) {
        for fate in fates {
            let to = usize::from(fate & 1);
            let Some(mut datagram) = self.ends[to].inbox.pop_front() else {
                continue;
            };
            match fate >> 1 & 7 {
                // It is lost.
                4 => continue,
                // It comes twice.
                5 => self.ends[to].session.handle_input(self.now, &datagram),
                // Others overtake it.
                6 => {
                    self.ends[to].inbox.push_back(datagram);
                    continue;
                }
                // It is damaged.
                7 => {
                    self.honest = false;
                    let place = usize::from(fate >> 4) * datagram.len() / 16;
                    if let Some(byte) = datagram.get_mut(place) {
                        *byte ^= 1 << (fate >> 4 & 7);
                    }
                }
                _ => {}
            }
            self.ends[to].session.handle_input(self.now, &datagram);
        }
    }

    /// Everything arrives that is under way, and what is said to that.
    pub(super) fn carry_all(&mut self) {
        for _ in 0..4 {
            for end in &mut self.ends {
                for datagram in std::mem::take(&mut end.inbox) {
                    end.session.handle_input(self.now, &datagram);
                }
            }
            self.rest();
        }
    }

    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    /// Both ends do what they have to do now.
    pub(super) fn rest(&mut self) {
        for from in 0..2 {
            self.ends[from].session.handle_timeout(self.now);
            let mut out = Vec::new();
            for round in 0.. {
                assert!(round < 4_000, "it never rests");
                self.read(from);
                out.clear();
                let end = &mut self.ends[from];
                match end.session.poll_output(&mut out) {
                    Output::Transmit => self.transmit(from, &out),
                    Output::Event(_) => {}
                    Output::Timeout(Some(at)) if at <= self.now => {
                        end.session.handle_timeout(self.now);
                    }
                    Output::Timeout(_) => break,
                }
            }
        }
    }

    fn transmit(&mut self, from: usize, datagram: &[u8]) {
        assert!(datagram.len() <= crate::packet::MAX_PACKET);
        let packet = Packet::parse(datagram);
        assert!(packet.is_ok(), "{packet:?}");
        let end = &mut self.ends[from];
        match packet.map(|packet| packet.body) {
            Ok(Body::Handshake(bytes)) => {
                let handshake = Handshake::parse(bytes);
                assert!(handshake.is_ok(), "{handshake:?}");
                end.next = handshake.map_or(end.next, |handshake| handshake.initial);
            }
            Ok(Body::Data(data)) if !data.again => end.next = data.sequence.add(1),
            _ => {}
        }
        let inbox = &mut self.ends[1 - from].inbox;
        if inbox.len() < UNDER_WAY {
            inbox.push_back(datagram.to_vec());
        }
    }

    fn read(&mut self, at: usize) {
        let mut message = Vec::new();
        while self.ends[at].session.read(&mut message).is_some() {
            let sent = &mut self.ends[1 - at].sent;
            if self.honest {
                let found = sent.iter().position(|sent| sent == &message);
                assert!(found.is_some(), "{message:?} was not sent, or out of order");
                sent.drain(..=found.unwrap_or(0));
            }
            message.clear();
        }
    }
}

/// A caller, and the one that a listener has let in. The listener's last word is still to come.
fn connected(now: Instant, options: Options) -> (Option<Session>, Option<Session>) {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut listener = Listener::new(now, Limits::default(), [1; 32]);
    let Ok(mut caller) = Session::caller(now, options.clone(), [2; 32]) else {
        return (None, None);
    };
    for _ in 0..8 {
        let mut out = Vec::new();
        match caller.poll_output(&mut out) {
            Output::Transmit => {
                assert_eq!(listener.handle_input(now, peer, &out), Route::Done);
            }
            Output::Event(_) => {}
            Output::Timeout(_) => {
                out.clear();
                match listener.poll_output(&mut out) {
                    ListenerOutput::Transmit(_) => caller.handle_input(now, &out),
                    ListenerOutput::Request(request) => {
                        let accepted = listener.accept(now, request.id, options);
                        return (Some(caller), accepted.ok());
                    }
                    ListenerOutput::Idle => break,
                }
            }
        }
    }
    (None, None)
}
