//! SRT in live mode (draft-sharabayko-srt; sections without another name are of it).

mod abuse;
mod client;
mod conformance;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome};
use client::Client;
use srt::Sequence;
use srt::packet::Body;

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::Srt,
    present: |targets| targets.srt.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[publishes],
};

/// Somebody publishes, and what he sends is acknowledged.
fn healthy(context: &Context) -> Outcome {
    let mut client = Client::publishing(context)?;
    client.send_stream(8);
    client.acknowledged(8)?;
    client.send(Body::Shutdown);
    Ok(())
}

/// A session that publishes, for mutation.
fn publishes(context: &Context) -> Outcome {
    let mut client = Client::new(context)?;
    let cookie = client.induction().map_or(1, |answer| answer.cookie);
    let id = client.stream_id(context)?;
    let (peer, initial) = match client.conclusion(cookie, &id) {
        Ok(answer) => (answer.socket, answer.initial),
        Err(_) => (1, Sequence::new(1)),
    };
    client.begin(peer, initial);
    client.send_stream(6);
    let ack = srt::packet::Ack {
        number: 1,
        next: Sequence::new(2),
        rtt: Some((1_000, 100)),
        room: Some(8_192),
        rates: Some((100, 1_000, 100_000)),
    };
    for body in [
        Body::KeepAlive,
        Body::Ack(ack),
        Body::AckAck(1),
        Body::Nak(&[0x80, 0, 0, 1, 0, 0, 0, 9]),
        Body::DropRequest {
            message: 1,
            first: Sequence::new(1),
            last: Sequence::new(3),
        },
        Body::Shutdown,
    ] {
        client.send(body);
        client.send_stream(1);
    }
    let _ = client.udp.receive(context.limit);
    Ok(())
}
