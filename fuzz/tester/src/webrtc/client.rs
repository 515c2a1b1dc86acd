//! A client that offers, asks STUN, and says goodbye.

use super::stun;
use crate::address::Address;
use crate::context::{Context, Ended, Outcome, ensure, failed};
use crate::http::{self, Response};
use crate::wire::Udp;
use std::net::{IpAddr, SocketAddr};

pub(super) const SDP: [(&str, &str); 1] = [("Content-Type", "application/sdp")];

/// A session at a server.
pub(super) struct Session {
    address: Address,
    /// Path of the resource.
    pub(super) resource: String,
    pub(super) answer: String,
    /// Ours, theirs, and their password.
    ufrag: String,
    pub(super) their_ufrag: String,
    pub(super) their_password: String,
    tag: Option<String>,
}

/// An offer of a picture and a sound.
pub(super) fn offer(context: &Context, direction: &str) -> String {
    let mut random = context.random.borrow_mut();
    let (ufrag, password) = (random.word(8), random.word(24));
    let print: Vec<String> = random
        .bytes(32)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let print = print.join(":");
    let ways = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=setup:actpass\r\n\
         a=fingerprint:sha-256 {print}\r\na=rtcp-mux\r\na={direction}\r\na=msid:tester tester\r\n"
    );
    format!(
        "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{ways}a=mid:0\r\na=rtcp-rsize\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{ways}a=mid:1\r\na=rtpmap:111 opus/48000/2\r\n",
        random.next() >> 2
    )
}

/// Candidates for trickling (RFC 8840).
pub(super) fn fragment(context: &Context) -> String {
    let mut random = context.random.borrow_mut();
    format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n",
        random.word(8),
        random.word(24)
    )
}

/// The offer and its answer as they are.
pub(super) fn post(context: &Context, address: &Address, offer: &str) -> Outcome<Response> {
    http::ask(
        context,
        address,
        "POST",
        &http::target(address),
        &SDP,
        offer,
    )
}

impl Session {
    /// Of an ordinary offer.
    pub(super) fn new(context: &Context, address: &Address) -> Outcome<Self> {
        let direction = if context
            .target(|targets| &targets.whep)
            .is_ok_and(|whep| whep == address)
        {
            "recvonly"
        } else {
            "sendonly"
        };
        Self::with(context, address, &offer(context, direction))
    }

    pub(super) fn with(context: &Context, address: &Address, offer: &str) -> Outcome<Self> {
        let response = post(context, address, offer)?;
        ensure!(
            response.status == 201,
            "the offer was answered with {}",
            response.status
        );
        let location = response
            .field("Location")
            .ok_or_else(|| failed("there is no Location"))?;
        let answer = response.text();
        let theirs = |name| attribute(&answer, name).unwrap_or_default().to_owned();
        Ok(Self {
            address: address.clone(),
            resource: crate::hls::playlist::resolved(&http::target(address), location),
            ufrag: attribute(offer, "ice-ufrag").unwrap_or_default().to_owned(),
            their_ufrag: theirs("ice-ufrag"),
            their_password: theirs("ice-pwd"),
            tag: response.field("ETag").map(str::to_owned),
            answer,
        })
    }

    /// A check of connectivity is answered.
    pub(super) fn check(&mut self, context: &Context) -> Outcome {
        let udp = self.udp(context)?;
        for _ in 0..5 {
            let request = self.request(context);
            udp.send(&request);
            let answer = udp.receive(context.limit / 5);
            if answer
                .is_some_and(|answer| stun::is_success(&answer, &request, &self.their_password))
            {
                return Ok(());
            }
        }
        Err(failed("checks of connectivity are not answered"))
    }

    /// A binding request as RFC 8445 has it.
    pub(super) fn request(&self, context: &Context) -> Vec<u8> {
        let name = format!("{}:{}", self.their_ufrag, self.ufrag);
        stun::request(context, &name, Some(&self.their_password))
    }

    /// A socket to a candidate at the address of the server that was named.
    pub(super) fn udp(&self, context: &Context) -> Outcome<Udp> {
        let mut candidate = self.address.clone();
        candidate.socket = self.candidate()?;
        context.udp(&candidate)
    }

    /// The candidate for datagrams on the server's own address: no other machine is sent to.
    fn candidate(&self) -> Outcome<SocketAddr> {
        let own = self.address.socket.ip();
        let lines = self
            .answer
            .lines()
            .filter_map(|line| line.trim_end().strip_prefix("a=candidate:"));
        let mut ports = lines.filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (kind, ip, port) = (words.get(2)?, words.get(4)?, words.get(5)?);
            let ip: IpAddr = ip.parse().ok()?;
            let port: u16 = port.parse().ok()?;
            (kind.eq_ignore_ascii_case("udp") && (ip == own || ip.is_loopback()))
                .then_some(SocketAddr::new(ip, port))
        });
        let missing =
            || Ended::Skipped("the answer has no candidate at the server's own address".to_owned());
        ports.next().ok_or_else(missing)
    }

    pub(super) fn patch(&self, context: &Context, tag: &str, body: &str) -> Outcome<Response> {
        let fields = [
            ("Content-Type", "application/trickle-ice-sdpfrag"),
            ("If-Match", tag),
        ];
        http::ask(
            context,
            &self.address,
            "PATCH",
            &self.resource,
            &fields,
            body,
        )
    }

    /// The entity tag that the server gave.
    pub(super) fn tag(&self) -> Outcome<&str> {
        let missing =
            || Ended::Skipped("the server gave no entity tag: it does not trickle".to_owned());
        self.tag.as_deref().ok_or_else(missing)
    }

    /// Ends it: the status.
    pub(super) fn delete(&mut self, context: &Context) -> Outcome<u16> {
        let response = http::ask(context, &self.address, "DELETE", &self.resource, &[], "")?;
        Ok(response.status)
    }
}

/// The first attribute of that name.
pub(super) fn attribute<'a>(description: &'a str, name: &str) -> Option<&'a str> {
    description.lines().find_map(|line| {
        let rest = line.strip_prefix("a=")?.strip_prefix(name)?;
        Some(rest.strip_prefix(':')?.trim_end())
    })
}
