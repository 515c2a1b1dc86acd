//! What RFC 2326 demands of a server.

use super::client::{Client, request};
use crate::case::{Case, must, should};
use crate::context::{Context, Outcome, ensure};
use std::collections::BTreeSet;

pub(super) static CASES: &[Case] = &[
    must(
        "rtsp.options",
        "10.1",
        "OPTIONS is answered with the methods that there are",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask("OPTIONS", &url, &[], "")?;
            ensure!(
                answer.status == 200,
                "OPTIONS was answered with {}",
                answer.status
            );
            let methods = answer.field("Public").unwrap_or_default();
            for method in ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"] {
                ensure!(
                    methods.contains(method),
                    "Public is {methods:?}, without {method}"
                );
            }
            Ok(())
        },
    ),
    must(
        "rtsp.sequence",
        "12.17",
        "answers have the request's CSeq",
        |context| {
            let mut client = Client::new(context)?;
            client.sequence = 41_332;
            let url = client.url.clone();
            let answer = client.ask("OPTIONS", &url, &[], "")?;
            ensure!(
                answer.field("CSeq") == Some("41333"),
                "CSeq is {:?}",
                answer.field("CSeq")
            );
            Ok(())
        },
    ),
    must(
        "rtsp.describe",
        "10.2, C.1.1",
        "DESCRIBE gives a session description",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask("DESCRIBE", &url, &[("Accept", "application/sdp")], "")?;
            ensure!(
                answer.status == 200,
                "DESCRIBE was answered with {}",
                answer.status
            );
            let kind = answer.field("Content-Type").unwrap_or_default();
            ensure!(
                kind.starts_with("application/sdp"),
                "Content-Type is {kind:?}"
            );
            ensure!(
                answer.body.starts_with("v=0"),
                "the description begins with {:?}",
                answer.body.lines().next()
            );
            ensure!(
                !client.tracks(&answer).is_empty(),
                "no track has a control attribute"
            );
            Ok(())
        },
    ),
    must(
        "rtsp.not-found",
        "7.1.1 (404)",
        "what does not exist is answered with 404",
        |context| {
            let mut client = Client::new(context)?;
            let url = format!("{}-{}", client.url, context.name("none"));
            let answer = client.ask("DESCRIBE", &url, &[], "")?;
            ensure!(
                answer.status == 404,
                "DESCRIBE was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    must(
        "rtsp.unknown-method",
        "10, 11",
        "a method that is not known is answered with 501 or 405",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask("DANCE", &url, &[], "")?;
            ensure!(
                matches!(answer.status, 501 | 405),
                "DANCE was answered with {}",
                answer.status
            );
            let answer = client.ask("OPTIONS", &url, &[], "")?;
            ensure!(
                answer.status == 200,
                "the connection is of no use behind it"
            );
            Ok(())
        },
    ),
    must(
        "rtsp.play",
        "10.4, 10.5, 10.12",
        "SETUP and PLAY make RTP packets come over the connection",
        |context| {
            let mut client = Client::playing(context)?;
            for _ in 0..3 {
                let packet = client.packet()?;
                ensure!(
                    packet.len() > 12 && packet[0] >> 6 == 2,
                    "a frame holds no RTP packet"
                );
            }
            Ok(())
        },
    ),
    must(
        "rtsp.session-length",
        "3.4",
        "sessions are at least eight characters, and never the same",
        |context| {
            let mut sessions = BTreeSet::new();
            for _ in 0..4 {
                let client = Client::set_up(context)?;
                ensure!(
                    client.session.len() >= 8,
                    "a session is {:?}",
                    client.session
                );
                ensure!(
                    sessions.insert(client.session.clone()),
                    "two sessions are {:?}",
                    client.session
                );
            }
            Ok(())
        },
    ),
    must(
        "rtsp.session-not-found",
        "11.3.5 (454)",
        "a session that does not exist is answered with 454",
        |context| {
            let mut client = Client::new(context)?;
            client.session = "nobodyknows1234".to_owned();
            let answer = client.in_session("PLAY")?;
            ensure!(
                answer.status == 454,
                "PLAY was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    must(
        "rtsp.play-before-setup",
        "A.2",
        "PLAY without a session is refused",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask("PLAY", &url, &[], "")?;
            ensure!(
                matches!(answer.status, 454 | 455),
                "PLAY was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    must(
        "rtsp.transport",
        "11.3.8 (461)",
        "a transport that is not known is answered with 461",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask("DESCRIBE", &url, &[], "")?;
            let track = client.tracks(&answer).into_iter().next().unwrap_or(url);
            let answer = client.ask(
                "SETUP",
                &track,
                &[("Transport", "RAW/RAW/PIGEON;unicast")],
                "",
            )?;
            ensure!(
                answer.status == 461,
                "SETUP was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    should(
        "rtsp.require",
        "12.32",
        "what is required and not known is answered with 551",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let answer = client.ask(
                "OPTIONS",
                &url,
                &[("Require", "org.example.unheard-of")],
                "",
            )?;
            ensure!(
                answer.status == 551,
                "OPTIONS was answered with {}",
                answer.status
            );
            ensure!(
                answer.field("Unsupported").is_some(),
                "the answer has no Unsupported"
            );
            Ok(())
        },
    ),
    should(
        "rtsp.version",
        "7.1.1 (505)",
        "RTSP of another version is answered with 505",
        |context| {
            let mut client = Client::new(context)?;
            let text = format!("OPTIONS {} RTSP/7.0\r\nCSeq: 1\r\n\r\n", client.url);
            client.wire.send(text.as_bytes())?;
            let answer = client.answer("the answer to RTSP/7.0")?;
            ensure!(
                matches!(answer.status, 505 | 400),
                "it was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    must(
        "rtsp.pipeline",
        "9.1",
        "requests that come at once are answered in order",
        |context| {
            let mut client = Client::new(context)?;
            let url = client.url.clone();
            let all: String = (1..=5)
                .map(|number| request("OPTIONS", &url, number, &[], ""))
                .collect();
            client.wire.send(all.as_bytes())?;
            for number in 1..=5 {
                let answer = client.answer("an answer")?;
                let sequence = answer.field("CSeq").unwrap_or_default().to_owned();
                ensure!(
                    sequence == number.to_string(),
                    "answer {number} has CSeq {sequence}"
                );
            }
            Ok(())
        },
    ),
    must(
        "rtsp.cut-anywhere",
        "9",
        "a request may come byte by byte",
        |context| {
            let mut client = Client::new(context)?;
            let text = request("OPTIONS", &client.url, 7, &[], "");
            text.as_bytes()
                .iter()
                .try_for_each(|byte| client.wire.send(&[*byte]))?;
            let answer = client.answer("the answer")?;
            ensure!(
                answer.status == 200,
                "it was answered with {}",
                answer.status
            );
            Ok(())
        },
    ),
    must(
        "rtsp.names-of-fields",
        "4, 15.1",
        "names of fields are the same in capitals and small letters",
        |context| {
            let mut client = Client::new(context)?;
            let text = format!("OPTIONS {} RTSP/1.0\r\ncseq:  9 \r\n\r\n", client.url);
            client.wire.send(text.as_bytes())?;
            let answer = client.answer("the answer")?;
            ensure!(
                answer.field("CSeq") == Some("9"),
                "CSeq is {:?}",
                answer.field("CSeq")
            );
            Ok(())
        },
    ),
    should(
        "rtsp.keep-alive",
        "10.8",
        "GET_PARAMETER without a body keeps a session",
        |context| {
            let mut client = Client::playing(context)?;
            let answer = client.in_session("GET_PARAMETER")?;
            ensure!(
                answer.status == 200,
                "it was answered with {}",
                answer.status
            );
            client.packet().map(|_| ())
        },
    ),
    should(
        "rtsp.rtp-info",
        "12.33",
        "PLAY tells where packets begin",
        |context| {
            let mut client = Client::set_up(context)?;
            let answer = client.in_session("PLAY")?;
            let info = answer.field("RTP-Info").unwrap_or_default();
            ensure!(info.contains("seq="), "RTP-Info is {info:?}");
            Ok(())
        },
    ),
    must(
        "rtsp.teardown",
        "10.7",
        "TEARDOWN ends the session, and it is not known any more",
        teardown,
    ),
];

fn teardown(context: &Context) -> Outcome {
    let mut client = Client::playing(context)?;
    let answer = client.in_session("TEARDOWN")?;
    ensure!(
        answer.status == 200,
        "TEARDOWN was answered with {}",
        answer.status
    );
    // Closing the connection says it as well.
    match client.in_session("PLAY") {
        Ok(answer) => ensure!(
            matches!(answer.status, 454 | 455),
            "PLAY behind it was answered with {}",
            answer.status
        ),
        Err(_) => client.wire.buffer.clear(),
    }
    Ok(())
}
