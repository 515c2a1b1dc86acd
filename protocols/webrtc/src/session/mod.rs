//! One viewer or publisher: from its offer to its goodbye.

mod capacity;
mod closing;
mod feedback;
mod history;
mod incoming;
mod inside;
mod invitation;
mod outgoing;
mod proposal;
mod received;
mod timeline;
mod track;

#[cfg(test)]
mod tests;

pub use closing::CloseReason;
pub use invitation::Invitation;
pub use proposal::Proposal;
pub use received::ReceivedFormat;
pub use timeline::WallClock;

use crate::certificate::Certificate;
use crate::dtls::{Dtls, DtlsError, Progress};
use crate::ice::{Agent, Candidate, Credentials, Path, session_name};
use crate::sdp::answer::{self, Server};
use crate::sdp::choose::{Chosen, ChosenTrack, Purpose, choose};
use crate::sdp::fragment::Fragment;
use crate::sdp::{AudioFormat, Offer, OfferError, VideoFormat, VoiceFormat};
use crate::srtp::{self, Inbound, KeyingMaterial, Outbound, Profile};
use bytes::Bytes;
use capacity::Capacity;
use feedback::Requests;
use incoming::Incoming;
use media::Kind;
use outgoing::Outgoing;
use rtp::{Payloads, rtcp};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use timeline::Timeline;
use track::Track;

/// From the answer until the peer must have connected.
const CONNECT: Duration = Duration::from_secs(30);

/// A peer that is silent for this long no longer consents to receive. The lite end sends no checks of its own
/// (RFC 7675 section 4), but a full peer's come at least every 6 s and its reports more often, so that silence
/// is a peer that is gone; the 30 s of section 5.1 are what it may be granted at most.
const CONSENT: Duration = Duration::from_secs(15);

/// Between two sender reports.
const REPORT: Duration = Duration::from_secs(2);

/// What a session is made from, beside the offer.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server's certificate.
    pub certificate: Certificate,
    /// Where the server can be reached, of each transport the best first.
    pub candidates: Vec<Candidate>,
    /// The pictures the stream has.
    pub video: Option<VideoFormat>,
    /// The sound the stream has.
    pub audio: Option<AudioFormat>,
    /// What time it is.
    pub wall_clock: WallClock,
}

/// What a session wants next.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Something happened.
    Event(Event),
    /// Send this.
    Transmit(Transmit),
    /// Nothing until there is input, a command, or this instant, at which to call `handle_timeout`.
    Timeout(Option<Instant>),
}

/// Datagrams to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From the server's address that the peer reached to the peer's.
    pub path: Path,
    /// The datagrams, one after the other.
    pub contents: Bytes,
    /// The size of each datagram but the last, which may be shorter; `None` when there is one alone.
    pub segment_size: Option<usize>,
}

impl Transmit {
    /// The datagrams one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let size = self.segment_size.unwrap_or(self.contents.len()).max(1);
        self.contents.chunks(size)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Media can be sent from now on, beginning at a random access point.
    Connected,
    /// The viewer cannot go on without a random access point. Told at most every 500 ms.
    RandomAccessWanted,
    /// A packet of the publisher.
    Packet {
        /// The number of its track, from 0, in the order of [`Session::received`].
        track: usize,
        /// Whether it is a sender report rather than RTP.
        control: bool,
        /// The whole packet, in the clear. RTP has its track's payload type and source, even if it was sent again.
        bytes: Bytes,
    },
    /// It is over; nothing more will be sent.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// What was sent, how it arrived, and what came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// RTP packets sent, without retransmissions.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that were sent again.
    pub retransmitted: u64,
    /// Bytes of the payloads of those.
    pub bytes_again: u64,
    /// Packets that the viewer asked for again in vain: too old, or more than may be repeated.
    pub not_retransmitted: u64,
    /// Times that a random access point was asked for.
    pub random_access_wanted: u64,
    /// Times that the viewer's network was found not to carry what is sent.
    pub exceeded: u64,
    /// The part of the packets of video lost lately, from 0 to 1, as the viewer reports.
    pub fraction_lost: f32,
    /// The time there and back, from the viewer's last report.
    pub round_trip: Option<Duration>,
    /// How the media are protected, once that is known.
    pub profile: Option<Profile>,
    /// RTP packets of the publisher that came, those that came again included.
    pub received: u64,
    /// Requests for packets of the publisher that were missing.
    pub asked_again: u64,
    /// Packets of the publisher that did not come, even so.
    pub lost: u64,
    /// Times that the publisher was asked for a random access point.
    pub random_access_asked: u64,
}

/// One viewer or publisher.
pub struct Session {
    certificate: Certificate,
    agent: Agent,
    dtls: Dtls,
    /// Which end of the handshake this is.
    end: srtp::From,
    srtp: Option<(Outbound, Inbound)>,
    tracks: SmallVec<[Track; 2]>,
    /// Of a publisher.
    incoming: Option<Box<Incoming>>,
    formats: Vec<ReceivedFormat>,
    cname: String,
    timeline: Timeline,
    out: Outgoing,
    requests: Requests,
    capacity: Capacity,
    stats: Stats,
    /// When the handshake must be over.
    connect_by: Instant,
    /// When the next sender reports are due, once something was sent.
    report_at: Option<Instant>,
    /// The last reports: what answers name them by, and when they were sent.
    reported: VecDeque<(u32, Instant)>,
    closed: bool,
}

impl Session {
    /// A session for who plays a stream, by this offer, and the answer to it.
    ///
    /// # Errors
    /// An [`OfferError`] that says what of the offer does not suit.
    pub fn answer(
        offer: &str,
        config: &Config,
        now: Instant,
    ) -> Result<(Self, String), OfferError> {
        let purpose = Purpose::Play(config.video, config.audio);
        Self::begin(&Offer::parse(offer)?, purpose, config, now)
    }

    /// A session for who publishes, by this offer, and the answer to it. What is to be sent in it according to `config`
    /// means nothing here.
    ///
    /// # Errors
    /// An [`OfferError`] that says what of the offer does not suit.
    pub fn receive(
        offer: &str,
        config: &Config,
        now: Instant,
    ) -> Result<(Self, String), OfferError> {
        Self::begin(&Offer::parse(offer)?, Purpose::Publish, config, now)
    }

    /// A session for who talks and is to send sound in this format alone, by this offer, and the answer to it: as
    /// [`receive`](Self::receive), but that pictures are not wanted.
    ///
    /// # Errors
    /// An [`OfferError`] that says what of the offer does not suit.
    pub fn listen(
        offer: &str,
        voice: VoiceFormat,
        config: &Config,
        now: Instant,
    ) -> Result<(Self, String), OfferError> {
        Self::begin(&Offer::parse(offer)?, Purpose::Talk(voice), config, now)
    }

    fn begin(
        offer: &Offer,
        purpose: Purpose,
        config: &Config,
        now: Instant,
    ) -> Result<(Self, String), OfferError> {
        let chosen = choose(offer, purpose)?.waiting()?;
        let start = Start::draw(&config.certificate)?;
        let (mut tracks, mut incoming) = (SmallVec::new(), None);
        if matches!(purpose, Purpose::Publish | Purpose::Talk(_)) {
            // Never 0, which some take for none.
            let ssrc = start.id as u32 | 1;
            let received = Incoming::new(now, ssrc, &chosen.tracks);
            incoming = Some((Box::new(received), received::formats(offer, &chosen)));
        } else {
            tracks = start.tracks(&chosen.tracks);
        }
        let answer = start.describe(offer, &chosen, &tracks, config);
        let session = Self::with(start, tracks, incoming, &chosen, config, now);
        Ok((session, answer))
    }

    /// With what was agreed on.
    fn with(
        start: Start,
        tracks: SmallVec<[Track; 2]>,
        incoming: Option<(Box<Incoming>, Vec<ReceivedFormat>)>,
        chosen: &Chosen,
        config: &Config,
        now: Instant,
    ) -> Self {
        let certificate = config.certificate.clone();
        let cname = start.cname();
        let (incoming, formats) = incoming.unzip();
        Self {
            agent: Agent::new(now, start.credentials, &chosen.ufrag),
            dtls: Dtls::server(certificate.clone(), &chosen.fingerprint),
            end: srtp::From::DtlsServer,
            srtp: None,
            certificate,
            tracks,
            incoming,
            formats: formats.unwrap_or_default(),
            cname,
            timeline: Timeline::new(config.wall_clock),
            out: Outgoing::default(),
            requests: Requests::default(),
            capacity: Capacity::default(),
            stats: Stats::default(),
            connect_by: now + CONNECT,
            report_at: None,
            reported: VecDeque::with_capacity(feedback::REPORTED),
            closed: false,
        }
    }

    /// The name in the user names of the STUN messages for this session: the part before the colon, as
    /// [`Binding::session`](crate::stun::Binding::session) gives it.
    pub fn ufrag(&self) -> &str {
        session_name(self.agent.ufrag())
    }

    /// Bytes per second that the viewer's network is given, where it does not carry the whole stream: pictures that find no
    /// room are better left out.
    pub const fn rate(&self) -> Option<u64> {
        self.capacity.rate()
    }

    /// Where the peer is, once it can be reached.
    pub fn path(&self) -> Option<Path> {
        self.agent.selected()
    }

    /// Begins ICE anew, as a peer does that has moved to another network, and gives the answer to its fragment. All else
    /// goes on as it was.
    ///
    /// # Errors
    /// When that is no fragment that begins anew; the session goes on with ICE as it was.
    pub fn restart(
        &mut self,
        fragment: &str,
        candidates: &[Candidate],
    ) -> Result<String, OfferError> {
        let fragment = Fragment::parse(fragment)?;
        let credentials = self.agent.restart(&self.certificate, &fragment.ufrag);
        let credentials = credentials.map_err(|error| OfferError::System(error.to_string()))?;
        Ok(fragment.answer(credentials, candidates))
    }

    /// Whether the viewer asked for this kind of media and the stream has it.
    pub fn has(&self, kind: Kind) -> bool {
        self.tracks.iter().any(|track| track.kind() == kind)
    }

    /// What was sent, how it arrived, and what came.
    pub fn stats(&self) -> Stats {
        let counts = self.incoming.as_ref().map(|incoming| incoming.counts());
        let counts = counts.unwrap_or_default();
        Stats {
            received: counts.received,
            asked_again: counts.asked,
            lost: counts.lost,
            random_access_asked: counts.random_access,
            ..self.stats
        }
    }

    /// Takes a datagram, or a packet of a connection, that came over this path.
    pub fn handle_input(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        if self.closed {
            return;
        }
        match datagram.first() {
            // STUN, DTLS, and RTP with RTCP share the port (RFC 7983 section 7).
            Some(0..=3) => {
                let answer = self.agent.handle(now, &self.certificate, path, datagram);
                if let Some(answer) = answer {
                    self.out.push(path, answer.into());
                }
                if self.dtls.is_idle()
                    && self.agent.selected().is_some()
                    && let Err(error) = self.dtls.begin(now)
                {
                    self.fail(&error);
                    return;
                }
                self.send_handshake();
            }
            Some(20..=63) if self.agent.knows(path) => self.handshake(now, path, datagram),
            Some(128..=191) if self.agent.knows(path) => match rtcp::is_rtcp(datagram) {
                true => self.feedback(now, path, datagram),
                false => self.packet(now, path, datagram),
            },
            _ => {}
        }
    }

    fn handshake(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let result = self.dtls.handle(now, datagram);
        let keys = match result {
            Ok(Progress::Waiting) => None,
            Ok(Progress::Connected(material)) => Some(material),
            Ok(Progress::Closed) => {
                self.end(CloseReason::Peer);
                return;
            }
            Err(error) => {
                self.send_handshake_to(path);
                self.fail(&error);
                return;
            }
        };
        self.send_handshake_to(path);
        if let Some(material) = keys {
            self.agent.used(now, path);
            self.connected(&material);
        }
    }

    fn connected(&mut self, material: &KeyingMaterial) {
        let crypto = self.certificate.crypto();
        let out = Outbound::new(crypto, material, self.end);
        let srtp = out.and_then(|out| Ok((out, Inbound::new(crypto, material, self.end.other())?)));
        match srtp {
            Ok(srtp) => {
                self.srtp = Some(srtp);
                self.stats.profile = Some(material.profile);
                self.out.profile = Some(material.profile);
                self.out.event(Event::Connected);
            }
            Err(error) => self.fail(&DtlsError::Handshake(error.to_string())),
        }
    }

    /// Sends what the handshake has ready, where the peer can be reached.
    fn send_handshake(&mut self) {
        if let Some(path) = self.agent.selected() {
            self.send_handshake_to(path);
        }
    }

    fn send_handshake_to(&mut self, path: Path) {
        while let Some(datagram) = self.dtls.poll_transmit() {
            self.out.push(path, datagram.freeze());
        }
    }

    /// Does what is due. May be called at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if self.srtp.is_none() && now >= self.connect_by {
            self.end(CloseReason::NotConnected);
            return;
        }
        if now.saturating_duration_since(self.agent.last_heard()) >= CONSENT {
            let connected = self.srtp.is_some();
            self.end(if connected {
                CloseReason::Silent
            } else {
                CloseReason::NotConnected
            });
            return;
        }
        while let Some((path, check)) = self.agent.poll(now, &self.certificate) {
            self.out.push(path, check.into());
        }
        if let Err(error) = self.dtls.handle_timeout(now) {
            self.fail(&error);
            return;
        }
        self.send_handshake();
        if self.report_at.is_some_and(|due| now >= due) {
            self.report(now);
        }
        self.tell_publisher(now);
    }

    /// Says how long ago what is sent from now on was captured. Sender reports tell that moment, so that a
    /// player knows how old its picture is.
    pub const fn set_delay(&mut self, delay: Duration) {
        self.timeline.delay = delay;
    }

    /// Sends one access unit: its time in ticks of `ticks_per_second`, on the timeline that all tracks of
    /// the stream share, and its payloads. Does nothing before [`Event::Connected`], and for a kind the
    /// viewer did not ask for.
    pub fn send(
        &mut self,
        now: Instant,
        kind: Kind,
        time: i64,
        ticks_per_second: u32,
        payloads: &Payloads,
    ) {
        let (Some((srtp, _)), Some(path)) = (&mut self.srtp, self.agent.selected()) else {
            return;
        };
        let track = self.tracks.iter_mut().find(|track| track.kind() == kind);
        let Some(track) = track.filter(|_| !self.closed && !payloads.is_empty()) else {
            return;
        };
        self.timeline.sent(now, time, ticks_per_second);
        let first = !track.has_sent();
        let sent = track.send(
            now,
            path,
            time,
            ticks_per_second,
            payloads,
            srtp,
            &mut self.out,
        );
        self.stats.packets += sent.packets;
        self.stats.bytes += sent.bytes;
        // A network that is too narrow loses more by it.
        match self.capacity.rate() {
            None => {
                let again = track.send_once_more(path, srtp, &mut self.out);
                self.stats.bytes_again += again as u64;
            }
            Some(_) => track.send_no_more(),
        }
        // The first reports tie the tracks together, without which players wait with sound or picture.
        if first {
            self.report(now);
        }
    }

    /// Tells the peer that it is over. Nothing is sent after that, and no event follows.
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.say_goodbye();
        self.dtls.close(now);
        self.send_handshake();
        self.closed = true;
    }

    /// What to do next. To be called until it gives [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop() {
            return output;
        }
        if self.closed {
            return Output::Timeout(None);
        }
        let consent = self.agent.last_heard() + CONSENT;
        let connect = Some(self.connect_by).filter(|_| self.srtp.is_none());
        let others = [
            connect,
            self.agent.timeout(),
            self.dtls.poll_timeout(),
            self.report_at,
            self.tell_at(),
        ];
        let next = others.into_iter().flatten().fold(consent, Instant::min);
        Output::Timeout(Some(next))
    }

    fn fail(&mut self, error: &DtlsError) {
        self.end(CloseReason::Handshake(error.to_string()));
    }

    fn end(&mut self, reason: CloseReason) {
        self.closed = true;
        self.out.event(Event::Closed { reason });
    }
}

/// The random part of a session.
struct Start {
    id: u64,
    credentials: Credentials,
    /// Of the tracks that are sent.
    random: [u8; 2 * track::RANDOM],
}

impl Start {
    fn draw(certificate: &Certificate) -> Result<Self, OfferError> {
        let system = |error: crate::CertificateError| OfferError::System(error.to_string());
        let mut id = [0; 8];
        certificate.random(&mut id).map_err(system)?;
        let mut random = [0; 2 * track::RANDOM];
        certificate.random(&mut random).map_err(system)?;
        Ok(Self {
            id: u64::from_be_bytes(id),
            credentials: Credentials::generate(certificate).map_err(system)?,
            random,
        })
    }

    /// The name that ties the tracks together.
    fn cname(&self) -> String {
        format!("{:016x}", self.id)
    }

    /// What this end says in answer to an offer; tracks that are received are not among `tracks`.
    fn describe(
        &self,
        offer: &Offer,
        chosen: &Chosen,
        tracks: &[Track],
        config: &Config,
    ) -> String {
        let numbers = 0..chosen.tracks.len();
        let sources = numbers.map(|number| tracks.get(number).map(Track::sources));
        answer::write(
            offer,
            chosen,
            &Server {
                id: self.id,
                credentials: &self.credentials,
                fingerprint: config.certificate.fingerprint(),
                candidates: &config.candidates,
                cname: &self.cname(),
                sources: &sources.collect::<Vec<_>>(),
            },
        )
    }

    fn tracks(&self, chosen: &[ChosenTrack]) -> SmallVec<[Track; 2]> {
        let mut tracks: SmallVec<[Track; 2]> = SmallVec::new();
        for (chosen, random) in chosen.iter().zip(self.random.chunks(track::RANDOM)) {
            let track = Track::new(chosen, random, &tracks);
            tracks.push(track);
        }
        tracks
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("ufrag", &self.ufrag())
            .field("selected", &self.agent.selected())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
