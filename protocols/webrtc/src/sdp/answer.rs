//! Writing an answer.

use super::choose::{COUNTER, Chosen, ChosenTrack};
use super::offer::{Media, Offer};
use crate::ice::{Candidate, Credentials, Transport};
use std::fmt::Write;

/// Local preference of the first candidate; each further one is less wanted (RFC 8445 section 5.1.2).
const FIRST_PREFERENCE: u32 = 65_535;

/// Type preference of a host candidate of TCP, as browsers have it, and the preference of who waits for connections.
const TCP: u32 = 90;
const PASSIVE: u32 = 4;

/// The source of a track's packets, and that of its retransmissions; none of a track that is received.
pub(crate) type Sources = Option<(u32, Option<u32>)>;

/// What an answer says of this end.
pub(crate) struct Server<'a> {
    /// A number that differs between sessions.
    pub(crate) id: u64,
    pub(crate) credentials: &'a Credentials,
    pub(crate) fingerprint: &'a str,
    /// Where it can be reached, of each transport the best first.
    pub(crate) candidates: &'a [Candidate],
    /// The name that ties the tracks together.
    pub(crate) cname: &'a str,
    /// Of each chosen track that is sent: the source of its packets, and of its retransmissions.
    pub(crate) sources: &'a [Sources],
}

/// The answer.
pub(crate) fn write(offer: &Offer, chosen: &Chosen, server: &Server<'_>) -> String {
    let mut out = String::with_capacity(2_048);
    // Writing to a String does not fail.
    let _ = write_all(&mut out, offer, chosen, server);
    out
}

fn write_all(
    out: &mut String,
    offer: &Offer,
    chosen: &Chosen,
    server: &Server<'_>,
) -> std::fmt::Result {
    // The number is one of 63 bits (RFC 8829 section 5.2.1).
    let id = server.id >> 1;
    write!(out, "v=0\r\no=- {id} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")?;
    let section = |track: &ChosenTrack| offer.media.get(track.section);
    let mids = chosen.tracks.iter().filter_map(section);
    let mids = mids.filter_map(|media| media.mid.as_ref());
    // Only what the offer bundles may be in one (RFC 9143 section 7.3.1).
    let bundled = mids.filter(|mid| offer.bundle.contains(mid));
    let mids: Vec<_> = bundled.map(String::as_str).collect();
    if !mids.is_empty() {
        write!(out, "a=group:BUNDLE {}\r\n", mids.join(" "))?;
    }
    write!(out, "a=ice-lite\r\na=msid-semantic:WMS *\r\n")?;
    for (index, media) in offer.media.iter().enumerate() {
        let tracks = chosen.tracks.iter().zip(server.sources);
        let mut tracks = tracks.filter(|(track, _)| track.section == index);
        match tracks.next() {
            Some((track, sources)) => write_track(out, media, track, *sources, server)?,
            None => write_refusal(out, media)?,
        }
    }
    Ok(())
}

/// A section in which nothing is sent.
fn write_refusal(out: &mut String, media: &Media) -> std::fmt::Result {
    let Media {
        kind,
        protocol,
        format_list,
        ..
    } = media;
    let format = format_list.split_ascii_whitespace().next().unwrap_or("0");
    write!(
        out,
        "m={kind} 0 {protocol} {format}\r\nc=IN IP4 0.0.0.0\r\n"
    )?;
    if let Some(mid) = &media.mid {
        write!(out, "a=mid:{mid}\r\n")?;
    }
    write!(out, "a=inactive\r\n")
}

fn write_track(
    out: &mut String,
    media: &Media,
    track: &ChosenTrack,
    sources: Sources,
    server: &Server<'_>,
) -> std::fmt::Result {
    let Media { kind, protocol, .. } = media;
    let payload_type = track.payload_type;
    write!(out, "m={kind} 9 {protocol} {payload_type}")?;
    if let Some(rtx) = track.rtx_payload_type {
        write!(out, " {rtx}")?;
    }
    write!(out, "\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n")?;
    if sources.is_none() {
        // RFC 9725 section 4.4.1.
        write!(out, "a=rtcp-mux-only\r\n")?;
    }
    if media.rtcp_rsize {
        write!(out, "a=rtcp-rsize\r\n")?;
    }
    if let Some(mid) = &media.mid {
        write!(out, "a=mid:{mid}\r\n")?;
    }
    write_transport(out, server)?;
    let direction = match sources {
        Some(_) => "sendonly",
        None => "recvonly",
    };
    write!(out, "a={direction}\r\n")?;
    if let Some(id) = track.counter {
        write!(out, "a=extmap:{id} {COUNTER}\r\n")?;
    }
    write!(out, "a=rtpmap:{payload_type} {}\r\n", track.agreed.map)?;
    let parameters = &track.agreed.parameters;
    if !parameters.is_empty() {
        write!(out, "a=fmtp:{payload_type} {parameters}\r\n")?;
    }
    for feedback in &track.feedback {
        write!(out, "a=rtcp-fb:{payload_type} {feedback}\r\n")?;
    }
    if let Some(rtx) = track.rtx_payload_type {
        write!(out, "a=rtpmap:{rtx} rtx/{}\r\n", track.agreed.clock_rate)?;
        write!(out, "a=fmtp:{rtx} apt={payload_type}\r\n")?;
    }
    let Some((ssrc, rtx)) = sources else {
        return Ok(());
    };
    let cname = server.cname;
    write!(out, "a=msid:{cname} {cname}-{kind}\r\n")?;
    if let Some(rtx) = rtx {
        write!(out, "a=ssrc-group:FID {ssrc} {rtx}\r\n")?;
    }
    for ssrc in std::iter::once(ssrc).chain(rtx) {
        write!(out, "a=ssrc:{ssrc} cname:{cname}\r\n")?;
    }
    Ok(())
}

fn write_transport(out: &mut String, server: &Server<'_>) -> std::fmt::Result {
    let Credentials { ufrag, password } = server.credentials;
    write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n")?;
    write!(out, "a=fingerprint:sha-256 {}\r\n", server.fingerprint)?;
    write!(out, "a=setup:passive\r\n")?;
    write_candidates(out, server.candidates)
}

/// Where the server can be reached, of each transport the best first.
pub(crate) fn write_candidates(out: &mut String, candidates: &[Candidate]) -> std::fmt::Result {
    for (preference, candidate) in (0..=FIRST_PREFERENCE).rev().zip(candidates) {
        // Host candidates of the first and only component. A connection is what is left where no datagrams pass.
        let foundation = FIRST_PREFERENCE - preference + 1;
        let address = candidate.address;
        let (ip, port) = (address.ip().to_canonical(), address.port());
        match candidate.transport {
            Transport::Udp => {
                let (kind, preferred) = match candidate.is_relayed {
                    true => ("relay raddr 0.0.0.0 rport 0", 0),
                    false => ("host", 126),
                };
                let priority = preferred << 24 | preference << 8 | 255;
                write!(
                    out,
                    "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ {kind}\r\n"
                )?;
            }
            Transport::Tcp => {
                // The direction stands above the preference (RFC 6544 section 4.2).
                let local = PASSIVE << 13 | preference & 0x1fff;
                let priority = TCP << 24 | local << 8 | 255;
                write!(
                    out,
                    "a=candidate:{foundation} 1 tcp {priority} {ip} {port} typ host tcptype passive\r\n"
                )?;
            }
        }
    }
    write!(out, "a=end-of-candidates\r\n")
}
