//! RTSP 1.0 (RFC 2326; sections without another name are of it).

mod abuse;
mod client;
mod conformance;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome};
use crate::media;
use client::Client;

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::Rtsp,
    present: |targets| targets.rtsp.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[plays, publishes],
};

/// Somebody plays over the connection, and packets come.
fn healthy(context: &Context) -> Outcome {
    let mut client = Client::playing(context)?;
    client.packet().map(|_| ())
}

/// A session that plays, for mutation.
fn plays(context: &Context) -> Outcome {
    let mut client = Client::new(context)?;
    let url = client.url.clone();
    let _ = client.ask("OPTIONS", &url, &[], "");
    let tracks = match client.ask("DESCRIBE", &url, &[("Accept", "application/sdp")], "") {
        Ok(answer) => client.tracks(&answer),
        Err(_) => vec![format!("{url}/trackID=0")],
    };
    let mut session = String::new();
    for (number, track) in tracks.iter().take(2).enumerate() {
        let transport = format!(
            "RTP/AVP/TCP;unicast;interleaved={}-{}",
            2 * number,
            2 * number + 1
        );
        let mut fields = vec![("Transport", transport.as_str())];
        if !session.is_empty() {
            fields.push(("Session", &session));
        }
        if let Ok(answer) = client.ask("SETUP", track, &fields, "") {
            session = answer.session();
        }
    }
    let fields = [("Session", session.as_str()), ("Range", "npt=0.000-")];
    let _ = client.ask("PLAY", &url, &fields, "");
    // A receiver report (RFC 3550 section 6.4.2) on the first RTCP channel.
    let report = [
        0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    client.frame(1, &report)?;
    for method in ["GET_PARAMETER", "PAUSE", "PLAY", "TEARDOWN"] {
        let _ = client.ask(method, &url, &fields[..1], "");
    }
    Ok(())
}

/// A session that publishes, for mutation.
fn publishes(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtsp_publish)?;
    let url = format!("{}-{}", address.url, context.name("x"));
    let mut client = Client::to(context, address, &url)?;
    let description = client::description(&url);
    let _ = client.ask("OPTIONS", &url, &[], "");
    let _ = client.ask(
        "ANNOUNCE",
        &url,
        &[("Content-Type", "application/sdp")],
        &description,
    );
    let transport = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";
    let session = match client.ask(
        "SETUP",
        &format!("{url}/trackID=0"),
        &[("Transport", transport)],
        "",
    ) {
        Ok(answer) => answer.session(),
        Err(_) => "x".to_owned(),
    };
    let _ = client.ask(
        "RECORD",
        &url,
        &[("Session", &session), ("Range", "npt=0.000-")],
        "",
    );
    for number in 0..3 {
        client.picture(number)?;
    }
    // A sender report (RFC 3550 section 6.4.1) and a goodbye.
    let report = [&[0x80, 200, 0, 6, 0, 0, 0, 1][..], &[1; 20]].concat();
    client.frame(1, &report)?;
    client.frame(1, &[0x81, 203, 0, 1, 0, 0, 0, 1])?;
    let _ = client.ask("TEARDOWN", &url, &[("Session", &session)], "");
    Ok(())
}

/// RTP packets of a picture (RFC 6184): parameter sets alone, the picture in fragments (section 5.8).
fn packets(number: u8) -> Vec<Vec<u8>> {
    let picture = media::picture(number);
    let mut payloads = vec![media::SPS.to_vec(), media::PPS.to_vec()];
    let body = &picture[1..];
    let pieces: Vec<&[u8]> = body.chunks(1_200).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let start = if at == 0 { 0x80 } else { 0 };
        let end = if at + 1 == pieces.len() { 0x40 } else { 0 };
        payloads.push([&[0x7c, 0x05 | start | end], *piece].concat());
    }
    let last = payloads.len() - 1;
    let packet = |(at, payload): (usize, Vec<u8>)| {
        let sequence = (u16::from(number) * 100 + at as u16).to_be_bytes();
        let time = (u32::from(number) * 3_600).to_be_bytes();
        let marker = if at == last { 0x80 } else { 0 };
        [
            &[0x80, marker | 96][..],
            &sequence,
            &time,
            &[0, 0, 0, 1],
            &payload,
        ]
        .concat()
    };
    payloads.into_iter().enumerate().map(packet).collect()
}
