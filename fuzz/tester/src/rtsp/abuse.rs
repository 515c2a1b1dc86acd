//! What was done to servers of RTSP.

use super::client::{Client, description};
use crate::case::{Case, must, should};
use crate::context::{BAD_NAMES, Context, Outcome, ensure};
use crate::wire::all_closed;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "rtsp.abuse.half-open",
        "half-open",
        "connections that ask nothing whole are ended, and hold nobody up",
        half_open,
    ),
    must(
        "rtsp.abuse.long-body",
        "oversized length",
        "bodies of gigabytes, negative and twofold lengths are refused",
        |context| {
            for length in [
                "4294967295",
                "18446744073709551615",
                "-1",
                "99999999999999999999",
                "5\r\nContent-Length: 6",
                "x",
            ] {
                let mut client = Client::new(context)?;
                let text = format!(
                    "ANNOUNCE {} RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\nv=0\r\n",
                    client.url
                );
                client.wire.offer(text.as_bytes());
                for _ in 0..64 {
                    if !client.wire.offer(&[b' '; 65_536]) {
                        break;
                    }
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "rtsp.abuse.long-head",
        "oversized length",
        "headers without end are refused",
        |context| {
            for piece in ["X", "X: y\r\n", "\r\n", " "] {
                let mut client = Client::new(context)?;
                client
                    .wire
                    .offer(format!("OPTIONS {} RTSP/1.0\r\n", client.url).as_bytes());
                let flood = piece.repeat(65_536 / piece.len());
                for _ in 0..64 {
                    if !client.wire.offer(flood.as_bytes()) {
                        break;
                    }
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "rtsp.abuse.frames",
        "chunk interleaving",
        "frames before PLAY, of unknown channels, within requests and cut are no harm",
        |context| {
            let mut client = Client::set_up(context)?;
            for channel in [0, 1, 2, 255] {
                let _ = client.frame(channel, &[0x80; 65_535]);
                let _ = client.frame(channel, &[]);
            }
            let _ = client.in_session("PLAY");
            client.wire.offer(b"OPTIONS rtsp");
            client.wire.offer(&[b'$', 0, 0xff, 0xff]);
            client.wire.offer(&[0; 100]);
            super::healthy(context)
        },
    ),
    must(
        "rtsp.abuse.order",
        "state abuse",
        "methods in any order end that connection alone",
        order,
    ),
    must(
        "rtsp.abuse.stolen-session",
        "stolen session",
        "another connection cannot end or pause a session by its number",
        |context| {
            let mut client = Client::playing(context)?;
            client.packet()?;
            for method in ["PAUSE", "TEARDOWN"] {
                let mut thief = Client::new(context)?;
                thief.session = client.session.clone();
                let _ = thief.in_session(method);
            }
            // More than what was under way.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(600) {
                client.packet()?;
            }
            client.packet().map(|_| ())
        },
    ),
    must(
        "rtsp.abuse.destination",
        "reflection",
        "packets are not sent to an address that the client names (12.39, 16)",
        destination,
    ),
    must(
        "rtsp.abuse.slow-reader",
        "slow reader",
        "players that read nothing hold nobody up",
        |context| {
            let mut slow = Vec::new();
            for _ in 0..8 {
                slow.push(Client::playing(context)?);
            }
            for _ in 0..3 {
                super::healthy(context)?;
            }
            Ok(())
        },
    ),
    must(
        "rtsp.abuse.many-tracks",
        "oversized length",
        "a description of ten thousand tracks is refused, or costs nothing",
        |context| {
            let address = context.target(|targets| &targets.rtsp_publish)?;
            let url = format!("{}-{}", address.url, context.name("many"));
            let mut client = Client::to(context, address, &url)?;
            let tracks = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n".repeat(10_000);
            let body = format!("{}{tracks}", description(&url));
            let _ = client.ask(
                "ANNOUNCE",
                &url,
                &[("Content-Type", "application/sdp")],
                &body,
            );
            super::healthy(context)
        },
    ),
    should(
        "rtsp.abuse.names",
        "name traversal",
        "nobody publishes under names that lead out of a folder",
        |context| {
            let address = context.target(|targets| &targets.rtsp_publish)?;
            for name in BAD_NAMES.into_iter().chain([&*"x".repeat(5_000)]) {
                let folder = address
                    .url
                    .rsplit_once('/')
                    .map_or("", |(folder, _)| folder);
                let url = format!("{folder}/{name}");
                let mut client = Client::to(context, address, &url)?;
                let answer = client.ask(
                    "ANNOUNCE",
                    &url,
                    &[("Content-Type", "application/sdp")],
                    &description("*"),
                );
                let status = answer.map_or(0, |answer| answer.status);
                let shown: String = name.chars().take(40).collect();
                ensure!(status != 200, "{shown:?} may be published");
            }
            Ok(())
        },
    ),
];

fn half_open(context: &Context) -> Outcome {
    let mut wires = Vec::new();
    for _ in 0..10 {
        let silent = Client::new(context)?;
        let mut half = Client::new(context)?;
        half.wire.offer(b"OPTIONS rtsp://x/ RTSP/1.0\r\nCS");
        let mut body = Client::new(context)?;
        body.wire
            .offer(b"ANNOUNCE rtsp://x/x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 1000\r\n\r\nv=0");
        wires.extend([silent.wire, half.wire, body.wire]);
    }
    super::healthy(context)?;
    all_closed(&mut wires, Instant::now() + context.patience)
}

fn order(context: &Context) -> Outcome {
    const ORDERS: [&[&str]; 6] = [
        &["RECORD", "PAUSE", "PLAY", "TEARDOWN"],
        &["SETUP", "RECORD", "SETUP", "PLAY"],
        &["SETUP", "PLAY", "SETUP", "RECORD", "ANNOUNCE"],
        &["ANNOUNCE", "PLAY", "DESCRIBE", "RECORD"],
        &["SETUP", "SETUP", "SETUP", "TEARDOWN", "PLAY"],
        &["PLAY", "PLAY", "TEARDOWN", "TEARDOWN", "REDIRECT"],
    ];
    for orders in ORDERS {
        for prepare in [Client::new, Client::set_up, Client::playing] {
            let mut client = prepare(context)?;
            let (url, session) = (client.url.clone(), client.session.clone());
            for method in orders {
                let mut fields = vec![(
                    "Transport",
                    "RTP/AVP/TCP;unicast;interleaved=0-255;mode=record",
                )];
                if !session.is_empty() {
                    fields.push(("Session", &session));
                }
                let body = if *method == "ANNOUNCE" {
                    description(&url)
                } else {
                    String::new()
                };
                if client.ask(method, &url, &fields, &body).is_err() {
                    break;
                }
            }
        }
    }
    super::healthy(context)
}

/// Whether a server can be made to send to somebody who never asked.
fn destination(context: &Context) -> Outcome {
    let Ok(victim) = UdpSocket::bind("127.0.0.2:0") else {
        return Err(crate::context::Ended::Skipped(
            "127.0.0.2 is no address here".to_owned(),
        ));
    };
    let port = victim.local_addr().map_or(0, |address| address.port());
    let mut client = Client::new(context)?;
    let url = client.url.clone();
    let answer = client.ask("DESCRIBE", &url, &[], "")?;
    let track = client.tracks(&answer).into_iter().next().unwrap_or(url);
    let transport = format!(
        "RTP/AVP;unicast;destination=127.0.0.2;client_port={port}-{}",
        port.wrapping_add(1)
    );
    let answer = client.ask("SETUP", &track, &[("Transport", &transport)], "")?;
    if answer.status != 200 {
        return Ok(());
    }
    client.session = answer.session();
    let _ = client.in_session("PLAY");
    let waits = victim.set_read_timeout(Some(Duration::from_secs(1)));
    let mut datagram = [0; 2_000];
    ensure!(
        waits.is_err() || victim.recv(&mut datagram).is_err(),
        "somebody who never asked gets packets"
    );
    Ok(())
}
