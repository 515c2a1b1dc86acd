//! WebSocket (RFC 6455), by which players and signalling come through HTTP.

mod abuse;
mod client;
mod conformance;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome};
use client::{Client, Opcode};
use std::time::Duration;

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::WebSocket,
    present: |targets| targets.websocket.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[talks],
};

/// The handshake, and an answer to a ping.
fn healthy(context: &Context) -> Outcome {
    Client::new(context)?.is_answered(b"well?")
}

/// A session for mutation: each frame is a message.
fn talks(context: &Context) -> Outcome {
    let mut client = Client::offered(context)?;
    for (opcode, payload) in [
        (Opcode::TEXT, &b"{\"command\":\"ping\"}"[..]),
        (Opcode::PING, b"1"),
        (Opcode::BINARY, &[7; 300]),
        (Opcode::CLOSE, &[3, 232]),
    ] {
        client.offer(opcode, payload);
        client.wire.receive(Duration::from_millis(20));
        client.wire.buffer.clear();
    }
    Ok(())
}
