//! What was done to servers of WebRTC before any key was agreed on.

use super::client::{SDP, Session, post};
use super::conformance::ordinary;
use super::{endpoint, stun};
use crate::case::{Case, must};
use crate::context::{BAD_NAMES, ensure};
use crate::hls::playlist::resolved;
use crate::http;
use crate::wire::all_closed;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "webrtc.abuse.half-open",
        "half-open",
        "offers that do not come whole are given up, and hold nobody up",
        |context| {
            let address = endpoint(context)?;
            let mut wires = Vec::new();
            for _ in 0..20 {
                let mut wire = context.tcp(address)?;
                wire.offer(format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 4000\r\n\r\nv=0\r\n", http::target(address)).as_bytes());
                wires.push(wire);
            }
            super::healthy(context)?;
            all_closed(&mut wires, Instant::now() + context.patience)
        },
    ),
    must(
        "webrtc.abuse.long-offer",
        "oversized length",
        "offers of megabytes and of thousands of sections are refused",
        |context| {
            let address = endpoint(context)?;
            let ordinary = ordinary(context);
            let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\na=mid:0\r\n";
            let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
            for more in [section, candidate, "a=", "a=rtpmap:96 H264/90000\r\n"] {
                for count in [2_000, 200_000] {
                    let offer = format!("{ordinary}{}", more.repeat(count));
                    if let Ok(response) = post(context, address, &offer) {
                        ensure!(
                            response.status < 500 || response.status == 503,
                            "it was answered with {}",
                            response.status
                        );
                    }
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "webrtc.abuse.silent-sessions",
        "resource exhaustion",
        "a hundred sessions that never check connectivity hold nobody up",
        |context| {
            let address = endpoint(context)?;
            for _ in 0..100 {
                let _ = post(context, address, &ordinary(context));
            }
            super::healthy(context)
        },
    ),
    must(
        "webrtc.abuse.stolen-session",
        "stolen session",
        "a session is not ended or changed by guesses at its URL",
        |context| {
            let address = endpoint(context)?;
            let mut session = Session::new(context, address)?;
            session.check(context)?;
            let own = session.resource.clone();
            let guesses = [
                format!("{own}x"),
                own[..own.len() - 1].to_owned(),
                resolved(&http::target(address), "1"),
                format!("{own}/.."),
            ];
            for guess in guesses {
                for method in ["DELETE", "PATCH"] {
                    let fields = [
                        ("Content-Type", "application/trickle-ice-sdpfrag"),
                        ("If-Match", "*"),
                    ];
                    let response = http::ask(
                        context,
                        address,
                        method,
                        &guess,
                        &fields,
                        "a=ice-ufrag:x\r\n",
                    )?;
                    ensure!(
                        response.status >= 400,
                        "{method} {guess} was answered with {}",
                        response.status
                    );
                }
            }
            session.check(context)
        },
    ),
    must(
        "webrtc.abuse.unknown-sender",
        "reflection",
        "what belongs to no session is answered with less than it sent, or nothing",
        |context| {
            let session = Session::new(context, endpoint(context)?)?;
            let udp = session.udp(context)?;
            let strange = stun::request(context, "nobody:knows", Some("a password of some sort"));
            let bare = stun::request(context, &format!("{}:x", session.their_ufrag), None);
            let dtls = [&[22, 0xfe, 0xfd][..], &[0; 200]].concat();
            for datagram in [
                &strange[..],
                &bare,
                &dtls,
                &[0x80; 100],
                &[0; 20],
                &[0xff; 1_400],
                &[],
                &[1],
            ] {
                udp.send(datagram);
                if let Some(answer) = udp.receive(Duration::from_millis(100)) {
                    ensure!(
                        answer.len() <= datagram.len(),
                        "{} bytes were answered with {}",
                        datagram.len(),
                        answer.len()
                    );
                    ensure!(
                        !answer.starts_with(&[1, 1]),
                        "somebody unknown was answered with success"
                    );
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "webrtc.abuse.checks",
        "oversized length",
        "STUN messages whose lengths lie are no harm",
        |context| {
            let mut session = Session::new(context, endpoint(context)?)?;
            let udp = session.udp(context)?;
            let good = session.request(context);
            for at in 0..good.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut bad = good.clone();
                    bad[at] = value;
                    udp.send(&bad);
                }
                udp.send(&good[..at]);
            }
            // It waits behind all of those.
            while udp.receive(Duration::from_millis(100)).is_some() {}
            session.check(context)
        },
    ),
    must(
        "webrtc.abuse.names",
        "name traversal",
        "no session is made under names that lead out of a folder",
        |context| {
            let address = endpoint(context)?;
            for name in BAD_NAMES {
                let name: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
                let target = resolved(&http::target(address), &name);
                let response =
                    http::ask(context, address, "POST", &target, &SDP, &ordinary(context))?;
                ensure!(
                    response.status >= 400 && response.status != 500,
                    "{name} was answered with {}",
                    response.status
                );
            }
            Ok(())
        },
    ),
];
