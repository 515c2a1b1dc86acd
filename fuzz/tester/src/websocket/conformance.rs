//! What RFC 6455 demands of a server.

use super::client::{Client, FIELDS, Opcode, endpoint, frame, request};
use crate::case::{Case, must, should};
use crate::context::{Context, Outcome, ensure};
use crate::http;

pub(super) static CASES: &[Case] = &[
    must(
        "websocket.handshake",
        "RFC 6455, 4.2.2",
        "a handshake is answered with 101 and what belongs to its key",
        |context| Client::new(context).map(|_| ()),
    ),
    must(
        "websocket.version",
        "RFC 6455, 4.2.2 and 4.4",
        "another version is refused, and told which one is known",
        |context| {
            let fields = FIELDS.map(|(name, value)| match name {
                "Sec-WebSocket-Version" => (name, "12"),
                _ => (name, value),
            });
            let mut wire = context.tcp(endpoint(context)?)?;
            request(&mut wire, context, &fields)?;
            let response = http::answer(&mut wire, "the answer to version 12")?;
            ensure!(
                response.status == 426,
                "version 12 was answered with {}, not 426",
                response.status
            );
            let known = response.field("Sec-WebSocket-Version");
            ensure!(known == Some("13"), "the version that is known: {known:?}");
            Ok(())
        },
    ),
    must(
        "websocket.no-key",
        "RFC 6455, 4.2.1",
        "a request without a key is refused",
        |context| {
            let fields = FIELDS.into_iter();
            let fields: Vec<_> = fields
                .filter(|(name, _)| *name != "Sec-WebSocket-Key")
                .collect();
            let mut wire = context.tcp(endpoint(context)?)?;
            request(&mut wire, context, &fields)?;
            let response = http::answer(&mut wire, "the answer to a request without a key")?;
            ensure!(
                (400..500).contains(&response.status),
                "it was answered with {}",
                response.status
            );
            Ok(())
        },
    ),
    must(
        "websocket.ping",
        "RFC 6455, 5.5.3",
        "a ping is answered with its own payload, short, long or none",
        |context| {
            let mut client = Client::new(context)?;
            client.is_answered(b"")?;
            client.is_answered(b"x")?;
            client.is_answered(&[0xff; 125])
        },
    ),
    must(
        "websocket.pieces",
        "RFC 6455, 5.2",
        "frames are the same in single bytes",
        |context| {
            let mut client = Client::new(context)?;
            for byte in frame(0x80 | Opcode::PING.0, b"slowly") {
                client.wire.send(&[byte])?;
            }
            let answer = client.wait(Opcode::PONG, "a pong")?;
            ensure!(
                answer.payload == b"slowly",
                "the pong is of another payload"
            );
            Ok(())
        },
    ),
    must(
        "websocket.fragments",
        "RFC 6455, 5.4",
        "a ping between the fragments of a message is answered",
        |context| {
            let mut client = Client::new(context)?;
            client.wire.send(&frame(Opcode::TEXT.0, b"{\"com"))?;
            client.is_answered(b"between")?;
            client
                .wire
                .send(&frame(Opcode::CONTINUATION.0, b"mand\":"))?;
            client.is_answered(b"and again")
        },
    ),
    must(
        "websocket.pong",
        "RFC 6455, 5.5.3",
        "a pong that was not asked for is no fault",
        |context| {
            let mut client = Client::new(context)?;
            client.offer(Opcode::PONG, b"unasked");
            client.is_answered(b"well?")
        },
    ),
    must(
        "websocket.close",
        "RFC 6455, 5.5.1",
        "a close is answered with a close, and the connection ends",
        |context| {
            let mut client = Client::new(context)?;
            client.offer(Opcode::CLOSE, &1_000u16.to_be_bytes());
            client.wait(Opcode::CLOSE, "a close")?;
            client.is_ended_for("the close")
        },
    ),
    must(
        "websocket.unmasked",
        "RFC 6455, 5.1",
        "a frame that is not masked ends the connection",
        |context| ends(context, "a frame that is not masked", &[0x89, 1, b'x']),
    ),
    must(
        "websocket.reserved-bits",
        "RFC 6455, 5.2",
        "bits of extensions that were not agreed on end the connection",
        |context| {
            for bit in [0x40, 0x20, 0x10] {
                let frame = frame(0x80 | bit | Opcode::PING.0, b"x");
                ends(context, "a reserved bit", &frame)?;
            }
            Ok(())
        },
    ),
    must(
        "websocket.unknown-opcode",
        "RFC 6455, 5.2",
        "a frame of an unknown kind ends the connection",
        |context| {
            for opcode in [3, 7, 11, 15] {
                ends(context, "an unknown opcode", &frame(0x80 | opcode, b"x"))?;
            }
            Ok(())
        },
    ),
    must(
        "websocket.long-control",
        "RFC 6455, 5.5",
        "a control frame of more than 125 bytes ends the connection",
        |context| {
            let frame = frame(0x80 | Opcode::PING.0, &[0; 126]);
            ends(context, "a ping of 126 bytes", &frame)
        },
    ),
    must(
        "websocket.cut-control",
        "RFC 6455, 5.4",
        "a control frame in fragments ends the connection",
        |context| ends(context, "half a ping", &frame(Opcode::PING.0, b"x")),
    ),
    should(
        "websocket.no-beginning",
        "RFC 6455, 5.4",
        "a continuation of nothing ends the connection",
        |context| {
            let frame = frame(0x80 | Opcode::CONTINUATION.0, b"x");
            ends(context, "a continuation of nothing", &frame)
        },
    ),
    should(
        "websocket.two-beginnings",
        "RFC 6455, 5.4",
        "a message within the fragments of another ends the connection",
        |context| {
            let two = [frame(Opcode::TEXT.0, b"x"), frame(0x81, b"y")].concat();
            ends(context, "a message within another", &two)
        },
    ),
];

/// These bytes end a connection.
fn ends(context: &Context, what: &str, bytes: &[u8]) -> Outcome {
    let mut client = Client::new(context)?;
    client.wire.send(bytes)?;
    client.is_ended_for(what)
}
