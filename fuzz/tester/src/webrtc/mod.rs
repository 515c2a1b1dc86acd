//! WebRTC as far as strangers reach it: WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep), the offer, and STUN (RFC 8489)
//! on the ports of the answer. There is no DTLS here.

mod abuse;
mod client;
mod conformance;
mod stun;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome, ensure};
use crate::options::Targets;
use client::{Session, offer};

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::Webrtc,
    present: |targets| targets.whep.is_some() || targets.whip.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[plays, publishes],
};

/// Where a session can be had: to play, if there is a choice.
fn endpoint(context: &Context) -> Outcome<&crate::address::Address> {
    let play = context.target(|targets| &targets.whep);
    play.or_else(|_| context.target(|targets| &targets.whip))
}

/// An offer is answered, connectivity is checked, the session ends.
fn healthy(context: &Context) -> Outcome {
    let mut session = Session::new(context, endpoint(context)?)?;
    session.check(context)?;
    let status = session.delete(context)?;
    ensure!(status == 200, "the end was answered with {status}");
    Ok(())
}

fn plays(context: &Context) -> Outcome {
    session(context, |targets| &targets.whep, "recvonly")
}

fn publishes(context: &Context) -> Outcome {
    session(context, |targets| &targets.whip, "sendonly")
}

/// A session for mutation: the offer, STUN, and what DTLS and RTP begin like, without being any.
fn session(
    context: &Context,
    target: fn(&Targets) -> &Option<crate::address::Address>,
    direction: &str,
) -> Outcome {
    let address = context.target(target)?;
    let mut session = Session::with(context, address, &offer(context, direction))?;
    let udp = session.udp(context)?;
    for _ in 0..3 {
        udp.send(&session.request(context));
        let _ = udp.receive(context.limit);
    }
    // A client's first record of DTLS 1.2 (RFC 6347 section 4.1), a packet of RTP and one of RTCP.
    let hello = [
        &[
            22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48,
            0xfe, 0xfd,
        ][..],
        &[7; 46],
    ]
    .concat();
    for datagram in [
        &hello[..],
        &[0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9],
        &[0x80, 200, 0, 1, 0, 0, 0, 1],
    ] {
        udp.send(datagram);
        let _ = udp.receive(context.limit);
    }
    let _ = session.patch(context, "*", &client::fragment(context));
    let _ = session.delete(context);
    Ok(())
}
