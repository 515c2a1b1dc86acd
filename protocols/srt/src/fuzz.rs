//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

use crate::handshake::{Extensions, Handshake, Hello, Kind, SRT_VERSION, flags};
use crate::packet::{Body, Key, Packet, losses};
use crate::{
    Limits, Listener, ListenerOutput, Options, Output, Passphrase, Route, Sequence, Session,
    StreamId,
};
use bytes::Bytes;
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

/// A listener answers no more than it is sent, whatever that is. Datagrams are a length and bytes; those of a
/// conclusion get the right cookie.
pub fn listener(now: Instant, data: &[u8]) {
    let limits = Limits {
        requests: 4,
        ..Limits::default()
    };
    let mut listener = Listener::new(now, limits, [1; 32]);
    let mut induction = Vec::new();
    Packet {
        timestamp: 0,
        destination: 0,
        body: Body::Handshake(&hello(Kind::Induction, 0)),
    }
    .write(&mut induction);
    let cookie = exchange(&mut listener, now, &induction).unwrap_or_default();
    for datagram in datagrams(data) {
        let mut datagram = datagram.to_vec();
        // Where the cookie stands: behind the header and seven words.
        if let Some(place) = datagram.get_mut(44..48) {
            place.copy_from_slice(&cookie.to_be_bytes());
        }
        exchange(&mut listener, now, &datagram);
    }
}

/// Hands a datagram over, takes all that comes of it, and gives the cookie of an answer.
fn exchange(listener: &mut Listener, now: Instant, datagram: &[u8]) -> Option<u32> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut cookie = None;
    listener.handle_input(now, peer, datagram);
    let (mut out, mut sent) = (Vec::new(), 0);
    loop {
        out.clear();
        match listener.poll_output(&mut out) {
            ListenerOutput::Transmit(_) => {
                sent += out.len();
                if let Ok(packet) = Packet::parse(&out)
                    && let Body::Handshake(bytes) = packet.body
                {
                    cookie = Handshake::parse(bytes).ok().map(|answer| answer.cookie);
                }
            }
            ListenerOutput::Request(request) => {
                let accepted = listener.accept(now, request.id, Options::default());
                if let Ok(session) = accepted {
                    listener.remove(session.id());
                }
            }
            ListenerOutput::Idle => break,
        }
    }
    assert!(sent <= datagram.len(), "amplification");
    cookie
}

/// A connection stands whatever comes in, comes to rest, and what it sends stays in proportion. Each step is
/// a kind, a length and that many bytes.
pub fn session(start: Instant, data: &[u8]) {
    for secret in [None, Some("a long passphrase")] {
        let options = Options {
            passphrase: secret.and_then(|secret| Passphrase::new(secret).ok()),
            buffer: 64,
            receive_buffer: 64,
            ..Options::default()
        };
        if let Some(session) = connected(start, options) {
            drive(session, start, data);
        }
    }
}

fn drive(mut session: Session, start: Instant, data: &[u8]) {
    let mut now = start;
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<2>() {
        let [kind, length] = *head;
        let (bytes, after) = after
            .split_at_checked(length.into())
            .unwrap_or((after, &[]));
        rest = after;
        match kind % 8 {
            0..=3 => {
                let mut datagram = bytes.to_vec();
                if let Some(place) = datagram.get_mut(12..16) {
                    place.copy_from_slice(&session.id().to_be_bytes());
                }
                session.handle_input(now, &datagram);
            }
            4 => {
                let _ = session.send(now, &Bytes::copy_from_slice(bytes));
            }
            5 | 6 => {
                let unit = if kind % 8 == 5 { 1 } else { 100 };
                now += Duration::from_millis(u64::from(length) * unit);
            }
            _ => session.close(now),
        }
        session.handle_timeout(now);
        let mut out = Vec::new();
        for round in 0.. {
            assert!(round < 4_000, "it never rests");
            out.clear();
            while session.read(&mut out).is_some() {}
            out.clear();
            match session.poll_output(&mut out) {
                Output::Transmit => assert!(out.len() <= crate::packet::MAX_PACKET),
                Output::Event(_) => {}
                Output::Timeout(Some(at)) if at <= now => session.handle_timeout(now),
                Output::Timeout(_) => break,
            }
        }
    }
}

/// A caller that a listener has let in.
fn connected(now: Instant, options: Options) -> Option<Session> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut listener = Listener::new(now, Limits::default(), [1; 32]);
    let mut caller = Session::caller(now, options.clone(), [2; 32]).ok()?;
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
                        return listener.accept(now, request.id, options).ok();
                    }
                    ListenerOutput::Idle => return None,
                }
            }
        }
    }
    None
}

fn datagrams(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (bytes, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = after;
        Some(bytes)
    })
}

fn hello(kind: Kind, cookie: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let handshake = crate::session::hello(&Options::default(), kind, 7, cookie, Sequence::new(1));
    handshake.write(&mut bytes);
    bytes
}

/// Seeds for all targets: the entry they are for, and their bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut conclusion = crate::session::hello(
        &Options::default(),
        Kind::Conclusion,
        7,
        0,
        Sequence::new(1),
    );
    conclusion.extensions = Extensions {
        hello: Some(Hello {
            response: false,
            version: SRT_VERSION,
            flags: flags::OURS,
            latency: (120, 120),
        }),
        stream_id: Some("#!::r=live/a,m=publish,u=me,s=x".to_owned()),
        congestion: Some("live".to_owned()),
        ..Extensions::default()
    };
    conclusion.extension = conclusion.extensions.field();
    let mut fields = Vec::new();
    conclusion.write(&mut fields);
    let mut seeds = vec![
        ("handshake", fields.clone()),
        ("handshake", hello(Kind::Induction, 0)),
    ];
    let sequence = Sequence::new;
    let data = |number, payload: &'static [u8]| {
        Body::Data(crate::packet::Data {
            sequence: sequence(number),
            first: true,
            last: true,
            ordered: true,
            key: Key::None,
            again: false,
            message: number,
            payload,
        })
    };
    let ack = crate::packet::Ack {
        number: 1,
        next: sequence(2),
        rtt: Some((1_000, 100)),
        room: Some(50),
        rates: Some((1, 2, 3)),
    };
    let (first, last) = (sequence(1), sequence(3));
    let bodies = [
        data(1, b"one"),
        data(4, b"four"),
        data(2, b"two"),
        Body::Ack(ack),
        Body::Nak(&[0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5]),
        Body::AckAck(1),
        Body::DropRequest {
            message: 0,
            first,
            last,
        },
        Body::KeyMaterial {
            response: false,
            message: &[0x12, 0x20, 0x29, 1],
        },
        Body::KeepAlive,
        Body::Handshake(&fields),
        Body::Shutdown,
    ];
    let (mut steps, mut port) = (Vec::new(), Vec::new());
    for body in bodies {
        let mut bytes = Vec::new();
        Packet {
            timestamp: 1_000,
            destination: 0,
            body,
        }
        .write(&mut bytes);
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        steps.extend_from_slice(&[0, length]);
        steps.extend_from_slice(&bytes);
        // A message, and a wait.
        steps.extend_from_slice(&[4, 3, 1, 2, 3, 5, 0, 5, 20]);
        port.extend_from_slice(&u16::from(length).to_be_bytes());
        port.extend_from_slice(&bytes);
        seeds.push(("packet", bytes));
    }
    seeds.push(("session", steps));
    seeds.push(("listener", port));
    seeds
}
