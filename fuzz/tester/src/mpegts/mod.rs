//! MPEG-TS in datagrams (ISO/IEC 13818-1). Nothing is ever answered: what came of it shows in a playlist.

mod abuse;
mod conformance;
pub(crate) mod stream;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Ended, Outcome, ensure};
use crate::hls::playlist;
use crate::wire::Udp;
use std::time::{Duration, Instant};
use stream::Stream;

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::MpegTs,
    present: |targets| targets.udp.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[sends],
};

/// A stream is received: segments come.
fn healthy(context: &Context) -> Outcome {
    received(context, |udp, stream| send(udp, &stream.picture()))
}

/// Sends in some way until a segment has come of it.
fn received(context: &Context, mut push: impl FnMut(&Udp, &mut Stream)) -> Outcome {
    let udp = context.udp(context.target(|targets| &targets.udp)?)?;
    let playlist = context.target(|targets| &targets.udp_playlist)?;
    let mut stream = Stream::default();
    // Servers hold a playlist back until there is something in it, which waits for what is sent here.
    let hasty = context.hasty();
    let before = playlist::media(&hasty, playlist).map_or(0, |playlist| playlist.next_number());
    let begun = Instant::now();
    let limit = context.limit.max(Duration::from_secs(20));
    loop {
        // Faster than it is to be played, so that it takes less time than that.
        for _ in 0..5 {
            push(&udp, &mut stream);
            std::thread::sleep(Duration::from_millis(8));
        }
        let now = playlist::media(&hasty, playlist).map_or(0, |playlist| playlist.next_number());
        // A receiver may begin its numbers anew.
        if now > 0 && now != before {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < limit,
            "no segment came of it within {limit:?}"
        );
    }
}

/// In datagrams of seven packets (RFC 2250 has room for as many in one of Ethernet's).
fn send(udp: &Udp, packets: &[[u8; 188]]) {
    for group in packets.chunks(7) {
        udp.send(&group.concat());
    }
}

/// A stream for mutation.
fn sends(context: &Context) -> Outcome {
    let udp = context.udp(context.target(|targets| &targets.udp)?)?;
    let mut stream = Stream::default();
    for _ in 0..4 {
        send(&udp, &stream.picture());
    }
    Ok::<(), Ended>(())
}
