//! A conversation with a camera: DESCRIBE, SETUP of what is carried, PLAY, and the packets after that.

use super::failure::{self, Step};
use super::gate::Gate;
use super::ports::{self, Ports};
use super::source::{Source, Transport};
use super::wire::Wire;
use crate::adapters::Target;
use crate::hub::{Origin, Packets, Publisher};
use crate::transport::rtp::{Event as Received, Incoming, Receiver};
use bytes::Bytes;
use rtsp::auth::Random;
use rtsp::client::{Choice, Config, Event, Session, Wanted};
use rtsp::message::{Method, Status};
use rtsp::{Carriage, Output, RtpInfo};
use sdp::{Description, Direction};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::{sleep_until, timeout};

/// Other places and transports that are tried before the camera is given up.
const MAX_HOPS: usize = 6;

/// Where no datagram has come for so long since PLAY, a firewall keeps them: they are asked for by TCP.
const SILENCE: Duration = Duration::from_secs(4);

/// For the end of a session to be told and heard.
const FAREWELL: Duration = Duration::from_secs(1);

/// Most sections of data that are set up.
const MAX_DATA: usize = 4;

/// Bytes that are read at once.
const INPUT: usize = 64 * 1_024;

/// Why a conversation is over, and another may lead further.
enum Ended {
    /// The stream is elsewhere.
    Redirected(String),
    /// The camera does not send in this way, or what it sends does not come.
    Otherwise(Transport),
    /// The camera hung up behind a challenge, which is met on another connection.
    Again(Box<Session>),
}

/// Pulls from the camera until it ends the session or something fails. Each request has `limit`.
pub(super) async fn pull(source: &Source, target: &Target, limit: Duration) -> Result<(), String> {
    let mut source = source.clone();
    let mut transport = source.transport.unwrap_or_default();
    let mut session: Option<Box<Session>> = None;
    for _ in 0..MAX_HOPS {
        let connected = timeout(limit, Wire::connect(&source, transport, &target.context)).await;
        let wire = connected
            .map_err(|_| failure::too_slow(Step::Describe, &source, limit))?
            .map_err(|problem| failure::said(&source, &problem))?;
        let mut client = Client::new(&source, transport, target, wire, limit);
        if let Some(other) = session.take() {
            client.session = *other;
        }
        match client.run().await? {
            Ended::Redirected(location) => {
                let to = source.redirected(&location);
                let to = to.map_err(|error| failure::of(Step::Describe, &source, &error))?;
                tracing::info!(stream = %target.name, from = source.place(), to = to.place(), "redirected");
                source = to;
                transport = source.transport.unwrap_or_default();
            }
            Ended::Otherwise(other) => {
                tracing::info!(stream = %target.name, from = ?transport, to = ?other, "another transport is tried");
                transport = other;
            }
            Ended::Again(other) => session = Some(other),
        }
    }
    Err(format!(
        "{} sends from one place to another",
        source.place()
    ))
}

struct Client<'a> {
    source: &'a Source,
    transport: Transport,
    target: &'a Target,
    limit: Duration,
    step: Step,
    session: Session,
    /// Taken for the farewell alone.
    wire: Option<Wire>,
    local: IpAddr,
    peer: IpAddr,
    /// The section of each track.
    sections: Vec<usize>,
    /// The sockets of each track that comes in datagrams.
    ports: Vec<Option<Ports>>,
    receiver: Receiver,
    gate: Gate,
    publisher: Option<Publisher>,
    /// When datagrams are no longer waited for.
    silent: Option<Instant>,
    /// Packets that came since that was told last, and all that were lost by then.
    came: u64,
    lost: u64,
}

impl<'a> Client<'a> {
    fn new(
        source: &'a Source,
        transport: Transport,
        target: &'a Target,
        wire: Wire,
        limit: Duration,
    ) -> Self {
        let config = Config {
            credentials: source.login.clone(),
            user_agent: concat!("Millstream/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: limit,
            random: Random(rand::random()),
            ..Config::new(source.url.as_str())
        };
        Self {
            source,
            transport,
            target,
            limit,
            step: Step::Describe,
            session: Session::play(Instant::now(), config),
            local: wire.local,
            peer: wire.peer,
            wire: Some(wire),
            sections: Vec::new(),
            ports: Vec::new(),
            receiver: Receiver::new(Vec::new()),
            gate: Gate::default(),
            publisher: None,
            silent: None,
            came: 0,
            lost: 0,
        }
    }

    async fn run(mut self) -> Result<Ended, String> {
        let mut input = vec![0; INPUT];
        let mut datagram = vec![0; INPUT];
        loop {
            let timeout = match self.talk().await? {
                Talk::Until(timeout) => timeout,
                Talk::Over(ended) => return Ok(ended),
            };
            self.publish()?;
            self.report().await?;
            let others = [self.receiver.timeout(), self.silent];
            let wake = others.into_iter().flatten().chain(timeout).min();
            let wake = wake.unwrap_or_else(|| Instant::now() + self.limit);
            let wire = self
                .wire
                .as_mut()
                .ok_or_else(|| failure::closed(self.source))?;
            tokio::select! {
                read = wire.read(&mut input) => {
                    let problem = match read {
                        Ok(0) => Some(self.closed()),
                        Ok(_) => None,
                        Err(ref error) => Some(failure::of(self.step, self.source, error)),
                    };
                    if let Some(problem) = problem {
                        let session = self.session.again(Instant::now()).ok_or(problem)?;
                        return Ok(Ended::Again(Box::new(session)));
                    }
                    let bytes = input.get(..read.unwrap_or(0)).unwrap_or_default();
                    let taken = self.session.handle_input(Instant::now(), bytes);
                    taken.map_err(|error| self.failed(&error))?;
                }
                received = ports::receive(&self.ports, &mut datagram) => {
                    let received = received.map_err(|error| failure::of(self.step, self.source, &error))?;
                    let (track, control, length) = received;
                    let bytes = datagram.get(..length).unwrap_or_default();
                    self.silent = None;
                    self.packet(track, control, Bytes::copy_from_slice(bytes));
                }
                () = sleep_until(wake.into()) => {
                    let now = Instant::now();
                    let taken = self.session.handle_timeout(now);
                    taken.map_err(|error| self.failed(&error))?;
                    self.receiver.handle_timeout(now);
                    if self.silent.is_some_and(|silent| silent <= now) {
                        return Ok(Ended::Otherwise(Transport::Tcp));
                    }
                }
            }
        }
    }

    /// Sends what the session wants to send, and does what it says.
    async fn talk(&mut self) -> Result<Talk, String> {
        loop {
            match self.session.poll_output() {
                Output::Timeout(timeout) => return Ok(Talk::Until(timeout)),
                Output::Transmit(bytes) => self.write(&bytes).await?,
                Output::Event(event) => {
                    if let Some(ended) = self.take(event).await? {
                        return Ok(Talk::Over(ended));
                    }
                }
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<Option<Ended>, String> {
        match event {
            Event::Described(description) => self.choose(&description)?,
            Event::SetUp {
                track, carriage, ..
            } => self.set_up(track, carriage).await?,
            Event::Playing(infos) => self.playing(&infos),
            Event::Packet {
                track,
                control,
                payload,
            } => self.packet(track, control, payload),
            Event::Redirected { location } => return Ok(Some(Ended::Redirected(location))),
            Event::Rejected {
                method,
                status,
                reason,
            } => {
                let untold = self.source.transport.is_none() && !self.source.is_tls();
                let is_tcp = self.transport == Transport::Tcp;
                if status == Status::UNSUPPORTED_TRANSPORT && is_tcp && untold {
                    return Ok(Some(Ended::Otherwise(Transport::Udp)));
                }
                let step = match method {
                    Method::Setup => Step::Setup,
                    Method::Play => Step::Play,
                    _ => self.step,
                };
                return Err(failure::refused(step, self.source, status, &reason));
            }
            Event::Closed => return Err(self.closed()),
            Event::Recording | Event::Paused => {}
        }
        Ok(None)
    }

    /// Chooses what is set up: one section of pictures, one of sound, and data.
    fn choose(&mut self, description: &Description) -> Result<(), String> {
        let (chosen, left_out) = chosen(description);
        let left_out = left_out.join(", ");
        if chosen.is_empty() {
            let offers = if left_out.is_empty() {
                "nothing"
            } else {
                &left_out
            };
            let place = self.source.place();
            return Err(format!(
                "{place} offers nothing that is carried, but {offers}"
            ));
        }
        if !left_out.is_empty() {
            tracing::warn!(stream = %self.target.name, %left_out, "streams of the camera");
        }
        let mut choices = Vec::new();
        for incoming in &chosen {
            let section = incoming.section();
            let (wanted, pair) = self.wanted()?;
            choices.push(Choice { section, wanted });
            self.sections.push(section);
            self.ports.push(pair);
        }
        let loses_nothing = matches!(self.transport, Transport::Tcp | Transport::Http);
        let chosen = chosen.into_iter().map(|incoming| match loses_nothing {
            true => incoming.in_order(),
            false => incoming,
        });
        self.receiver = Receiver::new(chosen.collect());
        self.step = Step::Setup;
        self.session.setup(Instant::now(), &choices);
        Ok(())
    }

    /// How a track shall come, and over which sockets.
    fn wanted(&self) -> Result<(Wanted, Option<Ports>), String> {
        Ok(match self.transport {
            Transport::Tcp | Transport::Http => (Wanted::Tcp, None),
            Transport::Multicast => (Wanted::Multicast, None),
            Transport::Udp => {
                let pair = Ports::bind(self.local).and_then(|pair| Ok((pair.numbers()?, pair)));
                let ([rtp, rtcp], pair) = pair.map_err(|error| format!("no UDP ports: {error}"))?;
                (Wanted::Udp { rtp, rtcp }, Some(pair))
            }
        })
    }

    async fn set_up(&mut self, track: usize, carriage: Carriage) -> Result<(), String> {
        let Some(place) = self.ports.get_mut(track) else {
            return Ok(());
        };
        match carriage {
            Carriage::Tcp { .. } => *place = None,
            Carriage::Udp { rtp, rtcp, source } => {
                let mut from = vec![self.peer];
                // Nothing is sent to where it must not be; and some name an address that leads nowhere.
                let policy = &self.target.context.policy;
                from.extend(source.filter(|source| policy.check(*source).is_ok()));
                from.dedup();
                if let Some(pair) = place {
                    pair.aim(from, [rtp, rtcp]);
                    pair.open().await;
                }
            }
            Carriage::Multicast {
                address, rtp, rtcp, ..
            } => {
                let joined = Ports::join(self.local, address, [rtp, rtcp]);
                let joined = joined.map_err(|error| format!("cannot join {address}: {error}"))?;
                *place = Some(joined);
            }
        }
        Ok(())
    }

    fn playing(&mut self, infos: &[RtpInfo]) {
        let sections = self.sections.iter().copied().zip(infos);
        let starts: Vec<_> = sections
            .filter_map(|(section, info)| Some((section, info.time?)))
            .collect();
        self.receiver.starts(&starts);
        self.step = Step::Receive;
        if self.ports.iter().any(Option::is_some) {
            self.silent = Instant::now().checked_add(SILENCE);
        }
        self.target.connected();
    }

    fn packet(&mut self, track: usize, control: bool, payload: Bytes) {
        if let Some(section) = self.sections.get(track) {
            self.came += u64::from(!control);
            self.receiver
                .packet(Instant::now(), *section, control, payload);
        }
    }

    /// Publishes what has come.
    fn publish(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some(event) = self.receiver.pull() {
            for event in self.gate.pass(now, event) {
                let publisher = match &self.publisher {
                    Some(publisher) => publisher,
                    None => {
                        let origin = Origin {
                            protocol: "rtsp",
                            address: format!(
                                "{}://{}",
                                self.source.url.scheme(),
                                self.source.place()
                            ),
                            agent: (!self.session.server().is_empty())
                                .then(|| self.session.server().to_owned()),
                        };
                        let publisher = self.target.publish(&origin);
                        let publisher = publisher.map_err(|taken| taken.to_string())?;
                        self.publisher.insert(publisher)
                    }
                };
                let pushed = match event {
                    Received::Track(track) => publisher.set_track(track),
                    Received::Unit(unit) => publisher.push(unit),
                };
                pushed.map_err(|replaced| replaced.to_string())?;
            }
        }
        let (lost, _) = self.receiver.losses();
        if let Some(publisher) = self.publisher.as_ref().filter(|_| self.came > 0) {
            publisher.count_packets(Packets {
                received: std::mem::take(&mut self.came),
                lost: lost.saturating_sub(self.lost),
            });
            self.lost = lost;
        }
        Ok(())
    }

    /// Sends the receiver reports that are due.
    async fn report(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some((section, report)) = self.receiver.report(now) {
            let track = self.sections.iter().position(|known| *known == section);
            let Some(track) = track else {
                continue;
            };
            if let Some(Some(pair)) = self.ports.get(track) {
                pair.report(&report).await;
            } else if let Some(Carriage::Tcp { rtcp, .. }) = self.session.carriage(track)
                && let Ok(length) = u16::try_from(report.len())
            {
                let frame = [&rtsp::frame_header(rtcp, length)[..], &report].concat();
                self.write(&frame).await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let wire = self
            .wire
            .as_mut()
            .ok_or_else(|| failure::closed(self.source))?;
        let written = wire.write(bytes).await;
        written.map_err(|error| failure::of(self.step, self.source, &error))
    }

    /// The camera has ended the session, or closed the connection, which is how most say that a stream is over.
    fn closed(&self) -> String {
        if self.publisher.is_some() {
            self.target.over();
        }
        failure::closed(self.source)
    }

    fn failed(&self, error: &rtsp::Error) -> String {
        match error {
            rtsp::Error::Timeout { .. } => failure::too_slow(self.step, self.source, self.limit),
            error => failure::of(self.step, self.source, error),
        }
    }
}

/// What came of talking.
enum Talk {
    /// Nothing more to say until then.
    Until(Option<Instant>),
    Over(Ended),
}

/// Some servers send on for a minute to who has only gone away, and count them: they are told.
impl Drop for Client<'_> {
    fn drop(&mut self) {
        let (Some(mut wire), Ok(runtime)) = (self.wire.take(), Handle::try_current()) else {
            return;
        };
        self.session.teardown(Instant::now());
        let mut farewell = Vec::new();
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => farewell.extend_from_slice(&bytes),
                Output::Event(_) => {}
                Output::Timeout(_) => break,
            }
        }
        if farewell.is_empty() {
            return;
        }
        runtime.spawn(timeout(FAREWELL, async move {
            let mut rest = vec![0; INPUT];
            let mut told = wire.write(&farewell).await;
            // A connection that is closed with something unread takes back what was written.
            while told.is_ok() && wire.read(&mut rest).await.is_ok_and(|count| count > 0) {
                told = Ok(());
            }
        }));
    }
}

/// The sections that are carried, and the others in words.
fn chosen(description: &Description) -> (Vec<Incoming>, Vec<String>) {
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    let mut counts = [("video", 1), ("audio", 1), ("application", MAX_DATA)];
    let sections = description.media.iter().enumerate();
    // What a camera plays, and not records, may be described like a microphone: it comes last.
    let is_speaker =
        |media: &sdp::Media| media.kind == "audio" && media.direction == Some(Direction::SendOnly);
    let (speakers, others): (Vec<_>, Vec<_>) = sections.partition(|(_, media)| is_speaker(media));
    for (section, media) in others.into_iter().chain(speakers) {
        let encoding = media
            .formats
            .first()
            .map_or("nothing", |format| &format.name);
        let room = counts
            .iter_mut()
            .find(|(kind, room)| media.kind == *kind && *room > 0);
        match (room, Incoming::new(section, media)) {
            (Some((_, room)), Ok(incoming)) => {
                *room -= 1;
                chosen.push(incoming);
            }
            (_, Err(error)) => left_out.push(format!("{}/{encoding} ({error})", media.kind)),
            (None, Ok(_)) => left_out.push(format!("{}/{encoding}", media.kind)),
        }
    }
    chosen.sort_by_key(Incoming::section);
    (chosen, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_section_of_pictures_one_of_sound_and_data() {
        let text = "v=0\r\nm=video 0 RTP/AVP 98\r\na=rtpmap:98 theora/90000\r\n\
            m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
            m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\n\
            m=audio 0 RTP/AVP 0\r\na=sendonly\r\nm=audio 0 RTP/AVP 8\r\na=recvonly\r\n\
            m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n";
        let description = Description::parse(text.as_bytes()).unwrap();
        let (chosen, left_out) = chosen(&description);
        let sections: Vec<_> = chosen.iter().map(Incoming::section).collect();
        assert_eq!(sections, [1, 4, 5]);
        let expected = [
            "video/theora (theora is not carried)",
            "video/H265",
            "audio/PCMU",
        ];
        assert_eq!(left_out, expected);
    }
}
