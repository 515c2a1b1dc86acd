//! Seeds of the targets, made by the crate's own writers.

use super::SECRET;
use crate::handshake::{Extensions, Hello, Kind, SRT_VERSION, flags};
use crate::packet::{Body, Key, Packet};
use crate::{Limits, Listener, Options, Output, Passphrase, Sequence, Session};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

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

/// What two ends say to one another in a mode of [`session`](super::session): messages through losses, repetitions and disorder, with
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

/// A step of the [`listener`](super::listener)'s.
fn step(kind: u16, bytes: &[u8]) -> Vec<u8> {
    let head = kind << 14 | bytes.len() as u16;
    [&head.to_be_bytes(), bytes].concat()
}

pub(super) fn hello(kind: Kind, cookie: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let handshake = crate::session::hello(&Options::default(), kind, 7, cookie, Sequence::new(1));
    handshake.write(&mut bytes);
    bytes
}
