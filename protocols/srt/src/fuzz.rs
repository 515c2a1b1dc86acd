//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

use crate::handshake::{Extensions, Handshake, Hello, Kind, SRT_VERSION, flags};
use crate::packet::{Body, Key, Packet, losses};
use crate::{
    Limits, Listener, ListenerOutput, Options, Output, Passphrase, Reject, RequestId, Route,
    Sequence, Session, StreamId,
};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What is read is written and read again; a loss list goes forwards.
pub fn packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    assert_eq!(Packet::parse(&bytes), Ok(packet.clone()));
    match packet.body {
        Body::Nak(list) => assert!(losses(list).all(|(first, last)| last.since(first) >= 0)),
        Body::Handshake(bytes) => handshake(bytes),
        _ => {}
    }
}

/// What is read is written and read again, and a stream id stands for itself.
pub fn handshake(data: &[u8]) {
    let Ok(handshake) = Handshake::parse(data) else {
        return;
    };
    let mut bytes = Vec::new();
    handshake.write(&mut bytes);
    assert_eq!(Handshake::parse(&bytes), Ok(handshake.clone()));
    if let Some(id) = handshake.extensions.stream_id
        && let Ok(read) = StreamId::parse(&id)
    {
        assert!(!read.resource.is_empty() && id.contains(&read.resource));
    }
}

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
        let fits = (self.decision & 64 != 0).then(|| self.listener.judge(id, &options));
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

/// The passphrase of whoever has one.
const SECRET: &str = "a long passphrase";

/// Datagrams that are under way to one end, at most.
const UNDER_WAY: usize = 512;

/// Two ends of a connection and what is between them.
struct Pair {
    now: Instant,
    ends: [End; 2],
    /// Nothing was made up and nothing changed on the way.
    honest: bool,
}

struct End {
    session: Session,
    /// Datagrams on their way to it.
    inbox: VecDeque<Vec<u8>>,
    /// What it sent and the other has not read.
    sent: VecDeque<Bytes>,
    /// Number of its next packet, as far as others can tell.
    next: Sequence,
}

impl Pair {
    /// As callers and listeners meet, in a rendezvous, or as two callers, who do not expect one another.
    fn new(now: Instant, mode: u8) -> Option<Self> {
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

    fn send(&mut self, from: usize, bytes: &[u8], times: usize) {
        let message = Bytes::from(bytes.repeat(times));
        let end = &mut self.ends[from];
        if end.session.send(self.now, &message).is_ok() {
            end.sent.push_back(message);
        }
    }

    /// Each byte is the fate of the next datagram to one end.
    fn carry(&mut self, fates: &[u8]) {
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
    fn carry_all(&mut self) {
        for _ in 0..4 {
            for end in &mut self.ends {
                for datagram in std::mem::take(&mut end.inbox) {
                    end.session.handle_input(self.now, &datagram);
                }
            }
            self.rest();
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    /// Both ends do what they have to do now.
    fn rest(&mut self) {
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

fn step(kind: u16, bytes: &[u8]) -> Vec<u8> {
    let head = kind << 14 | bytes.len() as u16;
    [&head.to_be_bytes(), bytes].concat()
}

fn hello(kind: Kind, cookie: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let handshake = crate::session::hello(&Options::default(), kind, 7, cookie, Sequence::new(1));
    handshake.write(&mut bytes);
    bytes
}

/// Seeds for all targets: the entry they are for, and their bytes, which are the same at any instant.
pub fn seeds(now: Instant) -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![("handshake", hello(Kind::Induction, 0))];
    let (mut port, mut forged) = (Vec::new(), vec![0]);
    for (stream_id, version) in [
        ("#!::r=live/a,m=publish,u=me,s=x", 5),
        ("#!::h=a.test,t=stream,m=request,r=/live/a", 5),
        ("publish:live/a:me:secret", 5),
        ("live/a", 4),
        ("#!:{nested}", 5),
        ("#!::m=bidirectional,r=a", 5),
    ] {
        let fields = conclusion(stream_id, version);
        let datagram = written(Body::Handshake(&fields));
        port.extend(step(0, &datagram));
        seeds.push(("handshake", fields));
    }
    let fields = conclusion("live/a", 5);
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    for body in bodies(&fields) {
        let bytes = written(body);
        forged.extend_from_slice(&[0, length(&bytes)]);
        forged.extend_from_slice(&bytes);
        // A message to and from, and a wait.
        forged.extend_from_slice(&[1, 3, 1, 2, 3, 129, 3, 4, 5, 6, 4, 0, 5, 20]);
        port.extend(step(0, &bytes));
        seeds.push(("packet", bytes));
    }
    seeds.push(("session", forged));
    for mode in 0..8 {
        seeds.push(("session", exchange(mode)));
    }
    seeds.push(("listener", port));
    let (right, wrong) = (Some(SECRET), Some("another passphrase"));
    for (decision, secret) in [
        (1, right),
        (1, wrong),
        (64, right),
        (1, None),
        (0, None),
        (128, None),
        (3, None),
    ] {
        seeds.push(("listener", call(now, decision, secret)));
    }
    seeds
}

/// What a caller says that has the listener's cookie.
fn conclusion(stream_id: &str, version: u32) -> Vec<u8> {
    let sequence = Sequence::new(1);
    let mut conclusion =
        crate::session::hello(&Options::default(), Kind::Conclusion, 7, 0, sequence);
    conclusion.version = version;
    conclusion.extensions = Extensions {
        hello: Some(Hello {
            response: false,
            version: SRT_VERSION,
            flags: flags::OURS,
            latency: (120, 120),
        }),
        stream_id: Some(stream_id.to_owned()),
        congestion: Some("live".to_owned()),
        ..Extensions::default()
    };
    conclusion.extension = conclusion.extensions.field();
    let mut fields = Vec::new();
    conclusion.write(&mut fields);
    fields
}

fn written(body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet {
        timestamp: 1_000,
        destination: 0,
        body,
    }
    .write(&mut bytes);
    bytes
}

/// Packets of all kinds.
fn bodies(handshake: &[u8]) -> Vec<Body<'_>> {
    let sequence = Sequence::new;
    let data = |number, (first, last), payload: &'static [u8]| {
        Body::Data(crate::packet::Data {
            sequence: sequence(number),
            first,
            last,
            ordered: true,
            key: Key::None,
            again: number == 1,
            message: number,
            payload,
        })
    };
    let ack = crate::packet::Ack {
        number: 1,
        next: sequence(0),
        rtt: Some((1_000, 100)),
        room: Some(50),
        rates: Some((1, 2, 3)),
    };
    let light = crate::packet::Ack {
        next: sequence(0),
        ..crate::packet::Ack::default()
    };
    vec![
        data(0, (true, true), b"one"),
        data(4, (true, true), b"five"),
        data(2, (true, false), b"three"),
        data(1, (false, true), b"two"),
        Body::Ack(ack),
        Body::Ack(light),
        Body::Nak(&[0, 0, 0xff, 0xff, 0x80, 0, 0xff, 0xfe, 0, 0, 0xff, 0xff]),
        Body::AckAck(1),
        Body::DropRequest {
            message: 0,
            first: sequence(0),
            last: sequence(3),
        },
        Body::KeyMaterial {
            response: false,
            message: &[0x12, 0x20, 0x29, 1],
        },
        Body::KeyMaterial {
            response: true,
            message: &[0, 0, 0, 3],
        },
        Body::KeepAlive,
        Body::CongestionWarning,
        Body::PeerError(1),
        Body::Handshake(handshake),
        Body::Shutdown,
    ]
}

/// What two ends say to one another in a mode of [`session`]: messages through losses, repetitions and disorder, with
/// new keys on the way, until they take their leave.
fn exchange(mode: u8) -> Vec<u8> {
    let mut steps = vec![mode];
    // The handshake, as far as it has not been.
    for _ in 0..4 {
        steps.extend([4, 0, 5, 250]);
    }
    for round in 0..12 {
        // To and from: of one packet, and of many.
        steps.extend([1, 2, 7, round, 0x81, 2, 8, round, 2, 100]);
        steps.extend([round; 100]);
        let fates = [
            0, 1, 8, 0, 13, 10, 1, 9, 11, 0, 2, 0, 3, 12, 0, 0, 1, 1, 0, 1,
        ];
        steps.extend([3, fates.len() as u8]);
        steps.extend(fates);
        steps.extend([5, 20, 4, 0, 5, 60, 4, 0, 5, 200]);
    }
    // Silence, a datagram that was damaged, and goodbye.
    steps.extend([0x45, 15, 4, 0, 1, 1, 9, 3, 1, 0xff, 4, 0]);
    steps.extend([7, 0, 4, 0, 0x45, 3, 4, 0, 0xc7, 0, 4, 0, 0x45, 80]);
    steps
}

/// A caller, with a passphrase or without, who calls once more, and what the port decides.
fn call(now: Instant, decision: u8, secret: Option<&str>) -> Vec<u8> {
    let options = Options {
        passphrase: secret.and_then(|secret| Passphrase::new(secret).ok()),
        stream_id: "live/a".to_owned(),
        gcm: decision % 2 == 1,
        ..Options::default()
    };
    let asked = asked(now, options, decision).unwrap_or_default();
    // Two minutes later another cookie is the right one.
    [
        step(3, &[decision]),
        step(0, &asked),
        step(1, &asked),
        step(2, &[0; 1_200]),
        step(0, &asked),
    ]
    .concat()
}

/// The conclusion of a caller.
fn asked(now: Instant, options: Options, seed: u8) -> Option<Vec<u8>> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut listener = Listener::new(now, Limits::default(), [1; 32]);
    let mut caller = Session::caller(now, options, [seed; 32]).ok()?;
    let mut out = Vec::new();
    for _ in 0..2 {
        out.clear();
        if caller.poll_output(&mut out) != Output::Transmit {
            return None;
        }
        let mut answer = Vec::new();
        listener.handle_input(now, peer, &out);
        listener.poll_output(&mut answer);
        caller.handle_input(now, &answer);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, data: &[u8]) {
        match name {
            "packet" => packet(data),
            "handshake" => handshake(data),
            "listener" => listener(Instant::now(), data),
            _ => session(Instant::now(), data),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_a_byte_changed() {
        for (name, seed) in seeds(Instant::now()) {
            run(name, &seed);
            let step = seed.len().div_ceil(8).max(1);
            for at in (0..seed.len()).step_by(step) {
                run(name, &seed[..at]);
                let mut damaged = seed.clone();
                damaged[at] ^= 0x55;
                run(name, &damaged);
            }
        }
    }

    #[test]
    fn seeds_reach_their_ends() {
        let seeds = seeds(Instant::now());
        let of = |wanted| seeds.iter().filter(move |(name, _)| *name == wanted);
        assert!(of("packet").all(|(_, seed)| Packet::parse(seed).is_ok()));
        assert!(of("handshake").all(|(_, seed)| Handshake::parse(seed).is_ok()));
        for mode in 0..6 {
            let mut pair = Pair::new(Instant::now(), mode).unwrap();
            for _ in 0..4 {
                pair.carry_all();
                pair.wait(250);
                pair.rest();
            }
            // More than one packet, of which the first are lost once, and keys that change.
            for round in 0..10 {
                pair.send(0, &[round; 90], 40);
                pair.rest();
                pair.carry(&[9; 2]);
                for _ in 0..6 {
                    pair.wait(100);
                    pair.rest();
                    pair.carry_all();
                }
            }
            assert!(pair.honest && pair.ends[0].sent.is_empty(), "{mode}");
            let [sender, receiver] = pair.ends.map(|end| end.session.stats().unwrap());
            assert!(sender.packets_retrans > 0, "{mode}: {sender:?}");
            assert_eq!(receiver.packets_received_unique, 360, "{mode}");
            let keys = u64::from([2, 3, 5].contains(&mode));
            assert!(sender.packets_sent_km >= 2 * keys, "{mode}");
            assert_eq!(receiver.packets_received_undecrypt, 0, "{mode}");
        }
    }
}
