//! Sessions with another server, for which this end offers: to play what the other has, or to publish there. They have ICE
//! in full, and begin the handshake unless the answer says otherwise.

use super::incoming::Incoming;
use super::proposal::{agree, wish};
use super::track::Track;
use super::{Config, Session, Start, received};
use crate::dtls::Dtls;
use crate::ice::{Agent, Remote, RemoteCandidate};
use crate::sdp::answer::write_candidates;
use crate::sdp::choose::{COUNTER, Purpose, choose};
use crate::sdp::{Offer, OfferError, Setup};
use crate::srtp;
use smallvec::SmallVec;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Instant;

/// What pictures are offered to be received, in the order in which they are wanted: H.264 first, which every output
/// carries. Some servers take a format only if the profile is theirs too.
const VIDEO: [(&str, &str); 8] = [
    (
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034",
    ),
    (
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=420034",
    ),
    (
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d0034",
    ),
    (
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640034",
    ),
    ("H265", ""),
    ("VP9", "profile-id=0"),
    ("VP8", ""),
    ("AV1", ""),
];

/// The same of sound, with payload types that stand for some of it.
const AUDIO: [(u8, &str, &str); 4] = [
    (120, "opus/48000/2", "minptime=10;useinbandfec=1;stereo=1"),
    (9, "G722/8000", ""),
    (8, "PCMA/8000", ""),
    (0, "PCMU/8000", ""),
];

/// An offer that was made to a server and not answered yet.
pub struct Invitation {
    config: Config,
    start: Start,
    purpose: Purpose,
    /// Those that are published.
    tracks: SmallVec<[Track; 2]>,
}

impl Invitation {
    /// Offers to play whatever the server has. Of `config`, the candidates are this end's own, and what is to be sent
    /// means nothing. Gives what is to be kept until the answer comes, and the offer.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn play(config: Config) -> Result<(Self, String), OfferError> {
        let start = Start::draw(&config.certificate)?;
        let mut offer = String::with_capacity(4_096);
        // Writing to a String does not fail.
        let _ = write_wish(&start, &config, &mut offer);
        let invitation = Self {
            config,
            start,
            purpose: Purpose::Publish,
            tracks: SmallVec::new(),
        };
        Ok((invitation, offer))
    }

    /// Offers to publish a stream of the formats in `config`.
    ///
    /// # Errors
    /// When there are no random numbers, or no formats.
    pub fn publish(config: Config) -> Result<(Self, String), OfferError> {
        let purpose = Purpose::Play(config.video, config.audio);
        let wish = Offer::parse(&wish(config.video, config.audio))?;
        let chosen = choose(&wish, purpose)?;
        let start = Start::draw(&config.certificate)?;
        let tracks = start.tracks(&chosen.tracks);
        let offer = start.describe(&wish, &chosen, &tracks, &config);
        let offer = offer.replace("a=setup:passive", "a=setup:actpass");
        let offer = offer.replace("a=ice-lite\r\n", "");
        let invitation = Self {
            config,
            start,
            purpose,
            tracks,
        };
        Ok((invitation, offer))
    }

    /// Takes the answer. Of the peer's addresses those are tried that `may_be_tried`; what comes and goes has one of
    /// `local` for this end's address, the best one first.
    ///
    /// # Errors
    /// An [`OfferError`] that says what of it does not suit.
    pub fn accept(
        self,
        answer: &str,
        local: &[SocketAddr],
        may_be_tried: impl Fn(SocketAddr) -> bool,
        now: Instant,
    ) -> Result<Session, OfferError> {
        let answer = Offer::parse(answer)?;
        let chosen = choose(&answer, self.purpose)?;
        let (mut tracks, mut incoming) = (self.tracks, None);
        if self.purpose == Purpose::Publish {
            let ssrc = self.start.id as u32 | 1;
            let of = Incoming::new(now, ssrc, &chosen.tracks);
            incoming = Some((Box::new(of), received::formats(&answer, &chosen)));
        } else {
            agree(&mut tracks, &chosen);
        }
        let candidates = answer
            .candidates
            .iter()
            .filter(|(address, _)| may_be_tried(*address));
        let remote = Remote {
            ufrag: chosen.ufrag.clone(),
            password: chosen.password.clone(),
            candidates: candidates
                .map(|(address, priority)| RemoteCandidate {
                    address: *address,
                    priority: *priority,
                })
                .collect(),
        };
        let (credentials, number) = (self.start.credentials.clone(), self.start.id);
        let config = &self.config;
        let session = Session::with(self.start, tracks, incoming, &chosen, config, now);
        let mut session = Session {
            agent: Agent::full(now, credentials, &remote, local, number),
            ..session
        };
        if chosen.setup != Setup::Active {
            session.dtls = Dtls::client(config.certificate.clone(), &chosen.fingerprint);
            session.end = srtp::From::DtlsClient;
        }
        Ok(session)
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation")
            .field("ufrag", &self.start.credentials.ufrag)
            .finish_non_exhaustive()
    }
}

/// Sections that receive whatever is carried.
fn write_wish(start: &Start, config: &Config, out: &mut String) -> std::fmt::Result {
    let id = start.id >> 1;
    write!(
        out,
        "v=0\r\no=- {id} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    )?;
    let types: Vec<u8> = (0..VIDEO.len() as u8)
        .map(|number| 96 + 2 * number)
        .collect();
    write!(out, "m=video 9 UDP/TLS/RTP/SAVPF")?;
    for payload_type in &types {
        write!(out, " {payload_type} {}", payload_type + 1)?;
    }
    write!(out, "\r\na=mid:0\r\n")?;
    write_transport(start, config, out)?;
    for (payload_type, (name, parameters)) in types.into_iter().zip(VIDEO) {
        write!(out, "a=rtpmap:{payload_type} {name}/90000\r\n")?;
        if !parameters.is_empty() {
            write!(out, "a=fmtp:{payload_type} {parameters}\r\n")?;
        }
        for feedback in ["nack", "nack pli", "ccm fir", "transport-cc"] {
            write!(out, "a=rtcp-fb:{payload_type} {feedback}\r\n")?;
        }
        let again = payload_type + 1;
        write!(
            out,
            "a=rtpmap:{again} rtx/90000\r\na=fmtp:{again} apt={payload_type}\r\n"
        )?;
    }
    write!(out, "m=audio 9 UDP/TLS/RTP/SAVPF")?;
    for (payload_type, ..) in AUDIO {
        write!(out, " {payload_type}")?;
    }
    write!(out, "\r\na=mid:1\r\n")?;
    write_transport(start, config, out)?;
    for (payload_type, map, parameters) in AUDIO {
        write!(out, "a=rtpmap:{payload_type} {map}\r\n")?;
        if !parameters.is_empty() {
            write!(out, "a=fmtp:{payload_type} {parameters}\r\n")?;
        }
        write!(out, "a=rtcp-fb:{payload_type} transport-cc\r\n")?;
    }
    Ok(())
}

fn write_transport(start: &Start, config: &Config, out: &mut String) -> std::fmt::Result {
    let (ufrag, password) = (&start.credentials.ufrag, &start.credentials.password);
    write!(
        out,
        "c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=recvonly\r\na=setup:actpass\r\n"
    )?;
    write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n")?;
    write!(
        out,
        "a=fingerprint:sha-256 {}\r\na=extmap:1 {COUNTER}\r\n",
        config.certificate.fingerprint()
    )?;
    write_candidates(out, &config.candidates)
}
