//! What the draft demands of a listener.

use super::client::Client;
use crate::case::{Case, must, should};
use crate::context::{Outcome, ensure};
use srt::handshake::Kind;
use srt::packet::{Body, Packet};
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "srt.induction",
        "4.3.1.1",
        "the induction is answered with version 5, the magic number and a cookie",
        |context| {
            let answer = Client::new(context)?.induction()?;
            ensure!(answer.version == 5, "the version is {}", answer.version);
            ensure!(
                answer.extension == 0x4a17,
                "the extension field is {:#x}",
                answer.extension
            );
            ensure!(answer.cookie != 0, "the cookie is 0");
            Ok(())
        },
    ),
    must(
        "srt.cookie",
        "4.3.1.1",
        "cookies of different callers differ",
        |context| {
            let cookies = [
                Client::new(context)?.induction()?.cookie,
                Client::new(context)?.induction()?.cookie,
            ];
            ensure!(
                cookies[0] != cookies[1],
                "two callers got {:#x}",
                cookies[0]
            );
            Ok(())
        },
    ),
    must(
        "srt.conclusion",
        "4.3.1.2, 3.2.1.1",
        "the conclusion is answered with the listener's extension",
        |context| {
            let client = Client::new(context)?;
            let cookie = client.induction()?.cookie;
            let answer = client.conclusion(cookie, &client.stream_id(context)?)?;
            ensure!(
                answer.kind == Kind::Conclusion,
                "it was answered with {:?}",
                answer.kind
            );
            let hello = answer.extensions.hello;
            ensure!(
                hello.is_some_and(|hello| hello.response),
                "there is no SRT_CMD_HSRSP"
            );
            let latency = hello.map_or((0, 0), |hello| hello.latency);
            ensure!(
                latency.0 >= 120 && latency.1 >= 120,
                "the latency is {latency:?}, of 120 asked for"
            );
            Ok(())
        },
    ),
    must(
        "srt.repeated-conclusion",
        "4.3.1.2",
        "a conclusion that comes twice has the same answer",
        |context| {
            let client = Client::new(context)?;
            let cookie = client.induction()?.cookie;
            let id = client.stream_id(context)?;
            let first = client.conclusion(cookie, &id)?;
            let second = client.conclusion(cookie, &id)?;
            ensure!(first.socket == second.socket, "two sockets were made");
            Ok(())
        },
    ),
    must("srt.data", "4.8.1", "data is acknowledged", super::healthy),
    must(
        "srt.loss",
        "4.8.2",
        "what is missing is asked for again, and acknowledged when it comes",
        |context| {
            let mut client = Client::publishing(context)?;
            client.send_stream(3);
            let missing = client.next;
            client.next += 1;
            client.send_stream(3);
            client.udp.wait("a loss report", |datagram| {
                let Body::Nak(list) = Packet::parse(datagram).ok()?.body else {
                    return None;
                };
                let mut losses = srt::packet::losses(list);
                losses
                    .any(|(first, last)| first.value() <= missing && missing <= last.value())
                    .then_some(())
            })?;
            let next = std::mem::replace(&mut client.next, missing);
            client.send_data(&[0x47; 188]);
            client.next = next;
            client.acknowledged(7)
        },
    ),
    must(
        "srt.shutdown",
        "3.2.7",
        "after a goodbye the same name may be published again, at once or soon",
        |context| {
            let mut client = Client::new(context)?;
            let id = client.stream_id(context)?;
            client.connect(&id)?;
            client.send_stream(3);
            client.acknowledged(3)?;
            client.send(Body::Shutdown);
            let deadline = Instant::now() + Duration::from_secs(2);
            loop {
                let again = Client::new(context)?.connect(&id);
                if again.is_ok() || Instant::now() > deadline {
                    return again;
                }
            }
        },
    ),
    should(
        "srt.keep-alive",
        "3.2.3",
        "a listener that has nothing to say says so now and then",
        |context| {
            let client = Client::publishing(context)?;
            client.udp.wait("anything within the limit", |datagram| {
                let body = Packet::parse(datagram).ok()?.body;
                matches!(body, Body::KeepAlive | Body::Ack(_)).then_some(())
            })
        },
    ),
    should(
        "srt.rejection",
        "4.3.1.2, table 7",
        "what is refused is refused with a reason",
        refusal,
    ),
];

fn refusal(context: &crate::context::Context) -> Outcome {
    let client = Client::new(context)?;
    let cookie = client.induction()?.cookie;
    let answer = client.conclusion(cookie, "#!::r=../../x,m=publish")?;
    ensure!(
        matches!(answer.kind, Kind::Reject(_)),
        "it was answered with {:?}",
        answer.kind
    );
    Ok(())
}
