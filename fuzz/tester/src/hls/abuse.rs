//! What was done to servers of files over HTTP, and to those that hold answers back.

use super::playlist::{media, resolved};
use crate::case::{Case, must};
use crate::context::{BAD_NAMES, Context, Outcome, ensure};
use crate::http;
use crate::wire::all_closed;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "hls.abuse.half-open",
        "half-open",
        "requests that never end are ended, and hold nobody up",
        half_open,
    ),
    must(
        "hls.abuse.names",
        "name traversal",
        "no name leads out of the folder",
        names,
    ),
    must(
        "hls.abuse.long-head",
        "oversized length",
        "headers without end are refused",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            for piece in ["GET /", "X: y\r\n", "GET / HTTP/1.1\r\nX: ", "\r\n"] {
                let mut wire = context.tcp(address)?;
                wire.offer(piece.as_bytes());
                for _ in 0..64 {
                    if !wire.offer(&vec![b'x'; 65_536]) {
                        break;
                    }
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "hls.abuse.lengths",
        "oversized length",
        "lengths that contradict each other or are none are refused",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            for fields in [
                "Content-Length: 18446744073709551615",
                "Content-Length: -1",
                "Content-Length: 5\r\nContent-Length: 6",
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                "Transfer-Encoding: chunked, identity",
                "Range: bytes=0-18446744073709551615",
            ] {
                let mut wire = context.tcp(address)?;
                let text = format!(
                    "POST {} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\nffffffffffffffff\r\nx",
                    http::target(address)
                );
                wire.offer(text.as_bytes());
                wire.receive(Duration::from_millis(100));
            }
            super::healthy(context)
        },
    ),
    must(
        "hls.abuse.directives",
        "state abuse",
        "delivery directives that make no sense are answered at once",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let playlist = media(context, address)?;
            for query in [
                "_HLS_msn=18446744073709551615",
                "_HLS_msn=-1",
                "_HLS_msn=99999999999999999999999",
                "_HLS_msn=1&_HLS_part=18446744073709551615",
                "_HLS_skip=MAYBE&_HLS_msn=",
                "_HLS_msn=1&_HLS_msn=2",
            ] {
                let response =
                    http::get(context, address, &format!("{}?{query}", playlist.target))?;
                ensure!(
                    response.status < 500,
                    "{query} was answered with {}",
                    response.status
                );
            }
            Ok(())
        },
    ),
    must(
        "hls.abuse.blocked",
        "resource exhaustion",
        "hundreds of requests that wait hold nobody up",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let playlist = media(context, address)?;
            let target = format!(
                "{}?_HLS_msn={}",
                playlist.target,
                playlist.next_number() + 1
            );
            let mut wires = Vec::new();
            for _ in 0..200 {
                let mut wire = context.tcp(address)?;
                http::send(&mut wire, address, "GET", &target, &[], "")?;
                wires.push(wire);
            }
            super::healthy(context)
        },
    ),
    must(
        "hls.abuse.slow-reader",
        "slow reader",
        "clients that take no answer hold nobody up",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let segment = media(context, address)?.newest_segment()?;
            let mut wires = Vec::new();
            for _ in 0..50 {
                let mut wire = context.tcp(address)?;
                let request = format!("GET {segment} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(50);
                wire.offer(request.as_bytes());
                wires.push(wire);
            }
            super::healthy(context)
        },
    ),
];

fn names(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.hls)?;
    let own = http::target(address);
    let slash = |name: &str| name.replace(['\r', '\n', '\0', ' ', '<', '>'], "%00");
    let ways = [
        "/etc/passwd",
        "/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    ];
    let mut targets: Vec<String> = ways.map(str::to_owned).to_vec();
    for name in BAD_NAMES {
        let name = slash(name);
        targets.push(resolved(&own, &name));
        targets.push(resolved(&own, &format!("{name}/../../../../etc/passwd")));
        targets.push(resolved(
            &own,
            &format!("..%2f..%2f..%2f..%2fetc%2fpasswd%00{name}.m3u8"),
        ));
        targets.push(resolved(
            &own,
            &format!("..%5c..%5c..%5cetc%5cpasswd{name}"),
        ));
    }
    for target in targets {
        let response = http::get(context, address, &target)?;
        ensure!(
            !response.text().contains("root:"),
            "{target} gives a file of the system"
        );
        ensure!(
            !matches!(response.status, 200 | 500),
            "{target} was answered with {}",
            response.status
        );
    }
    Ok(())
}

fn half_open(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.hls)?;
    let mut wires = Vec::new();
    for _ in 0..20 {
        let silent = context.tcp(address)?;
        let mut half = context.tcp(address)?;
        half.offer(b"GET / HTTP/1.1\r\nHo");
        wires.extend([silent, half]);
    }
    super::healthy(context)?;
    let deadline = Instant::now() + context.patience;
    // A byte now and then is no life.
    for _ in 0..5 {
        for wire in wires.iter_mut().skip(1).step_by(2) {
            wire.offer(b"s");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    all_closed(&mut wires, deadline)
}
