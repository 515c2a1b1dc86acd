//! What was done to listeners of SRT.

use super::client::{Client, written};
use crate::case::{Case, must, should};
use crate::context::{BAD_NAMES, Context, Outcome, ensure};
use srt::Sequence;
use srt::handshake::Kind;
use srt::packet::{Body, Packet};
use std::time::Duration;

pub(super) static CASES: &[Case] = &[
    must(
        "srt.abuse.amplification",
        "reflection",
        "an induction is answered with no more than it sent (8.)",
        |context| {
            let client = Client::new(context)?;
            client.induction()?;
            let bare = [&[0x80, 0, 0, 0][..], &[0; 12], &[0; 48]].concat();
            client.udp.send(&bare);
            while let Some(answer) = client.udp.receive(Duration::from_millis(200)) {
                ensure!(
                    answer.len() <= bare.len(),
                    "{} bytes were answered with {}",
                    bare.len(),
                    answer.len()
                );
            }
            Ok(())
        },
    ),
    must(
        "srt.abuse.cookie",
        "reflection",
        "a conclusion with a cookie that is wrong makes no connection",
        |context| {
            let client = Client::new(context)?;
            let cookie = client.induction()?.cookie;
            client.ask_conclusion(cookie ^ 0x5a5a_5a5a, &client.stream_id(context)?);
            while let Some(datagram) = client.udp.receive(Duration::from_millis(500)) {
                let handshake =
                    Packet::parse(&datagram)
                        .ok()
                        .and_then(|packet| match packet.body {
                            Body::Handshake(body) => srt::handshake::Handshake::parse(body).ok(),
                            _ => None,
                        });
                let kind = handshake.map(|handshake| handshake.kind);
                ensure!(kind != Some(Kind::Conclusion), "the connection was made");
            }
            Ok(())
        },
    ),
    must(
        "srt.abuse.half-open",
        "half-open",
        "a thousand inductions without a conclusion are no burden",
        |context| {
            for _ in 0..1_000 {
                let client = Client::new(context)?;
                client.send_to(
                    0,
                    Body::Handshake(&written(&client.concluding(0, ""))[..48]),
                );
            }
            super::healthy(context)
        },
    ),
    must(
        "srt.abuse.extensions",
        "oversized length",
        "extensions whose lengths lie end in no connection, and in nothing else",
        |context| {
            let client = Client::new(context)?;
            let cookie = client.induction()?.cookie;
            let good = written(&client.concluding(cookie, "x"));
            for at in 48..good.len() {
                let mut bad = good.clone();
                bad[at] = 0xff;
                client.send_to(0, Body::Handshake(&bad));
            }
            let many = [&good[..], &[0, 9, 0, 0].repeat(340)].concat();
            client.send_to(0, Body::Handshake(&many));
            super::healthy(context)
        },
    ),
    must(
        "srt.abuse.stolen-session",
        "stolen session",
        "datagrams from another address do not touch a connection",
        |context| {
            let mut client = Client::publishing(context)?;
            client.send_stream(3);
            client.acknowledged(3)?;
            let mut thief = Client::new(context)?;
            thief.begin(client.peer, Sequence::new(client.next));
            thief.send_data(&[0; 1_316]);
            thief.send(Body::Shutdown);
            thief.send(Body::DropRequest {
                message: 0,
                first: Sequence::new(client.next),
                last: Sequence::new(client.next + 1_000),
            });
            std::thread::sleep(Duration::from_millis(100));
            client.send_stream(5);
            client.acknowledged(8)
        },
    ),
    must(
        "srt.abuse.ranges",
        "oversized length",
        "loss reports and drop requests of two thousand million packets cost nothing",
        |context| {
            let mut client = Client::publishing(context)?;
            client.send_stream(3);
            let all = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff].repeat(180);
            for _ in 0..50 {
                client.send(Body::Nak(&all));
                client.send(Body::DropRequest {
                    message: 0,
                    first: Sequence::new(0),
                    last: Sequence::new(0x7fff_ffff),
                });
            }
            super::healthy(context)
        },
    ),
    must(
        "srt.abuse.key-material",
        "malformed input",
        "keys of no length, of other ciphers and that nobody asked for end that connection alone (6.1)",
        key_material,
    ),
    must(
        "srt.abuse.sequence",
        "state abuse",
        "data far ahead, long ago and out of every window end that connection alone",
        |context| {
            let mut client = Client::publishing(context)?;
            let first = client.next;
            for offset in [
                0,
                8_191,
                8_193,
                100_000,
                0x3fff_ffff,
                0x4000_0000,
                0x7fff_ffff,
            ] {
                client.next = first.wrapping_add(offset) & 0x7fff_ffff;
                client.send_data(&[0x47; 1_316]);
                client.send(Body::Ack(srt::packet::Ack {
                    number: offset,
                    next: Sequence::new(first.wrapping_add(offset)),
                    ..srt::packet::Ack::default()
                }));
                client.send(Body::AckAck(offset));
            }
            super::healthy(context)
        },
    ),
    must(
        "srt.abuse.nonsense",
        "nonsense",
        "datagrams of every length and of no kind are passed over",
        |context| {
            let client = Client::new(context)?;
            for length in (0..1_500).step_by(7) {
                let bytes = context.random.borrow_mut().bytes(length);
                client.udp.send(&bytes);
                // As control packets of every kind, too.
                let kind = [0x80, (length % 16) as u8];
                client
                    .udp
                    .send(&[&kind[..], bytes.get(2..).unwrap_or_default()].concat());
            }
            super::healthy(context)
        },
    ),
    should(
        "srt.abuse.names",
        "name traversal",
        "nobody publishes under names that lead out of a folder",
        names,
    ),
];

/// In handshakes and, as a message of a connection, behind them.
fn key_material(context: &Context) -> Outcome {
    // Version 1, type 2, the signature "HAI", the even key, AES-CTR, in TS/UDP; salt of 16 bytes, key of 16.
    let sound = [
        &[0x12, 0x20, 0x29, 1, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 4, 4][..],
        &[7; 16 + 24],
    ]
    .concat();
    let mut odd: Vec<Vec<u8>> = vec![Vec::new(), vec![0; 4], vec![0xff; 400], sound.clone()];
    for at in 0..16 {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            odd.push(bytes);
        }
    }
    // A few, since an address may ask for so many connections a second and no more.
    for bytes in odd.iter().step_by(7) {
        let client = Client::new(context)?;
        let cookie = client.induction()?.cookie;
        let mut handshake = client.concluding(cookie, &client.stream_id(context)?);
        handshake.encryption = 2;
        handshake.extension |= 2;
        handshake.extensions.key_material = Some(bytes.clone());
        client.send_to(0, Body::Handshake(&written(&handshake)));
    }
    let mut client = Client::publishing(context)?;
    for bytes in &odd {
        // A user-defined message of the kind SRT_CMD_KMREQ (section 3.2.2).
        let head = [0xff, 0xff, 0, 3];
        let numbers = [[0; 4], [0; 4], client.peer.to_be_bytes()].concat();
        client.udp.send(&[&head[..], &numbers, bytes].concat());
    }
    client.send_stream(3);
    super::healthy(context)
}

fn names(context: &Context) -> Outcome {
    // What stands behind a colon is a user.
    let names = BAD_NAMES.into_iter().filter(|name| !name.contains(':'));
    for name in names.chain([&*"x".repeat(500)]) {
        for id in [format!("publish:{name}"), format!("#!::r={name},m=publish")] {
            let client = Client::new(context)?;
            let cookie = client.induction()?.cookie;
            // The field takes 512 bytes.
            let id = id.get(..id.len().min(508)).unwrap_or_default();
            client.ask_conclusion(cookie, id);
            let answer = client.udp.receive(Duration::from_millis(300));
            let handshake =
                answer
                    .as_deref()
                    .and_then(|datagram| match Packet::parse(datagram).ok()?.body {
                        Body::Handshake(body) => srt::handshake::Handshake::parse(body).ok(),
                        _ => None,
                    });
            let made = handshake.is_some_and(|handshake| handshake.kind == Kind::Conclusion);
            ensure!(!made || client.is_shut_down(), "{id:?} may be published");
        }
    }
    Ok(())
}
