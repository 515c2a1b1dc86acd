//! What was done to servers of WebSocket.

use super::client::{Client, Opcode, endpoint, frame, head, request};
use crate::case::{Case, must};
use crate::context::{BAD_NAMES, ensure};
use crate::http;
use crate::wire::all_closed;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "websocket.abuse.half-open",
        "half-open",
        "handshakes that never end are ended, and hold nobody up",
        |context| {
            let mut wires = Vec::new();
            for _ in 0..20 {
                let mut wire = context.tcp(endpoint(context)?)?;
                wire.offer(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n");
                wires.push(wire);
            }
            super::healthy(context)?;
            all_closed(&mut wires, Instant::now() + context.patience)
        },
    ),
    must(
        "websocket.abuse.lengths",
        "oversized length",
        "frames of exabytes take no memory and hold nobody up",
        |context| {
            let mut clients = Vec::new();
            for length in [1 << 20, 1 << 31, 1 << 32, i64::MAX as u64, u64::MAX] {
                for opcode in [Opcode::TEXT, Opcode::BINARY, Opcode::PING] {
                    let mut client = Client::new(context)?;
                    client.wire.offer(&head(0x80 | opcode.0, length));
                    client.wire.offer(&[b'x'; 65_536]);
                    clients.push(client);
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "websocket.abuse.fragments",
        "resource exhaustion",
        "a message of fragments without end is not kept",
        |context| {
            let long = frame(Opcode::CONTINUATION.0, &[b' '; 60_000]);
            let nothing = frame(Opcode::CONTINUATION.0, b"").repeat(1_000);
            for fragments in [long, nothing] {
                let mut client = Client::new(context)?;
                client.wire.offer(&frame(Opcode::TEXT.0, b"{"));
                for _ in 0..500 {
                    if !client.wire.offer(&fragments) {
                        break;
                    }
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "websocket.abuse.flood",
        "slow reader",
        "pings whose answers nobody reads are not kept, and hold nobody up",
        |context| {
            let mut client = Client::new(context)?;
            let pings = frame(0x80 | Opcode::PING.0, &[0; 125]).repeat(500);
            for _ in 0..500 {
                if !client.wire.offer(&pings) {
                    break;
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "websocket.abuse.order",
        "state abuse",
        "frames before the answer, behind a close and instead of a request end that connection alone",
        |context| {
            let mut wire = context.tcp(endpoint(context)?)?;
            request(&mut wire, context, &super::client::FIELDS)?;
            wire.offer(&frame(0x80 | Opcode::PING.0, b"early"));
            let mut wire = context.tcp(endpoint(context)?)?;
            wire.offer(&frame(0x80 | Opcode::PING.0, b"no request"));
            let mut client = Client::new(context)?;
            client.offer(Opcode::CLOSE, &[3, 232]);
            for _ in 0..100 {
                client.offer(Opcode::CLOSE, &[3, 232]);
                client.offer(Opcode::TEXT, b"{}");
            }
            let mut client = Client::new(context)?;
            client.offer(Opcode::CLOSE, &[1]);
            client.offer(Opcode::TEXT, &[0xff, 0xfe]);
            super::healthy(context)
        },
    ),
    must(
        "websocket.abuse.texts",
        "malformed input",
        "texts that are deep, long, no UTF-8 and no JSON are no harm",
        |context| {
            let deep = "[".repeat(60_000);
            let texts = [
                deep.as_bytes(),
                b"{\"command\":",
                b"{\"command\":{\"command\":[]}}",
                b"{\"command\":\"play\",\"streamId\":\"../../x\"}",
                b"null",
                b"",
                &[0xc3, 0x28],
            ];
            for text in texts {
                let mut client = Client::new(context)?;
                client.offer(Opcode::TEXT, text);
                client.wire.receive(Duration::from_millis(50));
            }
            super::healthy(context)
        },
    ),
    must(
        "websocket.abuse.names",
        "name traversal",
        "no name leads out of what is served",
        |context| {
            let address = endpoint(context)?;
            for name in BAD_NAMES {
                // What is no request is HTTP's to refuse.
                let name = name.replace(['\r', '\n', '\0'], "%00");
                let mut wire = context.tcp(address)?;
                let text = format!(
                    "GET /{name} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
                    address.host,
                    super::client::KEY
                );
                wire.offer(text.as_bytes());
                if let Ok(response) = http::answer(&mut wire, "an answer") {
                    ensure!(
                        response.status >= 300,
                        "{name} was answered with {}",
                        response.status
                    );
                }
            }
            super::healthy(context)
        },
    ),
];
